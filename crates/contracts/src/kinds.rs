//! Every message type there is, with its road: which exchange it takes and which role must get it.
//! `schemas/asyncapi.yaml` says the same for strangers; a test keeps the two equal.

/// The exchange family a message travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Commands from outside.
    Requests,
    /// Commands between our own.
    Commands,
    /// Facts.
    Events,
    /// Messages asking for a mail.
    Notifications,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $channel:ident, [$($role:literal),*];)+) => {
        /// The type of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $variant),+ }

        impl Kind {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Routing key: the type's name without the `lockbox.` in front, such as `request.submit.v1`.
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Which exchange carries it.
            pub fn channel(self) -> Channel {
                match self { $(Self::$variant => Channel::$channel),+ }
            }

            /// The roles that must get it; it is re-sent until each of them has taken it.
            pub fn roles(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($role),*]),+ }
            }
        }
    };
}

kinds! {
    /// Ask for access.
    RequestSubmit = "request.submit.v1", Requests, ["intake"];
    /// Take a request back.
    RequestWithdraw = "request.withdraw.v1", Requests, ["intake"];
    /// Ask or answer something.
    RequestComment = "request.comment.v1", Requests, ["intake"];
    /// The service request was closed.
    TicketClosed = "ticket.closed.v1", Requests, ["intake"];
    /// What became of a notice that another sent.
    NotificationReport = "notification.report.v1", Requests, ["intake"];
    /// A manager's yes or no.
    VendorDecide = "vendor.decide.v1", Commands, ["manager-review"];
    /// An approver's yes or no.
    CustomerDecide = "customer.decide.v1", Commands, ["approval"];
    /// End access early.
    GrantRevoke = "grant.revoke.v1", Commands, ["approval"];
    /// Accept or dispute a closing report.
    ReportRespond = "report.respond.v1", Commands, ["approval"];
    /// A timer may be due.
    TimerDue = "timer.due.v1", Commands, ["expiry"];
    /// A request was taken in.
    RequestSubmitted = "request.submitted.v1", Events, ["audit", "notification"];
    /// A command about no known request was refused, or a submission was.
    RequestRefused = "request.refused.v1", Events, ["audit"];
    /// The first of two managers said yes to an emergency.
    RequestBreakGlassSupported = "request.break_glass_supported.v1", Events, ["audit", "notification"];
    /// The second manager said yes to an emergency; the customer's yes is a rule given beforehand.
    RequestBreakGlassApproved = "request.break_glass_approved.v1", Events, ["audit"];
    /// The manager said yes.
    RequestVendorApproved = "request.vendor_approved.v1", Events, ["audit", "notification"];
    /// The manager said no.
    RequestVendorDenied = "request.vendor_denied.v1", Events, ["audit", "notification"];
    /// One approver said yes.
    RequestCustomerApproved = "request.customer_approved.v1", Events, ["audit", "notification"];
    /// The customer said no.
    RequestCustomerDenied = "request.customer_denied.v1", Events, ["audit", "notification"];
    /// The customer was reminded.
    RequestReminded = "request.reminded.v1", Events, ["audit", "notification"];
    /// Somebody asked or answered something.
    RequestCommented = "request.commented.v1", Events, ["audit", "notification"];
    /// Nobody answered in time.
    RequestExpired = "request.expired.v1", Events, ["audit", "notification"];
    /// Taken back.
    RequestWithdrawn = "request.withdrawn.v1", Events, ["audit", "notification"];
    /// Access is open.
    GrantActivated = "grant.activated.v1", Events, ["audit", "notification", "access"];
    /// Access is over.
    GrantEnded = "grant.ended.v1", Events, ["audit", "notification", "access"];
    /// The provisioning was read back as open.
    GrantProvisioned = "grant.provisioned.v1", Events, ["audit"];
    /// The provisioning was read back as closed; the receipt is inside.
    GrantRevoked = "grant.revoked.v1", Events, ["audit"];
    /// A provisioning does not open or close, or the end is not confirmed for a minute.
    GrantProvisioningFailed = "grant.provisioning_failed.v1", Events, ["audit", "notification"];
    /// Something with our mark was open that should not have been.
    GrantOrphanRemoved = "grant.orphan_removed.v1", Events, ["audit"];
    /// The customer accepts the closing report.
    ReportAcknowledged = "report.acknowledged.v1", Events, ["audit", "notification"];
    /// The customer disputes the closing report.
    ReportDisputed = "report.disputed.v1", Events, ["audit", "notification"];
    /// The engineer fetched what opens the gate.
    GrantTokenIssued = "grant.token_issued.v1", Events, ["audit"];
    /// Somebody used access, or tried to.
    GrantUsed = "grant.used.v1", Events, ["audit"];
    /// A decision, an end or a withdrawal was refused.
    DecisionRefused = "decision.refused.v1", Events, ["audit"];
    /// A message was given up on.
    MessageDeadLettered = "message.dead_lettered.v1", Events, ["audit"];
    /// A parked message was sent again or discarded.
    MessageResolved = "message.resolved.v1", Events, ["audit"];
    /// A mail was handed to the mail server.
    NotificationSent = "notification.sent.v1", Events, ["audit"];
    /// A mail was given up on.
    NotificationFailed = "notification.failed.v1", Events, ["audit"];
    /// Tenants, people, roles or rules changed.
    DirectoryChanged = "directory.changed.v1", Events, ["audit"];
    /// Somebody added a passkey.
    PasskeyAdded = "passkey.added.v1", Events, ["audit"];
    /// Somebody removed a passkey.
    PasskeyRemoved = "passkey.removed.v1", Events, ["audit"];
    /// An identity at an identity provider stands for a person from now on.
    IdentityLinked = "identity.linked.v1", Events, ["audit"];
    /// An identity stands for nobody any more.
    IdentityUnlinked = "identity.unlinked.v1", Events, ["audit"];
    /// Somebody may call the HTTP interface.
    TokenAdded = "token.added.v1", Events, ["audit"];
    /// A token was given up.
    TokenRevoked = "token.revoked.v1", Events, ["audit"];
    /// The audit log is at work.
    LogHeartbeat = "log.heartbeat.v1", Events, ["audit"];
    /// Another key signs the audit log from now on.
    LogKeyChanged = "log.key_changed.v1", Events, ["audit"];
    /// What somebody wrote was erased.
    TextsRedacted = "texts.redacted.v1", Events, ["audit"];
    /// Send a mail.
    Mail = "mail.v1", Notifications, ["mail"];
    /// Send a mail about changed settings.
    SettingsMail = "mail.settings.v1", Notifications, ["mail"];
}

/// What stands before every type's name.
pub const PREFIX: &str = "lockbox.";

impl Kind {
    /// The CloudEvents type, such as `lockbox.request.submit.v1`.
    pub fn type_name(self) -> String {
        format!("{PREFIX}{}", self.key())
    }

    /// The type of this CloudEvents name.
    pub fn parse(type_name: &str) -> Option<Self> {
        let key = type_name.strip_prefix(PREFIX)?;
        Self::ALL.iter().copied().find(|kind| kind.key() == key)
    }

    /// The routing key it is published with: commands inside go by the role that owns them.
    pub fn routing_key(self) -> &'static str {
        match self.channel() {
            Channel::Commands => self.roles().first().copied().unwrap_or_default(),
            Channel::Requests | Channel::Events | Channel::Notifications => self.key(),
        }
    }

    /// Whether it comes from outside or from a person and so is read strictly.
    pub fn is_command(self) -> bool {
        matches!(self.channel(), Channel::Requests | Channel::Commands)
    }
}
