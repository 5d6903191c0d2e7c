//! Runs roles in this process until SIGTERM or Ctrl-C, then drains: the current batch is finished, and committed messages are
//! published.

use std::sync::Arc;
use std::time::Duration;

use store::{Store, StoreOptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::mail::Mailer;
use workers::{Health, Relay, RoleName, Shared, Signatures};

use crate::configuration::Settings;
use crate::outcome::Failure;

/// Time limit for draining.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// How often old inbox rows and idempotency keys are deleted.
const TIDY_PERIOD: Duration = Duration::from_secs(3600);
/// Days for which a message is recognized as a duplicate.
const INBOX_DAYS: i32 = 60;

/// Name of this process for the broker and the database.
pub fn process_name(what: &str) -> String {
    format!("lockbox-{what}-{}", std::process::id())
}

/// Opens the database for a command.
///
/// # Errors
/// When the database does not answer within five seconds.
pub async fn open_store(settings: &Settings) -> Result<Store, Failure> {
    let options = StoreOptions {
        url: settings.database_url.clone(),
        connections: settings.database_connections,
        name: process_name("command"),
    };
    Ok(Store::connect(&options, Duration::from_secs(5)).await?)
}

/// What the roles of a process share, with its relay started.
fn shared(
    settings: &Settings,
    first: RoleName,
    health: Health,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> Result<Shared, Failure> {
    let name = process_name(first.as_str());
    let store = Store::connect_worker(&StoreOptions {
        url: settings.database_url.clone(),
        connections: settings.database_connections,
        name: name.clone(),
    })?;
    let broker = broker::Config { url: settings.amqp_url.clone(), name };
    let (relay, relay_task) = Relay::new(broker.clone(), settings.names.clone(), store.clone(), health.clone());
    tasks.spawn(relay_task.run(stop.clone()));
    Ok(Shared {
        login: broker::login(&broker.url),
        broker,
        names: settings.names.clone(),
        store,
        relay,
        health,
        stop,
        tasks: tasks.clone(),
    })
}

/// Starts roles. They run until `stop`; `tasks` ends when every role has drained.
///
/// # Errors
/// When the settings are not valid.
pub async fn start(
    settings: &Settings,
    roles: &[RoleName],
    health: Health,
    stop: CancellationToken,
    tasks: TaskTracker,
) -> Result<Store, Failure> {
    let first = roles.first().copied().unwrap_or(RoleName::Intake);
    let shared = shared(settings, first, health, stop, &tasks)?;
    let store = shared.store.clone();
    for role in roles {
        let shared = shared.clone();
        let signatures = Signatures::at(&settings.mail.portal_url);
        match role {
            RoleName::Intake => drop(tasks.spawn(workers::supervisor::run(shared, workers::intake::Intake))),
            RoleName::ManagerReview => {
                drop(
                    tasks
                        .spawn(workers::supervisor::run(shared, workers::manager_review::ManagerReview { signatures })),
                );
            }
            RoleName::Notification => {
                drop(tasks.spawn(workers::supervisor::run(shared, workers::notification::Notification)));
            }
            RoleName::Approval => {
                drop(tasks.spawn(workers::supervisor::run(shared, workers::approval::Approval { signatures })));
            }
            RoleName::Expiry => drop(tasks.spawn(workers::supervisor::run_expiry(shared))),
            RoleName::Access => {
                let provisionings =
                    connectors::build(&settings.targets).map_err(|faults| Failure::Usage(faults.join("; ")))?;
                let provisionings = workers::access::Provisionings::behind(provisionings);
                drop(tasks.spawn(workers::access::run(shared, provisionings, settings.trust.clone())));
            }
            RoleName::Audit => {
                tasks.spawn(tidy(shared.clone()));
                // The audit role includes the sequencer and the signer, unless they run in processes of their own.
                if !settings.audit.append_only {
                    let parts = RoleName::AUDIT_PARTS.into_iter().filter(|part| !roles.contains(part));
                    parts.for_each(|part| start_part(settings, part, &shared));
                }
                drop(tasks.spawn(workers::audit::run(shared)));
            }
            RoleName::Sequencer | RoleName::Signer => start_part(settings, *role, &shared),
            RoleName::Mail => {
                let mailer =
                    Mailer::new(&settings.mail).map_err(|fault| Failure::Usage(workers::error_chain(&fault)))?;
                tasks.spawn(workers::webhooks::run(shared.clone(), settings.webhook_inside.clone()));
                drop(tasks.spawn(workers::mail::run(shared, Arc::new(mailer))));
            }
        }
    }
    Ok(store)
}

/// Starts a part of the audit role that may also run alone.
fn start_part(settings: &Settings, part: RoleName, shared: &Shared) {
    let (shared, tasks) = (shared.clone(), shared.tasks.clone());
    if part == RoleName::Signer {
        drop(tasks.spawn(workers::signer::run(shared, settings.audit.folder.clone())));
    } else {
        drop(tasks.spawn(workers::sequencer::run(shared, settings.audit.authority.clone())));
    }
}

/// Starts one role that is not among the named ones, for measurements.
///
/// # Errors
/// When the settings are not valid.
pub async fn start_role<R: workers::Role + Clone>(
    settings: &Settings,
    role: R,
    health: Health,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let tasks = TaskTracker::new();
    let shared = shared(settings, role.name(), health, stop, &tasks)?;
    tasks.spawn(workers::supervisor::run(shared, role));
    Ok(())
}

/// Starts the role `access` with the connectors of the caller.
///
/// # Errors
/// When the settings are not valid.
pub fn start_access(
    settings: &Settings,
    provisionings: workers::access::Provisionings,
    health: Health,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), Failure> {
    let shared = shared(settings, RoleName::Access, health, stop, tasks)?;
    tasks.spawn(workers::access::run(shared, provisionings, settings.trust.clone()));
    Ok(())
}

async fn tidy(shared: Shared) {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(TIDY_PERIOD) => {}
        }
        let (inbox, keys) = (
            shared.store.delete_old_inbox_rows(INBOX_DAYS).await,
            shared.store.delete_old_idempotency_keys(INBOX_DAYS).await,
        );
        if let Err(error) = inbox.map(drop).and(keys) {
            tracing::warn!(
                error = workers::error_chain(&error),
                "old inbox rows or idempotency keys could not be deleted"
            );
        }
    }
}

