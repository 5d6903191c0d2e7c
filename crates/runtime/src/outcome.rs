//! How a command ends: exit codes that scripts can rely on, and waiting for what became of a person's click.

use std::process::ExitCode;
use std::time::Duration;

use contracts::envelope::Message;
use store::Store;
use store::audit::{AuditFilter, AuditRow};

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Flags, files or input that cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// The rules say no.
    #[error("refused ({code}): {message}")]
    Refused {
        /// Stable code.
        code: String,
        /// For people.
        message: String,
    },
    /// A server does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The outcome did not come in time.
    #[error("{0}")]
    TimedOut(String),
    /// Evidence that is not what it should be.
    #[error("{words}")]
    Untrue {
        /// Exit code, 10 to 16.
        code: u8,
        /// For people.
        words: String,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// Exit code: 1 failed, 2 usage, 3 not found, 4 refused, 6 not reachable, 7 timed out.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Refused { .. } => 4,
            Self::Unreachable(_) => 6,
            Self::TimedOut(_) => 7,
            Self::Untrue { code, .. } => *code,
        })
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let text = workers::engine::chain(&error);
        match &error {
            store::Error::NotFound(what) => Self::NotFound(format!("nothing is known under {what}")),
            store::Error::TenantsOwn(message) => {
                Self::Refused { code: "tenant.protected".to_owned(), message: message.clone() }
            }
            error if error.is_outage() => {
                Self::Unreachable(format!("{text}; is the database up? `lockbox doctor` looks"))
            }
            _ => Self::Failed(text),
        }
    }
}

impl From<broker::Error> for Failure {
    fn from(error: broker::Error) -> Self {
        let text = workers::engine::chain(&error);
        match error {
            broker::Error::Url(_) | broker::Error::Prefix(_) => Self::Usage(text),
            _ => Self::Unreachable(format!("{text}; is the broker up? `lockbox doctor` looks")),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Waits for the events that followed from a message.
///
/// # Errors
/// [`Failure::Refused`] when it was refused or parked, [`Failure::TimedOut`] when nothing followed in time.
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
                "no outcome after {} s. What you asked is kept and takes effect as soon as the roles {role} and audit \
                 run; look with `lockbox audit search --cause {}`",
                patience.as_secs(),
                sent.id
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

fn is_refusal(type_name: &str) -> bool {
    matches!(type_name, "request.refused" | "decision.refused" | "message.parked")
}

fn refusal(event: &AuditRow) -> Failure {
    let data = crate::output::data(&event.body);
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    Failure::Refused { code: text("code"), message: text("message") }
}
