//! `lockbox grant list | watch | revoke | token | report | acknowledge | dispute`: live grants, what opens the gate, their ends, and
//! what is said of them.

use std::time::Duration;

use clap::{Args, Subcommand};
use contracts::Kind;
use contracts::commands::{RespondToReport, RevokeAccess};
use domain::FreeText;
use serde_json::{Value, json};
use store::Store;
use store::provisionings::AccessView;
use store::views::RequestFilter;
use uuid::Uuid;

use super::commands::click;
use super::person_name::named;
use super::portal_client::Remote;
use super::show::show;
use operations::access_report::{Closing, door_text, provisioning_json};
use operations::documents::access_json;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, json as print_json, line, printable, tell, time, time_or_dash};
use runtime::serve::open_store;

/// How long the end of access is waited for before it is said that it is not confirmed.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often provisionings are looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(250);

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Grant {
    /// Grants that are open, about to open, or whose end is not confirmed.
    List(List),
    /// Follow them live, until there are none or for ever.
    Watch(List),
    /// Revoke open access now, and see when it was cut and read back as closed.
    Revoke(Revoke),
    /// Create the access token of a grant. It is printed once; an earlier one of the same grant stops working.
    Token(Token),
    /// The closing report of an access that is over.
    Report {
        /// Request id.
        id: Uuid,
    },
    /// Acknowledge a closing report.
    Acknowledge(Word),
    /// Dispute a closing report; say why.
    Dispute(Word),
}

/// Which grants.
#[derive(Args, Debug)]
pub struct List {
    /// Tenant's short name.
    #[arg(long)]
    tenant: Option<String>,
    /// Engineer's short name.
    #[arg(long)]
    requester: Option<String>,
    /// With `watch`: end when no access is left.
    #[arg(long)]
    until_none: bool,
}

/// Which access, and whose.
#[derive(Args, Debug)]
pub struct Token {
    /// Request id.
    id: Uuid,
    /// The engineer who asked for it.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: String,
}

/// Which access to end.
#[derive(Args, Debug)]
pub struct Revoke {
    #[command(flatten)]
    word: Word,
    /// Also end all other open access to the same content.
    #[arg(long)]
    all: bool,
}

/// Which access, who says so, and what.
#[derive(Args, Debug)]
pub struct Word {
    /// Request id.
    id: Uuid,
    /// Who: an approver of the tenant; to end access also the engineer or a manager of the vendor.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: Option<String>,
    /// In your words.
    #[arg(long)]
    comment: Option<String>,
}

impl Grant {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        if let Some(remote) = Remote::of(settings)? {
            return self.far(&remote, format).await;
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::List(list) => list.run(&store, format).await,
            Self::Watch(list) => list.watch(&store, format).await,
            Self::Revoke(asked) => end(settings, &store, asked, format).await,
            Self::Token(handle) => fetch(settings, &store, &handle, format).await,
            Self::Report { id } => report(&store, id, format).await,
            Self::Acknowledge(word) => answer(settings, &store, word, true, format).await,
            Self::Dispute(word) => answer(settings, &store, word, false, format).await,
        }
    }
}

impl Grant {
    /// The same through the portal.
    async fn far(self, remote: &Remote, format: Format) -> Result<(), Failure> {
        match self {
            Self::Revoke(asked) => end_far(remote, asked, format).await,
            Self::Acknowledge(word) => {
                let answer = json!({ "acknowledges": true, "comment": word.comment });
                remote.act(word.id, "report", &answer, format).await
            }
            Self::Dispute(word) => {
                let answer = json!({ "acknowledges": false, "comment": word.comment });
                remote.act(word.id, "report", &answer, format).await
            }
            Self::Report { id } => print_json(&remote.get(&format!("/requests/{id}/report")).await?),
            Self::Token(_) => Err(Failure::Usage(
                "a handle is fetched at the gate or beside the database, not through the portal".to_owned(),
            )),
            Self::List(_) | Self::Watch(_) => print_json(&remote.get("/grants").await?),
        }
    }
}

/// Says what stays open: whoever ends access means the content, not the request.
fn tell_beside(id: Uuid, beside: &[String]) {
    if !beside.is_empty() {
        tell(&format!(
            "access to the same content is still open under {}\nto end all of it: lockbox grant revoke {id} --all",
            beside.join(", ")
        ));
    }
}

