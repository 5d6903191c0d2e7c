//! What each kind of step must satisfy. docs/audit-format.md says the same in words, for a second verifier.

use chrono::TimeDelta;

use super::history::{Replayed, Told};
use crate::break_glass::BREAK_GLASS_CEILING_SECONDS;

type Move = (Option<&'static str>, &'static str, &'static str);

/// The kinds of steps and the moves they make.
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

/// What only an emergency does.
const BREAK_GLASS: [Move; 3] = [
    (Some("pending_vendor"), "request.break_glass_supported", "pending_vendor"),
    (Some("pending_vendor"), "request.break_glass_approved", "pending_vendor"),
    (Some("pending_vendor"), "grant.activated", "active"),
];

/// Whether the lifecycle knows this kind of event as a step of a request.
pub fn is_step(kind: &str) -> bool {
    MOVES.iter().chain(&BREAK_GLASS).any(|(_, known, _)| *known == kind)
}

pub(super) fn is_final(state: &str) -> bool {
    !matches!(state, "pending_vendor" | "pending_customer" | "active")
}

/// Whether the lifecycle has this move. A kind it does not know, of a later version, may at most stay where it is.
pub(super) fn is_legal(is_break_glass: bool, from: Option<&str>, kind: &str, to: &str) -> bool {
    MOVES.contains(&(from, kind, to))
        || (is_break_glass && BREAK_GLASS.contains(&(from, kind, to)))
        || (!is_step(kind) && from == Some(to))
}

/// Rules that depend on the kind of step.
pub(super) fn particulars(request: &Replayed, step: &Told, rule: &mut impl FnMut(bool, String)) {
    let mut must = |holds: bool, words: &str| rule(holds, words.to_owned());
    let side = |side: &str| step.side.as_deref() == Some(side);
    let is_requester = step.person == request.requester;
    let before = |deadline: Option<chrono::DateTime<chrono::Utc>>| deadline.is_some_and(|deadline| step.at < deadline);
    match step.kind.as_str() {
        "request.submitted" => {
            must(step.person.is_some() && side("vendor"), "a request is made by a person of the vendor");
            must(step.review_deadline.is_some_and(|by| by >= step.at), "a submission sets the deadline of the review");
        }
        "request.vendor_approved" | "request.vendor_denied" => {
            must(step.person.is_some() && side("vendor"), "the review is made by a person of the vendor");
            must(!is_requester, "nobody reviews their own request");
            must(step.person != request.first, "one person's yes counts once");
            must(before(request.review_deadline), "a review counts only before its deadline");
            if step.kind == "request.vendor_approved" {
                must(request.break_glass.is_none(), "an emergency takes two managers and a standing consent");
            }
        }
        "request.break_glass_supported" | "request.break_glass_approved" => break_glass(request, step, &mut must),
        "request.customer_approved" | "request.customer_denied" => {
            must(step.person.is_some() && side("customer"), "the customer's decision is made by the customer");
            must(!is_requester, "nobody decides about their own request");
            must(step.person != request.manager, "nobody decides for both sides");
            must(!request.approvals.iter().any(|(who, _)| Some(*who) == step.person), "one person's yes counts once");
            must(before(request.decision_deadline), "a decision counts only before its deadline");
            if step.kind == "request.customer_approved" {
                must(
                    step.duration_seconds.is_some_and(|allowed| (1..=request.asked_seconds).contains(&allowed)),
                    "no longer access is allowed than was asked for",
                );
                let count = i64::try_from(request.approvals.len()).unwrap_or(i64::MAX - 1) + 1;
                must(step.approvals == Some(count), "the yeses are counted rightly");
            }
        }
        "grant.activated" => granted(request, step, &mut must),
        "grant.ended" => ended(request, step, &mut must),
        "request.expired" => {
            let (stage, deadline) = match step.from.as_deref() {
                Some("pending_vendor") => ("vendor", request.review_deadline),
                _ => ("customer", request.decision_deadline),
            };
            must(step.stage.as_deref() == Some(stage), "a request expires at the stage it is in");
            must(step.deadline == deadline, "the deadline never moves");
            must(deadline.is_some_and(|deadline| step.at >= deadline), "a request expires at its deadline, not before");
        }
        "request.withdrawn" => {
            let holds = match step.cause.as_deref() {
                Some("requester") => step.person.is_some() && is_requester,
                Some("ticket_closed" | "requester_disabled") => step.person.is_none(),
                _ => false,
            };
            must(
                holds,
                "a request is taken back by the engineer who asked, when they are disabled, or with its ticket",
            );
        }
        "request.reminded" => {
            must(step.decision_deadline == request.decision_deadline, "the deadline never moves");
        }
        "report.acknowledged" | "report.disputed" => {
            must(step.person.is_some() && side("customer"), "the closing report is answered by the customer");
            must(!is_requester, "nobody answers the report on their own access");
        }
        _ => {}
    }
}

/// One of the two yeses that an emergency takes.
fn break_glass(request: &Replayed, step: &Told, must: &mut impl FnMut(bool, &str)) {
    let is_first = step.kind == "request.break_glass_supported";
    must(
        request.break_glass.is_some(),
        "only an emergency under a standing consent goes without the customer's decision",
    );
    must(
        step.person.is_some() && step.side.as_deref() == Some("vendor"),
        "the yeses to an emergency are said by persons of the vendor",
    );
    must(step.person != request.requester, "nobody reviews their own request");
    must(step.person != request.first, "an emergency takes two different persons of the vendor");
    must(request.first.is_none() == is_first, "an emergency takes two yeses, one after the other");
    must(request.review_deadline.is_some_and(|by| step.at < by), "a review counts only before its deadline");
}

fn granted(request: &Replayed, step: &Told, must: &mut impl FnMut(bool, &str)) {
    let (deadline, start, seconds_allowed) = if request.break_glass.is_some() {
        must(request.has_all_yeses(), "no emergency without the yeses of two managers: they are not there");
        must(
            request.asked_seconds <= BREAK_GLASS_CEILING_SECONDS,
            "no emergency is longer than the longest that any standing consent can allow",
        );
        (request.review_deadline, step.at, request.asked_seconds)
    } else {
        must(request.has_all_yeses(), "no access without two yeses: the customer's are not there");
        must(request.manager.is_some(), "no access without two yeses: the manager's is not there");
        let shortest = request.approvals.iter().map(|(_, seconds)| *seconds).min().unwrap_or_default();
        (request.decision_deadline, request.start_time.map_or(step.at, |start| start.max(step.at)), shortest)
    };
    must(deadline.is_some_and(|by| step.at < by), "no access is granted after the deadline");
    must(step.access_from == Some(start), "access opens with the last yes, or at the start that was asked for");
    must(
        step.access_until.is_some()
            && step.access_until == step.access_from.map(|from| from + seconds(seconds_allowed)),
        "access lasts as long as the shortest yes allows",
    );
}

fn ended(request: &Replayed, step: &Told, must: &mut impl FnMut(bool, &str)) {
    must(step.access_until == request.access_until, "the end of access is fixed when it is granted");
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
    must(holds, "access ends by its time, or by somebody who may end it");
}

/// Any number of seconds: what is beyond the calendar is as long as can be said.
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
