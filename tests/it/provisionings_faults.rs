//! Provisionings whose target fails, hangs or lies, whose broker is away, or whose roles sleep: none is called revoked before
//! it is read back.

use serde_json::json;
use workers::RoleName;

use crate::harness::{Lockbox, eventually, quick_submission, submission};
use crate::provisionings::{end, scripted};
use crate::scripted::{Manner, Scripted};
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_never_confirmed_while_the_target_fails_hangs_or_lies() {
    let (lockbox, target) = scripted().await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(request, "active").await;
    let closings = async |call: &'static str, manner: Manner, says: &str| {
        target.will(call, manner);
        eventually(&format!("{call} {manner:?} is seen"), async || {
            let provisioning = lockbox.store.provisioning(request).await.unwrap().unwrap();
            assert_eq!(provisioning.state, "revoking", "{provisioning:?}");
            assert!(provisioning.revoked_at.is_none());
            provisioning.last_error.filter(|error| error.contains(says))
        })
        .await;
        target.will(call, Manner::Works);
    };
    target.will("close", Manner::Lies);
    end(&lockbox, request).await;
    closings("close", Manner::Lies, "was read back as open").await;
    // From here on it is closed in truth, and yet not confirmed: nobody could see it.
    target.will("probe", Manner::Fails);
    closings("probe", Manner::Fails, "probe is down").await;
    target.will("probe", Manner::Hangs);
    closings("probe", Manner::Hangs, "within 5 s").await;
    let provisioning = lockbox.until_provisioning(request, "revoked").await;
    assert!(provisioning.revocation_ordered_at < provisioning.revoked_at);
    let failed = lockbox.event(request, "grant.provisioning_failed").await;
    assert_eq!((&failed["state"], &failed["alarm"]), (&json!("revoking"), &json!(false)));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_cut_although_closing_fails_and_an_end_unconfirmed_for_a_minute_raises_the_alarm_once() {
    let (lockbox, target) = scripted().await;
    lockbox.start(&[RoleName::Mail]).await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(request, "active").await;
    target.begin_sessions(request, 1);
    target.will("close", Manner::Fails);
    end(&lockbox, request).await;
    eventually("the session is cut", async || {
        let provisioning = lockbox.store.provisioning(request).await.unwrap().unwrap();
        (provisioning.sessions_cut == 1 && provisioning.state == "revoking").then_some(())
    })
    .await;
    // As if the target had been down for ten minutes; nothing else is touched.
    let older = "update provisionings set revocation_ordered_at = revocation_ordered_at - interval '10 minutes', \
                 first_failed_at = first_failed_at - interval '10 minutes' where request = $1";
    sqlx::query(older).bind(request).execute(&lockbox.pool).await.unwrap();
    let alarms = async || {
        let said = "select count(*) from audit_events where request = $1 and type = 'grant.provisioning_failed' \
                    and (convert_from(body, 'UTF8')::jsonb)->'data'->>'alarm' = 'true'";
        let alarms: i64 = sqlx::query_scalar(said).bind(request).fetch_one(&lockbox.pool).await.unwrap();
        alarms
    };
    eventually("the alarm is in the audit log", async || (alarms().await == 1).then_some(())).await;
    let failures = lockbox.store.provisioning(request).await.unwrap().unwrap().failures;
    assert_eq!(lockbox.store.provisioning(request).await.unwrap().unwrap().state, "revoking");
    eventually("it is tried again all the same", async || {
        (lockbox.store.provisioning(request).await.unwrap().unwrap().failures > failures).then_some(())
    })
    .await;
    let notified = async |headline: &str| {
        let mails = lockbox.mailbox.mails().into_iter().filter(|mail| mail.text.contains(headline));
        let mut notified: Vec<String> = mails.map(|mail| mail.to.join(",")).collect();
        notified.sort();
        notified
    };
    let both_sides =
        ["alex@contoso.example", "kim@contoso.example", "morgan@fabrikam.example", "robin@fabrikam.example"];
    eventually("both sides are notified", async || {
        (notified("revocation of access is not confirmed").await == both_sides).then_some(())
    })
    .await;
    target.will("close", Manner::Works);
    lockbox.until_provisioning(request, "revoked").await;
    assert_eq!(notified("revocation of access is not confirmed").await, both_sides, "once");
    assert_eq!(alarms().await, 1);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_while_opening_is_under_way_is_not_confirmed_before_the_opening_is_over() {
    let (lockbox, target) = scripted().await;
    let held = target.hold_opening();
    let request = lockbox.granted(&submission()).await;
    eventually("the call to open is under way", async || (target.calls("open-held", request) > 0).then_some(())).await;
    end(&lockbox, request).await;
    eventually("it was closed and read", async || (target.calls("probe", request) > 0).then_some(())).await;
    lockbox.until_provisioning(request, "revoking").await;
    held.notify_waiters();
    held.notify_one();
    lockbox.until_provisioning(request, "revoked").await;
    assert_eq!(target.open_for(request), None, "what opened late is closed too");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opened_without_an_answer_is_closed_like_any_other() {
    let (lockbox, target) = scripted().await;
    target.will("open", Manner::WorksAndHangs);
    let request = lockbox.granted(&submission()).await;
    eventually("it is active and nobody knows", async || target.open_for(request)).await;
    assert_eq!(lockbox.store.provisioning(request).await.unwrap().unwrap().state, "provisioning");
    end(&lockbox, request).await;
    let provisioning = lockbox.until_provisioning(request, "revoked").await;
    assert_eq!((target.open_for(request), provisioning.provisioned_at), (None, None));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_broker_out_of_reach_provisionings_begin_and_end_from_the_rows() {
    let (lockbox, target) = scripted().await;
    let request = lockbox.granted(&quick_submission(3)).await;
    lockbox.until_provisioning(request, "active").await;
    lockbox.delete_topology().await;
    lockbox.until_provisioning(request, "revoked").await;
    assert_eq!(target.open_for(request), None);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_provisioning_is_revoked_at_its_end_although_nobody_marks_the_request_as_ended() {
    let lockbox = Lockbox::without_roles().await;
    let roles = [RoleName::Intake, RoleName::ManagerReview, RoleName::Approval, RoleName::Audit];
    lockbox.start(&roles).await;
    let target = Scripted::default();
    lockbox.keep_provisionings(vec![target.built("exchange_online")]).await;
    let request = lockbox.granted(&quick_submission(2)).await;
    let provisioning = lockbox.until_provisioning(request, "revoked").await;
    let view = lockbox.view(request).await;
    assert_eq!(view.state, "active", "the role expiry does not run");
    assert_eq!(provisioning.refused_from, view.access_until);
    lockbox.start(&[RoleName::Expiry]).await;
    lockbox.until(request, "ended").await;
    assert_eq!(
        lockbox.until_provisioning(request, "revoked").await.revoked_at,
        provisioning.revoked_at,
        "the receipt stays"
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_no_longer_configured_is_never_called_closed() {
    let (lockbox, target) = scripted().await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(request, "active").await;
    let elsewhere = "update provisionings set connector = 'another' where request = $1";
    sqlx::query(elsewhere).bind(request).execute(&lockbox.pool).await.unwrap();
    end(&lockbox, request).await;
    let failed = lockbox.event(request, "grant.provisioning_failed").await;
    assert!(failed["error"].as_str().unwrap().contains("no connector of kind another"));
    assert_eq!(lockbox.store.provisioning(request).await.unwrap().unwrap().state, "revoking");
    assert!(target.open_for(request).is_some());
    lockbox.finish().await;
}
