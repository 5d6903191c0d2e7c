//! Who decides for a tenant: its approvers set people and groups per service.

use std::collections::BTreeSet;

use axum::extract::State;
use contracts::directory::{ApproverEntry, ApproverRules, Group};
use domain::{Person, Tenant};

use super::App;
use super::answer::{Answer, Filled};
use super::ask::every_service;
use super::refused::Problem;
use super::session::Viewer;
use super::settings::{Typed, own, publish, settings_page};

/// Longest name of a group.
const NAME_LIMIT: usize = 40;

/// A box to tick.
pub(super) struct Tick {
    pub value: String,
    pub label: String,
    pub on: bool,
}

/// A person or a group with what they decide about.
pub(super) struct Line {
    pub name: String,
    pub is_group: bool,
    pub ticks: Vec<Tick>,
}

/// A group with who is in it.
pub(super) struct Members {
    pub name: String,
    pub ticks: Vec<Tick>,
    /// Whether it is to be removed.
    pub is_dropped: bool,
}

/// The form as it stands.
pub(super) struct Form {
    pub lines: Vec<Line>,
    pub groups: Vec<Members>,
    /// Whom a new group could have.
    pub people: Vec<Tick>,
    /// Name of the new group.
    pub new_group: String,
}

/// What was ticked and typed into a form that was refused.
pub(super) struct Refused {
    set: ApproverRules,
    new: Group,
    dropped: Vec<String>,
}

/// Reads who decides, for the form; what was typed comes before what stands.
pub(super) fn form(held: &ApproverRules, typed: Option<&Refused>, people: &[Person], added: Vec<String>) -> Form {
    let set = typed.map_or(held, |typed| &typed.set);
    let services = every_service(added);
    let line = |kind: &str, key: &str, name: &str| {
        let entries = || {
            set.approvers.iter().filter(move |entry| {
                let named = if kind == "group" { &entry.group } else { &entry.person };
                named.as_deref() == Some(key)
            })
        };
        let everything = entries().any(|entry| entry.services.is_none());
        let has = |service: &str| entries().any(|entry| entry.services.iter().flatten().any(|only| only == service));
        let first = Tick { value: format!("{kind}/{key}/*"), label: "everything".to_owned(), on: everything };
        let rest = services.iter().map(|service| Tick {
            value: format!("{kind}/{key}/{service}"),
            label: domain::titles::service(service),
            on: has(service),
        });
        let ticks = std::iter::once(first).chain(rest).collect();
        Line { name: name.to_owned(), is_group: kind == "group", ticks }
    };
    let groups = set.groups.iter().map(|group| line("group", &group.name, &group.name));
    let persons = people.iter().map(|person| line("person", &person.name, &person.display_name));
    let lines = persons.chain(groups).collect();
    let groups = set.groups.iter().map(|group| Members {
        name: group.name.clone(),
        ticks: people
            .iter()
            .map(|person| Tick {
                value: format!("{}/{}", group.name, person.name),
                label: person.display_name.clone(),
                on: group.members.contains(&person.name),
            })
            .collect(),
        is_dropped: typed.is_some_and(|typed| typed.dropped.contains(&group.name)),
    });
    let is_new = |person: &Person| typed.is_some_and(|typed| typed.new.members.contains(&person.name));
    let tick =
        |person: &Person| Tick { value: person.name.clone(), label: person.display_name.clone(), on: is_new(person) };
    let new_group = typed.map(|typed| typed.new.name.clone()).unwrap_or_default();
    Form { lines, groups: groups.collect(), people: people.iter().map(tick).collect(), new_group }
}

