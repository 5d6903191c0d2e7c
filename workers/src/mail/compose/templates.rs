//! The headline and the sentences of each mail template.

use contracts::notifications::{Mail, SettingsMail};
use domain::titles;

use super::times::{duration, time};

fn sentences(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Headline and sentences of a mail about a request: what happened, what to do, and what happens next.
pub(super) fn message(mail: &Mail) -> (&'static str, Vec<String>) {
    match mail.template.as_str() {
        "review_needed" => ("an access request needs your review", to_review(mail)),
        "decision_needed" => ("an access request needs your decision", to_decide(mail, true)),
        "reminder" => ("an access request still needs your decision", to_decide(mail, false)),
        "commented" => (
            "there is a new comment on an access request",
            sentences(&["Sign in to read the comment and to reply. Mails do not contain comments."]),
        ),
        "approval_recorded" => ("an approval was recorded", approved(mail)),
        "vendor_denied" => (
            "the vendor denied the request",
            sentences(&["The vendor denied the request, and the customer did not receive it.", CLOSED]),
        ),
        "customer_denied" => {
            ("the customer denied the request", sentences(&["The customer denied the request.", CLOSED]))
        }
        "active" => ("access was granted", activated(mail)),
        "ended" => ("access has ended", sentences(&[ended(mail), "More access needs a new request."])),
        "expired" => {
            let cause = match mail.cause.as_deref() {
                Some("vendor") => "The vendor did not review the request in time.",
                _ => "The customer did not decide in time.",
            };
            ("the request expired without a decision", sentences(&[cause, CLOSED]))
        }
        "withdrawn" => ("the request was withdrawn", sentences(&["The request was withdrawn.", CLOSED])),
        other => special(other),
    }
}

/// What happens after a request that ended without access.
const CLOSED: &str = "No access was granted. Access needs a new request.";

/// Who requests access to what, and for how long.
fn requested(mail: &Mail, content: &str) -> String {
    let (service, duration) = (titles::service(&mail.service), duration(mail.duration_seconds));
    format!("{} requests access to {content} in {service} for {duration}.", mail.requester_name)
}

/// When a request expires, if it does.
fn expires(mail: &Mail) -> Option<String> {
    mail.decision_deadline.map(|at| format!("This request expires at {} without a decision.", time(at)))
}

fn to_review(mail: &Mail) -> Vec<String> {
    let mut lines = vec![
        requested(mail, &format!("content of {}", mail.tenant_name)),
        "Approve or deny the request in the portal. If you approve it, the customer decides next.".to_owned(),
    ];
    lines.extend(expires(mail));
    lines
}

fn to_decide(mail: &Mail, is_first: bool) -> Vec<String> {
    let mut lines = vec![requested(mail, "your content")];
    if is_first {
        lines.push("The vendor approved the request.".to_owned());
    }
    lines.push("Approve or deny the request in the portal. Without your approval nobody gets access.".to_owned());
    lines.extend(expires(mail));
    lines
}

fn approved(mail: &Mail) -> Vec<String> {
    let recorded = match &mail.receipt {
        Some(receipt) if receipt.to_person => "The audit log records that you approved this request.".to_owned(),
        Some(receipt) => format!("The audit log records that {} {} this request.", receipt.person_name, receipt.action),
        None => "The audit log records an approval of this request.".to_owned(),
    };
    let recorded = recorded
        .replace("for the vendor this request", "this request for the vendor")
        .replace("for the customer this request", "this request for the customer");
    let is_vendor = mail.receipt.as_ref().is_some_and(|receipt| receipt.action == "approved for the vendor");
    let next = match mail.decision_deadline {
        Some(at) if is_vendor => {
            format!("The customer decides next. This request expires at {} without a decision.", time(at))
        }
        None if is_vendor => "Break-glass access needs a second approval for the vendor.".to_owned(),
        _ => "Access starts when all required approvals are recorded.".to_owned(),
    };
    vec![recorded, next]
}

fn activated(mail: &Mail) -> Vec<String> {
    let mut lines = vec!["The vendor and the customer approved the request.".to_owned()];
    if let Some(until) = mail.access_until {
        lines.push(format!("Access expires at {}.", time(until)));
    }
    lines.push("Both sides can revoke access in the portal before that. You get a mail when access ends.".to_owned());
    lines
}

fn ended(mail: &Mail) -> &'static str {
    match mail.cause.as_deref() {
        Some("expired") => "The granted time has expired.",
        Some("revoked_by_customer") => "The customer revoked access.",
        Some("revoked_by_vendor") => "The vendor revoked access.",
        Some("released") => "The requester released access.",
        Some("ticket_closed") => "The service request was closed.",
        Some("requester_disabled") => "The requester's account was disabled.",
        _ => "Access has ended.",
    }
}

/// Headline and sentences of a mail about break-glass access, provisionings and access reports.
fn special(template: &str) -> (&'static str, Vec<String>) {
    match template {
        "break_glass_activated" => (
            "BREAK-GLASS ACCESS was granted",
            sentences(&[
                "Two managers of the vendor approved break-glass access under a policy that your organization approved in advance.",
                "Every approver can revoke access in the portal at any time. After access ends, an approver must review it.",
            ]),
        ),
        "break_glass_ended" => (
            "BREAK-GLASS ACCESS has ended and needs a review",
            sentences(&[
                "The break-glass access to the content has ended.",
                "Approvers: read the access report in the portal, and acknowledge or dispute it. The review stays pending until then.",
            ]),
        ),
        "end_unconfirmed" => (
            "ALARM: the revocation of access is not confirmed",
            sentences(&[
                "Access has ended and the gate refuses it, but the target system has not confirmed the revocation for more than a minute.",
                "Lockbox retries automatically. The page of the request shows when the revocation is confirmed.",
            ]),
        ),
        "report_acknowledged" => (
            "the access report was acknowledged",
            sentences(&["The customer acknowledged how the access was used and ended. You need to do nothing more."]),
        ),
        "report_disputed" => (
            "the access report was disputed",
            sentences(&["The customer disputes how the access was used or ended. Sign in to read the reason."]),
        ),
        _ => ("an access request has changed", sentences(&["Sign in to see the change."])),
    }
}

/// Headline, first sentence and portal page of a mail about settings.
pub(super) fn settings(mail: &SettingsMail) -> (&'static str, Option<&'static str>, &'static str) {
    match mail.template.as_str() {
        "directory_changed" => (
            "The operator changed the directory",
            Some("The vendor's operator changed people or rules of your organization:"),
            if mail.tenant.is_some() { "/settings" } else { "/" },
        ),
        "passkey_added" => ("A passkey was added", None, "/passkeys"),
        "passkey_removed" => ("A passkey was removed", None, "/passkeys"),
        "token_added" => ("An API token was created", None, "/"),
        "token_revoked" => ("An API token was revoked", None, "/"),
        _ => ("Settings changed", Some("These settings apply to new requests from now on:"), "/settings"),
    }
}

/// The topic in the subject of a mail about settings.
pub(super) fn subject(mail: &SettingsMail) -> &'static str {
    match mail.template.as_str() {
        "passkey_added" | "passkey_removed" => "passkeys",
        "token_added" | "token_revoked" => "API tokens",
        _ => "settings",
    }
}
