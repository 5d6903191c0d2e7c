//! Waits for the outcome of a published command.

use std::time::Duration;

use contracts::envelope::Message;
use store::Store;
use store::audit::{AuditFilter, AuditRow};

use crate::outcome::Failure;

/// Waits for the events that followed from a message.
///
/// # Errors
/// [`Failure::Refused`] when the command was refused or dead-lettered, [`Failure::TimedOut`] when no event followed in time.
pub async fn outcome_of(store: &Store, sent: &Message, patience: Duration) -> Result<Vec<AuditRow>, Failure> {
    let started = std::time::Instant::now();
    let filter = AuditFilter { cause: Some(sent.id.to_string()), limit: 20, ..AuditFilter::default() };
    let mut pause = Duration::from_millis(20);
    loop {
        let mut events = store.search_audit(&filter).await?;
        events.reverse();
        if let Some(refused) = events.iter().find(|event| is_refusal(&event.type_name)) {
            return Err(refusal(refused));
        }
        if !events.is_empty() {
            return Ok(events);
        }
        if started.elapsed() > patience {
            let role = sent.kind.roles().first().copied().unwrap_or("intake");
            return Err(Failure::TimedOut(format!(
                "no outcome after {} s. The command is stored and takes effect when the roles {role} and audit run. To \
                 see its outcome then: lockbox audit search --cause {}",
                patience.as_secs(),
                sent.id
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

fn is_refusal(type_name: &str) -> bool {
    matches!(type_name, "request.refused" | "decision.refused" | "message.dead_lettered")
}

fn refusal(event: &AuditRow) -> Failure {
    let data = crate::output::data(&event.body);
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    Failure::Refused { code: text("code"), message: text("message") }
}
