//! What somebody wrote is gone from every table, only when nothing depends on it any more, and the log stays whole.

use contracts::Kind;
use contracts::commands::CommentRequest;
use domain::Verdict::{Approve, Deny};
use sqlx::{AssertSqlSafe, Row};
use store::audit::AuditFilter;
use store::texts::{REDACTED, Redaction, Whose};

use crate::harness::{Lockbox, ROLES, body, eventually, submission};
use crate::proof::lockbox_command;

/// Tables in which any column of any row holds a word, as text or as bytes.
async fn holding(lockbox: &Lockbox, word: &str) -> Vec<String> {
    let tables = "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') \
                  and not c.relispartition order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&lockbox.pool).await.unwrap();
    let mut found = Vec::new();
    for table in tables {
        let rows = sqlx::query(AssertSqlSafe(format!("select to_jsonb(t)::text as row from {table} t")));
        let hexed = hex::encode(word);
        for row in rows.fetch_all(&lockbox.pool).await.unwrap() {
            let text: String = row.get("row");
            if text.contains(word) || text.contains(&hexed) {
                found.push(table);
                break;
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn redacted_texts_are_gone_from_every_table_when_the_request_is_over_and_the_log_stays_valid() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["justification"]["text"] = "an ocelot sleeps on the archive".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let asks = CommentRequest { request, by: "alex".into(), comment: "whose ocelot is it?".into() };
    assert_eq!(lockbox.outcome(Kind::RequestComment, &asks).await, "request.commented");
    lockbox.until_idle().await;
    assert_eq!(holding(&lockbox, "ocelot").await, ["requests", "texts"]);
    let whose = [Whose::Person("robin".into()), Whose::Person("alex".into()), Whose::Request(request)];
    for whose in &whose {
        let waits = lockbox.store.redact_texts(whose, "lee").await.unwrap();
        assert_eq!(waits, Redaction::Waits { requests: vec![request], dead_letter: Vec::new(), pending_messages: 0 });
    }
    let (code, text) = lockbox_command(&lockbox, &["audit", "redact", "--person", "robin", "--operator", "lee"]);
    assert!(code == 4 && text.contains("no text was redacted") && text.contains(&request.to_string()), "{text}");
    let mut decision = lockbox.decision(request, "alex", Deny).await;
    decision.comment = Some("no ocelot of ours".into());
    lockbox.outcome(Kind::CustomerDecide, &decision).await;
    lockbox.steps(request).await;
    lockbox.until_idle().await;
    assert_eq!(holding(&lockbox, "ocelot").await, ["decisions", "requests", "texts"]);
    let digest = lockbox.view(request).await.digest();
    // What Robin wrote goes, and what Alex wrote stays until it is asked for.
    assert_eq!(lockbox.store.redact_texts(&whose[0], "lee").await.unwrap(), Redaction::Done(1));
    let content = lockbox.view(request).await.content().unwrap();
    assert_eq!((content.justification.text(), content.resource.as_str()), (REDACTED, "finance@contoso.example"));
    assert_eq!(holding(&lockbox, "ocelot").await, ["decisions", "texts"]);
    assert_eq!(lockbox.store.redact_texts(&whose[2], "lee").await.unwrap(), Redaction::Done(3));
    assert_eq!(holding(&lockbox, "ocelot").await, Vec::<String>::new());
    let view = lockbox.view(request).await;
    assert_eq!(view.digest(), digest, "what was decided on is still committed to");
    let comments: Vec<_> = lockbox.store.decisions(request).await.unwrap().into_iter().map(|one| one.comment).collect();
    assert_eq!(comments, [Some(REDACTED.to_owned()), Some(REDACTED.to_owned())]);
    // The engine still reads such a request: what comes too late is refused as ever, not dead-lettered.
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "kim", Approve).await, "already_finished");
    let filter = AuditFilter { type_name: Some("texts.redacted".into()), limit: 5, ..AuditFilter::default() };
    let said = lockbox.store.search_audit(&filter).await.unwrap();
    assert_eq!((said.len(), body(&said[1])["person"].as_str()), (2, Some("robin")));
    eventually("all of it is signed", async || {
        let log = lockbox.store.completeness(Some("contoso")).await.unwrap();
        log.checkpoint.filter(|signed| log.waiting == 0 && signed.size == log.entries).map(drop)
    })
    .await;
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", "--tenant", "contoso"]);
    assert_eq!(code, 18, "{text}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_texts_of_requests_that_are_over_are_redacted() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let tried = [
        "update requests set justification = null, justification_salt = null, justification_redacted_at = now()",
        "update decisions set comment = null, comment_redacted_at = now()",
    ];
    let over = [
        "update requests set content = '{}', justification = null, justification_salt = null, justification_redacted_at = now()",
        "update requests set justification = 'other words', justification_redacted_at = now()",
        "update requests set justification = 'other words'",
        "update requests set state = 'withdrawn', justification = null, justification_salt = null, justification_redacted_at = now()",
        "update decisions set comment = 'other', comment_redacted_at = now()",
        "update decisions set verdict = 'approve', comment = null, comment_redacted_at = now() where verdict = 'deny'",
        "delete from decisions",
    ];
    let refused = async |statement: &str| {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&lockbox.pool).await;
        let code =
            done.as_ref().err().and_then(|fault| fault.as_database_error()?.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("LB001"), "{statement}: {done:?}");
    };
    for statement in tried {
        refused(statement).await;
    }
    lockbox.decide(Kind::CustomerDecide, request, "alex", Deny).await;
    for statement in over {
        refused(statement).await;
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_messages_lose_their_texts_when_somebody_has_resolved_them() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["justification"]["text"] = "an ocelot".into();
    data["duration_seconds"] = "long".into();
    lockbox.publish(Kind::RequestSubmit, &data).await;
    let dead_letter = eventually("it is dead-lettered or refused", async || {
        let found: Vec<uuid::Uuid> =
            sqlx::query_scalar("select id from dead_letters").fetch_all(&lockbox.pool).await.unwrap();
        found.into_iter().next()
    })
    .await;
    lockbox.until_idle().await;
    let whose = Whose::Person("robin".into());
    let waits = lockbox.store.redact_texts(&whose, "lee").await.unwrap();
    assert_eq!(waits, Redaction::Waits { requests: Vec::new(), dead_letter: vec![dead_letter], pending_messages: 0 });
    let (code, text) = lockbox_command(
        &lockbox,
        &["dead-letter", "discard", &dead_letter.to_string(), "--operator", "lee", "--note", "no ocelot here"],
    );
    assert_eq!(code, 0, "{text}");
    lockbox.store.redact_texts(&whose, "lee").await.unwrap();
    assert!(!holding(&lockbox, "ocelot").await.contains(&"dead_letters".to_owned()));
    lockbox.finish().await;
}
