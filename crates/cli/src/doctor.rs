//! `lockbox doctor`: checks the installation. Each line states a finding and, when a check fails, the fix.

use broker::{Link, topology};
use serde_json::json;
use store::Store;
use workers::trust::Trust;

use runtime::configuration::Settings;
use runtime::connect::open_link;
use runtime::outcome::Failure;
use runtime::output::{Format, json as print_json, line};
use runtime::serve::open_store;

struct Finding {
    check: &'static str,
    is_well: bool,
    seen: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, is_well: bool, seen: impl Into<String>) {
        self.0.push(Finding { check, is_well, seen: seen.into() });
    }
}

pub(super) async fn run(settings: &Settings, format: Format) -> Result<(), Failure> {
    let mut findings = Findings::default();
    match open_store(settings).await {
        Ok(store) => check_store(&store, settings, &mut findings).await?,
        Err(failure) => findings.add("database", false, failure.to_string()),
    }
    match open_link(settings).await {
        Ok(link) => {
            findings.add("broker", true, format!("answers, login {}", link.login()));
            check_broker(&link, settings, &mut findings).await?;
            link.close().await;
        }
        Err(failure) => findings.add("broker", false, failure.to_string()),
    }
    let mail_server = url::Url::parse(&settings.mail.url)
        .ok()
        .and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port().unwrap_or(25))));
    if let Some(address) = mail_server {
        let answered =
            tokio::time::timeout(std::time::Duration::from_secs(3), tokio::net::TcpStream::connect(&address)).await;
        match answered {
            Ok(Ok(_)) => findings.add("mail server", true, format!("{address} answers")),
            _ => findings.add(
                "mail server",
                false,
                format!("{address} does not answer; start the mail server, or set --smtp-url"),
            ),
        }
    }
    let faults = findings.0.iter().filter(|finding| !finding.is_well).count();
    if format == Format::Table {
        for finding in &findings.0 {
            let mark = if finding.is_well { "ok  " } else { "FAIL" };
            line(&format!("{mark}  {:<12} {}", finding.check, finding.seen))?;
        }
    } else {
        let list: Vec<_> = findings
            .0
            .iter()
            .map(|finding| json!({"check": finding.check, "ok": finding.is_well, "seen": finding.seen}))
            .collect();
        print_json(&json!(list))?;
    }
    if faults == 0 { Ok(()) } else { Err(Failure::Failed(format!("{faults} checks failed"))) }
}

async fn check_store(store: &Store, settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    // Checked first and without prepared statements: a pooler of this kind gives them to another session.
    if let Err(error) = store.check_sessions().await {
        findings.add("sessions", false, workers::error_chain(&error));
        return Ok(());
    }
    findings.add("database", true, format!("version {}", store.setting("server_version").await?));
    if let Err(error) = store.check_writable().await {
        findings.add("writes", false, error.to_string());
    }
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value = store.setting(setting).await?;
        let is_well = value != "off";
        let advice = if is_well { "" } else { ": committed data can be lost; set it to on" };
        findings.add("durability", is_well, format!("{setting}={value}{advice}"));
    }
    if let Err(error) = store.check_schema().await {
        findings.add("schema", false, error.to_string());
        return Ok(());
    }
    findings.add("schema", true, "up to date");
    let skew = (store.clock().await? - contracts::envelope::wall_clock()).num_milliseconds().abs();
    let seen = format!("{skew} ms apart; only the clock of the database counts");
    findings.add("clocks", skew < 2000, seen);
    let depth = store.outbox_depth().await?;
    let is_well = depth.oldest_seconds < 60.0;
    let advice = if is_well { "" } else { "; check that every role runs: `lockbox topology depths`" };
    let seen = format!("{} messages not consumed yet, oldest {:.0} s{advice}", depth.waiting, depth.oldest_seconds);
    findings.add("outbox", is_well, seen);
    let is_unavailable = depth.deferred_reason.as_deref().is_some_and(|reason| reason.starts_with("the mail server "));
    let reason = depth.deferred_reason.map(|reason| format!("; latest reason: {reason}")).unwrap_or_default();
    let seen =
        format!("{} mails wait for a retry, oldest {:.0} s{reason}", depth.deferred, depth.deferred_oldest_seconds);
    findings.add("mail", !is_unavailable, seen);
    let dead_letter = store.dead_letter_count().await?;
    findings.add(
        "dead letters",
        dead_letter == 0,
        format!("{dead_letter} dead-letter messages; see `lockbox dead-letter list`"),
    );
    let quarantined = store.quarantined_count().await?;
    let seen = match quarantined {
        0 => "no event is quarantined".to_owned(),
        count => format!("{count} events are quarantined and not in a log; `lockbox audit check` lists them"),
    };
    findings.add("audit log", quarantined == 0, seen);
    check_trust(store, settings, findings).await?;
    let login = broker::login(&settings.amqp_url);
    for command in ["vendor.decide", "customer.decide", "grant.revoke", "report.respond"] {
        if !store.may_send(&login, command).await? {
            let seen = format!(
                "the login {login} may not send {command}, so commands of the portal are refused; add it to `producers` in the directory file and run `lockbox apply`"
            );
            findings.add("producers", false, seen);
        }
    }
    Ok(())
}

/// Whether the trust folder of this host has what the gate and the role `access` need.
async fn check_trust(store: &Store, settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    let trust = Trust::read(&settings.trust);
    let mut faults: Vec<String> = trust.fault.into_iter().collect();
    faults
        .extend(trust.tenants.iter().filter_map(|(tenant, read)| Some(format!("{tenant}: {}", read.as_ref().err()?))));
    let founded = store.founded_tenants().await?;
    let missing = founded.iter().filter(|tenant| !trust.tenants.contains_key(*tenant));
    faults.extend(missing.map(|tenant| {
        format!("{tenant} has an authority that is not in the trust folder, so its access does not open; run `lockbox trust add {tenant}`")
    }));
    if faults.is_empty() {
        let folder = settings.trust.folder.display();
        findings.add("consent", true, format!("{} authorities are in the trust folder {folder}", trust.tenants.len()));
    }
    for fault in faults {
        findings.add("consent", false, fault);
    }
    Ok(())
}

async fn check_broker(link: &Link, settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    let faults = topology::verify(link, &settings.names).await?;
    if faults.is_empty() {
        findings.add("topology", true, "every exchange and queue exists as expected");
    }
    for fault in faults {
        findings.add("topology", false, format!("{}: {}", fault.object, fault.problem));
    }
    for depth in topology::depths(link, &settings.names).await? {
        let has_role = workers::RoleName::ALL.iter().any(|role| settings.names.queue(role.as_str()) == depth.queue);
        if has_role && depth.consumers == 0 {
            let seen = format!(
                "{} has no consumer and {} messages; start its worker role with `lockbox worker`",
                depth.queue, depth.ready
            );
            findings.add("roles", false, seen);
        }
    }
    Ok(())
}
