//! A separate Lockbox for each test: tests share the servers, but each has its own database and names.
//!
//! Servers are those in `LOCKBOX_DATABASE_URL` and `LOCKBOX_AMQP_URL` when these are set, else local servers, else containers,
//! started once for the run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Exchange, Link, Outgoing, Publisher};
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use domain::Verdict;
use portal::mailbox::Mailbox;
use runtime::configuration::{Flags, Settings};
use serde_json::{Value, json};
use servers::{Allow, Options, Servers};
use sqlx::postgres::{PgPool, PgPoolOptions};
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use store::views::RequestView;
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use workers::{Health, RoleName};

/// Time limit of every condition.
pub const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Debug)]
struct Urls {
    database: String,
    amqp: String,
}

async fn urls() -> &'static Urls {
    static URLS: OnceCell<Urls> = OnceCell::const_new();
    URLS.get_or_init(|| async {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it-servers");
        drop(std::fs::remove_dir_all(&data));
        #[allow(clippy::disallowed_methods, reason = "tests take servers from the same variables as the program")]
        let given = |name: &str| std::env::var(name).ok();
        let servers = Servers::start(Options {
            database_url: given("LOCKBOX_DATABASE_URL"),
            amqp_url: given("LOCKBOX_AMQP_URL"),
            project: data.clone(),
            data: data.clone(),
            cache: packages(),
            allow: Allow { docker: false, ..Allow::default() },
            progress: progress(),
        })
        .await;
        match servers {
            Ok(servers) => {
                let urls = Urls { database: servers.database_url().to_owned(), amqp: servers.amqp_url().to_owned() };
                // They stop with this process.
                Box::leak(Box::new(servers));
                urls
            }
            Err(fault) => match super::containers::start().await {
                Ok((database, amqp)) => Urls { database, amqp },
                Err(why) => panic!("no servers for the tests: {fault}; containers: {why}"),
            },
        }
    })
    .await
}

/// Folder for unpacked and installed packages: the cache of `servers::programs`.
pub fn packages() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages")
}

/// Prints the progress of `servers` on standard error.
pub fn progress() -> servers::Progress {
    Arc::new(|line: &str| eprintln!("{line}"))
}

/// Python, installed or unpacked.
pub fn python() -> std::process::Command {
    servers::programs::python(&packages(), &progress()).unwrap().command()
}

/// A program from Debian packages; `None` when downloads are disabled.
pub fn debian(names: &[&str], program: &str) -> Option<std::process::Command> {
    let found = servers::programs::debian(names, program, &packages(), &progress());
    servers::programs::or_skip(found).map(|program| program.command())
}

/// Python with packages of exact versions; `None` when downloads are disabled.
pub fn python_with(requirements: &[&str]) -> Option<std::process::Command> {
    let found = servers::programs::python_with(requirements, &packages(), &progress());
    servers::programs::or_skip(found).map(|program| program.command())
}

/// Node.js with packages of exact versions; `None` when downloads are disabled.
pub fn node_with(requirements: &[&str]) -> Option<std::process::Command> {
    let found = servers::programs::node_with(requirements, &packages(), &progress());
    servers::programs::or_skip(found).map(|program| program.command())
}

/// A Lockbox.
pub struct Lockbox {
    pub settings: Settings,
    pub store: Store,
    pub pool: PgPool,
    pub mailbox: Mailbox,
    pub publisher: Mutex<Publisher>,
    pub link: Link,
    health: Health,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// The folder of the signer; dropped with this value.
    _audit: tempfile::TempDir,
}

/// All roles except mail; most tests need no mail.
pub const ROLES: [RoleName; 7] = [
    RoleName::Intake,
    RoleName::ManagerReview,
    RoleName::Notification,
    RoleName::Approval,
    RoleName::Expiry,
    RoleName::Access,
    RoleName::Audit,
];

/// Creates a database and returns its URL.
pub async fn fresh_database() -> String {
    let mut url = url::Url::parse(&urls().await.database).unwrap();
    let name = format!("lockbox_test_{}", Uuid::now_v7().simple());
    let admin = PgPoolOptions::new().max_connections(1).connect(url.as_str()).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&admin).await.unwrap();
    admin.close().await;
    url.set_path(&name);
    url.to_string()
}

