//! Verifies that a person of the authority in force made the decision of an event (docs/audit-format.md, section 11).
//!
//! Every part is compared as it stands in the event. Deliberately absent: which statement is in force
//! ([`crate::authority`]), and whether the decision is allowed at this point of the lifecycle (`domain`).

use consent::{Key, SignedDecision, Statement};
use serde_json::Value;
use uuid::Uuid;

use crate::event::parse_time;

/// The person and the key that made a decision, and what the key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Id of the person.
    pub person: Uuid,
    /// Short name of the person in the authority.
    pub name: String,
    /// The key.
    pub key: Key,
    /// Version of the authority that was in force.
    pub authority_version: u64,
    /// The signed decision.
    pub decision: consent::Decision,
}

/// Why a decision is not proved to be that of a person of the authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionFault {
    /// The event is not a decision.
    #[error("{0} is not a decision")]
    NotADecision(String),
    /// The event has no signature, or the signature does not have exactly the documented members.
    #[error("the decision is not signed in the documented form")]
    Unsigned,
    /// A signed value differs from the event or from the content of the request.
    #[error("the signed {0} is not that of the event")]
    Differs(&'static str),
    /// The signature does not count.
    #[error("{0}")]
    Consent(#[from] consent::Fault),
}

/// Types of decisions without prefix and version, each with the verdict that is signed.
const DECISIONS: [(&str, &str); 6] = [
    ("request.customer_approved", "approve"),
    ("request.customer_denied", "deny"),
    ("request.vendor_approved", "approve"),
    ("request.vendor_denied", "deny"),
    ("request.break_glass_supported", "approve"),
    ("request.break_glass_approved", "approve"),
];

/// Verifies the decision in an event and returns who signed it.
///
/// `authority` is the statement in force at the time of the event. `event` is the event as a document, `content` the
/// `data.content` of the request's `request.submitted`. Without the content (in a bundle of a period), the service, the
/// resource, the access level and the duration of a vendor approval are those that were signed.
///
/// # Errors
/// The first [`DecisionFault`] that is found.
pub fn signer(authority: &Statement, event: &Value, content: Option<&Value>) -> Result<Signer, DecisionFault> {
    let kind = event["type"].as_str().unwrap_or_default();
    let name = kind.strip_prefix("lockbox.").and_then(|kind| kind.rsplit_once('.')).map_or(kind, |(name, _)| name);
    let (_, verdict) = DECISIONS
        .iter()
        .find(|(decision, _)| *decision == name)
        .ok_or_else(|| DecisionFault::NotADecision(name.to_owned()))?;
    let data = &event["data"];
    let written = &data["signature"];
    let signed: SignedDecision = serde_json::from_value(written.clone()).map_err(|_| DecisionFault::Unsigned)?;
    // Another spelling of a value, or an absent member, would be read as the same decision but is not the signed document.
    if serde_json::to_value(&signed).ok().as_ref() != Some(written) {
        return Err(DecisionFault::Unsigned);
    }
    let at = event["time"].as_str().and_then(parse_time).ok_or(DecisionFault::Differs("time"))?;
    compare(&written["decision"], event, verdict, content)?;
    if parse_time(&signed.decision.not_after).is_none() {
        return Err(DecisionFault::Unsigned);
    }
    let key = signed.decision.verify(authority, &signed.assertion, at)?.clone();
    let name = authority.approver(signed.decision.person).map(|approver| approver.name.clone());
    Ok(Signer {
        person: signed.decision.person,
        name: name.unwrap_or_default(),
        key,
        authority_version: authority.version,
        decision: signed.decision,
    })
}

/// Compares the members of the signed document with the event and with the content.
fn compare(decision: &Value, event: &Value, verdict: &str, content: Option<&Value>) -> Result<(), DecisionFault> {
    let data = &event["data"];
    let is_customer = event["type"].as_str().is_some_and(|kind| kind.starts_with("lockbox.request.customer_"));
    let duration = match (verdict, is_customer) {
        ("approve", true) => Some(data["duration_seconds"].clone()),
        ("approve", false) => content.map(|content| content["duration_seconds"].clone()),
        _ => Some(0.into()),
    };
    let mut members = vec![
        ("request", event["correlationid"].clone()),
        ("digest", data["digest"].clone()),
        ("verdict", verdict.into()),
        ("person", data["actor"]["id"].clone()),
        ("comment", data["comment"]["committed"].clone()),
    ];
    members.extend(duration.map(|duration| ("duration_seconds", duration)));
    if let Some(content) = content {
        members.extend(["service", "resource", "access_level"].map(|name| (name, content[name].clone())));
    }
    match members.into_iter().find(|(name, expected)| decision[*name] != *expected) {
        Some((name, _)) => Err(DecisionFault::Differs(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use consent::testing::{Device, founding, portal};
    use serde_json::json;

    use super::*;

    fn content() -> Value {
        json!({"service": "sharepoint", "resource": "https://contoso.example/sites/finance", "access_level": "read_only",
               "duration_seconds": 3600})
    }

    fn event(device: &Device, kind: &str, verdict: &str, seconds: i64) -> Value {
        let request = Uuid::from_u128(77).to_string();
        let decision = json!({
            "tenant": "contoso", "authority_version": 1, "request": request, "digest": "ab".repeat(32), "verdict": verdict,
            "person": Uuid::from_u128(1).to_string(), "duration_seconds": seconds, "service": "sharepoint",
            "resource": "https://contoso.example/sites/finance", "access_level": "read_only", "comment": "cd".repeat(32),
            "nonce": "bm9uY2U", "not_after": "2026-12-01T09:02:00.000000Z",
        });
        let assertion = device.sign_at(&portal(), &consent::challenge("lockbox/decision/v1", &decision));
        json!({
            "type": format!("lockbox.{kind}.v1"), "time": "2026-12-01T09:01:00.5Z", "correlationid": request,
            "data": {
                "actor": {"kind": "person", "id": Uuid::from_u128(1).to_string(), "side": "customer"},
                "digest": "ab".repeat(32), "duration_seconds": seconds, "comment": {"committed": "cd".repeat(32)},
                "signature": {"decision": decision, "assertion": assertion},
            },
        })
    }

    #[test]
    fn a_decision_is_proved_only_when_every_signed_value_is_that_of_the_event() {
        let (alex, software) = (Device::new(), Device::software());
        let authority = founding(&[&alex]);
        let approved = event(&alex, "request.customer_approved", "approve", 1800);
        let proved = signer(&authority, &approved, Some(&content())).unwrap();
        assert_eq!((proved.name.as_str(), &proved.key.id), ("alex", &alex.key.id));
        assert!(signer(&authority, &approved, None).is_ok(), "in a period without the submission");
        let denied = event(&alex, "request.customer_denied", "deny", 0);
        assert!(signer(&authority, &denied, Some(&content())).is_ok());
        let vendor = event(&alex, "request.vendor_approved", "approve", 3600);
        assert!(signer(&authority, &vendor, Some(&content())).is_ok());
        let other = |path: &str, value: Value| {
            let mut event = approved.clone();
            *event.pointer_mut(path).unwrap() = value;
            signer(&authority, &event, Some(&content())).unwrap_err()
        };
        assert_eq!(other("/type", "lockbox.request.customer_denied.v1".into()), DecisionFault::Differs("verdict"));
        assert_eq!(other("/correlationid", Uuid::from_u128(78).to_string().into()), DecisionFault::Differs("request"));
        assert_eq!(other("/data/digest", "ef".repeat(32).into()), DecisionFault::Differs("digest"));
        assert_eq!(other("/data/duration_seconds", 3600.into()), DecisionFault::Differs("duration_seconds"));
        assert_eq!(other("/data/comment/committed", "00".repeat(32).into()), DecisionFault::Differs("comment"));
        assert_eq!(other("/data/comment", Value::Null), DecisionFault::Differs("comment"));
        assert_eq!(other("/data/actor/id", Uuid::from_u128(2).to_string().into()), DecisionFault::Differs("person"));
        assert_eq!(other("/data/signature", Value::Null), DecisionFault::Unsigned);
        let mut more = approved.clone();
        more["data"]["signature"]["decision"]["v"] = 1.into();
        assert_eq!(signer(&authority, &more, None), Err(DecisionFault::Unsigned), "another member");
        for time in ["2026-12-01T09:02:00.000001Z", "2026-12-01T08:59:59Z"] {
            assert!(matches!(other("/time", time.into()), DecisionFault::Consent(_)), "{time}");
        }
        assert!(matches!(
            other("/data/signature/assertion/key", software.key.id.clone().into()),
            DecisionFault::Consent(consent::Fault::UnknownKey(_))
        ));
        let elsewhere =
            json!({"service": "sharepoint", "resource": "https://contoso.example/", "access_level": "read_only"});
        assert_eq!(signer(&authority, &approved, Some(&elsewhere)), Err(DecisionFault::Differs("resource")));
        assert!(matches!(
            signer(&authority, &event(&alex, "request.commented", "approve", 0), None),
            Err(DecisionFault::NotADecision(_))
        ));
    }
}
