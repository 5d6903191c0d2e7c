//! Latency of pages and searches with full tables.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lifecycle::{ROLES, once, sink};
use super::rig::{Rig, print_metric, quantile};
use runtime::outcome::Failure;
use runtime::output::print_message;

/// Number of page views per page.
const PAGE_VIEWS: usize = 200;

fn failed(fault: &dyn std::error::Error) -> Failure {
    Failure::Failed(workers::error_chain(fault))
}

/// A signed-in person.
struct Visitor {
    client: reqwest::Client,
    origin: String,
    cookie: String,
}

impl Visitor {
    async fn sign_in(rig: &Rig, origin: String) -> Result<Self, Failure> {
        let people = rig.store.enabled_people().await?;
        let morgan = people.iter().find(|person| person.name == "morgan").map(|person| person.id.0.to_string());
        let client = reqwest::Client::builder().redirect(Policy::none()).build().map_err(|fault| failed(&fault))?;
        let form = [("person", morgan.unwrap_or_default())];
        let answer =
            client.post(format!("{origin}/sign-in")).form(&form).send().await.map_err(|fault| failed(&fault))?;
        let cookie = answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie =
            cookie.ok_or_else(|| Failure::Failed("the portal did not set a session cookie".to_owned()))?.to_owned();
        Ok(Self { client, origin, cookie })
    }

    /// Loads a page and returns the latency in milliseconds.
    async fn load(&self, path: &str) -> Result<f64, Failure> {
        let started = Instant::now();
        let asking = self.client.get(format!("{}{path}", self.origin)).header(COOKIE, &self.cookie);
        let answer = asking.send().await.map_err(|fault| failed(&fault))?;
        if !answer.status().is_success() {
            return Err(Failure::Failed(format!("{path} returned status {}", answer.status())));
        }
        answer.text().await.map_err(|fault| failed(&fault))?;
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    }

    async fn measure(&self, name: &str, goal: &str, path: impl Fn(usize) -> String) -> Result<(), Failure> {
        let mut times = Vec::with_capacity(PAGE_VIEWS);
        for number in 0..PAGE_VIEWS {
            times.push(self.load(&path(number)).await?);
        }
        times.sort_by(f64::total_cmp);
        let value = format!("{:.1} / {:.1} ms", quantile(&times, 0.5), quantile(&times, 0.99));
        print_metric(&format!("{name}: p50 / p99"), &value, goal)
    }
}

pub(super) async fn measure(rig: &Rig, rows: usize) -> Result<(), Failure> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let there: i64 = rig.store.request_counts().await?.iter().map(|(_, count)| count).sum();
    if there < rows {
        let work = rig.work(&ROLES).await?;
        sink(rig, &work).await?;
        once(rig, 500).await?;
        work.cancel();
        rig.store.seed_requests(rows, print_message).await?;
    }
    let samples = rig.store.sample(i64::try_from(PAGE_VIEWS).unwrap_or(500)).await?;
    let sample = |number: usize| &samples[number % samples.len()];

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let options = portal::Options { developer_sign_in: true, provider: portal::Provider::default(), mailbox: None };
    let mut settings = rig.settings.clone();
    settings.mail.portal_url.clone_from(&origin);
    portal::start(&settings, listener, options, stop.clone(), &tasks)?;
    let morgan = Visitor::sign_in(rig, origin).await?;
    let events = rig.store.audit_count().await?;
    print_message(&format!("{} requests and {events} events are in the tables", there.max(rows)));
    morgan.measure("request page", "goal: p99 at most 50 ms", |n| format!("/requests/{}", sample(n).0)).await?;
    morgan.measure("pending page", "", |_| "/".to_owned()).await?;
    let goal = "goal: p99 at most 200 ms";
    morgan.measure("audit search by request", goal, |n| format!("/audit?request={}", sample(n).0)).await?;
    morgan.measure("audit search by ticket", goal, |n| format!("/audit?service_request={}", sample(n).1)).await?;
    morgan.measure("audit search by person", goal, |_| "/audit?person=alex".to_owned()).await?;
    morgan.measure("audit search by tenant and type", goal, |_| "/audit?tenant=contoso&type=grant.".to_owned()).await?;
    morgan.measure("audit search by a rare word", goal, |n| format!("/audit?text={}", sample(n).1)).await?;
    let rare = |_| "/audit?type=grant.activated&person=robin&tenant=contoso".to_owned();
    morgan.measure("audit search without results, by person and type", goal, rare).await?;
    morgan.measure("audit search by a common word", goal, |_| "/audit?text=stuck".to_owned()).await?;
    morgan
        .measure("audit search by time", goal, |n| {
            let at = sample(n).2.format("%Y-%m-%dT%H:%M");
            format!("/audit?until={at}")
        })
        .await?;
    stop.cancel();
    Ok(())
}
