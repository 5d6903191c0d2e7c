//! The content of a request: the exact bytes that approvers see and that their decisions are bound to.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::committed::CommittedText;
use crate::digest::Digest;
use crate::ids::{PersonId, RequestId, TenantId};
use crate::rules::Rules;

macro_rules! named_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name in messages and tables.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of this name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }
    };
}
pub(crate) use named_values;

named_values!(
    /// The reason category of a request.
    Category {
        /// The customer reported a fault.
        CustomerReported = "customer_reported",
        /// The vendor saw a fault.
        VendorDetected = "vendor_detected",
        /// Content must be repaired or restored.
        DataRepair = "data_repair",
        /// Content must be moved.
        Migration = "migration",
        /// A security incident is being investigated.
        SecurityInvestigation = "security_investigation",
        /// Any other reason; the justification explains it.
        Other = "other",
    }
);

named_values!(
    /// How urgent the service request is.
    Severity {
        /// Work is not affected.
        Low = "low",
        /// Work is impaired.
        Normal = "normal",
        /// The work of many people is impaired.
        High = "high",
        /// Work is not possible.
        Critical = "critical",
    }
);

named_values!(
    /// What the requester may do with the content.
    AccessLevel {
        /// Read, without changes.
        ReadOnly = "read_only",
        /// Read and change.
        ReadWrite = "read_write",
    }
);

/// The break-glass policy that a request uses, as it was at submission. The name and the digest bind the approvals of the
/// managers to exactly this policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass {
    /// Id of the policy.
    pub policy: Uuid,
    /// The tenant's name for it.
    pub name: String,
    /// SHA-256 over the stored bytes of the policy.
    pub digest: Digest,
}

/// One request for access, complete and checked. It never changes; a different request is a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The request that has this content.
    pub request: RequestId,
    /// The tenant whose content is requested.
    pub tenant: TenantId,
    /// The tenant's short name.
    pub tenant_name: String,
    /// Number in the ticketing system, such as `SR-2026-004711`.
    pub service_request: String,
    /// `exchange_online`, `onedrive`, `sharepoint` or one the deployment added.
    pub service: String,
    /// Mailbox address, site or folder URL.
    pub resource: String,
    /// Reason category.
    pub category: Category,
    /// Justification in the requester's words. The document contains only the commitment, so that the words can be redacted and
    /// the digest can still be computed.
    pub justification: CommittedText,
    /// Urgency.
    pub severity: Severity,
    /// What the requester may do with the content.
    pub access_level: AccessLevel,
    /// The requester.
    pub requester: PersonId,
    /// The requester's short name.
    pub requester_name: String,
    /// Requested duration in seconds.
    pub duration_seconds: i64,
    /// Access starts no earlier than this.
    pub start_time: Option<DateTime<Utc>>,
    /// The request whose access this request extends. Every extension needs its own approvals.
    pub extends: Option<RequestId>,
    /// The break-glass policy, for a request for break-glass access.
    pub break_glass: Option<BreakGlass>,
    /// The tenant's rules at submission.
    pub rules: Rules,
}

impl Content {
    /// The bytes that are stored and hashed: the document in RFC 8785 form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.document().to_string().into_bytes()
    }

    /// The document that is hashed, as the event `request.submitted` contains it: JSON with sorted keys, with integers and
    /// strings only (the subset of RFC 8785 that needs no number formatting).
    pub fn document(&self) -> Value {
        let rules = &self.rules;
        json!({
            "v": 1,
            "request": self.request.to_string(),
            "tenant": self.tenant.to_string(),
            "tenant_name": self.tenant_name,
            "service_request": self.service_request,
            "service": self.service,
            "resource": self.resource,
            "category": self.category.as_str(),
            "justification": {"committed": hex::encode(self.justification.commitment())},
            "severity": self.severity.as_str(),
            "access_level": self.access_level.as_str(),
            "requester": self.requester.to_string(),
            "requester_name": self.requester_name,
            "duration_seconds": self.duration_seconds,
            "start_time": self.start_time.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            "extends": self.extends.map(|request| request.to_string()),
            "break_glass": self.break_glass.as_ref().map(|break_glass| json!({
                "policy": break_glass.policy.to_string(),
                "name": break_glass.name,
                "digest": break_glass.digest.to_string(),
            })),
            "rules": {
                "review_deadline_seconds": rules.review_deadline_seconds,
                "decision_deadline_seconds": rules.decision_deadline_seconds,
                "access_default_seconds": rules.access_default_seconds,
                "access_ceiling_seconds": rules.access_ceiling_seconds,
                "required_approvals": rules.required_approvals,
                "comment_required": rules.comment_required,
                "passkey_required": rules.passkey_required,
                "reminders_seconds": rules.reminders_seconds,
            },
        })
    }

    /// Digest of [`Self::to_bytes`].
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Reads bytes written by [`Self::to_bytes`]; `None` for any other bytes. The justification is only its commitment; see
    /// [`Self::with_justification`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        let rules = &document["rules"];
        let extends = match document["extends"].as_str() {
            Some(request) => Some(request.parse().ok()?),
            None => None,
        };
        let access_level = AccessLevel::parse(document["access_level"].as_str()?)?;
        let break_glass = match &document["break_glass"] {
            Value::Null => None,
            rule => Some(BreakGlass {
                policy: rule["policy"].as_str()?.parse().ok()?,
                name: rule["name"].as_str()?.to_owned(),
                digest: rule["digest"].as_str()?.parse().ok()?,
            }),
        };
        let start_time = match &document["start_time"] {
            Value::Null => None,
            at => Some(DateTime::parse_from_rfc3339(at.as_str()?).ok()?.to_utc()),
        };
        Some(Self {
            request: document["request"].as_str()?.parse().ok()?,
            tenant: document["tenant"].as_str()?.parse().ok()?,
            tenant_name: text("tenant_name")?,
            service_request: text("service_request")?,
            service: text("service")?,
            resource: text("resource")?,
            category: Category::parse(document["category"].as_str()?)?,
            justification: CommittedText::unknown(
                document["justification"]["committed"].as_str()?.parse::<Digest>().ok()?.0,
            ),
            severity: Severity::parse(document["severity"].as_str()?)?,
            access_level,
            requester: document["requester"].as_str()?.parse().ok()?,
            requester_name: text("requester_name")?,
            duration_seconds: document["duration_seconds"].as_i64()?,
            start_time,
            extends,
            break_glass,
            rules: Rules {
                review_deadline_seconds: rules["review_deadline_seconds"].as_i64()?,
                decision_deadline_seconds: rules["decision_deadline_seconds"].as_i64()?,
                access_default_seconds: rules["access_default_seconds"].as_i64()?,
                access_ceiling_seconds: rules["access_ceiling_seconds"].as_i64()?,
                required_approvals: i32::try_from(rules["required_approvals"].as_i64()?).ok()?,
                comment_required: rules["comment_required"].as_bool()?,
                passkey_required: rules["passkey_required"].as_bool()?,
                reminders_seconds: rules["reminders_seconds"].as_array()?.iter().filter_map(Value::as_i64).collect(),
            },
        })
    }
}

