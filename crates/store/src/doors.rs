//! Doors: taking those that somebody must look at, and keeping what was seen. The rows are locked before the clock is
//! read, and no transaction is open while a target is called: a look is a claim that ends by itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::envelope::Message;
use contracts::events;
use domain::Content;
use domain::door::{Door, DoorEvent, DoorFact, DoorState, step};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

mod row;
mod view;

use row::DoorRow;
pub use view::{AccessView, Closing, DoorView};

/// The connector of a service that none is configured for: the gate alone is the door.
pub const GATE: &str = "gate";

/// A door that this process may act on until its claim ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The claim.
    pub claim: Uuid,
    /// Where the door stands.
    pub door: Door,
    /// Which connector it is opened and closed through.
    pub connector: String,
    /// What was granted.
    pub content: Content,
    /// Whether the engineer is still enabled: nothing is opened for somebody who is not.
    pub engineer_enabled: bool,
    /// A call that opens was under way when the claim was taken: what is seen now may be undone by it.
    pub opening_elsewhere: bool,
}

/// What a look at the table brought.
#[derive(Debug, Default)]
pub struct Due {
    /// Doors to act on.
    pub claimed: Vec<Claimed>,
    /// Events of doors that needed no call.
    pub messages: Vec<Message>,
    /// How many doors were due.
    pub count: usize,
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// When the next door is due, if there is one.
    pub next: Option<DateTime<Utc>>,
}

/// How long a door waits before its proof is looked for again.
const PROOF_PAUSE: TimeDelta = TimeDelta::seconds(1);

// A door whose opener is still at work is locked like any other: closing does not wait for opening.
const DUE: &str = "select d.request, d.state, d.connector, d.until_at, d.next_try_at, d.opener, d.opening_until, d.failures, \
                   d.first_failed_at, d.last_error, d.alarmed, d.opened_at, d.ordered_at, d.refused_from, d.cut_at, \
                   d.sessions_cut, d.closed_at, d.claim, r.content, p.enabled as engineer_enabled, \
                   t.witnesses_required is null or access_is_proved(r.id) as is_proved \
                   from doors d join requests r on r.id = d.request join people p on p.id = r.requester \
                   join tenants t on t.id = r.tenant \
                   where d.next_try_at <= clock_timestamp() order by d.next_try_at limit $1 for update of d skip locked";
const ONE: &str = "select d.request, d.state, d.connector, d.until_at, d.next_try_at, d.opener, d.opening_until, d.failures, \
                   d.first_failed_at, d.last_error, d.alarmed, d.opened_at, d.ordered_at, d.refused_from, d.cut_at, \
                   d.sessions_cut, d.closed_at, d.claim, r.content, p.enabled as engineer_enabled, \
                   t.witnesses_required is null or access_is_proved(r.id) as is_proved \
                   from doors d join requests r on r.id = d.request join people p on p.id = r.requester \
                   join tenants t on t.id = r.tenant \
                   where d.request = $1 for update of d";
const CLOCK: &str = "select clock_timestamp()";
const NEXT: &str = "select min(next_try_at) from doors where next_try_at is not null";
const LIVE: &str = "select request from doors where request = any($1) and state <> 'closed'";
const SHOULD_BE_OPEN: &str = "select d.request from doors d where d.state = 'open' and d.connector = $1 \
                              and d.until_at > clock_timestamp() and d.opened_at < clock_timestamp() - interval '10 seconds' limit 10000";

