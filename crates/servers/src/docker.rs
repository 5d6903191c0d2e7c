//! A Docker engine, if one answers: the command alone says nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::find;
use crate::progress::Progress;

/// Whether an engine answers within two seconds.
pub(crate) fn answers() -> bool {
    let Some(docker) = find("docker", &[]) else { return false };
    let asked = Command::new(docker)
        .args(["info", "--format", "{{.ServerVersion}}"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut asked) = asked else { return false };
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        if let Ok(Some(status)) = asked.try_wait() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(asked.kill());
    drop(asked.wait());
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

/// Starts both servers of the project's compose file. Answers with the database's and the broker's URL.
pub(crate) fn up(project: &Path, progress: &Progress) -> Result<(String, String), Error> {
    progress("starting Postgres and RabbitMQ with docker compose");
    compose(project, &["up", "-d", "--wait", "postgres", "rabbitmq"])?;
    let database = compose(project, &["port", "postgres", "5432"])?;
    let broker = compose(project, &["port", "rabbitmq", "5672"])?;
    Ok((format!("postgres://lockbox:lockbox@{database}/lockbox"), format!("amqp://lockbox:lockbox@{broker}/%2f")))
}
