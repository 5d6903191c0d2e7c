//! Every message type, with its exchange and the roles that must receive it. `schemas/asyncapi.yaml` has the same
//! list for other programs; a test compares the two.

/// The exchange that a message is published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Commands from other systems.
    Requests,
    /// Commands between Lockbox' own components.
    Commands,
    /// Events.
    Events,
    /// Messages that order a mail.
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

            /// The roles that must receive it. It is sent again until each of them has consumed it.
            pub fn roles(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($role),*]),+ }
            }
        }
    };
}

kinds! {
    /// Request access.
    RequestSubmit = "request.submit.v1", Requests, ["intake"];
    /// Withdraw a request.
    RequestWithdraw = "request.withdraw.v1", Requests, ["intake"];
    /// Comment on a request.
    RequestComment = "request.comment.v1", Requests, ["intake"];
    /// The service request was closed.
    TicketClosed = "ticket.closed.v1", Requests, ["intake"];
    /// Report the delivery of a notification that another program sent.
    NotificationReport = "notification.report.v1", Requests, ["intake"];
    /// Approve or deny for the vendor.
    VendorDecide = "vendor.decide.v1", Commands, ["manager-review"];
    /// Approve or deny for the customer.
    CustomerDecide = "customer.decide.v1", Commands, ["approval"];
    /// Revoke or release access before its end.
    GrantRevoke = "grant.revoke.v1", Commands, ["approval"];
    /// Acknowledge or dispute an access report.
    ReportRespond = "report.respond.v1", Commands, ["approval"];
    /// A timer may be due.
    TimerDue = "timer.due.v1", Commands, ["expiry"];
    /// A request was submitted.
    RequestSubmitted = "request.submitted.v1", Events, ["audit", "notification"];
    /// A submission was refused, or a command about an unknown request.
    RequestRefused = "request.refused.v1", Events, ["audit"];
    /// The first of two managers approved break-glass access.
    RequestBreakGlassSupported = "request.break_glass_supported.v1", Events, ["audit", "notification"];
    /// The second manager approved break-glass access; a break-glass policy replaces the customer approval.
    RequestBreakGlassApproved = "request.break_glass_approved.v1", Events, ["audit"];
    /// A manager approved for the vendor.
    RequestVendorApproved = "request.vendor_approved.v1", Events, ["audit", "notification"];
    /// A manager denied for the vendor.
    RequestVendorDenied = "request.vendor_denied.v1", Events, ["audit", "notification"];
    /// An approver approved for the customer.
    RequestCustomerApproved = "request.customer_approved.v1", Events, ["audit", "notification"];
    /// An approver denied for the customer.
    RequestCustomerDenied = "request.customer_denied.v1", Events, ["audit", "notification"];
    /// The customer was reminded.
    RequestReminded = "request.reminded.v1", Events, ["audit", "notification"];
    /// Somebody commented.
    RequestCommented = "request.commented.v1", Events, ["audit", "notification"];
    /// The deadline passed without a decision.
    RequestExpired = "request.expired.v1", Events, ["audit", "notification"];
    /// The request was withdrawn.
    RequestWithdrawn = "request.withdrawn.v1", Events, ["audit", "notification"];
    /// Access is active.
    GrantActivated = "grant.activated.v1", Events, ["audit", "notification", "access"];
    /// Access ended.
    GrantEnded = "grant.ended.v1", Events, ["audit", "notification", "access"];
    /// Access was provisioned in the target system.
    GrantProvisioned = "grant.provisioned.v1", Events, ["audit"];
    /// The target system confirmed the revocation; contains the receipt.
    GrantRevoked = "grant.revoked.v1", Events, ["audit"];
    /// Provisioning or revocation failed, or a revocation is unconfirmed for a minute.
    GrantProvisioningFailed = "grant.provisioning_failed.v1", Events, ["audit", "notification"];
    /// An orphaned entitlement was removed.
    GrantOrphanRemoved = "grant.orphan_removed.v1", Events, ["audit"];
    /// The customer acknowledged the access report.
    ReportAcknowledged = "report.acknowledged.v1", Events, ["audit", "notification"];
    /// The customer disputed the access report.
    ReportDisputed = "report.disputed.v1", Events, ["audit", "notification"];
    /// The requester created an access token for the gate.
    GrantTokenIssued = "grant.token_issued.v1", Events, ["audit"];
    /// Somebody used access, or tried to.
    GrantUsed = "grant.used.v1", Events, ["audit"];
    /// A decision, a revocation or a withdrawal was refused.
    DecisionRefused = "decision.refused.v1", Events, ["audit"];
    /// A message was dead-lettered.
    MessageDeadLettered = "message.dead_lettered.v1", Events, ["audit"];
    /// A dead-letter message was replayed or discarded.
    MessageResolved = "message.resolved.v1", Events, ["audit"];
    /// A mail was sent to the mail server.
    NotificationSent = "notification.sent.v1", Events, ["audit"];
    /// A mail could not be sent.
    NotificationFailed = "notification.failed.v1", Events, ["audit"];
    /// Tenants, people, roles or rules changed.
    DirectoryChanged = "directory.changed.v1", Events, ["audit"];
    /// A statement of a tenant's authority was recorded.
    AuthorityChanged = "authority.changed.v1", Events, ["audit"];
    /// The directory file proposes another statement of a tenant's authority.
    AuthorityProposed = "authority.proposed.v1", Events, ["audit"];
    /// A passkey was added.
    PasskeyAdded = "passkey.added.v1", Events, ["audit"];
    /// A passkey was removed.
    PasskeyRemoved = "passkey.removed.v1", Events, ["audit"];
    /// An identity at an identity provider was linked to a person.
    IdentityLinked = "identity.linked.v1", Events, ["audit"];
    /// An identity was unlinked from its person.
    IdentityUnlinked = "identity.unlinked.v1", Events, ["audit"];
    /// An API token was created.
    TokenAdded = "token.added.v1", Events, ["audit"];
    /// An API token was revoked.
    TokenRevoked = "token.revoked.v1", Events, ["audit"];
    /// The audit log is running.
    LogHeartbeat = "log.heartbeat.v1", Events, ["audit"];
    /// Another key now signs the audit log.
    LogKeyChanged = "log.key_changed.v1", Events, ["audit"];
    /// Texts of a person or of a request were redacted.
    TextsRedacted = "texts.redacted.v1", Events, ["audit"];
    /// An operator performed an operation on the installation.
    OperationPerformed = "operation.performed.v1", Events, ["audit"];
    /// Send a mail.
    Mail = "mail.v1", Notifications, ["mail"];
    /// Send a mail about changed settings.
    SettingsMail = "mail.settings.v1", Notifications, ["mail"];
}

/// Prefix of every type.
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

    /// The routing key it is published with: internal commands go by the role that owns them.
    pub fn routing_key(self) -> &'static str {
        match self.channel() {
            Channel::Commands => self.roles().first().copied().unwrap_or_default(),
            Channel::Requests | Channel::Events | Channel::Notifications => self.key(),
        }
    }

    /// Whether it is a command, which is read strictly because it comes from outside or from a person.
    pub fn is_command(self) -> bool {
        matches!(self.channel(), Channel::Requests | Channel::Commands)
    }
}
