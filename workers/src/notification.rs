//! Role `notification`: reads events, finds out who is to be told from the rows, and asks for one mail each (`mail`).
//! No mail holds the engineer's free text, and nothing in a mail decides anything.

use chrono::{DateTime, Utc};
use contracts::envelope::{About, message};
use contracts::events::{DoorStep, Particulars, Step};
use contracts::notices::{Mail, Recipient};
use contracts::{Envelope, Kind, Malformed};
use domain::{Person, Request, Tenant};
use sha2::{Digest as _, Sha256};
use store::{Lock, Snapshot, Wanted};
use uuid::Uuid;

use crate::role::{Received, Role, RoleName};
use crate::world::World;

/// The role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notification;

impl Role for Notification {
    type Message = Step;

    fn name(&self) -> RoleName {
        RoleName::Notification
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Step, Malformed> {
        if kind == Kind::AccessFailed {
            return envelope.data().map(of_door);
        }
        if kind.roles().contains(&RoleName::Notification.as_str()) {
            return envelope.data();
        }
        Err(Malformed { code: "schema.unexpected_type", detail: format!("nobody is told about {}", kind.type_name()) })
    }

    fn want(&self, received: &Received<Step>, wanted: &mut Wanted) {
        wanted.requests.push(received.body.request);
        wanted.tenants.extend(received.envelope.tenant.clone());
        wanted.parties = true;
    }

    fn lock(&self) -> Lock {
        Lock::Read
    }

    fn handle(&self, received: &Received<Step>, world: &mut World<'_>) {
        let step = &received.body;
        let snapshot = &*world.snapshot;
        let Some(request) = snapshot.requests.get(&step.request) else { return };
        let Some(tenant) = snapshot.tenants.get(&request.content.tenant_name) else { return };
        let Some((template, people, addresses)) = audience(received, request, tenant, snapshot) else { return };
        let mut recipients: Vec<Recipient> = people
            .into_iter()
            .filter(|person| person.enabled)
            .map(|person| Recipient { name: person.display_name.clone(), address: person.email.clone() })
            .chain(addresses.iter().map(|address| Recipient { name: String::new(), address: address.clone() }))
            .collect();
        recipients.sort_by(|a, b| a.address.cmp(&b.address));
        recipients.dedup_by(|a, b| a.address == b.address);
        let happened_at = received.envelope.time.unwrap_or(snapshot.now);
        let mails: Vec<Mail> = recipients
            .into_iter()
            .map(|recipient| mail(received, request, tenant, snapshot, template, recipient, happened_at))
            .collect();
        let now = world.now();
        for mail in mails {
            let about = About {
                tenant: received.envelope.tenant.clone(),
                request: Some(mail.request),
                version: None,
                cause: Some(received.envelope.id.clone()),
                channel: None,
                trace: Some(received.trace),
            };
            world.changes.messages.push(message(Kind::Mail, now, about, &mail));
        }
    }
}

/// The cause of what is told about a door: its end was not confirmed for a minute.
const UNCONFIRMED: &str = "unconfirmed";

/// What a door's event says, as a step: all that is told of is an alarm.
fn of_door(door: DoorStep) -> Step {
    let cause = door.alarm.filter(|alarm| *alarm).map(|_| UNCONFIRMED.to_owned());
    Step {
        request: door.request,
        service_request: door.service_request,
        service: door.service,
        requester: door.requester,
        from: None,
        to: door.state,
        digest: String::new(),
        actor: door.actor,
        comment: None,
        particulars: Particulars { access_until: Some(door.access_until), cause, ..Particulars::default() },
    }
}

type Audience<'a> = (&'static str, Vec<&'a Person>, &'a [String]);

