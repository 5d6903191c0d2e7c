//! How the portal protects browsers from other sites, and itself from slow clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::Lockbox;
use crate::person::Site;

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_requires_tls_of_browsers_when_it_uses_tls() {
    let lockbox = Lockbox::without_roles().await;
    let plain = Site::open(&lockbox).await;
    let answer = plain.stranger().get("/sign-in").await;
    assert!(answer.headers.get("strict-transport-security").is_none(), "the portal does not use TLS");
    plain.close();

    let stop = CancellationToken::new();
    let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut settings = lockbox.settings.clone();
    settings.mail.portal_url = "https://lockbox.fabrikam.example".into();
    let options = portal::Options { developer_sign_in: false, provider: portal::Provider::default(), mailbox: None };
    portal::start(&settings, listener, options, stop.clone(), &TaskTracker::new()).unwrap();
    for path in ["/sign-in", "/nothing-here", "/assets/style.css", "/api/v1/openapi.json"] {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        let said = answer.headers().get("strict-transport-security").map(|value| value.to_str().unwrap().to_owned());
        let said = said.unwrap_or_default();
        let seconds: u64 = said.trim_start_matches("max-age=").split(';').next().unwrap().parse().unwrap();
        assert!(seconds >= 180 * 86_400, "{path}: {said}");
    }
    stop.cancel();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_form_is_disconnected_while_other_clients_are_served() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let address = site.origin.trim_start_matches("http://localhost").to_owned();
    let mut slow = tokio::net::TcpStream::connect(format!("127.0.0.1{address}")).await.unwrap();
    let head = "POST /sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = slow.into_split();
    let drops = TaskTracker::new().spawn(async move {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            pace.tick().await;
            if writing.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    assert_eq!(site.stranger().get("/sign-in").await.status, StatusCode::OK, "other clients are served");
    let mut said = Vec::new();
    let ended = tokio::time::timeout(crate::harness::PATIENCE, reading.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the connection was not closed");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    drops.abort();
    site.close();
    lockbox.finish().await;
}

#[test]
fn the_description_of_the_api_is_openapi_3_1() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi/schema-3.1.json");
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = portal::api::document();
    let faults: Vec<String> =
        validator.iter_errors(&document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let mut broken = document;
    broken["paths"]["/api/v1/audit"]["get"]["responses"] = serde_json::json!([]);
    assert!(!validator.is_valid(&broken), "the schema detects faults");
}
