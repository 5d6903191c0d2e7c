//! Settings of identity providers, several of them at once, identities that change, and one that was not written for us.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use contracts::Kind;
use portal::{Claim, Provider};
use reqwest::StatusCode;
use serde_json::{Value, json};
use servers::programs::{node_with, or_skip};
use store::audit::AuditFilter;

use crate::browser::Browsers;
use crate::harness::{Lockbox, ROLES, body, eventually, packages, progress};
use crate::idp::{Idp, Said, forget, site};

/// Runs `lockbox person`; answers with what it printed.
fn person(lockbox: &Lockbox, arguments: &[&str]) -> String {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .arg("person")
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .env("LOCKBOX_PREFIX", lockbox.settings.names.prefix())
        .output()
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn claims(claims: Value) -> Said {
    Said { claims, ..Idp::honest() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_which_claim_counts_and_whether_addresses_are_trusted() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let never = json!({ "email_verified": null });
    let upn = json!({ "email": null, "email_verified": null, "upn": "kim@contoso.example" });
    let preferred = json!({ "email": "x@elsewhere.example", "preferred_username": "KIM@contoso.example" });
    let at_user_info = Said {
        claims: json!({ "email": null, "email_verified": null }),
        user_info: json!({ "sub": "sub-1", "preferred_username": "kim@contoso.example" }),
        ..Idp::honest()
    };
    let audience = json!({ "aud": ["lockbox", "api"] });
    let own = idp.provider();
    for (settings, said, who) in [
        (Provider { oidc_trust_email: true, ..own.clone() }, claims(never), "Alex Novak"),
        (Provider { oidc_claim: Claim::Upn, ..own.clone() }, claims(upn), "Kim Duarte"),
        (Provider { oidc_claim: Claim::PreferredUsername, ..own.clone() }, claims(preferred), "Kim Duarte"),
        (Provider { oidc_claim: Claim::PreferredUsername, ..own.clone() }, at_user_info, "Kim Duarte"),
        (Provider { oidc_audience: vec!["api".into()], ..own.clone() }, claims(audience), "Alex Novak"),
    ] {
        forget(&lockbox).await;
        let site = site(&lockbox, settings.clone()).await;
        let (person, back) = idp.sign_in(&site, said).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{settings:?}: {}", back.text);
        assert!(person.get("/").await.text.contains(who), "{settings:?}");
        site.close();
    }
    // Trust is for providers that never send the claim: one that denies it is believed.
    forget(&lockbox).await;
    let trusting = site(&lockbox, Provider { oidc_trust_email: true, ..own.clone() }).await;
    let (_, back) = idp.sign_in(&trusting, claims(json!({ "email_verified": false }))).await;
    assert!(back.status == StatusCode::FORBIDDEN && back.text.contains("sign_in.email_not_verified"), "{}", back.text);
    trusting.close();
    let site = site(&lockbox, Provider { oidc_claim: Claim::Oid, ..own }).await;
    let by_id = || claims(json!({ "oid": "0f8fad5b-d9cb-469f-a165-70867728950e" }));
    let (_, unknown) = idp.sign_in(&site, by_id()).await;
    assert!(
        unknown.status == StatusCode::FORBIDDEN && unknown.text.contains("lockbox person link"),
        "{}",
        unknown.text
    );
    person(&lockbox, &["link", "kim", "--issuer", &idp.issuer, "--subject", "0f8fad5b-d9cb-469f-a165-70867728950e"]);
    let (kim, _) = idp.sign_in(&site, by_id()).await;
    assert!(kim.get("/").await.text.contains("Kim Duarte"));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_secret_goes_where_the_provider_takes_it() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "a secret with +/ % in it\n").unwrap();
    let supported = |methods: Value| Said {
        discovery: json!({ "token_endpoint_auth_methods_supported": methods }),
        ..Idp::honest()
    };
    for (methods, in_form) in [
        (json!(["client_secret_post"]), true),
        (json!(["private_key_jwt", "client_secret_post"]), true),
        (json!(["client_secret_post", "client_secret_basic"]), false),
        (Value::Null, false),
    ] {
        // Discovery is asked once a minute; a fresh portal asks at once.
        let provider = Provider { oidc_client_secret_file: Some(file.clone()), ..idp.provider() };
        let site = site(&lockbox, provider).await;
        let (_, back) = idp.sign_in(&site, supported(methods.clone())).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{methods}: {}", back.text);
        let (form, header) = idp.said.lock().unwrap().got.clone();
        let sent = form.contains(&("client_secret".into(), "a secret with +/ % in it".into()));
        let encoded = "Basic bG9ja2JveDphK3NlY3JldCt3aXRoKyUyQiUyRislMjUraW4raXQ=";
        assert_eq!((sent, header.as_deref()), (in_form, (!in_form).then_some(encoded)), "{methods}");
        site.close();
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_people_of_a_tenant_with_its_own_provider_sign_in_there() {
    let lockbox = Lockbox::without_roles().await;
    let (vendor, contoso) = (Idp::start().await, Idp::start().await);
    let provider = Provider { others: vec![contoso.entry("contoso")], ..vendor.provider() };
    let site = site(&lockbox, provider).await;
    let as_person = |address: &str| claims(json!({ "sub": address, "email": address }));
    let refused = |page: &crate::person::Page| {
        page.status == StatusCode::FORBIDDEN && page.text.contains("sign_in.other_provider")
    };
    // The customer's provider is not shown to everybody; people who know its name find it.
    let page = site.stranger().get("/sign-in").await.text;
    assert!(page.contains("provider=0") && !page.contains("provider=1") && !page.contains("contoso"), "{page}");
    assert!(site.stranger().get("/sign-in?organization=contoso").await.text.contains("provider=1"));
    let unknown = site.stranger().get("/sign-in?organization=northwind").await.text;
    assert!(unknown.contains("This organization has no identity provider here") && !unknown.contains("provider=1"));

    let at_contoso = "/sign-in/start?provider=1";
    for (idp, start, address, is_in) in [
        (&vendor, "/sign-in/start", "robin@fabrikam.example", true),
        (&vendor, "/sign-in/start", "dana@adatum.example", true),
        (&vendor, "/sign-in/start", "alex@contoso.example", false),
        (&contoso, at_contoso, "robin@fabrikam.example", false),
        (&contoso, at_contoso, "dana@adatum.example", false),
        (&contoso, at_contoso, "alex@contoso.example", true),
    ] {
        let (person, back) = idp.sign_in_at(&site, start, "good", as_person(address)).await;
        assert_eq!(back.status == StatusCode::SEE_OTHER, is_in, "{address} at {start}: {}", back.text);
        assert!(is_in || refused(&back), "{}", back.text);
        assert_eq!(person.get("/").await.status == StatusCode::OK, is_in);
    }
    let linked = "select count(*) from identities where issuer = $1";
    let linked: i64 = sqlx::query_scalar(linked).bind(&contoso.issuer).fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(linked, 1, "what was refused linked nobody");
    // An identity from before the tenant had its own provider is of no use at the other one.
    sqlx::query("insert into identities (issuer, subject, person) select $1, 'old', id from people where name = 'kim'")
        .bind(&vendor.issuer)
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let (_, back) = vendor.sign_in(&site, claims(json!({ "sub": "old", "email": "kim@contoso.example" }))).await;
    assert!(refused(&back), "{}", back.text);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_names_an_identity_provider_keeps_the_vendors_provider_from_signing_its_people_in() {
    let lockbox = Lockbox::without_roles().await;
    let (vendor, contoso) = (Idp::start().await, Idp::start().await);
    let contosos = portal::Entry { tenant: None, label: Some("Contoso".into()), ..contoso.entry("contoso") };
    let provider = Provider { others: vec![contosos.clone()], ..vendor.provider() };
    let site = site(&lockbox, provider).await;
    let named = consent::IdentityProvider { issuer: contosos.issuer.clone(), client_id: contosos.client_id.clone() };
    crate::founded::found(&lockbox, "contoso", &["alex"], |statement| {
        statement.identity_provider = Some(named.clone())
    })
    .await;
    for (idp, start, address, is_in) in [
        (&vendor, "/sign-in/start", "alex@contoso.example", false),
        (&vendor, "/sign-in/start", "dana@adatum.example", true),
        (&contoso, "/sign-in/start?provider=1", "alex@contoso.example", true),
    ] {
        let claims = claims(json!({ "sub": address, "email": address }));
        let (_, back) = idp.sign_in_at(&site, start, "good", claims).await;
        assert_eq!(back.status == StatusCode::SEE_OTHER, is_in, "{address} at {start}: {}", back.text);
        assert!(is_in || back.text.contains("sign_in.other_provider"), "{}", back.text);
    }
    site.close();
    lockbox.finish().await;
}

#[test]
fn providers_of_the_settings_file_are_read_and_what_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lockbox.yaml");
    let read = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let flags = runtime::configuration::Flags { config: Some(config.clone()), ..Default::default() };
        flags.resolve().map_err(|failure| failure.to_string())
    };
    let good = "sign-in:\n  - issuer: https://login.contoso.example\n    client-id: lockbox\n    tenant: contoso\n    \
                claim: preferred_username\n    audience: [api]\n    trust-email: true\n";
    let settings = read(good).unwrap();
    let entry = &settings.sign_in[0];
    assert_eq!(
        (entry.tenant.as_deref(), entry.claim, entry.trust_email),
        (Some("contoso"), Claim::PreferredUsername, true)
    );
    for (bad, why) in [
        (good.replace("tenant", "tennant"), "tennant"),
        (good.replace("preferred_username", "nickname"), "nickname"),
        (good.replace("    client-id: lockbox\n", ""), "client-id"),
    ] {
        let said = read(&bad).unwrap_err();
        assert!(said.contains("sign-in") && said.contains(why), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_account_was_created_anew_signs_in_after_an_operator_unlinked_the_old_one() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let idp = Idp::start().await;
    let site = site(&lockbox, idp.provider()).await;
    let (before, _) = idp.sign_in(&site, Idp::honest()).await;
    let anew = || claims(json!({ "sub": "sub-2" }));
    let (_, refused) = idp.sign_in(&site, anew()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("lockbox person unlink alex"), "{}", refused.text);
    assert_eq!(before.get("/").await.status, StatusCode::OK);
    assert!(person(&lockbox, &["identities", "alex"]).contains("sub-1"));
    assert!(person(&lockbox, &["unlink", "alex", "--operator", "ops"]).contains("1 identities of alex are unlinked"));
    assert!(before.get("/").await.location.starts_with("/sign-in"), "who was signed in as the old one is not any more");
    let (after, _) = idp.sign_in(&site, anew()).await;
    assert!(after.get("/").await.text.contains("Alex Novak"));
    let (_, old) = idp.sign_in(&site, Idp::honest()).await;
    assert_eq!(old.status, StatusCode::FORBIDDEN, "the old identity does not come back");

    let of = async |kind: Kind, count: usize| {
        let type_name = kind.key().trim_end_matches(".v1").to_owned();
        eventually(&format!("{count} of {type_name}"), async || {
            let filter = AuditFilter {
                type_name: Some(type_name.clone()),
                tenant: Some("contoso".into()),
                limit: 10,
                ..AuditFilter::default()
            };
            let found = lockbox.store.search_audit(&filter).await.unwrap();
            (found.len() == count).then_some(found)
        })
        .await
    };
    let linked = of(Kind::IdentityLinked, 2).await;
    assert!(linked.iter().all(|event| body(event)["actor"]["name"] == "alex"));
    let unlinked = body(&of(Kind::IdentityUnlinked, 1).await.pop().unwrap());
    assert_eq!((unlinked["actor"]["name"].as_str(), unlinked["subject"].as_str()), (Some("ops"), Some("sub-1")));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_leads_to_the_provider_where_it_has_a_place_for_that() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let end = format!("{}/end?x=1", idp.issuer);
    for offers in [true, false] {
        let site = site(&lockbox, idp.provider()).await;
        let discovery = if offers { json!({ "end_session_endpoint": end }) } else { json!({}) };
        let (alex, _) = idp.sign_in(&site, Said { discovery, ..Idp::honest() }).await;
        let out = alex.fill("/", "/sign-out", &[("here", "1")]).await;
        if offers {
            assert_eq!(out.status, StatusCode::OK);
            let link = out.text.split("href=\"").find(|rest| rest.starts_with(&end)).expect("a link to the provider");
            let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
            let link: url::Url = link.parse().unwrap();
            let query =
                |name: &str| link.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            assert_eq!(query("post_logout_redirect_uri"), Some(format!("{}/sign-in", site.origin)));
            assert_eq!(query("client_id").as_deref(), Some("lockbox"));
            assert_eq!(query("id_token_hint").unwrap().split('.').count(), 3);
        } else {
            assert_eq!((out.status, out.location.as_str()), (StatusCode::SEE_OTHER, "/sign-in"));
        }
        assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert!(alex.get("/").await.location.starts_with("/sign-in"));
        site.close();
    }
    lockbox.finish().await;
}

/// npm's `oidc-provider` as it comes, with one client and addresses; it waits for the portal's origin on standard input.
const PROVIDER: &str = r#"
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";
const server = createServer();
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
createInterface({ input: process.stdin }).once("line", (portal) => {
  const provider = new Provider(`http://localhost:${server.address().port}`, {
    clients: [{
      client_id: "lockbox", client_secret: "a secret with +/ % in it",
      redirect_uris: [`${portal}/sign-in/callback`], post_logout_redirect_uris: [`${portal}/sign-in`],
    }],
    claims: { email: ["email", "email_verified"] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id, email_verified: true }) }),
  });
  server.on("request", provider.callback());
  console.log("ready");
});
"#;

/// A child that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_out_through_a_provider_that_was_not_written_for_this() {
    let Some(node) = or_skip(node_with(&["oidc-provider@9.13.3"], &packages(), &progress())) else {
        return;
    };
    let lockbox = Lockbox::without_roles().await;
    let mut command = node.command();
    command.args(["--input-type=module", "--eval", PROVIDER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| line.strip_prefix("port ").map(str::to_owned)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret with +/ % in it").unwrap();
    let provider = Provider {
        oidc_issuer: Some(format!("http://localhost:{port}")),
        oidc_client_id: Some("lockbox".into()),
        oidc_client_secret_file: Some(secret),
        ..Provider::default()
    };
    let site = site(&lockbox, provider.clone()).await;
    writeln!(running.0.stdin.as_mut().unwrap(), "{}", site.origin).unwrap();
    assert!(lines.any(|line| line == "ready"));
    portal::check_providers(&lockbox.settings, &provider).await.unwrap();

    let browsers = Browsers::start("provider").await;
    let alex = browsers.open(1280, "light").await;
    for turn in ["first", "second"] {
        alex.go(&format!("{}/requests", site.origin)).await;
        alex.click("//a[contains(., 'Sign in with your organization')]").await;
        // Asked for a name both times: signing out ended the provider's session too.
        alex.enter("login", "alex@contoso.example").await;
        alex.enter("password", "anything").await;
        alex.press("Sign-in").await;
        eventually("the provider asks for consent and the portal opens", async || {
            let script =
                "const consent = [...document.querySelectorAll('button')].find((one) => one.innerText === 'Continue');
                if (consent) consent.click();
                return document.body.innerText.includes('Alex Novak');";
            alex.script(script).await.as_bool().filter(|is_in| *is_in)
        })
        .await;
        assert_eq!(alex.url().await, format!("{}/requests", site.origin));
        if turn == "first" {
            alex.press("Sign out").await;
            alex.press("Yes, sign me out").await;
            alex.until_it_shows("Sign in with your organization").await;
        }
    }
    alex.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}
