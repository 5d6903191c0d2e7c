//! Refusals on pages: plain words for people who have no command line, the field that a refusal is about, and what was
//! typed, so that nobody types it again.

use store::views::RequestView;

use super::sight::Can;

/// Fields of submissions and decisions, as the refusal names them, and what the page calls them.
const LABELS: [(&str, &str); 14] = [
    ("tenant", "Customer"),
    ("service_request", "Service request number"),
    ("service", "Service"),
    ("resource", "Mailbox, site or folder"),
    ("category", "Kind of reason"),
    ("justification", "Reason"),
    ("justification.category", "Kind of reason"),
    ("justification.text", "Reason"),
    ("severity", "Severity"),
    ("access_level", "How much"),
    ("duration_seconds", "Duration"),
    ("start_time", "Not before"),
    ("break_glass", "BreakGlass"),
    ("comment", "Comment"),
];

/// One thing that is wrong, and with which field; no field when it is about the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub field: String,
    pub text: String,
}

impl Problem {
    pub fn new(field: &str, text: impl Into<String>) -> Self {
        Self { field: field.to_owned(), text: text.into() }
    }
}

/// What is wrong with a field.
pub(crate) fn at<'a>(problems: &'a [Problem], field: &str) -> Option<&'a str> {
    problems.iter().find(|problem| problem.field == field).map(|problem| problem.text.as_str())
}

/// The name of a field in forms: the rules name the unit, forms take any.
fn form_field(field: &str) -> &str {
    match field {
        "duration_seconds" => "duration",
        "justification.text" => "justification",
        "justification.category" => "category",
        field => field,
    }
}

/// A field that a refusal names, as the page calls it.
fn label(field: &str) -> &str {
    LABELS.iter().find(|(name, _)| *name == field).map_or(field, |(_, label)| *label)
}

/// A problem of a field, as it stands beside it.
pub(crate) fn of_field(field: &str, problem: &str) -> Problem {
    Problem::new(form_field(field), format!("{}: {problem}", label(field)))
}

/// What a refusal means on a page: by its code, and for invalid fields one by one.
pub(crate) fn problems(code: &str, message: &str) -> Vec<Problem> {
    match code {
        "invalid" => message.split("; ").fold(Vec::new(), |mut found: Vec<Problem>, part| {
            match (part.split_once(": "), found.last_mut()) {
                (Some((field, problem)), _) if is_field(field) => found.push(of_field(field, problem)),
                // A problem's own words may hold a semicolon.
                (_, Some(last)) => last.text = format!("{}; {part}", last.text),
                (_, None) => found.push(Problem::new("", super::answer::sentence(part))),
            }
            found
        }),
        "comment_required" => {
            vec![Problem::new("comment", "Comment: the customer requires a comment with each decision")]
        }
        "duration_longer" => {
            vec![Problem::new("duration", "Duration: you can shorten the requested time, not extend it")]
        }
        code => vec![Problem::new("", plain(code, message))],
    }
}

fn is_field(name: &str) -> bool {
    LABELS.iter().any(|(field, _)| *field == name) || name == "extends"
}

/// The words for a code on a page. Those of the rules stay where they say something of this very case.
fn plain(code: &str, message: &str) -> String {
    let words = match code {
        "unknown_tenant" => "This customer does not take requests. Choose another one.",
        "no_approver" => {
            "The customer has nobody who may approve requests for this service. Ask the customer to name somebody."
        }
        "no_reviewer" => {
            "No manager other than you may review requests for this service. Ask whoever maintains the directory."
        }
        "not_engineer" => "You may not request access to this service.",
        "not_manager" | "not_approver" | "wrong_tenant" => "You may not decide on this request.",
        "own_request" => "You cannot decide on your own request.",
        "both_sides" => {
            "You approved this request for the other side. The two approvals must come from different people."
        }
        "repeated" => "You have decided on this request already.",
        "not_reviewed" => "The vendor's manager has not approved this request yet.",
        "already_active" => "Access is open already. End it instead.",
        "not_requester" => "Only the person who made a request can withdraw it.",
        "may_not_revoke" => "You may not end this access.",
        "may_not_comment" => "You may not comment on this request.",
        "passkey_required" => {
            "The customer requires a passkey for each approval. Add one under your name at the top, and approve again."
        }
        "revocation_unconfirmed" => {
            "The report cannot be accepted yet, because the end of access is not confirmed. You can dispute it now."
        }
        _ => return super::answer::sentence(message),
    };
    words.to_owned()
}

/// What was typed into a form of a request's page that was refused, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    /// The form: the last part of its address.
    pub form: &'static str,
    pub comment: String,
    pub duration: String,
    pub code: String,
    pub problems: Vec<Problem>,
}

impl Typed {
    /// The comment that was typed into this form.
    pub fn comment_in(&self, form: &str) -> &str {
        if self.form == form { &self.comment } else { "" }
    }

    /// The time that was typed into this form.
    pub fn duration_in(&self, form: &str) -> &str {
        if self.form == form { &self.duration } else { "" }
    }

    /// What is wrong with a field of this form.
    pub fn at(&self, form: &str, field: &str) -> Option<&str> {
        if self.form == form { at(&self.problems, field) } else { None }
    }

    /// What was typed, when the form that it was typed into is not on the page any more.
    pub fn lost(&self, can: &Can, request: &RequestView) -> Option<&str> {
        let is_shown = match self.form {
            "decision" => can.review || can.decide,
            "end" => can.end,
            "withdrawal" => can.withdraw,
            "comments" => can.comment,
            "report" => can.report && request.state == "ended",
            _ => true,
        };
        (!is_shown && !self.comment.trim().is_empty()).then_some(self.comment.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_stands_beside_its_field() {
        let message = "resource: must be an https URL; such as https://x; duration_seconds: must be at most 28800";
        let found = problems("invalid", message);
        assert_eq!(at(&found, "resource"), Some("Mailbox, site or folder: must be an https URL; such as https://x"));
        assert_eq!(at(&found, "duration"), Some("Duration: must be at most 28800"));
        assert_eq!(at(&found, "comment"), None);
        assert_eq!(
            at(&problems("comment_required", "x"), "comment").map(|text| text.starts_with("Comment")),
            Some(true)
        );
        let too_late = problems("deadline_passed", "too late: the deadline was 10:00; a new request is needed");
        assert_eq!(too_late, [Problem::new("", "Too late: the deadline was 10:00; a new request is needed.")]);
    }
}
