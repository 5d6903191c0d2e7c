//! The verifier for people, `verify.html`: it is one file, assembled from the scripts in `tools/verify-page`.
#![allow(clippy::unwrap_used, reason = "a test should stop at the first error")]

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(name: &str) -> String {
    std::fs::read_to_string(root().join("tools/verify-page").join(name)).unwrap()
}

/// The scripts in their order, in one function of their own.
fn script() -> String {
    let parts: Vec<String> = source("scripts.txt").lines().map(|name| source(&format!("scripts/{name}"))).collect();
    format!("\n\"use strict\";\n(() => {{\n{}}})();\n", parts.join("\n"))
}

/// A source of a content security policy that allows exactly this text.
fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes())))
}

fn assembled() -> String {
    let (style, script) = (format!("\n{}", source("style.css")), script());
    assert!(!script.contains("</script"), "this text would end the script");
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        hash_source(&script),
        hash_source(&style)
    );
    source("page.html").replace("{policy}", &policy).replace("{style}", &style).replace("{script}", &script)
}

#[test]
fn verify_html_is_assembled_from_its_scripts_and_up_to_date() {
    let page = root().join("crates/evidence/src/bundle/verify.html");
    #[allow(clippy::disallowed_methods, reason = "this variable makes the test write the page")]
    if std::env::var_os("LOCKBOX_BLESS").is_some() {
        std::fs::write(&page, assembled()).unwrap();
    }
    let present = std::fs::read_to_string(page).unwrap_or_default();
    assert!(present == assembled(), "run the test with LOCKBOX_BLESS=1 to assemble verify.html");
    let listed: Vec<String> = source("scripts.txt").lines().map(str::to_owned).collect();
    let mut present: Vec<String> = std::fs::read_dir(root().join("tools/verify-page/scripts"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    present.sort();
    let mut sorted = listed;
    sorted.sort();
    assert_eq!(present, sorted, "scripts.txt lists every script");
    for name in present {
        let lines = source(&format!("scripts/{name}")).lines().count();
        assert!(lines <= 350, "{name} has {lines} lines");
    }
}
