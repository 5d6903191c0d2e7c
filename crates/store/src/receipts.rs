//! Receipts: every change of authority, and every action in a person's name, is mailed to that person, to everybody who decides
//! on their side, and to the tenant's notification recipients, in the transaction that writes the event. So acting in
//! another person's name cannot go unnoticed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, Auth};
use contracts::notifications::{Receipt, Recipient, SettingsMail};
use domain::Person;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;

type Tx = Transaction<'static, Postgres>;

/// Most changes that one mail lists; the audit log has all of them.
const CHANGES: usize = 40;
/// Most characters of one change in a mail.
const CHANGE_LIMIT: usize = 500;

const TENANT: &str = "select name, display_name, notification_recipients from tenants where id = $1";
const APPROVERS: &str = "select distinct p.display_name, p.email from people p \
                         join current_assignments a on a.person = p.id and a.role = 'approver' \
                         where p.tenant = $1 and p.enabled order by p.email";
const MANAGERS: &str = "select distinct p.display_name, p.email from people p \
                        join assignments a on a.person = p.id and a.role = 'manager' \
                        where p.tenant is null and p.enabled order by p.email";
const PERSON: &str = "select display_name, email, tenant from people where id = $1";
const PERSON_NAMED: &str = "select display_name, email, tenant from people where name = $1";

/// A person who changes something, and how they were authenticated: `portal/oidc`.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The person.
    pub person: &'a Person,
    /// Channel and sign-in method.
    pub channel: &'a str,
}

impl By<'_> {
    /// The same as the actor of an event.
    pub fn actor(&self) -> Actor {
        Actor::person(self.person).known_by(Some(Auth::of_channel(self.channel)))
    }
}

/// A display name and an e-mail address.
pub(crate) type Party = (String, String);

/// A person who is affected by a change.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Subject {
    pub display_name: String,
    pub email: String,
    pub tenant: Option<Uuid>,
}

/// The person with this id.
pub(crate) async fn subject(tx: &mut Tx, id: Uuid) -> Result<Option<Subject>, Error> {
    let reading = sqlx::query_as(PERSON).bind(id).fetch_optional(&mut **tx).await;
    reading.map_err(Error::at("reading the recipients of a receipt"))
}

/// The person with this short name.
pub(crate) async fn subject_named(tx: &mut Tx, name: &str) -> Result<Option<Subject>, Error> {
    let reading = sqlx::query_as(PERSON_NAMED).bind(name).fetch_optional(&mut **tx).await;
    reading.map_err(Error::at("reading the recipients of a receipt"))
}

/// A change that is recorded in the audit log and mailed.
pub(crate) struct RecordedChange<'a> {
    /// Template of the mail: `settings_changed`, `token_added`…
    pub template: &'static str,
    /// What changed, one sentence each.
    pub changes: &'a [String],
    /// Display name of the actor.
    pub by_name: &'a str,
    /// The actor, with how they were authenticated.
    pub actor: &'a Actor,
    /// The affected person, if it is not the actor.
    pub subject: Option<&'a Subject>,
    /// The event of the change.
    pub event: Uuid,
    /// When.
    pub at: DateTime<Utc>,
}

/// Everybody who is notified of changes on a side: the approvers or managers, and a tenant's notification recipients.
pub(crate) async fn recipients(tx: &mut Tx, tenant: Option<Uuid>) -> Result<Vec<Party>, Error> {
    let doing = "reading the recipients of a receipt";
    let Some(tenant) = tenant else {
        return sqlx::query_as(MANAGERS).fetch_all(&mut **tx).await.map_err(Error::at(doing));
    };
    let mut found: Vec<Party> =
        sqlx::query_as(APPROVERS).bind(tenant).fetch_all(&mut **tx).await.map_err(Error::at(doing))?;
    let (_, _, addresses): (String, String, Vec<String>) =
        sqlx::query_as(TENANT).bind(tenant).fetch_one(&mut **tx).await.map_err(Error::at(doing))?;
    found.extend(addresses.into_iter().map(|address| (String::new(), address)));
    Ok(found)
}

/// The mails about a change on a side, to everybody who is notified now and to `also`, who were before.
pub(crate) async fn mails(
    tx: &mut Tx,
    tenant: Option<Uuid>,
    change_made: &RecordedChange<'_>,
    also: Vec<Party>,
) -> Result<Vec<Message>, Error> {
    let mut parties = recipients(tx, tenant).await?;
    let acting = match change_made.actor.id {
        Some(id) => subject(tx, id).await?,
        None => None,
    };
    let subject = change_made.subject.or(acting.as_ref());
    parties.extend(also);
    parties.extend(subject.map(|subject| (subject.display_name.clone(), subject.email.clone())));
    // An address with a name is preferred to the bare address.
    let mut by_address: BTreeMap<String, Party> = BTreeMap::new();
    for party in parties {
        let known = by_address.entry(party.1.to_lowercase()).or_insert_with(|| party.clone());
        if known.0.is_empty() {
            *known = party;
        }
    }
    let named: Option<(String, String, Vec<String>)> = match tenant {
        Some(tenant) => {
            let reading = sqlx::query_as(TENANT).bind(tenant).fetch_one(&mut **tx).await;
            Some(reading.map_err(Error::at("reading a tenant's name"))?)
        }
        None => None,
    };
    let changes = shortened(change_made.changes);
    let mail = |(name, address): Party| SettingsMail {
        notification: Uuid::now_v7(),
        template: change_made.template.to_owned(),
        tenant: named.as_ref().map(|(name, _, _)| name.clone()),
        tenant_name: named.as_ref().map(|(_, display_name, _)| display_name.clone()),
        changes: changes.clone(),
        by_name: change_made.by_name.to_owned(),
        receipt: Receipt {
            person_name: subject.map_or(change_made.by_name, |subject| &subject.display_name).to_owned(),
            to_person: subject.is_some_and(|subject| subject.email.eq_ignore_ascii_case(&address)),
            action: String::new(),
            auth: change_made.actor.auth.clone(),
            event: change_made.event,
        },
        recipient: Recipient { name, address },
        happened_at: change_made.at,
    };
    let about = || About {
        tenant: named.as_ref().map(|(name, _, _)| name.clone()),
        cause: Some(change_made.event.to_string()),
        ..About::default()
    };
    Ok(by_address
        .into_values()
        .map(|party| message(Kind::SettingsMail, change_made.at, about(), &mail(party)))
        .collect())
}

/// As many changes as one mail lists.
fn shortened(changes: &[String]) -> Vec<String> {
    let mut kept: Vec<String> =
        changes.iter().take(CHANGES).map(|change| change.chars().take(CHANGE_LIMIT).collect()).collect();
    if changes.len() > CHANGES {
        kept.push(format!("{} more changes are in the audit log", changes.len() - CHANGES));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_mail_lists_a_limited_number_of_changes_and_the_number_of_the_others() {
        let many: Vec<String> = (0..200).map(|number| format!("{number}{}", "x".repeat(9000))).collect();
        let kept = shortened(&many);
        assert_eq!((kept.len(), kept[40].as_str()), (41, "160 more changes are in the audit log"));
        assert!(kept.iter().map(String::len).sum::<usize>() < 32_000, "a message holds 64 KiB");
        assert_eq!(shortened(&many[..1]).len(), 1);
    }
}
