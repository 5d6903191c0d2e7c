//! The bulk statements of a commit, one function per table.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use domain::{State, TimerChange};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::{DeadLetter, Transitioned, columns};
use crate::error::Error;
use crate::timers::TimerWakeUp;

type Tx = Transaction<'static, Postgres>;

const DECISIONS: &str = "insert into decisions (request, stage, person, side, role, verdict, comment, digest, channel, \
                         duration_seconds, signature, decided_at) \
                         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], \
                         $7::text[], $8::bytea[], $9::text[], $10::bigint[], $11::jsonb[], $12::timestamptz[])";

pub(crate) async fn insert_decisions(tx: &mut Tx, transitioned: &[Transitioned]) -> Result<(), Error> {
    let decided: Vec<_> = transitioned
        .iter()
        .filter_map(|transitioned| transitioned.decision.as_ref().map(|decision| (&transitioned.request, decision)))
        .collect();
    if decided.is_empty() {
        return Ok(());
    }
    sqlx::query(DECISIONS)
        .bind(decided.iter().map(|(request, _)| request.content.request.0).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.stage.as_str()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.person.0).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.side.as_str()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.role.as_str()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.verdict.as_str()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.comment.as_deref()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.digest.0.to_vec()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.channel.as_str()).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.duration_seconds).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| proof(decision)).collect::<Vec<_>>())
        .bind(decided.iter().map(|(_, decision)| decision.decided_at).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("storing decisions"))?;
    Ok(())
}

fn proof(decision: &domain::Decision) -> Option<serde_json::Value> {
    serde_json::from_str(&decision.proof.as_ref()?.evidence).ok()
}

const PASSKEY: &str = "update passkeys p set record = u.record, last_used_at = clock_timestamp() \
                       from unnest($1::text[], $2::jsonb[]) as u(credential, record) where p.credential = u.credential";

pub(crate) async fn update_passkeys(tx: &mut Tx, used: &[(String, serde_json::Value)]) -> Result<(), Error> {
    if used.is_empty() {
        return Ok(());
    }
    let (credentials, records): (Vec<_>, Vec<_>) = used.iter().cloned().unzip();
    let updating = sqlx::query(PASSKEY).bind(credentials).bind(records).execute(&mut **tx);
    updating.await.map_err(Error::at("storing the use of passkeys"))?;
    Ok(())
}

const NEW: &str = "insert into requests (id, content, digest, tenant, service_request, service, resource, requester, \
                   duration_seconds, required_approvals, state, version, submitted_at, review_deadline, justification, justification_salt) \
                   select id, content, digest, tenant, service_request, service, resource, requester, \
                   duration_seconds, required_approvals, 'pending_vendor', version, \
                   review_deadline - make_interval(secs => review_seconds), review_deadline, justification, justification_salt \
                   from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::uuid[], $5::text[], $6::text[], $7::text[], \
                   $8::uuid[], $9::bigint[], $10::int[], $11::int[], $12::timestamptz[], $13::bigint[], $14::text[], $15::bytea[]) \
                   as n(id, content, digest, tenant, service_request, service, resource, requester, duration_seconds, \
                   required_approvals, version, review_deadline, review_seconds, justification, justification_salt)";

