//! The foot of every mail: the latest checkpoint of the tenant's log. Thousands of mailboxes then hold evidence that
//! nobody can take back.

use super::Composed;

const WORDS: &str = "The signed state of the tenant's audit log when this mail was sent. Keep the mail: it proves later that nothing before was changed.";

/// The same mail with a checkpoint under it.
pub(super) fn under(mail: Composed, checkpoint: Option<&str>) -> Composed {
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
    fn the_checkpoint_stands_whole_at_the_foot_of_both_forms() {
        let bare = || Composed { subject: "s".into(), text: "t\n".into(), html: "<body>h</body>".into() };
        let note = "lockbox.fabrikam.example/t/contoso\n7\nAAA=\n\n\u{2014} lockbox.fabrikam.example/t/contoso AAAA\n";
        let mail = under(bare(), Some(note));
        assert!(mail.text.ends_with(note) && mail.html.contains(note) && mail.html.ends_with("</body>"));
        assert_eq!(under(bare(), None), bare());
    }
}
