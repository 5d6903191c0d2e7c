//! The portal in a real browser, with every role as a process of its own: people click, mails arrive, pages move.

use crate::browser::Browsers;
use crate::dev::{Dev, ask, keep_picture, link_in_mail, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn people_take_a_request_from_submission_to_its_end_in_a_browser() {
    let browsers = Browsers::start("journey").await;
    let dev = Dev::start("journey");
    let portal = dev.portal.clone();
    let robin = sign_in(&browsers, &portal, "Robin Hale", 1280, "light").await;
    let morgan = sign_in(&browsers, &portal, "Morgan Reyes", 1280, "dark").await;
    let request = ask(&robin, &portal, "adatum", "6s").await;

    morgan.go(&format!("{portal}/")).await;
    morgan.click(&format!("//a[@href='{}']", request.trim_start_matches(&portal))).await;
    morgan.until_it_shows("Your decision").await;
    keep_picture(&morgan, "review-dark.png").await;
    morgan.press("Approve").await;
    morgan.until_it_shows("Pending customer approval").await;

    // The approver follows the link in the mail on a phone, signs in, and lands on the request.
    let dana = browsers.open(360, "light").await;
    let link = link_in_mail(&dana, &portal, "dana@adatum.example", "SR-2026-004711").await;
    assert_eq!(link, request);
    dana.go(&link).await;
    dana.press("Dana Whitfield").await;
    dana.until_it_shows("Access request from Robin Hale").await;
    dana.add_authenticator().await;
    dana.go(&format!("{portal}/passkeys")).await;
    dana.enter("name", "My phone").await;
    dana.press("Add passkey").await;
    dana.until_it_shows("never used").await;
    dana.go(&link).await;
    keep_picture(&dana, "decision-phone.png").await;
    dana.press("Approve").await;
    dana.until_it_shows("Access ends").await;
    dana.until_it_shows("signed with a passkey").await;

    // Nobody touches the engineer's page: it shows the access, and its end.
    robin.until_it_shows("Ended: ").await;
    keep_picture(&robin, "ended.png").await;
    for browser in [robin, morgan, dana] {
        browser.close().await;
    }
    browsers.stop();
    dev.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_follows_every_link_of_every_mail_changes_nothing() {
    let browsers = Browsers::start("links").await;
    let dev = Dev::start("links");
    let portal = dev.portal.clone();
    let robin = sign_in(&browsers, &portal, "Robin Hale", 1280, "light").await;
    let request = ask(&robin, &portal, "contoso", "15m").await;
    let morgan = sign_in(&browsers, &portal, "Morgan Reyes", 1280, "light").await;
    for link in [link_in_mail(&morgan, &portal, "morgan@fabrikam.example", "SR-").await, request.clone()] {
        morgan.go(&link).await;
        morgan.until_it_shows("Your decision").await;
    }
    robin.go(&request).await;
    robin.until_it_shows("There are no approvals yet").await;
    for browser in [robin, morgan] {
        browser.close().await;
    }
    browsers.stop();
    dev.stop();
}
