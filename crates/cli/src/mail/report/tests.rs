//! Reports as servers write them, by hand where no server of the kind can run here.

use uuid::Uuid;

use super::{Identity, Incoming, Report};

const POSTFIX: &str = include_str!("../../../../../tests/it/bounces/postfix.eml");
const EXCHANGE: &str = include_str!("../../../../../tests/it/bounces/exchange.eml");
const NOTIFICATION: &str = "01a20c86-c964-73a2-8a62-99c595af84c4";
const REQUEST: &str = "01a20c86-c964-73a2-8a62-99c595af84c5";

fn ours() -> Identity {
    Identity { notification: NOTIFICATION.parse().unwrap(), request: Some(REQUEST.parse().unwrap()) }
}

fn report(text: &str) -> Report {
    match Incoming::read(text.as_bytes()) {
        Incoming::Failed(report) => report,
        other => panic!("{other:?}: {text}"),
    }
}

/// A report in words alone, as this sender with this subject writes it.
fn in_words(head: &str, body: &str) -> String {
    format!(
        "To: lockbox@fabrikam.example\n{head}\n\n{body}\n\nX-Lockbox-Notification: {NOTIFICATION}.{REQUEST}\nMessage-ID: <{NOTIFICATION}.{REQUEST}@fabrikam.example>\n"
    )
}

#[test]
fn the_very_bytes_of_a_real_postfix_and_a_real_exim_are_understood() {
    let returns = include_str!("../../../../../tests/it/bounces/postfix_returns.eml");
    let utf8 = include_str!("../../../../../tests/it/bounces/postfix_smtputf8.eml");
    let exim = include_str!("../../../../../tests/it/bounces/exim.eml");
    for (mail, said) in [
        (returns, "unknown user: \"kim@contoso.example\" (5.1.1, kim@contoso.example)"),
        (utf8, "unknown user: \"jos\u{e9}@b\u{fc}cher.example\" (5.1.1, jos\u{e9}@b\u{fc}cher.example)"),
        (exim, "550 5.1.1 User unknown (5.0.0, kim@contoso.example)"),
    ] {
        let report = report(mail);
        assert_eq!(report.about, [ours()], "{mail}");
        assert_eq!((report.reporter.as_deref(), report.failed), (Some("mx1.contoso.example"), vec![said.to_owned()]));
    }
}

#[test]
fn postfix_returns_the_head_of_the_mail() {
    let report = report(POSTFIX);
    assert_eq!(report.about, [ours()]);
    assert_eq!(report.reporter.as_deref(), Some("mx1.contoso.example"));
    let said = "550 5.1.1 <kim@contoso.example>: Recipient address rejected: User unknown in virtual mailbox table \
                (5.1.1, kim@contoso.example)";
    assert_eq!(report.failed, [said]);
}

#[test]
fn exchange_returns_the_whole_mail() {
    let report = report(EXCHANGE);
    assert_eq!(report.about[0], ours());
    assert_eq!(report.failed.len(), 1);
    assert!(report.failed[0].starts_with("550 5.1.10 RESOLVER.ADR.RecipientNotFound"), "{}", report.failed[0]);
}

#[test]
fn a_delay_is_no_failure_and_the_end_of_patience_is_one() {
    let with = |action: &str| Incoming::read(POSTFIX.replace("Action: failed", action).as_bytes());
    for action in ["Action: delayed", "Action: relayed", "Action: delivered"] {
        assert_eq!(with(action), Incoming::NothingFailed, "{action}");
    }
    assert!(matches!(with("Action: expired"), Incoming::Failed(_)));
    assert!(matches!(with("X-Other: 1"), Incoming::Failed(_)), "the status says 5.1.1");
}

#[test]
fn a_report_whose_status_part_says_nothing_is_a_failure_that_names_the_mail() {
    let start = POSTFIX.find("Reporting-MTA").unwrap();
    let end = POSTFIX.find("--4XyZ9k0mQnz2x.1795515303/mx1.contoso.example\nContent-Description: Undelivered").unwrap();
    let empty = format!("{}\n{}", &POSTFIX[..start], &POSTFIX[end..]);
    let report = report(&empty);
    assert_eq!(report.about, [ours()]);
    assert_eq!(report.failed.len(), 1, "an alarm, not silence");
}

#[test]
fn addresses_that_are_not_ascii_come_in_a_report_of_their_own_kind() {
    let global = POSTFIX
        .replace("Content-Type: message/delivery-status", "Content-Type: message/global-delivery-status")
        .replace("Content-Type: text/rfc822-headers", "Content-Type: message/global-headers")
        .replace("rfc822; kim@contoso.example", "utf-8; jos\u{e9}@b\u{fc}cher.example");
    let report = report(&global);
    assert_eq!(report.about, [ours()]);
    assert!(report.failed[0].contains("jos\u{e9}@b\u{fc}cher.example"), "{}", report.failed[0]);
}

