//! Role `intake`: takes what ticketing systems send (`request.submit`, `request.withdraw`, `ticket.closed`), admits
//! or refuses it by the tenant's rules, and says `request.submitted`, `request.withdrawn`, `access.ended` or why not.

use contracts::commands::{SubmitRequest, TicketClosed, WithdrawRequest};
use contracts::events::Actor;
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
        command(kind, envelope, &[Kind::RequestSubmit, Kind::RequestWithdraw, Kind::TicketClosed])
    }

    fn want(&self, received: &Received<Command>, wanted: &mut Wanted) {
        match &received.body {
            Command::Submit(submit) => {
                wanted.tenants.push(submit.tenant.clone());
                wanted.people.push(submit.requester.clone());
            }
            Command::Withdraw(withdraw) => {
                wanted.requests.push(withdraw.request);
                wanted.people.push(withdraw.by.clone());
            }
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
    };
    let submission = Submission {
        service_request: asked.service_request.clone(),
        service: asked.service.clone(),
        resource: asked.resource.clone(),
        reason_code: asked.reason.code.clone(),
        reason: asked.reason.text.clone(),
        severity: asked.severity.clone(),
        duration_seconds: asked.duration_seconds,
        starts_at: asked.starts_at,
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
    let by = world.person(&asked.by).and_then(|by| check_comment(asked.comment.as_deref()).map(|()| by));
    let at = world.now();
    match by {
        Ok(by) => world.step(received, asked.request, Some(&asked.by), |_| Fact::WithdrawAsked {
            by,
            comment: asked.comment.clone(),
            at,
        }),
        Err(refusal) => world.refuse(received, &refusal, Actor::claimed(&asked.by), None),
    }
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
