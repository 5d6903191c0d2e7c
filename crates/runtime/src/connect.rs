//! Connections of a command to the broker.

use broker::{Link, topology};

use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::serve::process_name;

/// Opens a link for a command.
pub async fn open_link(settings: &Settings) -> Result<Link, Failure> {
    let config = broker::Config { url: settings.amqp_url.clone(), name: process_name("command") };
    Ok(Link::open(&config).await?)
}

/// Creates missing exchanges and queues. Returns the names of the created queues.
pub async fn apply_topology(settings: &Settings) -> Result<Vec<String>, Failure> {
    let link = open_link(settings).await?;
    let applied = topology::apply(&link, &settings.names).await?;
    link.close().await;
    Ok(applied.created)
}
