//! Finds the checkpoints that people saved, for example in a quoted or indented mail.

use tlog::Note;

/// Finds the signed notes in a text, in order, and ignores other text. Joins signature lines that a mail program folded.
pub fn checkpoints(text: &str) -> Vec<Note> {
    let lines: Vec<&str> = text.lines().map(unquoted).collect();
    let mut notes = Vec::new();
    let mut place = 4;
    while place < lines.len() {
        // The text of a checkpoint is three lines and an empty line before the first signature.
        if !lines[place].starts_with(DASH) || lines[place - 1].starts_with(DASH) {
            place += 1;
            continue;
        }
        let head = &lines[place - 4..place];
        let mut note = head.iter().fold(String::new(), |note, line| note + line + "\n");
        while place < lines.len() && lines[place].starts_with(DASH) {
            let (signature, after) = unfolded(&lines, place);
            note += &signature;
            note.push('\n');
            place = after;
        }
        notes.extend(note.parse::<Note>());
    }
    notes
}

/// The start of a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Joins a folded signature line. Returns it with the number of the next line.
fn unfolded(lines: &[&str], first: usize) -> (String, usize) {
    let mut line = lines[first].to_owned();
    let mut next = first + 1;
    // The base64 of an Ed25519 signature or cosignature ends with padding.
    while !line.ends_with('=') && lines.get(next).is_some_and(|more| is_base64(more)) {
        if !line[DASH.len()..].contains(' ') {
            line.push(' ');
        }
        line += lines[next];
        next += 1;
    }
    (line, next)
}

fn is_base64(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

fn unquoted(line: &str) -> &str {
    line.trim_start_matches(['>', ' ', '\t', '|']).trim_end()
}

#[cfg(test)]
mod tests {
    use tlog::{Checkpoint, Hash, Kind, Note, Signer};

    #[test]
    fn a_checkpoint_is_found_in_a_quoted_mail() {
        let signer = Signer::from_seed("lockbox.fabrikam.example/t/contoso", Kind::Log, &[1; 32]).unwrap();
        let text = Checkpoint { origin: signer.verifier().name.clone(), size: 3, root: Hash([5; 32]) }.to_string();
        let note = Note { signatures: vec![signer.sign(&text, 0)], text };
        let mail = format!("On Monday Alex wrote:\n\n{}\n\nregards", note.to_string().replace('\n', "\r\n> "));
        assert_eq!(super::checkpoints(&mail), [note]);
        assert_eq!(super::checkpoints("a mail without a checkpoint"), []);
    }

    #[test]
    fn a_checkpoint_is_found_when_its_lines_were_folded_at_any_width() {
        let signer = Signer::from_seed("lockbox.fabrikam.example/t/contoso", Kind::Log, &[1; 32]).unwrap();
        let text = Checkpoint { origin: signer.verifier().name.clone(), size: 3, root: Hash([5; 32]) }.to_string();
        let two = vec![signer.sign(&text, 0), signer.sign(&text, 0)];
        let note = Note { signatures: two, text };
        for width in [46, 60, 76] {
            // Mail programs fold at the last space before the width, and inside longer words.
            let fold = |line: &str| match line.char_indices().nth(width) {
                Some(_) => {
                    let (name, blob) = line.rsplit_once(' ').unwrap();
                    let parts: Vec<String> =
                        blob.as_bytes().chunks(width).map(|part| String::from_utf8(part.to_vec()).unwrap()).collect();
                    format!("{name}\n{}", parts.join("\n"))
                }
                None => line.to_owned(),
            };
            let folded: Vec<String> = note.to_string().lines().map(fold).collect();
            let mail = format!("Hello,\n\n> {}\n\nregards", folded.join("\n> "));
            assert_eq!(super::checkpoints(&mail), std::slice::from_ref(&note), "{width}: {mail}");
        }
        // The line after the signatures does not belong to them.
        assert_eq!(super::checkpoints(&format!("\n{note}Lockbox\n")), [note]);
    }
}