impl Store {
    /// Takes up to `limit` doors that are due. Those that `choose` gives no connector are dealt with at once; the others
    /// are claimed for `lease`. The order to close what has run out is written here, before anybody calls a target.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_doors(
        &self,
        limit: i64,
        lease: Duration,
        choose: impl Fn(&str) -> &'static str,
    ) -> Result<Due, Error> {
        let doing = "taking doors that are due";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let rows: Vec<DoorRow> = sqlx::query_as(DUE).bind(limit).fetch_all(&mut *tx).await.map_err(Error::at(doing))?;
        let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let mut due = Due { count: rows.len(), now, ..Due::default() };
        let mut written = Vec::with_capacity(rows.len());
        for mut row in rows {
            let content = row.content()?;
            let mut door = row.door()?;
            let was = door.state;
            if door.until <= now {
                door = step(&door, &DoorFact::Ordered { refused_from: door.until, at: now }).0;
            }
            let connector = row.connector.clone().unwrap_or_else(|| choose(&content.service).to_owned());
            if door.state == DoorState::Opening && !row.is_proved {
                // No proof, no grant: looked at again until the log shows both yeses. Closing never waits for it.
                row.take_over(&Door { next_try_at: Some(now + PROOF_PAUSE), ..door }, connector);
                row.claim = None;
            } else if connector == GATE && door.state == DoorState::Closing && was != DoorState::Closing {
                // The order is one move and the closing another: the next look, at once, closes it.
                row.take_over(&Door { next_try_at: Some(now), ..door }, connector);
                row.claim = None;
            } else if connector == GATE {
                let facts = [
                    DoorFact::Opened { extra_rights: Vec::new(), at: now },
                    DoorFact::Cut { sessions: 0, at: door.refused_from.unwrap_or(now) },
                    DoorFact::ReadClosed { at: now },
                ];
                let (door, events) =
                    fold(&door, if door.state == DoorState::Opening { &facts[..1] } else { &facts[1..] });
                due.messages.extend(messages(&content, &connector, &door, events, now));
                row.take_over(&door, connector);
                row.claim = None;
            } else {
                let claim = Uuid::now_v7();
                let opening_elsewhere = row.opening_until.is_some_and(|until| until > now);
                let until = now + lease;
                if door.state == DoorState::Opening {
                    (row.opener, row.opening_until) = (Some(claim), Some(until));
                }
                row.take_over(&Door { next_try_at: Some(until), ..door.clone() }, connector.clone());
                row.claim = Some(claim);
                let engineer_enabled = row.engineer_enabled;
                due.claimed.push(Claimed { claim, door, connector, content, engineer_enabled, opening_elsewhere });
            }
            written.push(row);
        }
        row::write(&mut tx, &written).await?;
        crate::changes_outbox(&mut tx, &due.messages).await?;
        if due.count == 0 {
            due.next = sqlx::query_scalar(NEXT).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(due)
    }

    /// Keeps what was seen of a door. When somebody else took over meanwhile, or access ended, what was seen counts for
    /// nothing but that this process does not open any more.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn settle_door(&self, claimed: &Claimed, facts: &[DoorFact]) -> Result<Vec<Message>, Error> {
        let doing = "keeping what was seen of a door";
        let request = claimed.content.request.0;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let mut row: DoorRow = sqlx::query_as(ONE).bind(request).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let before = row.door()?;
        if row.opener == Some(claimed.claim) {
            (row.opener, row.opening_until) = (None, None);
        }
        let mut said = Vec::new();
        if row.claim == Some(claimed.claim) {
            let opens = claimed.opening_elsewhere || row.opening_until.is_some_and(|until| until > now);
            let believed = |fact: &&DoorFact| !(opens && matches!(fact, DoorFact::ReadClosed { .. }));
            let (mut door, events) = fold(&before, facts.iter().filter(believed));
            if opens && door.state == DoorState::Closing && door.failures == before.failures {
                // Whoever opens has a moment; then the target is closed and read once more.
                door.next_try_at = Some(row.opening_until.unwrap_or(now).max(now));
            }
            said = messages(&claimed.content, &claimed.connector, &door, events, now);
            row.take_over(&door, claimed.connector.clone());
            row.claim = None;
        } else if before.state == DoorState::Closing && row.claim.is_none() {
            // The one who opened is back: whoever closes need not wait.
            row.next_try_at = Some(now);
        }
        row::write(&mut tx, std::slice::from_ref(&row)).await?;
        crate::changes_outbox(&mut tx, &said).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(said)
    }

    /// A door's fact that no claim stands behind, such as that an open door was found closed.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn note_door(
        &self,
        request: Uuid,
        fact: impl Fn(DateTime<Utc>) -> DoorFact,
    ) -> Result<Vec<Message>, Error> {
        let doing = "noting what was seen of a door";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let mut row: DoorRow = sqlx::query_as(ONE).bind(request).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let content = row.content()?;
        let connector = row.connector.clone().unwrap_or_default();
        let (door, events) = step(&row.door()?, &fact(now));
        let said = messages(&content, &connector, &door, events, now);
        if !said.is_empty() {
            row.take_over(&door, connector);
            row::write(&mut tx, std::slice::from_ref(&row)).await?;
            crate::changes_outbox(&mut tx, &said).await?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(said)
    }

    /// Which of these grants may have something in a target: all but those that are closed for certain.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn live_doors(&self, grants: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        sqlx::query_scalar(LIVE).bind(grants).fetch_all(&self.pool).await.map_err(Error::at("comparing doors"))
    }

    /// Grants that stand open through a connector, but for those that just opened.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_doors(&self, connector: &str) -> Result<Vec<Uuid>, Error> {
        let reading = sqlx::query_scalar(SHOULD_BE_OPEN).bind(connector).fetch_all(&self.pool);
        reading.await.map_err(Error::at("comparing doors"))
    }
}

fn fold<'a>(door: &Door, facts: impl IntoIterator<Item = &'a DoorFact>) -> (Door, Vec<DoorEvent>) {
    facts.into_iter().fold((door.clone(), Vec::new()), |(door, mut events), fact| {
        let (next, more) = step(&door, fact);
        events.extend(more);
        (next, events)
    })
}

fn messages(
    content: &Content,
    connector: &str,
    door: &Door,
    events: Vec<DoorEvent>,
    now: DateTime<Utc>,
) -> Vec<Message> {
    events.iter().map(|event| events::door(content, connector, door, event, now)).collect()
}
