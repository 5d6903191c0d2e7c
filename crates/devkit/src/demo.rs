//! `lockbox demo`: runs a complete demonstration on local servers. Requests from files go through every stage, and the program
//! ends.

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

/// Options of the demonstration.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  lockbox demo")]
pub struct Demo {
    #[command(flatten)]
    place: Place,
    /// Folder with the request files.
    #[arg(long, value_name = "FOLDER", default_value = "examples/requests")]
    requests: PathBuf,
}

/// One scenario of the demonstration.
struct Scenario {
    file: &'static str,
    title: &'static str,
    manager: Option<Verdict>,
    customer: Option<Verdict>,
    ending: &'static str,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario {
        file: "approved.json",
        title: "approved, then expired",
        manager: Some(Verdict::Approve),
        customer: Some(Verdict::Approve),
        ending: "ended (expired)",
    },
    Scenario {
        file: "denied-by-vendor.json",
        title: "denied by the vendor's manager",
        manager: Some(Verdict::Deny),
        customer: None,
        ending: "vendor_denied",
    },
    Scenario {
        file: "denied-by-customer.json",
        title: "denied by the customer",
        manager: Some(Verdict::Approve),
        customer: Some(Verdict::Deny),
        ending: "customer_denied",
    },
    Scenario {
        file: "expired.json",
        title: "expired without a decision",
        manager: Some(Verdict::Approve),
        customer: None,
        ending: "expired (customer)",
    },
    Scenario { file: "malformed.json", title: "malformed", manager: None, customer: None, ending: "refused" },
];

struct Show {
    settings: Settings,
    store: Store,
    publisher: Publisher,
    started: Instant,
}

/// Time limit for each step.
const PATIENCE: Duration = Duration::from_secs(30);

impl Demo {
    /// Runs the demonstration.
    ///
    /// # Errors
    /// When a step does not have the expected outcome.
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
            "\n{mails} mails were sent. The servers are stopped. To keep a development environment running, use `lockbox dev` \
             (or `make dev`). In its portal at {portal}, sign in as robin (requester), morgan (manager), dana or alex \
             (approvers) or lee (auditor), and read the mails."
        ))
    }

    async fn show(&self, stack: &Stack) -> Result<(), Failure> {
        let link = runtime::connect::open_link(&stack.settings).await?;
        let publisher = Publisher::open(&link, &stack.settings.names).await?;
        let store = runtime::serve::open_store(&stack.settings).await?;
        let mut show = Show { settings: stack.settings.clone(), store, publisher, started: Instant::now() };
        line("\n== The ticketing system submits five requests as messages ==")?;
        let mut requests = Vec::new();
        for scenario in &SCENARIOS {
            requests.push((scenario, show.submit(&self.requests, scenario).await?));
        }
        line("\n== Morgan decides for the vendor; Dana decides for the customer ==")?;
        for (scenario, request) in &requests {
            let Some(request) = request else { continue };
            if let Some(verdict) = scenario.manager {
                show.decide(Kind::VendorDecide, *request, "morgan", verdict).await?;
            }
            if let Some(verdict) = scenario.customer {
                show.decide(Kind::CustomerDecide, *request, "dana", verdict).await?;
            }
        }
        line("\n== Access ends at its time, and a request without a decision expires ==")?;
        for (scenario, request) in requests.iter().filter_map(|(scenario, request)| Some((scenario, (*request)?))) {
            show.wait_for_end(request, scenario).await?;
        }
        show.mails(stack).await?;
        line("\n== The audit log of each request ==")?;
        let mut granted = None;
        for (scenario, request) in requests.iter().filter_map(|(scenario, request)| Some((scenario, (*request)?))) {
            line(&format!("\n{}:", scenario.title))?;
            for event in show.timeline(request).await? {
                granted = granted.or((event.type_name == "grant.activated").then_some(event.id));
                line(&format!("  {}", operations::documents::event_text(&event)))?;
            }
        }
        let steps = show.wait_for_the_audit_log().await?;
        line(&format!("\nAll {steps} steps of all requests are in the audit log; none is missing."))?;
        show.export_and_verify(&self.place.data, granted).await?;
        link.close().await;
        Ok(())
    }
}

