//! Mails that come back, as a mail server's pipe hands them in.

use std::io::Write;
use std::process::{Command, Stdio};

use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

const POSTFIX: &str = include_str!("bounces/postfix.eml");
const EXCHANGE: &str = include_str!("bounces/exchange.eml");
/// Stands in the reports for the `Message-ID` of the mail that came back.
const PLACE: &str = "6f1c.NOTICE@fabrikam.example";

/// Hands a report in; answers with the exit code and everything that was printed.
fn hand_in(lockbox: &Lockbox, report: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["mail", "bounce"])
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
async fn a_mail_that_comes_back_is_on_record_once_raises_the_alarm_and_is_shown_on_its_request() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let site = Site::open(&lockbox).await;
    let morgan = site.sign_in("Morgan Reyes").await;
    for (report, said) in
        [(POSTFIX, "User unknown in virtual mailbox table"), (EXCHANGE, "RESOLVER.ADR.RecipientNotFound")]
    {
        let request = lockbox.submit(&submission()).await;
        let id = eventually("the manager is told, and it is on record", async || {
            let on_record = morgan.get(&format!("/requests/{request}")).await.text.contains("handed over on");
            let ours = format!(".{request}@");
            let mails = lockbox.mailbox.mails().into_iter().filter(|mail| mail.message_id.contains(&ours));
            mails.filter(|_| on_record).map(|mail| mail.message_id).next()
        })
        .await;
        let report = report.replace(PLACE, &id);
        assert_eq!(
            hand_in(&lockbox, &report.replace("Action: failed", "Action: delayed")).0,
            0,
            "a delay is no failure"
        );
        let (code, text) = eventually("the mail is on record as sent", async || {
            Some(hand_in(&lockbox, &report)).filter(|(code, _)| *code != 3)
        })
        .await;
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("on record"), "{text}");
        eventually("the request shows it", async || {
            let page = morgan.get(&format!("/requests/{request}")).await.text;
            (page.contains("not delivered") && page.contains(said)).then_some(())
        })
        .await;
        let (code, text) = hand_in(&lockbox, &report);
        assert!(code == 0 && text.contains("already"), "{text}");
        let failed = lockbox.event(request, "notice.failed").await;
        assert!(failed["error"].as_str().unwrap().contains(said), "{failed}");
    }
    assert!(morgan.get("/").await.text.contains("did not arrive"), "the alarm on the first page");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reports_a_mail_that_was_never_sent() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    let invented = format!("{}.{request}@fabrikam.example", uuid::Uuid::now_v7());
    let (code, text) = hand_in(&lockbox, &POSTFIX.replace(PLACE, &invented));
    assert_eq!(code, 3, "{text}");
    assert_eq!(hand_in(&lockbox, "Subject: hello\r\n\r\nI am out of office\r\n").0, 1);
    lockbox.finish().await;
}
