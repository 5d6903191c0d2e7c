//! What a role's handler reads and writes: the snapshot of a sub-batch, and its changes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::events::{self, Actor, Auth, RefusedCommand};
use domain::{Fact, FreeText, Person, Refusal, Request, Transition};
use store::{Snapshot, TimerWakeUp, Transitioned, WriteSet};
use uuid::Uuid;

use crate::received::Received;

/// The snapshot and the changes of one sub-batch.
pub struct BatchContext<'a> {
    /// The rows that were loaded, under their locks.
    pub snapshot: &'a mut Snapshot,
    /// The changes to commit.
    pub changes: &'a mut WriteSet,
    /// Timers that are not due yet and need another wake-up.
    pub later: &'a mut Vec<TimerWakeUp>,
}

impl BatchContext<'_> {
    /// The database's clock, read under the locks.
    pub fn now(&self) -> DateTime<Utc> {
        self.snapshot.now
    }

    /// Applies a fact to a request by the rules of the lifecycle. Records the transition, or the refusal.
    pub fn apply_fact<T>(
        &mut self,
        received: &Received<T>,
        request: Uuid,
        by: Option<&str>,
        fact: impl FnOnce(&Request) -> Fact,
    ) {
        let Some(found) = self.snapshot.requests.get(&request) else {
            self.refuse(received, &Refusal::NotFound, self.actor(by), None);
            return;
        };
        let fact = fact(found);
        match domain::transition(found, &fact) {
            Ok(transition) => self.apply_transition(received, found.clone(), transition, false),
            Err(refusal) => {
                let found = found.clone();
                self.refuse(received, &refusal, self.actor(by), Some(&found));
            }
        }
    }

    /// Records a transition: its events, the new state and the timers.
    pub fn apply_transition<T>(
        &mut self,
        received: &Received<T>,
        mut request: Request,
        step: Transition,
        is_new: bool,
    ) {
        for event in &step.events {
            request.version += 1;
            let cause = Some(received.envelope.id.clone());
            let message = events::step(&request, event, request.version, cause, auth(received), received.trace);
            tracing::info!(
                request = %request.content.request,
                version = request.version,
                service_request = %request.content.service_request,
                "{}", event.kind.name()
            );
            self.changes.messages.push(message);
        }
        request.state = step.next;
        self.snapshot.requests.insert(request.content.request.0, request.clone());
        self.changes.transitioned.push(Transitioned { request, is_new, timers: step.timers, decision: step.decision });
    }

    /// Records a refusal. Only the audit log changes; it names who tried.
    pub fn refuse<T>(&mut self, received: &Received<T>, refusal: &Refusal, actor: Actor, request: Option<&Request>) {
        metrics::counter!("lockbox_refused_total", "code" => refusal.code()).increment(1);
        tracing::info!(
            request = request.map(|request| tracing::field::display(request.content.request)),
            code = refusal.code(),
            command = received.kind.key(),
            by = actor.name.as_deref(),
            "refused: {refusal}"
        );
        let command = RefusedCommand {
            kind: received.kind,
            id: &received.envelope.id,
            tenant: request.map(|request| request.content.tenant_name.clone()),
            request: request.map(|request| request.content.request.0),
            service_request: request.map(|request| request.content.service_request.clone()),
            actor: if actor.kind == "person" { actor.known_by(auth(received)) } else { actor },
            trace: received.trace,
        };
        self.changes.messages.push(events::refused(command, refusal, self.snapshot.now));
    }

    /// The person whom a message names.
    pub fn person(&self, name: &str) -> Result<Person, Refusal> {
        self.snapshot.people.get(name).cloned().ok_or(Refusal::UnknownPerson)
    }

    /// The named person, or an unverified claim when there is no such person.
    pub fn actor(&self, by: Option<&str>) -> Actor {
        match by {
            None => Actor::lockbox(),
            Some(name) => self.snapshot.people.get(name).map_or_else(|| Actor::claimed(name), Actor::person),
        }
    }
}

/// How the person in a message was authenticated: by their channel, or else by the broker login that named them.
fn auth<T>(received: &Received<T>) -> Option<Auth> {
    let envelope = &received.envelope;
    let auth = match &envelope.channel {
        Some(channel) if received.own_id().is_some() => Auth::of_channel(channel),
        None if received.own_id().is_some() => Auth::of_channel("lockbox"),
        _ => Auth::of_channel("broker"),
    };
    Some(Auth { login: received.source.login.clone(), ..auth })
}

/// The time until `due`; zero when it has passed.
pub(crate) fn remaining(due: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (due - now).to_std().unwrap_or_default()
}

/// Checks a comment against the rule for texts, because people read it.
pub(crate) fn check_comment(comment: Option<&FreeText>) -> Result<(), Refusal> {
    match comment.and_then(FreeText::problem) {
        None => Ok(()),
        Some(problem) => Err(Refusal::Invalid(vec![domain::Fault { field: "comment", problem }])),
    }
}
