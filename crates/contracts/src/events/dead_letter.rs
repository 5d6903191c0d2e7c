//! Dead-letter messages.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;
use crate::envelope::{About, Message, message, message_with};
use crate::kinds::Kind;
use crate::words::{Committed, commit};

/// Data of `message.dead_lettered`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Id, as `lockbox dead-letter show` uses it.
    pub dead_letter: Uuid,
    /// Stable code.
    pub code: String,
    /// What is wrong and where.
    pub message: String,
    /// The queue it was consumed from.
    pub queue: String,
    /// `message_id` property as its sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Size of the body in bytes.
    pub size_bytes: usize,
    /// Who sent it.
    pub actor: Actor,
}

/// Writes the event of a message that was dead-lettered.
pub fn dead_letter(dead_letter: &DeadLetter, at: DateTime<Utc>) -> Message {
    let about = About { cause: dead_letter.message_id.clone(), ..About::default() };
    message(Kind::MessageDeadLettered, at, about, dead_letter)
}

/// Data of `message.resolved`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The dead-letter message.
    pub dead_letter: Uuid,
    /// `replayed` or `discarded`.
    pub resolution: String,
    /// The operator's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Committed>,
    /// The operator.
    pub actor: Actor,
}

/// Writes the event of a dead-letter message that was resolved.
pub fn resolved(dead_letter: Uuid, resolution: &str, note: Option<&str>, actor: Actor, at: DateTime<Utc>) -> Message {
    let (note, text) = note.map(|note| commit("note", note)).unzip();
    let data = Resolved { dead_letter, resolution: resolution.to_owned(), note, actor };
    message_with(Kind::MessageResolved, at, About::default(), &data, Vec::from_iter(text))
}
