//! Refusals.

use chrono::{DateTime, Utc};
use domain::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;
use crate::envelope::{About, Message, message};
use crate::fit::brief;
use crate::kinds::Kind;
use crate::trace::Traceparent;

/// Longest name or number in a refusal, in characters.
const NAME: usize = 256;
/// Longest sentence in a refusal, in characters.
const SENTENCE: usize = 1000;

/// Data of `request.refused` and `decision.refused`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Type of the refused command.
    pub command: String,
    /// Id of the refused command, as its sender gave it.
    pub command_id: String,
    /// The request that the command is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// Stable code.
    pub code: String,
    /// The message for people: what is wrong, and what to do.
    pub message: String,
    /// The faults of each field, when the submission was invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FieldFault>,
    /// Who sent the command.
    pub actor: Actor,
}

/// One problem with one field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldFault {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

/// What a refusal is about.
#[derive(Clone, Debug)]
pub struct RefusedCommand<'a> {
    /// Kind of the command.
    pub kind: Kind,
    /// Id of the command.
    pub id: &'a str,
    /// Tenant's name, only when the request or the tenant exists.
    pub tenant: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    pub service_request: Option<String>,
    /// Who sent the command.
    pub actor: Actor,
    /// Trace.
    pub trace: Traceparent,
}

/// Writes the event of a refusal.
pub fn refused(command: RefusedCommand<'_>, refusal: &Refusal, at: DateTime<Utc>) -> Message {
    let faults = match refusal {
        Refusal::Invalid(faults) => faults
            .iter()
            .map(|fault| FieldFault { field: fault.field.to_owned(), problem: brief(&fault.problem, SENTENCE) })
            .collect(),
        _ => Vec::new(),
    };
    let data = Refused {
        command: command.kind.type_name(),
        command_id: command.id.to_owned(),
        request: command.request,
        service_request: command.service_request.map(|number| brief(&number, NAME)),
        code: refusal.code().to_owned(),
        message: brief(&refusal.to_string(), SENTENCE),
        faults,
        actor: command.actor.brief(NAME),
    };
    let kind = match command.kind {
        Kind::RequestSubmit => Kind::RequestRefused,
        _ => Kind::DecisionRefused,
    };
    let about = About {
        tenant: command.tenant,
        request: command.request,
        version: None,
        cause: Some(command.id.to_owned()),
        channel: None,
        trace: Some(command.trace),
    };
    message(kind, at, about, &data)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::Fault;

    use super::*;

    #[test]
    fn a_refusal_is_short_however_large_the_refused_command_was() {
        let long = "ä".repeat(20_000);
        let refusal = Refusal::Invalid(vec![Fault { field: "resource", problem: long.clone() }]);
        let command = RefusedCommand {
            kind: Kind::RequestSubmit,
            id: "1",
            tenant: None,
            request: None,
            service_request: Some(long.clone()),
            actor: Actor::claimed(&long),
            trace: Traceparent::start(),
        };
        let event = refused(command, &refusal, DateTime::UNIX_EPOCH);
        assert!(event.body.len() < 10_000, "{} bytes", event.body.len());
    }
}
