//! Role `notification`: consumes events, determines from the database who is notified, and publishes one notification
//! (`mail`) per recipient. The person whom the audit log names for a decision always gets a receipt. No mail contains the
//! requester's free text, and a mail cannot be used to decide.

use chrono::{DateTime, Utc};
use contracts::envelope::{About, message};
use contracts::events::{Particulars, ProvisioningStep, Step};
use contracts::notifications::{Mail, Receipt, Recipient};
use contracts::{Envelope, Kind, Malformed};
use domain::{Person, Request, Tenant};
use sha2::{Digest as _, Sha256};
use store::{Lock, ReadSet, Snapshot};
use uuid::Uuid;

use crate::context::BatchContext;
use crate::received::Received;
use crate::role::Role;
use crate::role_name::RoleName;

/// The role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notification;

impl Role for Notification {
    type Message = Step;

    fn name(&self) -> RoleName {
        RoleName::Notification
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Step, Malformed> {
        if kind == Kind::GrantProvisioningFailed {
            return envelope.data().map(of_provisioning);
        }
        if kind.roles().contains(&RoleName::Notification.as_str()) {
            return envelope.data();
        }
        Err(Malformed {
            code: "schema.unexpected_type",
            detail: format!("the role notification sends no mail for {}", kind.type_name()),
        })
    }

    fn collect_reads(&self, received: &Received<Step>, read_set: &mut ReadSet) {
        read_set.requests.push(received.body.request);
        read_set.tenants.extend(received.envelope.tenant.clone());
        read_set.parties = true;
    }

    fn lock(&self) -> Lock {
        Lock::Read
    }

    fn handle(&self, received: &Received<Step>, context: &mut BatchContext<'_>) {
        let step = &received.body;
        let snapshot = &*context.snapshot;
        let Some(request) = snapshot.requests.get(&step.request) else { return };
        let Some(tenant) = snapshot.tenants.get(&request.content.tenant_name) else { return };
        let happened_at = received.envelope.time.map_or(snapshot.now, DateTime::from);
        // An address gets one mail per event: the first one in the list of audiences.
        let mut notified: Vec<String> = Vec::new();
        let mut mails: Vec<Mail> = Vec::new();
        for (template, people, addresses) in audience(received, request, tenant, snapshot) {
            let mut recipients: Vec<(Recipient, bool)> = people
                .into_iter()
                .map(|person| {
                    let recipient = Recipient { name: person.display_name.clone(), address: person.email.clone() };
                    (recipient, Some(person.id.0) == step.actor.id)
                })
                .chain(
                    addresses
                        .iter()
                        .map(|address| (Recipient { name: String::new(), address: address.clone() }, false)),
                )
                .collect();
            recipients.sort_by(|(a, _), (b, _)| a.address.cmp(&b.address));
            for (recipient, is_actor) in recipients {
                if !notified.contains(&recipient.address) {
                    notified.push(recipient.address.clone());
                    let receipt = receipt(received, is_actor);
                    let mail = mail(received, request, tenant, snapshot, template, recipient, happened_at);
                    mails.push(Mail { receipt, ..mail });
                }
            }
        }
        let now = context.now();
        for mail in mails {
            let about = About {
                tenant: received.envelope.tenant.clone(),
                request: Some(mail.request),
                version: None,
                cause: Some(received.envelope.id.clone()),
                channel: None,
                trace: Some(received.trace),
            };
            context.changes.messages.push(message(Kind::Mail, now, about, &mail));
        }
    }
}

/// Cause of a notification about a provisioning: its revocation was not confirmed for a minute.
const UNCONFIRMED: &str = "unconfirmed";

/// The event of a provisioning as a step. Only an alarm has a cause, and only alarms are notified.
fn of_provisioning(provisioning: ProvisioningStep) -> Step {
    let cause = provisioning.alarm.filter(|alarm| *alarm).map(|_| UNCONFIRMED.to_owned());
    Step {
        request: provisioning.request,
        service_request: provisioning.service_request,
        service: provisioning.service,
        requester: provisioning.requester,
        from: None,
        to: provisioning.state,
        digest: String::new(),
        actor: provisioning.actor,
        comment: None,
        particulars: Particulars { access_until: Some(provisioning.access_until), cause, ..Particulars::default() },
    }
}

/// One group of recipients: the template, people, and addresses without a person.
type Audience<'a> = (&'static str, Vec<&'a Person>, &'a [String]);

