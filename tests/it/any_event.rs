//! Events of every type with arbitrary values in every field: what no code path should be able to go beyond.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::envelope::{About, Message, message};
use contracts::events::{
    self, AccessUsed, Actor, Auth, ConsentChanged, FieldFault, HandleIssued, IdentityChanged, LogHeartbeat,
    LogKeyChanged, NoticeResult, OrphanRemoved, Parked, PasskeyChanged, Refused, TextsErased, TokenChanged,
};
use contracts::{Kind, Traceparent};
use domain::door::{Door, DoorEvent, DoorState};
use domain::lifecycle::{Decided, submit};
use domain::{
    Assignment, Content, Digest, EndCause, Event, EventKind, Fact, Mode, Person, PersonId, Proof, ReasonCode, Request,
    RequestId, Role, Rules, Severity, Side, Stage, State, TenantId, Verdict, Withdrawal, transition,
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// Values from a seed.
pub struct Draw {
    random: fastrand::Rng,
    /// The tenant whose log the events are for.
    tenant: &'static str,
    key: String,
}

impl Draw {
    /// `key` is a public key that `log.key_changed` may name.
    pub fn new(seed: u64, tenant: &'static str, key: String) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), tenant, key }
    }

    /// A string: empty, short, long, with whatever JSON, CSV, spreadsheets and canonical forms stumble over.
    pub fn text(&mut self) -> String {
        let length = match self.random.u32(0..100) {
            0 => 70_000,
            1..4 => 3000,
            _ => self.random.usize(0..24),
        };
        (0..length).map(|_| self.char()).collect()
    }

    fn char(&mut self) -> char {
        match self.random.u32(0..10) {
            0 => char::from(self.random.u8(0..32)),
            1 => self
                .random
                .choice(['"', '\\', '/', '<', '&', '=', ',', '\u{7f}', '\u{2028}', '\u{feff}'])
                .unwrap_or('"'),
            2 => self.random.char('\u{e000}'..='\u{ffff}'),
            3 => self.random.char('\u{10000}'..='\u{10ffff}'),
            4 => self.random.char('\u{80}'..='\u{d7ff}'),
            _ => self.random.alphanumeric(),
        }
    }

    /// A time, mostly of these years, with nanoseconds.
    pub fn time(&mut self) -> DateTime<Utc> {
        let seconds = match self.random.u32(0..20) {
            0 => self.random.i64(-300_000_000_000..300_000_000_000),
            _ => self.random.i64(1_700_000_000..1_900_000_000),
        };
        DateTime::from_timestamp(seconds, self.random.u32(0..1_000_000_000)).unwrap()
    }

    fn number(&mut self) -> i64 {
        if self.random.bool() { self.random.i64(0..1000) } else { self.random.i64(..) }
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.random.u128(..))
    }

    fn perhaps<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.random.bool().then(|| value(self))
    }

    fn actor(&mut self) -> Actor {
        let auth = self.perhaps(|draw| Auth {
            method: draw.text(),
            signed_in: draw.perhaps(Self::text),
            login: draw.perhaps(Self::text),
            passkey: draw.random.bool(),
        });
        match self.random.u32(0..4) {
            0 => Actor::lockbox(),
            1 => Actor::claimed(&self.text()),
            2 => Actor::producer(self.perhaps(Self::text).as_deref()),
            _ => Actor::person(&self.person(1, Side::Vendor)).known_by(auth),
        }
    }

    fn person(&mut self, number: u128, side: Side) -> Person {
        let role = if side == Side::Vendor { Role::Manager } else { Role::Approver };
        Person {
            id: PersonId(Uuid::from_u128(number)),
            name: self.text(),
            display_name: self.text(),
            email: self.text(),
            side,
            enabled: true,
            assignments: vec![Assignment { role, service: None }],
        }
    }

    fn content(&mut self) -> Content {
        Content {
            request: RequestId(self.uuid()),
            tenant: TenantId(Uuid::from_u128(100)),
            tenant_name: self.tenant.to_owned(),
            service_request: self.text(),
            service: self.text(),
            resource: self.text(),
            reason_code: ReasonCode::DataRepair,
            reason: self.text(),
            severity: Severity::High,
            mode: Mode::ReadOnly,
            requester: PersonId(Uuid::from_u128(1)),
            requester_name: self.text(),
            duration_seconds: self.random.i64(1..14_400),
            starts_at: None,
            extends: self.perhaps(|draw| RequestId(draw.uuid())),
            emergency: None,
            rules: Rules::default(),
        }
    }

    fn about(&mut self, request: Option<Uuid>) -> About {
        About {
            tenant: Some(self.tenant.to_owned()),
            request,
            version: None,
            cause: self.perhaps(Self::text),
            channel: None,
            trace: self.perhaps(|_| Traceparent::start()),
        }
    }

    fn plain(&mut self, kind: Kind, request: Option<Uuid>, data: &impl Serialize) -> Message {
        let (at, about) = (self.time(), self.about(request));
        message(kind, at, about, data)
    }

    /// A step of this kind, lawful or not.
    fn step(&mut self, kind: EventKind) -> Message {
        let request = Request {
            content: self.content(),
            digest: Digest([self.random.u8(..); 32]),
            state: State::AwaitingManager { review_by: self.time(), first: None },
            version: 0,
        };
        let event = Event {
            kind,
            at: self.time(),
            from: Some("awaiting_manager"),
            to: "granted",
            actor: self.perhaps(|draw| draw.person(2, Side::Vendor)),
            comment: self.perhaps(Self::text),
            proof: self.perhaps(|draw| Proof {
                credential: draw.text(),
                evidence: json!({"counter": draw.number(), "share": 0.5, "type": draw.text()}).to_string(),
            }),
        };
        let (cause, auth) = (
            self.perhaps(Self::text),
            self.perhaps(|draw| Auth {
                method: draw.text(),
                signed_in: None,
                login: draw.perhaps(Self::text),
                passkey: false,
            }),
        );
        let version = self.random.i32(1..100);
        events::step(&request, &event, version, cause, auth, Traceparent::start())
    }

    fn door(&mut self, event: &DoorEvent) -> Message {
        let closed = self.perhaps(Self::time);
        let door = Door {
            state: if closed.is_some() { DoorState::Closed } else { DoorState::Closing },
            until: self.time(),
            next_try_at: None,
            failures: self.random.i32(..),
            first_failed_at: self.perhaps(Self::time),
            last_error: None,
            alarmed: false,
            opened_at: self.perhaps(Self::time),
            ordered_at: self.perhaps(Self::time),
            refused_from: self.perhaps(Self::time),
            cut_at: self.perhaps(Self::time),
            sessions_cut: self.number(),
            closed_at: closed,
        };
        let (content, connector, at) = (self.content(), self.text(), self.time());
        events::door(&content, &connector, &door, event, at)
    }

    /// An event of this type; nothing for what is no event. A new type needs a line here.
    pub fn event(&mut self, kind: Kind) -> Option<Message> {
        let request = self.uuid();
        let times = (self.time(), self.time());
        let event = match kind {
            Kind::RequestSubmit
            | Kind::RequestWithdraw
            | Kind::RequestComment
            | Kind::TicketClosed
            | Kind::NoticeReport
            | Kind::ManagerDecide
            | Kind::CustomerDecide
            | Kind::AccessEnd
            | Kind::ReportAnswer
            | Kind::TimerDue
            | Kind::Mail
            | Kind::SettingsMail => return None,
            Kind::RequestSubmitted => self.step(EventKind::Submitted { review_by: times.0 }),
            Kind::RequestEmergencySupported => self.step(EventKind::EmergencySupported),
            Kind::RequestEmergencyApproved => self.step(EventKind::EmergencyApproved),
            Kind::RequestManagerApproved => self.step(EventKind::ManagerApproved { decide_by: times.0 }),
            Kind::RequestManagerRejected => self.step(EventKind::ManagerRejected),
            Kind::RequestCustomerApproved => {
                let (approvals, duration_seconds) = (self.random.i32(..), self.number());
                self.step(EventKind::CustomerApproved { approvals, duration_seconds })
            }
            Kind::RequestCustomerRejected => self.step(EventKind::CustomerRejected),
            Kind::RequestReminded => self.step(EventKind::Reminded { decide_by: times.0 }),
            Kind::RequestCommented => self.step(EventKind::Commented),
            Kind::RequestExpired => self.step(EventKind::Expired { stage: Stage::Customer, deadline: times.0 }),
            Kind::RequestWithdrawn => self.step(EventKind::Withdrawn { cause: Withdrawal::TicketClosed }),
            Kind::AccessGranted => self.step(EventKind::AccessGranted { access_from: times.0, access_until: times.1 }),
            Kind::AccessEnded => self.step(EventKind::AccessEnded { cause: EndCause::Time, access_until: times.0 }),
            Kind::ReportAccepted => self.step(EventKind::ReportAccepted),
            Kind::ReportDisputed => self.step(EventKind::ReportDisputed),
            Kind::RequestRefused | Kind::DecisionRefused => {
                let data = Refused {
                    command: self.text(),
                    command_id: self.text(),
                    request: self.perhaps(Self::uuid),
                    service_request: self.perhaps(Self::text),
                    code: self.text(),
                    message: self.text(),
                    faults: vec![FieldFault { field: self.text(), problem: self.text() }],
                    actor: self.actor(),
                };
                self.plain(kind, Some(request), &data)
            }
            Kind::AccessOpened => {
                let extra_rights = self.perhaps(Self::text).into_iter().collect();
                self.door(&DoorEvent::Opened { extra_rights })
            }
            Kind::AccessClosed => self.door(&DoorEvent::Closed),
            Kind::AccessFailed => {
                let (problem, alarm) = (self.text(), self.random.bool());
                self.door(&DoorEvent::Failed { problem, alarm })
            }
            Kind::AccessOrphanRemoved => {
                let found = OrphanRemoved {
                    grant: self.uuid(),
                    request: self.perhaps(Self::uuid),
                    connector: self.text(),
                    sessions_cut: self.number(),
                    note: self.text(),
                    actor: self.actor(),
                };
                events::orphan_removed(&found, Some(self.tenant.to_owned()), times.0)
            }
            Kind::AccessHandleIssued => {
                let data = HandleIssued { request, service_request: self.text(), actor: self.actor() };
                self.plain(kind, Some(request), &data)
            }
            Kind::AccessUsed => {
                let data = AccessUsed {
                    request: self.perhaps(Self::uuid),
                    service_request: self.perhaps(Self::text),
                    method: if self.random.bool() { "GET".to_owned() } else { self.text() },
                    resource: self.text(),
                    source: if self.random.bool() { "192.0.2.7".to_owned() } else { self.text() },
                    allowed: self.random.bool(),
                    code: self.text(),
                    count: self.random.u32(..),
                    first_at: times.0.into(),
                    last_at: times.1.into(),
                    actor: self.actor(),
                };
                self.plain(kind, data.request, &data)
            }
            Kind::MessageParked => {
                let data = Parked {
                    parked: self.uuid(),
                    code: self.text(),
                    message: self.text(),
                    queue: self.text(),
                    message_id: self.perhaps(Self::text),
                    size_bytes: self.random.usize(..),
                    actor: self.actor(),
                };
                self.plain(kind, None, &data)
            }
            Kind::MessageResolved => {
                let data = json!({"parked": self.uuid(), "resolution": self.text(), "actor": self.actor()});
                self.plain(kind, None, &data)
            }
            Kind::NoticeSent | Kind::NoticeFailed => {
                let data = NoticeResult {
                    request: Some(request),
                    service_request: self.perhaps(Self::text),
                    notice: self.uuid(),
                    template: self.text(),
                    recipient: self.text(),
                    mail_message_id: self.text(),
                    attempts: self.random.i32(..),
                    error: self.perhaps(Self::text),
                    actor: self.actor(),
                };
                self.plain(kind, Some(request), &data)
            }
            Kind::DirectoryChanged => {
                let changes: Vec<String> = (0..20).map(|_| self.text()).collect();
                let (actor, tenant) = (self.actor(), self.tenant);
                events::directory_changed(&changes, &ConsentChanged::default(), &actor, Some(tenant), times.0).remove(0)
            }
            Kind::PasskeyAdded | Kind::PasskeyRemoved => {
                let data = PasskeyChanged { credential: self.text(), note: self.text(), actor: self.actor() };
                self.plain(kind, None, &data)
            }
            Kind::IdentityLinked | Kind::IdentityUnlinked => {
                let (person, issuer, subject) = (self.text(), self.text(), self.text());
                let data = IdentityChanged { person, issuer, subject, actor: self.actor() };
                self.plain(kind, None, &data)
            }
            Kind::TokenAdded | Kind::TokenRevoked => {
                let data = TokenChanged { note: self.text(), actor: self.actor() };
                self.plain(kind, None, &data)
            }
            Kind::LogHeartbeat => {
                let data = LogHeartbeat { log: self.text(), size: self.number(), actor: self.actor() };
                self.plain(kind, None, &data)
            }
            Kind::LogKeyChanged => {
                let (key, previous) = (self.key.clone(), self.perhaps(Self::text));
                let data = LogKeyChanged { log: self.text(), key, previous, actor: self.actor() };
                self.plain(kind, None, &data)
            }
            Kind::TextsErased => {
                let person = self.perhaps(Self::text);
                let data = TextsErased { request: Some(request), person, texts: self.number(), actor: self.actor() };
                self.plain(kind, None, &data)
            }
        };
        Some(event)
    }

    /// A request that both sides approved and whose access ended, by the rules, at times with nanoseconds.
    pub fn lawful(&mut self) -> Vec<Message> {
        let mut now = DateTime::from_timestamp(1_764_000_000, self.random.u32(0..1_000_000_000)).unwrap();
        let engineer = Person { assignments: vec![], ..self.person(1, Side::Vendor) };
        let (mut request, first) = submit(self.content(), engineer, now);
        let mut messages = Vec::new();
        let mut follow = |request: &mut Request, step: &domain::Transition| {
            for event in &step.events {
                request.version += 1;
                messages.push(events::step(request, event, request.version, None, None, Traceparent::start()));
            }
            request.state = step.next.clone();
        };
        follow(&mut request, &first);
        for (number, side) in [(2, Side::Vendor), (3, Side::Customer(TenantId(Uuid::from_u128(100))))] {
            now += TimeDelta::nanoseconds(self.random.i64(1..1_000_000_000_000));
            let decided = Decided {
                by: self.person(number, side),
                verdict: Verdict::Approve,
                digest: request.digest,
                comment: self.perhaps(Self::text),
                channel: "cli".into(),
                duration_seconds: None,
                proof: None,
                standing: None,
                at: now,
            };
            let fact = if number == 2 { Fact::ManagerDecided(decided) } else { Fact::CustomerDecided(decided) };
            let step = transition(&request, &fact).unwrap();
            follow(&mut request, &step);
        }
        let step = transition(&request, &Fact::AccessTimeReached { at: now + TimeDelta::days(1) }).unwrap();
        follow(&mut request, &step);
        messages
    }
}
