//! Texts that people write, in one normalized form for every channel.
//!
//! Browsers send CRLF. Word and Teams add invisible characters. Persian, Hindi and emoji need joiners. So a text is
//! normalized first and checked afterwards. Normalizing a text twice gives the same text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Most characters of a comment or a justification.
pub const FREE_TEXT_LIMIT_CHARS: usize = 2000;

/// A text of one or more lines in a person's own words.
///
/// Line ends are LF, and there is no white space at the ends. Invisible characters that only break or hide text (zero-width
/// space, byte order mark, word joiner, soft hyphen) are removed. Joiners stay where they follow a character that is not ASCII.
/// Everything else stays as it was, including what [`FreeText::problem`] reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FreeText(String);

impl FreeText {
    /// Normalizes a text.
    pub fn new(input: &str) -> Self {
        let mut text = cleared(input);
        if text.contains('\r') {
            text = text.replace("\r\n", "\n");
        }
        if text.contains(is_line_end) {
            text = text.replace(is_line_end, "\n");
        }
        let trimmed = text.trim();
        Self(if trimmed.len() == text.len() { text } else { trimmed.to_owned() })
    }

    /// Normalizes a text; `None` when it is empty.
    pub fn non_empty(input: &str) -> Option<Self> {
        Some(Self::new(input)).filter(|text| !text.0.is_empty())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Why the text cannot be shown to an approver.
    pub fn problem(&self) -> Option<String> {
        problem(&self.0, FREE_TEXT_LIMIT_CHARS, true)
    }
}

impl From<&str> for FreeText {
    fn from(input: &str) -> Self {
        Self::new(input)
    }
}

impl From<String> for FreeText {
    fn from(input: String) -> Self {
        Self::new(&input)
    }
}

impl From<FreeText> for String {
    fn from(text: FreeText) -> Self {
        text.0
    }
}

impl fmt::Display for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FreeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A name, number or address of one line, without white space at its ends and without invisible characters. Marks that set
/// the direction of writing are removed too: people paste them by accident, and two names that look the same must be equal.
pub fn one_line(input: &str) -> String {
    let cleared = cleared(input);
    let text = cleared.trim_matches(|c: char| c.is_whitespace() || is_direction(c));
    if text.contains(is_direction) { text.replace(is_direction, "") } else { text.to_owned() }
}

/// The text without characters that only break or hide text, and without stray joiners.
fn cleared(input: &str) -> String {
    let mut text = String::with_capacity(input.len());
    for c in input.chars() {
        let goes = match c {
            // Zero-width space, word joiner, invisible operators, byte order mark, soft hyphen.
            '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{AD}' => true,
            '\u{200C}' | '\u{200D}' => !text.chars().next_back().is_some_and(may_be_joined),
            _ => false,
        };
        if !goes {
            text.push(c);
        }
    }
    text
}

/// Whether a joiner after this character has a meaning: letters of scripts that join, and emoji.
fn may_be_joined(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !matches!(c, '\u{200C}'..='\u{200F}' | '\u{61C}')
}

/// Line ends of all kinds. Word writes a vertical tab for a line break, other programs the Unicode separators.
fn is_line_end(c: char) -> bool {
    matches!(c, '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Marks that Hebrew and Arabic writers set between words. They do not reverse any letters.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{61C}')
}

/// Characters that are invisible, alone or in sequence.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || is_direction(c)
        || matches!(
            c,
            '\u{200C}' | '\u{200D}' | '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}' | '\u{FE00}'
                ..='\u{FE0F}'
        )
}

/// Why a text cannot be shown: it is empty, too long, contains control characters, or contains marks that make it read
/// differently from what it contains (Unicode bidirectional overrides and isolates, tags outside a flag).
pub fn problem(text: &str, limit_chars: usize, lines: bool) -> Option<String> {
    if text.chars().all(is_blank) {
        return Some("must not be empty".to_owned());
    }
    let length = text.chars().count();
    if length > limit_chars {
        return Some(format!("must be at most {limit_chars} characters, not {length}"));
    }
    if !lines && text.contains('\n') {
        return Some("must be one line".to_owned());
    }
    let deceives = |c: char| {
        matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}')
            || (c.is_control() && !(lines && matches!(c, '\n' | '\t')))
    };
    text.chars()
        .find(|&c| deceives(c))
        .or_else(|| hidden_tag(text))
        .map(|c| format!("must not contain the control or invisible character U+{:04X}", u32::from(c)))
}

