//! Role `intake`: takes what ticketing systems send (`request.submit`, `request.withdraw`, `request.comment`,
//! `notification.report`, `ticket.closed`), admits or refuses it by the tenant's rules, and says `request.submitted`, `request.withdrawn`,
//! `request.commented`, `grant.ended` or why not.

use contracts::commands::{CommentRequest, ReportNotification, SubmitRequest, TicketClosed, WithdrawRequest};
use contracts::envelope::{About, message};
use contracts::events::{Actor, NotificationResult};
use contracts::{Command, Envelope, Kind, Malformed};
use domain::policy::{Submission, Surroundings, admit};
use domain::{Fact, Refusal, RequestId, lifecycle};
use store::ReadSet;
use uuid::Uuid;

use crate::context::{BatchContext, check_comment};
use crate::role::{Received, Role, RoleName, command};

/// The role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intake;

impl Role for Intake {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Intake
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        command(
            kind,
            envelope,
            &[
                Kind::RequestSubmit,
                Kind::RequestWithdraw,
                Kind::RequestComment,
                Kind::NotificationReport,
                Kind::TicketClosed,
            ],
        )
    }

    fn want(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        match &received.body {
            Command::Submit(submit) => {
                read_set.tenants.push(submit.tenant.clone());
                read_set.people.push(submit.requester.clone());
                read_set.requests.extend(submit.extends);
                read_set.policies.extend(submit.break_glass.iter().map(|name| (submit.tenant.clone(), name.clone())));
            }
            Command::Withdraw(withdraw) => {
                read_set.requests.push(withdraw.request);
                read_set.people.push(withdraw.by.clone());
            }
            Command::Comment(asked) => {
                read_set.requests.push(asked.request);
                read_set.people.push(asked.by.clone());
            }
            Command::ReportNotification(report) => read_set.requests.extend(report.request),
            Command::TicketClosed(closed) => {
                read_set.tickets.push((closed.tenant.clone(), closed.service_request.clone()));
            }
            _ => {}
        }
    }

    fn is_alone(&self, received: &Received<Command>) -> bool {
        matches!(received.body, Command::TicketClosed(_))
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        match &received.body {
            Command::Submit(asked) => submit(received, asked, context),
            Command::Withdraw(asked) => withdraw(received, asked, context),
            Command::Comment(asked) => comment(received, asked, context),
            Command::ReportNotification(report) => report_notification(received, report, context),
            Command::TicketClosed(closed) => ticket_closed(received, closed, context),
            _ => {}
        }
    }
}

fn submit(received: &Received<Command>, asked: &SubmitRequest, context: &mut BatchContext<'_>) {
    let snapshot = &*context.snapshot;
    let tenant = snapshot.tenants.get(&asked.tenant);
    let requester = snapshot.people.get(&asked.requester);
    let may_approve = |tenant: &domain::Tenant| {
        snapshot.approvers.iter().filter(|person| person.may_approve(tenant.id, &asked.service)).count()
    };
    let reviewers = snapshot.managers.iter().filter(|manager| {
        manager.may_review(&asked.service) && requester.is_none_or(|requester| requester.id != manager.id)
    });
    let around = Surroundings {
        tenant,
        requester,
        approvers: tenant.map_or(0, may_approve),
        reviewers: reviewers.count(),
        services: &snapshot.services,
        extended: asked.extends.and_then(|id| snapshot.requests.get(&id)),
        policy_status: asked.break_glass.as_ref().and_then(|name| snapshot.standing_named(&asked.tenant, name)),
    };
    let submission = Submission {
        service_request: asked.service_request.clone(),
        service: asked.service.clone(),
        resource: asked.resource.clone(),
        category: asked.justification.category.clone(),
        justification: asked.justification.text.clone(),
        severity: asked.severity.clone(),
        access_level: asked.access_level.clone(),
        duration_seconds: asked.duration_seconds,
        start_time: asked.start_time,
        extends: asked.extends.map(RequestId),
        break_glass: asked.break_glass.clone(),
    };
    let now = context.now();
    match (admit(RequestId(Uuid::now_v7()), submission, around, now), requester.cloned()) {
        (Ok(content), Some(requester)) => {
            let (request, first) = lifecycle::submit(content, requester, now);
            context.follow(received, request, first, true);
        }
        (Ok(_), None) => context.refuse(received, &Refusal::UnknownPerson, Actor::claimed(&asked.requester), None),
        (Err(refusal), _) => {
            let actor = context.actor(Some(&asked.requester));
            context.refuse(received, &refusal, actor, None);
        }
    }
}

