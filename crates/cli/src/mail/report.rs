//! Reads a delivery status notification (RFC 3464): which mail it is about, and for whom it failed for good.

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

/// What a mail server says of a mail of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// `Message-ID` of the mail, without its brackets.
    pub message_id: String,
    /// For each recipient that it failed for: what the server said, in one line. Delays are no failures.
    pub failed: Vec<String>,
}

fn is(part: &mail_parser::MessagePart<'_>, kind: &str, subtype: &str) -> bool {
    part.content_type().is_some_and(|content| {
        content.ctype().eq_ignore_ascii_case(kind)
            && content.subtype().is_some_and(|found| found.eq_ignore_ascii_case(subtype))
    })
}

impl Report {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence, when it is no notification or does not say which mail it is about.
    pub fn read(raw: &[u8]) -> Result<Self, &'static str> {
        let mail = MessageParser::default().parse(raw).ok_or("this is no mail")?;
        let status = mail.parts.iter().find(|part| is(part, "message", "delivery-status"));
        let status = status.ok_or("this is no delivery status notification (RFC 3464): a mail of another kind")?;
        let message_id = original(&mail).ok_or("the notification does not say which mail it is about")?;
        Ok(Self { message_id, failed: failed(&String::from_utf8_lossy(status.contents())) })
    }
}

/// `Message-ID` of the mail that came back: from the mail or its head inside, else from what the report answers to.
fn original(report: &Message<'_>) -> Option<String> {
    let inside = report.parts.iter().find_map(|part| match &part.body {
        PartType::Message(mail) => mail.message_id().map(str::to_owned),
        _ if is(part, "text", "rfc822-headers") || is(part, "message", "rfc822") => {
            MessageParser::default().parse(part.contents())?.message_id().map(str::to_owned)
        }
        _ => None,
    });
    inside.or_else(|| report.in_reply_to().as_text().map(str::to_owned))
}

/// What is said of each recipient that the mail failed for. The first block is about the mail as a whole.
fn failed(status: &str) -> Vec<String> {
    let unfolded = status.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let blocks = unfolded.split("\n\n");
    let failed =
        blocks.filter(|block| field(block, "action").is_some_and(|action| action.eq_ignore_ascii_case("failed")));
    failed
        .map(|block| {
            let said = field(block, "diagnostic-code").map(|said| said.split_once(';').map_or(said, |(_, said)| said));
            let status = field(block, "status").unwrap_or("5.0.0");
            let who = field(block, "final-recipient").map_or("", |who| who.split_once(';').map_or(who, |(_, who)| who));
            let words = format!("{} ({status}, {})", said.unwrap_or("no reason given").trim(), who.trim());
            words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
        })
        .collect()
}

/// The value of a field in a block.
fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let fields = block.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

#[cfg(test)]
mod tests {
    use super::Report;

    const POSTFIX: &str = include_str!("../../../../tests/it/bounces/postfix.eml");
    const EXCHANGE: &str = include_str!("../../../../tests/it/bounces/exchange.eml");

    #[test]
    fn postfix_sends_the_head_of_the_mail_back() {
        let report = Report::read(POSTFIX.as_bytes()).unwrap();
        assert_eq!(report.message_id, "6f1c.NOTICE@fabrikam.example");
        let said = "550 5.1.1 <kim@contoso.example>: Recipient address rejected: User unknown in virtual mailbox table \
                    (5.1.1, kim@contoso.example)";
        assert_eq!(report.failed, [said]);
    }

    #[test]
    fn exchange_sends_the_whole_mail_back() {
        let report = Report::read(EXCHANGE.as_bytes()).unwrap();
        assert_eq!(report.message_id, "6f1c.NOTICE@fabrikam.example");
        assert_eq!(report.failed.len(), 1);
        assert!(report.failed[0].starts_with("550 5.1.10 RESOLVER.ADR.RecipientNotFound"), "{}", report.failed[0]);
    }

    #[test]
    fn a_delay_is_no_failure_and_a_letter_no_report() {
        let delayed = POSTFIX.replace("Action: failed", "Action: delayed");
        assert!(Report::read(delayed.as_bytes()).unwrap().failed.is_empty());
        assert!(Report::read(b"Subject: hello\r\n\r\nhello\r\n").is_err());
    }
}
