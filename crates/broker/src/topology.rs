//! Exchanges, queues and bindings: [`plan`] describes them as data, [`apply`] creates them, [`verify`] checks them. Workers
//! declare nothing; a worker whose queue is missing is not ready.

use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;

use crate::error::Error;
use crate::link::{Link, within};
use crate::names::Names;

mod plan;

pub use plan::{Argument, BindingPlan, ExchangePlan, Plan, QueuePlan, plan};

/// The result of [`apply`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Queues that were created.
    pub created: Vec<String>,
}

/// An exchange or queue that differs from the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The exchange or queue.
    pub object: String,
    /// The problem and what to do.
    pub problem: String,
}

/// The depth of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The queue.
    pub queue: String,
    /// Messages ready.
    pub ready: u32,
    /// Consumers.
    pub consumers: u32,
}

const DURABLE_EXCHANGE: ExchangeDeclareOptions =
    ExchangeDeclareOptions { passive: false, durable: true, auto_delete: false, internal: false, nowait: false };
const PASSIVE: QueueDeclareOptions =
    QueueDeclareOptions { passive: true, durable: true, exclusive: false, auto_delete: false, nowait: false };
const DURABLE_QUEUE: QueueDeclareOptions = QueueDeclareOptions { passive: false, ..PASSIVE };

/// Creates everything that is missing. Safe to run repeatedly.
///
/// # Errors
/// When an object exists with other arguments (406), must not be declared (403), or the broker does not respond.
pub async fn apply(link: &Link, names: &Names) -> Result<Applied, Error> {
    let plan = plan(names);
    let channel = link.channel().await?;
    for exchange in &plan.exchanges {
        let doing = format!("declaring the exchange {}", exchange.name);
        let (name, kind) = (exchange.name.as_str().into(), exchange.kind());
        within(10, &doing, channel.exchange_declare(name, kind, DURABLE_EXCHANGE, exchange.arguments())).await?;
    }
    let mut applied = Applied::default();
    for queue in &plan.queues {
        if depth(link, &queue.name).await?.is_none() {
            applied.created.push(queue.name.clone());
        }
        let doing = format!(
            "declaring the queue {} (if it exists with other arguments, empty and delete it, then apply again)",
            queue.name
        );
        within(10, &doing, channel.queue_declare(queue.name.as_str().into(), DURABLE_QUEUE, queue.arguments())).await?;
    }
    for binding in &plan.bindings {
        let doing = format!("binding {} to {}", binding.queue, binding.exchange);
        let (queue, exchange) = (binding.queue.as_str().into(), binding.exchange.as_str().into());
        let key = binding.key.as_str().into();
        let options = QueueBindOptions::default();
        within(10, &doing, channel.queue_bind(queue, exchange, key, options, FieldTable::default())).await?;
    }
    Ok(applied)
}

/// Finds exchanges and queues that are missing or different, without changes.
///
/// # Errors
/// When the broker does not respond.
pub async fn verify(link: &Link, names: &Names) -> Result<Vec<Fault>, Error> {
    let plan = plan(names);
    let mut faults = Vec::new();
    for exchange in &plan.exchanges {
        let channel = link.channel().await?;
        let options = ExchangeDeclareOptions { passive: true, ..DURABLE_EXCHANGE };
        let (name, kind) = (exchange.name.as_str().into(), exchange.kind());
        let found =
            within(10, "checking an exchange", channel.exchange_declare(name, kind, options, FieldTable::default()));
        add_fault(&mut faults, &exchange.name, "exchange", found.await)?;
    }
    for queue in &plan.queues {
        match depth(link, &queue.name).await? {
            None => faults.push(Fault {
                object: queue.name.clone(),
                problem: "the queue is missing; run `lockbox topology apply`".to_owned(),
            }),
            Some(_) => {
                // Declaring an existing queue with the same arguments changes nothing. With others the broker refuses it.
                let channel = link.channel().await?;
                let declare = channel.queue_declare(queue.name.as_str().into(), DURABLE_QUEUE, queue.arguments());
                let found = within(10, "checking a queue", declare).await.map(drop);
                add_fault(&mut faults, &queue.name, "queue", found)?;
            }
        }
    }
    Ok(faults)
}

fn add_fault(faults: &mut Vec<Fault>, object: &str, what: &str, found: Result<(), Error>) -> Result<(), Error> {
    let problem = match found {
        Ok(()) => return Ok(()),
        Err(error) => match error.reply_code() {
            Some(404) => format!("the {what} is missing; run `lockbox topology apply`"),
            Some(406) => {
                format!("the {what} exists with other settings; empty and delete it, then run `lockbox topology apply`")
            }
            Some(403) => format!("this login must not declare the {what}; use the login for the topology"),
            _ => return Err(error),
        },
    };
    faults.push(Fault { object: object.to_owned(), problem });
    Ok(())
}

async fn depth(link: &Link, queue: &str) -> Result<Option<Depth>, Error> {
    let channel = link.channel().await?;
    let found =
        within(10, "checking a queue", channel.queue_declare(queue.into(), PASSIVE, FieldTable::default())).await;
    let depth = match found {
        Ok(found) => {
            Some(Depth { queue: queue.to_owned(), ready: found.message_count(), consumers: found.consumer_count() })
        }
        Err(error) if error.reply_code() == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    within(5, "closing a channel", channel.close(200, "done".into())).await?;
    Ok(depth)
}

/// The depths of all queues, including the delay levels. Missing queues are left out.
///
/// # Errors
/// When the broker does not respond.
pub async fn depths(link: &Link, names: &Names) -> Result<Vec<Depth>, Error> {
    let mut depths = Vec::new();
    for queue in plan(names).queues {
        depths.extend(depth(link, &queue.name).await?);
    }
    Ok(depths)
}

/// Deletes everything under these names, messages included.
///
/// # Errors
/// When the broker does not respond.
pub async fn delete(link: &Link, names: &Names) -> Result<(), Error> {
    let plan = plan(names);
    let channel = link.channel().await?;
    for queue in plan.queues {
        let delete = channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default());
        within(10, "deleting a queue", delete).await?;
    }
    for exchange in plan.exchanges {
        let delete = channel.exchange_delete(exchange.name.as_str().into(), ExchangeDeleteOptions::default());
        within(10, "deleting an exchange", delete).await?;
    }
    Ok(())
}
