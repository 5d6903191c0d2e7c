//! Pages that hear news, in a real browser: it keeps six connections to a host, and people keep more pages open.

use contracts::Kind;
use domain::Verdict;
use serde_json::json;

use crate::browser::{Browser, Browsers};
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

/// Signs somebody in.
async fn signed_in(browsers: &Browsers, site: &Site, name: &str) -> Browser {
    let browser = browsers.open(1280, "light").await;
    browser.go(&format!("{}/sign-in", site.origin)).await;
    browser.press(name).await;
    browser.until_it_shows("Sign out").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_open_pages_load_and_all_of_them_hear_the_news() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let browsers = Browsers::start("seven").await;
    let morgan = signed_in(&browsers, &site, "Morgan Reyes").await;
    let id = lockbox.submit(&submission()).await;
    let request = format!("{}/requests/{id}", site.origin);
    let mut windows = Vec::new();
    for _ in 0..7 {
        let window = morgan.open_window(&request).await;
        morgan.until_it_shows("Access request from").await;
        windows.push(window);
    }
    // A click in the last one is answered too.
    morgan.click("//nav/a[@href='/requests']").await;
    morgan.click(&format!("//a[@href='/requests/{id}']")).await;
    morgan.until_it_shows("Access request from").await;
    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    for window in &windows {
        morgan.use_window(window).await;
        morgan.until_it_shows("Pending customer approval").await;
    }
    morgan.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_shows_the_sign_in_page_when_nothing_was_done_for_thirty_minutes() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let browsers = Browsers::start("idle").await;
    let morgan = signed_in(&browsers, &site, "Morgan Reyes").await;
    let id = lockbox.submit(&submission()).await;
    morgan.go(&format!("{}/requests/{id}", site.origin)).await;
    morgan.until_it_shows("Your decision").await;
    // The page loads itself anew because of news: that is not the reader's doing.
    let seen = "update sessions set last_seen_at = clock_timestamp() - interval '29 minutes'";
    sqlx::query(seen).execute(&lockbox.pool).await.unwrap();
    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    morgan.until_it_shows("Pending customer approval").await;
    let idle = "select min(clock_timestamp() - last_seen_at) > interval '28 minutes' from sessions";
    assert!(sqlx::query_scalar::<_, bool>(idle).fetch_one(&lockbox.pool).await.unwrap(), "an update is no activity");
    let over = "update sessions set last_seen_at = last_seen_at - interval '5 minutes'";
    sqlx::query(over).execute(&lockbox.pool).await.unwrap();
    morgan.until_it_shows("Sign in as … (development)").await;

    // Words that are being written stay where they are.
    let alex = signed_in(&browsers, &site, "Alex Novak").await;
    alex.go(&format!("{}/requests/{id}", site.origin)).await;
    alex.enter("comment", "I am still writing").await;
    sqlx::query(over).execute(&lockbox.pool).await.unwrap();
    sqlx::query("update sessions set last_seen_at = last_seen_at - interval '30 minutes'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    alex.until_it_shows("You were signed out").await;
    let kept = "return [...document.querySelectorAll('textarea')].map((field) => field.value)";
    let kept = alex.script(kept).await;
    assert!(kept.as_array().unwrap().contains(&json!("I am still writing")), "{kept}");
    eventually("nobody is signed in", async || {
        let alive = "select count(*) from sessions where last_seen_at > clock_timestamp() - interval '30 minutes'";
        let alive: i64 = sqlx::query_scalar(alive).fetch_one(&lockbox.pool).await.unwrap();
        (alive == 0).then_some(())
    })
    .await;
    for browser in [morgan, alex] {
        browser.close().await;
    }
    browsers.stop();
    site.close();
    lockbox.finish().await;
}