/// The people of a request.
struct Parties<'a> {
    request: &'a Request,
    tenant: &'a Tenant,
    snapshot: &'a Snapshot,
    actor: Option<Uuid>,
}

impl<'a> Parties<'a> {
    /// The enabled approvers of the customer.
    fn approvers(&self) -> impl Iterator<Item = &'a Person> + use<'a> {
        let (tenant, service) = (self.request.content.tenant, &self.request.content.service);
        self.snapshot.approvers.iter().filter(move |person| person.enabled && person.may_approve(tenant, service))
    }

    /// The managers who can review for the vendor.
    fn managers(&self) -> impl Iterator<Item = &'a Person> + use<'a> {
        let content = &self.request.content;
        self.snapshot
            .managers
            .iter()
            .filter(|person| person.enabled && person.may_review(&content.service) && person.id != content.requester)
    }

    fn requester(&self) -> impl Iterator<Item = &'a Person> + use<'a> {
        self.snapshot.person(self.request.content.requester).filter(|person| person.enabled).into_iter()
    }

    fn reviewer(&self) -> impl Iterator<Item = &'a Person> + use<'a> {
        let id = self.request.content.request.0;
        let decided =
            self.snapshot.approver_rules.iter().find(|(request, stage, _)| *request == id && stage == "vendor");
        let reviewer = decided.and_then(|(_, _, person)| self.snapshot.person(*person));
        reviewer.filter(|person| person.enabled).into_iter()
    }

    /// The person who acted, enabled or not: the receipt says what the audit log records of them.
    fn actor(&self) -> impl Iterator<Item = &'a Person> + use<'a> {
        self.actor.and_then(|id| self.snapshot.person(domain::PersonId(id))).into_iter()
    }

    /// Requester, reviewer, approvers and the person who acted.
    fn both_sides(&self) -> Vec<&'a Person> {
        self.requester().chain(self.reviewer()).chain(self.approvers()).chain(self.actor()).collect()
    }

    /// Approvers who have not decided.
    fn undecided(&self) -> Vec<&'a Person> {
        self.approvers().filter(|person| !has_decided(self.snapshot, self.request, person)).collect()
    }
}