impl Lockbox {
    /// Starts one with these roles.
    pub async fn with_roles(roles: &[RoleName]) -> Self {
        let lockbox = Self::without_roles().await;
        lockbox.start(roles).await;
        lockbox
    }

    /// Starts one without roles.
    pub async fn without_roles() -> Self {
        // As in `main`: one provider for all users of TLS.
        drop(rustls::crypto::ring::default_provider().install_default());
        let tasks = TaskTracker::new();
        let mailbox = Mailbox::default();
        let mail = mailbox.listen(&TaskTracker::new()).await.unwrap();
        let audit = tempfile::tempdir().unwrap();
        let prefix = format!("t{}", &Uuid::new_v4().simple().to_string()[..12]);
        let flags = Flags {
            database_url: Some(fresh_database().await),
            amqp_url: Some(urls().await.amqp.clone()),
            prefix: Some(prefix),
            smtp_url: Some(format!("smtp://{mail}")),
            mail_from: Some("Lockbox <lockbox@fabrikam.example>".into()),
            webhook_inside: Some("127.0.0.1".into()),
            database_connections: Some("8".into()),
            audit_folder: Some(audit.path().to_owned()),
            audit_authority: Some("lockbox.fabrikam.example".into()),
            ..Flags::default()
        };
        let settings = flags.resolve().unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
        devkit::dev::prepare(&settings, Some(&directory)).await.unwrap();
        let store = runtime::serve::open_store(&settings).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(2).connect(&settings.database_url).await.unwrap();
        let config = broker::Config { url: settings.amqp_url.clone(), name: "test".into() };
        let link = Link::open(&config).await.unwrap();
        let publisher = Mutex::new(Publisher::open(&link, &settings.names).await.unwrap());
        Self {
            settings,
            store,
            pool,
            mailbox,
            publisher,
            link,
            health: Health::default(),
            stop: CancellationToken::new(),
            tasks,
            _audit: audit,
        }
    }

    /// Starts more roles.
    pub async fn start(&self, roles: &[RoleName]) {
        let health = self.health.clone();
        runtime::serve::start(&self.settings, roles, health.clone(), self.stop.clone(), self.tasks.clone())
            .await
            .unwrap();
        eventually("the roles are ready", async || health.is_ready().then_some(())).await;
    }

    /// Starts the role `access` with these connectors.
    pub async fn keep_provisionings(&self, connectors: Vec<connectors::Built>) {
        let (health, provisionings) = (Health::default(), workers::access::Provisionings::behind(connectors));
        runtime::serve::start_access(&self.settings, provisionings, health.clone(), self.stop.clone(), &self.tasks)
            .unwrap();
        eventually("the role access is ready", async || health.is_ready().then_some(())).await;
    }

    /// A request with both approvals.
    pub async fn granted(&self, data: &Value) -> Uuid {
        let request = self.submit(data).await;
        let approver = if data["tenant"] == "adatum" { "dana" } else { "alex" };
        self.decide(Kind::VendorDecide, request, "morgan", Verdict::Approve).await;
        let said = self.decide(Kind::CustomerDecide, request, approver, Verdict::Approve).await;
        assert!(said == "request.customer_approved" || said == "grant.activated", "{said}");
        self.until(request, "active").await;
        request
    }

    /// Waits until a provisioning is in a state.
    pub async fn until_provisioning(&self, request: Uuid, state: &str) -> store::provisionings::ProvisioningView {
        eventually(&format!("the provisioning of {request} is {state}"), async || {
            self.store.provisioning(request).await.unwrap().filter(|provisioning| provisioning.state == state)
        })
        .await
    }

    /// The first event of a type about a request.
    pub async fn event(&self, request: Uuid, type_name: &str) -> Value {
        let filter = AuditFilter {
            request: Some(request),
            type_name: Some(type_name.into()),
            limit: 1,
            ..AuditFilter::default()
        };
        let what = format!("{type_name} of {request} is in the audit log");
        let found = eventually(&what, async || self.store.search_audit(&filter).await.unwrap().pop()).await;
        body(&found)
    }

