//! Redacts what somebody wrote, everywhere it is stored, in one transaction with the events that record the redaction.

use std::collections::BTreeMap;

use contracts::envelope::{About, message};
use contracts::events::{Actor, TextsRedacted};
use contracts::{Kind, events};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::{REDACTED, Whose};
use crate::error::Error;
use crate::pool::Store;

/// Result of a redaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redaction {
    /// This many texts of the log were redacted, and the same words everywhere else.
    Done(i64),
    /// Nothing was redacted yet.
    Waits {
        /// Requests that are not in a final state.
        requests: Vec<Uuid>,
        /// Dead-letter messages that are not replayed or discarded.
        dead_letter: Vec<Uuid>,
        /// Messages that are not consumed yet.
        pending_messages: i64,
    },
}

const OPEN: &str = "select r.id from requests r where r.finished_at is null and (r.id = $1 \
                    or r.requester = (select id from people where name = $2) \
                    or exists (select from audit_events a where a.request = r.id and a.person = $2)) order by r.id";
const DEAD_LETTERS: &str = "select id from dead_letters where status = 'dead_lettered' \
                      and position(convert_to($1, 'UTF8') in body) > 0 order by dead_lettered_at";
// Mails contain no texts of people, and events contain commitments.
const ON_THEIR_WAY: &str = "select count(*) from outbox where consumer not in ('mail', 'audit') \
                            and position(convert_to($1, 'UTF8') in body) > 0";
const TEXTS: &str = "with gone as (update texts t set text = null, salt = null, redacted_at = clock_timestamp() \
                     from audit_events a where a.id = t.event and t.text is not null and (a.request = $1 or a.person = $2) \
                     returning a.tenant) select tenant, count(*) from gone group by tenant";
const REDACT_JUSTIFICATIONS: &str = "update requests r set justification = null, justification_salt = null, \
                                     justification_redacted_at = clock_timestamp() from tenants t where t.id = r.tenant \
                                     and r.justification_redacted_at is null and r.finished_at is not null \
                                     and (r.id = $1 or r.requester = (select id from people where name = $2)) \
                                     returning t.name";
const REDACT_COMMENTS: &str = "update decisions set comment = null, comment_redacted_at = clock_timestamp() \
                              where comment is not null \
                              and (request = $1 or person = (select id from people where name = $2))";
const REDACT_DEAD_LETTER: &str = "update dead_letters set body = '', detail = $2, note = null, redacted_at = clock_timestamp() \
                            where status <> 'dead_lettered' and redacted_at is null \
                            and position(convert_to($1, 'UTF8') in body) > 0";
const CLOCK: &str = "select clock_timestamp()";

type Tx = Transaction<'static, Postgres>;

impl Whose {
    fn request(&self) -> Option<Uuid> {
        match self {
            Self::Request(request) => Some(*request),
            Self::Person(_) => None,
        }
    }

    fn person(&self) -> Option<&str> {
        match self {
            Self::Request(_) => None,
            Self::Person(person) => Some(person),
        }
    }

    /// Text that identifies messages of this request or person: the request's id, or the person's name as a whole JSON value.
    fn mark(&self) -> String {
        match self {
            Self::Request(request) => request.to_string(),
            Self::Person(person) => format!("\"{person}\""),
        }
    }
}

impl Store {
    /// Redacts what somebody wrote, or what was written about a request, and records that in the logs that commit to it.
    ///
    /// # Errors
    /// When the database refuses or does not answer; then nothing was redacted.
    pub async fn redact_texts(&self, whose: &Whose, by: &str) -> Result<Redaction, Error> {
        let doing = "redacting texts";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        if let Some(waiting) = blockers(&mut tx, whose).await? {
            return Ok(waiting);
        }
        let texts = sqlx::query_as(TEXTS).bind(whose.request()).bind(whose.person()).fetch_all(&mut *tx);
        let texts: Vec<(Option<String>, i64)> = texts.await.map_err(Error::at(doing))?;
        let mut gone: BTreeMap<Option<String>, i64> = texts.into_iter().collect();
        for tenant in justifications(&mut tx, whose).await? {
            gone.entry(Some(tenant)).or_default();
        }
        let comments = sqlx::query(REDACT_COMMENTS).bind(whose.request()).bind(whose.person()).execute(&mut *tx);
        comments.await.map_err(Error::at(doing))?;
        let dead_letter = sqlx::query(REDACT_DEAD_LETTER).bind(whose.mark()).bind(REDACTED).execute(&mut *tx);
        dead_letter.await.map_err(Error::at(doing))?;
        let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let total = gone.values().sum();
        for (tenant, texts) in gone {
            let actor = Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), ..Actor::lockbox() };
            let (request, person) = (whose.request(), whose.person().map(str::to_owned));
            let about = About { tenant, request, ..About::default() };
            let event = message(Kind::TextsRedacted, now, about, &TextsRedacted { request, person, texts, actor });
            // Recorded directly and not through the broker, so that redaction and record are one transaction.
            if let Ok(indexed) = events::index(&event.body) {
                crate::audit::record(&mut tx, &[(indexed, event.body.as_slice())]).await?;
            }
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(Redaction::Done(total))
    }
}

/// What must finish first: open requests are decided by their texts, and pending messages may contain more of them.
async fn blockers(tx: &mut Tx, whose: &Whose) -> Result<Option<Redaction>, Error> {
    let doing = "checking what a redaction must wait for";
    let open = sqlx::query_scalar(OPEN).bind(whose.request()).bind(whose.person()).fetch_all(&mut **tx);
    let requests: Vec<Uuid> = open.await.map_err(Error::at(doing))?;
    let dead_letter: Vec<Uuid> =
        sqlx::query_scalar(DEAD_LETTERS).bind(whose.mark()).fetch_all(&mut **tx).await.map_err(Error::at(doing))?;
    let pending_messages: i64 =
        sqlx::query_scalar(ON_THEIR_WAY).bind(whose.mark()).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    let is_free = requests.is_empty() && dead_letter.is_empty() && pending_messages == 0;
    Ok((!is_free).then_some(Redaction::Waits { requests, dead_letter, pending_messages }))
}

/// Redacts the justifications of requests. Returns the tenants of the requests.
async fn justifications(tx: &mut Tx, whose: &Whose) -> Result<Vec<String>, Error> {
    let redacting = sqlx::query_scalar(REDACT_JUSTIFICATIONS).bind(whose.request()).bind(whose.person());
    redacting.fetch_all(&mut **tx).await.map_err(Error::at("redacting the justifications of requests"))
}
