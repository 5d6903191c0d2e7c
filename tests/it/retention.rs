//! Months move to an archive that verifies by itself, and what stays is as provable as before.

use std::process::Command;

use chrono::{DateTime, NaiveDate, Utc};
use contracts::Kind;
use domain::Verdict::{Approve, Deny};
use sqlx::AssertSqlSafe;

use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::log::record_at;
use crate::operations::operation;
use crate::person::Site;
use crate::proof::lockbox_command;

/// Makes the table of a month long ago, with so many events of Contoso; answers with the month and the next one.
async fn long_ago(lockbox: &Lockbox, count: usize) -> (NaiveDate, NaiveDate) {
    let months = "select (m - interval '3 months')::date, (m - interval '2 months')::date \
                  from (select date_trunc('month', now() at time zone 'UTC') as m) x";
    let (month, next): (NaiveDate, NaiveDate) = sqlx::query_as(months).fetch_one(&lockbox.pool).await.unwrap();
    let name = format!("audit_events_{}", month.format("%Y_%m"));
    let making = format!(
        "create table {name} partition of audit_events for values from ('{month} 00:00+00') to ('{next} 00:00+00')"
    );
    sqlx::query(AssertSqlSafe(making)).execute(&lockbox.pool).await.unwrap();
    let at: DateTime<Utc> = format!("{}T10:00:00Z", month.succ_opt().unwrap()).parse().unwrap();
    record_at(lockbox, "contoso", count, at).await;
    (month, next)
}

async fn signed(lockbox: &Lockbox) {
    eventually("all is signed", async || {
        let log = lockbox.store.completeness(Some("contoso")).await.unwrap();
        let incomplete = lockbox.store.incomplete_requests("contoso").await.unwrap();
        log.checkpoint.filter(|signed| log.waiting == 0 && incomplete == 0 && signed.size == log.entries).map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_moves_to_an_archive_and_what_stays_is_as_provable_as_before() {
    let lockbox = Lockbox::without_roles().await;
    // Before the first heartbeat, as events come in the order of their times.
    let (month, next) = long_ago(&lockbox, 600).await;
    lockbox.start(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "alex", Deny).await;
    lockbox.steps(request).await;
    lockbox.until_idle().await;
    signed(&lockbox).await;
    let folder = tempfile::tempdir().unwrap();
    let (before, to) = (next.format("%Y-%m").to_string(), folder.path().to_str().unwrap());
    let retain = ["audit", "archive", "--before", &before, "--to", to, "--operator", "lee"];
    // Not while somebody still needs it, and not by anybody but the owner.
    let log = lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap();
    let mut forwarding = lockbox.store.forward_to("https://siem.contoso.example/").await.unwrap().unwrap();
    forwarding.place(log.id).await.unwrap();
    let (code, text) = lockbox_command(&lockbox, &retain);
    assert!(code == 4 && text.contains("1 destinations of `lockbox audit forward`"), "{text}");
    forwarding.taken(log.id, log.size).await.unwrap();
    lockbox.store.grant_rights().await.unwrap();
    let mut url = url::Url::parse(&lockbox.settings.database_url).unwrap();
    url.query_pairs_mut().append_pair("options", "-c role=lockbox_operator");
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(retain)
        .env("LOCKBOX_DATABASE_URL", url.as_str())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(4), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stderr).contains("only the login that owns the tables"));
    let (code, text) = lockbox_command(&lockbox, &retain);
    assert!(code == 0 && text.contains("600 entries") && text.contains("drop table audit_events_"), "{text}");
    let details = operation(&lockbox, "audit_archive", None, "lee").await;
    assert!(details.iter().any(|detail| detail.starts_with("600 entries") && detail.contains("contoso.tar, SHA-256 ")));
    let dropping = format!("drop table audit_events_{}", month.format("%Y_%m"));
    sqlx::query(AssertSqlSafe(dropping)).execute(&lockbox.pool).await.unwrap();
    let left = "select count(*) from audit_events where type = 'notification.sent' and at < $1";
    let left: i64 = sqlx::query_scalar(left)
        .bind(next.and_hms_opt(0, 0, 0).unwrap().and_utc())
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    assert!(left < 256, "{left} stay, whose tile goes on");
    // The archive, the log in the database with its tables, and an export of the rest.
    let key = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let archived = folder.path().join(month.format("%Y-%m").to_string()).join("contoso.tar");
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", archived.to_str().unwrap(), "--key", &key]);
    assert_eq!(code, 18, "{text}");
    signed(&lockbox).await;
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", "--tenant", "contoso"]);
    assert!(code == 18 && text.contains("are in the archive"), "{text}");
    let path = folder.path().join("rest.tar");
    let rest = path.to_str().unwrap();
    let (code, text) = lockbox_command(&lockbox, &["audit", "export", "--tenant", "contoso", "--to", rest]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", rest, "--key", &key]);
    assert_eq!(code, 18, "{text}");
    assert!(text.contains("1 complete requests"), "{text}");
    let site = Site::open(&lockbox).await;
    let (code, _, said) = site.command(&["audit", "search", "--tenant", "contoso", "--limit", "1", "--as", "lee"]);
    assert!(code == 0 && said.contains("are in the archive"), "{said}");
    site.close();
    let (code, text) = lockbox_command(&lockbox, &retain);
    assert!(code == 0 && text.contains("There is no month to archive"), "{text}");
    // What stays is watched as before.
    let gone =
        "set session_replication_role = replica; delete from audit_events where type = 'request.customer_denied'";
    sqlx::raw_sql(gone).execute(&lockbox.pool).await.unwrap();
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", "--tenant", "contoso"]);
    assert_eq!(code, 12, "{text}");
    lockbox.finish().await;
}
