//! A statement of a tenant's authority: who may approve for the tenant, with which keys, and the rules that protect it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::fault::Fault;
use crate::key::{Key, KeyKind};

/// The `tenant` of the authority of the vendor.
pub const VENDOR: &str = "vendor";
/// Purpose of the challenge that approvers sign for a statement.
const PURPOSE: &str = "lockbox/authority/v1";
/// Shortest delay before a change that weakens protection takes effect: 24 hours.
const SHORTEST_DELAY_SECONDS: i64 = 86_400;

/// The web address whose passkeys count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portal {
    /// Origin as browsers sign it, such as `https://lockbox.fabrikam.example`.
    pub origin: String,
    /// Relying party id, such as `lockbox.fabrikam.example`.
    pub rp_id: String,
}

/// A person who may approve for the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Internal id of the person.
    pub person: Uuid,
    /// Short name.
    pub name: String,
    /// Address for mail.
    pub email: String,
    /// Services that the person decides about; empty is every service.
    pub services: Vec<String>,
    /// Keys that sign for the person; none until the person has registered one.
    pub keys: Vec<Key>,
}

/// A witness of the tenant's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Name of its key.
    pub name: String,
    /// Its verifier key in the form of C2SP signed-note: `name+id+key`.
    pub key: String,
}

/// Rules that protect the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Time for a decision, in seconds; after it the request expires.
    pub decision_deadline_seconds: i64,
    /// Longest access, in seconds.
    pub access_ceiling_seconds: i64,
    /// Approvals of the tenant that a request needs.
    pub required_approvals: usize,
    /// Whether each decision needs a comment.
    pub comment_required: bool,
    /// Whether keys in files count beside passkeys.
    pub software_keys: bool,
    /// Witnesses whose cosignatures count.
    pub witnesses: Vec<Witness>,
    /// Cosignatures that the log needs before access opens.
    pub witnesses_required: usize,
}

impl Default for Rules {
    /// 12 hours to decide, at most 8 hours of access, one approval, passkeys only, no witness.
    fn default() -> Self {
        Self {
            decision_deadline_seconds: 12 * 3600,
            access_ceiling_seconds: 8 * 3600,
            required_approvals: 1,
            comment_required: false,
            software_keys: false,
            witnesses: Vec::new(),
            witnesses_required: 0,
        }
    }
}

/// The identity provider that signs the tenant's people in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProvider {
    /// Issuer (`OpenID` Connect).
    pub issuer: String,
    /// Client id of the portal there.
    pub client_id: String,
}

/// While an approver is out of office, another approver also decides about the services of that approver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The approver who is out of office.
    pub person: Uuid,
    /// The approver who decides.
    pub delegate: Uuid,
    /// End of the delegation (RFC 3339, UTC).
    pub until: String,
}

/// A break-glass policy: access that the tenant approves beforehand, within narrow bounds. Requests name its digest, which
/// is the SHA-256 of this document in RFC 8785 form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassRule {
    /// Version of this format: 1.
    pub v: u8,
    /// Id of the policy.
    pub policy: Uuid,
    /// Id of the tenant.
    pub tenant: Uuid,
    /// Name, which requests give.
    pub name: String,
    /// Services that it covers; never empty.
    pub services: Vec<String>,
    /// Longest access, in seconds.
    pub ceiling_seconds: i64,
    /// Uses in all.
    pub quota: u32,
    /// End (RFC 3339, UTC).
    pub until: String,
}

/// One version of a tenant's authority. The document is signed and hashed in RFC 8785 form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Version of this format: 1.
    pub v: u8,
    /// Short name of the tenant.
    pub tenant: String,
    /// Number of the statement; the first is 1.
    pub version: u64,
    /// SHA-256 of the statement before, in hexadecimal digits; none for the first.
    pub previous: Option<String>,
    /// Approvers, in any order.
    pub approvers: Vec<Approver>,
    /// Approvers who must sign a change.
    pub change_signatures: usize,
    /// Time before a change that weakens protection takes effect, in seconds; at least 86,400.
    pub change_delay_seconds: i64,
    /// Software key that follows from the recovery code of the founding; it signs when keys are lost.
    pub recovery_key: Option<Key>,
    /// The portal whose passkeys count.
    pub portal: Portal,
    /// Rules that protect the tenant.
    pub rules: Rules,
    /// The tenant's own identity provider.
    pub identity_provider: Option<IdentityProvider>,
    /// Further addresses that are notified.
    pub notification_recipients: Vec<String>,
    /// Break-glass policies in force.
    pub break_glass: Vec<BreakGlassRule>,
    /// Delegations in force.
    pub delegations: Vec<Delegation>,
    /// The statement takes effect no earlier (RFC 3339, UTC).
    pub effective_at: String,
}

