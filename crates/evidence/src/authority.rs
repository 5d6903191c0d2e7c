//! The authority of a tenant as its log records it: the accepted statements, and which one is in force at any moment
//! (docs/audit-format.md, section 11, "The chain").

use chrono::{DateTime, Utc};
use consent::{Assertion, AuthorityFile, Chain, Pin, SignedStatement, Statement, VENDOR};
use serde_json::Value;

use crate::Event;
use crate::event::parse_time;

/// A statement of the chain.
#[derive(Clone, Debug)]
pub struct Stated {
    /// What is stated.
    pub statement: Statement,
    /// Time of the event that recorded it.
    pub recorded_at: DateTime<Utc>,
    /// When it is in force, unless it is replaced before.
    pub in_force_from: DateTime<Utc>,
    /// Whether the next statement was recorded before this one was in force, so that it never comes into force.
    pub is_replaced: bool,
}

/// The chain of an authority with its times.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    chain: Option<Chain>,
    stated: Vec<Stated>,
}

impl Timeline {
    /// Reads the chain of an authority file.
    ///
    /// # Errors
    /// Why the file is not a valid chain of this tenant.
    pub fn of_file(file: &AuthorityFile, tenant: &str) -> Result<Self, String> {
        let mut timeline = Self::default();
        for recorded in &file.statements {
            let at = parse_time(&recorded.recorded_at).ok_or("a statement of the file has no valid time")?;
            timeline.record(&recorded.signed(), at, tenant)?;
        }
        Ok(timeline)
    }

    /// Records the statement of an `authority.changed` event of the log of `tenant`. Without a rule broken, it becomes part
    /// of the chain.
    ///
    /// # Errors
    /// The rule that it breaks; the chain is as it was.
    pub fn record_event(&mut self, event: &Event, tenant: &str) -> Result<&Stated, String> {
        let data = event.data();
        if event.request.is_some() {
            return Err("a statement of the authority does not belong to a request".to_owned());
        }
        let unreadable = || "the statement is not in the documented form".to_owned();
        let statement: Statement = exact(&data["statement"]).ok_or_else(unreadable)?;
        let signatures: Vec<Assertion> = exact(&data["signatures"]).ok_or_else(unreadable)?;
        let stated_from = data["in_force_from"].as_str().and_then(parse_time);
        let mut next = self.clone();
        let from = next.record(&SignedStatement { statement, signatures }, event.at, tenant)?.in_force_from;
        if stated_from != Some(from) {
            return Err(format!(
                "the statement is in force from {}, and the event says otherwise",
                consent::time_text(from)
            ));
        }
        *self = next;
        self.stated.last().ok_or_else(unreadable)
    }

    fn record(&mut self, signed: &SignedStatement, at: DateTime<Utc>, tenant: &str) -> Result<&Stated, String> {
        let statement = &signed.statement;
        if statement.tenant != tenant {
            return Err(format!("the statement is about another tenant, {}", statement.tenant));
        }
        let in_force_from = match &mut self.chain {
            None => {
                self.chain = Some(Chain::found(signed).map_err(|fault| fault.to_string())?);
                parse_time(&statement.effective_at).map_or(at, |effective| effective.max(at))
            }
            Some(chain) => {
                if self.stated.last().is_some_and(|last| at < last.recorded_at) {
                    return Err("the statement is earlier than the previous statement".to_owned());
                }
                chain.record(signed, at).map_err(|fault| fault.to_string())?.in_force_from
            }
        };
        let is_founded = self.stated.len() > 1;
        if let Some(last) = self.stated.last_mut().filter(|_| is_founded) {
            last.is_replaced = last.in_force_from > at;
        }
        self.stated.push(Stated { statement: statement.clone(), recorded_at: at, in_force_from, is_replaced: false });
        self.stated.last().ok_or_else(String::new)
    }

    /// The statement in force at a moment. None before the first one is in force.
    pub fn in_force(&self, at: DateTime<Utc>) -> Option<&Statement> {
        let in_force = self.stated.iter().rev().find(|stated| !stated.is_replaced && stated.in_force_from <= at);
        in_force.map(|stated| &stated.statement)
    }

    /// The last statement, when it is not in force yet.
    pub fn pending(&self, at: DateTime<Utc>) -> Option<&Stated> {
        self.stated.last().filter(|last| last.in_force_from > at)
    }

    /// Accepted statements, in order.
    pub fn statements(&self) -> &[Stated] {
        &self.stated
    }

    /// From when the authority protects the tenant. None when there is no statement.
    pub fn protects_from(&self) -> Option<DateTime<Utc>> {
        self.stated.first().map(|first| first.in_force_from)
    }

    /// How the chain differs from the authority that the user of the verifier trusts. `newest` is the time of the newest entry.
    pub fn differences(&self, pin: &Pin, tenant: &str, newest: Option<DateTime<Utc>>) -> Vec<String> {
        let file = match pin {
            Pin::File(file) => file,
            Pin::Fingerprint(hash) => {
                return match self.stated.first() {
                    Some(first) if first.statement.hash() == *hash => Vec::new(),
                    Some(_) => {
                        vec!["the authority in the log has another fingerprint than the one that was given".into()]
                    }
                    None => vec!["the log has no authority, but a fingerprint of it was given".into()],
                };
            }
        };
        if let Err(fault) = Self::of_file(file, tenant) {
            return vec![format!("the authority file is not valid: {fault}")];
        }
        let mut differ = Vec::new();
        for known in &file.statements {
            let version = known.statement.version;
            let recorded_at = parse_time(&known.recorded_at);
            match self.stated.iter().find(|stated| stated.statement.version == version) {
                Some(found) if found.statement == known.statement && Some(found.recorded_at) == recorded_at => {}
                Some(_) => differ.push(format!("statement {version} of the log is not that of the authority file")),
                None if recorded_at > newest => {}
                None => differ.push(format!("statement {version} of the authority file is not in the log")),
            }
        }
        differ
    }
}

/// The `tenant` in the statements of the log with this origin.
pub fn tenant(origin: &str) -> &str {
    origin.rsplit_once("/t/").map_or(VENDOR, |(_, tenant)| tenant)
}

/// Reads a document that must be written in exactly the form in which it is hashed.
fn exact<T: serde::de::DeserializeOwned + serde::Serialize>(document: &Value) -> Option<T> {
    let read: T = serde_json::from_value(document.clone()).ok()?;
    (serde_json::to_value(&read).ok().as_ref() == Some(document)).then_some(read)
}
