//! Selects the source of each server in a fixed order, and starts private servers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::error::Error;
use crate::folders::reachable;
use crate::process::RunAs;
use crate::progress::Progress;
use crate::{debian, docker, postgres, rabbitmq, unpack};

/// The source of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A configured URL.
    Configured,
    /// A Docker engine.
    Docker,
    /// Installed programs.
    Installed,
    /// Unpacked packages.
    Unpacked,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "as configured",
            Self::Docker => "from docker compose",
            Self::Installed => "private, from installed programs",
            Self::Unpacked => "private, from unpacked packages",
        })
    }
}

/// The allowed sources.
#[derive(Clone, Copy, Debug)]
pub struct Allow {
    /// A Docker engine.
    pub docker: bool,
    /// Installed programs.
    pub installed: bool,
    /// Packages to unpack.
    pub unpack: bool,
}

impl Default for Allow {
    fn default() -> Self {
        Self { docker: true, installed: true, unpack: true }
    }
}

/// Options to find or start servers.
#[derive(Clone)]
pub struct Options {
    /// URL of a running database.
    pub database_url: Option<String>,
    /// URL of a running broker.
    pub amqp_url: Option<String>,
    /// Folder that contains the compose file, for Docker.
    pub project: PathBuf,
    /// Folder for the data of private servers.
    pub data: PathBuf,
    /// Folder for unpacked packages.
    pub cache: PathBuf,
    /// Allowed sources.
    pub allow: Allow,
    /// Receives progress messages.
    pub progress: Progress,
}

/// A running database and broker. Private servers end when this value is dropped.
pub struct Servers {
    database_url: String,
    amqp_url: String,
    /// Source of the database.
    pub database_source: Source,
    /// Source of the broker.
    pub broker_source: Source,
    /// The database, when it is private.
    pub database: Option<postgres::Private>,
    /// The broker, when it is private.
    pub broker: Option<rabbitmq::Private>,
}

impl Servers {
    /// Finds or starts both servers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with instructions, when no source provides a server.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let joined = tokio::task::spawn_blocking(move || start(&options)).await;
        joined.unwrap_or_else(|fault| Err(Error::Program { program: "start".to_owned(), said: fault.to_string() }))
    }

    /// URL of the database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// URL of the broker.
    pub fn amqp_url(&self) -> &str {
        &self.amqp_url
    }

    /// Stops the private servers: the broker, then the database.
    pub async fn stop(self) {
        let stop = move || {
            let (mut database, mut broker) = (self.database, self.broker);
            if let Some(broker) = &mut broker {
                broker.stop();
            }
            if let Some(database) = &mut database {
                database.stop();
            }
        };
        drop(tokio::task::spawn_blocking(stop).await);
    }
}

fn start(options: &Options) -> Result<Servers, Error> {
    let progress = &options.progress;
    let (mut database_url, mut amqp_url) = (options.database_url.clone(), options.amqp_url.clone());
    let (mut database_source, mut broker_source) = (Source::Configured, Source::Configured);
    let mut tried = Vec::new();
    if options.allow.docker && database_url.is_none() && amqp_url.is_none() {
        if options.project.join("docker-compose.yml").is_file() && docker::is_running() {
            match docker::up(&options.project, progress) {
                Ok((database, broker)) => {
                    (database_url, amqp_url) = (Some(database), Some(broker));
                    (database_source, broker_source) = (Source::Docker, Source::Docker);
                }
                Err(fault) => tried.push(fault.to_string()),
            }
        } else {
            tried.push("no Docker engine responds".to_owned());
        }
    }
    let run_as = RunAs::choose();
    let data = reachable(&options.data, run_as, progress);
    if database_url.is_none() || amqp_url.is_none() {
        std::fs::create_dir_all(&data).map_err(Error::file("creating the folder", &data))?;
    }
    let mut private = Private { options, run_as, data, tried, unpacked: None };
    let database = match &database_url {
        Some(_) => None,
        None => {
            let (server, source) = private.database()?;
            database_source = source;
            Some(server)
        }
    };
    let broker = match &amqp_url {
        Some(_) => None,
        None => {
            let (server, source) = private.broker()?;
            broker_source = source;
            Some(server)
        }
    };
    let database_url = database_url.or_else(|| database.as_ref().map(postgres::Private::url)).unwrap_or_default();
    let amqp_url = amqp_url.or_else(|| broker.as_ref().map(rabbitmq::Private::url)).unwrap_or_default();
    Ok(Servers { database_url, amqp_url, database_source, broker_source, database, broker })
}

