//! What a person asks for: kept in the outbox first, so that a broker that is down cannot lose it, then published, then
//! waited for, so that the truth is shown, also when the truth is "too late".

use std::time::Duration;

use contracts::envelope::{About, Message, message};
use contracts::{Kind, Traceparent};
use serde::Serialize;
use store::Store;
use store::audit::AuditRow;
use uuid::Uuid;

use runtime::answer::outcome_of;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::tell;
use runtime::serve::process_name;

/// How long an outcome is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes what is in the outbox already; a failure only means that a worker's relay sends it a little later.
pub(crate) async fn publish(settings: &Settings, messages: &[Message]) {
    let config = broker::Config { url: settings.amqp_url.clone(), name: process_name("command") };
    let published = async {
        let link = broker::Link::open(&config).await?;
        let mut publisher = broker::Publisher::open(&link, &settings.names).await?;
        let outgoing: Vec<_> = messages.iter().cloned().map(workers::relay::outgoing).collect();
        publisher.publish(&outgoing).await?;
        link.close().await;
        Ok::<(), broker::Error>(())
    };
    if let Err(error) = published.await {
        tracing::debug!(error = workers::error_chain(&error), "left to a worker's relay");
        tell("the broker does not answer now; what you asked is kept and sent as soon as it does");
    }
}

/// Keeps a command, publishes it, and waits for what became of it.
pub(crate) async fn click(
    settings: &Settings,
    store: &Store,
    kind: Kind,
    request: Option<Uuid>,
    data: &impl Serialize,
) -> Result<Vec<AuditRow>, Failure> {
    let about = About { request, channel: Some("cli/database"), trace: Some(Traceparent::start()), ..About::default() };
    let sent = message(kind, store.clock().await?, about, data);
    if sent.body.len() > contracts::envelope::SIZE_LIMIT_BYTES {
        return Err(Failure::Usage("what you wrote is longer than 64 KiB".to_owned()));
    }
    store.enqueue(std::slice::from_ref(&sent)).await?;
    publish(settings, std::slice::from_ref(&sent)).await;
    outcome_of(store, &sent, PATIENCE).await
}