fn withdraw(received: &Received<Command>, asked: &WithdrawRequest, context: &mut BatchContext<'_>) {
    let by = context.person(&asked.by).and_then(|by| check_comment(asked.comment.as_ref()).map(|()| by));
    let at = context.now();
    match by {
        Ok(by) => context.step(received, asked.request, Some(&asked.by), |_| Fact::WithdrawAsked {
            by,
            comment: asked.comment.clone().map(String::from),
            at,
        }),
        Err(refusal) => context.refuse(received, &refusal, Actor::claimed(&asked.by), None),
    }
}

fn comment(received: &Received<Command>, asked: &CommentRequest, context: &mut BatchContext<'_>) {
    let checked = check_comment(Some(&asked.comment));
    let at = context.now();
    match context.person(&asked.by).and_then(|by| checked.map(|()| by)) {
        Ok(by) => {
            let said = lifecycle::Comment { by, text: asked.comment.clone().into(), at };
            context.step(received, asked.request, Some(&asked.by), |_| Fact::Commented(said));
        }
        Err(refusal) => context.refuse(received, &refusal, context.actor(Some(&asked.by)), None),
    }
}

/// What another consumer than our mailer did with a notice: on record like our own, and not sent again.
fn report_notification(received: &Received<Command>, report: &ReportNotification, context: &mut BatchContext<'_>) {
    let kind = if report.error.is_none() { Kind::NotificationSent } else { Kind::NotificationFailed };
    if let Some(error) = &report.error {
        // A bounce, or another consumer that gave up: the same alarm as our own failures raise.
        metrics::counter!("lockbox_mail_total", "outcome" => "failed").increment(1);
        tracing::error!(notification = %report.notification, to = report.recipient, error, "mail not delivered");
    }
    // A bounce was read by Lockbox itself; anything else is what the broker's login says.
    let is_own = received.envelope.own_id().is_some();
    let actor = if is_own { Actor::lockbox() } else { Actor::producer(received.source.login.as_deref()) };
    let result = NotificationResult {
        request: report.request,
        service_request: report.service_request.clone(),
        notification: report.notification,
        template: report.template.clone(),
        recipient: report.recipient.clone(),
        mail_message_id: String::new(),
        attempts: 1,
        error: report.error.clone(),
        actor,
    };
    let request = report.request.and_then(|id| context.snapshot.requests.get(&id));
    let about = About {
        tenant: request
            .map(|request| request.content.tenant_name.clone())
            .or_else(|| received.envelope.tenant.clone().filter(|_| is_own)),
        request: report.request,
        cause: Some(received.envelope.id.clone()),
        channel: None,
        trace: Some(received.trace),
        ..About::default()
    };
    context.changes.messages.push(message(kind, context.now(), about, &result));
    context.changes.reported.push(report.message);
}

/// Every open request of the service request goes: pending ones are withdrawn, open access ends.
fn ticket_closed(received: &Received<Command>, closed: &TicketClosed, context: &mut BatchContext<'_>) {
    let ticket = (closed.tenant.clone(), closed.service_request.clone());
    let open = context.snapshot.tickets.get(&ticket).cloned().unwrap_or_default();
    let at = context.now();
    for request in open {
        // One that was over by the time we had its lock needs nothing.
        let over = context.snapshot.requests.get(&request).is_none_or(|request| request.state.is_final());
        if !over {
            context.step(received, request, None, |_| Fact::TicketClosed { at });
        }
    }
}
