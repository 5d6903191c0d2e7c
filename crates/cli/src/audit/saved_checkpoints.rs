//! Finds checkpoints in files that people saved: a text, or a mail in any encoding.

use mail_parser::{Message, MessageParser, PartType};
use tlog::Note;

/// Largest depth of mails inside mails.
const DEPTH_LIMIT: usize = 8;

/// The checkpoints in a file.
pub(super) fn notes(bytes: &[u8]) -> Vec<Note> {
    let (mut plain, mut rich) = (Vec::new(), Vec::new());
    if let Some(mail) = MessageParser::default().parse(bytes) {
        collect(&mail, DEPTH_LIMIT, &mut plain, &mut rich);
    }
    // Plain text first, then HTML, then the whole file as text that is not a mail.
    let whole = [String::from_utf8_lossy(bytes).into_owned()];
    let found = [plain.as_slice(), &rich, &whole]
        .into_iter()
        .map(|texts| texts.iter().flat_map(|text| evidence::pinned::checkpoints(text)).collect::<Vec<Note>>());
    let mut found = found.into_iter().find(|notes| !notes.is_empty()).unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    found.retain(|note| seen.insert(note.to_string()));
    found
}

/// The texts of a mail, decoded, and those of the mails in it.
fn collect(mail: &Message<'_>, depth: usize, plain: &mut Vec<String>, rich: &mut Vec<String>) {
    for part in &mail.parts {
        match &part.body {
            PartType::Text(text) => plain.push(text.to_string()),
            PartType::Html(text) => rich.push(without_tags(text)),
            PartType::Message(inside) if depth > 0 => collect(inside, depth - 1, plain, rich),
            PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) | PartType::Multipart(_) => {}
        }
    }
}

/// Text of HTML: line breaks stay, tags are removed, and the character references that base64 and names need are decoded.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text += before;
        rest = after.split_once('>').map_or("", |(_, after)| after);
        // A break that the text repeats as a line feed is one line break.
        if after.starts_with("br") && !rest.trim_start_matches('\r').starts_with('\n') {
            text.push('\n');
        }
    }
    text += rest;
    let named = [("&#43;", "+"), ("&#x2b;", "+"), ("&#61;", "="), ("&#x3d;", "="), ("&#47;", "/"), ("&#x2f;", "/")];
    let dashes =
        [("&mdash;", "\u{2014}"), ("&#8212;", "\u{2014}"), ("&#x2014;", "\u{2014}"), ("&nbsp;", " "), ("&amp;", "&")];
    named.into_iter().chain(dashes).fold(text, |text, (name, character)| text.replace(name, character))
}

#[cfg(test)]
mod tests {
    use tlog::{Checkpoint, Hash, Kind, Signer};

    use super::*;

    #[test]
    fn a_checkpoint_is_found_in_plain_text_in_html_and_in_a_text_that_is_not_a_mail() {
        let signer = Signer::from_seed("lockbox.fabrikam.example/t/contoso", Kind::Log, &[1; 32]).unwrap();
        let text = Checkpoint { origin: signer.verifier().name.clone(), size: 3, root: Hash([5; 32]) }.to_string();
        let note = Note { signatures: vec![signer.sign(&text, 0)], text };
        let html = note.to_string().replace('\n', "<br>\n").replace('\u{2014}', "&mdash;").replace('+', "&#43;");
        let mail = format!(
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<pre>{html}</pre>"
        );
        assert_eq!(notes(mail.as_bytes()), std::slice::from_ref(&note));
        assert_eq!(notes(format!("I saved this:\n\n{note}").as_bytes()), [note]);
        assert_eq!(notes(b"nothing"), []);
    }
}