impl Content {
    /// The content with the words and the salt of its justification, when they are at hand; `None` when they belong to
    /// another content.
    pub fn with_justification(mut self, words: Option<(&str, &[u8])>) -> Option<Self> {
        if let Some((text, salt)) = words {
            self.justification = self.justification.with_words(text, salt)?;
        }
        Some(self)
    }
}

/// Whether stored content allows its requester to change the resource. Content that does not state this clearly allows
/// reading only.
pub fn allows_writing(content: &[u8]) -> bool {
    let document: Value = serde_json::from_slice(content).unwrap_or_default();
    document["access_level"].as_str().and_then(AccessLevel::parse) == Some(AccessLevel::ReadWrite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_allows_writing_only_when_it_says_so() {
        assert!(allows_writing(br#"{"access_level":"read_write"}"#));
        for other in
            [&br#"{"access_level":"read_only"}"#[..], br#"{"access_level":["read_write"]}"#, b"{}", b"[]", b"not JSON"]
        {
            assert!(!allows_writing(other), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn content_survives_its_bytes_and_any_change_changes_the_digest() {
        let content = Content {
            request: RequestId(Uuid::from_u128(1)),
            tenant: TenantId(Uuid::from_u128(2)),
            tenant_name: "contoso".into(),
            service_request: "SR-2026-004711".into(),
            service: "sharepoint".into(),
            resource: "https://contoso.example/sites/finance".into(),
            category: Category::Other,
            justification: CommittedText::new("\"quotes\", umlauts äöü and\nlines".into(), [7; 32]),
            severity: Severity::Low,
            access_level: AccessLevel::ReadWrite,
            requester: PersonId(Uuid::from_u128(3)),
            requester_name: "robin".into(),
            duration_seconds: 60,
            start_time: Some(DateTime::UNIX_EPOCH),
            extends: Some(RequestId(Uuid::from_u128(4))),
            break_glass: Some(BreakGlass {
                policy: Uuid::from_u128(5),
                name: "night".into(),
                digest: Digest::of(b"rule"),
            }),
            rules: Rules { reminders_seconds: vec![60, 3600], ..Rules::default() },
        };
        let bytes = content.to_bytes();
        let bare = Content::from_bytes(&bytes).unwrap();
        assert_eq!((bare.digest(), bare.justification.text()), (content.digest(), crate::REDACTED));
        let words = Some((content.justification.text(), &[7; 32][..]));
        assert_eq!(bare.clone().with_justification(words).as_ref(), Some(&content));
        assert_eq!(bare.clone().with_justification(Some(("other words", &[7; 32][..]))), None);
        assert_eq!(bare.clone().with_justification(None), Some(bare));
        let longer = Content { duration_seconds: 61, ..content.clone() };
        assert_ne!(longer.digest(), content.digest());
        let changing = Content { access_level: AccessLevel::ReadOnly, ..content.clone() };
        assert_ne!(changing.digest(), content.digest());
        let without = String::from_utf8(bytes).unwrap().replace("\"access_level\":\"read_write\",", "");
        assert_eq!(Content::from_bytes(without.as_bytes()), None, "every field is required");
        assert_eq!(Content::from_bytes(b"{}"), None);
    }
}
