//! Every metric that a process of Lockbox may export: its kind, its labels and its help text. A counter starts at 0 with
//! each of its labels, so that the first event is an increase that an alert can see.
//!
//! A test compares this list with the code, the alert rules, the dashboard and docs/operations.md.

use metrics::Label;

use crate::role::RoleName;

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// A value now.
    Gauge,
    /// A distribution.
    Histogram,
}

/// What a label may say.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// The names of roles.
    Roles,
    /// The names of timers.
    Timers,
    /// Codes of refusals.
    Refusals,
    /// Events about the opening and closing of access.
    Provisionings,
    /// These words.
    Words(&'static [&'static str]),
    /// Names from the directory or the configuration; whoever reads them registers them with 0.
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
    /// Its labels, with what they may say.
    pub labels: &'static [(&'static str, Values)],
    /// What it says, for people.
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
/// How a timer came to be fired.
const FIRED_BY: Values = Values::Words(&["hint", "sweeper"]);

/// All of them.
pub const METRICS: &[Metric] = &[
    gauge("lockbox_build_info", "1, with the version of the program as a label."),
    histogram("lockbox_queue_lag_seconds", "From the time a message was made until a role acted on it."),
    histogram("lockbox_batch_size", "Messages in one transaction of a role."),
    histogram("lockbox_handle_seconds", "Time for one batch, or for one mail."),
    counter("lockbox_messages_total", ROLE, "Messages that a role consumed."),
    counter("lockbox_duplicates_total", ROLE, "Copies of messages that a role had consumed before."),
    counter("lockbox_timers_fired_total", &[("by", FIRED_BY), ("kind", Values::Timers)], "Timers that fired."),
    histogram("lockbox_timer_late_seconds", "From the time a timer was due until it fired."),
    gauge("lockbox_outbox_waiting", "Messages that their role has not consumed."),
    gauge("lockbox_outbox_oldest_seconds", "Age of the oldest message that its role has not consumed."),
    gauge(
        "lockbox_outbox_deferred",
        "Messages that wait for a retry, such as mails that the mail server did not take.",
    ),
    gauge("lockbox_outbox_deferred_oldest_seconds", "Age of the oldest message that waits for a retry."),
    counter("lockbox_outbox_recovered_total", &[], "Messages that were published again from the outbox."),
    counter("lockbox_published_total", &[], "Messages that the broker confirmed."),
    counter(
        "lockbox_publish_failed_total",
        &[("why", Values::Words(&["returned", "nacked", "hint"]))],
        "Messages that the broker did not confirm; they are published again.",
    ),
    counter(
        "lockbox_dead_letters_total",
        &[("reason", Values::Words(DEAD_LETTERS))],
        "Messages that became dead-letter messages.",
    ),
    gauge("lockbox_dead_letters_waiting", "Dead-letter messages that nobody has replayed or discarded."),
    counter("lockbox_refused_total", &[("code", Values::Refusals)], "Commands that the rules refused."),
    counter(
        "lockbox_mail_total",
        &[("outcome", Values::Words(&["sent", "deferred", "failed"]))],
        "Mails that were sent, deferred, or failed for good.",
    ),
    gauge("lockbox_mail_server_unavailable", "1 while the mail server takes no mail from Lockbox."),
    counter(
        "lockbox_webhook_total",
        &[("outcome", Values::Words(&["delivered", "refused", "failed", "deferred"]))],
        "Attempts to deliver events to webhooks.",
    ),
    gauge("lockbox_webhook_waiting", "Events that are due at webhooks that work."),
    gauge("lockbox_webhook_oldest_seconds", "Age of the oldest event that is due at a webhook that works."),
    gauge("lockbox_webhooks_failing", "Webhooks that accept nothing and are tried again."),
    gauge("lockbox_webhooks_off", "Webhooks that are switched off."),
    gauge("lockbox_provisionings_revoking", "Grants whose revocation is not confirmed."),
    gauge("lockbox_revocation_unconfirmed_seconds", "Age of the oldest revocation that is not confirmed."),
    counter(
        "lockbox_provisionings_total",
        &[("event", Values::Provisionings)],
        "Steps of opening and closing access in target systems.",
    ),
    histogram("lockbox_revocation_seconds", "From the order to revoke access until it was read back as revoked."),
    counter(
        "lockbox_orphans_removed_total",
        &[("service", Values::Named)],
        "Entitlements with our mark that no grant explains, and that were removed.",
    ),
    counter("lockbox_audit_placed_total", &[], "Events that got their place in a log."),
    gauge("lockbox_audit_staged_oldest_seconds", "Age of the oldest event that has no place in a log."),
    counter("lockbox_audit_signed_total", &[], "Checkpoints that were signed."),
    gauge("lockbox_audit_quarantined", "Events that no verifier would accept, and that are in no log."),
    gauge("lockbox_audit_refused_logs", "Logs that the signer refuses to sign."),
    gauge("lockbox_forward_behind", "Entries that were not forwarded yet."),
    counter("lockbox_forwarded_total", &[], "Entries that the collector took."),
    counter("lockbox_forward_failed_total", &[], "Attempts to forward that failed."),
    counter("lockbox_forward_gaps_total", &[], "Entries that could not be read and were reported as a gap."),
    counter("lockbox_witness_signed_total", &[("witness", Values::Named)], "Checkpoints that a witness cosigned."),
    counter("lockbox_witness_failed_total", &[("witness", Values::Named)], "Requests that a witness did not cosign."),
    counter("lockbox_gate_checks_total", &[("code", Values::Words(GATE))], "Authorization checks of the gate."),
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

/// What the gate may answer.
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
    "odd",
    "slow",
    "unreachable",
    "full",
    "more",
];

/// Tells the recorder of this process about every metric, and starts its counters.
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

/// Every combination of the values of labels; none at all where a name is not known here.
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
