//! The directory file (`lockbox apply -f directory.yaml`): tenants, people, roles, rules and broker logins. A check reports
//! every fault at once.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Role, Rules};
use serde::{Deserialize, Deserializer, Serialize};

mod check;
mod seconds;

pub use check::{DirectoryFault, is_address};
pub use seconds::{format_seconds, parse_seconds};

/// A directory file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Broker logins and the commands each may send.
    #[serde(default)]
    pub producers: Vec<Producer>,
    /// Services in addition to `exchange_online`, `onedrive` and `sharepoint`.
    #[serde(default)]
    pub services: Vec<String>,
    /// The vendor's people.
    #[serde(default)]
    pub vendor: Vendor,
    /// The customers.
    #[serde(default)]
    pub tenants: Vec<TenantEntry>,
}

/// A broker login.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Producer {
    /// Login name at the broker.
    pub login: String,
    /// Commands it may send, without prefix and version: `request.submit`.
    pub may: Vec<String>,
}

/// The vendor's side.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vendor {
    /// People with the roles engineer, manager or auditor.
    #[serde(default)]
    pub people: Vec<PersonEntry>,
}

/// A person.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonEntry {
    /// Short name, unique in the whole deployment.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Where mail goes.
    pub email: String,
    /// Roles; approvers are named under the tenant's `approvers`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `false` disables the person.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// A customer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantEntry {
    /// Short name.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// `false` makes the tenant accept no new requests.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its people.
    #[serde(default)]
    pub people: Vec<PersonEntry>,
    /// Groups of its people.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// Its approvers.
    #[serde(default)]
    pub approvers: Vec<ApproverEntry>,
    /// Additional addresses that receive notifications.
    #[serde(default)]
    pub notification_recipients: Vec<String>,
    /// Rules that differ from the defaults.
    #[serde(default)]
    pub rules: RulesEntry,
    /// Witnesses of its audit log.
    #[serde(default)]
    pub witnesses: Vec<WitnessEntry>,
    /// Whether anyone may read its audit log at the portal without a token.
    #[serde(default)]
    pub public_log: bool,
}

/// A witness: a program that the customer, or a party it trusts, operates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessEntry {
    /// URL of the witness.
    pub url: String,
    /// Its public key, as `lockbox witness` prints it: name, id and key.
    pub key: String,
}

impl WitnessEntry {
    /// The name in its key.
    pub fn name(&self) -> &str {
        self.key.split('+').next().unwrap_or_default()
    }
}

/// The approvers of one tenant: groups, and people or groups per service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ApproverRules {
    /// Groups of its people.
    pub groups: Vec<Group>,
    /// Who approves for which services.
    pub approvers: Vec<ApproverEntry>,
}

/// A group of people of one tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name, unique in the tenant.
    pub name: String,
    /// Short names of people.
    pub members: Vec<String>,
}

/// A person or group that approves, and for which services.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverEntry {
    /// A person's short name.
    #[serde(default)]
    pub person: Option<String>,
    /// Or a group's name.
    #[serde(default)]
    pub group: Option<String>,
    /// Only for these services; all when absent.
    #[serde(default)]
    pub services: Option<Vec<String>>,
}

/// Rules; an absent rule has its default. Durations are written as `45s`, `30m`, `12h`, `2d`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesEntry {
    /// Time for the vendor review.
    #[serde(default, deserialize_with = "seconds")]
    pub review_deadline: Option<i64>,
    /// Time for the customer's decision: 12 hours by default.
    #[serde(default, deserialize_with = "seconds")]
    pub decision_deadline: Option<i64>,
    /// Duration of a request that names none.
    #[serde(default, deserialize_with = "seconds")]
    pub access_default: Option<i64>,
    /// Longest access.
    #[serde(default, deserialize_with = "seconds")]
    pub access_ceiling: Option<i64>,
    /// Required approvals.
    #[serde(default)]
    pub required_approvals: Option<i32>,
    /// Whether decisions need a comment.
    #[serde(default)]
    pub comment_required: Option<bool>,
    /// Whether an approval must be signed with a passkey.
    #[serde(default)]
    pub passkey_required: Option<bool>,
    /// How many witnesses must have signed both approvals before access opens. 0 requires only the log's own signature; absent
    /// requires no proof.
    #[serde(default)]
    pub witnesses_required: Option<i32>,
    /// When approvers are reminded, before the customer's deadline: at half time and one hour before unless set.
    #[serde(default)]
    pub reminders: Option<Vec<String>>,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_seconds(&text).map_err(serde::de::Error::custom)).transpose()
}

impl RulesEntry {
    /// The rules with defaults. The default duration is never above the ceiling.
    pub fn resolve(&self) -> Rules {
        let standard = Rules::default();
        let ceiling = self.access_ceiling.unwrap_or(standard.access_ceiling_seconds);
        let deadline = self.decision_deadline.unwrap_or(standard.decision_deadline_seconds);
        Rules {
            review_deadline_seconds: self.review_deadline.unwrap_or(standard.review_deadline_seconds),
            decision_deadline_seconds: deadline,
            access_default_seconds: self.access_default.unwrap_or(standard.access_default_seconds.min(ceiling)),
            access_ceiling_seconds: ceiling,
            required_approvals: self.required_approvals.unwrap_or(standard.required_approvals),
            comment_required: self.comment_required.unwrap_or(standard.comment_required),
            passkey_required: self.passkey_required.unwrap_or(standard.passkey_required),
            reminders_seconds: match &self.reminders {
                Some(times) => times.iter().map(|text| parse_seconds(text).unwrap_or(-1)).collect(),
                None => Rules::usual_reminders(deadline),
            },
        }
    }
}

impl TenantEntry {
    /// The approvers.
    pub fn approver_rules(&self) -> ApproverRules {
        ApproverRules { groups: self.groups.clone(), approvers: self.approvers.clone() }
    }
}

impl ApproverRules {
    /// Who approves: person name → services (`None` is all services).
    pub fn assignments(&self) -> BTreeMap<String, BTreeSet<Option<String>>> {
        let mut assignments: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
        for entry in &self.approvers {
            let members = self.groups.iter().filter(|group| Some(&group.name) == entry.group.as_ref());
            let names = entry.person.iter().chain(members.flat_map(|group| &group.members));
            for name in names {
                let services = assignments.entry(name.clone()).or_default();
                match &entry.services {
                    None => {
                        services.insert(None);
                    }
                    Some(only) => services.extend(only.iter().cloned().map(Some)),
                }
            }
        }
        assignments
    }
}

impl PersonEntry {
    /// The named roles that exist.
    pub fn known_roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.roles.iter().filter_map(|name| Role::parse(name))
    }
}
