//! `lockbox demo`: real requests from real files go all the way on real servers, live, and the program ends by itself.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use broker::{Exchange, Outgoing, Publisher};
use clap::Args;
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use domain::Verdict;
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use uuid::Uuid;

use crate::dev::{Place, Stack};
use runtime::configuration::{Flags, Settings};
use runtime::outcome::Failure;
use runtime::output::{line, printable};

mod record;

/// How to show it.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    #[command(flatten)]
    place: Place,
    /// Folder with the request files.
    #[arg(long, value_name = "FOLDER", default_value = "examples/requests")]
    requests: PathBuf,
}

/// One story of the demo.
struct Story {
    file: &'static str,
    title: &'static str,
    manager: Option<Verdict>,
    customer: Option<Verdict>,
    ending: &'static str,
}

const STORIES: [Story; 5] = [
    Story {
        file: "approved.json",
        title: "approved, then revoked by time",
        manager: Some(Verdict::Approve),
        customer: Some(Verdict::Approve),
        ending: "ended (time)",
    },
    Story {
        file: "denied-by-vendor.json",
        title: "rejected by the vendor's manager",
        manager: Some(Verdict::Deny),
        customer: None,
        ending: "vendor_denied",
    },
    Story {
        file: "denied-by-customer.json",
        title: "rejected by the customer",
        manager: Some(Verdict::Approve),
        customer: Some(Verdict::Deny),
        ending: "customer_denied",
    },
    Story {
        file: "expired.json",
        title: "unanswered, and so expired",
        manager: Some(Verdict::Approve),
        customer: None,
        ending: "expired (customer)",
    },
    Story { file: "malformed.json", title: "malformed", manager: None, customer: None, ending: "refused" },
];

struct Show {
    settings: Settings,
    store: Store,
    publisher: Publisher,
    started: Instant,
}

/// How long any one step may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Demo {
    /// Runs to the end.
    ///
    /// # Errors
    /// When anything did not go the way it must.
    pub async fn run(self, settings: &Settings, flags: Flags) -> Result<(), Failure> {
        let mut quiet = settings.clone();
        if flags.log.is_none() {
            "info".clone_into(&mut quiet.log);
        }
        let stack = Stack::start(&quiet, &flags, &self.place, &[], None).await?;
        let shown = Box::pin(self.show(&stack)).await;
        let (mails, portal) = (stack.mailbox.mails().len(), stack.settings.mail.portal_url.clone());
        stack.stop().await;
        shown?;
        line(&format!(
            "\n{mails} mails were sent. The servers are stopped. To stay: `lockbox dev` (or `make dev`); in its portal, \
             {portal}, sign in as robin (engineer), morgan (manager), dana or alex (approvers) or lee (auditor), and read \
             their mail."
        ))
    }

    async fn show(&self, stack: &Stack) -> Result<(), Failure> {
        let link = runtime::connect::open_link(&stack.settings).await?;
        let publisher = Publisher::open(&link, &stack.settings.names).await?;
        let store = runtime::serve::open_store(&stack.settings).await?;
        let mut show = Show { settings: stack.settings.clone(), store, publisher, started: Instant::now() };
        line("\n== Five requests arrive from the ticketing system, as messages ==")?;
        let mut requests = Vec::new();
        for story in &STORIES {
            requests.push((story, show.submit(&self.requests, story).await?));
        }
        line("\n== Morgan, the vendor's manager, reviews; Dana, the customer's approver, decides ==")?;
        for (story, request) in &requests {
            let Some(request) = request else { continue };
            if let Some(verdict) = story.manager {
                show.decide(Kind::VendorDecide, *request, "morgan", verdict).await?;
            }
            if let Some(verdict) = story.customer {
                show.decide(Kind::CustomerDecide, *request, "dana", verdict).await?;
            }
        }
        line("\n== Time passes: access ends by itself, and silence is no ==")?;
        for (story, request) in requests.iter().filter_map(|(story, request)| Some((story, (*request)?))) {
            show.wait_for_end(request, story).await?;
        }
        show.mails(stack).await?;
        line("\n== The audit trail of each ==")?;
        let mut granted = None;
        for (story, request) in requests.iter().filter_map(|(story, request)| Some((story, (*request)?))) {
            line(&format!("\n{}:", story.title))?;
            for event in show.timeline(request).await? {
                granted = granted.or((event.type_name == "grant.activated").then_some(event.id));
                line(&format!("  {}", operations::documents::event_text(&event)))?;
            }
        }
        let steps = show.wait_for_the_record().await?;
        line(&format!("\nAll {steps} steps of all requests are on record, none missing."))?;
        show.record_leaves_the_house(&self.place.data, granted).await?;
        link.close().await;
        Ok(())
    }
}

impl Show {
    fn say(&self, text: &str) -> Result<(), Failure> {
        line(&format!("[{:5.1} s] {text}", self.started.elapsed().as_secs_f64()))
    }

