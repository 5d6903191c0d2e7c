//! What a batch has read: the locked requests, the people and the clock, all at one point in time.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use consent::Statement;
use domain::{Person, PersonId, PolicyUsage, Request, Tenant};
use uuid::Uuid;

use crate::authority::nonces::Nonce;

/// The rows that a batch needs.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The database's clock, read after all locks were acquired.
    pub now: DateTime<Utc>,
    /// Messages that were not processed before.
    pub fresh: HashSet<Uuid>,
    /// Requests by id.
    pub requests: HashMap<Uuid, Request>,
    /// Open requests by tenant's name and service request number.
    pub tickets: HashMap<(String, String), Vec<Uuid>>,
    /// Requests whose provisioning is not confirmed as revoked.
    pub unconfirmed: HashSet<Uuid>,
    /// Armed timers: `(request, kind)` → `(generation, due)`.
    pub timers: HashMap<(Uuid, String), (i32, DateTime<Utc>)>,
    /// People by short name.
    pub people: HashMap<String, Person>,
    /// Tenants by short name.
    pub tenants: HashMap<String, Tenant>,
    /// Managers of the vendor.
    pub managers: Vec<Person>,
    /// Approvers of the requested tenants.
    pub approvers: Vec<Person>,
    /// People who decided on the requests, with the request and the stage.
    pub approver_rules: Vec<(Uuid, String, PersonId)>,
    /// Number of other active grants to the same content, by request; absent when there are none.
    pub also_open: HashMap<Uuid, i64>,
    /// Passkeys by id, with their owners and records.
    pub passkeys: HashMap<String, (PersonId, serde_json::Value)>,
    /// Statements in force, by authority; absent for one that is not founded.
    pub authorities: HashMap<String, Statement>,
    /// Nonces that decisions of the batch use.
    pub nonces: HashMap<String, Nonce>,
    /// Break-glass policies: those of the requests for break-glass access, and those that submissions name.
    pub policies: Vec<(String, PolicyUsage)>,
    /// Services added in the configuration.
    pub services: Vec<String>,
    /// Which login may send which command.
    pub producers: HashSet<(String, String)>,
}

impl Snapshot {
    /// Whether `login` may send `command`, named without prefix and version.
    pub fn may_send(&self, login: Option<&str>, command: &str) -> bool {
        login.is_some_and(|login| self.producers.contains(&(login.to_owned(), command.to_owned())))
    }

    /// The break-glass policy of a tenant with this name.
    pub fn policy_named(&self, tenant: &str, name: &str) -> Option<&PolicyUsage> {
        let found = self
            .policies
            .iter()
            .find(|(of, policy_usage)| of == tenant && policy_usage.policy.name == name && !policy_usage.ended);
        found.map(|(_, policy_usage)| policy_usage)
    }

    /// The break-glass policy of a request.
    pub fn policy_of(&self, request: &Request) -> Option<&PolicyUsage> {
        let asked = request.content.break_glass.as_ref()?;
        self.policies
            .iter()
            .map(|(_, policy_usage)| policy_usage)
            .find(|policy_usage| policy_usage.policy.id == asked.policy)
    }

    /// The person with this id, if loaded.
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.values().chain(&self.managers).chain(&self.approvers).find(|person| person.id == id)
    }
}