    /// Components that are not ready, with the reason.
    pub fn unready(&self) -> Vec<(&'static str, String)> {
        self.health.parts().into_iter().filter_map(|(part, state)| Some((part, state.err()?))).collect()
    }

    /// Warnings of components that are ready.
    pub fn warnings(&self) -> std::collections::BTreeMap<&'static str, String> {
        self.health.warnings()
    }

    /// Stops the roles and deletes queues and database.
    pub async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(30), self.tasks.wait()).await.unwrap();
        self.delete_topology().await;
    }

    /// Deletes every exchange and queue. Retries, because a broker under load can fail on a quorum queue and disconnect.
    pub async fn delete_topology(&self) {
        let config = broker::Config { url: self.settings.amqp_url.clone(), name: "test".into() };
        eventually("exchanges and queues are deleted", async || {
            let link = Link::open(&config).await.ok()?;
            broker::topology::delete(&link, &self.settings.names).await.ok()
        })
        .await;
    }

    /// Copies the database row by row and returns the URL of the copy.
    pub async fn copy_of_database(&self) -> String {
        let copy = fresh_database().await;
        let client = |name: &str| servers::programs::postgres_client(name, &packages(), &progress()).unwrap().command();
        let dump = client("pg_dump").args(["--no-owner", &self.settings.database_url]).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let mut psql = client("psql")
            .args(["--quiet", "--single-transaction", "--set", "ON_ERROR_STOP=1", &copy])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut psql.stdin.take().unwrap(), &dump.stdout).unwrap();
        assert!(psql.wait().unwrap().success());
        copy
    }

    /// Publishes bytes as an outside system does.
    pub async fn publish_raw(&self, key: &str, id: &str, body: Vec<u8>) {
        let outgoing = Outgoing {
            exchange: Exchange::Requests,
            routing_key: key.into(),
            message_id: id.into(),
            message_type: format!("lockbox.{key}"),
            correlation_id: None,
            headers: Vec::new(),
            body: body.into(),
        };
        self.publisher.lock().await.publish(&[outgoing]).await.unwrap();
    }

    /// Publishes a command of a ticketing system and returns the id of the message.
    pub async fn publish(&self, kind: Kind, data: &Value) -> String {
        let id = Uuid::now_v7().to_string();
        self.publish_raw(kind.key(), &id, envelope(kind, &id, data)).await;
        id
    }

    /// Publishes a submission and waits for the request.
    pub async fn submit(&self, data: &Value) -> Uuid {
        let id = self.publish(Kind::RequestSubmit, data).await;
        let answer = self.answer(&id).await;
        assert_eq!(answer.type_name, "request.submitted", "{}", String::from_utf8_lossy(&answer.body));
        answer.request.unwrap()
    }

    /// The first event that a message caused.
    pub async fn answer(&self, cause: &str) -> AuditRow {
        let filter = AuditFilter { cause: Some(cause.into()), limit: 1, ..AuditFilter::default() };
        eventually(&format!("an answer to {cause}"), async || self.store.search_audit(&filter).await.unwrap().pop())
            .await
    }

    /// Publishes an internal command, as the portal does.
    pub async fn command(&self, kind: Kind, data: &impl serde::Serialize) -> Message {
        let command = message(kind, self.store.clock().await.unwrap(), About::default(), data);
        self.store.enqueue(std::slice::from_ref(&command)).await.unwrap();
        let outgoing = workers::relay::outgoing(command.clone());
        self.publisher.lock().await.publish(&[outgoing]).await.unwrap();
        command
    }

    /// Sends a decision and returns the outcome: the name of the event, or the code of the refusal.
    pub async fn decide(&self, kind: Kind, request: Uuid, by: &str, verdict: Verdict) -> String {
        let data = self.decision(request, by, verdict).await;
        self.outcome(kind, &data).await
    }

    /// A decision on the stored content.
    pub async fn decision(&self, request: Uuid, by: &str, verdict: Verdict) -> contracts::commands::Decide {
        contracts::commands::Decide {
            request,
            by: by.into(),
            verdict,
            digest: self.view(request).await.digest(),
            comment: Some("a considered answer".into()),
            channel: "test".into(),
            duration_seconds: None,
            signature: None,
            comment_salt: None,
        }
    }

    /// Sends a command and returns the outcome: the name of an event, or the code of a refusal.
    pub async fn outcome(&self, kind: Kind, data: &impl serde::Serialize) -> String {
        let sent = self.command(kind, data).await;
        let answer = self.answer(&sent.id.to_string()).await;
        let code = body(&answer)["code"].as_str().map(str::to_owned);
        code.unwrap_or(answer.type_name)
    }

    /// The request's row.
    pub async fn view(&self, request: Uuid) -> RequestView {
        self.store.show_request(request).await.unwrap()
    }

    /// Waits until a request is in a state.
    pub async fn until(&self, request: Uuid, state: &str) -> RequestView {
        eventually(&format!("{request} is {state}"), async || {
            let view = self.view(request).await;
            (view.state == state).then_some(view)
        })
        .await
    }

    /// The steps of the request in the audit log, in order, once all are recorded.
    pub async fn steps(&self, request: Uuid) -> Vec<String> {
        eventually("every step is in the audit log", async || {
            let version = self.view(request).await.version;
            let filter = AuditFilter { request: Some(request), limit: 500, ..AuditFilter::default() };
            let mut steps: Vec<_> = self.store.search_audit(&filter).await.unwrap();
            steps.retain(|event| event.version.is_some());
            steps.sort_by_key(|event| event.version);
            let versions: Vec<_> = steps.iter().filter_map(|event| event.version).collect();
            (versions == (1..=version).collect::<Vec<_>>())
                .then(|| steps.into_iter().map(|event| event.type_name).collect())
        })
        .await
    }

    /// Waits until every queue and the outbox are empty, except mail, which most tests do not send. However much work there is,
    /// it fails only when nothing of it has been done for as long as `PATIENCE`.
    pub async fn until_idle(&self) {
        let (mut least, mut since) = (u64::MAX, Instant::now());
        loop {
            let left = self.work_left().await;
            if left == 0 {
                return;
            }
            if left < least {
                (least, since) = (left, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "{left} messages are left, as many as {} s ago", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Messages in the queues and rows in the outbox, except those for mail and the wake-ups on the delay levels.
    async fn work_left(&self) -> u64 {
        let depths = broker::topology::depths(&self.link, &self.settings.names).await.unwrap();
        let waiting: i64 = sqlx::query_scalar("select count(*) from outbox where consumer <> 'mail'")
            .fetch_one(&self.pool)
            .await
            .unwrap();
        let work = depths.iter().filter(|depth| !depth.queue.contains(".delay.") && !depth.queue.ends_with(".mail"));
        work.map(|depth| u64::from(depth.ready)).sum::<u64>() + waiting.unsigned_abs()
    }
}

/// The data of an event.
pub fn body(event: &AuditRow) -> Value {
    runtime::output::data(&event.body)
}

/// A message of a ticketing system.
pub fn envelope(kind: Kind, id: &str, data: &Value) -> Vec<u8> {
    let document = json!({
        "specversion": "1.0", "id": id, "source": "/ticketing/test", "type": kind.type_name(),
        "datacontenttype": "application/json", "data": data,
    });
    serde_json::to_vec(&document).unwrap()
}

/// A valid submission: Robin requests access at Contoso for 60 seconds.
pub fn submission() -> Value {
    json!({
        "tenant": "contoso", "service_request": "SR-2026-004711", "service": "exchange_online",
        "resource": "finance@contoso.example", "justification": {"category": "customer_reported", "text": "mail is stuck"},
        "severity": "normal", "requester": "robin", "duration_seconds": 60,
    })
}

/// The same for the tenant whose rules are in seconds.
pub fn quick_submission(seconds: i64) -> Value {
    let mut data = submission();
    data["tenant"] = "adatum".into();
    data["duration_seconds"] = seconds.into();
    data
}

/// Polls until a condition is true.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {} s for: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}
