//! `lockbox monitor`: follows a tenant's log over HTTP and raises alarms. It needs neither the database nor the broker: the
//! customer runs it, or a party that it trusts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::monitor::{Alarm, Delivery, MailOptions, Monitor, Options};
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use consent::Pin;
use evidence::ConsentTrust;
use tlog::Verifier;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use runtime::outcome::Failure;
use runtime::output::{Format, json, line, print_message, printable};

mod failure;
mod status;
mod witness_key;

/// Monitor commands.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example:\n  lockbox monitor --log-url https://lockbox.fabrikam.example/.well-known/lockbox/contoso --key lockbox.fabrikam.example/t/contoso+… --authority contoso.authority.json"
)]
pub struct MonitorCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    run: Option<Run>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the state and the alarms of a monitor.
    #[command(after_help = "Example:\n  lockbox monitor status --data /var/lib/lockbox-monitor")]
    Status(status::Status),
}

/// Options of a monitor.
#[derive(Args, Debug)]
struct Run {
    /// Address of the log.
    #[arg(long, value_name = "URL", required = true)]
    log_url: Url,
    /// Authority file of the tenant, or its fingerprint. Without it, consent is not verified.
    #[arg(long, value_name = "FILE|FINGERPRINT")]
    authority: Option<String>,
    /// Authority file of the vendor, for tenants that want proof of the vendor's decisions too.
    #[arg(long, value_name = "FILE")]
    vendor_authority: Option<String>,
    /// Public key of the log that you trust (name+id+base64); repeat the option for more keys [default: the keys that the
    /// log shows when the monitor starts for the first time].
    #[arg(long, value_name = "KEY")]
    key: Vec<Verifier>,
    /// Token with the scope log:read; not needed for a public log.
    #[arg(long, env = "LOCKBOX_MONITOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Folder for entries, checkpoints and alarms.
    #[arg(long, value_name = "FOLDER", default_value = "lockbox-monitor")]
    data: PathBuf,
    /// File with the key that cosigns checkpoints; a key is created when there is none [default: does not cosign].
    #[arg(long, value_name = "FILE", requires = "witness_name")]
    witness_key: Option<PathBuf>,
    /// Name of the witness, such as its address without the scheme.
    #[arg(long, value_name = "NAME", requires = "witness_key")]
    witness_name: Option<String>,
    /// Address that receives alarms by mail; repeat the option for more addresses.
    #[arg(long, value_name = "ADDRESS", requires = "mail_server")]
    mail: Vec<String>,
    /// Mail server: smtp://host or smtps://user:password@host.
    #[arg(long, env = "LOCKBOX_MONITOR_MAIL_SERVER", hide_env_values = true, value_name = "URL")]
    mail_server: Option<String>,
    /// Sender of the mails [default: the first recipient].
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// URL that receives alarms as JSON by POST.
    #[arg(long, env = "LOCKBOX_MONITOR_WEBHOOK", hide_env_values = true, value_name = "URL")]
    webhook: Option<Url>,
    /// Check the log once and exit. The exit code is 0 without new alarms.
    #[arg(long)]
    once: bool,
    /// Seconds between two checks.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    interval: u64,
    /// Address of the status page, /healthz, /metrics and /add-checkpoint.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8791")]
    listen: SocketAddr,
}

/// Longest time without a heartbeat and without access to the log: three heartbeats.
const SILENCE: TimeDelta = TimeDelta::minutes(15);

impl MonitorCommand {
    /// Whether it runs until it is stopped.
    pub fn is_server(&self) -> bool {
        self.action.is_none() && self.run.as_ref().is_some_and(|run| !run.once)
    }

    pub(super) async fn run(self, format: Format) -> Result<(), Failure> {
        match (self.action, self.run) {
            (Some(Action::Status(status)), _) => status.run(format),
            (None, Some(run)) if run.once => run.check_once(format).await,
            (None, Some(run)) => run.stay().await,
            (None, None) => Err(Failure::Usage("--log-url is required".to_owned())),
        }
    }
}

