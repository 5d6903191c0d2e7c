//! Logging: tracing to standard error, for people or as JSON.

use tracing_subscriber::EnvFilter;

use crate::configuration::{LogFormat, Settings};
use crate::outcome::Failure;

/// Starts logging. A second call changes nothing.
///
/// # Errors
/// [`Failure::Usage`] when the filter cannot be read.
pub fn start(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(format!("{},lapin=off,sqlx=warn", settings.log))
        .map_err(|fault| Failure::Usage(format!("log: {fault}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match settings.log_format {
        LogFormat::Text => builder.with_ansi(false).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
    Ok(())
}
