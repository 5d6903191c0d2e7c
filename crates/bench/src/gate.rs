//! Throughput and latency of authorization checks with many active grants, and the accuracy of the end of access.
//!
//! The gate and the clients run in this process. Clients reuse connections and write minimal HTTP, so that most of the time
//! is spent in the gate.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use contracts::envelope::wall_clock;
use store::seed::SeededGrant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lifecycle::{ROLES, once, sink};
use super::rig::{Rig, number, print_metric, quantile};
use runtime::outcome::Failure;
use runtime::output::print_message;

/// Duration of each load.
const LOAD: Duration = Duration::from_secs(5);
/// Number of concurrent checks under full load.
const CLIENTS: usize = 32;
/// Number of checks around the end of access.
const TRIES: usize = 10_000;

/// A reusable connection with its receive buffer.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Sends a check and returns the status code.
    async fn check(&mut self, body: &str) -> std::io::Result<u16> {
        let length = body.len();
        let head = format!("POST /v1/check HTTP/1.1\r\nhost: gate\r\ncontent-length: {length}\r\n\r\n{body}");
        self.stream.write_all(head.as_bytes()).await?;
        self.received.clear();
        // The responses of the gate have no body here.
        while !self.received.ends_with(b"\r\n\r\n") {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = self.received.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        status.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}

/// A client of the gate.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<Connection>>>,
    live: Arc<Vec<SeededGrant>>,
}

impl Client {
    async fn connection(&self) -> std::io::Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, received: Vec::with_capacity(1024) })
    }

    /// Checks a grant. Returns whether access is allowed, and the latency in milliseconds.
    async fn check(&self, index: usize) -> Result<(bool, f64), Failure> {
        let grant = &self.live[index % self.live.len()];
        let body = format!(
            r#"{{"access_token": "{}", "tenant": "contoso", "service": "{}", "resource": "{}"}}"#,
            grant.access_token, grant.service, grant.resource
        );
        let started = Instant::now();
        let mut connection = self.connection().await?;
        let status = connection.check(&body).await?;
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        match status {
            204 => Ok((true, milliseconds)),
            401 | 403 => Ok((false, milliseconds)),
            other => Err(Failure::Failed(format!("the gate returned status {other}"))),
        }
    }
}

async fn full_load(client: &Client) -> Result<(), Failure> {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = client.clone();
        clients.spawn(async move {
            let mut asked = 0;
            while started.elapsed() < LOAD {
                let (is_allowed, _) = client.check(first * 7919 + asked * 31).await?;
                if !is_allowed {
                    return Err(Failure::Failed("the gate refused an active grant".to_owned()));
                }
                asked += 1;
            }
            Ok(asked)
        });
    }
    let mut total = 0;
    for asked in clients.join_all().await {
        total += asked?;
    }
    let rate = number(total) / started.elapsed().as_secs_f64();
    print_metric("gate: checks/s under full load", &format!("{rate:.0} /s"), "goal: 5000 /s or more")
}

async fn steady_load(client: &Client) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let mut asked = JoinSet::new();
    let started = Instant::now();
    let mut index = 0;
    while started.elapsed() < LOAD {
        ticks.tick().await;
        let client = client.clone();
        asked.spawn(async move { client.check(index * 7919).await });
        index += 1;
    }
    let mut times = Vec::with_capacity(index);
    for answer in asked.join_all().await {
        times.push(answer?.1);
    }
    times.sort_by(f64::total_cmp);
    let value = format!("{:.2} / {:.2} ms", quantile(&times, 0.5), quantile(&times, 0.99));
    print_metric("gate: check at 500/s, p50 / p99", &value, "goal: p99 at most 10 ms")
}

async fn ended(rig: &Rig, client: &Client) -> Result<(), Failure> {
    let mut times = Vec::new();
    for index in 0..200 {
        rig.store.end_seeded(client.live[index].request).await?;
        let started = Instant::now();
        while client.check(index).await?.0 {}
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let value = format!("{:.2} ms", quantile(&times, 0.99));
    print_metric("gate: end committed to check refused, p99", &value, "goal: 1000 ms or less")
}

/// Counts checks that are sent at or after the end of access and still allowed. Gate and database share the system clock.
async fn around_the_end(rig: &Rig, client: &Client) -> Result<(), Failure> {
    let (mut tries, mut overruns, mut allowed, mut round) = (0, 0, 0, 0);
    while tries < TRIES {
        let index = 500 + round;
        round += 1;
        let until = wall_clock() + TimeDelta::milliseconds(100);
        rig.store.shorten_seeded(client.live[index].request, until).await?;
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            let client = client.clone();
            clients.spawn(async move {
                let (mut tries, mut overruns, mut allowed) = (0, 0, 0);
                while wall_clock() < until + TimeDelta::milliseconds(50) {
                    let sent = wall_clock();
                    let (is_allowed, _) = client.check(index).await?;
                    tries += 1;
                    allowed += usize::from(is_allowed);
                    overruns += usize::from(is_allowed && sent >= until);
                }
                Ok::<_, Failure>((tries, overruns, allowed))
            });
        }
        for asked in clients.join_all().await {
            let asked = asked?;
            tries += asked.0;
            overruns += asked.1;
            allowed += asked.2;
        }
    }
    let value = format!("{overruns} of {tries}");
    print_metric("gate: checks allowed after the end", &value, "goal: 0")?;
    print_metric("gate: checks allowed before the end", &allowed.to_string(), "")
}

pub(super) async fn measure(rig: &Rig, grants: usize) -> Result<(), Failure> {
    let work = rig.work(&ROLES).await?;
    sink(rig, &work).await?;
    once(rig, 1).await?;
    work.cancel();
    let count = i64::try_from(grants).unwrap_or(i64::MAX);
    let live = rig.store.seed_grants(count).await?;
    print_message(&format!("{} grants are active", live.len()));
    let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let address = listener.local_addr()?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    gate::start(&rig.settings, listener, None, stop.clone(), &tasks)?;
    let client = Client { address, idle: Arc::default(), live: Arc::new(live) };
    for index in 0..100 {
        client.check(index).await?;
    }
    full_load(&client).await?;
    steady_load(&client).await?;
    ended(rig, &client).await?;
    around_the_end(rig, &client).await?;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}
