//! How many questions the gate answers with many grants open, how fast, and how exactly it keeps the end.
//!
//! The gate and whoever asks share this process: asking is a line that is kept and bytes that are written by hand, so that
//! the time goes to the gate.

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
use super::rig::{Rig, figure, number, quantile};
use runtime::outcome::Failure;
use runtime::output::print_message;

/// How long each load lasts.
const LOAD: Duration = Duration::from_secs(5);
/// Questions that are asked at once under full load.
const ASKERS: usize = 32;
/// Tries around an end.
const TRIES: usize = 10_000;

/// A connection that is kept, with the rest of what came over it.
struct Line {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Line {
    /// Sends a question; answers with the status.
    async fn ask(&mut self, question: &str) -> std::io::Result<u16> {
        let length = question.len();
        let head = format!("POST /v1/check HTTP/1.1\r\nhost: gate\r\ncontent-length: {length}\r\n\r\n{question}");
        self.stream.write_all(head.as_bytes()).await?;
        self.received.clear();
        // No answer of the gate has a body here.
        while !self.received.ends_with(b"\r\n\r\n") {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = self.received.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        status.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}

/// Somebody who asks.
#[derive(Clone)]
struct Asker {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<Line>>>,
    live: Arc<Vec<SeededGrant>>,
}

impl Asker {
    async fn line(&self) -> std::io::Result<Line> {
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(line) = kept {
            return Ok(line);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Line { stream, received: Vec::with_capacity(1024) })
    }

    /// Whether the holder of a grant is let through, and the milliseconds until that was said.
    async fn ask(&self, index: usize) -> Result<(bool, f64), Failure> {
        let grant = &self.live[index % self.live.len()];
        let question = format!(
            r#"{{"handle": "{}", "tenant": "contoso", "service": "{}", "resource": "{}"}}"#,
            grant.handle, grant.service, grant.resource
        );
        let started = Instant::now();
        let mut line = self.line().await?;
        let status = line.ask(&question).await?;
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        match status {
            204 => Ok((true, milliseconds)),
            401 | 403 => Ok((false, milliseconds)),
            other => Err(Failure::Failed(format!("the gate answered {other}"))),
        }
    }
}

async fn full_load(asker: &Asker) -> Result<(), Failure> {
    let started = Instant::now();
    let mut askers = JoinSet::new();
    for first in 0..ASKERS {
        let asker = asker.clone();
        askers.spawn(async move {
            let mut asked = 0;
            while started.elapsed() < LOAD {
                let (is_allowed, _) = asker.ask(first * 7919 + asked * 31).await?;
                if !is_allowed {
                    return Err(Failure::Failed("an open grant was refused".to_owned()));
                }
                asked += 1;
            }
            Ok(asked)
        });
    }
    let mut total = 0;
    for asked in askers.join_all().await {
        total += asked?;
    }
    let rate = number(total) / started.elapsed().as_secs_f64();
    figure("gate: checks under full load", &format!("{rate:.0} /s"), "goal: 5000 /s or more")
}

async fn steady_load(asker: &Asker) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let mut asked = JoinSet::new();
    let started = Instant::now();
    let mut index = 0;
    while started.elapsed() < LOAD {
        ticks.tick().await;
        let asker = asker.clone();
        asked.spawn(async move { asker.ask(index * 7919).await });
        index += 1;
    }
    let mut times = Vec::with_capacity(index);
    for answer in asked.join_all().await {
        times.push(answer?.1);
    }
    times.sort_by(f64::total_cmp);
    let value = format!("{:.2} / {:.2} ms", quantile(&times, 0.5), quantile(&times, 0.99));
    figure("gate: at 500 /s: p50 / p99", &value, "goal: p99 at most 10 ms")
}

async fn ended(rig: &Rig, asker: &Asker) -> Result<(), Failure> {
    let mut times = Vec::new();
    for index in 0..200 {
        rig.store.end_seeded(asker.live[index].request).await?;
        let started = Instant::now();
        while asker.ask(index).await?.0 {}
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let value = format!("{:.2} ms", quantile(&times, 0.99));
    figure("gate: from end committed to refused, p99", &value, "goal: 1000 ms or less")
}

/// The machine's clock is the database's here: a question sent at or after the end that is allowed is an overrun.
async fn around_the_end(rig: &Rig, asker: &Asker) -> Result<(), Failure> {
    let (mut tries, mut overruns, mut allowed, mut round) = (0, 0, 0, 0);
    while tries < TRIES {
        let index = 500 + round;
        round += 1;
        let until = wall_clock() + TimeDelta::milliseconds(100);
        rig.store.shorten_seeded(asker.live[index].request, until).await?;
        let mut askers = JoinSet::new();
        for _ in 0..8 {
            let asker = asker.clone();
            askers.spawn(async move {
                let (mut tries, mut overruns, mut allowed) = (0, 0, 0);
                while wall_clock() < until + TimeDelta::milliseconds(50) {
                    let sent = wall_clock();
                    let (is_allowed, _) = asker.ask(index).await?;
                    tries += 1;
                    allowed += usize::from(is_allowed);
                    overruns += usize::from(is_allowed && sent >= until);
                }
                Ok::<_, Failure>((tries, overruns, allowed))
            });
        }
        for asked in askers.join_all().await {
            let asked = asked?;
            tries += asked.0;
            overruns += asked.1;
            allowed += asked.2;
        }
    }
    let value = format!("{overruns} of {tries}");
    figure("gate: allowed after the end, of tries around it", &value, "goal: 0")?;
    figure("gate: allowed before the end, of the same tries", &allowed.to_string(), "")
}

pub(super) async fn measure(rig: &Rig, grants: usize) -> Result<(), Failure> {
    let work = rig.work(&ROLES).await?;
    sink(rig, &work).await?;
    once(rig, 1).await?;
    work.cancel();
    let count = i64::try_from(grants).unwrap_or(i64::MAX);
    let live = rig.store.seed_grants(count).await?;
    print_message(&format!("{} grants are open", live.len()));
    let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let address = listener.local_addr()?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    gate::start(&rig.settings, listener, None, stop.clone(), &tasks)?;
    let asker = Asker { address, lines: Arc::default(), live: Arc::new(live) };
    for index in 0..100 {
        asker.ask(index).await?;
    }
    full_load(&asker).await?;
    steady_load(&asker).await?;
    ended(rig, &asker).await?;
    around_the_end(rig, &asker).await?;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}
