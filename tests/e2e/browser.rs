//! A browser, driven over WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use servers::browser::Driver;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::harness::{eventually, packages, progress};

/// A driver that starts browsers.
pub struct Browsers {
    driver: Driver,
    client: Client,
    _turn: SemaphorePermit<'static>,
}

/// Tests with browsers go one after the other: a browser is three processes, and two tests of them on a small machine are
/// slow enough for each other's patience.
static TURN: Semaphore = Semaphore::const_new(1);

/// One browser with cookies of its own.
pub struct Browser {
    client: Client,
    session: String,
}

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

async fn call(client: &Client, method: Method, url: &str, body: Option<Value>) -> Result<Value, String> {
    let mut request = client.request(method, url).header("content-type", "application/json");
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.map_err(|fault| fault.to_string())?;
    let is_good = answer.status().is_success();
    let text = answer.text().await.map_err(|fault| fault.to_string())?;
    let mut value: Value = serde_json::from_str(&text).map_err(|fault| format!("{fault}: {text}"))?;
    if is_good { Ok(value["value"].take()) } else { Err(value["value"]["message"].to_string()) }
}

impl Browsers {
    /// Starts the driver, when no other test has browsers.
    pub async fn start(name: &str) -> Self {
        let turn = TURN.acquire().await.unwrap();
        drop(rustls::crypto::ring::default_provider().install_default());
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let driver = Driver::start(&tmp.join(format!("e2e-browser-{name}")), &packages(), &progress()).unwrap();
        Self { driver, client: Client::new(), _turn: turn }
    }

    /// Opens a browser of this size, `light` or `dark`.
    pub async fn open(&self, width: u32, scheme: &str) -> Browser {
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},900"),
        ];
        if scheme == "dark" {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let mut options = json!({ "binary": self.driver.chromium, "args": arguments });
        if width < 500 {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": width, "height": 780, "pixelRatio": 2.0 } });
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options,
            "timeouts": { "script": 120_000, "pageLoad": 120_000 },
        } } });
        let url = format!("{}/session", self.driver.url);
        let opened = call(&self.client, Method::POST, &url, Some(capabilities)).await.unwrap();
        let session = format!("{url}/{}", opened["sessionId"].as_str().unwrap());
        Browser { client: self.client.clone(), session }
    }

    /// Stops everything.
    pub fn stop(self) {
        self.driver.stop();
    }
}

impl Browser {
    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        call(&self.client, Method::POST, &format!("{}{path}", self.session), Some(body)).await
    }

    /// Goes to a page.
    pub async fn go(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await.unwrap();
    }

    /// Opens another window of the same browser, goes there in it, and goes on in it. Answers with its handle.
    pub async fn open_window(&self, url: &str) -> String {
        let opened = self.post("/window/new", json!({ "type": "window" })).await.unwrap();
        let handle = opened["handle"].as_str().unwrap().to_owned();
        self.use_window(&handle).await;
        self.go(url).await;
        handle
    }

    /// Goes on in another window.
    pub async fn use_window(&self, handle: &str) {
        self.post("/window", json!({ "handle": handle })).await.unwrap();
    }

    /// Gives it a passkey holder that approves everything (<https://www.w3.org/TR/webauthn-3/#sctn-automation>).
    pub async fn add_authenticator(&self) {
        let holder = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        self.post("/webauthn/authenticator", holder).await.unwrap();
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        let url = call(&self.client, Method::GET, &format!("{}/url", self.session), None).await.unwrap();
        url.as_str().unwrap().to_owned()
    }

    /// What a script in the page hands to the function that is its last argument.
    pub async fn script_later(&self, script: &str) -> Value {
        self.post("/execute/async", json!({ "script": script, "args": [] })).await.unwrap()
    }

    /// What a script in the page answers.
    pub async fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await.unwrap_or_default()
    }

    async fn find(&self, xpath: &str) -> Option<String> {
        let found = self.post("/element", json!({ "using": "xpath", "value": xpath })).await.ok()?;
        found[ELEMENT].as_str().map(str::to_owned)
    }

    /// Selects the element that the XPath names, once it is there.
    pub async fn click(&self, xpath: &str) {
        eventually(&format!("{xpath} can be clicked"), async || {
            let element = self.find(xpath).await?;
            self.post(&format!("/element/{element}/click"), json!({})).await.ok()
        })
        .await;
    }

    /// Selects the button with these words.
    pub async fn press(&self, words: &str) {
        self.click(&format!("//button[contains(normalize-space(.), \"{words}\")]")).await;
    }

    /// Types into the field of this name.
    pub async fn enter(&self, name: &str, text: &str) {
        self.enter_at(&format!("//*[@name=\"{name}\"][not(@type=\"hidden\")]"), text).await;
    }

    /// Types into the field that the XPath names.
    pub async fn enter_at(&self, xpath: &str, text: &str) {
        eventually(&format!("there is a field {xpath}"), async || {
            let element = self.find(xpath).await?;
            self.post(&format!("/element/{element}/value"), json!({ "text": text })).await.ok()
        })
        .await;
    }

    /// Waits until the page shows these words, without doing anything.
    pub async fn until_it_shows(&self, words: &str) {
        let text = "return document.body ? document.body.innerText : ''";
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut shown = String::new();
        while tokio::time::Instant::now() < deadline {
            if let Some(text) = self.script(text).await.as_str() {
                shown = text.to_owned();
            }
            if shown.contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let invalid = "return [...document.querySelectorAll(':invalid')].map((field) => `${field.name}: ${field.value} ${field.validationMessage}`).join('; ')";
        let invalid = self.script(invalid).await;
        panic!("{invalid}: the page should show {words:?} but shows\n{shown}");
    }

    /// A picture of the page, as PNG.
    pub async fn picture(&self) -> Vec<u8> {
        let picture = call(&self.client, Method::GET, &format!("{}/screenshot", self.session), None).await.unwrap();
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, picture.as_str().unwrap()).unwrap()
    }

    /// Closes it.
    pub async fn close(self) {
        drop(call(&self.client, Method::DELETE, &self.session, None).await);
    }
}
