//! Invalid input: it is refused or dead-lettered with a reason for people and an event in the audit log, and it delays no other
//! message.

use contracts::Kind;
use serde_json::{Value, json};
use store::dead_letter::DeadLetterFilter;
use uuid::Uuid;

use crate::harness::{Lockbox, ROLES, body, envelope, submission};

fn with(field: &str, value: Value) -> Value {
    let mut data = submission();
    data[field] = value;
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_break_a_rule_are_refused_with_that_rule() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    sqlx::query("insert into tenants (id, name, display_name, review_deadline_seconds, decision_deadline_seconds, access_default_seconds, access_ceiling_seconds, required_approvals) values (gen_random_uuid(), 'lonely', 'Lonely', 60, 60, 60, 60, 1)")
        .execute(&lockbox.pool).await.unwrap();
    let cases = [
        (with("tenant", json!("unknown")), "unknown_tenant", "no enabled tenant with this name"),
        (with("tenant", json!("lonely")), "no_approver", "does not have enough approvers"),
        (with("requester", json!("ghost")), "unknown_person", "no person with this name"),
        (with("requester", json!("morgan")), "not_engineer", "role engineer"),
        (with("requester", json!("alex")), "not_engineer", "role engineer"),
        (with("duration_seconds", json!(0)), "invalid", "duration_seconds: must be between 1 and 28800"),
        (with("duration_seconds", json!(-5)), "invalid", "not -5"),
        (with("duration_seconds", json!(999_999)), "invalid", "the longest access that the tenant allows"),
        (with("service", json!("fax")), "invalid", "service: unknown; one of exchange_online"),
        (with("severity", json!("panic")), "invalid", "severity: unknown"),
        (
            with("justification", json!({"category": "because", "text": ""})),
            "invalid",
            "justification.text: must not be empty; justification.category",
        ),
        (with("resource", json!("finance\u{202e}@contoso.example")), "invalid", "U+202E"),
        (with("start_time", json!("2020-01-01T00:00:00Z")), "invalid", "start_time: is in the past"),
    ];
    for (data, code, words) in cases {
        let id = lockbox.publish(Kind::RequestSubmit, &data).await;
        let answer = lockbox.answer(&id).await;
        let said = body(&answer);
        assert_eq!((answer.type_name.as_str(), &said["code"]), ("request.refused", &json!(code)), "{said}");
        assert!(said["message"].as_str().unwrap().contains(words), "{words} is not in {said}");
    }
    lockbox.submit(&submission()).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_the_gate_could_never_match_is_refused_at_submission() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    for (service, resource, words) in [
        ("sharepoint", "contoso.example/sites/board", "must be an https URL"),
        ("sharepoint", "http://contoso.example/sites/board", "must be an https URL"),
        ("sharepoint", "https://contoso.example/sites/board?x=1", "must be an https URL"),
        ("onedrive", "https://contoso.example/sites/../etc", "must be an https URL"),
        ("onedrive", "https://contoso.example/sites//board", "must be an https URL"),
        ("sharepoint", "the board site", "must be an https URL"),
        ("exchange_online", "finance", "must be the address of a mailbox"),
    ] {
        let mut data = with("resource", json!(resource));
        data["service"] = service.into();
        let id = lockbox.publish(Kind::RequestSubmit, &data).await;
        let answer = lockbox.answer(&id).await;
        let said = body(&answer);
        assert_eq!((answer.type_name.as_str(), &said["code"]), ("request.refused", &json!("invalid")), "{said}");
        let message = said["message"].as_str().unwrap();
        assert!(message.contains("resource") && message.contains(words), "{resource}: {said}");
    }
    let mut good = with("resource", json!("https://contoso.example/sites/board/"));
    good["service"] = "sharepoint".into();
    lockbox.submit(&good).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_messages_are_dead_lettered_with_the_fault_and_its_place() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let text = |data: &Value| String::from_utf8(envelope(Kind::RequestSubmit, "x", data)).unwrap();
    let good = text(&submission());
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let cases: Vec<(&str, String, &str, &str)> = vec![
        ("request.submit.v1", "{ this is no JSON".into(), "schema.unparseable", "line 1 column"),
        ("request.submit.v1", String::new(), "schema.unparseable", "EOF"),
        ("request.submit.v1", "{}".into(), "schema.invalid", "specversion"),
        ("request.submit.v1", good.replace("\"1.0\"", "\"0.3\""), "schema.invalid", "only \"1.0\""),
        ("request.submit.v1", good.replace("submit.v1", "submit.v9"), "schema.unknown_type", "submit.v9"),
        ("request.explode.v1", good.replace("request.submit", "request.explode"), "schema.unknown_type", "explode"),
        ("request.submit.v1", text(&with("unknown_field", json!(1))), "schema.invalid", "unknown_field"),
        ("request.submit.v1", text(&with("duration_seconds", json!("an hour"))), "schema.invalid", "invalid type"),
        (
            "request.submit.v1",
            good.replace("\"tenant\":\"contoso\"", "\"tenant\":\"contoso\",\"tenant\":\"adatum\""),
            "schema.invalid",
            "duplicate field",
        ),
        (
            "request.submit.v1",
            good.replace("\"justification\":{", &format!("\"deep\":{deep},\"justification\":{{")),
            "schema.invalid",
            "",
        ),
        ("request.submit.v1", format!("{good}{}", " ".repeat(10 * 1024 * 1024)), "schema.too_large", "at most 65536"),
        (
            "request.submit.v1",
            good.replace("request.submit.v1", "vendor.decide.v1"),
            "schema.unexpected_type",
            "from this exchange",
        ),
    ];
    for (key, text, code, words) in cases {
        let id = Uuid::now_v7().to_string();
        let size = text.len();
        lockbox.publish_raw(key, &id, text.into_bytes()).await;
        let answer = lockbox.answer(&id).await;
        let said = body(&answer);
        assert_eq!((answer.type_name.as_str(), &said["code"]), ("message.dead_lettered", &json!(code)), "{said}");
        assert!(said["message"].as_str().unwrap().contains(words), "{words} is not in {said}");
        let dead_letter: Uuid = said["dead_letter"].as_str().unwrap().parse().unwrap();
        let row = lockbox.store.find_dead_letter(dead_letter).await.unwrap();
        assert_eq!(usize::try_from(row.size_bytes).unwrap(), size);
        assert_eq!(row.login.as_deref(), Some("guest"), "its sender is in the audit log");
    }
    let filter = DeadLetterFilter { reason: Some("schema.unknown_type".into()), all: false, limit: 10 };
    assert_eq!(lockbox.store.dead_letters(&filter).await.unwrap().len(), 2);
    lockbox.submit(&submission()).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_bound_queue_is_dead_lettered_as_unroutable() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let lost = broker::Outgoing {
        exchange: broker::Exchange::Commands,
        routing_key: "no-such-role".into(),
        message_id: Uuid::now_v7().to_string(),
        message_type: "x".into(),
        correlation_id: None,
        headers: Vec::new(),
        body: b"{}".to_vec().into(),
    };
    lockbox.publisher.lock().await.publish(std::slice::from_ref(&lost)).await.unwrap();
    let said = body(&lockbox.answer(&lost.message_id).await);
    assert_eq!(said["code"], "broker.unroutable");
    assert!(said["message"].as_str().unwrap().contains("no-such-role"));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_event_does_not_enter_the_audit_log() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    let forged = json!({
        "specversion": "1.0", "id": Uuid::now_v7().to_string(), "source": "/elsewhere",
        "type": "lockbox.grant.activated.v1", "time": "2026-01-01T00:00:00Z", "subjectversion": 2, "data": {"request": request},
    });
    let id = Uuid::now_v7().to_string();
    let outgoing = broker::Outgoing {
        exchange: broker::Exchange::Events,
        routing_key: "grant.activated.v1".into(),
        message_id: id.clone(),
        message_type: "lockbox.grant.activated.v1".into(),
        correlation_id: None,
        headers: Vec::new(),
        body: serde_json::to_vec(&forged).unwrap().into(),
    };
    lockbox.publisher.lock().await.publish(&[outgoing]).await.unwrap();
    assert_eq!(body(&lockbox.answer(&id).await)["code"], "schema.invalid");
    assert_eq!(lockbox.steps(request).await, ["request.submitted"]);
    lockbox.finish().await;
}
