//! The topology as data: exchanges, queues and bindings with their arguments, and the reasons.

use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable};

use crate::delay_levels::DELAY_LEVELS;
use crate::names::{Exchange, Names};

/// An argument of an exchange or queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Text.
    Text(String),
    /// Number.
    Number(i64),
}

/// An exchange; all are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangePlan {
    /// Name.
    pub name: String,
    /// `topic`, `direct` or `fanout`.
    pub kind: &'static str,
    /// Arguments.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// A queue; all are durable quorum queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePlan {
    /// Name.
    pub name: String,
    /// Arguments.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingPlan {
    /// Source exchange.
    pub exchange: String,
    /// Target queue.
    pub queue: String,
    /// Routing key.
    pub key: String,
}

/// The whole topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Exchanges.
    pub exchanges: Vec<ExchangePlan>,
    /// Queues.
    pub queues: Vec<QueuePlan>,
    /// Bindings.
    pub bindings: Vec<BindingPlan>,
}

fn table(arguments: &[(&'static str, Argument)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value);
    }
    table
}

impl ExchangePlan {
    pub(super) fn kind(&self) -> ExchangeKind {
        match self.kind {
            "topic" => ExchangeKind::Topic,
            "direct" => ExchangeKind::Direct,
            _ => ExchangeKind::Fanout,
        }
    }

    pub(super) fn arguments(&self) -> FieldTable {
        table(&self.arguments)
    }
}

impl QueuePlan {
    pub(super) fn arguments(&self) -> FieldTable {
        table(&self.arguments)
    }
}

/// The queues of the roles with their exchanges and routing keys. `#` on `requests` routes unknown commands to the role
/// `intake`, which dead-letters them with a reason.
const CONSUMED: [(&str, Exchange, &[&str]); 9] = [
    ("intake", Exchange::Requests, &["#"]),
    ("manager-review", Exchange::Commands, &["manager-review"]),
    ("approval", Exchange::Commands, &["approval"]),
    ("expiry", Exchange::Commands, &["expiry"]),
    ("access", Exchange::Commands, &["access"]),
    ("access", Exchange::Events, &["grant.activated.v1", "grant.ended.v1"]),
    (
        "notification",
        Exchange::Events,
        &[
            "request.submitted.v1",
            "request.vendor_approved.v1",
            "request.vendor_denied.v1",
            "request.break_glass_supported.v1",
            "request.customer_approved.v1",
            "request.customer_denied.v1",
            "request.reminded.v1",
            "request.commented.v1",
            "request.expired.v1",
            "request.withdrawn.v1",
            "grant.activated.v1",
            "grant.ended.v1",
            "grant.provisioning_failed.v1",
            "report.acknowledged.v1",
            "report.disputed.v1",
        ],
    ),
    ("audit", Exchange::Events, &["#"]),
    ("mail", Exchange::Notifications, &["mail.#"]),
];

/// Redeliveries before the broker dead-letters a message. RabbitMQ 4 has this default; 3.10 needs the argument.
const DELIVERY_LIMIT: i64 = 20;

/// The topology under these names.
pub fn plan(names: &Names) -> Plan {
    let alternate = || vec![("alternate-exchange", Argument::Text(names.exchange(Exchange::Unroutable)))];
    let exchange = |exchange, kind, arguments| ExchangePlan { name: names.exchange(exchange), kind, arguments };
    let exchanges = vec![
        exchange(Exchange::Unroutable, "fanout", Vec::new()),
        exchange(Exchange::DeadLetter, "fanout", Vec::new()),
        exchange(Exchange::Requests, "topic", alternate()),
        exchange(Exchange::Commands, "direct", alternate()),
        exchange(Exchange::Events, "topic", alternate()),
        exchange(Exchange::Notifications, "topic", alternate()),
        exchange(Exchange::Delay, "direct", alternate()),
    ];
    let text = |text: &str| Argument::Text(text.to_owned());
    let mut queues = vec![QueuePlan {
        name: names.queue("dead-letter"),
        // Messages must never be dropped from the dead-letter queue.
        arguments: vec![("x-queue-type", text("quorum")), ("x-delivery-limit", Argument::Number(1_000_000))],
    }];
    let mut bindings = Vec::new();
    let mut bind = |from, queue: &str, key: &str| {
        bindings.push(BindingPlan { exchange: names.exchange(from), queue: names.queue(queue), key: key.to_owned() });
    };
    bind(Exchange::Unroutable, "dead-letter", "");
    bind(Exchange::DeadLetter, "dead-letter", "");
    for (queue, from, keys) in CONSUMED {
        // No length limit: wake-ups return here, and a full queue would block their delay level.
        let plan = QueuePlan {
            name: names.queue(queue),
            arguments: vec![
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
                ("x-dead-letter-exchange", Argument::Text(names.exchange(Exchange::DeadLetter))),
                ("x-dead-letter-strategy", text("at-least-once")),
                ("x-overflow", text("reject-publish")),
            ],
        };
        if !queues.contains(&plan) {
            queues.push(plan);
        }
        for key in keys {
            bind(from, queue, key);
        }
    }
    for delay_level in DELAY_LEVELS {
        let queue = format!("delay.{}", delay_level.name);
        queues.push(QueuePlan {
            name: names.queue(&queue),
            arguments: vec![
                ("x-queue-type", text("quorum")),
                ("x-message-ttl", Argument::Number(i64::try_from(delay_level.ttl.as_millis()).unwrap_or(i64::MAX))),
                ("x-dead-letter-exchange", Argument::Text(names.exchange(Exchange::Commands))),
                ("x-dead-letter-routing-key", text("expiry")),
                ("x-dead-letter-strategy", text("at-least-once")),
                ("x-overflow", text("reject-publish")),
                ("x-delivery-limit", Argument::Number(1_000_000)),
            ],
        });
        bind(Exchange::Delay, &queue, delay_level.name);
    }
    Plan { exchanges, queues, bindings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_is_a_bound_quorum_queue_with_a_delivery_limit() {
        let plan = plan(&Names::new("t").unwrap());
        for queue in &plan.queues {
            let has = |name| queue.arguments.iter().find(|(argument, _)| *argument == name).map(|(_, value)| value);
            assert_eq!(has("x-queue-type"), Some(&Argument::Text("quorum".into())), "{}", queue.name);
            assert!(matches!(has("x-delivery-limit"), Some(Argument::Number(limit)) if *limit > 0), "{}", queue.name);
            assert!(has("x-max-length").is_none());
            assert!(plan.bindings.iter().any(|binding| binding.queue == queue.name), "{} is bound", queue.name);
        }
    }
}
