//! Passkeys in a real browser, with authenticators that do less than today's standard, or refuse.

use contracts::Kind;
use domain::Verdict;

use crate::browser::Browsers;
use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// As in Safari before 18.4: nothing turns options from JSON, or credentials into JSON.
const OLDER: &str = "for (const name of ['parseCreationOptionsFromJSON', 'parseRequestOptionsFromJSON']) {
  delete PublicKeyCredential[name];
}
PublicKeyCredential.prototype.toJSON = undefined;";

/// As some password managers do: what they answer is a plain object whose `toJSON` fails.
const PLAIN: &str = "PublicKeyCredential.prototype.toJSON = () => { throw new TypeError('Illegal invocation'); };
const get = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = async (options) => {
  const { id, rawId, type, response } = await get(options);
  const { authenticatorData, clientDataJSON, signature } = response;
  return { id, rawId, type, response: { authenticatorData, clientDataJSON, signature, userHandle: null },
    toJSON() { throw new TypeError('Illegal invocation'); } };
};";

/// As every browser does when the person waits too long.
const REFUSING: &str = "navigator.credentials.get = async () => { throw new DOMException('The operation either timed out or \
was not allowed. See: https://www.w3.org/TR/webauthn-2/#sctn-privacy-considerations-client.', 'NotAllowedError'); };";

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_works_where_the_browser_or_the_authenticator_cannot_write_json_and_failures_are_explained() {
    let mut lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    lockbox.settings.mail.portal_url.clone_from(&site.origin);
    lockbox.start(&ROLES).await;
    sqlx::query("update tenants set passkey_required = true where name = 'contoso'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let browsers = Browsers::start("passkeys").await;
    let kim = browsers.open(1280, "light").await;
    kim.go(&format!("{}/sign-in?next=/passkeys", site.origin)).await;
    kim.press("Kim Duarte").await;
    kim.until_it_shows("Your passkeys").await;
    kim.add_authenticator().await;
    kim.script(OLDER).await;
    kim.enter("name", "My phone").await;
    kim.press("Add passkey").await;
    kim.until_it_shows("never used").await;
    for holder in [OLDER, PLAIN] {
        let id = lockbox.submit(&submission()).await;
        lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
        kim.go(&format!("{}/requests/{id}", site.origin)).await;
        kim.until_it_shows("Your decision").await;
        kim.script(REFUSING).await;
        kim.press("Approve").await;
        kim.until_it_shows("The passkey was not used. You cancelled, the time ran out").await;
        let shown = kim.script("return document.body.innerText").await;
        assert!(!shown.as_str().unwrap().contains("w3.org"), "{shown}");
        kim.go(&format!("{}/requests/{id}", site.origin)).await;
        kim.script(holder).await;
        kim.press("Approve").await;
        kim.until_it_shows("signed with a passkey").await;
        lockbox.until(id, "active").await;
    }
    kim.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}
