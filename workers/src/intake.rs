//! Role `intake`: takes what ticketing systems send (`request.submit`, `request.withdraw`, `request.comment`,
//! `notice.report`, `ticket.closed`), admits or refuses it by the tenant's rules, and says `request.submitted`, `request.withdrawn`,
//! `request.commented`, `access.ended` or why not.

use contracts::commands::{CommentRequest, ReportNotice, SubmitRequest, TicketClosed, WithdrawRequest};
use contracts::envelope::{About, message};
use contracts::events::{Actor, NoticeResult};
use contracts::{Command, Envelope, Kind, Malformed};
use domain::policy::{Submission, Surroundings, admit};
use domain::{Fact, Refusal, RequestId, lifecycle};
use store::Wanted;
use uuid::Uuid;

use crate::role::{Received, Role, RoleName, command};
use crate::world::{World, check_comment};

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
            &[Kind::RequestSubmit, Kind::RequestWithdraw, Kind::RequestComment, Kind::NoticeReport, Kind::TicketClosed],
        )
    }

    fn want(&self, received: &Received<Command>, wanted: &mut Wanted) {
        match &received.body {
            Command::Submit(submit) => {
                wanted.tenants.push(submit.tenant.clone());
                wanted.people.push(submit.requester.clone());
                wanted.requests.extend(submit.extends);
                wanted.consents.extend(submit.emergency.iter().map(|name| (submit.tenant.clone(), name.clone())));
            }
            Command::Withdraw(withdraw) => {
                wanted.requests.push(withdraw.request);
                wanted.people.push(withdraw.by.clone());
            }
            Command::Comment(asked) => {
                wanted.requests.push(asked.request);
                wanted.people.push(asked.by.clone());
            }
            Command::ReportNotice(report) => wanted.requests.extend(report.request),
            Command::TicketClosed(closed) => {
                wanted.tickets.push((closed.tenant.clone(), closed.service_request.clone()));
            }
            _ => {}
        }
    }

    fn is_alone(&self, received: &Received<Command>) -> bool {
        matches!(received.body, Command::TicketClosed(_))
    }

    fn handle(&self, received: &Received<Command>, world: &mut World<'_>) {
        match &received.body {
            Command::Submit(asked) => submit(received, asked, world),
            Command::Withdraw(asked) => withdraw(received, asked, world),
            Command::Comment(asked) => comment(received, asked, world),
            Command::ReportNotice(report) => report_notice(received, report, world),
            Command::TicketClosed(closed) => ticket_closed(received, closed, world),
            _ => {}
        }
    }
}

fn submit(received: &Received<Command>, asked: &SubmitRequest, world: &mut World<'_>) {
    let snapshot = &*world.snapshot;
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
        standing: asked.emergency.as_ref().and_then(|name| snapshot.standing_named(&asked.tenant, name)),
    };
    let submission = Submission {
        service_request: asked.service_request.clone(),
        service: asked.service.clone(),
        resource: asked.resource.clone(),
        reason_code: asked.reason.code.clone(),
        reason: asked.reason.text.clone(),
        severity: asked.severity.clone(),
        mode: asked.mode.clone(),
        duration_seconds: asked.duration_seconds,
        starts_at: asked.starts_at,
        extends: asked.extends.map(RequestId),
        emergency: asked.emergency.clone(),
    };
    let now = world.now();
    match (admit(RequestId(Uuid::now_v7()), submission, around, now), requester.cloned()) {
        (Ok(content), Some(requester)) => {
            let (request, first) = lifecycle::submit(content, requester, now);
            world.follow(received, request, first, true);
        }
        (Ok(_), None) => world.refuse(received, &Refusal::UnknownPerson, Actor::claimed(&asked.requester), None),
        (Err(refusal), _) => {
            let actor = world.actor(Some(&asked.requester));
            world.refuse(received, &refusal, actor, None);
        }
    }
}

fn withdraw(received: &Received<Command>, asked: &WithdrawRequest, world: &mut World<'_>) {
    let by = world.person(&asked.by).and_then(|by| check_comment(asked.comment.as_ref()).map(|()| by));
    let at = world.now();
    match by {
        Ok(by) => world.step(received, asked.request, Some(&asked.by), |_| Fact::WithdrawAsked {
            by,
            comment: asked.comment.clone().map(String::from),
            at,
        }),
        Err(refusal) => world.refuse(received, &refusal, Actor::claimed(&asked.by), None),
    }
}

fn comment(received: &Received<Command>, asked: &CommentRequest, world: &mut World<'_>) {
    let checked = check_comment(Some(&asked.comment));
    let at = world.now();
    match world.person(&asked.by).and_then(|by| checked.map(|()| by)) {
        Ok(by) => {
            let said = lifecycle::Comment { by, text: asked.comment.clone().into(), at };
            world.step(received, asked.request, Some(&asked.by), |_| Fact::Commented(said));
        }
        Err(refusal) => world.refuse(received, &refusal, world.actor(Some(&asked.by)), None),
    }
}

/// What another consumer than our mailer did with a notice: on record like our own, and not sent again.
fn report_notice(received: &Received<Command>, report: &ReportNotice, world: &mut World<'_>) {
    let kind = if report.error.is_none() { Kind::NoticeSent } else { Kind::NoticeFailed };
    if let Some(error) = &report.error {
        // A bounce, or another consumer that gave up: the same alarm as our own failures raise.
        metrics::counter!("lockbox_mail_total", "outcome" => "failed").increment(1);
        tracing::error!(notice = %report.notice, to = report.recipient, error, "mail not delivered");
    }
    // A bounce was read by Lockbox itself; anything else is what the broker's login says.
    let is_own = received.envelope.own_id().is_some();
    let actor = if is_own { Actor::lockbox() } else { Actor::producer(received.source.login.as_deref()) };
    let result = NoticeResult {
        request: report.request,
        service_request: report.service_request.clone(),
        notice: report.notice,
        template: report.template.clone(),
        recipient: report.recipient.clone(),
        mail_message_id: String::new(),
        attempts: 1,
        error: report.error.clone(),
        actor,
    };
    let request = report.request.and_then(|id| world.snapshot.requests.get(&id));
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
    world.changes.messages.push(message(kind, world.now(), about, &result));
    world.changes.reported.push(report.message);
}

/// Every open request of the service request goes: pending ones are withdrawn, open access ends.
fn ticket_closed(received: &Received<Command>, closed: &TicketClosed, world: &mut World<'_>) {
    let ticket = (closed.tenant.clone(), closed.service_request.clone());
    let open = world.snapshot.tickets.get(&ticket).cloned().unwrap_or_default();
    let at = world.now();
    for request in open {
        // One that was over by the time we had its lock needs nothing.
        let over = world.snapshot.requests.get(&request).is_none_or(|request| request.state.is_final());
        if !over {
            world.step(received, request, None, |_| Fact::TicketClosed { at });
        }
    }
}
