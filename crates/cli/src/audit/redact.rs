//! `lockbox audit redact`: removes the texts that people wrote.

use clap::{ArgGroup, Args};
use store::Store;
use store::texts::{Redaction, Whose};
use uuid::Uuid;

use crate::operator::Operator;
use runtime::outcome::Failure;
use runtime::output::line;

/// Texts to redact.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("whose").required(true)))]
#[command(after_help = "Example:\n  lockbox audit redact --person robin --operator lee")]
pub struct Redact {
    /// Texts that anybody wrote about this request.
    #[arg(long, value_name = "ID", group = "whose")]
    request: Option<Uuid>,
    /// Texts that this person wrote, by short name.
    #[arg(long, value_name = "NAME", group = "whose")]
    person: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

impl Redact {
    pub(super) async fn run(self, store: &Store) -> Result<(), Failure> {
        let whose = match (self.request, self.person) {
            (Some(request), _) => Whose::Request(request),
            (None, person) => Whose::Person(person.unwrap_or_default()),
        };
        match store.redact_texts(&whose, &self.operator.name).await? {
            Redaction::Done(texts) => {
                line(&format!("{texts} texts are redacted. The audit log records it and still verifies."))
            }
            Redaction::Waits { requests, dead_letter, pending_messages } => Err(Failure::Refused {
                code: "redaction.pending".to_owned(),
                message: obstacles(&requests, &dead_letter, pending_messages),
            }),
        }
    }
}

/// What must end first, and how.
fn obstacles(requests: &[Uuid], dead_letters: &[Uuid], pending_messages: i64) -> String {
    let ids = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
    let mut reasons = Vec::new();
    if !requests.is_empty() {
        reasons.push(format!(
            "requests that are not over still need their texts; withdraw them, revoke their access, or wait: {}",
            ids(requests)
        ));
    }
    if !dead_letters.is_empty() {
        reasons.push(format!("dead-letter messages hold texts; replay or discard them: {}", ids(dead_letters)));
    }
    if pending_messages > 0 {
        reasons.push(format!("{pending_messages} messages are not consumed yet; try again in a moment"));
    }
    format!("no text was redacted: {}", reasons.join("; "))
}
