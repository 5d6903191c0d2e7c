//! Commands of people who sign in with a token: everything goes over the portal's HTTP interface, so that neither the
//! database nor the broker has to be in reach. The token says who it is.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use operations::documents::{envelope_text, short_type};

use super::show::{print, state_text};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line, said};

/// Longer than the portal waits for what became of a command.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most entries that the portal gives at once.
const PAGE_LIMIT: i64 = 200;

/// A portal and somebody's token for it.
pub(super) struct Remote {
    client: Client,
    base: String,
    token: String,
}

impl Remote {
    /// Who signs in with a token; `None` without one.
    ///
    /// # Errors
    /// When the token would go over the network in the clear.
    pub fn of(settings: &Settings) -> Result<Option<Self>, Failure> {
        let Some(token) = settings.token.clone() else { return Ok(None) };
        let portal = settings.mail.portal_url.trim_end_matches('/');
        let url = url::Url::parse(portal).map_err(|fault| Failure::Usage(format!("portal-url: {fault}")))?;
        let is_near = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !is_near {
            return Err(Failure::Usage(format!("portal-url: a token is not sent to {portal} without https")));
        }
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build();
        let client = client.map_err(|fault| Failure::Failed(workers::error_chain(&fault)))?;
        Ok(Some(Self { client, base: format!("{portal}/api/v1"), token }))
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut call = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            // The same again after a broken connection is the same command.
            call = call.header("idempotency-key", Uuid::new_v4().to_string());
            call = call.header("content-type", "application/json").body(body.to_string());
        }
        let away = |fault: reqwest::Error| {
            Failure::Unreachable(format!("the portal does not answer: {}", workers::error_chain(&fault)))
        };
        let answer = call.send().await.map_err(away)?;
        let status = answer.status();
        let said: Value = serde_json::from_str(&answer.text().await.map_err(away)?).unwrap_or_default();
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        match status {
            StatusCode::ACCEPTED => Err(Failure::TimedOut(text("note"))),
            status if status.is_success() => Ok(said),
            StatusCode::NOT_FOUND => Err(Failure::NotFound(text("detail"))),
            StatusCode::BAD_REQUEST => Err(Failure::Usage(text("detail"))),
            StatusCode::TOO_MANY_REQUESTS => Err(Failure::TimedOut(text("detail"))),
            status if said["code"].is_string() && status.is_client_error() => {
                Err(Failure::Refused { code: text("code"), message: text("detail") })
            }
            status => Err(Failure::Unreachable(format!("the portal answered {status}: {}", text("detail")))),
        }
    }

    /// What the portal says at a path of its interface.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Short name of the token's owner; empty for a program.
    pub async fn whoami(&self) -> Result<String, Failure> {
        Ok(self.get("/me").await?["person"].as_str().unwrap_or_default().to_owned())
    }

    /// Asks for access and shows the request.
    pub async fn submit(&self, asked: &Value, format: Format) -> Result<(), Failure> {
        let request = self.call(Method::POST, "/requests", Some(asked)).await?;
        self.show(request["id"].as_str().unwrap_or_default(), format).await
    }

    /// Says something about a request (`decision`, `end`, `withdrawal`, `comments`) and shows it.
    pub async fn act(&self, id: Uuid, action: &str, said: &Value, format: Format) -> Result<(), Failure> {
        self.call(Method::POST, &format!("/requests/{id}/{action}"), Some(said)).await?;
        self.show(&id.to_string(), format).await
    }

    /// Decides on a request as it stands, or on what was looked at.
    pub async fn decide(&self, id: Uuid, mut said: Value, format: Format) -> Result<(), Failure> {
        if said["digest"].is_null() {
            said["digest"] = self.get(&format!("/requests/{id}")).await?["digest"].take();
        }
        self.act(id, "decision", &said, format).await
    }

    /// Prints a request with its timeline.
    pub async fn show(&self, id: &str, format: Format) -> Result<(), Failure> {
        let request = self.get(&format!("/requests/{id}")).await?;
        print(request, self.events(id).await?, format)
    }

    async fn events(&self, id: &str) -> Result<Vec<Value>, Failure> {
        let mut said = self.get(&format!("/requests/{id}/events")).await?;
        Ok(said["events"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Follows a request until it is over and its last step is on record.
    pub async fn watch(&self, id: Uuid, format: Format) -> Result<(), Failure> {
        let mut shown = std::collections::HashSet::new();
        loop {
            let request = self.get(&format!("/requests/{id}")).await?;
            let events = self.events(&id.to_string()).await?;
            for event in events.iter().filter(|event| shown.insert(event["id"].to_string())) {
                match format {
                    Format::Table | Format::Csv => line(&envelope_text(event))?,
                    Format::Json => line(&event.to_string())?,
                }
            }
            let recorded = events.iter().filter_map(|event| event["subjectversion"].as_i64()).max();
            if !request["finished_at"].is_null() && recorded == request["version"].as_i64() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Entries of a list, page after page, up to a limit.
    async fn pages(&self, path: &str, name: &str, query: &[(&str, String)], limit: i64) -> Result<Vec<Value>, Failure> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        let limit = usize::try_from(limit).unwrap_or_default();
        while found.len() < limit {
            let wanted = i64::try_from(limit - found.len()).unwrap_or(PAGE_LIMIT).min(PAGE_LIMIT);
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
            pairs.append_pair("limit", &wanted.to_string());
            if !cursor.is_empty() {
                pairs.append_pair("cursor", &cursor);
            }
            let mut page = self.get(&format!("{path}?{}", pairs.finish())).await?;
            found.extend(page[name].as_array_mut().map(std::mem::take).unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        Ok(found)
    }

    /// Lists requests.
    pub async fn list(&self, query: &[(&str, String)], limit: i64, format: Format) -> Result<(), Failure> {
        let found = self.pages("/requests", "requests", query, limit).await?;
        requests(&found).print(format)
    }

    /// Searches the audit log.
    pub async fn search(&self, query: &[(&str, String)], limit: i64, format: Format) -> Result<(), Failure> {
        let found = self.pages("/audit", "events", query, limit).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = found.iter().map(|event| {
            let data = &event["data"];
            let who = data["actor"]["name"].as_str().or_else(|| data["actor"]["kind"].as_str()).unwrap_or("-");
            vec![
                text(&event["time"]),
                short_type(event).to_owned(),
                text(&event["tenant"]),
                text(&data["service_request"]),
                who.to_owned(),
                said(data),
                text(&event["correlationid"]),
            ]
        });
        let head = vec!["time", "type", "tenant", "service request", "who", "said", "request"];
        let json = found.iter().map(|event| json!({ "event": event })).collect();
        Listing { head, rows: rows.collect(), json }.print(format)
    }
}

/// Requests as a table, and whole for programs.
pub(super) fn requests(found: &[Value]) -> Listing {
    let rows = found.iter().map(|request| {
        let text = |name: &str| request[name].as_str().unwrap_or("-").to_owned();
        let answer = if request["decision_deadline"].is_null() { "review_deadline" } else { "decision_deadline" };
        vec![
            text("id"),
            text("tenant"),
            text("service_request"),
            text("service"),
            text("requester"),
            state_text(request),
            text(answer),
            text("access_until"),
        ]
    });
    let head =
        vec!["id", "tenant", "service request", "service", "requester", "state", "answer before", "access until"];
    Listing { head, rows: rows.collect(), json: found.into() }
}