    /// Publishes a file as a ticketing system does, and waits for the answer.
    async fn submit(&mut self, folder: &std::path::Path, story: &Story) -> Result<Option<Uuid>, Failure> {
        let path = folder.join(story.file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::Usage(format!(
                "{} cannot be read: {error}; run in the project's folder or give --requests",
                path.display()
            ))
        })?;
        let mut document: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        // Every showing is another message: the same id again would rightly be ignored.
        let id = Uuid::now_v7().to_string();
        document["id"] = id.clone().into();
        let outgoing = Outgoing {
            exchange: Exchange::Requests,
            routing_key: Kind::RequestSubmit.routing_key().to_owned(),
            message_id: id.clone(),
            message_type: Kind::RequestSubmit.type_name(),
            correlation_id: None,
            headers: Vec::new(),
            body: serde_json::to_vec(&document).unwrap_or_default().into(),
        };
        self.publisher.publish(std::slice::from_ref(&outgoing)).await?;
        let answer = self.answer(&id).await?;
        let data = runtime::output::data(&answer.body);
        match answer.request.filter(|_| answer.type_name == "request.submitted") {
            Some(request) => {
                let number = answer.service_request.unwrap_or_default();
                self.say(&format!("{:<28} {number} submitted as {request}", story.file))?;
                Ok(Some(request))
            }
            None if story.ending == "refused" => {
                let why = printable(data["message"].as_str().unwrap_or_default());
                self.say(&format!("{:<28} refused: {why}", story.file))?;
                Ok(None)
            }
            None => Err(Failure::Failed(format!("{} was not taken: {data}", story.file))),
        }
    }

    async fn answer(&self, cause: &str) -> Result<AuditRow, Failure> {
        let filter = AuditFilter { cause: Some(cause.to_owned()), limit: 1, ..AuditFilter::default() };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(found) = self.store.search_audit(&filter).await?.pop() {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::TimedOut(format!("no answer to message {cause} after {} s", PATIENCE.as_secs())))
    }

    /// A person's click: kept first, then published, then waited for.
    async fn decide(&mut self, kind: Kind, request: Uuid, by: &str, verdict: Verdict) -> Result<(), Failure> {
        let view = self.store.show_request(request).await?;
        let data = contracts::commands::Decide {
            request,
            by: by.to_owned(),
            verdict,
            digest: view.digest(),
            comment: None,
            channel: "demo".to_owned(),
            duration_seconds: None,
            assertion: None,
        };
        let about = About { request: Some(request), ..About::default() };
        let click: Message = message(kind, self.store.clock().await?, about, &data);
        self.store.enqueue(std::slice::from_ref(&click)).await?;
        let outgoing = workers::relay::outgoing(click.clone());
        self.publisher.publish(std::slice::from_ref(&outgoing)).await?;
        runtime::answer::outcome_of(&self.store, &click, PATIENCE).await?;
        self.say(&format!("{} {by} says {}", view.service_request, verdict.as_str()))
    }

    async fn wait_for_end(&self, request: Uuid, story: &Story) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let view = self.store.show_request(request).await?;
            let state =
                view.cause.as_ref().map_or_else(|| view.state.clone(), |cause| format!("{} ({cause})", view.state));
            if view.finished_at.is_some() {
                if state != story.ending {
                    return Err(Failure::Failed(format!("{} is {state}, not {}", story.file, story.ending)));
                }
                let recorded = self.timeline(request).await?.iter().filter_map(|event| event.version).max();
                if recorded == Some(view.version) {
                    return self.say(&format!("{} is {state}", view.service_request));
                }
            }
            if started.elapsed() > PATIENCE {
                return Err(Failure::TimedOut(format!("{} is still {state}", view.service_request)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every step has reached the audit: a provisioning may still be closing when its request is over.
    async fn wait_for_the_record(&self) -> Result<i64, Failure> {
        let started = Instant::now();
        loop {
            let gaps = self.store.audit_gaps(10).await?;
            let (steps, recorded) = self.store.steps().await?;
            if gaps.is_empty() {
                return Ok(steps);
            }
            if started.elapsed() > PATIENCE {
                return Err(Failure::Failed(format!("{recorded} of {steps} steps are on record")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn timeline(&self, request: Uuid) -> Result<Vec<AuditRow>, Failure> {
        let filter = AuditFilter { request: Some(request), limit: 100, ..AuditFilter::default() };
        let mut events = self.store.search_audit(&filter).await?;
        events.reverse();
        Ok(events)
    }

    async fn mails(&self, stack: &Stack) -> Result<(), Failure> {
        if !self.settings.mail.url.contains("127.0.0.1") {
            return line("\n== Mails went to the mail server that was given ==");
        }
        let started = Instant::now();
        // All mail has gone when the outbox is empty.
        while self.store.outbox_depth().await?.waiting > 0 && started.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        line("\n== The mails, as received ==")?;
        let mails = stack.mailbox.mails();
        for mail in &mails {
            // The subject is the same for all mails of a request; the first line below the greeting says what happened.
            let headline = mail.text.lines().nth(2).unwrap_or_default();
            line(&format!("  to {:<28} {}: {}", mail.to.join(", "), printable(&mail.subject), printable(headline)))?;
        }
        if let Some(mail) = mails.iter().find(|mail| mail.text.contains("your decision")) {
            line("\nOne of them in full:\n")?;
            for text in mail.text.lines() {
                line(&format!("    {}", printable(text)))?;
            }
        }
        Ok(())
    }
}