async fn end(settings: &Settings, store: &Store, asked: Revoke, format: Format) -> Result<(), Failure> {
    let Revoke { word: Word { id, by, comment }, all } = asked;
    let request = store.show_request(id).await?;
    let by = named(by)?;
    let beside = store.accesses_beside(id).await?;
    let others = beside.iter().filter(|_| all).map(|access| access.request);
    // With --all, one that has ended already is only where the others are found.
    let own = Some(id).filter(|_| !all || request.state == "active");
    for request in others.chain(own) {
        let data = RevokeAccess { request, by: by.clone(), comment: words(comment.as_deref()) };
        match click(settings, store, Kind::GrantRevoke, Some(request), &data).await {
            // Another one that ended meanwhile.
            Err(Failure::Refused { .. }) if request != id => {}
            done => drop(done?),
        }
    }
    if !all {
        let beside = beside.iter().map(|access| format!("{} ({})", access.request, access.service_request));
        tell_beside(id, &beside.collect::<Vec<_>>());
    }
    ended(store, id, format).await
}

/// The same through the portal, which names only what the token's owner may see.
async fn end_far(remote: &Remote, asked: Revoke, format: Format) -> Result<(), Failure> {
    let Revoke { word: Word { id, comment, .. }, all } = asked;
    let own = remote.get(&format!("/requests/{id}")).await?;
    let open = remote.get("/grants").await?;
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let is_same = |other: &&Value| {
        let place = |one: &Value| text(one, "resource").to_lowercase().trim_end_matches('/').to_owned();
        ["tenant", "service"].iter().all(|name| other[*name] == own[*name])
            && place(other) == place(&own)
            && text(other, "request") != id.to_string()
            && other["state"] == "active"
    };
    let open: Vec<Value> = open["grants"].as_array().into_iter().flatten().filter(is_same).cloned().collect();
    let said = json!({ "comment": comment });
    for other in open.iter().filter(|_| all) {
        match remote
            .call(reqwest::Method::POST, &format!("/requests/{}/end", text(other, "request")), Some(&said))
            .await
        {
            Ok(_) | Err(Failure::Refused { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    if !all {
        let beside =
            open.iter().map(|other| format!("{} ({})", text(other, "request"), text(other, "service_request")));
        tell_beside(id, &beside.collect::<Vec<_>>());
    }
    if all && own["state"] != "active" {
        return remote.show(&id.to_string(), format).await;
    }
    remote.act(id, "end", &said, format).await
}

/// Prints the access token alone on standard output, and what a person has to know on standard error.
async fn fetch(settings: &Settings, store: &Store, asked: &Token, format: Format) -> Result<(), Failure> {
    let (token, event) = operations::access_token::issue(store, asked.id, &asked.by).await?;
    super::commands::publish(settings, &[event]).await;
    let service = store.show_request(asked.id).await?.service;
    let database = match settings.provisionings.get(&service) {
        Some(connectors::Target::Postgres(target)) => {
            let password = target.connector().map_err(Failure::Usage)?.password(asked.id);
            Some((connectors::login(asked.id), password))
        }
        _ => None,
    };
    if format == Format::Json {
        let database = database.map(|(login, password)| json!({ "login": login, "password": password }));
        return print_json(&json!({ "request": asked.id, "person": asked.by, "token": token, "database": database }));
    }
    tell(&format!(
        "Sign in as {} with this access token as the password, or send it as a bearer token. It is shown once.\n",
        asked.by
    ));
    line(&token)?;
    if let Some((login, password)) = database {
        tell(&format!("\nThe target is a database. There, sign in with:\n  login     {login}\n  password  {password}"));
    }
    Ok(())
}

/// What somebody wrote, if they wrote anything.
fn words(said: Option<&str>) -> Option<FreeText> {
    said.and_then(FreeText::non_empty)
}

async fn answer(
    settings: &Settings,
    store: &Store,
    word: Word,
    acknowledges: bool,
    format: Format,
) -> Result<(), Failure> {
    store.show_request(word.id).await?;
    let data = RespondToReport {
        request: word.id,
        by: named(word.by)?,
        acknowledges,
        comment: words(word.comment.as_deref()),
    };
    click(settings, store, Kind::ReportRespond, Some(word.id), &data).await?;
    report(store, word.id, format).await
}

/// Waits for the provisioning to be read back as closed, and prints the request with what was measured.
async fn ended(store: &Store, id: Uuid, format: Format) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    loop {
        let provisioning =
            store.provisioning(id).await?.ok_or_else(|| Failure::NotFound(format!("{id} has no provisioning")))?;
        if provisioning.revoked_at.is_some() || started.elapsed() > PATIENCE {
            if provisioning.revoked_at.is_none() {
                tell("access has ended and the gate refuses; the target is tried again without end");
            }
            return show(store, id, format).await;
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

async fn report(store: &Store, id: Uuid, format: Format) -> Result<(), Failure> {
    let request = store.show_request(id).await?;
    let closing = Closing::of(store, &request).await?;
    let closing = closing.ok_or_else(|| Failure::NotFound(format!("no access under {id} is over")))?;
    if format != Format::Table {
        return print_json(&closing.json(&request));
    }
    let (uses, refused) = closing.counts();
    let access_level = request.content().map_or("", |content| content.access_level.as_str());
    line(&format!("request         {} {}", request.id, request.service_request))?;
    line(&format!("content         {} {} ({access_level})", request.service, printable(&request.resource)))?;
    line(&format!("engineer        {}", request.requester))?;
    line(&format!("asked           {} s", closing.asked_seconds))?;
    line(&format!("granted         {} s from {}", closing.granted_seconds, time_or_dash(request.access_from)))?;
    line(&format!("open            {} s, given back {} s", closing.open_seconds, closing.unused_seconds))?;
    line(&format!(
        "ended           {} ({})",
        time_or_dash(request.access_until),
        request.cause.as_deref().unwrap_or("-")
    ))?;
    line(&format!("used            {uses} times, {} things touched, {refused} tries refused", closing.items()))?;
    for used in &closing.uses {
        let refused = if used.allowed { "" } else { "refused " };
        let last = time_or_dash(used.last_at);
        line(&format!("  {refused}{} {} ({} times, last {last})", used.method, printable(&used.resource), used.count))?;
    }
    let provisioning = closing.provisioning.as_ref().map_or_else(|| "none".to_owned(), door_text);
    line(&format!("provisioning            {}", printable(&provisioning)))?;
    match &closing.answer {
        Some(answer) => {
            let word = if answer.accepted { "acknowledged" } else { "DISPUTED" };
            let comment = answer.comment.as_deref().map(|comment| format!(": {}", printable(comment)));
            line(&format!(
                "customer        {word} by {} at {}{}",
                answer.by,
                time(answer.at),
                comment.unwrap_or_default()
            ))
        }
        None => line("customer        has not answered yet"),
    }
}

impl List {
    async fn look(&self, store: &Store) -> Result<Vec<AccessView>, Failure> {
        let filter = RequestFilter {
            tenant: self.tenant.clone(),
            requester: self.requester.clone(),
            limit: 1000,
            ..RequestFilter::default()
        };
        Ok(store.grants(&filter).await?)
    }

    async fn run(&self, store: &Store, format: Format) -> Result<(), Failure> {
        listing(&self.look(store).await?).print(format)
    }

    /// Says each access when something about it changes.
    async fn watch(&self, store: &Store, format: Format) -> Result<(), Failure> {
        let mut shown: std::collections::BTreeMap<Uuid, String> = std::collections::BTreeMap::new();
        loop {
            let found = self.look(store).await?;
            let now = time(store.clock().await?);
            for access in &found {
                let said = said(access);
                if shown.insert(access.request, said.clone()).as_ref() != Some(&said) {
                    say(format, &now, access.request, &said, access_json(access))?;
                }
            }
            let gone: Vec<Uuid> =
                shown.keys().copied().filter(|id| !found.iter().any(|access| access.request == *id)).collect();
            for id in gone {
                shown.remove(&id);
                if let Some(provisioning) = store.provisioning(id).await? {
                    say(
                        format,
                        &now,
                        id,
                        &door_text(&provisioning),
                        json!({ "request": id, "provisioning": provisioning_json(&provisioning) }),
                    )?;
                }
            }
            if self.until_none && found.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }
}

fn say(format: Format, now: &str, id: Uuid, text: &str, json: Value) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Csv => line(&format!("{now}  {id}  {}", printable(text))),
        Format::Json => line(&json.to_string()),
    }
}

/// An access in one line.
fn said(access: &AccessView) -> String {
    let what = format!("{} {} {} {}", access.tenant, access.service_request, access.requester, access.resource);
    let until = time_or_dash(access.access_until);
    let trouble = if access.failures > 0 { access.last_error.as_deref() } else { None };
    let trouble = trouble.map(|error| format!(": {error}")).unwrap_or_default();
    match access.provisioning.as_str() {
        "revoking" => {
            format!("{what}: END NOT CONFIRMED since {}{trouble}", time_or_dash(access.revocation_ordered_at))
        }
        "active" => format!("{what}: open until {until}"),
        _ => format!("{what}: opens at {}, until {until}{trouble}", time_or_dash(access.access_from)),
    }
}

fn listing(found: &[AccessView]) -> Listing {
    let rows = found.iter().map(|access| {
        vec![
            access.request.to_string(),
            access.tenant.clone(),
            access.service_request.clone(),
            access.resource.clone(),
            access.requester.clone(),
            if access.provisioning == "revoking" {
                "END NOT CONFIRMED".to_owned()
            } else {
                access.provisioning.clone()
            },
            time_or_dash(access.access_until),
            access.last_error.clone().unwrap_or_default(),
        ]
    });
    let head = vec!["id", "tenant", "service request", "content", "engineer", "provisioning", "until", "last error"];
    Listing { head, rows: rows.collect(), json: found.iter().map(access_json).collect() }
}
