//! A decision as its approver signs it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::assertion::{self, Assertion};
use crate::fault::Fault;
use crate::key::{Key, KeyKind};
use crate::statement::Statement;

/// Purpose of the challenge of a decision.
const PURPOSE: &str = "lockbox/decision/v1";
/// How long a nonce of the server may be signed, in seconds.
pub const NONCE_LIFETIME_SECONDS: i64 = 120;

/// What an approver signs. Each field is in the event of the decision, so that anyone can compute the challenge again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Short name of the tenant.
    pub tenant: String,
    /// Version of the authority that is in force.
    pub authority_version: u64,
    /// The request.
    pub request: Uuid,
    /// Digest of the request's content, in hexadecimal digits.
    pub digest: String,
    /// `approve` or `deny`.
    pub verdict: String,
    /// Internal id of the person who decides.
    pub person: Uuid,
    /// Access that is granted, in seconds.
    pub duration_seconds: i64,
    /// Service of the request.
    pub service: String,
    /// Resource of the request.
    pub resource: String,
    /// `read_only` or `read_write`.
    pub access_level: String,
    /// Commitment to the comment, in hexadecimal digits; none without a comment.
    pub comment: Option<String>,
    /// Random value of the server, in base64url without padding.
    pub nonce: String,
    /// The signature counts until then (RFC 3339, UTC, as in [`time_text`]).
    pub not_after: String,
}

/// A time as signed documents hold it: RFC 3339 in UTC with microseconds.
pub fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A decision with the assertion that signed it, as the member `signature` of an event holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDecision {
    /// What was signed.
    pub decision: Decision,
    /// What the key made.
    pub assertion: Assertion,
}

impl Decision {
    /// The challenge that the approver's key signs.
    pub fn challenge(&self) -> [u8; 32] {
        // Fails only for maps whose keys are no strings, and there is none.
        crate::challenge(PURPOSE, &serde_json::to_value(self).unwrap_or_default())
    }

