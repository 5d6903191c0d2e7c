//! Retired words stay out of everything that a person reads: code, names, pages, messages and documents.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Folders and files that are read, below the project's folder.
const READ: [&str; 16] = [
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
    "workers",
];

/// Files that are somebody else's, or name the words because they keep them out.
const NOT_READ: [&str; 4] = ["retired_words.tsv", "axe.min.js", "schema-3.1.json", "proptest-regressions"];

const EXTENSIONS: [&str; 22] = [
    "conf", "css", "html", "js", "json", "lua", "md", "py", "rs", "service", "sh", "sql", "toml", "tpl", "txt", "yaml",
    "yml", "mjs", "svg", "lock_", "tsv", "",
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

/// The words of a line in lower case; an identifier counts as its parts.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for character in line.chars() {
        if !character.is_ascii_alphanumeric() || (character.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if character.is_ascii_alphanumeric() {
            words.last_mut().unwrap().push(character.to_ascii_lowercase());
        }
        before = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn retired() -> Vec<(Vec<String>, String)> {
    let list = std::fs::read_to_string(Path::new(ROOT).join("tests/it/retired_words.tsv")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, instead) = line.split_once('\t').unwrap();
            (words(word), instead.to_owned())
        })
        .collect()
}

#[test]
fn identifiers_and_sentences_are_split_into_words() {
    assert_eq!(
        words("fn is_told(doorState: TheWorld) // \"Parked.\""),
        ["fn", "is", "told", "door", "state", "the", "world", "parked"]
    );
}

#[test]
fn nothing_that_a_person_reads_has_a_retired_word() {
    let mut files = Vec::new();
    for path in READ {
        files_below(&Path::new(ROOT).join(path), &mut files);
    }
    assert!(files.len() > 400, "the list of folders is right");
    let retired = retired();
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            let line = words(line);
            for (phrase, instead) in &retired {
                if line.windows(phrase.len()).any(|window| window == phrase.as_slice()) {
                    let place = file.strip_prefix(ROOT).unwrap().display();
                    found.push(format!("{place}:{}: \"{}\": use {instead}", number + 1, phrase.join(" ")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} retired words:\n{}", found.len(), found.join("\n"));
}
