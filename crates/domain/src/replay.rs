//! The rules of the lifecycle, applied to a recorded history: whether the history could have happened under them.
//!
//! [`transition`](crate::lifecycle::transition) decides from rows. This module reads only what the audit log says. It does not
//! check rules about roles and settings, which the log does not contain.

mod history;
mod policies;
mod steps;

use history::CLOCK_STEP;

pub use history::{RecordedStep, Replayed, Violation};
pub use policies::{PolicyHistory, PolicyTerms, PolicyUse};
pub use steps::is_step;

impl Replayed {
    /// Applies the next step. It applies the step even when a rule is violated, so that one fault is reported once.
    ///
    /// # Errors
    /// Every rule that the step violates.
    pub fn apply(&mut self, step: &RecordedStep) -> Result<(), Vec<Violation>> {
        let mut violations = Vec::new();
        let mut rule = |holds: bool, words: String| {
            if !holds {
                violations.push(Violation(words));
            }
        };
        let is_break_glass = self.break_glass.is_some();
        let state = if self.version == 0 { None } else { Some(self.state.as_str()) };
        rule(
            step.from.as_deref() == state,
            format!(
                "each step starts in the state in which the previous step ended: this one starts in {}, the request was in {}",
                step.from.as_deref().unwrap_or("nothing"),
                state.unwrap_or("nothing")
            ),
        );
        rule(
            steps::is_legal(is_break_glass, step.from.as_deref(), &step.kind, &step.to),
            format!("{} does not lead from {} to {}", step.kind, step.from.as_deref().unwrap_or("nothing"), step.to),
        );
        rule(
            self.version == 0 || step.digest == self.digest,
            "the content never changes: this step has another digest than the submission".to_owned(),
        );
        rule(
            self.version == 0 || step.break_glass == self.break_glass,
            "break-glass access is under one break-glass policy from its submission to its end".to_owned(),
        );
        rule(
            self.last_at.is_none_or(|last| step.at >= last - CLOCK_STEP),
            "a step is not earlier than the previous step".to_owned(),
        );
        rule(
            !self.is_fully_approved() || step.kind == "grant.activated",
            "after the last required approval, access becomes active and nothing else happens".to_owned(),
        );
        steps::particulars(self, step, &mut rule);
        self.update(step);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    fn is_fully_approved(&self) -> bool {
        match (self.state.as_str(), &self.break_glass) {
            ("pending_customer", None) => {
                i64::try_from(self.approvals.len()).unwrap_or(i64::MAX) >= self.required.max(1)
            }
            ("pending_vendor", Some(_)) => self.first.is_some() && self.manager.is_some(),
            _ => false,
        }
    }

    fn update(&mut self, step: &RecordedStep) {
        match step.kind.as_str() {
            "request.submitted" => {
                self.digest.clone_from(&step.digest);
                self.requester = step.person;
                self.review_deadline = step.review_deadline;
                self.start_time = step.start_time;
                self.required = step.required_approvals.unwrap_or(1);
                self.requested_seconds = step.duration_seconds.unwrap_or_default();
                self.break_glass.clone_from(&step.break_glass);
            }
            "request.break_glass_supported" => self.first = step.person,
            "request.break_glass_approved" => self.manager = step.person,
            "request.vendor_approved" => {
                self.manager = step.person;
                self.decision_deadline = step.decision_deadline;
            }
            "request.customer_approved" => {
                self.approvals.extend(step.person.zip(step.duration_seconds));
            }
            "grant.activated" => {
                self.access_from = step.access_from;
                self.access_until = step.access_until;
            }
            "grant.ended" => {
                // The end of access can only become earlier.
                self.access_until = self.access_until.map(|until| until.min(step.at));
                self.cause.clone_from(&step.cause);
            }
            "request.withdrawn" => self.cause.clone_from(&step.cause),
            "request.expired" => self.cause.clone_from(&step.stage),
            _ => {}
        }
        if steps::is_final(&step.to) && self.finished_at.is_none() {
            self.finished_at = Some(step.at);
        }
        self.state.clone_from(&step.to);
        self.last_at = Some(step.at);
        self.version += 1;
    }
}

#[cfg(test)]
mod tests;
