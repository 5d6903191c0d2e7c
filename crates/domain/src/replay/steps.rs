//! What each kind of step must fulfil. docs/audit-format.md describes the same rules for a second verifier.

use chrono::TimeDelta;

use super::history::{RecordedStep, Replayed};
use crate::break_glass::BREAK_GLASS_CEILING_SECONDS;

type Move = (Option<&'static str>, &'static str, &'static str);

/// The kinds of steps and their state changes.
const MOVES: [Move; 17] = [
    (None, "request.submitted", "pending_vendor"),
    (Some("pending_vendor"), "request.vendor_approved", "pending_customer"),
    (Some("pending_vendor"), "request.vendor_denied", "vendor_denied"),
    (Some("pending_vendor"), "request.expired", "expired"),
    (Some("pending_vendor"), "request.withdrawn", "withdrawn"),
    (Some("pending_customer"), "request.customer_approved", "pending_customer"),
    (Some("pending_customer"), "request.customer_denied", "customer_denied"),
    (Some("pending_customer"), "request.expired", "expired"),
    (Some("pending_customer"), "request.reminded", "pending_customer"),
    (Some("pending_customer"), "request.withdrawn", "withdrawn"),
    (Some("pending_customer"), "grant.activated", "active"),
    (Some("active"), "grant.ended", "ended"),
    (Some("active"), "request.commented", "active"),
    (Some("pending_vendor"), "request.commented", "pending_vendor"),
    (Some("pending_customer"), "request.commented", "pending_customer"),
    (Some("ended"), "report.acknowledged", "ended"),
    (Some("ended"), "report.disputed", "ended"),
];

/// State changes of break-glass access only.
const BREAK_GLASS: [Move; 3] = [
    (Some("pending_vendor"), "request.break_glass_supported", "pending_vendor"),
    (Some("pending_vendor"), "request.break_glass_approved", "pending_vendor"),
    (Some("pending_vendor"), "grant.activated", "active"),
];

/// Whether this kind of event is a step of a request.
pub fn is_step(kind: &str) -> bool {
    MOVES.iter().chain(&BREAK_GLASS).any(|(_, known, _)| *known == kind)
}

pub(super) fn is_final(state: &str) -> bool {
    !matches!(state, "pending_vendor" | "pending_customer" | "active")
}

/// Whether the lifecycle has this state change. An unknown kind, of a later version, must not change the state.
pub(super) fn is_legal(is_break_glass: bool, from: Option<&str>, kind: &str, to: &str) -> bool {
    MOVES.contains(&(from, kind, to))
        || (is_break_glass && BREAK_GLASS.contains(&(from, kind, to)))
        || (!is_step(kind) && from == Some(to))
}

/// Rules that depend on the kind of step.
pub(super) fn particulars(request: &Replayed, step: &RecordedStep, rule: &mut impl FnMut(bool, String)) {
    let mut must = |holds: bool, words: &str| rule(holds, words.to_owned());
    let side = |side: &str| step.side.as_deref() == Some(side);
    let is_requester = step.person == request.requester;
    let before = |deadline: Option<chrono::DateTime<chrono::Utc>>| deadline.is_some_and(|deadline| step.at < deadline);
    match step.kind.as_str() {
        "request.submitted" => {
            must(step.person.is_some() && side("vendor"), "a request is submitted by a person of the vendor");
            must(step.review_deadline.is_some_and(|by| by >= step.at), "a submission sets the review deadline");
        }
        "request.vendor_approved" | "request.vendor_denied" => {
            must(step.person.is_some() && side("vendor"), "the vendor review is made by a person of the vendor");
            must(!is_requester, "the requester does not review their own request");
            must(step.person != request.first, "one person's approval counts once");
            must(before(request.review_deadline), "a vendor review counts only before its deadline");
            if step.kind == "request.vendor_approved" {
                must(request.break_glass.is_none(), "break-glass access needs two managers and a break-glass policy");
            }
        }
        "request.break_glass_supported" | "request.break_glass_approved" => break_glass(request, step, &mut must),
        "request.customer_approved" | "request.customer_denied" => {
            must(
                step.person.is_some() && side("customer"),
                "the customer's decision is made by a person of the customer",
            );
            must(!is_requester, "the requester does not decide on their own request");
            must(step.person != request.manager, "one person does not decide for both sides");
            must(
                !request.approvals.iter().any(|(who, _)| Some(*who) == step.person),
                "one person's approval counts once",
            );
            must(before(request.decision_deadline), "a decision counts only before its deadline");
            if step.kind == "request.customer_approved" {
                must(
                    step.duration_seconds.is_some_and(|allowed| (1..=request.requested_seconds).contains(&allowed)),
                    "the approved duration is not longer than the requested duration",
                );
                let count = i64::try_from(request.approvals.len()).unwrap_or(i64::MAX - 1) + 1;
                must(step.approvals == Some(count), "each approval carries the number of approvals so far");
            }
        }
        "grant.activated" => grant_activated(request, step, &mut must),
        "grant.ended" => grant_ended(request, step, &mut must),
        "request.expired" => expired(request, step, &mut must),
        "request.withdrawn" => {
            let holds = match step.cause.as_deref() {
                Some("requester") => step.person.is_some() && is_requester,
                Some("ticket_closed" | "requester_disabled") => step.person.is_none(),
                _ => false,
            };
            must(
                holds,
                "a request is withdrawn by its requester, or because the requester is disabled or the service request is closed",
            );
        }
        "request.reminded" => {
            must(step.decision_deadline == request.decision_deadline, "the deadline never moves");
        }
        "report.acknowledged" | "report.disputed" => {
            must(
                step.person.is_some() && side("customer"),
                "the response to the access report is made by a person of the customer",
            );
            must(!is_requester, "the requester does not respond to the report on their own access");
        }
        _ => {}
    }
}

/// One of the two approvals that break-glass access needs.
fn break_glass(request: &Replayed, step: &RecordedStep, must: &mut impl FnMut(bool, &str)) {
    let is_first = step.kind == "request.break_glass_supported";
    must(
        request.break_glass.is_some(),
        "only break-glass access under a break-glass policy skips the customer's decision",
    );
    must(
        step.person.is_some() && step.side.as_deref() == Some("vendor"),
        "approvals of break-glass access are made by persons of the vendor",
    );
    must(step.person != request.requester, "the requester does not review their own request");
    must(step.person != request.first, "break-glass access needs two different persons of the vendor");
    must(request.first.is_none() == is_first, "break-glass access needs two approvals, one after the other");
    must(request.review_deadline.is_some_and(|by| step.at < by), "a vendor review counts only before its deadline");
}

fn expired(request: &Replayed, step: &RecordedStep, must: &mut impl FnMut(bool, &str)) {
    let (stage, deadline) = match step.from.as_deref() {
        Some("pending_vendor") => ("vendor", request.review_deadline),
        _ => ("customer", request.decision_deadline),
    };
    must(step.stage.as_deref() == Some(stage), "a request expires at the stage it is in");
    must(step.deadline == deadline, "the deadline never moves");
    must(deadline.is_some_and(|deadline| step.at >= deadline), "a request expires at its deadline, not earlier");
}

fn grant_activated(request: &Replayed, step: &RecordedStep, must: &mut impl FnMut(bool, &str)) {
    let (deadline, start, seconds_allowed) = if request.break_glass.is_some() {
        must(
            request.is_fully_approved(),
            "break-glass access needs the approvals of two managers: at least one is missing",
        );
        must(
            request.requested_seconds <= BREAK_GLASS_CEILING_SECONDS,
            "break-glass access is not longer than any break-glass policy can allow",
        );
        (request.review_deadline, step.at, request.requested_seconds)
    } else {
        must(request.is_fully_approved(), "access needs both approvals: the customer's are missing");
        must(request.manager.is_some(), "access needs both approvals: the manager's is missing");
        let shortest = request.approvals.iter().map(|(_, seconds)| *seconds).min().unwrap_or_default();
        (request.decision_deadline, request.start_time.map_or(step.at, |start| start.max(step.at)), shortest)
    };
    must(deadline.is_some_and(|by| step.at < by), "access does not become active after the deadline");
    must(step.access_from == Some(start), "access starts with the last approval, or at the requested start time");
    must(
        step.access_until.is_some()
            && step.access_until == step.access_from.map(|from| from + seconds(seconds_allowed)),
        "access lasts as long as the shortest approved duration",
    );
}

fn grant_ended(request: &Replayed, step: &RecordedStep, must: &mut impl FnMut(bool, &str)) {
    must(step.access_until == request.access_until, "the end of access is set when access becomes active");
    let is_person = step.person.is_some();
    let holds = match step.cause.as_deref() {
        Some("expired") => request.access_until.is_some_and(|until| step.at >= until),
        Some("revoked_by_customer") => is_person && step.side.as_deref() == Some("customer"),
        Some("revoked_by_vendor") => {
            is_person && step.side.as_deref() == Some("vendor") && step.person != request.requester
        }
        Some("released") => is_person && step.person == request.requester,
        Some("ticket_closed" | "requester_disabled") => !is_person,
        _ => false,
    };
    must(holds, "access ends when its duration is over, or by somebody who may revoke it");
}

/// A duration of so many seconds, limited to what the calendar can represent.
fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count.clamp(0, 1_000_000_000))
}

#[cfg(test)]
pub(super) fn moves() -> impl Iterator<Item = Move> {
    MOVES.into_iter()
}

#[cfg(test)]
pub(super) fn break_glass_moves() -> impl Iterator<Item = Move> {
    BREAK_GLASS.into_iter()
}