struct Private<'a> {
    options: &'a Options,
    run_as: RunAs,
    data: PathBuf,
    tried: Vec<String>,
    unpacked: Option<unpack::Unpacked>,
}

impl Private<'_> {
    fn unpacked(&mut self) -> Result<unpack::Unpacked, Error> {
        if let Some(unpacked) = &self.unpacked {
            return Ok(unpacked.clone());
        }
        let cache = reachable(&self.options.cache, self.run_as, &self.options.progress);
        let unpacked = unpack::unpack(debian::Set::Servers, &cache, &self.options.progress)?;
        Ok(self.unpacked.insert(unpacked).clone())
    }

    fn unavailable(&self, server: &'static str, variable: &'static str, package: &'static str) -> Error {
        Error::Unavailable { server, variable, package, tried: self.tried.join("; ") }
    }

    fn database(&mut self) -> Result<(postgres::Private, Source), Error> {
        let started = Instant::now();
        let progress = self.options.progress.clone();
        let folder = self.data.join("postgres");
        let installed = if self.options.allow.installed { postgres::installed(Path::new("/")) } else { None };
        let (binaries, libraries, source) = match installed {
            Some(binaries) => (binaries, None, Source::Installed),
            None => {
                self.tried.push("Postgres is not installed".to_owned());
                if !self.options.allow.unpack {
                    return Err(self.unavailable("Postgres", "LOCKBOX_DATABASE_URL", "postgresql"));
                }
                let found = match self.unpacked() {
                    Ok(unpacked) => {
                        postgres::installed(&unpacked.root).map(|binaries| (binaries, unpacked.libraries()))
                    }
                    Err(fault) => {
                        self.tried.push(fault.to_string());
                        None
                    }
                };
                let Some((binaries, libraries)) = found else {
                    return Err(self.unavailable("Postgres", "LOCKBOX_DATABASE_URL", "postgresql"));
                };
                (binaries, Some(libraries), Source::Unpacked)
            }
        };
        let server = postgres::Private::start(&folder, binaries, libraries, self.run_as, progress.clone())?;
        progress(&format!("Postgres is ready after {:.1} s", started.elapsed().as_secs_f64()));
        Ok((server, source))
    }

    fn broker(&mut self) -> Result<(rabbitmq::Private, Source), Error> {
        let started = Instant::now();
        let progress = self.options.progress.clone();
        let folder = self.data.join("rabbitmq");
        let installed = if self.options.allow.installed { rabbitmq::installed(Path::new("/")) } else { None };
        let (script, unpacked, source) = match installed {
            Some(script) => (script, None, Source::Installed),
            None => {
                self.tried.push("RabbitMQ is not installed".to_owned());
                if !self.options.allow.unpack {
                    return Err(self.unavailable("RabbitMQ", "LOCKBOX_AMQP_URL", "rabbitmq-server"));
                }
                let found = match self.unpacked() {
                    Ok(unpacked) => rabbitmq::installed(&unpacked.root).map(|script| (script, unpacked)),
                    Err(fault) => {
                        self.tried.push(fault.to_string());
                        None
                    }
                };
                let Some((script, unpacked)) = found else {
                    return Err(self.unavailable("RabbitMQ", "LOCKBOX_AMQP_URL", "rabbitmq-server"));
                };
                (script, Some(unpacked), Source::Unpacked)
            }
        };
        let erlang = unpacked.as_ref().map(unpack::Unpacked::erlang);
        let libraries = unpacked.as_ref().map(unpack::Unpacked::libraries);
        let server = rabbitmq::Private::start(&folder, script, erlang, libraries, self.run_as, progress.clone())?;
        progress(&format!("RabbitMQ is ready after {:.1} s", started.elapsed().as_secs_f64()));
        Ok((server, source))
    }
}
