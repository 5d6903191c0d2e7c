//! What people write and programs send, through every channel: the same text, in the same form, or the same clear no.

use contracts::Kind;
use domain::Verdict::Approve;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{ALL, Caller, caller};
use crate::audit::lockbox_command;
use crate::harness::{Lockbox, ROLES, body, envelope, submission};
use crate::person::Site;

/// As a browser sends a text area, and Word and Teams paste: CRLF, emoji, Persian, a zero-width space, a byte order mark.
const WRITTEN: &str = "\u{FEFF}one\r\ntwo 👩‍💻 می‌خواهم क्‍ष a\u{200B}b\rthree\r\n";
/// The same as it is stored and shown.
const STORED: &str = "one\ntwo 👩‍💻 می‌خواهم क्‍ष ab\nthree";

fn written() -> Value {
    let mut data = submission();
    data["justification"]["text"] = WRITTEN.into();
    data["resource"] = "\u{200E}finance@contoso.example\u{200B} ".into();
    data
}

async fn stored_reason(lockbox: &Lockbox, request: Uuid) -> String {
    let view = lockbox.view(request).await;
    assert_eq!(view.resource, "finance@contoso.example");
    view.content().unwrap().justification.text().to_owned()
}

fn id_in(text: &str) -> Uuid {
    let ids = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
    ids.filter_map(|word| word.parse().ok()).next().unwrap_or_else(|| panic!("no id in {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_joiners_and_pasted_marks_work_in_a_justification_on_every_channel() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let robin = site.sign_in("Robin Hale").await;
    let by_amqp = lockbox.submit(&written()).await;
    let token = caller(&lockbox, &site, Some("robin"), &ALL).await;
    let (status, said) = token.post("/requests", &written()).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let by_api = id_in(said["id"].as_str().unwrap());
    let form = [
        ("tenant", "contoso"),
        ("service_request", "SR-2026-004711\u{200B}"),
        ("service", "exchange_online"),
        ("resource", "\u{200E}finance@contoso.example\u{200B} "),
        ("category", "customer_reported"),
        ("justification", WRITTEN),
        ("severity", "normal"),
        ("duration", "60s"),
    ];
    let preview = robin.fill("/requests/new", "/requests/preview", &form).await;
    assert!(!preview.text.contains("U+") && !preview.text.contains("must "), "{}", preview.text);
    let sent = robin.fill("/requests/new", "/requests", &form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let by_portal = id_in(&sent.location);
    let arguments = [
        "request",
        "submit",
        "--as",
        "robin",
        "--tenant",
        "contoso",
        "--service-request",
        "SR-2026-004711",
        "--service",
        "exchange_online",
        "--resource",
        "\u{200E}finance@contoso.example\u{200B} ",
        "--justification",
        WRITTEN,
        "-o",
        "json",
    ];
    let (code, out, err) = site.command(&arguments);
    assert_eq!(code, 0, "{err}");
    let by_cli = id_in(serde_json::from_str::<Value>(&out).unwrap()["id"].as_str().unwrap());
    for request in [by_amqp, by_api, by_portal, by_cli] {
        assert_eq!(stored_reason(&lockbox, request).await, STORED);
        assert_eq!(lockbox.view(request).await.service_request, "SR-2026-004711");
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_and_joiners_work_in_every_comment() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (morgan, alex) = (site.sign_in("Morgan Reyes").await, site.sign_in("Alex Novak").await);
    let alex_token = caller(&lockbox, &site, Some("alex"), &ALL).await;
    let request = lockbox.submit(&submission()).await;
    let page = format!("/requests/{request}");
    let approve = [("verdict", "approve"), ("comment", WRITTEN)];
    let done = morgan.fill(&page, &format!("{page}/decision"), &approve).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let asked = [("comment", WRITTEN)];
    let done = alex.fill(&page, &format!("{page}/comments"), &asked).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let digest = lockbox.view(request).await.digest().to_string();
    let yes = json!({"verdict": "approve", "digest": digest, "comment": WRITTEN, "duration_seconds": 30.0});
    let (status, said) = alex_token.post(&format!("{page}/decision"), &yes).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let (status, said) = alex_token.post(&format!("{page}/revocation"), &json!({"comment": WRITTEN})).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let (code, _, err) = site.command(&["request", "comment", &request.to_string(), "--as", "alex", WRITTEN]);
    assert!(code == 0 || code == 4, "{err}");
    assert!(!err.contains("U+"), "{err}");
    for type_name in ["request.vendor_approved", "request.commented", "request.customer_approved", "grant.ended"] {
        assert_eq!(lockbox.event(request, type_name).await["comment"], STORED, "{type_name}");
    }
    // A comment that says nothing is none, where none is needed.
    let request = lockbox.submit(&submission()).await;
    let mut decision = lockbox.decision(request, "morgan", Approve).await;
    decision.comment = Some(" \r\n".into());
    let mut data = json!(decision);
    data["comment"] = "\r\n ".into();
    assert_eq!(lockbox.outcome(Kind::VendorDecide, &data).await, "request.vendor_approved");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zero_character_is_a_clear_no_on_every_channel_and_fills_no_list() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let ticketing = caller(&lockbox, &site, None, &ALL).await;
    let lee = caller(&lockbox, &site, Some("lee"), &ALL).await;
    for field in ["requester", "tenant", "break_glass", "service_request", "service", "severity", "access_level"] {
        let mut data = submission();
        data[field] = "a\0b".into();
        let (status, said) = ticketing.post("/requests", &data).await;
        assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("unreadable")), "{field}: {said}");
        assert!(said["detail"].as_str().unwrap().contains("U+0000"), "{said}");
        let id = lockbox.publish(Kind::RequestSubmit, &data).await;
        let said = lockbox.answer(&id).await;
        assert_eq!((said.type_name.as_str(), &body(&said)["code"]), ("request.refused", &json!("invalid")), "{field}");
        assert!(body(&said)["message"].as_str().unwrap().contains(field), "{}", body(&said));
    }
    let id = lockbox.publish(Kind::TicketClosed, &json!({"tenant": "contoso", "service_request": "a\0"})).await;
    assert_eq!(body(&lockbox.answer(&id).await)["code"], "invalid");
    for query in ["text", "person", "tenant", "type", "service_request", "cursor", "request", "since"] {
        is_clear(&lee, &format!("/audit?{query}=a%00b")).await;
    }
    for query in ["state", "tenant", "service_request", "requester", "cursor", "limit", "open", "odd"] {
        is_clear(&ticketing, &format!("/requests?{query}=a%00b")).await;
    }
    is_clear(&ticketing, "/requests/a%00b").await;
    let robin = site.sign_in("Robin Hale").await;
    let auditor = site.sign_in("Lee Okafor").await;
    for path in [
        "/audit?text=a%00",
        "/audit?person=%00",
        "/requests?state=a%00",
        "/requests?service_request=%00",
        "/requests/%00",
    ] {
        let page = auditor.get(path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}: {}", page.text);
        assert!(page.text.contains("U+0000") && page.text.contains("<h1"), "{path}: {}", page.text);
    }
    let page = robin.fill("/requests/new", "/requests", &[("tenant", "a\0"), ("justification", "x")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert_eq!(lockbox.store.dead_letter_count().await.unwrap(), 0, "nothing is a dead-letter message");
    site.close();
    lockbox.finish().await;
}

async fn is_clear(caller: &Caller<'_>, path: &str) {
    let (status, said) = caller.get(path).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {said}");
    assert!(said["detail"].as_str().unwrap().contains("U+0000"), "{path}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_and_byte_order_marks_are_read_on_every_channel() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let ticketing = caller(&lockbox, &site, None, &ALL).await;
    let marked = |text: Vec<u8>| [b"\xEF\xBB\xBF".to_vec(), text].concat();
    let mut data = submission();
    data["duration_seconds"] = json!(60.0);
    assert!(data.to_string().contains("60.0"));
    let id = Uuid::now_v7().to_string();
    lockbox.publish_raw(Kind::RequestSubmit.key(), &id, marked(envelope(Kind::RequestSubmit, &id, &data))).await;
    let said = lockbox.answer(&id).await;
    assert_eq!(said.type_name, "request.submitted", "{}", body(&said));
    let (status, said) = ticketing.post_raw("/requests", "application/json", marked(data.to_string().into())).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    assert_eq!(said["duration_seconds"], 60);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let submit = file("submit.json", marked(data.to_string().into()));
    let (code, _, err) = site.command(&["request", "submit", "--file", &submit, "--as", "robin"]);
    assert_eq!(code, 0, "{err}");
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let text = std::fs::read(directory).unwrap();
    let (code, _, err) = lockbox_command(&lockbox, &["apply", "--check", "-f", &file("d.yaml", marked(text.clone()))]);
    assert_eq!(code, 0, "{err}");
    let wide: Vec<u8> =
        [0xFEFF_u16].into_iter().chain(text.iter().map(|b| u16::from(*b))).flat_map(u16::to_le_bytes).collect();
    let (code, _, err) = lockbox_command(&lockbox, &["apply", "--check", "-f", &file("w.yaml", wide)]);
    assert!(code == 2 && err.contains("UTF-16"), "{err}");
    site.close();
    lockbox.finish().await;
}
