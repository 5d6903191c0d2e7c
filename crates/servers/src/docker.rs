//! Postgres and RabbitMQ from Docker Compose, when a Docker engine responds.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::find;
use crate::progress::Progress;

/// Whether a Docker engine responds within two seconds. The `docker` command can exist without an engine.
pub(crate) fn is_running() -> bool {
    let Some(docker) = find("docker", &[]) else { return false };
    let query = Command::new(docker)
        .args(["info", "--format", "{{.ServerVersion}}"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut query) = query else { return false };
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        if let Ok(Some(status)) = query.try_wait() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(query.kill());
    drop(query.wait());
    false
}

fn compose(project: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("docker");
    command.current_dir(project).arg("compose").args(arguments).stdin(Stdio::null());
    let failed = |said: String| Error::Program { program: "docker compose".to_owned(), said };
    let done = command.output().map_err(|fault| failed(fault.to_string()))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    } else {
        Err(failed(String::from_utf8_lossy(&done.stderr).into_owned()))
    }
}

/// Starts both servers of the compose file. Returns the URLs of database and broker.
pub(crate) fn up(project: &Path, progress: &Progress) -> Result<(String, String), Error> {
    progress("starting Postgres and RabbitMQ with docker compose");
    compose(project, &["up", "-d", "--wait", "postgres", "rabbitmq"])?;
    let database = compose(project, &["port", "postgres", "5432"])?;
    let broker = compose(project, &["port", "rabbitmq", "5672"])?;
    Ok((format!("postgres://lockbox:lockbox@{database}/lockbox"), format!("amqp://lockbox:lockbox@{broker}/%2f")))
}
