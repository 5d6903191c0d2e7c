//! Developer sign-in lets anybody be anybody: it serves only browsers on this machine.

use portal::{self, Provider};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::Lockbox;
use crate::person::Site;

/// What a portal says that is started with developer sign-in, listening there and known as that.
async fn refusal(lockbox: &Lockbox, listen: &str, portal_url: &str, provider: Provider) -> Option<String> {
    let listener = runtime::listen::bind(listen.parse().unwrap()).await.unwrap();
    let mut settings = lockbox.settings.clone();
    portal_url.clone_into(&mut settings.mail.portal_url);
    let options = portal::Options { developer_sign_in: true, provider, mailbox: None };
    let stop = CancellationToken::new();
    let started = portal::start(&settings, listener, options, stop.clone(), &TaskTracker::new());
    stop.cancel();
    started.err().map(|failure| failure.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_others_reach_does_not_start_with_developer_sign_in() {
    let lockbox = Lockbox::without_roles().await;
    let issuer = Provider {
        oidc_issuer: Some("https://login.fabrikam.example".into()),
        oidc_client_id: Some("lockbox".into()),
        ..Provider::default()
    };
    for (listen, url, provider, why) in [
        ("0.0.0.0:0", "http://localhost:8080", Provider::default(), "on 0.0.0.0"),
        ("127.0.0.1:0", "https://lockbox.fabrikam.example", Provider::default(), "LOCKBOX_PORTAL_URL"),
        ("127.0.0.1:0", "https://localhost.fabrikam.example", Provider::default(), "LOCKBOX_PORTAL_URL"),
        ("127.0.0.1:0", "http://localhost:8080", issuer, "an identity provider is set"),
    ] {
        let said = refusal(&lockbox, listen, url, provider).await.unwrap_or_default();
        assert!(said.contains(why), "{listen} as {url}: {said:?}");
    }
    for url in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"] {
        assert_eq!(refusal(&lockbox, "127.0.0.1:0", url, Provider::default()).await, None, "{url}");
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_came_through_a_proxy_or_to_another_name_signs_nobody_in() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let robin = site.sign_in("Robin Hale").await;
    let page = robin.get("/sign-in").await;
    let id = page.text.split("name=\"person\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let port = site.origin.rsplit(':').next().unwrap().to_owned();
    for (header, value) in [
        ("forwarded", "for=192.0.2.1".to_owned()),
        ("x-forwarded-for", "192.0.2.1".to_owned()),
        ("x-forwarded-host", "lockbox.fabrikam.example".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-real-ip", "192.0.2.1".to_owned()),
        ("host", "lockbox.fabrikam.example".to_owned()),
        // What a page that turned its own name to this machine would send.
        ("host", format!("evil.example:{port}")),
    ] {
        let sent = |request: reqwest::RequestBuilder| request.header(header, &value);
        let list = site.stranger().send(sent(client.get(format!("{}/sign-in", site.origin)))).await;
        assert_eq!(list.status, StatusCode::FORBIDDEN, "{header}: {value}");
        assert!(list.text.contains("developer sign-in") && !list.text.contains("Robin Hale"), "{}", list.text);
        let form = client.post(format!("{}/sign-in", site.origin)).form(&[("person", id.as_str())]);
        let signed = site.stranger().send(sent(form)).await;
        assert_eq!(signed.status, StatusCode::FORBIDDEN, "{header}: {value}");
        assert!(signed.headers.get("set-cookie").is_none(), "{header}: {value}");
        // Nor is a session of use there that was begun on this machine.
        let home = robin.send(sent(client.get(format!("{}/", site.origin)))).await;
        assert_eq!(home.status, StatusCode::FORBIDDEN, "{header}: {value}");
        assert!(!home.text.contains("Robin Hale"));
        // Nor does the API accept the name of a person there.
        let me = client.get(format!("{}/api/v1/me", site.origin)).bearer_auth("developer:robin");
        assert_eq!(sent(me).send().await.unwrap().status(), StatusCode::FORBIDDEN, "{header}: {value}");
    }
    let me = client.get(format!("{}/api/v1/me", site.origin)).bearer_auth("developer:robin");
    assert_eq!(me.send().await.unwrap().status(), StatusCode::OK);
    // Another name of this machine is good.
    let alias = site.origin.replace("localhost", "127.0.0.1");
    assert_eq!(client.get(format!("{alias}/sign-in")).send().await.unwrap().status(), StatusCode::OK);
    site.close();
    lockbox.finish().await;
}