    /// Verifies that an approver of the authority in force made this decision at `at`; answers with the key.
    ///
    /// # Errors
    /// The first [`Fault`] that is found.
    pub fn verify<'a>(
        &self,
        authority: &'a Statement,
        assertion: &Assertion,
        at: DateTime<Utc>,
    ) -> Result<&'a Key, Fault> {
        if self.tenant != authority.tenant {
            return Err(Fault::Tenant(self.tenant.clone()));
        }
        if self.authority_version != authority.version {
            return Err(Fault::AuthorityVersion { found: self.authority_version, expected: authority.version });
        }
        let end =
            DateTime::parse_from_rfc3339(&self.not_after).map_err(|_| Fault::Unreadable("the end of validity"))?;
        if at > end {
            return Err(Fault::Stale(self.not_after.clone()));
        }
        if end - TimeDelta::seconds(NONCE_LIFETIME_SECONDS) > at {
            return Err(Fault::TooLong(self.not_after.clone()));
        }
        let (owner, key) =
            authority.key(assertion.key()).ok_or_else(|| Fault::UnknownKey(assertion.key().to_owned()))?;
        if owner.person != self.person {
            return Err(Fault::OthersKey { key: key.id.clone(), person: self.person.to_string() });
        }
        if !authority.decides_about(owner, &self.service, at) {
            return Err(Fault::NotApprover(self.service.clone()));
        }
        if key.kind == KeyKind::Software && !authority.rules.software_keys {
            return Err(Fault::SoftwareKey);
        }
        assertion::verify(key, &authority.portal, &self.challenge(), assertion)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};

    use super::*;
    use crate::statement::Delegation;
    use crate::testing::{Device, founding};

    fn end() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 12, 1, 9, 2, 0).unwrap()
    }

    fn decision() -> Decision {
        Decision {
            tenant: "contoso".into(),
            authority_version: 1,
            request: Uuid::from_u128(77),
            digest: "ab".repeat(32),
            verdict: "approve".into(),
            person: Uuid::from_u128(1),
            duration_seconds: 1800,
            service: "sharepoint".into(),
            resource: "https://contoso.example/sites/finance".into(),
            access_level: "read_only".into(),
            comment: None,
            nonce: "bm9uY2U".into(),
            not_after: time_text(end()),
        }
    }

    #[test]
    fn a_signature_holds_for_exactly_one_decision() {
        let (alex, dana) = (Device::new(), Device::new());
        let authority = founding(&[&alex, &dana]);
        let signed = decision();
        let assertion = alex.sign(&signed.challenge());
        let now = end() - TimeDelta::seconds(60);
        assert_eq!(signed.verify(&authority, &assertion, now).map(|key| &key.id), Ok(&alex.key.id));
        let edits: [fn(&mut Decision); 9] = [
            |decision| decision.request = Uuid::from_u128(78),
            |decision| decision.digest = "cd".repeat(32),
            |decision| decision.verdict = "deny".into(),
            |decision| decision.duration_seconds = 3600,
            |decision| decision.resource = "https://contoso.example/".into(),
            |decision| decision.access_level = "read_write".into(),
            |decision| decision.comment = Some("00".repeat(32)),
            |decision| decision.nonce = "b3RoZXI".into(),
            |decision| decision.not_after = time_text(end() + TimeDelta::seconds(1)),
        ];
        for edit in edits {
            let mut other = signed.clone();
            edit(&mut other);
            assert_eq!(other.verify(&authority, &assertion, now), Err(Fault::Challenge), "{other:?}");
        }
        let other = Decision { person: Uuid::from_u128(2), ..signed.clone() };
        assert!(matches!(other.verify(&authority, &assertion, now), Err(Fault::OthersKey { .. })));
        let late = end() + TimeDelta::seconds(1);
        assert!(matches!(signed.verify(&authority, &assertion, late), Err(Fault::Stale(_))));
        let early = end() - TimeDelta::seconds(121);
        assert!(matches!(signed.verify(&authority, &assertion, early), Err(Fault::TooLong(_))));
        assert!(signed.verify(&authority, &assertion, end() - TimeDelta::seconds(120)).is_ok());
    }

    #[test]
    fn only_an_approver_for_the_service_with_a_key_that_the_authority_allows_decides() {
        let (alex, mallory, software) = (Device::new(), Device::new(), Device::software());
        let mut authority = founding(&[&alex]);
        let signed = decision();
        let now = end();
        let judge = |authority: &Statement, device: &Device| {
            signed.verify(authority, &device.sign(&signed.challenge()), now).map(|key| key.id.clone())
        };
        assert_eq!(judge(&authority, &mallory), Err(Fault::UnknownKey(mallory.key.id.clone())));
        authority.approvers[0].keys.push(software.key.clone());
        assert_eq!(judge(&authority, &software), Err(Fault::SoftwareKey));
        authority.rules.software_keys = true;
        assert_eq!(judge(&authority, &software), Ok(software.key.id.clone()));
        authority.approvers[0].services = vec!["onedrive".into()];
        assert_eq!(judge(&authority, &alex), Err(Fault::NotApprover("sharepoint".into())));
        authority.approvers.push(crate::testing::approver("dana", 2, &mallory));
        let until = time_text(now + TimeDelta::seconds(1));
        authority.delegations = vec![Delegation { person: Uuid::from_u128(2), delegate: Uuid::from_u128(1), until }];
        assert_eq!(judge(&authority, &alex), Ok(alex.key.id.clone()), "on behalf of dana");
        authority.delegations[0].until = time_text(now);
        assert_eq!(judge(&authority, &alex), Err(Fault::NotApprover("sharepoint".into())), "the delegation is over");
        authority.version = 2;
        assert_eq!(judge(&authority, &alex), Err(Fault::AuthorityVersion { found: 1, expected: 2 }));
    }
}
