//! `lockbox dev` as a process, and common actions of people in a browser.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::browser::{Browser, Browsers};

/// A running `lockbox dev`.
pub struct Dev {
    child: Child,
    pub portal: String,
}

impl Dev {
    pub fn start(name: &str) -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-dev-{name}"));
        drop(std::fs::remove_dir_all(&data));
        let mut child = Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(["dev", "--portal-listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| line.unwrap().split_once("The portal: ").map(|(_, rest)| rest.to_owned()));
        let portal = said.unwrap().split(' ').next().unwrap().to_owned();
        // Whatever else it says is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, portal }
    }

    pub fn stop(mut self) {
        // The servers are its own, and end with it.
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let stop = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
            if let Err(error) = stop {
                eprintln!("lockbox dev could not be stopped: {error}");
            }
        }
    }
}

pub async fn sign_in(browsers: &Browsers, portal: &str, name: &str, width: u32, scheme: &str) -> Browser {
    let browser = browsers.open(width, scheme).await;
    browser.go(&format!("{portal}/")).await;
    browser.press(name).await;
    browser.until_it_shows("Sign out").await;
    browser
}

/// Robin requests access. Returns the page of the request.
pub async fn ask(robin: &Browser, portal: &str, tenant: &str, duration: &str) -> String {
    robin.go(&format!("{portal}/requests/new")).await;
    robin.click(&format!("//select[@name='tenant']/option[@value='{tenant}']")).await;
    robin.enter("service_request", "SR-2026-004711").await;
    robin.enter("resource", "finance@contoso.example").await;
    robin.enter("justification", "Outgoing mail of the finance mailbox is stuck since this morning.").await;
    robin.enter("duration", duration).await;
    robin.press("Submit request").await;
    robin.until_it_shows("Pending vendor approval").await;
    robin.url().await
}

/// Morgan approves a request for the vendor.
pub async fn review(morgan: &Browser, request: &str) {
    morgan.go(request).await;
    morgan.press("Approve").await;
    morgan.until_it_shows("Pending customer approval").await;
}

/// The link in the latest mail to an address.
pub async fn link_in_mail(browser: &Browser, portal: &str, address: &str, subject: &str) -> String {
    crate::harness::eventually(&format!("a mail to {address}"), async || {
        browser.go(&format!("{portal}/mailbox")).await;
        let script = format!(
            "const mail = [...document.querySelectorAll('article')].find((mail) => \
             mail.innerText.includes('To {address}') && mail.querySelector('h2').innerText.includes('{subject}')); \
             return mail ? mail.querySelector('a').href : ''"
        );
        browser.script(&script).await.as_str().filter(|link| !link.is_empty()).map(str::to_owned)
    })
    .await
}

pub async fn keep_picture(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    let picture = browser.picture().await;
    #[allow(clippy::disallowed_methods, reason = "the README's pictures are made anew on demand")]
    if std::env::var("LOCKBOX_BLESS").is_ok() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures").join(name), &picture).unwrap();
    }
    std::fs::write(folder.join(name), picture).unwrap();
}
