//! Finds every fault of a directory file in one pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::{Role, policy};

use super::{Directory, PersonEntry, TenantEntry, WitnessEntry, parse_seconds};
use crate::kinds::{Kind, PREFIX};

/// One fault of a directory file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryFault {
    /// Where, such as `tenants.contoso.approvers`.
    pub place: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl fmt::Display for DirectoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

#[derive(Default)]
struct Faults(Vec<DirectoryFault>);

impl Faults {
    fn add(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        self.0.push(DirectoryFault { place: place.into(), problem: problem.into() });
    }
}

/// A short name: lower-case letters, digits, `-`, `_` and `.`, at most 64.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
}

/// Whether the text has the form of an e-mail address.
pub fn is_address(address: &str) -> bool {
    let parts = address.split_once('@');
    parts.is_some_and(|(local, host)| !local.is_empty() && host.contains('.') && !host.contains('@'))
        && address.len() <= 254
        && !address.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ','))
}

impl Directory {
    /// Every fault; empty when the file can be applied.
    pub fn faults(&self) -> Vec<DirectoryFault> {
        let mut faults = Faults::default();
        self.check_producers(&mut faults);
        for service in self.services.iter().filter(|service| !is_name(service)) {
            faults.add(format!("services.{service}"), NAME_RULE);
        }
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let mut sides: BTreeMap<String, String> = BTreeMap::new();
        for person in &self.vendor.people {
            check_person(person, "vendor", &mut names, &mut sides, &mut faults);
            if person.known_roles().any(|role| role == Role::Approver) {
                let place = format!("vendor.people.{}", person.name);
                faults.add(place, "a person of the vendor cannot be an approver of a tenant");
            }
        }
        let mut tenants = BTreeSet::new();
        for tenant in &self.tenants {
            if !tenants.insert(&tenant.name) {
                faults.add(format!("tenants.{}", tenant.name), "is listed more than once");
            }
            self.check_tenant(tenant, &mut names, &mut sides, &mut faults);
        }
        faults.0
    }

    fn check_producers(&self, faults: &mut Faults) {
        for producer in &self.producers {
            for command in &producer.may {
                let known = Kind::parse(&format!("{PREFIX}{command}.v1")).is_some_and(Kind::is_command);
                if !known {
                    let all: Vec<_> = Kind::ALL
                        .iter()
                        .filter(|kind| kind.is_command())
                        .filter_map(|kind| kind.key().strip_suffix(".v1"))
                        .collect();
                    let problem = format!("{command:?} is not a command; use one of {}", all.join(", "));
                    faults.add(format!("producers.{}", producer.login), problem);
                }
            }
        }
    }

    fn known_service(&self, service: &str) -> bool {
        policy::SERVICES.contains(&service) || self.services.iter().any(|added| added == service)
    }

