//! Text areas in a real browser: people press Enter in them, and browsers send that as CR LF.

use contracts::Kind;
use domain::Verdict;

use crate::browser::{Browser, Browsers};
use crate::harness::{Lockbox, ROLES};
use crate::person::Site;

async fn signed_in(browsers: &Browsers, site: &Site, name: &str) -> Browser {
    let browser = browsers.open(1280, "light").await;
    browser.go(&format!("{}/sign-in", site.origin)).await;
    browser.press(name).await;
    browser.until_it_shows("Sign out").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_in_a_reason_and_in_comments_is_taken_as_the_preview_says() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let browsers = Browsers::start("enter").await;
    let robin = signed_in(&browsers, &site, "Robin Hale").await;
    robin.go(&format!("{}/requests/new", site.origin)).await;
    robin.click("//select[@name='tenant']/option[@value='contoso']").await;
    robin.enter("service_request", "SR-2026-004711").await;
    robin.enter("resource", "finance@contoso.example").await;
    robin.enter("justification", "Outgoing mail is stuck.\nSeen since this morning.").await;
    robin.until_it_shows("You can submit this request").await;
    robin.press("Submit request").await;
    robin.until_it_shows("Pending vendor approval").await;
    let id: uuid::Uuid = robin.url().await.rsplit('/').next().unwrap().parse().unwrap();
    let content = lockbox.view(id).await.content().unwrap();
    assert_eq!(content.justification.text(), "Outgoing mail is stuck.\nSeen since this morning.");

    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    let alex = signed_in(&browsers, &site, "Alex Novak").await;
    alex.go(&format!("{}/requests/{id}", site.origin)).await;
    alex.enter_at("//section[@id='comments']//textarea", "Why all of it?\nOne folder is enough.").await;
    alex.click("//section[@id='comments']//button").await;
    alex.until_it_shows("One folder is enough.").await;
    alex.enter_at("//form[@data-signs]//textarea", "Until noon.\nNot longer.").await;
    alex.press("Approve").await;
    alex.until_it_shows("Access ends").await;
    let decided = lockbox.store.decisions(id).await.unwrap();
    let by_customer = decided.iter().filter(|decision| decision.stage == "customer");
    let comments: Vec<_> = by_customer.filter_map(|decision| decision.comment.as_deref()).collect();
    assert_eq!(comments, ["Until noon.\nNot longer."]);
    for browser in [robin, alex] {
        browser.close().await;
    }
    browsers.stop();
    site.close();
    lockbox.finish().await;
}
