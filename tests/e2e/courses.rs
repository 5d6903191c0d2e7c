//! Every other course of a request, in a browser: denied, commented, revoked early, expired, decided by two.

use crate::browser::Browsers;
use crate::dev::{Dev, ask, review, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn people_deny_comment_revoke_early_let_expire_and_decide_by_two() {
    let browsers = Browsers::start("courses").await;
    let dev = Dev::start("courses");
    let portal = dev.portal.clone();
    let robin = sign_in(&browsers, &portal, "Robin Hale", 1280, "light").await;
    let morgan = sign_in(&browsers, &portal, "Morgan Reyes", 1280, "light").await;
    let alex = sign_in(&browsers, &portal, "Alex Novak", 1280, "light").await;

    // Rejected, with a word about why.
    let request = ask(&robin, &portal, "contoso", "15m").await;
    review(&morgan, &request).await;
    alex.go(&request).await;
    alex.enter("comment", "please call first").await;
    alex.press("Deny").await;
    alex.until_it_shows("Denied by the customer").await;
    robin.until_it_shows("please call first").await;

    // Asked about, answered, approved for less, ended early; every page moves by itself.
    let request = ask(&robin, &portal, "contoso", "15m").await;
    review(&morgan, &request).await;
    alex.go(&request).await;
    let thread = "//section[@id='comments']//textarea";
    alex.enter_at(thread, "Why the whole mailbox?").await;
    alex.press("Add comment").await;
    robin.until_it_shows("Why the whole mailbox?").await;
    robin.enter_at(thread, "Only the outbox is read.").await;
    robin.press("Add comment").await;
    alex.until_it_shows("Only the outbox is read.").await;
    alex.click("//select[@name='duration']/option[@value='5m']").await;
    alex.press("Approve").await;
    alex.until_it_shows("Access ends").await;
    robin.until_it_shows("Access ends").await;
    alex.press("Revoke access").await;
    alex.until_it_shows("Ended: revoked by the customer").await;
    robin.until_it_shows("Ended: revoked by the customer").await;

    // Nobody answers.
    let request = ask(&robin, &portal, "adatum", "6s").await;
    review(&morgan, &request).await;
    robin.until_it_shows("Expired without a decision of the customer").await;

    // Two of three approve, each with the comment that the tenant requires.
    let request = ask(&robin, &portal, "northwind", "15m").await;
    review(&morgan, &request).await;
    for (name, state) in [("Ines Farah", "Pending customer approval"), ("Olu Adeyemi", "Access ends")] {
        let approver = sign_in(&browsers, &portal, name, 1280, "light").await;
        approver.go(&request).await;
        approver.enter("comment", "agreed").await;
        approver.press("Approve").await;
        approver.until_it_shows(&format!("{name} approved for the customer")).await;
        approver.until_it_shows(state).await;
        approver.close().await;
    }
    robin.until_it_shows("Access ends").await;

    // Alex is away: Noor, who decides nothing otherwise, decides for Alex.
    alex.go(&format!("{portal}/settings")).await;
    alex.click("//select[@name='delegate']/option[@value='noor']").await;
    alex.script("const at = new Date(Date.now() + 86400000); document.querySelector('[name=until]').value = at.toISOString().slice(0, 16)")
        .await;
    alex.press("Set delegate").await;
    alex.until_it_shows("Noor Haddad decides for Alex Novak").await;
    let request = ask(&robin, &portal, "contoso", "15m").await;
    review(&morgan, &request).await;
    let noor = sign_in(&browsers, &portal, "Noor Haddad", 1280, "light").await;
    noor.go(&request).await;
    noor.press("Approve").await;
    noor.until_it_shows("Noor Haddad approved for the customer").await;
    robin.until_it_shows("Access ends").await;
    for browser in [robin, morgan, alex, noor] {
        browser.close().await;
    }
    browsers.stop();
    dev.stop();
}
