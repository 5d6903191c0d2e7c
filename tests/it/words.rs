//! Checks that code, names, pages, messages and documents use the current terms: no file contains a word in `retired_words.tsv`.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Folders and files that the test reads, below the root of the repository.
const READ: [&str; 18] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "Dockerfile",
    "Makefile",
    "README.md",
    "crates",
    "deploy",
    "docker-compose.yml",
    "docs",
    "examples",
    "migrations",
    "schemas",
    "src",
    "tests",
    "tools",
    "workers",
];

/// Third-party files, and the list of retired words itself.
const NOT_READ: [&str; 4] = ["retired_words.tsv", "schema-3.1.json", "proptest-regressions", "axe-core"];

/// Text of other programs that contains a retired word: the subject of qmail's reports and its words, and a log level of nginx.
const OTHER_PROGRAMS: [&str; 3] = ["failure notice", "I've given up", "error_log stderr notice"];

const EXTENSIONS: [&str; 21] = [
    "conf", "css", "html", "js", "json", "lua", "md", "py", "rs", "service", "sh", "sql", "toml", "tpl", "txt", "yaml",
    "yml", "mjs", "svg", "tsv", "",
];

fn files_below(path: &Path, found: &mut Vec<PathBuf>) {
    if NOT_READ.iter().any(|name| path.ends_with(name)) {
        return;
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            files_below(&entry.path(), found);
        }
    } else if EXTENSIONS.contains(&path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()) {
        found.push(path.to_owned());
    }
}

/// A word in lower case and the number of its line.
type Word = (String, usize);

/// The words of a text in lower case. An identifier counts as its parts, and a phrase may continue on the next line.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut word = String::new();
        let mut before = ' ';
        for character in line.chars().chain([' ']) {
            let ends =
                !character.is_ascii_alphanumeric() || (character.is_ascii_uppercase() && before.is_ascii_lowercase());
            if ends && !word.is_empty() {
                words.push((std::mem::take(&mut word), index + 1));
            }
            if character.is_ascii_alphanumeric() {
                word.push(character.to_ascii_lowercase());
            }
            before = character;
        }
    }
    words
}

/// A retired phrase and what to write instead.
struct Retired {
    phrase: Vec<String>,
    instead: String,
}

fn retired() -> Vec<Retired> {
    let list = std::fs::read_to_string(Path::new(ROOT).join("tests/it/retired_words.tsv")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (phrase, instead) = line.split_once('\t').unwrap();
            Retired { phrase: words(phrase).into_iter().map(|(word, _)| word).collect(), instead: instead.to_owned() }
        })
        .collect()
}

/// Line and message of each retired phrase in a text.
fn faults(text: &str, retired: &[Retired]) -> Vec<String> {
    let words = words(text);
    let mut faults = Vec::new();
    for Retired { phrase, instead } in retired {
        for window in words.windows(phrase.len()) {
            if window.iter().map(|(word, _)| word).eq(phrase) {
                faults.push(format!("{}: \"{}\": use {instead}", window[0].1, phrase.join(" ")));
            }
        }
    }
    faults
}

#[test]
fn identifiers_and_sentences_are_split_into_words() {
    let found: Vec<String> =
        words("fn is_active(accessLevel: ReadSet) // \"Dead letter.\"").into_iter().map(|(word, _)| word).collect();
    assert_eq!(found, ["fn", "is", "active", "access", "level", "read", "set", "dead", "letter"]);
}

#[test]
fn a_retired_phrase_is_found_in_identifiers_and_across_lines() {
    let retired = [Retired { phrase: vec!["old".to_owned(), "name".to_owned()], instead: "new name".to_owned() }];
    assert_eq!(
        faults("fn oldName() {}\n/// The old\n/// name.\n", &retired),
        ["1: \"old name\": use new name", "2: \"old name\": use new name"]
    );
    assert!(faults("/// The older name.\n", &retired).is_empty(), "parts of words are not words");
}

#[test]
fn no_file_that_people_read_contains_a_retired_word() {
    let mut files = Vec::new();
    for path in READ {
        files_below(&Path::new(ROOT).join(path), &mut files);
    }
    assert!(files.len() > 400, "the list of folders is right");
    let retired = retired();
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let text = OTHER_PROGRAMS.iter().fold(text, |text, theirs| text.replace(theirs, " "));
        let place = file.strip_prefix(ROOT).unwrap().display();
        found.extend(faults(&text, &retired).into_iter().map(|fault| format!("{place}:{fault}")));
    }
    assert!(found.is_empty(), "{} retired words:\n{}", found.len(), found.join("\n"));
}
