//! What each mail says: a headline and a few sentences for each template.

use contracts::notifications::{Mail, SettingsMail};

fn sentences(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Headline and sentences of a mail about a request.
pub(super) fn story(mail: &Mail) -> (&'static str, Vec<String>) {
    match mail.template.as_str() {
        "review_needed" => (
            "an access request needs your review",
            sentences(&[
                "A support engineer requests access to a customer's content.",
                "The customer is asked only if you approve. Requests that are not reviewed in time expire.",
            ]),
        ),
        "decision_needed" => (
            "an access request needs your decision",
            sentences(&[
                "The vendor requests access to your content. The vendor's manager approved the request.",
                "Nobody gets access unless you approve. Requests that are not decided in time expire.",
            ]),
        ),
        "reminder" => (
            "an access request still needs your decision",
            sentences(&[
                "The vendor requests access to your content, and your decision is missing.",
                "Nobody gets access unless you approve. Requests that are not decided in time expire.",
            ]),
        ),
        "commented" => (
            "there is a new comment on an access request",
            sentences(&["Sign in to read it. Mails do not contain what people write."]),
        ),
        "approval_recorded" => ("an approval was recorded", approval(mail)),
        "vendor_denied" => (
            "the vendor denied the request",
            sentences(&["The vendor's manager denied the request. The customer was not asked."]),
        ),
        "customer_denied" => {
            ("the customer denied the request", sentences(&["The customer denied the request. Nobody gets access."]))
        }
        "active" => (
            "access was granted",
            sentences(&[
                "The vendor and the customer approved the request.",
                "Access ends at the time below. Both sides can revoke it earlier.",
            ]),
        ),
        "ended" => ("access has ended", sentences(&[ended(mail)])),
        "expired" => {
            let who = match mail.cause.as_deref() {
                Some("vendor") => "The vendor's manager did not review the request in time.",
                _ => "The customer did not decide in time.",
            };
            (
                "the request expired without a decision",
                sentences(&[who, "Nobody gets access. Access needs a new request."]),
            )
        }
        "withdrawn" => ("the request was withdrawn", sentences(&["The request was withdrawn. Nobody gets access."])),
        other => special(other),
    }
}

fn approval(mail: &Mail) -> Vec<String> {
    let said = match &mail.receipt {
        Some(receipt) if receipt.to_person => "The audit log records that you approved this request.".to_owned(),
        Some(receipt) => format!("The audit log records that {} {} this request.", receipt.person_name, receipt.action),
        None => "The audit log records an approval of this request.".to_owned(),
    };
    vec![
        said.replace("for the vendor this request", "this request for the vendor")
            .replace("for the customer this request", "this request for the customer"),
    ]
}

fn ended(mail: &Mail) -> &'static str {
    match mail.cause.as_deref() {
        Some("expired") => "The granted time is over.",
        Some("revoked_by_customer") => "The customer revoked the access.",
        Some("revoked_by_vendor") => "The vendor's manager revoked the access.",
        Some("released") => "The requester released the access.",
        Some("ticket_closed") => "The service request was closed.",
        Some("requester_disabled") => "The requester's account was disabled.",
        _ => "The access is over.",
    }
}

/// Mails about what is not part of an ordinary request.
fn special(template: &str) -> (&'static str, Vec<String>) {
    match template {
        "break_glass_activated" => (
            "EMERGENCY: access was granted",
            sentences(&[
                "Two managers of the vendor approved emergency access under the policy that your organization approved in advance.",
                "Every approver can revoke the access at any time. A review of it is required afterwards.",
            ]),
        ),
        "break_glass_ended" => (
            "EMERGENCY: access has ended, and a review is required",
            sentences(&[
                "The emergency access to the content has ended.",
                "Read the access report and acknowledge or dispute it. The review stays open until an approver does.",
            ]),
        ),
        "end_unconfirmed" => (
            "ALARM: the end of access is not confirmed",
            sentences(&[
                "Access is over and the gate refuses it. The target system has not confirmed the revocation for more than a minute.",
                "Lockbox retries automatically. The request's page shows when the revocation is confirmed.",
            ]),
        ),
        "report_acknowledged" => (
            "the access report was acknowledged",
            sentences(&["The customer acknowledged how the access was used and ended."]),
        ),
        "report_disputed" => (
            "the access report was disputed",
            sentences(&["The customer does not agree with how the access was used or ended. Sign in to read why."]),
        ),
        _ => ("an access request has changed", Vec::new()),
    }
}

/// Headline, first sentence and page of a mail about settings.
pub(super) fn settings(mail: &SettingsMail) -> (&'static str, Option<&'static str>, &'static str) {
    match mail.template.as_str() {
        "directory_changed" => (
            "The operator changed the directory",
            Some("The vendor's operator changed the people or the rules of your organization:"),
            if mail.tenant.is_some() { "/settings" } else { "/" },
        ),
        "passkey_added" => ("A passkey was added", None, "/passkeys"),
        "passkey_removed" => ("A passkey was removed", None, "/passkeys"),
        "token_added" => ("An API token was created", None, "/"),
        "token_revoked" => ("An API token was revoked", None, "/"),
        _ => ("Settings changed", Some("These settings apply to requests from now on:"), "/settings"),
    }
}

/// What the subject names.
pub(super) fn subject(mail: &SettingsMail) -> &'static str {
    match mail.template.as_str() {
        "passkey_added" | "passkey_removed" => "passkeys",
        "token_added" | "token_revoked" => "API tokens",
        _ => "settings",
    }
}