    fn check_tenant<'a>(
        &self,
        tenant: &'a TenantEntry,
        names: &mut BTreeMap<&'a str, String>,
        sides: &mut BTreeMap<String, String>,
        faults: &mut Faults,
    ) {
        let place = format!("tenants.{}", tenant.name);
        if !is_name(&tenant.name) {
            faults.add(&*place, NAME_RULE);
        }
        if tenant.display_name.trim().is_empty() {
            faults.add(format!("{place}.display_name"), "must not be empty");
        }
        for person in &tenant.people {
            check_person(person, &tenant.name, names, sides, faults);
            if person.known_roles().any(|role| role != Role::Auditor) {
                let problem = "people of a customer can only have the role auditor here; list approvers under \
                               `approvers`";
                faults.add(format!("{place}.people.{}.roles", person.name), problem);
            }
        }
        let has_person = |name: &String| tenant.people.iter().any(|person| &person.name == name);
        for group in &tenant.groups {
            for member in group.members.iter().filter(|member| !has_person(member)) {
                let problem = format!("{member:?} is not a person of this tenant");
                faults.add(format!("{place}.groups.{}", group.name), problem);
            }
        }
        for approver in &tenant.approvers {
            let place = format!("{place}.approvers");
            match (&approver.person, &approver.group) {
                (Some(person), None) if !has_person(person) => {
                    faults.add(place.clone(), format!("{person:?} is not a person of this tenant"));
                }
                (None, Some(group)) if !tenant.groups.iter().any(|known| &known.name == group) => {
                    faults.add(place.clone(), format!("{group:?} is not a group of this tenant"));
                }
                (Some(_), None) | (None, Some(_)) => {}
                (None, None) | (Some(_), Some(_)) => {
                    faults.add(place.clone(), "each entry must name either a `person` or a `group`");
                }
            }
            for service in approver.services.iter().flatten().filter(|service| !self.known_service(service)) {
                faults.add(place.clone(), format!("{service:?} is not a service; add it under `services`"));
            }
            if approver.services.as_ref().is_some_and(Vec::is_empty) {
                faults.add(place, "an empty list of services allows no decision; omit the list for all services");
            }
        }
        for address in tenant.notification_recipients.iter().filter(|address| !is_address(address)) {
            faults.add(format!("{place}.notification_recipients"), format!("{address:?} is not an e-mail address"));
        }
        for reminder in tenant.rules.reminders.iter().flatten() {
            if let Err(problem) = parse_seconds(reminder) {
                faults.add(format!("{place}.rules.reminders"), problem);
            }
        }
        for (field, problem) in tenant.rules.resolve().faults() {
            faults.add(format!("{place}.rules.{field}"), problem);
        }
        check_witnesses(tenant, &place, faults);
    }
}

const NAME_RULE: &str = "a name has 1 to 64 of a-z, 0-9, '-', '_' and '.'";

/// Requiring more witnesses than there are would prevent all access.
fn check_witnesses(tenant: &TenantEntry, place: &str, faults: &mut Faults) {
    let mut names: Vec<&str> = tenant.witnesses.iter().map(WitnessEntry::name).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != tenant.witnesses.len() {
        faults.add(format!("{place}.witnesses"), "two witnesses have the same name");
    }
    for witness in &tenant.witnesses {
        // The key itself is base64, which may contain more `+` characters.
        if witness.key.splitn(3, '+').count() != 3 {
            faults.add(
                format!("{place}.witnesses"),
                format!("{:?} is not a key; the format is name+id+key", witness.key),
            );
        }
        if !["http://", "https://"].iter().any(|scheme| witness.url.starts_with(scheme)) {
            faults.add(
                format!("{place}.witnesses"),
                format!("{:?} is not a URL; it must start with http:// or https://", witness.url),
            );
        }
    }
    let required = tenant.rules.witnesses_required.unwrap_or_default();
    if required < 0 || usize::try_from(required).is_ok_and(|required| required > names.len()) {
        let problem = format!("{required} are required, but {} are listed", names.len());
        faults.add(format!("{place}.rules.witnesses_required"), problem);
    }
}

fn check_person<'a>(
    person: &'a PersonEntry,
    side: &str,
    names: &mut BTreeMap<&'a str, String>,
    sides: &mut BTreeMap<String, String>,
    faults: &mut Faults,
) {
    let place = format!("{side}.people.{}", person.name);
    if !is_name(&person.name) {
        faults.add(&*place, NAME_RULE);
    }
    if let Some(other) = names.insert(&person.name, side.to_owned()) {
        faults.add(&*place, format!("the name is already used in {other}"));
    }
    if person.display_name.trim().is_empty() || person.display_name.chars().any(char::is_control) {
        faults.add(format!("{place}.display_name"), "must be one line and must not be empty");
    }
    if !is_address(&person.email) {
        faults.add(format!("{place}.email"), format!("{:?} is not an e-mail address", person.email));
    }
    // The same mailbox on both sides would be one person who could give both approvals.
    if let Some(other) = sides.insert(person.email.to_lowercase(), side.to_owned()).filter(|other| other != side) {
        faults.add(format!("{place}.email"), format!("the address is already used by a person of {other}"));
    }
    for role in person.roles.iter().filter(|role| Role::parse(role).is_none()) {
        let problem = format!("{role:?} is not a role; use engineer, manager or auditor");
        faults.add(format!("{place}.roles"), problem);
    }
}
