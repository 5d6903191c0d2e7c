//! The customer's word on the closing report: a step of an ended request, which stays ended. Whoever thinks again says so
//! again; the last word stands.

use super::authority;
use super::fact::ReportResponded;
use super::step::{EventKind, Step, Transition};
use crate::refusal::{Fault, Refusal};
use crate::request::{Request, State};

/// Accepts or disputes, once there is something to accept.
pub(super) fn answer(request: &Request, answered: &ReportResponded) -> Result<Transition, Refusal> {
    authority::approver(request, &answered.by)?;
    if !matches!(request.state, State::Ended { .. }) {
        return Err(Refusal::NotEnded { state: request.state.as_str() });
    }
    if answered.acknowledges && !answered.confirmed {
        return Err(Refusal::RevocationUnconfirmed);
    }
    let silent = answered.comment.as_deref().is_none_or(|comment| comment.trim().is_empty());
    if !answered.acknowledges && silent {
        let problem = "say what is disputed".to_owned();
        return Err(Refusal::Invalid(vec![Fault { field: "comment", problem }]));
    }
    let step =
        Step { comment: answered.comment.clone(), ..Step::quiet(request, answered.at, Some(answered.by.clone())) };
    let kind = if answered.acknowledges { EventKind::ReportAcknowledged } else { EventKind::ReportDisputed };
    Ok(Transition {
        next: request.state.clone(),
        events: vec![step.event(kind, &request.state)],
        timers: Vec::new(),
        decision: None,
    })
}