/// Resolves when the process is asked to stop.
pub async fn stop_requested() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(interrupt.await),
    }
}

/// Runs roles with an admin port until asked to stop.
///
/// # Errors
/// When the settings are not valid, or draining took too long.
pub async fn run(settings: &Settings, roles: &[RoleName]) -> Result<(), Failure> {
    let metrics = crate::admin::record_metrics()?;
    let (health, stop, tasks) = (Health::default(), CancellationToken::new(), TaskTracker::new());
    for role in roles {
        health.set(role.as_str(), Err("starting".to_owned()));
    }
    // The admin server stops last, so that draining can be observed.
    let (admin_stop, admin_tasks) = (CancellationToken::new(), TaskTracker::new());
    let address =
        crate::admin::serve(settings.admin_listen, health.clone(), metrics, admin_stop.clone(), &admin_tasks).await?;
    let store = start(settings, roles, health, stop.clone(), tasks.clone()).await?;
    tasks.spawn(crate::admin::watch_store(store.clone(), stop.clone()));
    let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    tracing::info!(roles = names.join(","), admin = %address, "the roles run");
    stop_requested().await;
    tracing::info!("draining");
    stop.cancel();
    tasks.close();
    let drained = tokio::time::timeout(DRAIN_LIMIT, tasks.wait()).await;
    admin_stop.cancel();
    store.close().await;
    drained.map_err(|_| {
        Failure::Failed("draining took longer than 30 s; unfinished messages are delivered again".to_owned())
    })
}