/// Who is told what.
fn audience<'a>(
    received: &Received<Step>,
    request: &'a Request,
    tenant: &'a Tenant,
    snapshot: &'a Snapshot,
) -> Option<Audience<'a>> {
    let content = &request.content;
    let approvers = || snapshot.approvers.iter().filter(|person| person.may_approve(content.tenant, &content.service));
    let managers = || {
        snapshot.managers.iter().filter(|person| person.may_review(&content.service) && person.id != content.requester)
    };
    let engineer = || snapshot.person(content.requester);
    let reviewer = || {
        let stage = |(request, stage, _): &&(Uuid, String, domain::PersonId)| {
            *request == content.request.0 && stage == "manager"
        };
        snapshot.deciders.iter().find(stage).and_then(|(_, _, person)| snapshot.person(*person))
    };
    // The one who did it knows already.
    let actor = received.body.actor.id;
    let granted = received.kind == Kind::AccessGranted;
    let said_yes = move |person: &Person| granted && has_decided(snapshot, request, person);
    let others = move |person: &&'a Person| Some(person.id.0) != actor && !said_yes(person);
    let both_sides = || engineer().into_iter().chain(reviewer()).chain(approvers().filter(others)).collect();
    let is_alarm = received.body.particulars.cause.as_deref() == Some(UNCONFIRMED);
    let from_customer_on = received.body.from.as_deref() != Some("awaiting_manager");
    let silent = || approvers().filter(|person| !has_decided(snapshot, request, person)).collect();
    Some(match received.kind {
        Kind::RequestSubmitted => ("review_needed", managers().collect(), &[]),
        Kind::RequestManagerApproved => ("decision_needed", approvers().collect(), &tenant.notice_addresses),
        Kind::RequestManagerRejected => ("manager_rejected", engineer().into_iter().collect(), &[]),
        Kind::RequestCustomerRejected => ("customer_rejected", both_sides(), &[]),
        Kind::AccessGranted if content.emergency.is_some() => {
            ("emergency_granted", both_sides(), &tenant.notice_addresses)
        }
        Kind::AccessEnded if content.emergency.is_some() => ("emergency_ended", both_sides(), &tenant.notice_addresses),
        Kind::AccessGranted => ("granted", both_sides(), &tenant.notice_addresses),
        Kind::AccessEnded => ("ended", both_sides(), &tenant.notice_addresses),
        Kind::RequestExpired if received.body.particulars.stage.as_deref() == Some("manager") => {
            ("expired", engineer().into_iter().chain(managers()).collect(), &[])
        }
        Kind::RequestExpired => ("expired", both_sides(), &[]),
        Kind::RequestReminded => ("reminder", silent(), &tenant.notice_addresses),
        Kind::RequestCommented => {
            let heard = engineer().into_iter().chain(reviewer());
            let customer = approvers().filter(|_| from_customer_on);
            ("commented", heard.chain(customer).filter(|person| Some(person.id.0) != actor).collect(), &[])
        }
        Kind::AccessFailed if is_alarm => ("end_unconfirmed", both_sides(), &tenant.notice_addresses),
        Kind::ReportDisputed => ("report_disputed", both_sides(), &[]),
        Kind::RequestWithdrawn if from_customer_on => ("withdrawn", both_sides(), &[]),
        Kind::RequestWithdrawn => ("withdrawn", managers().collect(), &[]),
        _ => return None,
    })
}

/// Whether this person has answered for the customer.
fn has_decided(snapshot: &Snapshot, request: &Request, person: &Person) -> bool {
    snapshot
        .deciders
        .iter()
        .any(|(id, stage, by)| *id == request.content.request.0 && stage == "customer" && *by == person.id)
}

fn mail(
    received: &Received<Step>,
    request: &Request,
    tenant: &Tenant,
    snapshot: &Snapshot,
    template: &str,
    recipient: Recipient,
    happened_at: DateTime<Utc>,
) -> Mail {
    let (step, content) = (&received.body, &request.content);
    let particulars = &step.particulars;
    Mail {
        notice: notice_id(received.key, &recipient.address),
        request: content.request.0,
        template: template.to_owned(),
        recipient,
        tenant: tenant.name.clone(),
        tenant_name: tenant.display_name.clone(),
        service_request: content.service_request.clone(),
        service: content.service.clone(),
        requester_name: snapshot
            .person(content.requester)
            .map_or_else(|| content.requester_name.clone(), |person| person.display_name.clone()),
        duration_seconds: content.duration_seconds,
        decide_by: particulars.decide_by.or(particulars.review_by).or(particulars.deadline),
        access_from: particulars.access_from,
        access_until: particulars.access_until,
        cause: particulars.cause.clone().or_else(|| particulars.stage.clone()),
        also_open: Some(received.kind)
            .filter(|kind| *kind == Kind::AccessEnded)
            .and_then(|_| snapshot.also_open.get(&content.request.0))
            .and_then(|count| u32::try_from(*count).ok()),
        happened_at,
    }
}

/// One event tells one address once: the same event makes the same id again.
fn notice_id(event: Uuid, address: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(event.as_bytes());
    hash.update(address.to_lowercase().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(first).into_uuid()
}
