//! The form with the approvers of a tenant: people and groups for each service, and whether it is valid.

use std::collections::BTreeSet;

use contracts::directory::{ApproverEntry, ApproverRules, Group};
use domain::{Person, Tenant};

use crate::refused::Problem;

/// Longest name of a group, in characters.
const NAME_LIMIT: usize = 40;

/// A checkbox.
pub(super) struct Checkbox {
    pub value: String,
    pub label: String,
    pub on: bool,
}

/// A person or a group, with the services that they approve.
pub(super) struct ApproverRow {
    pub name: String,
    pub is_group: bool,
    pub checkboxes: Vec<Checkbox>,
}

/// A group, with its members.
pub(super) struct GroupRow {
    pub name: String,
    pub checkboxes: Vec<Checkbox>,
    /// Whether the group is marked for removal.
    pub is_dropped: bool,
}

/// The form as the page shows it.
pub(super) struct ApproversForm {
    pub rows: Vec<ApproverRow>,
    pub groups: Vec<GroupRow>,
    /// People who can be members of the new group.
    pub people: Vec<Checkbox>,
    /// Name of the new group.
    pub new_group: String,
}

/// What an approver entered.
pub(super) struct ApproversInput {
    rules: ApproverRules,
    new_group: Group,
    dropped: Vec<String>,
}

/// The form with the current approvers, or with what was entered into a form that was refused.
pub(super) fn approvers_form(
    current: &ApproverRules,
    refused: Option<&ApproversInput>,
    people: &[Person],
    services: &[String],
) -> ApproversForm {
    let set = refused.map_or(current, |refused| &refused.rules);
    let row = |kind: &str, key: &str, name: &str| {
        let entries = || {
            set.approvers.iter().filter(move |entry| {
                let named = if kind == "group" { &entry.group } else { &entry.person };
                named.as_deref() == Some(key)
            })
        };
        let everything = entries().any(|entry| entry.services.is_none());
        let has = |service: &str| entries().any(|entry| entry.services.iter().flatten().any(|only| only == service));
        let first = Checkbox { value: format!("{kind}/{key}/*"), label: "All services".to_owned(), on: everything };
        let rest = services.iter().map(|service| Checkbox {
            value: format!("{kind}/{key}/{service}"),
            label: domain::titles::service(service),
            on: has(service),
        });
        let checkboxes = std::iter::once(first).chain(rest).collect();
        ApproverRow { name: name.to_owned(), is_group: kind == "group", checkboxes }
    };
    let groups = set.groups.iter().map(|group| row("group", &group.name, &group.name));
    let persons = people.iter().map(|person| row("person", &person.name, &person.display_name));
    let rows = persons.chain(groups).collect();
    let groups = set.groups.iter().map(|group| GroupRow {
        name: group.name.clone(),
        checkboxes: people
            .iter()
            .map(|person| Checkbox {
                value: format!("{}/{}", group.name, person.name),
                label: person.display_name.clone(),
                on: group.members.contains(&person.name),
            })
            .collect(),
        is_dropped: refused.is_some_and(|refused| refused.dropped.contains(&group.name)),
    });
    let is_new = |person: &Person| refused.is_some_and(|refused| refused.new_group.members.contains(&person.name));
    let checkbox = |person: &Person| Checkbox {
        value: person.name.clone(),
        label: person.display_name.clone(),
        on: is_new(person),
    };
    let new_group = refused.map(|refused| refused.new_group.name.clone()).unwrap_or_default();
    ApproversForm { rows, groups: groups.collect(), people: people.iter().map(checkbox).collect(), new_group }
}

/// Every value of a field.
pub(super) fn values<'a>(sent: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    sent.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}