impl Statement {
    /// The document that is hashed and signed.
    pub fn document(&self) -> Value {
        // Fails only for maps whose keys are no strings, and there is none.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// SHA-256 of the document in RFC 8785 form: what the next statement names as its predecessor.
    pub fn hash(&self) -> [u8; 32] {
        crate::sha256(self.document().to_string().as_bytes())
    }

    /// The challenge that approvers sign.
    pub fn challenge(&self) -> [u8; 32] {
        crate::challenge(PURPOSE, &self.document())
    }

    /// The approver of this id.
    pub fn approver(&self, person: Uuid) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.person == person)
    }

    /// The approver whose key this is, and the key.
    pub fn key(&self, id: &str) -> Option<(&Approver, &Key)> {
        self.approvers.iter().find_map(|approver| Some((approver, approver.keys.iter().find(|key| key.id == id)?)))
    }

    /// Whether an approver decides about a service at a moment, directly or for somebody who is out of office.
    pub fn decides_about(&self, approver: &Approver, service: &str, at: DateTime<Utc>) -> bool {
        let covers = |of: &Approver| of.services.is_empty() || of.services.iter().any(|own| own == service);
        let lasts = |until: &str| DateTime::parse_from_rfc3339(until).is_ok_and(|until| at < until);
        covers(approver)
            || self.delegations.iter().any(|delegation| {
                delegation.delegate == approver.person
                    && lasts(&delegation.until)
                    && self.approver(delegation.person).is_some_and(covers)
            })
    }

    /// Approvers who can sign.
    pub(crate) fn signers(&self) -> usize {
        self.approvers.iter().filter(|approver| !approver.keys.is_empty()).count()
    }

    /// Checks that the statement does not contradict itself and leaves the tenant able to decide and to change it.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with what is wrong.
    pub fn validate(&self) -> Result<(), Fault> {
        let rules = &self.rules;
        let persons: BTreeSet<Uuid> = self.approvers.iter().map(|approver| approver.person).collect();
        let keys: Vec<&Key> =
            self.approvers.iter().flat_map(|approver| &approver.keys).chain(&self.recovery_key).collect();
        let ids: BTreeSet<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        let signers = self.signers();
        let software =
            self.approvers.iter().flat_map(|approver| &approver.keys).any(|key| key.kind == KeyKind::Software);
        let is_time = |text: &str| text.ends_with('Z') && DateTime::parse_from_rfc3339(text).is_ok();
        let narrow = |rule: &BreakGlassRule| {
            rule.v == 1
                && !rule.services.is_empty()
                && rule.ceiling_seconds > 0
                && rule.quota > 0
                && is_time(&rule.until)
        };
        let demands = [
            (self.v == 1, "its format is not version 1"),
            (!self.tenant.is_empty(), "it names no tenant"),
            (self.version >= 1 && (self.version == 1) == self.previous.is_none(), "only the first has no predecessor"),
            (persons.len() == self.approvers.len(), "an approver is listed twice"),
            (ids.len() == keys.len(), "a key is listed twice"),
            (keys.iter().all(|key| key.is_well_formed()), "a key is not in the form of its algorithm"),
            (signers >= 1, "no approver has a key"),
            (
                (signers.min(2)..=signers).contains(&self.change_signatures),
                "a change needs at least two signatures where two can sign, and no more than can sign",
            ),
            (
                self.change_delay_seconds >= SHORTEST_DELAY_SECONDS,
                "the delay of weakening changes is at least 24 hours",
            ),
            (
                self.recovery_key.as_ref().is_none_or(|key| key.kind == KeyKind::Software),
                "the recovery key is a software key",
            ),
            (rules.software_keys || !software, "software keys are not allowed by its own rules"),
            (
                (1..=signers).contains(&rules.required_approvals),
                "required approvals are at least one and no more than can sign",
            ),
            (rules.decision_deadline_seconds > 0 && rules.access_ceiling_seconds > 0, "a time is at least one second"),
            (rules.witnesses_required <= rules.witnesses.len(), "it needs more witnesses than it names"),
            (!self.portal.origin.is_empty() && !self.portal.rp_id.is_empty(), "it names no portal"),
            (
                self.delegations.iter().all(|delegation| {
                    delegation.person != delegation.delegate
                        && persons.contains(&delegation.person)
                        && persons.contains(&delegation.delegate)
                        && is_time(&delegation.until)
                }),
                "a delegation names two different approvers and an end",
            ),
            (
                distinct(self.break_glass.iter().map(|rule| rule.policy))
                    && distinct(rules.witnesses.iter().map(|one| &one.key)),
                "a break-glass policy or a witness is listed twice",
            ),
            (self.break_glass.iter().all(narrow), "a break-glass policy names services, a ceiling, a quota and an end"),
            (is_time(&self.effective_at), "the time of effect is not RFC 3339 in UTC"),
        ];
        match demands.into_iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(Fault::Invalid(what)),
            None => Ok(()),
        }
    }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T> + Clone) -> bool {
    values.clone().collect::<BTreeSet<_>>().len() == values.count()
}

