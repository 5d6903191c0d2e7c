//! Pages that are open: they hear news at once, and keep nobody signed in.

use contracts::Kind;
use domain::Verdict;
use reqwest::StatusCode;

use crate::harness::{Lockbox, PATIENCE, ROLES, eventually, packages, progress, submission};
use crate::person::{Person, Site};

/// Reads a stream until it holds these words.
async fn until_it_says(answer: &mut reqwest::Response, words: &str) -> String {
    let mut said = String::new();
    let reading = async {
        while !said.contains(words) {
            let Some(chunk) = answer.chunk().await.unwrap() else { break };
            said.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "{words:?} did not come");
    said
}

async fn listen(person: &Person, path: &str) -> reqwest::Response {
    let asked = person.client.get(format!("{}{path}", person.origin)).header("cookie", &person.cookie);
    asked.send().await.unwrap()
}

/// Seconds since anybody was last seen.
async fn idle(lockbox: &Lockbox) -> f64 {
    let idle = "select extract(epoch from clock_timestamp() - max(last_seen_at))::float8 from sessions";
    sqlx::query_scalar(idle).fetch_one(&lockbox.pool).await.unwrap()
}

async fn look_away(lockbox: &Lockbox, minutes: i32) {
    let age = "update sessions set last_seen_at = clock_timestamp() - make_interval(mins => $1)";
    sqlx::query(age).bind(minutes).execute(&lockbox.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_does_not_keep_its_reader_signed_in() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let morgan = site.sign_in("Morgan Reyes").await;
    let id = lockbox.submit(&submission()).await;
    let request = format!("/requests/{id}");
    look_away(&lockbox, 25).await;
    for path in ["/updates".to_owned(), "/grants/updates".to_owned(), format!("{request}/updates")] {
        let once = morgan.get(&format!("{path}?once=1")).await;
        assert_eq!(once.status, StatusCode::OK);
        let mut stream = listen(&morgan, &path).await;
        let sent = until_it_says(&mut stream, "event: version").await;
        assert!(sent.contains(&once.text), "a page load and the stream show the same: {sent} {}", once.text);
        assert!(idle(&lockbox).await > 24.0 * 60.0, "{path} counts as activity");
    }
    // A page that the script loads anew is no click either.
    let update = Person { cookie: format!("{}; lockbox-update=1", morgan.cookie), ..site.stranger() };
    assert_eq!(update.get(&request).await.status, StatusCode::OK);
    assert!(idle(&lockbox).await > 24.0 * 60.0, "an update counts as activity");
    morgan.get(&request).await;
    assert!(idle(&lockbox).await < 60.0, "a click does not count as activity");

    // The stream of an open page says so when the time is over, and ends.
    let mut stream = listen(&morgan, &format!("{request}/updates")).await;
    until_it_says(&mut stream, "event: version").await;
    look_away(&lockbox, 31).await;
    until_it_says(&mut stream, "event: signed-out").await;
    let rest = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap();
    assert!(rest.is_none(), "nothing follows: {rest:?}");
    assert!(morgan.get("/").await.location.starts_with("/sign-in"));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_comes_at_once_through_an_nginx_with_its_defaults() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let morgan = site.sign_in("Morgan Reyes").await;
    let id = lockbox.submit(&submission()).await;
    let folder = tempfile::tempdir().unwrap();
    let portal = site.origin.replace("localhost", "127.0.0.1");
    let configure = |port| format!("server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {portal}; }} }}");
    let nginx = servers::nginx::Nginx::start(folder.path(), &packages(), configure, &progress()).unwrap();
    let origin = format!("http://localhost:{}", nginx.port);
    let behind = Person { cookie: morgan.cookie.clone(), origin, ..site.stranger() };
    let mut stream = listen(&behind, &format!("/requests/{id}/updates")).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = until_it_says(&mut stream, "event: version").await;
    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    let second = until_it_says(&mut stream, "event: version").await;
    assert_ne!(first, second);
    nginx.stop();
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_person_without_a_role_sees_no_request_of_the_tenant() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (noor, kim) = (site.sign_in("Noor Haddad").await, site.sign_in("Kim Duarte").await);
    let before = noor.get("/updates?once=1").await.text;
    let id = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    lockbox.decide(Kind::CustomerDecide, id, "kim", Verdict::Approve).await;
    lockbox.until(id, "active").await;
    let number = submission()["service_request"].as_str().unwrap().to_owned();
    for path in ["/", "/requests", "/grants"] {
        assert!(kim.get(path).await.text.contains(&number), "{path}: the approver sees it");
        let seen = noor.get(path).await;
        assert_eq!(seen.status, StatusCode::OK);
        assert!(!seen.text.contains(&number), "{path}: {}", seen.text);
    }
    assert_eq!(noor.get(&format!("/requests/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(noor.get("/updates?once=1").await.text, before, "nor that there is one");

    // Who decides for somebody who is away is an approver meanwhile.
    let now = lockbox.store.clock().await.unwrap();
    let until = (now + chrono::TimeDelta::days(2)).format("%Y-%m-%dT%H:%M").to_string();
    let away = kim.fill("/settings", "/settings/out-of-office", &[("delegate", "noor"), ("until", &until)]).await;
    assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.text);
    eventually("the delegate sees it", async || noor.get("/requests").await.text.contains(&number).then_some(())).await;
    site.close();
    lockbox.finish().await;
}