/// The first tag character that is not part of a flag, such as Scotland's. Tags can spell whole sentences invisibly
/// (<https://www.unicode.org/reports/tr51/#flag-emoji-tag-sequences>).
fn hidden_tag(text: &str) -> Option<char> {
    let mut room = 0;
    for c in text.chars() {
        match c {
            '\u{1F3F4}' => room = 7,
            '\u{E0000}'..='\u{E007F}' if room == 0 => return Some(c),
            '\u{E007F}' => room = 0,
            '\u{E0000}'..='\u{E007E}' => room -= 1,
            _ => room = 0,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(input: &str) -> String {
        FreeText::new(input).into()
    }

    #[test]
    fn line_ends_of_every_system_become_line_feeds() {
        for input in
            ["one\r\ntwo", "one\rtwo", "one\ntwo", "one\u{B}two", "one\u{2028}two", "one\u{85}two", " one\ntwo\r\n"]
        {
            assert_eq!(free(input), "one\ntwo", "{input:?}");
            assert_eq!(FreeText::new(input).problem(), None);
        }
        assert_eq!(free("one\r\n\r\ntwo"), "one\n\ntwo");
    }

    #[test]
    fn texts_in_all_languages_are_unchanged() {
        for input in [
            "👩‍💻 looks, 🏳️‍🌈 and 👨‍👩‍👧‍👦",
            "می‌خواهم",
            "क्‍ष",
            "ന്‍ മ",
            "שלום\u{200F} (1)!",
            "日本\u{E0100}語",
            "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F} flag",
            "Grüße — “naïve”\u{A0}…",
            "a\tb",
        ] {
            assert_eq!(free(input), input);
            assert_eq!(FreeText::new(input).problem(), None, "{input}");
        }
    }

    #[test]
    fn invisible_characters_and_stray_joiners_are_removed() {
        assert_eq!(free("a\u{200B}b\u{FEFF}c\u{2060}d\u{AD}e"), "abcde");
        assert_eq!(free("\u{FEFF}a\u{200D}b \u{200C}c"), "ab c");
        assert_eq!(one_line("\u{200E}SR-1\u{200B}\u{200F}7 \r\n"), "SR-17");
        let input = "می\u{200C}\u{200C}\u{200D}خواهم";
        assert_eq!(free(input), "می\u{200C}خواهم", "repeated joiners become one");
        for text in ["\u{200B}", "\u{200C}\u{200E}", "\u{3164}", "\r\n \t"] {
            assert_eq!(FreeText::new(text).problem().unwrap(), "must not be empty", "{text:?}");
        }
    }

    #[test]
    fn characters_that_reverse_hide_or_end_text_are_refused() {
        for input in [
            "a\u{202E}b",
            "a\u{2066}b\u{2069}",
            "a\0b",
            "a\u{1B}[2Jb",
            "a\u{7F}b",
            "a\u{E0041}b",
            "\u{1F3F4} \u{E0041}",
        ] {
            let problem = FreeText::new(input).problem().unwrap();
            assert!(problem.contains("U+"), "{input:?}: {problem}");
        }
        assert_eq!(problem("a\nb", 9, false).unwrap(), "must be one line");
    }

    #[test]
    fn normalizing_twice_gives_the_same_text() {
        let parts =
            ["\r", "\n", " ", "a", "é", "\u{200B}", "\u{200C}", "\u{200D}", "\u{200E}", "\u{2028}", "👩", "\u{FEFF}"];
        let mut state = 7_u64;
        for _ in 0..5000 {
            let input: String = (0..9)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    parts[usize::try_from(state >> 33).unwrap() % parts.len()]
                })
                .collect();
            let once = free(&input);
            assert_eq!(free(&once), once, "{input:?}");
            assert_eq!(one_line(&one_line(&input)), one_line(&input), "{input:?}");
        }
    }
}