impl ApproversInput {
    /// What was entered, valid or not. Unknown people, groups and services are left out.
    pub fn of(sent: &[(String, String)], people: &[Person], services: &[String]) -> Self {
        let is_person = |name: &str| people.iter().any(|person| person.name == name);
        let members = |of: &str| {
            let pairs = values(sent, "member").filter_map(|pair| pair.split_once('/'));
            pairs.filter(|(group, name)| *group == of && is_person(name)).map(|(_, name)| name.to_owned()).collect()
        };
        let groups: Vec<Group> =
            values(sent, "group").map(|name| Group { name: name.to_owned(), members: members(name) }).collect();
        let new_group = Group {
            name: values(sent, "new_group").next().unwrap_or_default().trim().to_owned(),
            members: values(sent, "new_member").filter(|name| is_person(name)).map(str::to_owned).collect(),
        };
        let mut approvers: Vec<ApproverEntry> = Vec::new();
        for grant in values(sent, "grant") {
            let mut parts = grant.splitn(3, '/');
            let (Some(kind), Some(name), Some(service)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let is_group = || groups.iter().chain([&new_group]).any(|group| group.name == name);
            let known = if kind == "group" { is_group() } else { is_person(name) };
            if !known || (service != "*" && !services.iter().any(|there| there == service)) {
                continue;
            }
            let services = (service != "*").then(|| vec![service.to_owned()]);
            let (person, group) = if kind == "group" { (None, Some(name)) } else { (Some(name), None) };
            approvers.push(ApproverEntry {
                person: person.map(str::to_owned),
                group: group.map(str::to_owned),
                services,
            });
        }
        let dropped = values(sent, "drop").map(str::to_owned).collect();
        Self { rules: ApproverRules { groups, approvers }, new_group, dropped }
    }

    /// The new approvers.
    ///
    /// # Errors
    /// The first thing that is not valid.
    pub fn parse(&self, tenant: &Tenant) -> Result<ApproverRules, Problem> {
        let mut rules = self.rules.clone();
        rules.groups.retain(|group| !self.dropped.contains(&group.name));
        if !self.new_group.name.is_empty() {
            rules.groups.push(self.new_group.clone());
        }
        let mut seen = BTreeSet::new();
        for group in &rules.groups {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            if group.name.is_empty() || group.name.len() > NAME_LIMIT || !group.name.chars().all(plain) {
                let problem = format!("Name: enter 1 to {NAME_LIMIT} lowercase letters, digits, dashes or underscores");
                return Err(Problem::new("new_group", problem));
            }
            if !seen.insert(&group.name) {
                return Err(Problem::new("new_group", format!("Name: a group {} exists already", group.name)));
            }
        }
        rules.approvers.retain(|entry| entry.group.as_ref().is_none_or(|group| seen.contains(group)));
        let count = i64::try_from(rules.assignments().len()).unwrap_or(i64::MAX);
        let needed = i64::from(tenant.rules.required_approvals);
        if count < needed {
            let problem =
                format!("You selected {count} approvers, but {needed} approvals are required. Select more approvers.");
            return Err(Problem::new("", problem));
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use domain::{PersonId, Rules, Side, TenantId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn people_and_groups_approve_per_service_and_unknown_people_are_left_out() {
        let tenant = Tenant {
            id: TenantId(Uuid::nil()),
            name: "contoso".into(),
            display_name: "Contoso".into(),
            enabled: true,
            rules: Rules { required_approvals: 2, ..Rules::default() },
            notification_recipients: Vec::new(),
        };
        let person = |name: &str| Person {
            id: PersonId(Uuid::nil()),
            name: name.into(),
            display_name: name.to_uppercase(),
            email: String::new(),
            side: Side::Customer(tenant.id),
            enabled: true,
            assignments: Vec::new(),
        };
        let people = [person("alex"), person("kim")];
        let services = ["onedrive".to_owned()];
        let sent = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            ApproversInput::of(&pairs, &people, &services).parse(&tenant).map_err(|problem| problem.text)
        };
        let set = sent(&[
            ("grant", "person/alex/*"),
            ("grant", "group/night/onedrive"),
            ("grant", "person/dana/*"),
            ("grant", "person/kim/unknown"),
            ("new_group", "night"),
            ("new_member", "kim"),
            ("new_member", "dana"),
        ])
        .unwrap();
        let roles = set.assignments();
        assert_eq!(roles.keys().collect::<Vec<_>>(), ["alex", "kim"]);
        assert_eq!(roles["kim"].iter().collect::<Vec<_>>(), [&Some("onedrive".to_owned())]);
        assert!(sent(&[("grant", "person/alex/*")]).unwrap_err().contains("2 approvals"));
        assert!(sent(&[("new_group", "Night Shift")]).unwrap_err().contains("lowercase letters"));
        assert!(sent(&[("group", "a"), ("new_group", "a")]).unwrap_err().contains("exists already"));
    }
}
