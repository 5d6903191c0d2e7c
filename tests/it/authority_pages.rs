//! The pages of an authority with two approvers: a change that weakens protection needs both and waits, and one of them stops it.

use consent::Statement;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::founded::{Founded, found};
use crate::harness::Lockbox;
use crate::person::{Person, Site};

/// The statement that a page of a change shows.
async fn shown(person: &Person, path: &str) -> Statement {
    let page = person.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let hidden = page.text.split("name=\"statement\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    serde_json::from_str(&hidden.replace("&#34;", "\"").replace("&quot;", "\"")).unwrap()
}

/// Signs a change as the browser does.
async fn sign(founded: &Founded, person: &Person, name: &str, path: &str) -> Value {
    let statement = shown(person, path).await;
    let assertion = founded.devices[name].sign_at(&statement.portal, &statement.challenge());
    let page = person.fill(path, &format!("{path}/signatures"), &[("assertion", &json!(assertion).to_string())]).await;
    serde_json::from_str(&page.text).unwrap()
}

async fn propose(person: &Person, fields: &[(&str, &str)]) -> String {
    let page = person.fill("/authority", "/authority/changes", fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    page.location
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weakening_change_needs_both_approvers_and_one_of_them_stops_it_before_it_is_in_force() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let founded = found(&lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let (alex, kim) = (site.sign_in("Alex Novak").await, site.sign_in("Kim Duarte").await);
    let weaker = [
        ("change", "protection"),
        ("change_signatures", "2"),
        ("change_delay", "48h"),
        ("software_keys", "yes"),
        ("witnesses_required", "0"),
    ];
    let path = propose(&alex, &weaker).await;
    let page = kim.get("/authority").await.text;
    assert!(page.contains("Proposed by Alex Novak") && page.contains("0 of 2 signatures"), "{page}");
    let after = sign(&founded, &alex, "alex", &path).await;
    assert_eq!(after, json!({"state": "open", "have": 1, "needed": 2}));
    assert!(alex.get(&path).await.text.contains("You signed this change."));
    let refused = sign(&founded, &alex, "kim", &path).await;
    assert_eq!(refused["code"], "authority.refused", "Alex cannot use Kim's key: {refused}");
    let after = sign(&founded, &kim, "kim", &path).await;
    assert_eq!((&after["state"], &after["version"]), (&json!("recorded"), &json!(2)));
    let page = kim.get("/authority").await.text;
    assert!(page.contains("Pending change") && page.contains("Statement in force (version 1)"), "{page}");

    // Kim alone withdraws it.
    let path = propose(&kim, &[("change", "withdraw")]).await;
    assert_eq!(sign(&founded, &kim, "kim", &path).await["state"], "recorded");
    let page = alex.get("/authority").await.text;
    assert!(!page.contains("Pending change") && page.contains("Statement in force (version 3)"), "{page}");
    assert!(!lockbox.store.statement_in_force("contoso").await.unwrap().unwrap().rules.software_keys);

    // What is not possible is said, and a proposal can be withdrawn before it is recorded.
    let page = alex.fill("/authority", "/authority/changes", &[("change", "approver.remove"), ("person", "x")]).await;
    assert!(page.status == StatusCode::BAD_REQUEST && page.text.contains("Nothing was changed"), "{}", page.text);
    let path = propose(&alex, &[("change", "approver.add"), ("name", "max"), ("email", "max@contoso.example")]).await;
    assert_eq!(kim.fill(&path, &format!("{path}/withdrawal"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(alex.get(&path).await.status, StatusCode::NOT_FOUND);
    let dana = site.sign_in("Dana Whitfield").await;
    let path = propose(&alex, &[("change", "withdraw")]).await;
    assert_eq!(dana.get(&path).await.status, StatusCode::NOT_FOUND, "another tenant's approver");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_creates_and_revokes_their_own_token_in_a_founded_tenant_and_an_operator_cannot() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    found(&lockbox, "contoso", &["alex"], |_| {}).await;
    let alex = site.sign_in("Alex Novak").await;
    let page = alex.fill("/tokens", "/tokens", &[("name", "Terminal"), ("scope", "requests:read")]).await;
    let token = page.text.split("<code class=\"wrap\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let me = async || {
        let call = alex.client.get(format!("{}/api/v1/me", site.origin)).bearer_auth(&token);
        call.send().await.unwrap().status()
    };
    assert_eq!(me().await, StatusCode::OK);
    let id: uuid::Uuid = sqlx::query_scalar("select id from api_tokens").fetch_one(&lockbox.pool).await.unwrap();
    let revoked = alex.fill("/tokens", "/tokens/revocation", &[("token", &id.to_string())]).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER, "{}", revoked.text);
    assert_eq!(me().await, StatusCode::UNAUTHORIZED);
    let (hash, scopes) = ([7; 32], ["requests:read".to_owned()]);
    let new = store::tokens::NewToken { hash: &hash, person: Some("alex"), name: "x", scopes: &scopes, days: 1 };
    let operator = contracts::events::Actor { name: Some("operator".into()), ..contracts::events::Actor::lockbox() };
    let refused = lockbox.store.add_token(new, &operator, "x").await;
    assert!(matches!(refused, Err(store::Error::TenantIsFounded(_))), "{refused:?}");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_a_founded_tenant_become_proposals_and_the_file_of_its_authority_is_offered() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    found(&lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let alex = site.sign_in("Alex Novak").await;
    let until = lockbox.store.clock().await.unwrap() + chrono::TimeDelta::days(7);
    let until = until.format("%Y-%m-%dT%H:%M").to_string();
    let page = alex.fill("/settings", "/settings/out-of-office", &[("delegate", "kim"), ("until", &until)]).await;
    assert!(page.location.starts_with("/authority/changes/"), "{}", page.text);
    let page = alex.get(&page.location).await.text;
    assert!(page.contains("Kim decides for alex until") && page.contains("as soon as it is recorded"), "{page}");
    let file = alex.get("/authority/file").await;
    let consent::Pin::File(file) = consent::Pin::parse(&file.text).unwrap() else { panic!("a file") };
    assert_eq!(file.statements.len(), 1);
    let rules: i64 = sqlx::query_scalar("select count(*) from delegations").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(rules, 0, "nothing applies without a signature");
    site.close();
    lockbox.finish().await;
}
