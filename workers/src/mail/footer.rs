//! The end of every mail: the latest checkpoint of the tenant's log. The recipients' mailboxes then have evidence that
//! Lockbox cannot change.

use super::Composed;

const WORDS: &str = "This is the checkpoint of the audit log when this mail was sent. Keep this mail: it can prove later that no earlier entry was changed.";

/// Sentence in the mails of a tenant without an authority.
const UNFOUNDED: &str = "Consent not verified: this tenant has no authority of its own.";

/// The end of a mail.
#[derive(Clone, Debug, Default)]
pub struct Footer {
    /// The latest checkpoint of the tenant's log, with its signatures.
    pub checkpoint: Option<String>,
    /// Whether the tenant has no authority of its own.
    pub is_unfounded: bool,
}

/// Adds the end to a mail.
pub(super) fn append(mail: Composed, footer: &Footer) -> Composed {
    append_checkpoint(append_label(mail, footer.is_unfounded), footer.checkpoint.as_deref())
}

fn append_label(mail: Composed, is_unfounded: bool) -> Composed {
    if !is_unfounded {
        return mail;
    }
    let foot = format!("<p style=\"font-size:.875rem\">{UNFOUNDED}</p>\n</body>");
    let text = format!("{}\n{UNFOUNDED}\n", mail.text);
    Composed { text, html: mail.html.replacen("</body>", &foot, 1), ..mail }
}

/// Adds a checkpoint to the end of a mail.
fn append_checkpoint(mail: Composed, checkpoint: Option<&str>) -> Composed {
    let Some(checkpoint) = checkpoint else { return mail };
    let text = format!("{}\n--\n{WORDS}\n\n{checkpoint}", mail.text);
    let escaped = checkpoint.replace('&', "&amp;").replace('<', "&lt;");
    let foot = format!(
        "<p style=\"font-size:.875rem\">{WORDS}</p>\n<pre style=\"font-size:.75rem;overflow-x:auto\">{escaped}</pre>\n</body>"
    );
    Composed { text, html: mail.html.replacen("</body>", &foot, 1), ..mail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_mail_end_with_the_whole_checkpoint() {
        let bare = || Composed { subject: "s".into(), text: "t\n".into(), html: "<body>h</body>".into() };
        let note = "lockbox.fabrikam.example/t/contoso\n7\nAAA=\n\n\u{2014} lockbox.fabrikam.example/t/contoso AAAA\n";
        let mail = append_checkpoint(bare(), Some(note));
        assert!(mail.text.ends_with(note) && mail.html.contains(note) && mail.html.ends_with("</body>"));
        assert_eq!(append_checkpoint(bare(), None), bare());
        let labelled = append(bare(), &Footer { checkpoint: Some(note.into()), is_unfounded: true });
        assert!(labelled.text.contains(UNFOUNDED) && labelled.html.contains(UNFOUNDED));
        assert!(labelled.text.ends_with(note));
    }
}
