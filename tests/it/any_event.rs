//! Events of every type with arbitrary values in every field: what no code path should be able to go beyond.

use chrono::{DateTime, TimeDelta, Utc};
use contracts::envelope::{About, Message, message};
use contracts::events::{
    self, Actor, Auth, DeadLetter, FieldFault, GrantUsed, IdentityChanged, LogHeartbeat, LogKeyChanged,
    NotificationResult, Operation, OperationPerformed, OrphanRemoved, PasskeyChanged, PolicyChanged, Refused,
    TextsRedacted, TokenChanged, TokenIssued,
};
use contracts::{Kind, Traceparent};
use domain::lifecycle::{Decided, submit};
use domain::provisioning::{Provisioning, ProvisioningEvent, ProvisioningState};
use domain::{
    AccessLevel, Assignment, Category, Content, Digest, EndCause, Event, EventKind, Fact, Person, PersonId, Proof,
    Request, RequestId, Role, Rules, Severity, Side, Stage, State, TenantId, Verdict, Withdrawal, transition,
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
            category: Category::DataRepair,
            justification: domain::CommittedText::new(self.text(), [7; 32]),
            severity: Severity::High,
            access_level: AccessLevel::ReadOnly,
            requester: PersonId(Uuid::from_u128(1)),
            requester_name: self.text(),
            duration_seconds: self.random.i64(1..14_400),
            start_time: None,
            extends: self.perhaps(|draw| RequestId(draw.uuid())),
            break_glass: None,
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
            state: State::PendingVendor { review_deadline: self.time(), first: None },
            version: 0,
        };
        let event = Event {
            kind,
            at: self.time(),
            from: Some("pending_vendor"),
            to: "active",
            actor: self.perhaps(|draw| draw.person(2, Side::Vendor)),
            comment: self.perhaps(Self::text),
            proof: self.perhaps(|draw| Proof {
                key: draw.text(),
                evidence: json!({"counter": draw.number(), "share": 0.5, "type": draw.text()}).to_string(),
                comment_salt: None,
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

    fn provisioning(&mut self, event: &ProvisioningEvent) -> Message {
        let closed = self.perhaps(Self::time);
        let provisioning = Provisioning {
            state: if closed.is_some() { ProvisioningState::Revoked } else { ProvisioningState::Revoking },
            until: self.time(),
            next_try_at: None,
            failures: self.random.i32(..),
            first_failed_at: self.perhaps(Self::time),
            last_error: None,
            alarmed: false,
            provisioned_at: self.perhaps(Self::time),
            revocation_ordered_at: self.perhaps(Self::time),
            refused_from: self.perhaps(Self::time),
            cut_at: self.perhaps(Self::time),
            sessions_cut: self.number(),
            revoked_at: closed,
        };
        let (content, connector, at) = (self.content(), self.text(), self.time());
        events::provisioning(&content, &connector, &provisioning, event, at)
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
            | Kind::NotificationReport
            | Kind::VendorDecide
            | Kind::CustomerDecide
            | Kind::GrantRevoke
            | Kind::ReportRespond
            | Kind::TimerDue
            | Kind::Mail
            | Kind::SettingsMail => return None,
            Kind::RequestSubmitted => self.step(EventKind::Submitted { review_deadline: times.0 }),
            Kind::RequestBreakGlassSupported => self.step(EventKind::BreakGlassSupported),
            Kind::RequestBreakGlassApproved => self.step(EventKind::BreakGlassApproved),
            Kind::RequestVendorApproved => self.step(EventKind::VendorApproved { decision_deadline: times.0 }),
            Kind::RequestVendorDenied => self.step(EventKind::VendorDenied),
            Kind::RequestCustomerApproved => {
                let (approvals, duration_seconds) = (self.random.i32(..), self.number());
                self.step(EventKind::CustomerApproved { approvals, duration_seconds })
            }
            Kind::RequestCustomerDenied => self.step(EventKind::CustomerDenied),
            Kind::RequestReminded => self.step(EventKind::Reminded { decision_deadline: times.0 }),
            Kind::RequestCommented => self.step(EventKind::Commented),
            Kind::RequestExpired => self.step(EventKind::Expired { stage: Stage::Customer, deadline: times.0 }),
            Kind::RequestWithdrawn => self.step(EventKind::Withdrawn { cause: Withdrawal::TicketClosed }),
            Kind::GrantActivated => {
                self.step(EventKind::GrantActivated { access_from: times.0, access_until: times.1 })
            }
            Kind::GrantEnded => self.step(EventKind::GrantEnded { cause: EndCause::Expired, access_until: times.0 }),
            Kind::ReportAcknowledged => self.step(EventKind::ReportAcknowledged),
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
            Kind::GrantProvisioned => {
                let extra_rights = self.perhaps(Self::text).into_iter().collect();
                self.provisioning(&ProvisioningEvent::Provisioned { extra_rights })
            }
            Kind::GrantRevoked => self.provisioning(&ProvisioningEvent::Revoked),
            Kind::GrantProvisioningFailed => {
                let (problem, alarm) = (self.text(), self.random.bool());
                self.provisioning(&ProvisioningEvent::Failed { problem, alarm })
            }
            Kind::GrantOrphanRemoved => {
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
            Kind::GrantTokenIssued => {
                let data = TokenIssued { request, service_request: self.text(), actor: self.actor() };
                self.plain(kind, Some(request), &data)
            }
            Kind::GrantUsed => {
                let data = GrantUsed {
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
            Kind::MessageDeadLettered => {
                let data = DeadLetter {
                    dead_letter: self.uuid(),
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
                let data = json!({"dead_letter": self.uuid(), "resolution": self.text(), "actor": self.actor()});
                self.plain(kind, None, &data)
            }
            Kind::NotificationSent | Kind::NotificationFailed => {
                let data = NotificationResult {
                    request: Some(request),
                    service_request: self.perhaps(Self::text),
                    notification: self.uuid(),
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
                events::directory_changed(&changes, &PolicyChanged::default(), &actor, Some(tenant), times.0).remove(0)
            }
            Kind::AuthorityChanged => {
                let (actor, changes) = (self.actor(), vec![self.text()]);
                let statement = consent::testing::founding(&[&consent::testing::Device::new()]);
                events::authority_changed(&statement, &[], times.0, &changes, &actor, times.0)
            }
            Kind::AuthorityProposed => {
                let (actor, changes) = (self.actor(), vec![self.text()]);
                let statement = consent::testing::founding(&[&consent::testing::Device::new()]);
                events::authority_proposed(self.uuid(), &statement, times.0, &changes, &actor, times.0)
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
            Kind::OperationPerformed => {
                let operation = self.random.choice([Operation::Migrate, Operation::WebhookRedeliver]).unwrap();
                let data = OperationPerformed { operation, details: vec![self.text()], actor: self.actor() };
                self.plain(kind, None, &data)
            }
            Kind::TextsRedacted => {
                let person = self.perhaps(Self::text);
                let data = TextsRedacted { request: Some(request), person, texts: self.number(), actor: self.actor() };
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
                policy_usage: None,
                at: now,
            };
            let fact = if number == 2 { Fact::VendorDecided(decided) } else { Fact::CustomerDecided(decided) };
            let step = transition(&request, &fact).unwrap();
            follow(&mut request, &step);
        }
        let step = transition(&request, &Fact::AccessTimeReached { at: now + TimeDelta::days(1) }).unwrap();
        follow(&mut request, &step);
        messages
    }
}
