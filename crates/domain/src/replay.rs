//! The lifecycle's rules asked backwards: whether a recorded history could have come about by them.
//!
//! [`transition`](crate::lifecycle::transition) decides from rows; this looks at what the audit log says happened, and
//! needs nothing else. Rules about roles and settings that the log does not carry are not asked here.

mod history;
mod policies;
mod steps;

use history::CLOCK_STEP;

pub use history::{Broken, Replayed, Told};
pub use policies::{Asked, Consents, Given};
pub use steps::is_step;

impl Replayed {
    /// Takes the next step. A broken rule is told and the step taken all the same, so that one fault is told once.
    ///
    /// # Errors
    /// Every rule that the step breaks.
    pub fn take(&mut self, step: &Told) -> Result<(), Vec<Broken>> {
        let mut broken = Vec::new();
        let mut rule = |holds: bool, words: String| {
            if !holds {
                broken.push(Broken(words));
            }
        };
        let is_break_glass = self.break_glass.is_some();
        let state = if self.version == 0 { None } else { Some(self.state.as_str()) };
        rule(
            step.from.as_deref() == state,
            format!(
                "each step begins where the one before ended: this one begins in {}, the request was in {}",
                step.from.as_deref().unwrap_or("nothing"),
                state.unwrap_or("nothing")
            ),
        );
        rule(
            steps::is_legal(is_break_glass, step.from.as_deref(), &step.kind, &step.to),
            format!("no {} leads from {} to {}", step.kind, step.from.as_deref().unwrap_or("nothing"), step.to),
        );
        rule(
            self.version == 0 || step.digest == self.digest,
            "the content never changes: this step is about another digest than the submission".to_owned(),
        );
        rule(
            self.version == 0 || step.break_glass == self.break_glass,
            "an emergency is one from its submission to its end, under one standing consent".to_owned(),
        );
        rule(
            self.last_at.is_none_or(|last| step.at >= last - CLOCK_STEP),
            "a step is not before the one it follows".to_owned(),
        );
        rule(
            !self.has_all_yeses() || step.kind == "grant.activated",
            "when all yeses are there, access is granted and nothing else happens".to_owned(),
        );
        steps::particulars(self, step, &mut rule);
        self.follow(step);
        if broken.is_empty() { Ok(()) } else { Err(broken) }
    }

    fn has_all_yeses(&self) -> bool {
        match (self.state.as_str(), &self.break_glass) {
            ("pending_customer", None) => {
                i64::try_from(self.approvals.len()).unwrap_or(i64::MAX) >= self.required.max(1)
            }
            ("pending_vendor", Some(_)) => self.first.is_some() && self.manager.is_some(),
            _ => false,
        }
    }

    fn follow(&mut self, step: &Told) {
        match step.kind.as_str() {
            "request.submitted" => {
                self.digest.clone_from(&step.digest);
                self.requester = step.person;
                self.review_deadline = step.review_deadline;
                self.start_time = step.start_time;
                self.required = step.required_approvals.unwrap_or(1);
                self.asked_seconds = step.duration_seconds.unwrap_or_default();
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
                // The end only moves earlier.
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
