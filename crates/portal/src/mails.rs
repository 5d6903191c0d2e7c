//! The mailbox of development: every mail that was sent.

use askama::Template;
use axum::extract::State;

use super::App;
use super::answer::{Answer, Fault, page};

/// A mail with its links made followable.
struct Shown {
    to: String,
    subject: String,
    lines: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage {
    mails: Vec<Shown>,
}

pub(crate) async fn list(State(app): State<App>) -> Answer {
    let mailbox = app.mailbox.as_ref().ok_or(Fault::Missing)?;
    let shown = mailbox.mails().into_iter().rev().take(200).map(|mail| Shown {
        to: mail.to.join(", "),
        subject: mail.subject,
        lines: mail
            .text
            .lines()
            .map(|line| (line.trim().to_owned(), line.trim().starts_with(&format!("{}/", app.origin))))
            .collect(),
    });
    page(&MailboxPage { mails: shown.collect() })
}
