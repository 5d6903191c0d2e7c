//! Publishing of messages that an operator's command has stored in the outbox.

use contracts::envelope::Message;

use runtime::configuration::Settings;
use runtime::output::print_message;
use runtime::serve::process_name;

/// Publishes messages that are in the outbox. When the broker does not answer, a worker's relay sends them later.
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
        tracing::debug!(error = workers::error_chain(&error), "messages are left to a worker's relay");
        print_message(
            "The broker does not answer. The change is stored; a worker sends its messages when the broker is back.",
        );
    }
}
