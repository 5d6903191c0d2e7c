//! Questions and answers about a request. They are steps of its history and decide nothing.

use super::authority;
use super::checks::already_finished;
use super::fact::Comment;
use super::step::{EventKind, Step, Transition};
use crate::people::Side;
use crate::refusal::Refusal;
use crate::request::{Request, State};

/// One more word in the thread, while the request is not over.
pub(super) fn say(request: &Request, said: &Comment) -> Result<Transition, Refusal> {
    authority::speaker(request, &said.by)?;
    if request.state.is_final() {
        return Err(already_finished(request));
    }
    // The customer comes in when the vendor's manager has said yes.
    if matches!(request.state, State::PendingVendor { .. }) && said.by.side != Side::Vendor {
        return Err(Refusal::NotReviewed);
    }
    let step = Step { comment: Some(said.text.clone()), ..Step::quiet(request, said.at, Some(said.by.clone())) };
    Ok(Transition {
        next: request.state.clone(),
        events: vec![step.event(EventKind::Commented, &request.state)],
        timers: Vec::new(),
        decision: None,
    })
}
