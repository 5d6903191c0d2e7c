//! Every metric that a Lockbox process can export, with its kind, labels and help text. A counter starts at 0 for each of
//! its labels, so that an alert sees the first event as an increase.
//!
//! A test compares this list with the code, the alert rules, the dashboard and docs/operations.md.

use metrics::Label;

use crate::role_name::RoleName;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only rises.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution of values.
    Histogram,
}

/// The values that a label can have.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// The names of roles.
    Roles,
    /// The names of timers.
    Timers,
    /// The codes of refusals.
    Refusals,
    /// Events about provisionings.
    Provisionings,
    /// These values.
    Words(&'static [&'static str]),
    /// Names from the directory or the settings. The code that reads them registers each with 0.
    Named,
}

impl Values {
    fn all(self) -> Vec<&'static str> {
        match self {
            Self::Roles => RoleName::ALL.iter().map(|role| role.as_str()).collect(),
            Self::Timers => domain::TimerKind::ALL.iter().map(|kind| kind.as_str()).collect(),
            Self::Refusals => domain::Refusal::CODES.to_vec(),
            Self::Provisionings => {
                let is_provisioning = |key: &&str| key.starts_with("grant.");
                contracts::Kind::ALL.iter().map(|kind| kind.key()).filter(is_provisioning).collect()
            }
            Self::Words(words) => words.to_vec(),
            Self::Named => Vec::new(),
        }
    }
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// Its labels with their values.
    pub labels: &'static [(&'static str, Values)],
    /// Help text for people.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [(&'static str, Values)], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels: &[], help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels: &[], help }
}

const ROLE: &[(&str, Values)] = &[("role", Values::Roles)];
/// What caused a timer to fire.
const FIRED_BY: Values = Values::Words(&["wake_up", "recovery_scan"]);

/// All metrics.
pub const METRICS: &[Metric] = &[
    gauge("lockbox_build_info", "Always 1; the label is the version of the program."),
    histogram("lockbox_queue_lag_seconds", "Time from the creation of a message until a role processed it."),
    histogram("lockbox_batch_size", "Messages in one batch of a role."),
    histogram("lockbox_handle_seconds", "Time to process one batch, or to send one mail."),
    counter("lockbox_messages_total", ROLE, "Messages that a role consumed."),
    counter("lockbox_duplicates_total", ROLE, "Messages that a role had consumed before and ignored."),
    counter("lockbox_timers_fired_total", &[("by", FIRED_BY), ("kind", Values::Timers)], "Timers that fired."),
    histogram("lockbox_timer_late_seconds", "Time from when a timer was due until it fired."),
    gauge("lockbox_outbox_waiting", "Outbox messages that their role has not consumed."),
    gauge("lockbox_outbox_oldest_seconds", "Age of the oldest outbox message that its role has not consumed."),
    gauge("lockbox_outbox_deferred", "Deferred messages, such as mails that the mail server did not accept."),
    gauge("lockbox_outbox_deferred_oldest_seconds", "Age of the oldest deferred message."),
    counter("lockbox_outbox_recovered_total", &[], "Messages that the recovery scan published again from the outbox."),
    counter("lockbox_published_total", &[], "Messages that the broker confirmed."),
    counter(
        "lockbox_publish_failed_total",
        &[("why", Values::Words(&["returned", "nacked", "wake_up"]))],
        "Messages that the broker did not confirm. They are published again.",
    ),
    counter(
        "lockbox_dead_letters_total",
        &[("reason", Values::Words(DEAD_LETTERS))],
        "Messages that became dead-letter messages.",
    ),
    gauge("lockbox_dead_letters_waiting", "Dead-letter messages that were not replayed or discarded."),
    counter("lockbox_refused_total", &[("code", Values::Refusals)], "Commands that were refused."),
    counter(
        "lockbox_mail_total",
        &[("outcome", Values::Words(&["sent", "deferred", "failed"]))],
        "Mails that were sent, were deferred, or failed permanently.",
    ),
    gauge("lockbox_mail_server_unavailable", "1 while the mail server accepts no mail from Lockbox, otherwise 0."),
    counter(
        "lockbox_webhook_total",
        &[("outcome", Values::Words(&["delivered", "refused", "failed", "deferred"]))],
        "Attempts to deliver events to webhooks.",
    ),
    gauge("lockbox_webhook_waiting", "Events that are due at healthy webhooks."),
    gauge("lockbox_webhook_oldest_seconds", "Age of the oldest event that is due at a healthy webhook."),
    gauge("lockbox_webhooks_failing", "Failing webhooks, which Lockbox retries."),
    gauge("lockbox_webhooks_off", "Disabled webhooks."),
    gauge("lockbox_provisionings_revoking", "Provisionings whose revocation is not confirmed."),
    gauge("lockbox_revocation_unconfirmed_seconds", "Age of the oldest unconfirmed revocation."),
    counter(
        "lockbox_provisionings_total",
        &[("event", Values::Provisionings)],
        "Events about provisionings in target systems.",
    ),
    histogram(
        "lockbox_revocation_seconds",
        "Time from the order to revoke access until the target was read back as closed.",
    ),
    counter("lockbox_orphans_removed_total", &[("service", Values::Named)], "Orphaned entitlements that were removed."),
    counter("lockbox_audit_placed_total", &[], "Events that were placed in a log."),
    gauge("lockbox_audit_staged_oldest_seconds", "Age of the oldest event that is not placed in a log."),
    counter("lockbox_audit_signed_total", &[], "Checkpoints that were signed."),
    gauge("lockbox_audit_quarantined", "Quarantined events: no verifier would accept them, and they are in no log."),
    gauge("lockbox_audit_refused_logs", "Logs that the signer refuses to sign."),
    gauge("lockbox_forward_behind", "Entries that are not forwarded yet."),
    counter("lockbox_forwarded_total", &[], "Entries that the receiver accepted."),
    counter("lockbox_forward_failed_total", &[], "Failed attempts to forward entries."),
    counter("lockbox_forward_gaps_total", &[], "Unreadable entries that were reported to the receiver as a gap."),
    counter("lockbox_witness_signed_total", &[("witness", Values::Named)], "Checkpoints that a witness cosigned."),
    counter(
        "lockbox_witness_failed_total",
        &[("witness", Values::Named)],
        "Checkpoints that a witness did not cosign.",
    ),
    counter("lockbox_gate_checks_total", &[("code", Values::Words(GATE))], "Authorization checks of the gate."),
    counter(
        "lockbox_consent_verifications_total",
        &[("result", Values::Words(CONSENT))],
        "Grants whose consent was verified, and refusals of those that are not verified.",
    ),
    histogram("lockbox_gate_check_seconds", "Time for one authorization check."),
    histogram("lockbox_gate_batch_size", "Authorization checks in one query."),
];

