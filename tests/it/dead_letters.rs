//! A replayed dead-letter message has the rights of the login that first sent it, and never more.

use broker::{Exchange, Link, Outgoing, Publisher};
use contracts::Kind;
use contracts::envelope::SOURCE;
use domain::Verdict;
use serde_json::{Value, json};
use store::{ReadSet, WriteSet};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::audit::lockbox_command;
use crate::harness::{Lockbox, ROLES, body, envelope, eventually, submission};

/// A program with a broker login of its own, which is not Lockbox'.
pub(crate) struct Stranger {
    publisher: Mutex<Publisher>,
    _link: Link,
}

impl Stranger {
    /// Connects as `ticketing`, which the directory lists for these commands.
    pub(crate) async fn connect(lockbox: &Lockbox, may: &[&str]) -> Self {
        for command in may {
            sqlx::query("insert into producers (login, command) values ('ticketing', $1)")
                .bind(command)
                .execute(&lockbox.pool)
                .await
                .unwrap();
        }
        let mut url = url::Url::parse(&lockbox.settings.amqp_url).unwrap();
        url.set_username("ticketing").unwrap();
        url.set_password(Some("ticketing")).unwrap();
        let config = broker::Config { url: url.to_string(), name: "ticketing".into() };
        let link = Link::open(&config).await.expect(
            "the broker of the tests has a login `ticketing` with the password `ticketing` (`rabbitmqctl add_user`)",
        );
        let publisher = Mutex::new(Publisher::open(&link, &lockbox.settings.names).await.unwrap());
        Self { publisher, _link: link }
    }

    /// Publishes bytes; answers with the message's id.
    pub(crate) async fn publish(&self, exchange: Exchange, kind: Kind, body: Vec<u8>) -> String {
        let id = serde_json::from_slice::<Value>(&body).ok().and_then(|said| Some(said["id"].as_str()?.to_owned()));
        let id = id.unwrap_or_else(|| Uuid::now_v7().to_string());
        let outgoing = Outgoing {
            exchange,
            routing_key: if exchange == Exchange::Requests { kind.key() } else { kind.routing_key() }.into(),
            message_id: id.clone(),
            message_type: kind.type_name(),
            correlation_id: None,
            headers: vec![("lockbox-replay", Uuid::now_v7().to_string()), ("lockbox-replay-login", "guest".into())],
            body: body.into(),
        };
        self.publisher.lock().await.publish(&[outgoing]).await.unwrap();
        id
    }
}

