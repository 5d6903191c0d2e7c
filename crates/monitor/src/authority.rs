//! The authority of the tenant as it follows from the log, and whether its people signed the decisions.

use std::collections::HashMap;
use std::fmt;

use consent::{Chain, Pin, SignedStatement};
use evidence::Event;
use serde_json::Value;

use crate::alarm::Kind;

/// The chain of statements, compared with what the customer trusts.
pub(crate) struct Authority {
    pin: Option<Pin>,
    chain: Option<Chain>,
    /// Contents of requests, by their ids.
    contents: HashMap<String, Value>,
}

impl Authority {
    /// Begins before the first statement.
    pub fn new(pin: Option<Pin>) -> Self {
        Self { pin, chain: None, contents: HashMap::new() }
    }

    /// Whether consent is verified.
    pub fn consent(&self) -> Result<(), &'static str> {
        match (&self.pin, &self.chain) {
            (None, _) => Err("consent is not verified: no authority was given with --authority"),
            (Some(_), None) => Err("consent is not verified: this tenant has no authority of its own"),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    /// Adds the event of the next entry.
    pub fn add(&mut self, event: &Event) -> Option<(Kind, String)> {
        match event.kind.as_str() {
            "authority.changed" => {
                let why = self.record(event).err()?;
                Some((Kind::AuthorityInvalid, format!("a statement of the authority is not valid: {why}")))
            }
            "request.submitted" => {
                let request = event.request.clone()?;
                self.contents.insert(request, event.data()["content"].clone());
                None
            }
            "request.customer_approved" | "request.customer_denied" => {
                let why = self.decided(event).err()?;
                let who = event.who().unwrap_or("nobody");
                let message = format!("{} by {who} at {} is not signed by an approver: {why}", event.kind, event.time);
                Some((Kind::UnsignedDecision, message))
            }
            _ => None,
        }
    }

    fn record(&mut self, event: &Event) -> Result<(), String> {
        let data = event.data();
        let read = |name: &str| data[name].clone();
        let signed = serde_json::json!({"statement": read("statement"), "signatures": read("signatures")});
        let signed: SignedStatement = serde_json::from_value(signed).map_err(|_| "it cannot be read".to_owned())?;
        match &mut self.chain {
            Some(chain) => chain.record(&signed, event.at).map(drop).map_err(|fault| fault.to_string()),
            None => {
                let chain = Chain::found(&signed).map_err(|fault| fault.to_string())?;
                if self.pin.as_ref().is_some_and(|pin| pin.founding_hash() != signed.statement.hash()) {
                    return Err("it is not the authority that you trust".to_owned());
                }
                self.chain = Some(chain);
                Ok(())
            }
        }
    }

    fn decided(&self, event: &Event) -> Result<(), String> {
        let Some(chain) = &self.chain else {
            return if self.pin.is_some() { Err("the log does not contain the authority".to_owned()) } else { Ok(()) };
        };
        let content = event.request.as_ref().and_then(|request| self.contents.get(request));
        let signer = evidence::decisions::signer(chain.in_force(event.at), &event.document, content);
        signer.map(drop).map_err(|fault| fault.to_string())
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.consent(), &self.chain) {
            (Ok(()), Some(chain)) => {
                let fingerprint = consent::fingerprint(chain.founding());
                write!(f, "statement {} was recorded last; fingerprint {fingerprint}", chain.latest().version)
            }
            (Err(why), _) => f.write_str(why),
            (Ok(()), None) => Ok(()),
        }
    }
}
