//! Rules 3, 4 and 5: a request does not protect the tenant less than the authority in force.

use chrono::TimeDelta;
use consent::Statement;
use tlog::Hash;

use super::content::Content;
use crate::Event;
use crate::event::parse_time;

/// Whether this is a decision that a person of the vendor signs.
pub(super) fn is_vendor_decision(kind: &str) -> bool {
    matches!(
        kind,
        "request.vendor_approved"
            | "request.vendor_denied"
            | "request.break_glass_supported"
            | "request.break_glass_approved"
    )
}

/// Whether the event is judged by the statement in force at its time.
pub(super) fn is_judged(event: &Event) -> bool {
    is_vendor_decision(&event.kind)
        || matches!(
            event.kind.as_str(),
            "request.submitted"
                | "request.customer_approved"
                | "request.customer_denied"
                | "grant.activated"
                | "directory.changed"
        )
}

/// Lists what an event breaks of rules 3 to 5, each with the number of the rule. `authority` is the statement in force.
pub(super) fn broken(event: &Event, content: Option<&Content>, authority: Option<&Statement>) -> Vec<(u8, String)> {
    let Some(authority) = authority else { return Vec::new() };
    let mut found = Vec::new();
    let mut must = |rule: u8, holds: bool, words: &str| {
        if !holds {
            found.push((rule, words.to_owned()));
        }
    };
    let data = event.data();
    match event.kind.as_str() {
        "request.submitted" => submitted(content, authority, &mut must),
        "request.customer_approved" | "request.customer_denied" => {
            let needs_comment = content.is_some_and(|content| content.comment_required == Some(true));
            must(3, !needs_comment || data["comment"]["committed"].is_string(), "the decision has no comment");
        }
        "request.vendor_approved" => {
            let deadline = data["decision_deadline"].as_str().and_then(parse_time);
            let limit = content.map(|content| {
                let seconds = content.decision_deadline_seconds.unwrap_or_default();
                event.at + TimeDelta::seconds(seconds.clamp(0, 1_000_000_000))
            });
            must(
                4,
                limit.is_none_or(|limit| deadline.is_some_and(|deadline| deadline <= limit)),
                "the deadline for the decision is later than the rules of the request allow",
            );
        }
        "directory.changed" => {
            must(5, !data["break_glass_policy"].is_object(), "only the authority creates break-glass policies");
        }
        _ => {}
    }
    if matches!(event.kind.as_str(), "request.submitted" | "grant.activated") {
        let digest = &data["break_glass_digest"];
        let in_force = || authority.break_glass.iter().any(|policy| policy_digest(policy).as_str() == digest);
        must(
            5,
            (digest.is_null() && data["break_glass"].is_null()) || in_force(),
            "the break-glass policy of the request is not in the authority in force",
        );
    }
    found
}

/// Rule 3, for a submission.
fn submitted(content: Option<&Content>, authority: &Statement, must: &mut impl FnMut(u8, bool, &str)) {
    // Without its content, the submission is a finding of rule 8 too.
    let none = Content::default();
    let (content, rules) = (content.unwrap_or(&none), &authority.rules);
    let at_most = |value: Option<i64>, limit: i64| value.is_some_and(|value| value <= limit);
    must(
        3,
        at_most(content.decision_deadline_seconds, rules.decision_deadline_seconds),
        "the request has a longer deadline for decisions than the authority allows",
    );
    must(
        3,
        at_most(content.access_ceiling_seconds, rules.access_ceiling_seconds),
        "the rules of the request allow longer access than the authority",
    );
    must(
        3,
        at_most(content.duration_seconds.as_i64(), rules.access_ceiling_seconds),
        "the requested access is longer than the authority allows",
    );
    let required = content.required_approvals.and_then(|required| usize::try_from(required).ok());
    must(
        3,
        required.is_some_and(|required| required >= rules.required_approvals),
        "the request needs fewer approvals than the authority requires",
    );
    must(
        3,
        content.comment_required.is_some_and(|required| required || !rules.comment_required),
        "the request does not require the comments that the authority requires",
    );
}

/// SHA-256 of a break-glass policy in RFC 8785 form, in hexadecimal digits.
pub(crate) fn policy_digest(policy: &consent::BreakGlassRule) -> String {
    let document = serde_json::to_value(policy).unwrap_or_default();
    hex::encode(Hash::of(document.to_string().as_bytes()).0)
}