/// The id of the dead-letter message that a refusal speaks of.
fn dead_letter(said: &Value) -> String {
    said["dead_letter"].as_str().unwrap_or_else(|| panic!("not a dead-letter message: {said}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_a_dead_letter_message_again_gives_its_sender_no_rights_it_did_not_have() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ticketing = Stranger::connect(&lockbox, &["request.submit"]).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Verdict::Approve).await;
    let yes = json!(lockbox.decision(request, "alex", Verdict::Approve).await);
    let id = Uuid::now_v7().to_string();
    ticketing.publish(Exchange::Requests, Kind::CustomerDecide, envelope(Kind::CustomerDecide, &id, &yes)).await;
    let said = body(&lockbox.answer(&id).await);
    assert_eq!(said["code"], "schema.unexpected_type", "{said}");
    let row = lockbox.store.find_dead_letter(dead_letter(&said).parse().unwrap()).await.unwrap();
    assert_eq!(row.login.as_deref(), Some("ticketing"));
    // The operator does as the manual says.
    let (code, out, err) =
        lockbox_command(&lockbox, &["dead-letter", "replay", &dead_letter(&said), "--operator", "lee"]);
    assert_eq!(code, 0, "{out}{err}");
    let again = eventually("it is refused again, for the same login", async || {
        let filter = store::dead_letter::DeadLetterFilter { reason: None, all: false, limit: 10 };
        lockbox.store.dead_letters(&filter).await.unwrap().pop()
    })
    .await;
    assert_eq!((again.reason.as_str(), again.login.as_deref()), ("schema.unexpected_type", Some("ticketing")));
    assert_eq!(lockbox.view(request).await.state, "pending_customer");
    // On the exchange of commands it is read, and refused for its login; what its headers claim counts for nothing.
    let id = Uuid::now_v7().to_string();
    ticketing.publish(Exchange::Commands, Kind::CustomerDecide, envelope(Kind::CustomerDecide, &id, &yes)).await;
    assert_eq!(body(&lockbox.answer(&id).await)["code"], "wrong_producer");
    assert_eq!(lockbox.view(request).await.state, "pending_customer");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_good_by_now_is_handled_for_the_login_that_sent_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ticketing = Stranger::connect(&lockbox, &["request.submit"]).await;
    let id = Uuid::now_v7().to_string();
    let mut broken = submission();
    broken["surprise"] = true.into();
    ticketing.publish(Exchange::Requests, Kind::RequestSubmit, envelope(Kind::RequestSubmit, &id, &broken)).await;
    let said = body(&lockbox.answer(&id).await);
    // As if a newer version could read it.
    sqlx::query("update dead_letters set body = $1, size_bytes = length($1)")
        .bind(envelope(Kind::RequestSubmit, &id, &submission()))
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let (code, out, err) =
        lockbox_command(&lockbox, &["dead-letter", "replay", &dead_letter(&said), "--operator", "lee"]);
    assert_eq!(code, 0, "{out}{err}");
    let submitted = eventually("the request is there", async || {
        let filter = store::audit::AuditFilter {
            cause: Some(id.clone()),
            type_name: Some("request.submitted".into()),
            limit: 1,
            ..store::audit::AuditFilter::default()
        };
        lockbox.store.search_audit(&filter).await.unwrap().pop()
    })
    .await;
    let auth = &body(&submitted)["actor"]["auth"];
    assert_eq!((auth["method"].as_str(), auth["login"].as_str()), (Some("broker"), Some("ticketing")), "{auth}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_login_forges_is_refused_and_never_sent_again() {
    let lockbox = Lockbox::with_roles(&[&ROLES[..], &[workers::RoleName::Mail]].concat()).await;
    let ticketing = Stranger::connect(&lockbox, &["request.submit"]).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.until_idle().await;
    let own = |kind: Kind, data: Value| {
        let id = Uuid::now_v7().to_string();
        serde_json::to_vec(&json!({
            "specversion": "1.0", "id": id, "source": SOURCE, "type": kind.type_name(),
            "time": "2026-11-01T00:00:00.000000Z", "channel": "portal/oidc", "data": data,
        }))
        .unwrap()
    };
    let notification = json!({
        "notification": Uuid::now_v7(), "request": request, "template": "decision_needed",
        "recipient": {"name": "Alex Novak", "address": "alex@contoso.example"}, "tenant": "contoso",
        "tenant_name": "Click here", "service_request": "SR-1", "service": "exchange_online",
        "requester_name": "Robin Hale", "duration_seconds": 60, "happened_at": "2026-11-02T10:00:00Z",
    });
    for (exchange, kind, data) in [
        (Exchange::Events, Kind::GrantActivated, json!({"request": request})),
        (Exchange::Notifications, Kind::Mail, notification),
    ] {
        let id = ticketing.publish(exchange, kind, own(kind, data)).await;
        let said = eventually("it is refused for its sender", async || {
            let filter = store::audit::AuditFilter { cause: Some(id.clone()), limit: 9, ..Default::default() };
            let found: Vec<_> = lockbox.store.search_audit(&filter).await.unwrap().iter().map(body).collect();
            found.into_iter().find(|said| said["code"] == "auth.forged")
        })
        .await;
        let (code, _, err) =
            lockbox_command(&lockbox, &["dead-letter", "replay", &dead_letter(&said), "--operator", "lee"]);
        assert_eq!(code, 4, "{err}");
        assert!(err.contains("refused because of its sender"), "{err}");
    }
    assert!(lockbox.mailbox.mails().iter().all(|mail| !mail.text.contains("Click here")), "no mail of theirs goes out");
    // A command says how a person had signed in; that too is believed from our own login alone.
    let id = ticketing.publish(Exchange::Requests, Kind::RequestSubmit, own(Kind::RequestSubmit, submission())).await;
    let auth = &body(&lockbox.answer(&id).await)["actor"]["auth"];
    assert_eq!((auth["method"].as_str(), auth["signed_in"].as_str()), (Some("broker"), None), "{auth}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_login_cannot_take_the_place_of_a_message_by_guessing_its_id() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ticketing = Stranger::connect(&lockbox, &[]).await;
    let id = Uuid::now_v7().to_string();
    let bytes = envelope(Kind::RequestSubmit, &id, &submission());
    ticketing.publish(Exchange::Requests, Kind::RequestSubmit, bytes.clone()).await;
    assert_eq!(body(&lockbox.answer(&id).await)["code"], "wrong_producer");
    lockbox.publish_raw(Kind::RequestSubmit.key(), &id, bytes).await;
    eventually("the real message is handled", async || {
        let filter = store::audit::AuditFilter { cause: Some(id.clone()), limit: 9, ..Default::default() };
        let found = lockbox.store.search_audit(&filter).await.unwrap();
        found.iter().any(|event| event.type_name == "request.submitted").then_some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_program_failed_on_is_handled_when_it_is_sent_again() {
    let lockbox = Lockbox::without_roles().await;
    let key = Uuid::new_v4();
    let begin = async || {
        let wanted = ReadSet { consumer: "intake", keys: vec![key], ..ReadSet::default() };
        lockbox.store.open_unit_of_work(wanted).await.unwrap()
    };
    let unit = begin().await;
    assert!(unit.snapshot.fresh.contains(&key));
    unit.commit(&WriteSet { without_effect: vec![key], ..WriteSet::default() }).await.unwrap();
    let unit = begin().await;
    assert!(unit.snapshot.fresh.contains(&key), "the inbox forgot it");
    unit.commit(&WriteSet::default()).await.unwrap();
    assert!(!begin().await.snapshot.fresh.contains(&key));
    lockbox.delete_topology().await;
}
