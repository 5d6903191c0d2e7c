//! Alarms: what the monitor tells people, in sentences, with the entry that they are about and what to do.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tlog::Hash;

/// Kinds of alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two signed checkpoints of the log exclude each other.
    Fork,
    /// The log shows fewer entries than it showed before.
    Rollback,
    /// A checkpoint has no valid signature by a trusted key, or cannot be read.
    Signature,
    /// The entries that the portal serves do not lead to the signed root.
    EntriesDiffer,
    /// A decision has no valid signature by a person of the authority.
    UnsignedDecision,
    /// Access was granted without the consent that the rules require.
    GrantWithoutConsent,
    /// Access was used outside of a grant.
    UseOutsideGrant,
    /// The time of an entry does not fit the time at which the log received it.
    BackdatedEntry,
    /// A statement of the authority is not valid.
    AuthorityInvalid,
    /// Another rule of the audit format is broken.
    RuleBroken,
    /// Access ended, and the target system has not confirmed it.
    RevocationUnconfirmed,
    /// The log contains no recent heartbeat.
    HeartbeatMissing,
    /// The log cannot be read.
    Unreachable,
    /// The vendor proposes a change of the authority.
    DirectoryProposal,
    /// The authority changed.
    AuthorityChange,
    /// Another key signs the log.
    KeyChange,
}

/// Every kind, in the order of severity.
pub const KINDS: [Kind; 16] = [
    Kind::Fork,
    Kind::Rollback,
    Kind::Signature,
    Kind::EntriesDiffer,
    Kind::UnsignedDecision,
    Kind::GrantWithoutConsent,
    Kind::UseOutsideGrant,
    Kind::BackdatedEntry,
    Kind::AuthorityInvalid,
    Kind::RuleBroken,
    Kind::RevocationUnconfirmed,
    Kind::HeartbeatMissing,
    Kind::Unreachable,
    Kind::DirectoryProposal,
    Kind::AuthorityChange,
    Kind::KeyChange,
];

impl Kind {
    /// Name for programs, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Rollback => "rollback",
            Self::Signature => "signature",
            Self::EntriesDiffer => "entries_differ",
            Self::UnsignedDecision => "unsigned_decision",
            Self::GrantWithoutConsent => "grant_without_consent",
            Self::UseOutsideGrant => "use_outside_grant",
            Self::BackdatedEntry => "backdated_entry",
            Self::AuthorityInvalid => "authority_invalid",
            Self::RuleBroken => "rule_broken",
            Self::RevocationUnconfirmed => "revocation_unconfirmed",
            Self::HeartbeatMissing => "heartbeat_missing",
            Self::Unreachable => "unreachable",
            Self::DirectoryProposal => "directory_proposal",
            Self::AuthorityChange => "authority_change",
            Self::KeyChange => "key_change",
        }
    }

    /// Title for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Fork => "The log was forked",
            Self::Rollback => "The log was rolled back",
            Self::Signature => "A checkpoint is not signed by a trusted key",
            Self::EntriesDiffer => "Entries differ from the signed log",
            Self::UnsignedDecision => "A decision is not signed by an approver",
            Self::GrantWithoutConsent => "Access was granted without consent",
            Self::UseOutsideGrant => "Access was used outside of a grant",
            Self::BackdatedEntry => "An entry has a wrong time",
            Self::AuthorityInvalid => "A change of the authority is not valid",
            Self::RuleBroken => "An entry breaks a rule",
            Self::RevocationUnconfirmed => "The end of access is not confirmed",
            Self::HeartbeatMissing => "The log has no recent heartbeat",
            Self::Unreachable => "The log cannot be read",
            Self::DirectoryProposal => "The vendor proposes a change",
            Self::AuthorityChange => "The authority changed",
            Self::KeyChange => "Another key signs the log",
        }
    }

    /// What the reader can do.
    pub fn action(self) -> &'static str {
        match self {
            Self::Fork => {
                "Keep the file checkpoints.txt of the monitor: both signed checkpoints in it prove that the vendor showed \
                 different logs. Deny every request and contact the vendor's security team."
            }
            Self::Rollback => {
                "Ask the vendor whether a backup was restored. Keep the folder of the monitor: its entries are missing in \
                 the log of the vendor."
            }
            Self::Signature => {
                "Compare the key with the one that you received from the vendor. If the vendor changed its key, give the \
                 monitor the new key with --key."
            }
            Self::EntriesDiffer => "Ask the vendor for an evidence bundle and verify it with `lockbox audit verify`.",
            Self::UnsignedDecision | Self::GrantWithoutConsent => {
                "Ask the person who is named whether they decided. Revoke the access in the portal and contact the vendor's \
                 security team: someone wrote a decision that your approvers did not sign."
            }
            Self::UseOutsideGrant => {
                "Ask the vendor who used the access. Revoke all access to the resource in the portal until it is explained."
            }
            Self::BackdatedEntry => {
                "Ask the vendor why the time is wrong. An entry with a wrong time can hide when something was done."
            }
            Self::AuthorityInvalid => {
                "Your approvers did not sign this change. It never takes effect for a verifier. Contact the vendor's \
                 security team."
            }
            Self::RuleBroken => {
                "Verify an evidence bundle with `lockbox audit verify` and ask the vendor for an explanation."
            }
            Self::RevocationUnconfirmed => "Ask the vendor whether the access is removed from the target system.",
            Self::HeartbeatMissing | Self::Unreachable => {
                "Check the network and ask the vendor whether Lockbox is running. Until the log can be read, nothing shows \
                 what the vendor does."
            }
            Self::DirectoryProposal => "Open the portal. Your approvers decide whether to sign the change.",
            Self::AuthorityChange => {
                "Compare the change with what your approvers signed. They can withdraw a change that weakens protection \
                 until it takes effect."
            }
            Self::KeyChange => "Compare the new key with the one that the vendor announced through another channel.",
        }
    }

    /// Whether it informs about something that can be legitimate, rather than about something wrong.
    pub fn is_information(self) -> bool {
        matches!(self, Self::DirectoryProposal | Self::AuthorityChange | Self::KeyChange)
    }

    /// Exit code of `--once`, as those of `lockbox audit verify`; 0 for information.
    pub fn code(self) -> u8 {
        match self {
            Self::Signature => 10,
            Self::EntriesDiffer => 11,
            Self::Fork => 13,
            Self::Rollback | Self::HeartbeatMissing | Self::Unreachable => 14,
            Self::RuleBroken | Self::UseOutsideGrant | Self::BackdatedEntry | Self::RevocationUnconfirmed => 16,
            Self::UnsignedDecision | Self::GrantWithoutConsent | Self::AuthorityInvalid => 17,
            Self::DirectoryProposal | Self::AuthorityChange | Self::KeyChange => 0,
        }
    }
}

