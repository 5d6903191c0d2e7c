//! Processes and servers that a test can kill.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::configuration::{Flags, Settings};
use servers::{Allow, Options, Servers, Worker};
use sqlx::postgres::{PgPool, PgPoolOptions};
use store::Store;
use tokio_util::sync::CancellationToken;
use workers::RoleName;

/// Python, installed or unpacked.
pub fn python() -> std::process::Command {
    servers::programs::python(&packages(), &progress()).unwrap().command()
}

/// The cache of `servers::programs` for packages that are not installed.
pub fn packages() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages")
}

/// Prints the progress of `servers` on standard error.
pub fn progress() -> servers::Progress {
    Arc::new(|line: &str| eprintln!("{line}"))
}

/// Time limit of every wait.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A Lockbox that runs in child processes.
pub struct Lockbox {
    pub servers: Servers,
    pub settings: Settings,
    pub store: Store,
    pub pool: PgPool,
    workers: Vec<(RoleName, usize, Worker)>,
    portal_stop: CancellationToken,
    folder: PathBuf,
    /// Settings file of the workers.
    config: Option<PathBuf>,
    /// Whether sequencer and signer run in their own processes.
    is_separate: bool,
}

impl Lockbox {
    /// Starts private servers and `count` processes of each role.
    pub async fn start(name: &str, count: usize) -> Self {
        Self::start_with(name, count, None).await
    }

    /// The same, with a settings file for the workers.
    pub async fn start_with(name: &str, count: usize, config: Option<PathBuf>) -> Self {
        let mut lockbox = Self::at_rest(name, config).await;
        for role in RoleName::ALL {
            for number in 0..count {
                lockbox.spawn(role, number);
            }
        }
        lockbox.until_ready().await;
        lockbox
    }

    /// Waits until each role consumes its queue. Commands of people have an outcome from then on.
    async fn until_ready(&self) {
        eventually("each role consumes its queue", async || {
            let config = broker::Config { url: self.settings.amqp_url.clone(), name: "test".into() };
            let link = broker::Link::open(&config).await.ok()?;
            let depths = broker::topology::depths(&link, &self.settings.names).await;
            link.close().await;
            let depths = depths.ok()?;
            let idle = |role: &RoleName| {
                let queue = self.settings.names.queue(role.as_str());
                depths.iter().any(|depth| depth.queue == queue && depth.consumers == 0)
            };
            (!RoleName::ALL.iter().any(idle)).then_some(())
        })
        .await;
    }

    /// The same, but without sequencer and signer.
    pub async fn start_separate(name: &str, count: usize) -> Self {
        let mut lockbox = Self { is_separate: true, ..Self::at_rest(name, None).await };
        for role in RoleName::ALL {
            for number in 0..count {
                lockbox.spawn(role, number);
            }
        }
        lockbox
    }

