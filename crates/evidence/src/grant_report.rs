//! Who consented to each grant: the decisions, who signed them with which key, and what is not proved.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::Event;
use crate::decisions::Signer;

/// Whether a decision is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A key of the authority in force signed it.
    Signed(Box<Signer>),
    /// No authority was in force, or the authority of the vendor was not given.
    NoAuthority,
    /// It is not proved, for this reason.
    Refused(String),
}

/// A decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionReport {
    /// Index of its entry.
    pub index: u64,
    /// Type of the event.
    pub kind: String,
    /// `vendor` or `customer`.
    pub side: &'static str,
    /// Short name of the person, as the event states it.
    pub person: String,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// Who signed.
    pub proof: Proof,
}

impl DecisionReport {
    pub(crate) fn new(index: u64, event: &Event, side: &'static str, proof: Proof) -> Self {
        let person = event.who().unwrap_or_default().to_owned();
        Self { index, kind: event.kind.clone(), side, person, at: event.at, proof }
    }

    /// The decision as JSON.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "index": self.index, "type": self.kind, "side": self.side, "person": self.person, "at": time(self.at),
        });
        match &self.proof {
            Proof::Signed(signer) => {
                document["signed_by"] = json!({
                    "person": signer.person.to_string(), "name": signer.name, "key": signer.key.id, "kind": signer.key.kind,
                    "algorithm": signer.key.algorithm, "authority_version": signer.authority_version,
                });
                document["verdict"] = signer.decision.verdict.as_str().into();
                document["duration_seconds"] = signer.decision.duration_seconds.into();
                document["resource"] = signer.decision.resource.as_str().into();
            }
            Proof::NoAuthority => document["not_proved"] = self.reason().into(),
            Proof::Refused(words) => document["not_proved"] = words.as_str().into(),
        }
        document
    }

    fn reason(&self) -> &'static str {
        if self.side == "vendor" {
            "not proved: no authority of the vendor was given that was in force"
        } else {
            "not proved: the tenant had no authority in force"
        }
    }
}

impl fmt::Display for DecisionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {} by {} at {}", self.index, self.kind, self.person, time(self.at))?;
        match &self.proof {
            Proof::Signed(signer) => {
                let (decision, kind) = (&signer.decision, json!(signer.key.kind));
                let kind = kind.as_str().unwrap_or_default();
                write!(
                    f,
                    ", signed {} for {} s and {} by {} with the {kind} key {}",
                    decision.verdict, decision.duration_seconds, decision.resource, signer.name, signer.key.id
                )
            }
            Proof::NoAuthority => write!(f, ", {}", self.reason()),
            Proof::Refused(words) => write!(f, ", not proved: {words}"),
        }
    }
}

/// A grant with the decisions that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantReport {
    /// Id of the request.
    pub request: String,
    /// Index of the entry that activated it.
    pub index: u64,
    /// Service, when the content of the request is available.
    pub service: Option<String>,
    /// Resource, when the content of the request is available.
    pub resource: Option<String>,
    /// Access level, when the content of the request is available.
    pub access_level: Option<String>,
    /// Start of access.
    pub access_from: Option<DateTime<Utc>>,
    /// End of access as it was granted.
    pub access_until: Option<DateTime<Utc>>,
    /// Time at which access ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Number of allowed uses.
    pub uses: i64,
    /// Decisions, in the order of the log.
    pub decisions: Vec<DecisionReport>,
}

impl GrantReport {
    /// The grant as JSON.
    pub fn document(&self) -> Value {
        json!({
            "request": self.request, "index": self.index, "service": self.service, "resource": self.resource,
            "access_level": self.access_level, "access_from": self.access_from.map(time),
            "access_until": self.access_until.map(time), "ended_at": self.ended_at.map(time), "uses": self.uses,
            "decisions": self.decisions.iter().map(DecisionReport::document).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for GrantReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |at: Option<DateTime<Utc>>| at.map_or_else(|| "unknown".to_owned(), time);
        write!(
            f,
            "request {}: {} to {} from {} until {}, used {} times",
            self.request,
            self.access_level.as_deref().unwrap_or("access"),
            self.resource.as_deref().unwrap_or("a resource outside this bundle"),
            text(self.access_from),
            text(self.access_until),
            self.uses
        )?;
        for decision in &self.decisions {
            write!(f, "\n    {decision}")?;
        }
        Ok(())
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
