//! What each kind of step must satisfy. docs/audit-format.md says the same in words, for a second verifier.

use chrono::TimeDelta;

use super::history::{Replayed, Told};
use crate::standing::EMERGENCY_CEILING_SECONDS;

type Move = (Option<&'static str>, &'static str, &'static str);

/// The kinds of steps and the moves they make.
const MOVES: [Move; 17] = [
    (None, "request.submitted", "awaiting_manager"),
    (Some("awaiting_manager"), "request.manager_approved", "awaiting_customer"),
    (Some("awaiting_manager"), "request.manager_rejected", "manager_rejected"),
    (Some("awaiting_manager"), "request.expired", "expired"),
    (Some("awaiting_manager"), "request.withdrawn", "withdrawn"),
    (Some("awaiting_customer"), "request.customer_approved", "awaiting_customer"),
    (Some("awaiting_customer"), "request.customer_rejected", "customer_rejected"),
    (Some("awaiting_customer"), "request.expired", "expired"),
    (Some("awaiting_customer"), "request.reminded", "awaiting_customer"),
    (Some("awaiting_customer"), "request.withdrawn", "withdrawn"),
    (Some("awaiting_customer"), "access.granted", "granted"),
    (Some("granted"), "access.ended", "ended"),
    (Some("granted"), "request.commented", "granted"),
    (Some("awaiting_manager"), "request.commented", "awaiting_manager"),
    (Some("awaiting_customer"), "request.commented", "awaiting_customer"),
    (Some("ended"), "report.accepted", "ended"),
    (Some("ended"), "report.disputed", "ended"),
];

/// What only an emergency does.
const EMERGENCIES: [Move; 3] = [
    (Some("awaiting_manager"), "request.emergency_supported", "awaiting_manager"),
    (Some("awaiting_manager"), "request.emergency_approved", "awaiting_manager"),
    (Some("awaiting_manager"), "access.granted", "granted"),
];

/// Whether the lifecycle knows this kind of event as a step of a request.
pub fn is_step(kind: &str) -> bool {
    MOVES.iter().chain(&EMERGENCIES).any(|(_, known, _)| *known == kind)
}

pub(super) fn is_final(state: &str) -> bool {
    !matches!(state, "awaiting_manager" | "awaiting_customer" | "granted")
}

/// Whether the lifecycle has this move. A kind it does not know, of a later version, may at most stay where it is.
pub(super) fn is_legal(is_emergency: bool, from: Option<&str>, kind: &str, to: &str) -> bool {
    MOVES.contains(&(from, kind, to))
        || (is_emergency && EMERGENCIES.contains(&(from, kind, to)))
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
            must(step.review_by.is_some_and(|by| by >= step.at), "a submission sets the deadline of the review");
        }
        "request.manager_approved" | "request.manager_rejected" => {
            must(step.person.is_some() && side("vendor"), "the review is made by a person of the vendor");
            must(!is_requester, "nobody reviews their own request");
            must(step.person != request.first, "one person's yes counts once");
            must(before(request.review_by), "a review counts only before its deadline");
            if step.kind == "request.manager_approved" {
                must(request.emergency.is_none(), "an emergency takes two managers and a standing consent");
            }
        }
        "request.emergency_supported" | "request.emergency_approved" => emergency(request, step, &mut must),
        "request.customer_approved" | "request.customer_rejected" => {
            must(step.person.is_some() && side("customer"), "the customer's decision is made by the customer");
            must(!is_requester, "nobody decides about their own request");
            must(step.person != request.manager, "nobody decides for both sides");
            must(!request.yeses.iter().any(|(who, _)| Some(*who) == step.person), "one person's yes counts once");
            must(before(request.decide_by), "a decision counts only before its deadline");
            if step.kind == "request.customer_approved" {
                must(
                    step.duration_seconds.is_some_and(|allowed| (1..=request.asked_seconds).contains(&allowed)),
                    "no longer access is allowed than was asked for",
                );
                let count = i64::try_from(request.yeses.len()).unwrap_or(i64::MAX - 1) + 1;
                must(step.approvals == Some(count), "the yeses are counted rightly");
            }
        }
        "access.granted" => granted(request, step, &mut must),
        "access.ended" => ended(request, step, &mut must),
        "request.expired" => {
            let (stage, deadline) = match step.from.as_deref() {
                Some("awaiting_manager") => ("manager", request.review_by),
                _ => ("customer", request.decide_by),
            };
            must(step.stage.as_deref() == Some(stage), "a request expires at the stage it is in");
            must(step.deadline == deadline, "the deadline never moves");
            must(deadline.is_some_and(|deadline| step.at >= deadline), "a request expires at its deadline, not before");
        }
        "request.withdrawn" => {
            let holds = match step.cause.as_deref() {
                Some("engineer") => step.person.is_some() && is_requester,
                Some("ticket_closed" | "person_disabled") => step.person.is_none(),
                _ => false,
            };
            must(
                holds,
                "a request is taken back by the engineer who asked, when they are disabled, or with its ticket",
            );
        }
        "request.reminded" => {
            must(step.decide_by == request.decide_by, "the deadline never moves");
        }
        "report.accepted" | "report.disputed" => {
            must(step.person.is_some() && side("customer"), "the closing report is answered by the customer");
            must(!is_requester, "nobody answers the report on their own access");
        }
        _ => {}
    }
}

/// One of the two yeses that an emergency takes.
fn emergency(request: &Replayed, step: &Told, must: &mut impl FnMut(bool, &str)) {
    let is_first = step.kind == "request.emergency_supported";
    must(
        request.emergency.is_some(),
        "only an emergency under a standing consent goes without the customer's decision",
    );
    must(
        step.person.is_some() && step.side.as_deref() == Some("vendor"),
        "the yeses to an emergency are said by persons of the vendor",
    );
    must(step.person != request.requester, "nobody reviews their own request");
    must(step.person != request.first, "an emergency takes two different persons of the vendor");
    must(request.first.is_none() == is_first, "an emergency takes two yeses, one after the other");
    must(request.review_by.is_some_and(|by| step.at < by), "a review counts only before its deadline");
}

fn granted(request: &Replayed, step: &Told, must: &mut impl FnMut(bool, &str)) {
    let (deadline, start, seconds_allowed) = if request.emergency.is_some() {
        must(request.has_all_yeses(), "no emergency without the yeses of two managers: they are not there");
        must(
            request.asked_seconds <= EMERGENCY_CEILING_SECONDS,
            "no emergency is longer than the longest that any standing consent can allow",
        );
        (request.review_by, step.at, request.asked_seconds)
    } else {
        must(request.has_all_yeses(), "no access without two yeses: the customer's are not there");
        must(request.manager.is_some(), "no access without two yeses: the manager's is not there");
        let shortest = request.yeses.iter().map(|(_, seconds)| *seconds).min().unwrap_or_default();
        (request.decide_by, request.starts_at.map_or(step.at, |start| start.max(step.at)), shortest)
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
        Some("time") => request.access_until.is_some_and(|until| step.at >= until),
        Some("customer") => is_person && step.side.as_deref() == Some("customer"),
        Some("vendor") => is_person && step.side.as_deref() == Some("vendor") && step.person != request.requester,
        Some("engineer") => is_person && step.person == request.requester,
        Some("ticket_closed" | "person_disabled") => !is_person,
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
pub(super) fn emergencies() -> impl Iterator<Item = Move> {
    EMERGENCIES.into_iter()
}
