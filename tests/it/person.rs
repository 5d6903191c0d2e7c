//! Somebody with a browser that runs no script: follows no redirect by itself, keeps its cookie.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::Lockbox;

/// A portal of a test.
pub struct Site {
    pub origin: String,
    stop: CancellationToken,
}

impl Site {
    /// Serves the portal of this Lockbox.
    pub async fn open(lockbox: &Lockbox) -> Self {
        Self::open_with(lockbox, true, portal::Provider::default()).await
    }

    /// Serves it with an identity provider.
    pub async fn open_with(lockbox: &Lockbox, developer_sign_in: bool, provider: portal::Provider) -> Self {
        // As the program does on start: one TLS stack, rustls on ring.
        drop(rustls::crypto::ring::default_provider().install_default());
        let stop = CancellationToken::new();
        let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let mut settings = lockbox.settings.clone();
        settings.mail.portal_url.clone_from(&origin);
        let options = portal::Options { developer_sign_in, provider, mailbox: Some(lockbox.mailbox.clone()) };
        portal::start(&settings, listener, options, stop.clone(), &TaskTracker::new()).unwrap();
        Self { origin, stop }
    }

    /// Runs a command of a person, who reaches this portal and neither the database nor the broker. Returns the exit code,
    /// standard output and standard error.
    pub fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(arguments)
            .env("LOCKBOX_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
            .env("LOCKBOX_AMQP_URL", "amqp://nobody@127.0.0.1:1")
            .env("LOCKBOX_PORTAL_URL", &self.origin)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    /// Ends it.
    pub fn close(self) {
        self.stop.cancel();
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Person {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Person { client, origin: self.origin.clone(), cookie: String::new() }
    }

    /// Somebody who is signed in, by their display name.
    pub async fn sign_in(&self, display_name: &str) -> Person {
        let mut person = self.stranger();
        person.sign_in(display_name).await;
        person
    }
}

/// A page as it came.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub text: String,
    pub location: String,
    pub headers: reqwest::header::HeaderMap,
}

/// Somebody with a browser.
pub struct Person {
    pub client: Client,
    pub origin: String,
    pub cookie: String,
}

impl Person {
    /// Keeps the first cookie that came with a page, beside those it has.
    pub fn keep_cookie(&mut self, page: &Page) {
        let cookie = page.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
        self.cookie = format!("{}; {cookie}", self.cookie).trim_start_matches("; ").to_owned();
    }

    async fn sign_in(&mut self, display_name: &str) {
        let page = self.get("/sign-in").await;
        let before = page.text.split(&format!("<strong>{display_name}</strong>")).next().unwrap();
        let id = before.rsplit("value=\"").next().unwrap().split('"').next().unwrap().to_owned();
        let answer = self.post("/sign-in", &[("person", &id)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let cookie = answer.headers[SET_COOKIE].to_str().unwrap();
        for attribute in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
    }

    /// Asks for a page.
    pub async fn get(&self, path: &str) -> Page {
        self.send(self.client.get(format!("{}{path}", self.origin))).await
    }

    /// Sends a form as it stands.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(self.client.post(format!("{}{path}", self.origin)).form(form)).await
    }

    /// Sends a form of the page at `from`, with what stands hidden in it.
    pub async fn fill(&self, from: &str, path: &str, form: &[(&str, &str)]) -> Page {
        let page = self.get(from).await;
        let hidden = |name: &str| {
            let value = page.text.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
            value.split('"').next().map(str::to_owned)
        };
        let hidden: Vec<_> =
            ["form_token", "digest"].into_iter().filter_map(|name| Some((name, hidden(name)?))).collect();
        let mut all: Vec<_> = hidden.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(form);
        self.post(path, &all).await
    }

    /// Sends anything.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let answer = request.header(COOKIE, &self.cookie).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let location = headers.get(LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        Page { status, location, headers, text: answer.text().await.unwrap() }
    }
}