/// The fingerprint that a customer keeps: SHA-256 of the first statement, as eight groups of eight hexadecimal digits.
pub fn fingerprint(founding: &Statement) -> String {
    let digits = hex::encode(founding.hash());
    let groups: Vec<&str> = (0..64).step_by(8).map(|start| &digits[start..start + 8]).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Device, founding};

    #[test]
    fn the_hash_and_the_fingerprint_follow_every_field() {
        let (alex, dana) = (Device::new(), Device::new());
        let statement = founding(&[&alex, &dana]);
        let mut others = vec![statement.clone(); 6];
        others[0].approvers[0].email = "alex@evil.example".into();
        others[1].rules.required_approvals = 2;
        others[2].change_delay_seconds += 1;
        others[3].notification_recipients.push("security@contoso.example".into());
        others[4].portal.origin = "https://lockbox.adatum.example".into();
        others[5].approvers.swap(0, 1);
        for other in &others {
            assert_ne!(other.hash(), statement.hash());
            assert_ne!(other.challenge(), statement.challenge());
            assert_ne!(fingerprint(other), fingerprint(&statement));
        }
        let read: Statement = serde_json::from_value(statement.document()).unwrap();
        assert_eq!(read, statement);
        assert_eq!(fingerprint(&statement).split(' ').map(str::len).collect::<Vec<_>>(), [8; 8]);
    }

    #[test]
    fn a_statement_that_leaves_the_tenant_without_protection_is_not_valid() {
        let (alex, dana) = (Device::new(), Device::new());
        let good = founding(&[&alex, &dana]);
        assert_eq!(good.validate(), Ok(()));
        let bad = |change: fn(&mut Statement)| {
            let mut statement = good.clone();
            change(&mut statement);
            statement.validate()
        };
        for change in [
            (|statement| statement.change_signatures = 1) as fn(&mut Statement),
            |statement| statement.change_signatures = 3,
            |statement| statement.change_delay_seconds = 3600,
            |statement| statement.approvers.clear(),
            |statement| statement.approvers[1] = statement.approvers[0].clone(),
            |statement| statement.approvers[1].keys = statement.approvers[0].keys.clone(),
            |statement| statement.approvers[0].keys[0].public_key = "AAAA".into(),
            |statement| statement.approvers[0].keys.push(Device::software().key),
            |statement| statement.rules.required_approvals = 3,
            |statement| statement.rules.required_approvals = 0,
            |statement| statement.rules.witnesses_required = 1,
            |statement| statement.previous = Some("00".repeat(32)),
            |statement| statement.version = 2,
            |statement| statement.effective_at = "tomorrow".into(),
            |statement| statement.portal.rp_id.clear(),
            |statement| {
                let witness = |name: &str| Witness { name: name.into(), key: "w+00000000+k".into() };
                statement.rules.witnesses = vec![witness("one"), witness("two")];
            },
            |statement| {
                let (person, until) = (statement.approvers[0].person, statement.effective_at.clone());
                statement.delegations.push(Delegation { person, delegate: person, until });
            },
        ] {
            assert!(matches!(bad(change), Err(Fault::Invalid(_))));
        }
    }
}
