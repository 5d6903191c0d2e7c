//! The customer's response to the access report: a step of an ended request, which stays ended. A later response replaces an
//! earlier one.

use super::authority;
use super::fact::ReportResponded;
use super::step::{EventKind, Step, Transition};
use crate::refusal::{Fault, Refusal};
use crate::request::{Request, State};

/// Acknowledges or disputes the report.
pub(super) fn respond(request: &Request, responded: &ReportResponded) -> Result<Transition, Refusal> {
    authority::approver(request, &responded.by)?;
    if !matches!(request.state, State::Ended { .. }) {
        return Err(Refusal::NotEnded { state: request.state.as_str() });
    }
    if responded.acknowledges && !responded.confirmed {
        return Err(Refusal::RevocationUnconfirmed);
    }
    let silent = responded.comment.as_deref().is_none_or(|comment| comment.trim().is_empty());
    if !responded.acknowledges && silent {
        let problem = "explain in the comment what you dispute".to_owned();
        return Err(Refusal::Invalid(vec![Fault { field: "comment", problem }]));
    }
    let step = Step {
        comment: responded.comment.clone(),
        ..Step::without_comment(request, responded.at, Some(responded.by.clone()))
    };
    let kind = if responded.acknowledges { EventKind::ReportAcknowledged } else { EventKind::ReportDisputed };
    Ok(Transition {
        next: request.state.clone(),
        events: vec![step.event(kind, &request.state)],
        timers: Vec::new(),
        decision: None,
    })
}