/// An alarm before it has a time: what was found and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Kind.
    pub kind: Kind,
    /// What distinguishes it from other alarms of the kind, so that it is raised once.
    pub about: String,
    /// What happened, in a sentence.
    pub message: String,
    /// Index of the entry.
    pub index: Option<u64>,
    /// Id of the event.
    pub event: Option<String>,
    /// Id of the request.
    pub request: Option<String>,
}

impl Raised {
    /// An alarm that is about no entry.
    pub fn new(kind: Kind, about: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, about: about.into(), message: message.into(), index: None, event: None, request: None }
    }

    /// The same alarm, about an entry and its event.
    pub fn at(self, index: u64, event: Option<&evidence::Event>) -> Self {
        Self {
            index: Some(index),
            event: event.map(|event| event.id.to_string()),
            request: event.and_then(|event| event.request.clone()),
            ..self
        }
    }

    /// The alarm, raised at this time, with the leaf hash of its entry.
    pub fn alarm(self, now: DateTime<Utc>, leaf: Option<Hash>) -> Alarm {
        Alarm {
            id: format!("{}/{}", self.kind.name(), self.about),
            kind: self.kind,
            title: self.kind.title().to_owned(),
            message: self.message,
            action: self.kind.action().to_owned(),
            raised_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            index: self.index,
            leaf: leaf.map(|leaf| hex::encode(leaf.0)),
            event: self.event,
            request: self.request,
        }
    }
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Identifies it: an alarm with the same id is raised once.
    pub id: String,
    /// Kind.
    pub kind: Kind,
    /// Title of the kind.
    pub title: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do.
    pub action: String,
    /// When the monitor raised it (RFC 3339, UTC).
    pub raised_at: String,
    /// Index of the entry.
    pub index: Option<u64>,
    /// Leaf hash of the entry, in hexadecimal digits.
    pub leaf: Option<String>,
    /// Id of the event.
    pub event: Option<String>,
    /// Id of the request.
    pub request: Option<String>,
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}\n  raised      {}", self.title, self.message, self.raised_at)?;
        if let (Some(index), Some(leaf)) = (self.index, &self.leaf) {
            write!(f, "\n  entry       {index}, leaf hash {leaf}")?;
        }
        for (name, value) in [("event  ", &self.event), ("request", &self.request)] {
            if let Some(value) = value {
                write!(f, "\n  {name}     {value}")?;
            }
        }
        write!(f, "\n  what to do  {}", self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_has_the_same_name_in_json() {
        for (place, kind) in KINDS.iter().enumerate() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(KINDS.iter().position(|one| one == kind), Some(place));
            assert_eq!(kind.code() == 0, kind.is_information());
        }
    }
}
