//! Pages on a phone: one long word makes none of them wider than the screen.

use contracts::Kind;
use contracts::events::Actor;
use domain::Verdict::Approve;
use store::webhooks::NewWebhook;

use crate::browser::Browsers;
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_characters_without_a_break_make_no_page_wider_than_a_phone() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let long = "SR".repeat(30);
    let mut data = submission();
    data["service_request"] = long.clone().into();
    data["resource"] = format!("{}@contoso.example", "f".repeat(60)).into();
    data["justification"]["text"] = "w".repeat(60).into();
    data["duration_seconds"] = 900.into();
    let waiting = lockbox.submit(&data).await;
    let reviewed = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, reviewed, "morgan", Approve).await;
    let granted = lockbox.granted(&data).await;
    let tenants = lockbox.store.tenants().await.unwrap();
    let contoso = tenants.iter().find(|tenant| tenant.name == "contoso").unwrap().id.0;
    let url = format!("https://{}.example/{}", "h".repeat(60), "p".repeat(60));
    let new = NewWebhook { tenant: Some(contoso), name: &"n".repeat(64), url: &url, types: "", secret: "whsec_eA==" };
    let (hook, _) = lockbox.store.add_webhook(new, "test", Actor::lockbox()).await.unwrap();
    eventually("the access is shown", async || lockbox.store.provisioning(granted).await.unwrap()).await;
    let event = lockbox.event(granted, "grant.activated").await;
    assert_eq!(event["service_request"], long.as_str());
    let browsers = Browsers::start("narrow").await;
    let mut wide = Vec::new();
    for person in ["Morgan Reyes", "Alex Novak", "Robin Hale"] {
        let browser = browsers.open(360, "light").await;
        browser.go(&format!("{}/", site.origin)).await;
        browser.press(person).await;
        browser.until_it_shows("Sign out").await;
        let mut paths = vec!["/".to_owned(), "/requests".to_owned(), "/grants".to_owned()];
        paths.extend([waiting, reviewed, granted].iter().map(|id| format!("/requests/{id}")));
        if person != "Robin Hale" {
            paths.push("/audit".to_owned());
        }
        if person == "Alex Novak" {
            paths.extend(["/settings".to_owned(), format!("/settings/webhooks/{hook}")]);
        }
        for path in paths {
            browser.go(&format!("{}{path}", site.origin)).await;
            let said = browser
                .script("return [document.documentElement.scrollWidth - window.innerWidth, document.querySelector('h1').innerText]")
                .await;
            let beyond = said[0].as_i64().unwrap();
            if beyond > 0 {
                wide.push(format!("{person} {path}: {beyond} px ({})", said[1]));
            }
        }
        browser.close().await;
    }
    browsers.stop();
    assert!(wide.is_empty(), "{}", wide.join("\n"));
    site.close();
    lockbox.finish().await;
}
