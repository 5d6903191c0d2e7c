//! Role `intake`: consumes the commands of ticketing systems (`request.submit`, `request.withdraw`, `request.comment`,
//! `notification.report`, `ticket.closed`) and admits or refuses them by the tenant's rules. It writes `request.submitted`,
//! `request.withdrawn`, `request.commented`, `grant.ended` or a refusal.

use contracts::commands::{CommentRequest, ReportNotification, SubmitRequest, TicketClosed, WithdrawRequest};
use contracts::envelope::{About, message};
use contracts::events::{Actor, NotificationResult};
use contracts::{Command, Envelope, Kind, Malformed};
use domain::policy::{Submission, SubmissionContext, admit};
use domain::{Fact, Refusal, RequestId, lifecycle};
use store::ReadSet;
use uuid::Uuid;

use crate::context::{BatchContext, check_comment};
use crate::received::Received;
use crate::role::{Role, read_command};
use crate::role_name::RoleName;

/// The role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intake;

impl Role for Intake {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Intake
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        read_command(
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

    fn collect_reads(&self, received: &Received<Command>, read_set: &mut ReadSet) {
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
            Command::Comment(comment) => {
                read_set.requests.push(comment.request);
                read_set.people.push(comment.by.clone());
            }
            Command::ReportNotification(report) => read_set.requests.extend(report.request),
            Command::TicketClosed(closed) => {
                read_set.tickets.push((closed.tenant.clone(), closed.service_request.clone()));
            }
            _ => {}
        }
    }

    fn needs_own_transaction(&self, received: &Received<Command>) -> bool {
        matches!(received.body, Command::TicketClosed(_))
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        match &received.body {
            Command::Submit(command) => submit(received, command, context),
            Command::Withdraw(command) => withdraw(received, command, context),
            Command::Comment(command) => comment(received, command, context),
            Command::ReportNotification(report) => report_notification(received, report, context),
            Command::TicketClosed(closed) => ticket_closed(received, closed, context),
            _ => {}
        }
    }
}

fn submit(received: &Received<Command>, command: &SubmitRequest, context: &mut BatchContext<'_>) {
    let snapshot = &*context.snapshot;
    let tenant = snapshot.tenants.get(&command.tenant);
    let requester = snapshot.people.get(&command.requester);
    let may_approve = |tenant: &domain::Tenant| {
        snapshot.approvers.iter().filter(|person| person.may_approve(tenant.id, &command.service)).count()
    };
    let reviewers = snapshot.managers.iter().filter(|manager| {
        manager.may_review(&command.service) && requester.is_none_or(|requester| requester.id != manager.id)
    });
    let around = SubmissionContext {
        tenant,
        requester,
        approvers: tenant.map_or(0, may_approve),
        reviewers: reviewers.count(),
        services: &snapshot.services,
        extended: command.extends.and_then(|id| snapshot.requests.get(&id)),
        policy_usage: command.break_glass.as_ref().and_then(|name| snapshot.policy_named(&command.tenant, name)),
    };
    let submission = Submission {
        service_request: command.service_request.clone(),
        service: command.service.clone(),
        resource: command.resource.clone(),
        category: command.justification.category.clone(),
        justification: command.justification.text.clone(),
        justification_salt: contracts::words::salt(),
        severity: command.severity.clone(),
        access_level: command.access_level.clone(),
        duration_seconds: command.duration_seconds,
        start_time: command.start_time,
        extends: command.extends.map(RequestId),
        break_glass: command.break_glass.clone(),
    };
    let now = context.now();
    match (admit(RequestId(Uuid::now_v7()), submission, around, now), requester.cloned()) {
        (Ok(content), Some(requester)) => {
            let (request, first) = lifecycle::submit(content, requester, now);
            context.apply_transition(received, request, first, true);
        }
        (Ok(_), None) => context.refuse(received, &Refusal::UnknownPerson, Actor::claimed(&command.requester), None),
        (Err(refusal), _) => {
            let actor = context.actor(Some(&command.requester));
            context.refuse(received, &refusal, actor, None);
        }
    }
}

fn withdraw(received: &Received<Command>, command: &WithdrawRequest, context: &mut BatchContext<'_>) {
    let by = context.person(&command.by).and_then(|by| check_comment(command.comment.as_ref()).map(|()| by));
    let at = context.now();
    match by {
        Ok(by) => context.apply_fact(received, command.request, Some(&command.by), |_| Fact::WithdrawalRequested {
            by,
            comment: command.comment.clone().map(String::from),
            at,
        }),
        Err(refusal) => context.refuse(received, &refusal, Actor::claimed(&command.by), None),
    }
}

fn comment(received: &Received<Command>, command: &CommentRequest, context: &mut BatchContext<'_>) {
    let checked = check_comment(Some(&command.comment));
    let at = context.now();
    match context.person(&command.by).and_then(|by| checked.map(|()| by)) {
        Ok(by) => {
            let comment = lifecycle::Comment { by, text: command.comment.clone().into(), at };
            context.apply_fact(received, command.request, Some(&command.by), |_| Fact::Commented(comment));
        }
        Err(refusal) => context.refuse(received, &refusal, context.actor(Some(&command.by)), None),
    }
}

/// Records what another program than our mail role did with a notification, and stops our own attempts.
fn report_notification(received: &Received<Command>, report: &ReportNotification, context: &mut BatchContext<'_>) {
    let kind = if report.error.is_none() { Kind::NotificationSent } else { Kind::NotificationFailed };
    if let Some(error) = &report.error {
        // A bounce, or a failure of another program, raises the same alarm as our own failures.
        metrics::counter!("lockbox_mail_total", "outcome" => "failed").increment(1);
        tracing::error!(notification = %report.notification, to = report.recipient, error, "mail not delivered");
    }
    // Lockbox itself reads bounces. For any other report the actor is the broker's login.
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

/// Closes every request of the service request: withdraws pending requests and ends active access.
fn ticket_closed(received: &Received<Command>, closed: &TicketClosed, context: &mut BatchContext<'_>) {
    let ticket = (closed.tenant.clone(), closed.service_request.clone());
    let open = context.snapshot.tickets.get(&ticket).cloned().unwrap_or_default();
    let at = context.now();
    for request in open {
        // A request that ended before we had its lock needs nothing.
        let is_final = context.snapshot.requests.get(&request).is_none_or(|request| request.state.is_final());
        if !is_final {
            context.apply_fact(received, request, None, |_| Fact::TicketClosed { at });
        }
    }
}
