//! The parts of a running Lockbox, as children of this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use servers::{Options, Servers, Worker};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::RoleName;

use portal::mailbox::Mailbox;
use runtime::configuration::{Flags, Settings};
use runtime::outcome::Failure;
use runtime::output::print_message;

/// Directory file of the development environment and of the demonstration.
const DIRECTORY: &str = include_str!("../../../../examples/directory.yaml");

/// Folders and addresses of the local servers.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Folder for the data of local servers and for logs.
    #[arg(long, env = "LOCKBOX_DATA", value_name = "FOLDER", default_value = ".lockbox")]
    pub data: PathBuf,
    /// Folder for unpacked packages.
    #[arg(long, env = "LOCKBOX_CACHE", value_name = "FOLDER", default_value = ".lockbox/cache")]
    pub cache: PathBuf,
    /// Address of the portal [default: 127.0.0.1:8080, or a free port when it is in use].
    #[arg(long, env = "LOCKBOX_PORTAL_LISTEN", value_name = "ADDRESS")]
    pub portal_listen: Option<SocketAddr>,
    /// Do not use installed servers; unpack packages instead.
    #[arg(long, hide = true)]
    pub only_unpacked: bool,
}

/// A running Lockbox.
pub struct Stack {
    /// Settings with the URLs of its servers.
    pub settings: Settings,
    /// The servers.
    pub servers: Servers,
    /// Mailbox that receives every mail.
    pub mailbox: Mailbox,
    portal_stop: CancellationToken,
    workers: Vec<(RoleName, Worker, PathBuf)>,
    data: PathBuf,
    /// Settings file that the workers read too, such as for connectors.
    config: Option<PathBuf>,
}

fn progress(started: Instant) -> servers::Progress {
    Arc::new(move |text: &str| print_message(&format!("[{:6.1} s] {text}", started.elapsed().as_secs_f64())))
}

/// Listens on the given address, or on port 8080, or on a free port of this machine.
async fn portal_listener(asked: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    if let Some(address) = asked {
        return runtime::listen::bind(address).await;
    }
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match runtime::listen::bind(loopback(8080)).await {
        Ok(listener) => Ok(listener),
        Err(_) => runtime::listen::bind(loopback(0)).await,
    }
}

/// Starts a gate in this process; returns its address.
async fn open_gate(settings: &Settings, stop: &CancellationToken) -> Result<std::net::SocketAddr, Failure> {
    let listener = gate_listener().await?;
    let address = listener.local_addr()?;
    let signer = Some(gate::Signer::of_this_process());
    gate::start(settings, listener, signer, stop.clone(), &TaskTracker::new())?;
    Ok(address)
}