/// The groups of recipients of an event. They always include the person who acted.
fn audience<'a>(
    received: &Received<Step>,
    request: &'a Request,
    tenant: &'a Tenant,
    snapshot: &'a Snapshot,
) -> Vec<Audience<'a>> {
    let parties = Parties { request, tenant, snapshot, actor: received.body.actor.id };
    let recipients = parties.tenant.notification_recipients.as_slice();
    let particulars = &received.body.particulars;
    let is_break_glass = request.content.break_glass.is_some();
    let is_alarm = particulars.cause.as_deref() == Some(UNCONFIRMED);
    let from_customer_on = received.body.from.as_deref() != Some("pending_vendor");
    let managers = || parties.managers().chain(parties.actor()).collect::<Vec<_>>();
    let approvers = || parties.approvers().chain(parties.actor()).collect::<Vec<_>>();
    match received.kind {
        Kind::RequestSubmitted => vec![("review_needed", parties.managers().collect(), &[])],
        Kind::RequestVendorApproved => {
            vec![("decision_needed", parties.approvers().collect(), recipients), ("approval_recorded", managers(), &[])]
        }
        Kind::RequestBreakGlassSupported => {
            vec![
                ("approval_recorded", managers(), &[]),
                ("approval_recorded", parties.approvers().collect(), recipients),
            ]
        }
        Kind::RequestVendorDenied => {
            vec![("vendor_denied", parties.requester().chain(managers()).collect(), &[])]
        }
        Kind::RequestCustomerApproved => vec![("approval_recorded", approvers(), recipients)],
        Kind::RequestCustomerDenied => vec![("customer_denied", parties.both_sides(), recipients)],
        Kind::GrantActivated if is_break_glass => vec![("break_glass_activated", parties.both_sides(), recipients)],
        Kind::GrantEnded if is_break_glass => vec![("break_glass_ended", parties.both_sides(), recipients)],
        Kind::GrantActivated => vec![("active", parties.both_sides(), recipients)],
        Kind::GrantEnded => vec![("ended", parties.both_sides(), recipients)],
        Kind::RequestExpired if particulars.stage.as_deref() == Some("vendor") => {
            vec![("expired", parties.requester().chain(parties.managers()).collect(), &[])]
        }
        Kind::RequestExpired => vec![("expired", parties.both_sides(), &[])],
        Kind::RequestReminded => vec![("reminder", parties.undecided(), recipients)],
        Kind::RequestCommented => {
            let customer = parties.approvers().filter(|_| from_customer_on);
            let readers = parties.requester().chain(parties.reviewer()).chain(customer);
            // The author needs no mail, and a comment needs no receipt.
            vec![("commented", readers.filter(|person| Some(person.id.0) != parties.actor).collect(), &[])]
        }
        Kind::GrantProvisioningFailed if is_alarm => vec![("end_unconfirmed", parties.both_sides(), recipients)],
        Kind::ReportAcknowledged => vec![("report_acknowledged", parties.both_sides(), recipients)],
        Kind::ReportDisputed => vec![("report_disputed", parties.both_sides(), recipients)],
        Kind::RequestWithdrawn if from_customer_on => vec![("withdrawn", parties.both_sides(), &[])],
        Kind::RequestWithdrawn => vec![("withdrawn", managers(), &[])],
        _ => Vec::new(),
    }
}

/// The receipt of a person's action in the audit log; `to_person` is true for that person.
fn receipt(received: &Received<Step>, to_person: bool) -> Option<Receipt> {
    let actor = &received.body.actor;
    let action = match received.kind {
        Kind::RequestVendorApproved | Kind::RequestBreakGlassSupported => "approved for the vendor",
        Kind::RequestVendorDenied => "denied for the vendor",
        Kind::RequestCustomerApproved => "approved for the customer",
        Kind::RequestCustomerDenied => "denied for the customer",
        Kind::GrantEnded => "ended the access",
        Kind::ReportAcknowledged => "acknowledged the access report",
        Kind::ReportDisputed => "disputed the access report",
        Kind::RequestWithdrawn => "withdrew the request",
        _ => return None,
    };
    let (Some(person), Some(event)) = (&actor.display_name, received.envelope.own_id()) else { return None };
    Some(Receipt { person_name: person.clone(), to_person, action: action.to_owned(), auth: actor.auth.clone(), event })
}

/// Whether this person has decided for the customer.
fn has_decided(snapshot: &Snapshot, request: &Request, person: &Person) -> bool {
    snapshot
        .approver_rules
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
        notification: notification_id(received.key, &recipient.address),
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
        decision_deadline: particulars
            .decision_deadline
            .or(particulars.review_deadline)
            .or(particulars.deadline)
            .map(DateTime::from),
        access_from: particulars.access_from.map(DateTime::from),
        access_until: particulars.access_until.map(DateTime::from),
        cause: particulars.cause.clone().or_else(|| particulars.stage.clone()),
        also_open: Some(received.kind)
            .filter(|kind| *kind == Kind::GrantEnded)
            .and_then(|_| snapshot.also_open.get(&content.request.0))
            .and_then(|count| u32::try_from(*count).ok()),
        happened_at,
        receipt: None,
    }
}

/// The id of a notification: a hash of event and address, so that processing an event again creates no second mail.
fn notification_id(event: Uuid, address: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(event.as_bytes());
    hash.update(address.to_lowercase().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(first).into_uuid()
}
