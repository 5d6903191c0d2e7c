//! Mails that come back, as a mail server's pipe hands them in.

use std::io::Write;
use std::process::{Command, Stdio};

use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::mail_server::Server;
use crate::person::Site;

const POSTFIX: &str = include_str!("bounces/postfix.eml");
const EXCHANGE: &str = include_str!("bounces/exchange.eml");
/// Stands in the reports for the identity of the mail that came back, in its `Message-ID` and in our own header.
const PLACE: &str = "01a20c86-c964-73a2-8a62-99c595af84c4.01a20c86-c964-73a2-8a62-99c595af84c5";

/// Hands a report in; answers with the exit code and everything that was printed.
pub(crate) fn hand_in(lockbox: &Lockbox, report: &str) -> (i32, String) {
    hand_in_with(lockbox, report, &[])
}

fn hand_in_with(lockbox: &Lockbox, report: &str, options: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["mail", "bounce"])
        .args(options)
        .env("LOCKBOX_SMTP_URL", &lockbox.settings.mail.url)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .env("LOCKBOX_PREFIX", lockbox.settings.names.prefix())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    command.stdin.take().unwrap().write_all(report.as_bytes()).unwrap();
    let done = command.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout) + &text(done.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounced_mail_is_recorded_once_raises_the_alarm_and_is_shown_on_its_request() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let site = Site::open(&lockbox).await;
    let morgan = site.sign_in("Morgan Reyes").await;
    for (report, said) in
        [(POSTFIX, "User unknown in virtual mailbox table"), (EXCHANGE, "RESOLVER.ADR.RecipientNotFound")]
    {
        let request = lockbox.submit(&submission()).await;
        let id = eventually("the manager is notified, and the page shows the notification", async || {
            let is_shown = morgan.get(&format!("/requests/{request}")).await.text.contains("sent to ");
            let ours = format!(".{request}@");
            let mails = lockbox.mailbox.mails().into_iter().filter(|mail| mail.message_id.contains(&ours));
            mails.filter(|_| is_shown).map(|mail| mail.message_id).next()
        })
        .await;
        let identity = id.split('@').next().unwrap();
        // A relay such as Amazon SES gives the mail another Message-ID; our own header stays.
        let report = report.replace(
            &format!("{PLACE}@fabrikam.example>\nX-Lockbox"),
            "0100018b2c3d@eu-west-1.amazonses.com>\nX-Lockbox",
        );
        let report = report.replace(PLACE, identity);
        assert_eq!(
            hand_in(&lockbox, &report.replace("Action: failed", "Action: delayed")).0,
            0,
            "a delay is no failure"
        );
        let (code, text) = eventually("the mail is in the audit log as sent", async || {
            Some(hand_in(&lockbox, &report)).filter(|(_, text)| !text.contains("ALARM"))
        })
        .await;
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("recorded: the mail to"), "{text}");
        eventually("the request shows it", async || {
            let page = morgan.get(&format!("/requests/{request}")).await.text;
            (page.contains("not delivered") && page.contains(said)).then_some(())
        })
        .await;
        let (code, text) = hand_in(&lockbox, &report);
        assert!(code == 0 && text.contains("already"), "{text}");
        let failed = lockbox.event(request, "notification.failed").await;
        assert!(failed["error"].as_str().unwrap().contains(said), "{failed}");
        assert_eq!(failed["actor"]["kind"], "lockbox", "not the broker's login: {failed}");
    }
    assert!(morgan.get("/").await.text.contains("was not delivered"), "the alarm on the first page");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reports_a_mail_that_was_never_sent_and_nothing_is_held_for_days() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    let unknown = format!("{}.{request}", uuid::Uuid::now_v7());
    let (code, text) = hand_in(&lockbox, &POSTFIX.replace(PLACE, &unknown));
    assert!(code == 0 && text.contains("ALARM") && text.contains("User unknown"), "{code}: {text}");
    let filter =
        store::audit::AuditFilter { type_name: Some("notification.failed".into()), limit: 1, ..Default::default() };
    assert!(lockbox.store.search_audit(&filter).await.unwrap().is_empty());
    for (mail, what) in [
        ("Auto-Submitted: auto-replied\nSubject: away\n\nI am out of office\n", "an automatic reply"),
        ("From: alex@contoso.example\nSubject: Re: access\n\napproved\n", "a reply or another mail"),
        ("", "not a mail"),
    ] {
        let (code, text) = hand_in(&lockbox, mail);
        assert!(code == 0 && text.contains("ignored") && text.contains(what), "{code}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_is_not_a_report_is_forwarded_once() {
    let mut lockbox = Lockbox::without_roles().await;
    let server = Server::default();
    lockbox.settings.mail.url = server.listen().await;
    let answer = "From alex@contoso.example Tue Nov 24 10:15:03 2026\nFrom: alex@contoso.example\nSubject: Re: access\n\napproved\n";
    let to = ["--unread", "desk@fabrikam.example"];
    let (code, text) = hand_in_with(&lockbox, answer, &to);
    assert_eq!(code, 0, "{text}");
    assert_eq!(*server.taken.lock().unwrap(), ["desk@fabrikam.example"]);
    let mail = server.mails.lock().unwrap()[0].clone();
    assert!(mail.contains("approved") && mail.contains("Subject: Re: access") && !mail.contains("From alex"), "{mail}");
    assert_eq!(hand_in_with(&lockbox, &mail, &to).0, 0);
    assert_eq!(server.taken.lock().unwrap().len(), 1, "what was forwarded once stays where it is");
    lockbox.settings.mail.url = "smtp://127.0.0.1:1".into();
    assert_eq!(hand_in_with(&lockbox, answer, &to).0, 6, "then the mail server keeps it and tries again");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_that_does_not_answer_makes_the_mail_server_try_again() {
    let mut lockbox = Lockbox::without_roles().await;
    lockbox.settings.database_url = "postgres://nobody@127.0.0.1:1/nothing".into();
    let (code, text) = hand_in(&lockbox, POSTFIX);
    assert_eq!(code, 6, "{text}");
    lockbox.finish().await;
}