/// Listens on port 8081 or on a free port of this machine.
async fn gate_listener() -> Result<TcpListener, Failure> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match runtime::listen::bind(loopback(8081)).await {
        Ok(listener) => Ok(listener),
        Err(_) => runtime::listen::bind(loopback(0)).await,
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

impl Stack {
    /// Starts servers, roles and a mailbox.
    ///
    /// # Errors
    /// When a server does not start or a worker does not become ready.
    pub async fn start(
        settings: &Settings,
        flags: &Flags,
        place: &Place,
        scale: &[(RoleName, usize)],
        directory: Option<&Path>,
    ) -> Result<Self, Failure> {
        let progress = progress(Instant::now());
        let data = absolute(&place.data)?;
        let mut allow = servers::Allow::default();
        if place.only_unpacked {
            allow = servers::Allow { docker: false, installed: false, unpack: true };
        }
        let given = |flag: &Option<String>, file: &Option<PathBuf>, resolved: &str| {
            (flag.is_some() || file.is_some()).then(|| resolved.to_owned())
        };
        let servers = Servers::start(Options {
            database_url: given(&flags.database_url, &flags.database_url_file, &settings.database_url),
            amqp_url: given(&flags.amqp_url, &flags.amqp_url_file, &settings.amqp_url),
            project: absolute(Path::new("."))?,
            data: data.clone(),
            cache: absolute(&place.cache)?,
            allow,
            progress: progress.clone(),
        })
        .await
        .map_err(|fault| Failure::Unreachable(workers::error_chain(&fault)))?;
        progress(&format!("Postgres {}, RabbitMQ {}", servers.database_source, servers.broker_source));
        let mut settings = settings.clone();
        servers.database_url().clone_into(&mut settings.database_url);
        servers.amqp_url().clone_into(&mut settings.amqp_url);
        if flags.audit_folder.is_none() {
            settings.audit.folder = data.join("audit");
        }
        let mailbox = Mailbox::default();
        if flags.smtp_url.is_none() && flags.smtp_url_file.is_none() {
            let address = mailbox.listen(&TaskTracker::new()).await?;
            settings.mail.url = format!("smtp://{address}");
        }
        prepare(&settings, directory).await?;
        progress("database, exchanges, queues and directory are ready");
        let portal_stop = CancellationToken::new();
        let listener = portal_listener(place.portal_listen).await?;
        if flags.portal_url.is_none() {
            settings.mail.portal_url = format!("http://localhost:{}", listener.local_addr()?.port());
        }
        let options = portal::Options {
            developer_sign_in: true,
            provider: portal::Provider::default(),
            mailbox: Some(mailbox.clone()),
        };
        portal::start(&settings, listener, options, portal_stop.clone(), &TaskTracker::new())?;
        progress(&format!("the portal is at {}", settings.mail.portal_url));
        let gate = open_gate(&settings, &portal_stop).await?;
        progress(&format!("the gate is at http://{gate}"));
        let logs = data.join("logs");
        std::fs::create_dir_all(&logs)?;
        let config = flags.config.as_deref().map(absolute).transpose()?;
        let mut stack = Self { settings, servers, mailbox, portal_stop, workers: Vec::new(), data, config };
        for role in RoleName::ALL {
            let count = scale.iter().rfind(|(scaled, _)| *scaled == role).map_or(1, |(_, count)| *count);
            for number in 1..=count {
                stack.spawn(role, &logs.join(format!("{}-{number}.log", role.as_str())))?;
            }
        }
        stack.wait_until_ready().await?;
        progress(&format!("{} worker processes are ready", stack.workers.len()));
        Ok(stack)
    }

    fn spawn(&mut self, role: RoleName, log: &Path) -> Result<(), Failure> {
        let program = std::env::current_exe()?;
        drop(std::fs::remove_file(log));
        let worker =
            Worker::start(&program, &["worker".to_owned(), role.as_str().to_owned()], &self.environment(), log)
                .map_err(|fault| Failure::Failed(workers::error_chain(&fault)))?;
        self.workers.push((role, worker, log.to_owned()));
        Ok(())
    }

    /// Environment of processes that belong to this Lockbox.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("LOCKBOX_DATABASE_URL", self.settings.database_url.clone()),
            ("LOCKBOX_AMQP_URL", self.settings.amqp_url.clone()),
            ("LOCKBOX_PREFIX", self.settings.names.prefix().to_owned()),
            ("LOCKBOX_SMTP_URL", self.settings.mail.url.clone()),
            ("LOCKBOX_MAIL_FROM", self.settings.mail.from.clone()),
            ("LOCKBOX_PORTAL_URL", self.settings.mail.portal_url.clone()),
            ("LOCKBOX_AUDIT_FOLDER", self.settings.audit.folder.display().to_string()),
            ("LOCKBOX_AUDIT_AUTHORITY", self.settings.audit.authority.clone()),
            ("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("LOCKBOX_LOG", self.settings.log.clone()),
        ];
        environment.extend(self.config.iter().map(|path| ("LOCKBOX_CONFIG", path.display().to_string())));
        environment
    }

    /// Writes a file for shells. After a shell has sourced it, `lockbox` there uses this environment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_environment(&self) -> Result<PathBuf, Failure> {
        let program = std::env::current_exe()?;
        let folder = program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        let mut text = format!("export PATH='{folder}':\"$PATH\"\n");
        for (name, value) in self.environment().into_iter().filter(|(name, _)| *name != "LOCKBOX_LOG") {
            text.push_str(&format!("export {name}='{value}'\n"));
        }
        let path = self.data.join("env");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let link = runtime::connect::open_link(&self.settings).await?;
        let started = Instant::now();
        loop {
            self.restart_ended_workers()?;
            let depths = broker::topology::depths(&link, &self.settings.names).await?;
            let waiting: Vec<&str> = RoleName::ALL
                .iter()
                .map(|role| role.as_str())
                .filter(|role| {
                    let queue = self.settings.names.queue(role);
                    depths.iter().any(|depth| depth.queue == queue && depth.consumers == 0)
                })
                .collect();
            if waiting.is_empty() {
                link.close().await;
                return Ok(());
            }
            if started.elapsed() > Duration::from_secs(60) {
                return Err(Failure::TimedOut(format!(
                    "not ready after 60 s: {}; their logs are in {}",
                    waiting.join(", "),
                    self.data.join("logs").display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Starts workers again that have ended.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub fn restart_ended_workers(&mut self) -> Result<(), Failure> {
        let ended: Vec<usize> =
            (0..self.workers.len()).rev().filter(|index| self.workers[*index].1.has_ended()).collect();
        for index in ended {
            let (role, _, log) = self.workers.swap_remove(index);
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let last = text.lines().last().unwrap_or("its log is empty").to_owned();
            print_message(&format!("a worker {} ended ({last}) and is started again", role.as_str()));
            self.spawn(role, &log)?;
        }
        Ok(())
    }

    /// Stops everything in order.
    pub async fn stop(self) {
        self.portal_stop.cancel();
        let mut workers = self.workers;
        let stopped = tokio::task::spawn_blocking(move || {
            std::thread::scope(|scope| {
                for (_, worker, _) in &mut workers {
                    scope.spawn(|| worker.stop());
                }
            });
        });
        drop(stopped.await);
        self.servers.stop().await;
    }
}

/// Prepares the database, the broker and the directory for the workers.
///
/// # Errors
/// When a server refuses.
pub async fn prepare(settings: &Settings, directory: Option<&Path>) -> Result<(), Failure> {
    let store = runtime::serve::open_store(settings).await?;
    store.migrate().await?;
    if !runtime::connect::apply_topology(settings).await?.is_empty() {
        store.resend_all().await?;
    }
    let mut directory = match directory {
        Some(path) => operations::directory_file::read(path)?,
        None => serde_saphyr::from_str(DIRECTORY).map_err(|fault| Failure::Failed(fault.to_string()))?,
    };
    // The login of this deployment gets the rights that the example gives to `guest`.
    let login = broker::login(&settings.amqp_url);
    let guest = directory.producers.iter().find(|producer| producer.login == "guest").cloned();
    if let Some(guest) = guest.filter(|_| login != "guest") {
        directory.producers.push(contracts::directory::Producer { login, ..guest });
    }
    store.apply(&directory, "development").await?;
    store.close().await;
    Ok(())
}