/// Why a message becomes a dead-letter message.
pub const DEAD_LETTERS: &[&str] = &[
    "auth.forged",
    "broker.dead_letter",
    "broker.delivery_limit",
    "broker.rejected",
    "broker.unroutable",
    "schema.encoded",
    "schema.invalid",
    "schema.too_large",
    "schema.unexpected_type",
    "schema.unknown_type",
    "schema.unparseable",
    "store.refused",
];

/// The codes of authorization checks.
pub const GATE: &[&str] = &[
    "ok",
    "no_credential",
    "unknown_credential",
    "not_open",
    "elsewhere",
    "not_covered",
    "above",
    "read_only",
    "onto_itself",
    "consent_pending",
    "consent_not_trusted",
    "consent_unverified",
    "odd",
    "slow",
    "unreachable",
    "full",
    "more",
];

/// Results of the verification of consent.
const CONSENT: &[&str] = &["verified", "consent_pending", "consent_not_trusted", "consent_unverified"];

/// Registers every metric with the recorder of this process, and starts its counters at 0.
pub fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
        if metric.kind == MetricKind::Counter {
            for labels in combinations(metric.labels) {
                metrics::counter!(metric.name, labels).increment(0);
            }
        }
    }
}

/// Every combination of label values; empty when the values of a label are not known here.
fn combinations(labels: &[(&'static str, Values)]) -> Vec<Vec<Label>> {
    labels.iter().fold(vec![Vec::new()], |found, (name, values)| {
        let with = |before: &Vec<Label>| {
            let before = before.clone();
            values.all().into_iter().map(move |value| {
                let mut labels = before.clone();
                labels.push(Label::from_static_parts(name, value));
                labels
            })
        };
        found.iter().flat_map(with).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_starts_with_every_combination_of_its_labels() {
        assert_eq!(combinations(&[]).len(), 1, "a counter without labels");
        assert_eq!(combinations(&[("by", FIRED_BY), ("kind", Values::Timers)]).len(), 10);
        assert!(combinations(&[("witness", Values::Named)]).is_empty());
        let provisionings = Values::Provisionings.all();
        assert!(
            provisionings.contains(&"grant.provisioned.v1") && provisionings.contains(&"grant.orphan_removed.v1"),
            "{provisionings:?}"
        );
    }
}