pub(crate) async fn insert_requests(tx: &mut Tx, transitioned: &[Transitioned]) -> Result<(), Error> {
    let begun: Vec<_> = transitioned
        .iter()
        .filter(|transitioned| transitioned.is_new)
        .filter_map(|transitioned| match transitioned.request.state {
            State::PendingVendor { review_deadline, .. } => Some((&transitioned.request, review_deadline)),
            _ => None,
        })
        .collect();
    if begun.is_empty() {
        return Ok(());
    }
    let content = || begun.iter().map(|(request, _)| &request.content);
    sqlx::query(NEW)
        .bind(content().map(|content| content.request.0).collect::<Vec<_>>())
        .bind(content().map(domain::Content::to_bytes).collect::<Vec<_>>())
        .bind(begun.iter().map(|(request, _)| request.digest.0.to_vec()).collect::<Vec<_>>())
        .bind(content().map(|content| content.tenant.0).collect::<Vec<_>>())
        .bind(content().map(|content| content.service_request.as_str()).collect::<Vec<_>>())
        .bind(content().map(|content| content.service.as_str()).collect::<Vec<_>>())
        .bind(content().map(|content| content.resource.as_str()).collect::<Vec<_>>())
        .bind(content().map(|content| content.requester.0).collect::<Vec<_>>())
        .bind(content().map(|content| content.duration_seconds).collect::<Vec<_>>())
        .bind(content().map(|content| content.rules.required_approvals).collect::<Vec<_>>())
        .bind(begun.iter().map(|(request, _)| request.version).collect::<Vec<_>>())
        .bind(begun.iter().map(|(_, review_deadline)| *review_deadline).collect::<Vec<_>>())
        .bind(content().map(|content| content.rules.review_deadline_seconds).collect::<Vec<_>>())
        .bind(content().map(|content| content.justification.text()).collect::<Vec<_>>())
        .bind(content().map(|content| content.justification.salt().map(Vec::from)).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("writing new requests"))?;
    Ok(())
}

// Checks the version, so that a writer with an outdated row changes nothing.
const MOVE: &str = include_str!("tables/move.sql");

