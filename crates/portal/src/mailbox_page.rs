//! The mailbox page for development: every mail that was sent.

use askama::Template;
use axum::extract::State;

use super::app::App;
use super::response::{PageError, PageResult, render};

/// Most mails on the page.
const MAIL_LIMIT: usize = 200;

/// A mail as the page shows it.
struct Row {
    to: String,
    subject: String,
    /// Each line, and whether it is a link to the portal.
    lines: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage {
    mails: Vec<Row>,
}

pub(crate) async fn list(State(app): State<App>) -> PageResult {
    let mailbox = app.mailbox.as_ref().ok_or(PageError::NotFound)?;
    let rows = mailbox.mails().into_iter().rev().take(MAIL_LIMIT).map(|mail| Row {
        to: mail.to.join(", "),
        subject: mail.subject,
        lines: mail
            .text
            .lines()
            .map(|line| (line.trim().to_owned(), line.trim().starts_with(&format!("{}/", app.origin))))
            .collect(),
    });
    render(&MailboxPage { mails: rows.collect() })
}