    /// Private servers without any worker.
    async fn at_rest(name: &str, config: Option<PathBuf>) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{name}"));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let servers = Servers::start(Options {
            database_url: None,
            amqp_url: None,
            project: folder.clone(),
            data: folder.join("servers"),
            cache: packages(),
            allow: Allow { docker: false, ..Allow::default() },
            progress: progress(),
        })
        .await
        .unwrap();
        let flags = Flags {
            database_url: Some(servers.database_url().to_owned()),
            amqp_url: Some(servers.amqp_url().to_owned()),
            ..Flags::default()
        };
        let mut settings = flags.resolve().unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
        devkit::dev::prepare(&settings, Some(&directory)).await.unwrap();
        let mailbox = portal::mailbox::Mailbox::default();
        let address = mailbox.listen(&tokio_util::task::TaskTracker::new()).await.unwrap();
        settings.mail.url = format!("smtp://{address}");
        let store = runtime::serve::open_store(&settings).await.unwrap();
        let portal_stop = open_portal(&mut settings).await;
        let pool = PgPoolOptions::new().max_connections(3).connect(&settings.database_url).await.unwrap();
        Self { servers, settings, store, pool, workers: Vec::new(), portal_stop, folder, config, is_separate: false }
    }

    /// Starts one process of a role.
    pub fn spawn(&mut self, role: RoleName, number: usize) {
        let mut environment = vec![
            ("LOCKBOX_DATABASE_URL", self.settings.database_url.clone()),
            ("LOCKBOX_AMQP_URL", self.settings.amqp_url.clone()),
            ("LOCKBOX_SMTP_URL", self.settings.mail.url.clone()),
            // Load is what these tests are about.
            ("LOCKBOX_MAIL_CAP", "1000000".to_owned()),
            ("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("LOCKBOX_AUDIT_FOLDER", self.folder.join("audit").display().to_string()),
        ];
        environment.extend(self.config.iter().map(|path| ("LOCKBOX_CONFIG", path.display().to_string())));
        let log = self.folder.join(format!("{}-{number}.log", role.as_str()));
        let mut arguments = vec!["worker".to_owned(), role.as_str().to_owned()];
        arguments.extend((self.is_separate && role == RoleName::Audit).then(|| "--append-only".to_owned()));
        let worker = Worker::start(Path::new(env!("CARGO_BIN_EXE_lockbox")), &arguments, &environment, &log).unwrap();
        self.workers.push((role, number, worker));
    }

    /// Kills a process with SIGKILL and restarts it.
    pub fn kill_one(&mut self, role: RoleName) {
        let index = self.workers.iter().position(|(worker, _, _)| *worker == role).unwrap();
        let (role, number, mut worker) = self.workers.remove(index);
        worker.kill();
        self.spawn(role, number);
    }

    /// Kills every process without a restart.
    pub fn kill_all(&mut self) {
        for (_, _, worker) in &mut self.workers {
            worker.kill();
        }
        self.workers.clear();
    }

    /// Starts one process of each role.
    pub fn spawn_all(&mut self) {
        for role in RoleName::ALL {
            self.spawn(role, 0);
        }
    }

    /// Stops a process of a role with SIGTERM. Returns the elapsed time.
    pub fn stop_one(&mut self, role: RoleName) -> Duration {
        let index = self.workers.iter().position(|(worker, _, _)| *worker == role).unwrap();
        let (_, _, mut worker) = self.workers.remove(index);
        let started = Instant::now();
        worker.stop();
        started.elapsed()
    }

    /// Runs a command and returns its output.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.run_for(arguments, 0)
    }

    /// Runs a command that ends with this exit code, and returns what it prints.
    pub fn run_for(&self, arguments: &[&str], code: i32) -> String {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(arguments)
            .env("LOCKBOX_DATABASE_URL", &self.settings.database_url)
            .env("LOCKBOX_AMQP_URL", &self.settings.amqp_url)
            .env("LOCKBOX_PORTAL_URL", &self.settings.mail.portal_url)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// The last lines of the log of each process, for failure messages.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(&self.folder).unwrap().flatten() {
            let Ok(log) = std::fs::read_to_string(entry.path()) else { continue };
            let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
            let end = lines[lines.len().saturating_sub(5)..].join("\n");
            text.push_str(&format!("\n--- {}\n{end}", entry.file_name().to_string_lossy()));
        }
        text
    }

    /// Stops all processes and servers.
    pub async fn finish(mut self) {
        self.kill_all();
        self.portal_stop.cancel();
        self.servers.stop().await;
    }
}

/// Starts a portal with developer sign-in in this process, for commands of people.
async fn open_portal(settings: &mut Settings) -> CancellationToken {
    let listener = runtime::listen::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    settings.mail.portal_url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let options = portal::Options { developer_sign_in: true, provider: portal::Provider::default(), mailbox: None };
    let stop = CancellationToken::new();
    portal::start(settings, listener, options, stop.clone(), &tokio_util::task::TaskTracker::new()).unwrap();
    stop
}

/// Polls until the closure returns a value. Errors count as no value.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {} s in vain: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
