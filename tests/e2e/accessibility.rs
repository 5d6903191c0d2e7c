//! No page has a fault by axe-core (<https://github.com/dequelabs/axe-core>), light and dark, phone and desk.

use sha2::{Digest as _, Sha256};

use crate::browser::{Browser, Browsers};
use crate::dev::{Dev, ask, review, sign_in};

/// The script, version 4.14.1 as its authors publish it (MPL-2.0, beside it), so that no package manager is needed.
const AXE: &str = include_str!("axe-core/axe.min.js");
/// SHA-256 of `axe.min.js` of this version.
const SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// The script that finds faults, unchanged.
fn axe() -> &'static str {
    assert_eq!(hex::encode(Sha256::digest(AXE)), SHA256, "not the axe-core that was looked at");
    AXE
}

/// Faults of the page, a line each.
async fn faults(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe).await;
    let found = browser
        .script_later(
            "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then((result) => \
             done(result.violations.map((fault) => `${fault.id}: ${fault.help}: ${fault.nodes.map((node) => node.html).slice(0, 3).join(' | ')}`)))",
        )
        .await;
    serde_json::from_value(found).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_a_fault_in_any_light_or_width() {
    let axe = axe();
    let browsers = Browsers::start("axe").await;
    let dev = Dev::start("axe");
    let portal = dev.portal.clone();
    let robin = sign_in(&browsers, &portal, "Robin Hale", 1280, "light").await;
    let morgan = sign_in(&browsers, &portal, "Morgan Reyes", 1280, "light").await;
    let (open, waiting) = (ask(&robin, &portal, "contoso", "15m").await, ask(&robin, &portal, "contoso", "15m").await);
    review(&morgan, &open).await;
    review(&morgan, &waiting).await;
    let alex = sign_in(&browsers, &portal, "Alex Novak", 1280, "light").await;
    alex.go(&open).await;
    alex.press("Approve").await;
    alex.until_it_shows("Access ends").await;
    alex.go(&format!("{portal}/audit")).await;
    let event = alex.script("return document.querySelector('main a[href^=\"/audit/\"]').href").await;
    let event = event.as_str().unwrap().to_owned();
    for browser in [robin, morgan, alex] {
        browser.close().await;
    }
    let page = |path: &str| format!("{portal}{path}");
    let pages = |name| match name {
        "Robin Hale" => vec![page("/"), page("/requests/new"), page("/requests"), open.clone()],
        _ => vec![
            page("/"),
            page("/requests"),
            open.clone(),
            waiting.clone(),
            page("/grants"),
            page("/audit"),
            event.clone(),
            page("/passkeys"),
            page("/settings"),
            page("/mailbox"),
            page("/nothing-here"),
        ],
    };
    let mut all = Vec::new();
    for width in [360, 1280] {
        for scheme in ["light", "dark"] {
            for name in ["Robin Hale", "Alex Novak"] {
                let browser = browsers.open(width, scheme).await;
                browser.go(&page("/")).await;
                let mut found = vec![("sign in".to_owned(), faults(&browser, axe).await)];
                browser.press(name).await;
                browser.until_it_shows("Sign out").await;
                for url in pages(name) {
                    browser.go(&url).await;
                    found.push((url, faults(&browser, axe).await));
                }
                for (url, faults) in found {
                    all.extend(faults.into_iter().map(|fault| format!("{url} {scheme} {width} ({name}): {fault}")));
                }
                browser.close().await;
            }
        }
    }
    browsers.stop();
    dev.stop();
    assert!(all.is_empty(), "{}", all.join("\n"));
}
