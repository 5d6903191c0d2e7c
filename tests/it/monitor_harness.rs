//! Monitors of tests, and what an operator with the database and the log key can do.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use monitor::{Alarm, Delivery, Monitor, Options, Running};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use store::tokens::NewToken;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, RoleName};

use crate::harness::{Lockbox, eventually};

/// How often the monitors of these tests check the log.
const INTERVAL: Duration = Duration::from_millis(200);
pub const TOKEN: &str = "lbx_monitor";

/// A token of a program with the scope `log:read`.
pub async fn add_token(lockbox: &Lockbox) {
    let new = NewToken {
        hash: &Sha256::digest(TOKEN),
        person: None,
        name: "monitor",
        scopes: &["log:read".to_owned()],
        days: 1,
    };
    lockbox.store.add_token(new, &contracts::events::Actor::lockbox(), "test").await.unwrap();
}

/// An address that shows one portal or another, as a vendor that shows different logs to different people.
#[derive(Clone)]
pub struct Front {
    pub address: String,
    shows: Arc<Mutex<String>>,
}

impl Front {
    pub async fn open(origin: &str) -> Self {
        let shows = Arc::new(Mutex::new(origin.to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(shows.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        Self { address, shows }
    }

    pub fn show(&self, origin: &str) {
        origin.clone_into(&mut self.shows.lock().unwrap());
    }
}

async fn pass(State(shows): State<Arc<Mutex<String>>>, headers: HeaderMap, uri: Uri) -> Response {
    let origin = shows.lock().unwrap().clone();
    let mut request = reqwest::Client::new().get(format!("{origin}{}", uri.path()));
    if let Some(token) = headers.get("authorization") {
        request = request.header("authorization", token);
    }
    match request.send().await {
        Ok(answer) => (answer.status(), answer.bytes().await.unwrap_or_default()).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// A clock that tests put forward, in seconds.
#[derive(Clone, Default)]
pub struct Hands(pub Arc<AtomicI64>);

pub struct Watched {
    pub monitor: Running,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Watched {
    pub async fn start(log: &str, folder: &Path, hands: &Hands, change: impl FnOnce(&mut Options)) -> Self {
        Self::start_with(log, folder, hands, change, Delivery::default()).await
    }

    /// Starts one that sends its alarms.
    pub async fn start_with(
        log: &str,
        folder: &Path,
        hands: &Hands,
        change: impl FnOnce(&mut Options),
        delivery: Delivery,
    ) -> Self {
        let hands = hands.clone();
        let mut options = Options {
            log: format!("{log}/.well-known/lockbox/contoso").parse().unwrap(),
            token: Some(TOKEN.to_owned()),
            keys: Vec::new(),
            trust: evidence::ConsentTrust::default(),
            folder: folder.to_owned(),
            witness: None,
            silence: TimeDelta::minutes(15),
            clock: Arc::new(move || {
                contracts::envelope::wall_clock() + TimeDelta::seconds(hands.0.load(Ordering::Relaxed))
            }),
        };
        change(&mut options);
        let monitor = Monitor::open(options).await.unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let monitor = monitor::start(monitor, listener, (INTERVAL, &delivery), &stop, &tasks).unwrap();
        Self { monitor, stop, tasks }
    }

    /// Waits for an alarm of this kind.
    pub async fn alarm(&self, kind: monitor::Kind) -> Alarm {
        eventually(&format!("the alarm {}", kind.name()), async || {
            self.monitor.alarms().into_iter().find(|alarm| alarm.kind == kind)
        })
        .await
    }

    /// Waits until this many entries are verified.
    pub async fn verified(&self, size: u64) {
        eventually(&format!("{size} entries are verified"), async || (self.monitor.view().size >= size).then_some(()))
            .await;
    }

    pub fn kinds(&self) -> Vec<&'static str> {
        self.monitor.alarms().iter().map(|alarm| alarm.kind.name()).collect()
    }

    pub async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Number of signed entries, when all recorded events are signed.
pub async fn signed(lockbox: &Lockbox) -> u64 {
    eventually("all events are in the log and signed", async || {
        let state = lockbox.store.completeness(Some("contoso")).await.unwrap();
        let incomplete = lockbox.store.incomplete_requests("contoso").await.unwrap();
        let signed = state.checkpoint.map_or(0, |latest| latest.size);
        (state.waiting == 0 && incomplete == 0 && signed == state.entries && signed > 0).then_some(())?;
        u64::try_from(signed).ok()
    })
    .await
}

/// What an operator does with SQL: an event that no role wrote, which the sequencer and the signer then put into the log.
pub async fn write_event(pool: &PgPool, kind: &str, request: Option<(uuid::Uuid, i32)>, data: &Value) -> Value {
    let id = uuid::Uuid::now_v7();
    let at = chrono::SubsecRound::trunc_subsecs(contracts::envelope::wall_clock(), 6);
    let mut event = json!({
        "specversion": "1.0", "id": id.to_string(), "source": "/lockbox", "type": format!("lockbox.{kind}.v1"),
        "time": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), "tenant": "contoso",
        "datacontenttype": "application/json", "data": data,
    });
    if let Some((request, version)) = request {
        event["correlationid"] = request.to_string().into();
        event["subjectversion"] = version.into();
    }
    let (request, version) = request.unzip();
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("insert into audit_events (id, at, type, tenant, request, version, body) values ($1, $2, $3, 'contoso', $4, $5, $6)")
        .bind(id)
        .bind(at)
        .bind(kind)
        .bind(request)
        .bind(version)
        .bind(event.to_string().into_bytes())
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query("insert into audit_staged (id, at, request, version) values ($1, $2, $3, $4)")
        .bind(id)
        .bind(at)
        .bind(request)
        .bind(version)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    event
}

/// A portal of these settings, as a vendor that runs two.
pub async fn portal(settings: &runtime::configuration::Settings, stop: &CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let mut settings = settings.clone();
    settings.mail.portal_url.clone_from(&origin);
    let options = portal::Options { developer_sign_in: true, provider: portal::Provider::default(), mailbox: None };
    portal::start(&settings, listener, options, stop.clone(), &TaskTracker::new()).unwrap();
    origin
}

/// A copy of the database and of the signer's folder, with roles that sign what is written into the copy.
pub async fn second_log(
    lockbox: &Lockbox,
    folder: &Path,
    stop: &CancellationToken,
) -> (runtime::configuration::Settings, PgPool) {
    let mut settings = lockbox.settings.clone();
    // The folder first: its signer must not remember a larger tree than the copy of the database has.
    for file in std::fs::read_dir(&lockbox.settings.audit.folder).unwrap().flatten() {
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    folder.clone_into(&mut settings.audit.folder);
    settings.database_url = lockbox.copy_of_database().await;
    let pool = PgPool::connect(&settings.database_url).await.unwrap();
    let roles = [RoleName::Sequencer, RoleName::Signer];
    runtime::serve::start(&settings, &roles, Health::default(), stop.clone(), TaskTracker::new()).await.unwrap();
    (settings, pool)
}
