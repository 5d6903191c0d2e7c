//! The statements of an authority with their times, and which one was in force at a moment.

use chrono::{DateTime, Utc};
use consent::{AuthorityFile, Chain, Pin, SignedStatement, Statement};

use super::Refusal;
use crate::Event;
use crate::event::parse_time;

/// An authority after each of its statements.
pub(super) struct Timeline(Vec<(DateTime<Utc>, Chain)>);

/// The signed statement in an event.
fn signed(event: &Event) -> Option<SignedStatement> {
    let data = event.data();
    let signed = SignedStatement {
        statement: serde_json::from_value(data["statement"].clone()).ok()?,
        signatures: serde_json::from_value(data["signatures"].clone()).ok()?,
    };
    // Another form of the same values would be signed and hashed differently.
    (signed.statement.document() == data["statement"]).then_some(signed)
}

impl Timeline {
    /// Follows the statements of a file, which is trusted as it is kept, without a log.
    pub fn of_file(file: &AuthorityFile) -> Result<Self, Refusal> {
        let recorded = file.statements.iter().map(|one| Some((one.signed(), parse_time(&one.recorded_at)?)));
        let recorded: Option<Vec<_>> = recorded.collect();
        Self::follow(&file.tenant, &recorded.ok_or(Refusal::OtherAuthority)?)
    }

    /// Follows the statements of a log, which must begin with what is trusted.
    pub fn of_log(pin: &Pin, events: &[Event]) -> Result<Self, Refusal> {
        let mut recorded = Vec::new();
        for event in events.iter().filter(|event| event.kind == "authority.changed") {
            recorded.push((signed(event).ok_or(Refusal::OtherAuthority)?, event.at));
        }
        let statements: Vec<SignedStatement> = recorded.iter().map(|(signed, _)| signed.clone()).collect();
        let is_kept = match pin {
            Pin::File(file) => {
                file.statements.iter().zip(&recorded).all(|(kept, (_, at))| parse_time(&kept.recorded_at) == Some(*at))
            }
            Pin::Fingerprint(_) => true,
        };
        if !(is_kept && pin.matches(&statements)) {
            return Err(Refusal::OtherAuthority);
        }
        Self::follow(&statements[0].statement.tenant, &recorded)
    }

    fn follow(tenant: &str, recorded: &[(SignedStatement, DateTime<Utc>)]) -> Result<Self, Refusal> {
        let mut followed: Vec<(DateTime<Utc>, Chain)> = Vec::with_capacity(recorded.len());
        for (signed, at) in recorded {
            let version = followed.len() + 1;
            let refusal = |fault| Refusal::Statement { tenant: tenant.to_owned(), version, fault };
            let next = match followed.last() {
                None => Chain::found(signed).map_err(refusal)?,
                // A statement that is dated back would change who could decide in the past.
                Some((before, _)) if before > at => return Err(Refusal::BeforeAuthority),
                Some((_, chain)) => {
                    let mut chain = chain.clone();
                    chain.record(signed, *at).map_err(refusal)?;
                    chain
                }
            };
            followed.push((*at, next));
        }
        Ok(Self(followed))
    }

    /// Time of the last statement.
    pub fn last(&self) -> DateTime<Utc> {
        self.0.last().map(|(at, _)| *at).unwrap_or_default()
    }

    /// The statement in force at a moment.
    pub fn in_force(&self, at: DateTime<Utc>) -> Result<&Statement, Refusal> {
        let chain = self.0.iter().rev().find(|(recorded_at, _)| *recorded_at <= at);
        chain.map(|(_, chain)| chain.in_force(at)).ok_or(Refusal::BeforeAuthority)
    }
}