#[test]
fn a_mail_is_known_by_our_header_where_a_relay_gave_it_another_message_id() {
    let amazon = format!("<0100018b2c3d4e5f-{}@eu-west-1.amazonses.com>", "000000");
    let replaced = POSTFIX.replace(&format!("<{NOTIFICATION}.{REQUEST}@fabrikam.example>"), &amazon);
    assert_eq!(report(&replaced).about, [ours()], "X-Lockbox-Notification");
    let microsoft = replaced.replace(
        &format!("X-Lockbox-Notification: {NOTIFICATION}.{REQUEST}"),
        &format!("X-Microsoft-Original-Message-ID:\n <{NOTIFICATION}.{REQUEST}@fabrikam.example>"),
    );
    assert_eq!(report(&microsoft).about, [ours()], "X-Microsoft-Original-Message-ID");
    let neither = replaced.replace(&format!("{NOTIFICATION}.{REQUEST}"), "gone");
    assert_eq!(report(&neither).about, Vec::<Identity>::new());
}

#[test]
fn a_mail_about_settings_names_no_request() {
    let notification: Uuid = NOTIFICATION.parse().unwrap();
    let settings = POSTFIX.replace(&format!(".{REQUEST}"), "");
    assert_eq!(report(&settings).about, [Identity { notification, request: None }]);
}

#[test]
fn servers_that_write_for_people_alone_are_understood() {
    let exim = "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent \
                error. The following address(es) failed:\n\n  kim@contoso.example\n    host mx1.contoso.example [192.0.2.9]\n    \
                SMTP error from remote mail server after RCPT TO:<kim@contoso.example>:\n    550 5.1.1 unknown user";
    let qmail = "Hi. This is the qmail-send program at mx1.contoso.example.\nI'm afraid I wasn't able to deliver your message \
                 to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n\
                 <kim@contoso.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.";
    let gmail = "Delivery to the following recipient failed permanently:\n\n     kim@contoso.example\n\nTechnical details of \
                 permanent failure:\nThe error that the other server returned was: 550 550 5.1.1 no such user (state 14).\n\n\
                 ----- Original message -----";
    let exchange = "Your message\n\n  To:      kim@contoso.example\n  Subject: access\n\ndid not reach the following recipient(s):\n\n\
                    kim@contoso.example on Tue, 24 Nov 2026\n    The e-mail account does not exist. <#5.1.1>";
    for (head, body, said) in [
        (
            "From: Mail Delivery System <Mailer-Daemon@mx1.contoso.example>\nSubject: Mail delivery failed: returning message to sender\nX-Failed-Recipients: kim@contoso.example",
            exim,
            "550 5.1.1 unknown user",
        ),
        ("From: MAILER-DAEMON@mx1.contoso.example\nSubject: failure notice", qmail, "no mailbox here by that name"),
        (
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)\nX-Failed-Recipients: kim@contoso.example",
            gmail,
            "no such user",
        ),
        ("From: System Administrator <postmaster@contoso.example>\nSubject: Undeliverable: access", exchange, "#5.1.1"),
    ] {
        let report = report(&in_words(head, body));
        assert_eq!(report.about, [ours()], "{head}");
        assert!(report.failed.len() == 1 && report.failed[0].contains(said), "{:?}", report.failed);
    }
}

#[test]
fn other_mail_is_not_a_report_and_a_warning_is_not_a_failure() {
    let read = |text: &str| Incoming::read(text.as_bytes());
    let away = format!(
        "From: alex@contoso.example\nAuto-Submitted: auto-replied\nIn-Reply-To: <{NOTIFICATION}.{REQUEST}@fabrikam.example>\n\
         Subject: Out of office: access request\n\nI am away until Monday.\n"
    );
    assert_eq!(read(&away), Incoming::Other("an automatic reply"));
    assert_eq!(
        read("From: alex@contoso.example\nSubject: Re: access\n\napproved\n"),
        Incoming::Other("a reply or another mail")
    );
    assert!(matches!(Incoming::read(&[0xff, 0xfe, 0x00, 0x80]), Incoming::Other(_)));
    assert!(matches!(read(""), Incoming::Other(_)));
    let warning = in_words(
        "From: Mail Delivery System <Mailer-Daemon@mx1.contoso.example>\nSubject: Mail delivery failed: warning",
        "This message was created automatically. A message that you sent has not been delivered yet after 24 hours.",
    );
    assert_eq!(read(&warning), Incoming::NothingFailed);
    let receipt = "From: alex@contoso.example\nSubject: Read: access\nContent-Type: multipart/report; report-type=disposition-notification; \
                   boundary=b\n\n--b\nContent-Type: text/plain\n\nread\n\n--b\nContent-Type: message/disposition-notification\n\n\
                   Disposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n";
    assert_eq!(read(receipt), Incoming::Other("a read receipt"));
}
