//! The consent of the tenant: each decision is signed by the authority in force, and the request protects the tenant as the
//! authority demands (docs/audit-format.md, §11, rules 2 to 5 and 7).

use chrono::{DateTime, TimeDelta, Utc};
use consent::Statement;
use serde_json::Value;
use tlog::Hash;

use super::Refusal;
use super::authority::Timeline;
use crate::Event;
use crate::decisions::signer;
use crate::event::parse_time;

/// Verifies every decision among the steps, and the rules of the request.
pub(super) fn verify(
    steps: &[Event],
    content: &Value,
    tenant: &Timeline,
    vendor: Option<&Timeline>,
) -> Result<(), Refusal> {
    for step in steps {
        match step.kind.as_str() {
            "request.submitted" => protects(content, tenant.in_force(step.at)?)?,
            "request.vendor_approved" | "request.break_glass_supported" | "request.break_glass_approved" => {
                if step.kind == "request.vendor_approved" {
                    deadline(step, content)?;
                }
                if let Some(vendor) = vendor {
                    signed(step, content, vendor.in_force(step.at)?)?;
                }
            }
            "request.customer_approved" => {
                signed(step, content, tenant.in_force(step.at)?)?;
                let is_commented = step.data()["comment"]["committed"].is_string();
                if content["rules"]["comment_required"] == true && !is_commented {
                    return Err(Refusal::Rule("each approval needs a comment"));
                }
            }
            "grant.activated" => {}
            _ => continue,
        }
        if matches!(step.kind.as_str(), "request.submitted" | "grant.activated") && !content["break_glass"].is_null() {
            break_glass(content, tenant.in_force(step.at)?, step.at)?;
        }
    }
    Ok(())
}

/// Verifies that the person of this step signed it, as an approver of this statement.
fn signed(step: &Event, content: &Value, authority: &Statement) -> Result<(), Refusal> {
    let who = || step.who().unwrap_or_default().to_owned();
    signer(authority, &step.document, Some(content)).map(drop).map_err(|fault| Refusal::Decision { who: who(), fault })
}

/// Checks that the rules of the request protect the tenant no less than the authority.
fn protects(content: &Value, authority: &Statement) -> Result<(), Refusal> {
    let (own, rules) = (&content["rules"], &authority.rules);
    let number = |value: &Value| value.as_i64().ok_or(Refusal::Content);
    let required = i64::try_from(rules.required_approvals).unwrap_or(i64::MAX);
    let demands = [
        (number(&own["decision_deadline_seconds"])? <= rules.decision_deadline_seconds, "its deadline is too late"),
        (number(&own["access_ceiling_seconds"])? <= rules.access_ceiling_seconds, "it allows longer access"),
        (number(&content["duration_seconds"])? <= rules.access_ceiling_seconds, "it asks for longer access"),
        (number(&own["required_approvals"])? >= required, "it needs fewer approvals"),
        (own["comment_required"] == true || !rules.comment_required, "it needs no comment"),
    ];
    demands.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(Refusal::Rule(what)))
}

fn deadline(step: &Event, content: &Value) -> Result<(), Refusal> {
    let seconds = content["rules"]["decision_deadline_seconds"].as_i64().ok_or(Refusal::Content)?;
    let latest = step.at + TimeDelta::seconds(seconds.clamp(0, 1_000_000_000));
    let deadline = step.data()["decision_deadline"].as_str().and_then(parse_time);
    if deadline.is_some_and(|deadline| deadline <= latest) {
        Ok(())
    } else {
        Err(Refusal::Rule("its deadline is too late"))
    }
}

/// Checks that the authority has the break-glass policy that the request uses.
fn break_glass(content: &Value, authority: &Statement, at: DateTime<Utc>) -> Result<(), Refusal> {
    let (service, seconds) = (&content["service"], content["duration_seconds"].as_i64());
    let is_used = |document: &Value| {
        let digest = hex::encode(Hash::of(document.to_string().as_bytes()).0);
        content["break_glass"]["digest"] == digest.as_str()
    };
    let covers = authority.break_glass.iter().any(|policy| {
        serde_json::to_value(policy).is_ok_and(|document| is_used(&document))
            && policy.services.iter().any(|name| service == name.as_str())
            && seconds.is_some_and(|seconds| seconds <= policy.ceiling_seconds)
            && parse_time(&policy.until).is_some_and(|until| at < until)
    });
    if covers { Ok(()) } else { Err(Refusal::Rule("the authority has no such break-glass policy")) }
}