fn all<'a>(sent: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    sent.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// What was ticked and typed, whatever is wrong with it.
fn typed(sent: &[(String, String)], people: &[Person], services: &[String]) -> Refused {
    let is_person = |name: &str| people.iter().any(|person| person.name == name);
    let members = |of: &str| {
        let pairs = all(sent, "member").filter_map(|pair| pair.split_once('/'));
        pairs.filter(|(group, name)| *group == of && is_person(name)).map(|(_, name)| name.to_owned()).collect()
    };
    let groups: Vec<Group> =
        all(sent, "group").map(|name| Group { name: name.to_owned(), members: members(name) }).collect();
    let new = Group {
        name: all(sent, "new_group").next().unwrap_or_default().trim().to_owned(),
        members: all(sent, "new_member").filter(|name| is_person(name)).map(str::to_owned).collect(),
    };
    let mut approvers: Vec<ApproverEntry> = Vec::new();
    for grant in all(sent, "grant") {
        let mut parts = grant.splitn(3, '/');
        let (Some(kind), Some(name), Some(service)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let is_group = || groups.iter().chain([&new]).any(|group| group.name == name);
        let known = if kind == "group" { is_group() } else { is_person(name) };
        if !known || (service != "*" && !services.iter().any(|there| there == service)) {
            continue;
        }
        let services = (service != "*").then(|| vec![service.to_owned()]);
        let (person, group) = if kind == "group" { (None, Some(name)) } else { (Some(name), None) };
        approvers.push(ApproverEntry { person: person.map(str::to_owned), group: group.map(str::to_owned), services });
    }
    let dropped = all(sent, "drop").map(str::to_owned).collect();
    Refused { set: ApproverRules { groups, approvers }, new, dropped }
}

/// Who decides from now on, or what is wrong with it.
fn read(typed: &Refused, tenant: &Tenant) -> Result<ApproverRules, Problem> {
    let mut set = typed.set.clone();
    set.groups.retain(|group| !typed.dropped.contains(&group.name));
    if !typed.new.name.is_empty() {
        set.groups.push(typed.new.clone());
    }
    let mut seen = BTreeSet::new();
    for group in &set.groups {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if group.name.is_empty() || group.name.len() > NAME_LIMIT || !group.name.chars().all(plain) {
            let problem = format!("Name: a group's name has 1 to {NAME_LIMIT} small letters, digits and dashes");
            return Err(Problem::new("new_group", problem));
        }
        if !seen.insert(&group.name) {
            return Err(Problem::new("new_group", format!("Name: there are two groups {}", group.name)));
        }
    }
    set.approvers.retain(|entry| entry.group.as_ref().is_none_or(|group| seen.contains(group)));
    let count = i64::try_from(set.assignments().len()).unwrap_or(i64::MAX);
    let needed = i64::from(tenant.rules.required_approvals);
    if count < needed {
        let problem =
            format!("{count} people would decide, and {needed} approvals are needed, so nothing could be approved.");
        return Err(Problem::new("", problem));
    }
    Ok(set)
}

pub(crate) async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Filled(sent): Filled<Vec<(String, String)>>,
) -> Answer {
    viewer.check(all(&sent, "form_token").next().unwrap_or_default())?;
    let tenant = own(&app, &viewer).await?;
    let people = app.store.people_of(tenant.id.0).await?;
    let services = every_service(app.store.services().await?);
    let form = typed(&sent, &people, &services);
    match read(&form, &tenant) {
        Ok(set) => {
            let messages = app.store.change_approvers(viewer.by(), &set).await?;
            publish(&app, messages).await
        }
        Err(problem) => {
            let refused = Typed::refused("approvers", vec![problem]);
            settings_page(&app, viewer, Typed { approvers: Some(form), ..refused }).await
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{PersonId, Rules, Side, TenantId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn groups_and_people_decide_per_service_and_strangers_never() {
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
            read(&typed(&pairs, &people, &services), &tenant).map_err(|problem| problem.text)
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
        assert!(sent(&[("new_group", "Night Shift")]).unwrap_err().contains("small letters"));
        assert!(sent(&[("group", "a"), ("new_group", "a")]).unwrap_err().contains("two groups"));
    }
}
