//! Sign-in through an identity provider: who may sign in, who may not, and which reason the page gives.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::Lockbox;
use crate::idp::{Idp, Said, forget, site};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_through_the_identity_provider_and_is_who_the_directory_says() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let site = site(&lockbox, idp.provider()).await;
    let (alex, back) = idp.sign_in(&site, Idp::honest()).await;
    assert_eq!((back.status, back.location.as_str()), (StatusCode::SEE_OTHER, "/requests"), "{}", back.text);
    assert!(alex.get("/requests").await.text.contains("Alex Novak"));
    // From now on only the subject counts, whatever address the provider tells.
    let other = Said { claims: json!({ "email": "dana@adatum.example" }), ..Idp::honest() };
    let (again, _) = idp.sign_in(&site, other).await;
    assert!(again.get("/").await.text.contains("Alex Novak"));
    // Nobody chooses a name where an identity provider is the way in.
    let person = lockbox.store.enabled_people().await.unwrap().pop().unwrap();
    let chosen = site.stranger().post("/sign-in", &[("person", &person.id.0.to_string())]).await;
    assert_eq!(chosen.status, StatusCode::NOT_FOUND);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_hold_lets_nobody_in() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let site = site(&lockbox, idp.provider()).await;
    // The honest token lets in, so that each lie is all that is wrong.
    let (_, first) = idp.sign_in(&site, Idp::honest()).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text);
    let claims = |claims: Value| Said { claims, ..Idp::honest() };
    for (what, lie) in [
        ("another key", Said { key: 8, ..Idp::honest() }),
        ("another audience", claims(json!({ "aud": "elsewhere" }))),
        ("another nonce", claims(json!({ "nonce": "replayed" }))),
        ("another issuer", claims(json!({ "iss": "https://evil.example" }))),
        ("no end", claims(json!({ "exp": null }))),
        ("two audiences and another authorized party", claims(json!({ "aud": ["lockbox", "api"], "azp": "api" }))),
        ("two audiences and no authorized party", claims(json!({ "aud": ["lockbox", "api"] }))),
        ("a token that is over", Said { ahead: -360, ..Idp::honest() }),
        ("a token of the future", Said { ahead: 360, ..Idp::honest() }),
        ("a token that is not good yet", claims(json!({ "nbf": 4_000_000_000_i64, "exp": 4_000_000_060_i64 }))),
        ("the answer of another provider", Said { iss: Some("https://evil.example".into()), ..Idp::honest() }),
        ("no token", Said { answer: json!({ "id_token": null }), ..Idp::honest() }),
    ] {
        let (person, back) = idp.sign_in(&site, lie).await;
        assert_eq!(back.status, StatusCode::FORBIDDEN, "{what}: {}", back.text);
        assert!(person.get("/").await.location.starts_with("/sign-in"), "{what}");
    }
    let (_, back) = idp.sign_in_at(&site, "/sign-in/start", "stolen", Idp::honest()).await;
    assert_eq!(back.status, StatusCode::FORBIDDEN, "a code that is not redeemed");
    // The state of one browser is worth nothing in another, and works once.
    let begun = site.stranger().get("/sign-in/start").await;
    let state = begun.location.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let callback = format!("/sign-in/callback?code=good&state={state}");
    assert_eq!(site.stranger().get(&callback).await.status, StatusCode::FORBIDDEN);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_providers_do_in_different_ways_lets_people_in_all_the_same() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let site = site(&lockbox, idp.provider()).await;
    let claims = |claims: Value| Said { claims, ..Idp::honest() };
    let alex = json!({ "sub": "sub-1", "email": "alex@contoso.example", "email_verified": true });
    let thin = json!({ "email": null, "email_verified": null });
    for (what, said) in [
        ("the address at UserInfo only", Said { claims: thin.clone(), user_info: alex, ..Idp::honest() }),
        ("truth as text", claims(json!({ "email_verified": "true" }))),
        (
            "truth as text at UserInfo",
            Said {
                claims: thin,
                user_info: json!({ "sub": "sub-1", "email": "ALEX@contoso.example", "email_verified": "True" }),
                ..Idp::honest()
            },
        ),
        ("a clock that is behind", Said { ahead: -120, ..Idp::honest() }),
        ("a clock that is ahead", Said { ahead: 120, ..Idp::honest() }),
        ("several audiences", claims(json!({ "aud": ["lockbox", "project-1"], "azp": "lockbox" }))),
        ("one audience in a list", claims(json!({ "aud": ["lockbox"] }))),
        ("a lifetime as text", Said { answer: json!({ "expires_in": "3600" }), ..Idp::honest() }),
        ("times as text", claims(json!({ "updated_at": "2026-11-28T10:00:00Z", "auth_time": "yesterday" }))),
        ("its name in the answer", Said { iss: Some(idp.issuer.clone()), ..Idp::honest() }),
    ] {
        forget(&lockbox).await;
        let (person, back) = idp.sign_in(&site, said).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{what}: {}", back.text);
        assert!(person.get("/").await.text.contains("Alex Novak"), "{what}");
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_was_missing_and_links_nobody() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let site = site(&lockbox, idp.provider()).await;
    sqlx::query("update people set enabled = false where name = 'kim'").execute(&lockbox.pool).await.unwrap();
    let claims = |claims: Value| Said { claims, ..Idp::honest() };
    for (said, code, words) in [
        (claims(json!({ "sub": null })), "sign_in.claim_missing", "claim sub"),
        (claims(json!({ "email": null })), "sign_in.claim_missing", "no email address"),
        (claims(json!({ "email_verified": null })), "sign_in.email_not_verified", "--oidc-trust-email"),
        (claims(json!({ "email_verified": false })), "sign_in.email_not_verified", "alex@contoso.example"),
        (claims(json!({ "email": "eve@evil.example" })), "sign_in.unknown_person", "eve@evil.example"),
        (claims(json!({ "email": "kim@contoso.example" })), "sign_in.disabled", "disabled"),
        // What UserInfo says about somebody else does not count.
        (
            Said {
                claims: json!({ "email": null, "email_verified": null }),
                user_info: json!({ "sub": "sub-2", "email": "alex@contoso.example", "email_verified": true }),
                ..Idp::honest()
            },
            "sign_in.claim_missing",
            "no email address",
        ),
        // Nor does the truth about one address hold for another.
        (
            Said {
                claims: json!({ "email_verified": null }),
                user_info: json!({ "sub": "sub-1", "email": "robin@fabrikam.example", "email_verified": true }),
                ..Idp::honest()
            },
            "sign_in.email_not_verified",
            "alex@contoso.example",
        ),
    ] {
        let (person, back) = idp.sign_in(&site, said.clone()).await;
        assert_eq!(back.status, StatusCode::FORBIDDEN, "{said:?}");
        assert!(back.text.contains(code) && back.text.contains(words), "{code}, {words}: {}", back.text);
        assert!(person.get("/").await.location.starts_with("/sign-in"));
    }
    let linked: i64 = sqlx::query_scalar("select count(*) from identities").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(linked, 0);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_calls_itself_otherwise_than_the_setting_is_refused_at_the_start() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let check = async || portal::check_providers(&lockbox.settings, &idp.provider()).await;
    check().await.unwrap();
    let slash = format!("{}/", idp.issuer);
    idp.said.lock().unwrap().discovery = json!({ "issuer": slash });
    let refused = check().await.unwrap_err().to_string();
    assert!(refused.contains(&format!("{slash:?}")) && refused.contains(&format!("{:?}", idp.issuer)), "{refused}");
    // One that is not available now may be available later: the portal starts, and the sign-in page says so.
    idp.said.lock().unwrap().discovery = json!({ "jwks_uri": null });
    check().await.unwrap();
    let site = site(&lockbox, idp.provider()).await;
    let answered = site.stranger().get("/sign-in/start").await;
    assert!(
        answered.status == StatusCode::FORBIDDEN && answered.text.contains("is not available"),
        "{}",
        answered.text
    );
    site.close();
    lockbox.finish().await;
}
