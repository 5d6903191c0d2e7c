//! Provisionings in target systems: active at their time, revoked at once, and never called revoked before they are read back.

use chrono::{TimeDelta, Utc};
use connectors::AccessLevel;
use contracts::Kind;
use contracts::commands::{RespondToReport, RevokeAccess};
use domain::Verdict::Approve;
use operations::access_report::AccessReport;
use serde_json::json;
use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, quick_submission, submission};
use crate::person::Site;
use crate::scripted::{Manner, Scripted};

/// Every role, with a scripted target behind Exchange Online.
pub async fn scripted() -> (Lockbox, Scripted) {
    let lockbox = Lockbox::without_roles().await;
    let roles: Vec<RoleName> = ROLES.into_iter().filter(|role| *role != RoleName::Access).collect();
    lockbox.start(&roles).await;
    let target = Scripted::default();
    lockbox.keep_provisionings(vec![target.built("exchange_online")]).await;
    (lockbox, target)
}

pub async fn end(lockbox: &Lockbox, request: Uuid) {
    let data = RevokeAccess { request, by: "alex".into(), comment: None };
    assert_eq!(lockbox.outcome(Kind::GrantRevoke, &data).await, "grant.ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provisioning_covers_exactly_what_was_requested_and_its_end_is_a_receipt() {
    let (lockbox, target) = scripted().await;
    let mut data = submission();
    data["access_level"] = "read_write".into();
    let request = lockbox.granted(&data).await;
    lockbox.until_provisioning(request, "active").await;
    let order = target.open_for(request).unwrap();
    assert_eq!((order.tenant.as_str(), order.service.as_str()), ("contoso", "exchange_online"));
    assert_eq!((order.resource.as_str(), order.engineer.as_str()), ("finance@contoso.example", "robin"));
    assert_eq!(order.access_level, AccessLevel::ReadWrite);
    assert_eq!(Some(order.until), lockbox.view(request).await.access_until, "the target receives the end");
    assert_eq!(lockbox.event(request, "grant.provisioned").await["connector"], "scripted");
    target.begin_sessions(request, 2);
    end(&lockbox, request).await;
    let provisioning = lockbox.until_provisioning(request, "revoked").await;
    assert_eq!(target.open_for(request), None);
    let receipt = lockbox.event(request, "grant.revoked").await["receipt"].clone();
    assert_eq!(receipt["sessions_cut"], 2);
    let view = lockbox.view(request).await;
    assert_eq!(provisioning.refused_from, view.access_until, "the gate refuses from the very end in the row");
    let (ordered, cut, closed) =
        (provisioning.revocation_ordered_at.unwrap(), provisioning.cut_at.unwrap(), provisioning.revoked_at.unwrap());
    assert!(provisioning.refused_from.unwrap() <= ordered && ordered <= cut && cut <= closed, "{provisioning:?}");
    assert!(closed - ordered < TimeDelta::seconds(5), "at once, not at the next look: {}", closed - ordered);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_to_write_by_leaving_it_out_and_a_mode_that_is_none_is_refused() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    assert_eq!(lockbox.view(request).await.content().unwrap().access_level, domain::AccessLevel::ReadOnly);
    let mut odd = submission();
    odd["access_level"] = "everything".into();
    assert_eq!(lockbox.outcome(Kind::RequestSubmit, &odd).await, "invalid");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_in_the_future_opens_at_its_time_and_not_before() {
    let (lockbox, target) = scripted().await;
    let mut data = submission();
    let from = Utc::from_ahead(3);
    data["start_time"] = json!(from);
    let request = lockbox.granted(&data).await;
    let provisioning = lockbox.until_provisioning(request, "active").await;
    let view = lockbox.view(request).await;
    assert!(provisioning.provisioned_at.unwrap() >= view.access_from.unwrap(), "not a moment before");
    assert!(provisioning.provisioned_at.unwrap() - view.access_from.unwrap() < TimeDelta::seconds(5));
    assert_eq!(target.calls("open", request), 1);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_target_is_configured_the_gate_is_the_only_access() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(request, "active").await;
    end(&lockbox, request).await;
    let provisioning = lockbox.until_provisioning(request, "revoked").await;
    assert_eq!(provisioning.connector.as_deref(), Some("gate"));
    assert_eq!(
        provisioning.cut_at, provisioning.refused_from,
        "nothing but the gate lets in, and it refuses from the end on"
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphaned_entitlement_is_removed_and_reported_and_what_was_lost_is_provisioned_again() {
    let (lockbox, target) = scripted().await;
    let over = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(over, "active").await;
    let order = target.open_for(over).unwrap();
    end(&lockbox, over).await;
    lockbox.until_provisioning(over, "revoked").await;
    let kept = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(kept, "active").await;
    let old = "update provisionings set provisioned_at = provisioned_at - interval '1 minute' where request = $1";
    sqlx::query(old).bind(kept).execute(&lockbox.pool).await.unwrap();
    let stranger = Uuid::now_v7();
    target.open_by_hand(order.clone());
    target.open_by_hand(connectors::Order { grant: stranger, ..order });
    target.close_by_hand(kept);
    // A comparison is made at every start of the role.
    lockbox.keep_provisionings(vec![target.built("exchange_online")]).await;
    let removed = lockbox.event(over, "grant.orphan_removed").await;
    assert!(removed["note"].as_str().unwrap().contains("the revocation was confirmed"));
    eventually("the orphaned entitlement is removed and in the audit log", async || {
        let said = "select count(*) from audit_events where type = 'grant.orphan_removed'";
        let said: i64 = sqlx::query_scalar(said).fetch_one(&lockbox.pool).await.unwrap();
        (said == 2 && target.open_for(stranger).is_none()).then_some(())
    })
    .await;
    eventually("what was lost is open again", async || target.open_for(kept)).await;
    assert!(
        lockbox.event(kept, "grant.provisioning_failed").await["error"]
            .as_str()
            .unwrap()
            .contains("access was missing in the target system")
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_engineer_loses_pending_requests_and_open_access_at_once() {
    let (lockbox, target) = scripted().await;
    let open = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(open, "active").await;
    let pending = lockbox.submit(&submission()).await;
    let mut other = submission();
    other["requester"] = "sam".into();
    let other = lockbox.submit(&other).await;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut directory: contracts::directory::Directory = serde_saphyr::from_str(&text).unwrap();
    directory
        .vendor
        .people
        .iter_mut()
        .filter(|person| person.name == "robin")
        .for_each(|person| person.enabled = false);
    lockbox.store.apply(&directory, "test").await.unwrap();
    assert_eq!(lockbox.until(open, "ended").await.cause.as_deref(), Some("requester_disabled"));
    assert_eq!(lockbox.until(pending, "withdrawn").await.cause.as_deref(), Some("requester_disabled"));
    lockbox.until_provisioning(open, "revoked").await;
    assert_eq!(target.open_for(open), None);
    assert_eq!(lockbox.view(other).await.state, "pending_vendor", "no other request changes");
    assert_eq!(lockbox.decide(Kind::VendorDecide, other, "morgan", Approve).await, "request.vendor_approved");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_an_engineer_does_not_wait_for_requests_that_move_and_they_end_all_the_same() {
    let (lockbox, _target) = scripted().await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let mut disabling = lockbox.pool.begin().await.unwrap();
    sqlx::query("select from people where name = 'robin' for update").execute(&mut *disabling).await.unwrap();
    let deciding = lockbox.decide(Kind::CustomerDecide, request, "alex", Approve);
    let disabled = async {
        eventually("the approval locks its request and waits for the engineer's row", async || {
            let waiting =
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&lockbox.pool).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        let started = std::time::Instant::now();
        let disable = "update people set enabled = false where name = 'robin'";
        sqlx::query(disable).execute(&mut *disabling).await.unwrap();
        // Postgres looks for a deadlock after a second.
        assert!(started.elapsed() < std::time::Duration::from_millis(900), "{:?}", started.elapsed());
        disabling.commit().await.unwrap();
    };
    tokio::join!(deciding, disabled);
    assert_eq!(lockbox.until(request, "ended").await.cause.as_deref(), Some("requester_disabled"));
    lockbox.until_provisioning(request, "revoked").await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_cannot_be_forged_and_no_provisioning_moves_back() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.granted(&quick_submission(1)).await;
    lockbox.until_provisioning(request, "revoked").await;
    for (statement, constraint) in [
        (
            "update provisionings set revoked_at = revoked_at - interval '1 second' where request = $1",
            "provisionings_receipt",
        ),
        (
            "update provisionings set state = 'active', next_try_at = now() where request = $1",
            "provisionings_legal_move",
        ),
        ("update provisionings set until_at = until_at + interval '1 hour' where request = $1", "provisionings_until"),
        ("delete from provisionings where request = $1", "history_is_kept"),
    ] {
        let fault = sqlx::query(statement).bind(request).execute(&lockbox.pool).await.unwrap_err();
        let fault = fault.into_database_error().unwrap();
        assert_eq!(fault.constraint(), Some(constraint), "{statement}");
    }
    lockbox.finish().await;
}

/// Times of tests: a moment ahead by the machine's own clock, which is the database's here.
trait Ahead {
    fn from_ahead(seconds: i64) -> chrono::DateTime<Utc>;
}

impl Ahead for Utc {
    fn from_ahead(seconds: i64) -> chrono::DateTime<Utc> {
        contracts::envelope::wall_clock() + TimeDelta::seconds(seconds)
    }
}

/// What the gate says of a use; written as the gate writes it, through the outbox.
async fn used(lockbox: &Lockbox, request: Uuid, method: &str, resource: &str, allowed: bool, count: i64) {
    let now = lockbox.store.clock().await.unwrap();
    let data = json!({
        "request": request, "method": method, "resource": resource, "source": "192.0.2.7", "allowed": allowed,
        "count": count, "first_at": now, "last_at": now, "actor": {"kind": "person", "name": "robin"},
    });
    let body = json!({
        "specversion": "1.0", "id": Uuid::now_v7(), "source": "/lockbox", "type": "lockbox.grant.used.v1", "data": data,
    });
    sqlx::query("insert into audit_events (id, at, type, request, body) values ($1, $2, 'grant.used', $3, $4)")
        .bind(Uuid::now_v7())
        .bind(now)
        .bind(request)
        .bind(serde_json::to_vec(&body).unwrap())
        .execute(&lockbox.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_report_shows_what_was_requested_granted_used_and_released_and_the_customer_acknowledges_it() {
    let (lockbox, target) = scripted().await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let mut shorter = lockbox.decision(request, "alex", Approve).await;
    shorter.duration_seconds = Some(50);
    lockbox.outcome(Kind::CustomerDecide, &shorter).await;
    lockbox.until_provisioning(request, "active").await;
    used(&lockbox, request, "GET", "finance@contoso.example/inbox/1", true, 3).await;
    used(&lockbox, request, "GET", "finance@contoso.example/inbox/2", true, 1).await;
    used(&lockbox, request, "PUT", "finance@contoso.example/inbox/2", false, 2).await;
    let view = lockbox.view(request).await;
    assert!(AccessReport::of(&lockbox.store, &view).await.unwrap().is_none(), "nothing is over");
    target.will("probe", Manner::Fails);
    end(&lockbox, request).await;
    let answer = async |by: &str, acknowledges: bool, comment: Option<&str>| {
        let data = RespondToReport { request, by: by.into(), acknowledges, comment: comment.map(Into::into) };
        lockbox.outcome(Kind::ReportRespond, &data).await
    };
    assert_eq!(answer("alex", true, None).await, "revocation_unconfirmed");
    assert_eq!(answer("alex", false, None).await, "invalid", "a dispute says why");
    assert_eq!(answer("alex", false, Some("who read the second mail?")).await, "report.disputed");
    target.will("probe", Manner::Works);
    lockbox.until_provisioning(request, "revoked").await;
    for (stranger, code) in [("dana", "wrong_tenant"), ("robin", "own_request"), ("morgan", "wrong_tenant")] {
        assert_eq!(answer(stranger, true, None).await, code);
    }
    assert_eq!(answer("kim", true, Some("explained")).await, "report.acknowledged");
    let view = lockbox.view(request).await;
    let closing = AccessReport::of(&lockbox.store, &view).await.unwrap().unwrap();
    assert_eq!((closing.asked_seconds, closing.granted_seconds), (60, 50));
    assert!(
        closing.open_seconds < 40 && closing.unused_seconds + closing.open_seconds >= 49,
        "{}",
        closing.open_seconds
    );
    assert_eq!((closing.counts(), closing.items()), ((4, 2), 2));
    let said = closing.answer.as_ref().unwrap();
    assert!(said.accepted && said.by.starts_with("Kim"), "the last word stands: {said:?}");
    assert!(closing.json(&view)["provisioning"]["confirmed"].as_bool().unwrap());
    assert_eq!(lockbox.view(request).await.finished_at, view.finished_at, "the end itself does not move");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_page_shows_what_is_open_and_which_end_is_not_confirmed_and_the_request_page_the_cut() {
    let (lockbox, target) = scripted().await;
    let site = Site::open(&lockbox).await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(request, "active").await;
    let (alex, dana) = (site.sign_in("Alex Novak").await, site.sign_in("Dana Whitfield").await);
    let live = alex.get("/grants").await.text;
    assert!(live.contains("finance@contoso.example") && live.contains("Revoke access") && live.contains("Read only"));
    assert!(dana.get("/grants").await.text.contains("There is no active access"), "another tenant's");
    target.will("probe", Manner::Fails);
    alex.fill("/grants", &format!("/requests/{request}/revocation"), &[]).await;
    eventually("the live page says that the end is not confirmed", async || {
        let page = alex.get("/grants").await.text;
        (page.contains("Revocation unconfirmed since") && page.contains("probe is down")).then_some(())
    })
    .await;
    let page = alex.get(&format!("/requests/{request}")).await.text;
    assert!(page.contains("Revocation unconfirmed") && !page.contains("ms after the order"));
    target.will("probe", Manner::Works);
    lockbox.until_provisioning(request, "revoked").await;
    let page = alex.get(&format!("/requests/{request}")).await.text;
    assert!(
        page.contains("Revoked, verified in the target system")
            && page.contains("ms after the order")
            && page.contains("Dispute")
    );
    alex.fill("/", &format!("/requests/{request}/report"), &[("response", "acknowledge"), ("comment", "as agreed")])
        .await;
    let page = alex.get(&format!("/requests/{request}")).await.text;
    assert!(page.contains("Acknowledged") && page.contains("as agreed"), "{page}");
    assert!(alex.get("/grants").await.text.contains("every revocation is confirmed"));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_ended_before_its_provisioning_began_is_revoked() {
    let lockbox =
        Lockbox::with_roles(&[RoleName::Intake, RoleName::ManagerReview, RoleName::Approval, RoleName::Audit]).await;
    let request = lockbox.granted(&crate::harness::quick_submission(1)).await;
    let over = "select until_at <= clock_timestamp() from provisionings where request = $1";
    eventually("its time is over", async || {
        let over: bool = sqlx::query_scalar(over).bind(request).fetch_one(&lockbox.pool).await.unwrap();
        over.then_some(())
    })
    .await;
    // Nobody has marked the request as ended either: the provisioning is found in its first state.
    assert_eq!(lockbox.store.provisioning(request).await.unwrap().unwrap().state, "provisioning");
    lockbox.start(&[RoleName::Access]).await;
    lockbox.until_provisioning(request, "revoked").await;
    lockbox.finish().await;
}
