//! The steps of the request: complete, in order, within the rules of the lifecycle, and about one content.

use domain::replay::Replayed;
use serde_json::Value;
use tlog::Hash;
use uuid::Uuid;

use super::Refusal;
use crate::Event;
use crate::event::parse_time;

/// Applies every step, from the submission to the activation. Returns the request as it then is.
pub(super) fn replay(steps: &[Event]) -> Result<Replayed, Refusal> {
    let incomplete = || Refusal::Step("a step is missing".to_owned());
    let mut history = Replayed::default();
    for (step, version) in steps.iter().zip(1..) {
        let recorded = step.recorded_step().filter(|_| step.version == Some(version)).ok_or_else(incomplete)?;
        if step.request.is_none() || step.request != steps[0].request {
            return Err(incomplete());
        }
        history.apply(&recorded).map_err(|broken| {
            Refusal::Step(broken.into_iter().next().map(|violation| violation.0).unwrap_or_default())
        })?;
    }
    match steps.last() {
        Some(last) if last.kind == "grant.activated" => Ok(history),
        _ => Err(Refusal::NotLogged),
    }
}

/// The content of a request, when its digest and its identity are those of the submission.
pub(super) fn content(submission: &Event, tenant: &str) -> Result<Value, Refusal> {
    let data = submission.data();
    let content = &data["content"];
    let time = |value: &Value| value.as_str().map(parse_time);
    let digest = hex::encode(Hash::of(content.to_string().as_bytes()).0);
    let is_same = content.is_object()
        && data["digest"] == digest.as_str()
        && content["v"] == 1
        && content["request"].as_str() == submission.request.as_deref()
        && content["tenant_name"] == tenant
        && content["requester"].as_str().map(str::to_owned) == submission.person().map(|id| id.to_string())
        && content["duration_seconds"] == data["duration_seconds"]
        && time(&content["start_time"]) == time(&data["start_time"])
        && content["rules"]["required_approvals"] == data["required_approvals"]
        && content["break_glass"]["name"] == data["break_glass"]
        && content["break_glass"]["digest"] == data["break_glass_digest"];
    if is_same { Ok(content.clone()) } else { Err(Refusal::Content) }
}

/// An id in the content.
pub(super) fn id(content: &Value, name: &str) -> Result<Uuid, Refusal> {
    content[name].as_str().and_then(|id| id.parse().ok()).ok_or(Refusal::Content)
}
