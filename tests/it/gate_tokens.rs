//! An access token belongs to one grant with its tenant, service and log. Also: the limit of events for refused checks.

use reqwest::StatusCode;
use serde_json::{Value, json};
use store::audit::AuditFilter;
use uuid::Uuid;

use crate::gate::{Gate, access_token, granted, site, uses};
use crate::harness::{Lockbox, ROLES, body, eventually};
use crate::person::Site;

/// The same sites at Contoso and at Adatum, in two services.
const PLACES: [(&str, &str, &str); 4] = [
    ("contoso", "sharepoint", "https://contoso.example/sites/board"),
    ("contoso", "onedrive", "https://contoso.example/sites/board"),
    ("adatum", "sharepoint", "https://adatum.example/sites/board"),
    ("adatum", "onedrive", "https://adatum.example/sites/board"),
];

async fn grants(lockbox: &Lockbox) -> Vec<(Uuid, String)> {
    let mut all = Vec::new();
    for (tenant, service, resource) in PLACES {
        let mut asked = site(resource);
        (asked["tenant"], asked["service"]) = (tenant.into(), service.into());
        let request = granted(lockbox, &asked).await;
        all.push((request, access_token(lockbox, request).await));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_gives_no_access_to_another_tenant_or_service() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let all = grants(&lockbox).await;
    let mut opened = 0;
    for (shown, (_, token)) in all.iter().enumerate() {
        for (asked, (tenant, service, resource)) in PLACES.into_iter().enumerate() {
            let question = json!({"access_token": token, "person": "robin", "tenant": tenant, "service": service, "resource": resource});
            let is_own = shown == asked;
            assert_eq!(gate.allows(&question).await, is_own, "token of {:?} at {tenant}/{service}", PLACES[shown]);
            opened += usize::from(is_own);
            let signing = gate.client.post(format!("http://{}/v1/token", gate.address)).body(question.to_string());
            let signed = signing.send().await.unwrap();
            assert_eq!(signed.status() == StatusCode::OK, is_own, "a signed token allows no more than the check");
        }
    }
    assert_eq!(opened, PLACES.len());
    gate.close().await;
    // Each token was asked with at four places twice; all of it is in the log of its own grant, and nowhere else.
    eventually("every check is in the log of the token's own grant", async || {
        let filter = AuditFilter { type_name: Some("grant.used".into()), limit: 500, ..AuditFilter::default() };
        let found = lockbox.store.search_audit(&filter).await.unwrap();
        let counted = |request: Uuid| -> u64 {
            found
                .iter()
                .filter(|event| event.request == Some(request))
                .map(|event| body(event)["count"].as_u64().unwrap())
                .sum()
        };
        if all.iter().map(|(request, _)| counted(*request)).collect::<Vec<_>>() != [8; 4] {
            return None;
        }
        for event in &found {
            let place = all.iter().position(|(request, _)| Some(*request) == event.request).unwrap();
            assert_eq!(event.tenant.as_deref(), Some(PLACES[place].0));
            let (data, other) = (body(event), if PLACES[place].0 == "contoso" { "adatum" } else { "contoso" });
            assert!(!data["resource"].as_str().unwrap().contains(other), "another customer's address: {data}");
            assert_eq!(data["allowed"] == true, data["code"] == "ok");
            assert!(data["code"] == "ok" || data["code"] == "elsewhere", "{data}");
        }
        Some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refused_checks_write_a_few_events_and_a_count_that_the_log_accepts() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let query = "proxy=nginx&tenant=contoso&service=sharepoint&site=https://contoso.example";
    for number in 0..300 {
        let asking = gate.client.get(format!("http://{}/v1/check?{query}", gate.address));
        let asking = asking.header("x-original-uri", format!("/{number}")).header("x-original-method", "GET");
        let asking = if number % 2 == 0 { asking } else { asking.bearer_auth("lbg_guessed") };
        let answer = asking.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"Lockbox\"");
        assert!(answer.text().await.unwrap().starts_with("Sign in with your Lockbox user name"));
    }
    gate.close().await;
    let recorded: Vec<(String, u64, Value)> = eventually("every attempt is counted", async || {
        let uses = uses(&lockbox).await;
        (uses.iter().map(|(_, count, _)| count).sum::<u64>() == 300).then_some(uses)
    })
    .await;
    assert_eq!(recorded.len(), 21, "ten of each code, and one with the rest: {recorded:?}");
    assert_eq!(recorded.iter().filter(|(code, ..)| code == "more").count(), 1);
    for (_, _, data) in &recorded {
        for time in ["first_at", "last_at"] {
            let time = data[time].as_str().unwrap();
            assert!(time.len() <= "2026-11-24T09:00:00.123456Z".len(), "microseconds, not {time}");
        }
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_prints_only_the_access_token_on_standard_output() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = granted(&lockbox, &site("https://contoso.example/sites/board")).await;
    let portal = Site::open(&lockbox).await;
    let create = ["grant", "token", &request.to_string(), "--as", "robin"];
    let (code, out, err) = portal.command(&create);
    assert_eq!(code, 0, "{err}");
    let token = out.strip_suffix('\n').unwrap();
    assert!(token.starts_with("lbg_") && !token.contains(char::is_whitespace), "{out:?}");
    assert!(err.contains("Sign in as robin with this access token") && err.ends_with("\n\n"), "{err:?}");
    assert!(!err.contains(token), "{err}");
    let (code, out, err) = portal.command(&[&create[..], &["-o", "json"]].concat());
    assert_eq!(code, 0, "{err}");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert!(said["access_token"].as_str().unwrap().starts_with("lbg_") && said["person"] == "robin", "{said}");
    portal.close();
    lockbox.finish().await;
}
