//! The database refuses what the lifecycle refuses, also when tried by direct SQL.

use contracts::Kind;
use domain::Verdict::Approve;
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::{Lockbox, ROLES, submission};

const STATES: [&str; 8] = [
    "pending_vendor",
    "pending_customer",
    "active",
    "ended",
    "vendor_denied",
    "customer_denied",
    "expired",
    "withdrawn",
];

async fn refusal(pool: &PgPool, statement: &str, request: Uuid) -> Option<String> {
    let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).bind(request).execute(pool).await;
    match done {
        Ok(_) => None,
        Err(sqlx::Error::Database(fault)) => Some(fault.constraint().unwrap_or(fault.message()).to_owned()),
        Err(other) => panic!("{other}"),
    }
}

/// Everything a state needs to be whole, so that only the move itself can be wrong.
fn put(state: &str) -> String {
    format!(
        "update requests set state = '{state}', version = version + 1, \
         manager = case when '{state}' = 'pending_vendor' then null else coalesce(manager, (select id from people where name = 'morgan')) end, \
         decision_deadline = case when '{state}' = 'pending_vendor' then null else coalesce(decision_deadline, clock_timestamp() + interval '1 hour') end, \
         access_from = case when '{state}' in ('active', 'ended') then coalesce(access_from, clock_timestamp()) end, \
         access_until = case when '{state}' in ('active', 'ended') then coalesce(access_until, clock_timestamp() + interval '1 second') end, \
         cause = case when '{state}' in ('ended', 'expired', 'withdrawn') then coalesce(cause, 'requester') end, \
         finished_at = case when '{state}' in ('pending_vendor', 'pending_customer', 'active') then null else clock_timestamp() end \
         where id = $1"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_illegal_pair_of_states_is_refused_by_the_database_too() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    // One request in each state, brought there by the product itself.
    let mut at = Vec::new();
    for state in STATES {
        let request = lockbox.submit(&submission()).await;
        if matches!(state, "pending_customer" | "active" | "ended" | "customer_denied") {
            lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
        }
        if matches!(state, "active" | "ended") {
            lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
        }
        match state {
            "ended" => {
                let end = contracts::commands::RevokeAccess { request, by: "alex".into(), comment: None };
                lockbox.outcome(Kind::GrantRevoke, &end).await;
            }
            "vendor_denied" => {
                lockbox.decide(Kind::VendorDecide, request, "morgan", domain::Verdict::Deny).await;
            }
            "customer_denied" => {
                lockbox.decide(Kind::CustomerDecide, request, "alex", domain::Verdict::Deny).await;
            }
            "withdrawn" => {
                let data = serde_json::json!({"request": request, "by": "robin"});
                lockbox.publish(Kind::RequestWithdraw, &data).await;
            }
            "expired" => {
                sqlx::query("alter table requests disable trigger user").execute(&lockbox.pool).await.unwrap();
                sqlx::query("update requests set state = 'expired', cause = 'vendor', finished_at = now(), version = 2 where id = $1")
                    .bind(request)
                    .execute(&lockbox.pool)
                    .await
                    .unwrap();
                sqlx::query("alter table requests enable trigger user").execute(&lockbox.pool).await.unwrap();
            }
            _ => {}
        }
        lockbox.until(request, state).await;
        at.push((state, request));
    }
    let mut legal: Vec<(String, String)> =
        sqlx::query_as("select from_state, to_state from legal_moves").fetch_all(&lockbox.pool).await.unwrap();
    legal.sort();
    assert_eq!(legal, chart_moves(), "the database knows the lifecycle's moves and no others");
    for (from, request) in &at {
        for to in STATES.iter().filter(|to| !legal.contains(&((*from).to_owned(), (**to).to_owned()))) {
            let refused = refusal(&lockbox.pool, &put(to), *request).await;
            assert!(refused.is_some(), "{from} -> {to} was let through");
        }
        let kept = refusal(&lockbox.pool, "delete from requests where id = $1", *request).await;
        assert!(kept.is_some(), "history is kept");
    }
    // Legal moves still need what stands behind them.
    let by = |state| at.iter().find(|(name, _)| *name == state).unwrap().1;
    let pool = &lockbox.pool;
    assert_eq!(
        refusal(pool, &put("pending_customer"), by("pending_vendor")).await.as_deref(),
        Some("requests_approvals")
    );
    assert_eq!(refusal(pool, &put("active"), by("pending_customer")).await.as_deref(), Some("requests_approvals"));
    assert_eq!(refusal(pool, &put("expired"), by("pending_customer")).await.as_deref(), Some("requests_deadline"));
    let longer =
        "update requests set access_until = access_until + interval '1 hour', version = version + 1 where id = $1";
    assert!(refusal(pool, longer, by("active")).await.is_some(), "the end never moves later");
    let content = "update requests set content = content || 'x', version = version + 1 where id = $1";
    assert!(refusal(pool, content, by("active")).await.is_some(), "the content never changes");
    for (statement, rule) in [
        ("update decisions set verdict = 'deny' where request = $1", "decisions_only_redacted"),
        ("delete from decisions where request = $1", "history_is_kept"),
        ("update audit_events set person = 'mallory' where request = $1", "history_is_kept"),
        ("delete from audit_events where request = $1", "history_is_kept"),
    ] {
        assert_eq!(refusal(pool, statement, by("active")).await.as_deref(), Some(rule), "{statement}");
    }
    lockbox.finish().await;
}

/// The moves of the lifecycle itself, sorted.
fn chart_moves() -> Vec<(String, String)> {
    let legal = [
        (
            "pending_vendor",
            vec!["pending_vendor", "pending_customer", "active", "vendor_denied", "expired", "withdrawn"],
        ),
        ("pending_customer", vec!["pending_customer", "active", "customer_denied", "expired", "withdrawn"]),
        ("active", vec!["active", "ended"]),
        ("ended", vec!["ended"]),
    ];
    let rows = domain::lifecycle::chart();
    let mut moves = Vec::new();
    for (from, targets) in legal {
        for to in targets {
            // Two managers for break-glass access; the chart shows ordinary requests.
            let break_glass = (from, to) == ("pending_vendor", "active");
            let shown = break_glass || rows.iter().any(|row| row.state == from && row.outcome == Ok(to));
            assert!(shown, "{from} -> {to} is in the table and not in the chart");
            moves.push((from.to_owned(), to.to_owned()));
        }
    }
    let known = |from: &str, to: &str| moves.iter().any(|(a, b)| a == from && b == to);
    for row in rows {
        if let Ok(to) = row.outcome {
            assert!(known(row.state, to), "{} -> {to} is in the chart and not in the table", row.state);
        }
    }
    moves.sort();
    moves
}
