//! Refused forms: the error messages in words for people, the field that each message is about, and what was entered, so
//! that the page can show it again.

use store::views::RequestView;

use super::response::sentence;
use super::visibility::Permissions;

/// Fields of submissions and decisions: the name in refusals, and the label on pages.
const LABELS: [(&str, &str); 14] = [
    ("tenant", "Customer"),
    ("service_request", "Service request"),
    ("service", "Service"),
    ("resource", "Resource"),
    ("category", "Category"),
    ("justification", "Justification"),
    ("justification.category", "Category"),
    ("justification.text", "Justification"),
    ("severity", "Severity"),
    ("access_level", "Access level"),
    ("duration_seconds", "Duration"),
    ("start_time", "Start time"),
    ("break_glass", "Break-glass policy"),
    ("comment", "Comment"),
];

/// An error message, and the field that it is about; an empty field when it is about the whole form.
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

/// The error message of a field.
pub(crate) fn at<'a>(problems: &'a [Problem], field: &str) -> Option<&'a str> {
    problems.iter().find(|problem| problem.field == field).map(|problem| problem.text.as_str())
}

/// The name of a field in forms. Refusals name the unit of a duration; forms accept any unit.
fn form_field(field: &str) -> &str {
    match field {
        "duration_seconds" => "duration",
        "justification.text" => "justification",
        "justification.category" => "category",
        field => field,
    }
}

/// The label of a field that a refusal names.
fn label(field: &str) -> &str {
    LABELS.iter().find(|(name, _)| *name == field).map_or(field, |(_, label)| *label)
}

/// An error message with the label of its field.
pub(crate) fn field_problem(field: &str, problem: &str) -> Problem {
    Problem::new(form_field(field), format!("{}: {problem}", label(field)))
}

/// The error messages of a refusal: one for each field that is not valid, or one for the whole form.
pub(crate) fn problems(code: &str, message: &str) -> Vec<Problem> {
    match code {
        "invalid" => message.split("; ").fold(Vec::new(), |mut found: Vec<Problem>, part| {
            match (part.split_once(": "), found.last_mut()) {
                (Some((field, problem)), _) if is_field(field) => found.push(field_problem(field, problem)),
                // The message of a field may have a semicolon itself.
                (_, Some(last)) => last.text = format!("{}; {part}", last.text),
                (_, None) => found.push(Problem::new("", sentence(part))),
            }
            found
        }),
        "comment_required" => {
            vec![Problem::new("comment", "Comment: enter a comment; the customer requires one for each decision")]
        }
        "duration_longer" => {
            vec![Problem::new("duration", "Duration: choose the requested duration or a shorter one")]
        }
        code => vec![Problem::new("", message_for(code, message))],
    }
}

fn is_field(name: &str) -> bool {
    LABELS.iter().any(|(field, _)| *field == name) || name == "extends"
}

/// The message for a code on a page. The message of the refusal stays when it has details of this request.
fn message_for(code: &str, message: &str) -> String {
    let text = match code {
        "unknown_tenant" => "This customer does not accept requests. Choose another customer.",
        "no_approver" => "The customer has no approver for this service. Ask the customer to add one.",
        "no_reviewer" => {
            "The vendor has no manager other than you for this service. Ask the directory administrator to add one."
        }
        "not_engineer" => "You do not have permission to request access to this service.",
        "not_manager" | "not_approver" | "wrong_tenant" => {
            "You do not have permission to approve or deny this request."
        }
        "own_request" => "You cannot approve or deny your own request.",
        "both_sides" => {
            "You approved this request for the vendor already. Another person must approve it for the customer."
        }
        "repeated" => "You approved or denied this request already.",
        "not_reviewed" => "The vendor has not approved this request yet.",
        "already_active" => "Access is active already. Revoke it instead.",
        "not_requester" => "Only the requester can withdraw a request.",
        "may_not_revoke" => "You do not have permission to revoke this access.",
        "may_not_comment" => "You do not have permission to comment on this request.",
        "passkey_required" => {
            "The customer requires a passkey for approvals. Select your name at the top, add a passkey, and approve again."
        }
        "signature_required" => {
            "Decisions for this customer must be signed. Sign with a key of the customer's authority."
        }
        "signature_invalid" => {
            "The signature is not valid for this decision. Open the request again and repeat the decision."
        }
        "nonce_invalid" => "The signature is too old. Open the request again and repeat the decision.",
        "revocation_unconfirmed" => {
            "You cannot acknowledge the access report yet, because the revocation is not confirmed. You can dispute it."
        }
        _ => return sentence(message),
    };
    text.to_owned()
}

/// A form on a request's page that was refused: what was entered, and why it was refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct RefusedForm {
    /// The form: the last part of the path that it was sent to.
    pub form: &'static str,
    pub comment: String,
    pub duration: String,
    pub code: String,
    pub problems: Vec<Problem>,
}

impl RefusedForm {
    /// The comment that was entered into this form.
    pub fn comment_in(&self, form: &str) -> &str {
        if self.form == form { &self.comment } else { "" }
    }

    /// The duration that was entered into this form.
    pub fn duration_in(&self, form: &str) -> &str {
        if self.form == form { &self.duration } else { "" }
    }

    /// The error message of a field of this form.
    pub fn at(&self, form: &str, field: &str) -> Option<&str> {
        if self.form == form { at(&self.problems, field) } else { None }
    }

    /// The comment that was entered, when the page no longer has the form that it was entered into.
    pub fn lost_comment(&self, can: &Permissions, request: &RequestView) -> Option<&str> {
        let is_shown = match self.form {
            "decision" => can.review || can.decide,
            "end" => can.revoke,
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
    fn each_problem_has_its_field() {
        let message = "resource: must be an https URL; such as https://x; duration_seconds: must be at most 28800";
        let found = problems("invalid", message);
        assert_eq!(at(&found, "resource"), Some("Resource: must be an https URL; such as https://x"));
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