pub(crate) async fn update_requests(tx: &mut Tx, transitioned: &[Transitioned]) -> Result<(), Error> {
    let steps: Vec<_> = transitioned
        .iter()
        .filter(|transitioned| !transitioned.is_new)
        .map(|transitioned| (&transitioned.request, columns(&transitioned.request.state)))
        .collect();
    if steps.is_empty() {
        return Ok(());
    }
    // Break-glass access is activated by its second manager, whose decision is part of the step.
    let granted_by = |transitioned: &Transitioned| {
        let decision = transitioned.decision.as_ref().filter(|decision| decision.stage == domain::Stage::Vendor);
        decision
            .filter(|_| matches!(transitioned.request.state, State::Active { .. }))
            .map(|decision| decision.person.0)
    };
    let old = transitioned.iter().filter(|transitioned| !transitioned.is_new);
    let managers: Vec<Option<Uuid>> = old
        .zip(&steps)
        .map(|(transitioned, (_, columns))| columns.manager.or_else(|| granted_by(transitioned)))
        .collect();
    sqlx::query(MOVE)
        .bind(steps.iter().map(|(request, _)| request.content.request.0).collect::<Vec<_>>())
        .bind(steps.iter().map(|(request, _)| request.state.as_str()).collect::<Vec<_>>())
        .bind(steps.iter().map(|(request, _)| request.version).collect::<Vec<_>>())
        .bind(managers)
        .bind(steps.iter().map(|(_, columns)| columns.decision_deadline).collect::<Vec<_>>())
        .bind(steps.iter().map(|(_, columns)| columns.access_from).collect::<Vec<_>>())
        .bind(steps.iter().map(|(_, columns)| columns.access_until).collect::<Vec<_>>())
        .bind(steps.iter().map(|(_, columns)| columns.cause).collect::<Vec<_>>())
        .bind(steps.iter().map(|(request, _)| request.state.is_final()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("updating requests"))?;
    Ok(())
}

const DISARM: &str = "delete from timers t using unnest($1::uuid[], $2::text[]) as d(request, kind) \
                      where t.request = d.request and t.kind = d.kind";
const ARM: &str = "insert into timers (request, kind, due_at) \
                   select * from unnest($1::uuid[], $2::text[], $3::timestamptz[]) \
                   on conflict (request, kind) do update \
                   set due_at = excluded.due_at, generation = timers.generation + 1 \
                   returning request, kind, generation, due_at";

pub(crate) async fn update_timers(tx: &mut Tx, transitioned: &[Transitioned]) -> Result<Vec<TimerWakeUp>, Error> {
    let (mut off_requests, mut off_kinds) = (Vec::new(), Vec::new());
    let (mut requests, mut kinds, mut due): (Vec<Uuid>, Vec<&'static str>, Vec<DateTime<Utc>>) = Default::default();
    for (transitioned, change) in transitioned
        .iter()
        .flat_map(|transitioned| transitioned.timers.iter().map(move |change| (transitioned, change)))
    {
        let request = transitioned.request.content.request.0;
        match change {
            TimerChange::Arm(kind, due_at) => {
                requests.push(request);
                kinds.push(kind.as_str());
                due.push(*due_at);
            }
            TimerChange::Disarm(kind) => {
                off_requests.push(request);
                off_kinds.push(kind.as_str());
            }
        }
    }
    // A final state allows no further step, so all timers are deleted, including those that the directory armed.
    for transitioned in transitioned.iter().filter(|transitioned| transitioned.request.state.is_final()) {
        for kind in domain::TimerKind::ALL {
            off_requests.push(transitioned.request.content.request.0);
            off_kinds.push(kind.as_str());
        }
    }
    if !off_requests.is_empty() {
        sqlx::query(DISARM)
            .bind(off_requests)
            .bind(off_kinds)
            .execute(&mut **tx)
            .await
            .map_err(Error::at("disarming timers"))?;
    }
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let armed: Vec<(Uuid, String, i32, DateTime<Utc>)> = sqlx::query_as(ARM)
        .bind(requests)
        .bind(kinds)
        .bind(due)
        .fetch_all(&mut **tx)
        .await
        .map_err(Error::at("arming timers"))?;
    let wake_up = |(request, kind, generation, due_at): (Uuid, String, i32, DateTime<Utc>)| {
        let kind = domain::TimerKind::parse(&kind)?.as_str();
        Some(TimerWakeUp { due_at, request, kind, generation })
    };
    Ok(armed.into_iter().filter_map(wake_up).collect())
}

const OUTBOX: &str = "insert into outbox (message_id, consumer, kind, request, traceparent, body) \
                      select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[])";

pub(crate) async fn insert_outbox(tx: &mut Tx, messages: &[Message]) -> Result<(), Error> {
    crate::texts::persist_texts(tx, messages).await?;
    let rows: Vec<_> =
        messages.iter().flat_map(|message| message.kind.roles().iter().map(move |role| (message, *role))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(OUTBOX)
        .bind(rows.iter().map(|(message, _)| message.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, role)| *role).collect::<Vec<_>>())
        .bind(rows.iter().map(|(message, _)| message.kind.key()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(message, _)| message.request).collect::<Vec<_>>())
        .bind(rows.iter().map(|(message, _)| message.traceparent.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(message, _)| message.body.as_slice()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("writing the outbox"))?;
    Ok(())
}

const DEAD_LETTER: &str = "insert into dead_letters (id, reason, detail, queue, exchange, routing_key, message_id, \
                    message_type, login, body, size_bytes) \
                    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
                    $7::text[], $8::text[], $9::text[], $10::bytea[], $11::bigint[]) on conflict (id) do nothing";

pub(crate) async fn insert_dead_letters(tx: &mut Tx, dead_letter: &[DeadLetter]) -> Result<(), Error> {
    if dead_letter.is_empty() {
        return Ok(());
    }
    sqlx::query(DEAD_LETTER)
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.id).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.reason.as_str()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.detail.as_str()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.queue.as_str()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.exchange.as_str()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.routing_key.as_str()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.message_id.as_deref()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.message_type.as_deref()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.login.as_deref()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.body.as_slice()).collect::<Vec<_>>())
        .bind(dead_letter.iter().map(|dead_letter| dead_letter.size_bytes).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at("storing dead-letter messages"))?;
    Ok(())
}

// `= any` and not a join: the planner must never scan a table that consists mostly of dead rows.
const TAKEN: &str = "delete from outbox where message_id = any($2) and consumer = $1";

pub(crate) async fn delete_outbox(tx: &mut Tx, consumer: &str, ids: &[Uuid]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(TAKEN).bind(consumer).bind(ids).execute(&mut **tx).await.map_err(Error::at("clearing the outbox"))?;
    Ok(())
}

const FREED: &str = "delete from inbox where consumer = $1 and key = any($2)";

pub(crate) async fn delete_inbox(tx: &mut Tx, consumer: &str, keys: &[Uuid]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(FREED).bind(consumer).bind(keys).execute(&mut **tx).await.map_err(Error::at("clearing the inbox"))?;
    Ok(())
}