impl Show {
    fn print(&self, text: &str) -> Result<(), Failure> {
        line(&format!("[{:5.1} s] {text}", self.started.elapsed().as_secs_f64()))
    }

    /// Publishes a request file as a ticketing system does, and waits for the outcome.
    async fn submit(&mut self, folder: &std::path::Path, scenario: &Scenario) -> Result<Option<Uuid>, Failure> {
        let path = folder.join(scenario.file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::Usage(format!(
                "{} cannot be read: {error}; run the command in the project folder, or set --requests",
                path.display()
            ))
        })?;
        let mut document: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        // Every run needs a new message id: a message with a known id is ignored.
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
                self.print(&format!("{:<28} {number} submitted as {request}", scenario.file))?;
                Ok(Some(request))
            }
            None if scenario.ending == "refused" => {
                let why = printable(data["message"].as_str().unwrap_or_default());
                self.print(&format!("{:<28} refused: {why}", scenario.file))?;
                Ok(None)
            }
            None => Err(Failure::Failed(format!("{} was not accepted: {data}", scenario.file))),
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
        Err(Failure::TimedOut(format!("no outcome of message {cause} after {} s", PATIENCE.as_secs())))
    }

    /// Stores and publishes a person's decision, and waits for the outcome.
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
            signature: None,
            comment_salt: None,
        };
        let about = About { request: Some(request), ..About::default() };
        let command: Message = message(kind, self.store.clock().await?, about, &data);
        self.store.enqueue(std::slice::from_ref(&command)).await?;
        let outgoing = workers::relay::outgoing(command.clone());
        self.publisher.publish(std::slice::from_ref(&outgoing)).await?;
        runtime::answer::outcome_of(&self.store, &command, PATIENCE).await?;
        self.print(&format!("{} {by}: {}", view.service_request, verdict.as_str()))
    }

    async fn wait_for_end(&self, request: Uuid, scenario: &Scenario) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let view = self.store.show_request(request).await?;
            let state =
                view.cause.as_ref().map_or_else(|| view.state.clone(), |cause| format!("{} ({cause})", view.state));
            if view.finished_at.is_some() {
                if state != scenario.ending {
                    return Err(Failure::Failed(format!("{} is {state}, not {}", scenario.file, scenario.ending)));
                }
                let recorded = self.timeline(request).await?.iter().filter_map(|event| event.version).max();
                if recorded == Some(view.version) {
                    return self.print(&format!("{} is {state}", view.service_request));
                }
            }
            if started.elapsed() > PATIENCE {
                return Err(Failure::TimedOut(format!("{} is still {state}", view.service_request)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every step is in the audit log. A provisioning may still be revoked when its request is over.
    async fn wait_for_the_audit_log(&self) -> Result<i64, Failure> {
        let started = Instant::now();
        loop {
            let gaps = self.store.audit_gaps(10).await?;
            let (steps, recorded) = self.store.steps().await?;
            if gaps.is_empty() {
                return Ok(steps);
            }
            if started.elapsed() > PATIENCE {
                return Err(Failure::Failed(format!("{recorded} of {steps} steps are in the audit log")));
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
            return line("\n== The mails were sent to the configured mail server ==");
        }
        let started = Instant::now();
        // Every mail is sent when the outbox is empty.
        while self.store.outbox_depth().await?.waiting > 0 && started.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        line("\n== The received mails ==")?;
        let mails = stack.mailbox.mails();
        for mail in &mails {
            // All mails of a request have the same subject; the first line below the greeting states what happened.
            let headline = mail.text.lines().nth(2).unwrap_or_default();
            line(&format!("  to {:<28} {}: {}", mail.to.join(", "), printable(&mail.subject), printable(headline)))?;
        }
        if let Some(mail) = mails.iter().find(|mail| mail.text.contains("your decision")) {
            line("\nOne mail in full:\n")?;
            for text in mail.text.lines() {
                line(&format!("    {}", printable(text)))?;
            }
        }
        Ok(())
    }
}
