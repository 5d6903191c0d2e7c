//! Why a message could not be read. Such a message is dead-lettered with this reason and never retried.

use std::fmt;

/// A message that cannot be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Stable code for programs.
    pub code: &'static str,
    /// What is wrong and where, for the operators of the sending system.
    pub detail: String,
}

impl Malformed {
    pub(crate) fn new(code: &'static str, detail: impl fmt::Display) -> Self {
        let mut detail = detail.to_string();
        if detail.len() > 1000 {
            let end = (0..=1000).rev().find(|&index| detail.is_char_boundary(index)).unwrap_or(0);
            detail.truncate(end);
        }
        Self { code, detail }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Malformed {}