/// Reads an authority file or a fingerprint.
fn pin(given: &str, option: &str) -> Result<Pin, Failure> {
    let usage = |why: String| Failure::Usage(format!("{option}: {why}"));
    match std::fs::read_to_string(given) {
        Ok(text) => Pin::parse(&text).map_err(|fault| usage(fault.to_string())),
        Err(fault) => Pin::parse(given)
            .map_err(|_| usage(format!("{given} is no fingerprint, and the file cannot be read: {fault}"))),
    }
}

impl Run {
    fn delivery(&self) -> Delivery {
        let mail = self.mail_server.clone().zip(self.mail.first()).map(|(server, first)| MailOptions {
            server,
            from: self.mail_from.clone().unwrap_or_else(|| first.clone()),
            to: self.mail.clone(),
        });
        Delivery { mail, webhook: self.webhook.clone() }
    }

    async fn open(&self) -> Result<Monitor, Failure> {
        let authority = self.authority.as_deref().map(|given| pin(given, "--authority")).transpose()?;
        let vendor = match self.vendor_authority.as_deref().map(|given| pin(given, "--vendor-authority")).transpose()? {
            None => None,
            Some(Pin::File(file)) => Some(file),
            Some(Pin::Fingerprint(_)) => {
                return Err(Failure::Usage("--vendor-authority: give an authority file".to_owned()));
            }
        };
        let trust = ConsentTrust { authority, vendor, ..ConsentTrust::default() };
        let witness = match self.witness_key.as_deref().zip(self.witness_name.as_deref()) {
            Some((file, name)) => Some(witness_key::read_or_create(file, name)?),
            None => None,
        };
        let options = Options {
            log: self.log_url.clone(),
            token: self.token.clone(),
            keys: self.key.clone(),
            trust,
            folder: self.data.clone(),
            witness,
            silence: SILENCE,
            clock: Arc::new(contracts::envelope::wall_clock),
        };
        Monitor::open(options).await.map_err(|fault| failure::of(&fault))
    }

    async fn stay(self) -> Result<(), Failure> {
        let monitor = self.open().await?;
        let listener = tokio::net::TcpListener::bind(self.listen).await.map_err(|fault| {
            Failure::Failed(format!("cannot listen on {} ({fault}); set another address with --listen", self.listen))
        })?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let consent = monitor.consent();
        let delivery = self.delivery();
        let interval = (Duration::from_secs(self.interval), &delivery);
        let running =
            ::monitor::start(monitor, listener, interval, &stop, &tasks).map_err(|fault| failure::of(&fault))?;
        tracing::info!(log = %self.log_url, address = %running.address, "the monitor is ready");
        if let Err(why) = consent {
            tracing::warn!("{why}");
        }
        if let Some(key) = running.view().witness {
            print_message(&format!("the public key of the witness: {key}"));
        }
        runtime::serve::stop_requested().await;
        stop.cancel();
        tasks.close();
        drop(tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await);
        Ok(())
    }

    async fn check_once(self, format: Format) -> Result<(), Failure> {
        let mut monitor = self.open().await?;
        let book = monitor.book();
        let alarms = |from: usize| -> Vec<Alarm> {
            let book = book.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            book.alarms().iter().skip(from).cloned().collect()
        };
        let known = alarms(0).len();
        monitor.check().await.map_err(|fault| failure::of(&fault))?;
        let new = alarms(known);
        let view = monitor.view().lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if format == Format::Json {
            json(&status::document(&view, &new))?;
        } else {
            for (name, value) in view.lines() {
                line(&printable(&format!("{name:<17} {value}")))?;
            }
            for alarm in &new {
                line(&printable(&format!("\n{alarm}")))?;
            }
        }
        for why in self.delivery().flush(&monitor).await.map_err(|fault| failure::of(&fault))? {
            print_message(&format!("alarms could not be sent; the next run sends them again: {why}"));
        }
        let worst = new.iter().filter(|alarm| !alarm.kind.is_information()).min_by_key(|alarm| alarm.kind);
        if let Some(alarm) = worst {
            return Err(Failure::Untrue {
                code: alarm.kind.code(),
                words: format!("{}: {}", alarm.title, alarm.message),
            });
        }
        if let Some(why) = view.failure {
            return Err(Failure::Unreachable(why));
        }
        monitor.consent().map_err(|why| Failure::Untrue { code: 18, words: why })
    }
}
