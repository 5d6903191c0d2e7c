//! Client of the portal's HTTP API (`/api/v1`) for commands that people run. These commands need neither the database nor
//! the broker: the API token states who runs them.

use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::print_message;

/// Longest time for one call. The portal itself waits up to 10 s for the outcome of a command.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Largest page of the API.
const PAGE_LIMIT: usize = 200;
/// What a token begins with that only a development server accepts.
const DEVELOPER: &str = "developer:";

/// The person who runs a command.
#[derive(Args, Clone, Debug, Default)]
pub struct ActAs {
    /// Act as this person. Only a development server (`lockbox dev`) accepts this; elsewhere use an API token.
    #[arg(id = "as", long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", global = true)]
    name: Option<String>,
}

/// A portal, and a person's API token for it.
pub(super) struct PortalClient {
    client: Client,
    portal: String,
    token: String,
}

impl PortalClient {
    /// The portal of the settings, with their token or as the named person.
    ///
    /// # Errors
    /// [`Failure::Usage`] without a token and without a person, with both, or when a token would be sent without TLS.
    pub fn open(settings: &Settings, person: &ActAs) -> Result<Self, Failure> {
        let token = match (settings.token.clone(), &person.name) {
            (Some(_), Some(_)) => {
                let words = "an API token and --as are both given; use the token, or --as against a development server";
                return Err(Failure::Usage(words.to_owned()));
            }
            (Some(token), None) => token,
            (None, Some(name)) => format!("{DEVELOPER}{name}"),
            (None, None) => {
                let words = "no API token is given. Set --token-file or LOCKBOX_TOKEN; an operator creates a token with \
                             `lockbox token add NAME --person YOU`. Against a development server use --as NAME";
                return Err(Failure::Usage(words.to_owned()));
            }
        };
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
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIME_LIMIT).build();
        let client = client.map_err(|fault| Failure::Failed(workers::error_chain(&fault)))?;
        Ok(Self { client, portal: portal.to_owned(), token })
    }

    /// Calls the portal once. The answer is `None` when the command is stored and its outcome is not known yet.
    async fn call(&self, method: Method, path: &str, body: Option<(&Value, &str)>) -> Result<Option<Value>, Failure> {
        let mut call = self.client.request(method, format!("{}/api/v1{path}", self.portal)).bearer_auth(&self.token);
        if let Some((body, key)) = body {
            call = call.header("idempotency-key", key);
            call = call.header("content-type", "application/json").body(body.to_string());
        }
        let unreachable = |fault: reqwest::Error| {
            let words = workers::error_chain(&fault);
            Failure::Unreachable(format!(
                "the portal at {} does not answer: {words}; check --portal-url and that the portal runs",
                self.portal
            ))
        };
        let response = call.send().await.map_err(unreachable)?;
        let status = response.status();
        let document: Value = serde_json::from_str(&response.text().await.map_err(unreachable)?).unwrap_or_default();
        if status.is_success() {
            return Ok((status != StatusCode::ACCEPTED).then_some(document));
        }
        Err(self.failure(status, &document))
    }

    fn failure(&self, status: StatusCode, document: &Value) -> Failure {
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        match status {
            StatusCode::UNAUTHORIZED if self.token.starts_with(DEVELOPER) => Failure::Refused {
                code: text("code"),
                message: format!(
                    "the portal at {} does not accept --as {}: it is not a development server, or it does not know this \
                     person. Use an API token (--token-file)",
                    self.portal,
                    self.token.trim_start_matches(DEVELOPER)
                ),
            },
            StatusCode::NOT_FOUND => Failure::NotFound(text("detail")),
            StatusCode::BAD_REQUEST => Failure::Usage(text("detail")),
            StatusCode::TOO_MANY_REQUESTS => Failure::TimedOut(text("detail")),
            status if document["code"].is_string() && status.is_client_error() => {
                Failure::Refused { code: text("code"), message: text("detail") }
            }
            status => Failure::Unreachable(format!("the portal answered {status}: {}", text("detail"))),
        }
    }

    /// Reads a path of the API.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.call(Method::GET, path, None).await?.unwrap_or_default())
    }

    /// Sends a command to a path of the API, waits for its outcome and returns it. A command that no worker has processed yet
    /// is sent again with the same idempotency key: the portal then only waits for the outcome of the first one.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let key = Uuid::new_v4().to_string();
        let mut is_stored = false;
        loop {
            if let Some(outcome) = self.call(Method::POST, path, Some((body, &key))).await? {
                return Ok(outcome);
            }
            if !is_stored {
                print_message("The command is stored. Waiting for a worker; Ctrl-C ends the wait and not the command.");
            }
            is_stored = true;
        }
    }

    /// Short name of the person who runs the command; empty for a program's token.
    pub async fn person(&self) -> Result<String, Failure> {
        Ok(self.get("/me").await?["person"].as_str().unwrap_or_default().to_owned())
    }

    /// A request with its content, its decisions and its provisioning.
    pub async fn request(&self, id: Uuid) -> Result<Value, Failure> {
        self.get(&format!("/requests/{id}")).await
    }

    /// Events of a request, oldest first.
    pub async fn events(&self, id: Uuid) -> Result<Vec<Value>, Failure> {
        let mut document = self.get(&format!("/requests/{id}/events")).await?;
        Ok(document["events"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Active access that the person may see.
    pub async fn grants(&self) -> Result<Vec<Value>, Failure> {
        let mut document = self.get("/grants").await?;
        Ok(document["grants"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Entries of a list, page after page, up to a limit, and the rest of the last page. Empty parameters are left out.
    pub async fn pages(
        &self,
        path: &str,
        name: &str,
        query: &[(&str, String)],
        limit: i64,
    ) -> Result<(Vec<Value>, Value), Failure> {
        let (mut found, mut last, mut cursor) = (Vec::new(), Value::Null, String::new());
        let limit = usize::try_from(limit).unwrap_or_default();
        while found.len() < limit {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
            pairs.append_pair("limit", &(limit - found.len()).min(PAGE_LIMIT).to_string());
            if !cursor.is_empty() {
                pairs.append_pair("cursor", &cursor);
            }
            let mut page = self.get(&format!("{path}?{}", pairs.finish())).await?;
            found.extend(page[name].as_array_mut().map(std::mem::take).unwrap_or_default());
            last = page;
            match last["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        Ok((found, last))
    }
}
