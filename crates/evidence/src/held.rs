//! Checkpoints that people kept: out of a mail, quoted, indented, with something before and after.

use tlog::Note;

/// The signed notes in a text, in order. What surrounds them is left out. Signature lines that a mail program folded are
/// put together again.
pub fn find(text: &str) -> Vec<Note> {
    let lines: Vec<&str> = text.lines().map(unquoted).collect();
    let mut notes = Vec::new();
    let mut place = 4;
    while place < lines.len() {
        // A checkpoint's text is three lines and an empty one before the first signature.
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

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A signature line with what was folded off it, and the line after.
fn unfolded(lines: &[&str], first: usize) -> (String, usize) {
    let mut line = lines[first].to_owned();
    let mut next = first + 1;
    // The blob of an Ed25519 signature or cosignature ends with padding.
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
        assert_eq!(super::find(&mail), [note]);
        assert_eq!(super::find("nothing of the kind"), []);
    }

    #[test]
    fn a_checkpoint_whose_lines_were_folded_is_found_wherever_they_were_cut() {
        let signer = Signer::from_seed("lockbox.fabrikam.example/t/contoso", Kind::Log, &[1; 32]).unwrap();
        let text = Checkpoint { origin: signer.verifier().name.clone(), size: 3, root: Hash([5; 32]) }.to_string();
        let two = vec![signer.sign(&text, 0), signer.sign(&text, 0)];
        let note = Note { signatures: two, text };
        for width in [46, 60, 76] {
            // As programs fold: at the last space before the width, and within what is longer.
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
            assert_eq!(super::find(&mail), std::slice::from_ref(&note), "{width}: {mail}");
        }
        // What follows at once is no part of a signature.
        assert_eq!(super::find(&format!("\n{note}Lockbox\n")), [note]);
    }
}
