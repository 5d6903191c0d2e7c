//! Checkpoints that people kept: out of a mail, quoted, indented, with something before and after.

use tlog::Note;

/// The signed notes in a text, in order. What surrounds them is left out.
pub fn find(text: &str) -> Vec<Note> {
    let lines: Vec<&str> = text.lines().map(unquoted).collect();
    let mut notes = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        // A checkpoint's text is three lines and an empty one before the first signature.
        let is_first = line.starts_with("\u{2014} ") && place >= 4 && !lines[place - 1].starts_with("\u{2014} ");
        if !is_first {
            continue;
        }
        let signatures = lines[place..].iter().take_while(|line| line.starts_with("\u{2014} "));
        let note =
            lines[place - 4..place].iter().chain(signatures).fold(String::new(), |note, line| note + line + "\n");
        notes.extend(note.parse::<Note>());
    }
    notes
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
}
