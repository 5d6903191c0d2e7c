//! Comments on a request. They are events of the request and do not change its state.

use super::authority;
use super::checks::already_finished;
use super::fact::Comment;
use super::step::{EventKind, Step, Transition};
use crate::people::Side;
use crate::refusal::Refusal;
use crate::request::{Request, State};

/// Records one more comment, while the request is not in a final state.
pub(super) fn record(request: &Request, comment: &Comment) -> Result<Transition, Refusal> {
    authority::speaker(request, &comment.by)?;
    if request.state.is_final() {
        return Err(already_finished(request));
    }
    // The customer sees the request only after the vendor approval.
    if matches!(request.state, State::PendingVendor { .. }) && comment.by.side != Side::Vendor {
        return Err(Refusal::NotReviewed);
    }
    let step = Step {
        comment: Some(comment.text.clone()),
        ..Step::without_comment(request, comment.at, Some(comment.by.clone()))
    };
    Ok(Transition {
        next: request.state.clone(),
        events: vec![step.event(EventKind::Commented, &request.state)],
        timers: Vec::new(),
        decision: None,
    })
}
