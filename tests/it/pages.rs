//! The portal as people use it, page by page, on real servers.

use domain::Verdict;
use reqwest::StatusCode;

use crate::harness::{Lockbox, ROLES, submission};
use crate::person::{Person, Site};

const ASK: [(&str, &str); 8] = [
    ("tenant", "contoso"),
    ("service_request", "SR-2026-004711"),
    ("service", "exchange_online"),
    ("resource", "finance@contoso.example"),
    ("category", "customer_reported"),
    ("justification", "mail is <script>alert(1)</script> stuck"),
    ("severity", "high"),
    ("duration", "45m"),
];

async fn ask(robin: &Person) -> String {
    let sent = robin.fill("/requests/new", "/requests", &ASK).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    assert!(sent.location.starts_with("/requests/"), "{}", sent.location);
    sent.location
}

async fn answer(person: &Person, request: &str, form: &[(&str, &str)]) -> StatusCode {
    person.fill(request, &format!("{request}/decision"), form).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_from_page_to_page_until_the_customer_ends_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (robin, morgan) = (site.sign_in("Robin Hale").await, site.sign_in("Morgan Reyes").await);
    let (alex, kim) = (site.sign_in("Alex Novak").await, site.sign_in("Kim Duarte").await);
    let request = ask(&robin).await;
    assert!(morgan.get("/").await.text.contains(&request), "the manager's list");
    let submitted = lockbox.event(request["/requests/".len()..].parse().unwrap(), "request.submitted").await;
    assert_eq!(submitted["actor"]["auth"]["method"], "portal");
    assert_eq!(submitted["actor"]["auth"]["signed_in"], "developer");
    let early = alex.get(&request).await;
    assert!(
        early.text.contains("ReadSnapshot") || !early.text.contains("value=\"approve\""),
        "not the customer's turn yet"
    );
    assert_eq!(answer(&morgan, &request, &[("verdict", "approve"), ("comment", "go on")]).await, StatusCode::SEE_OTHER);

    let page = alex.get(&request).await.text;
    for shown in ["Robin Hale", "Morgan Reyes", "go on", "finance@contoso.example", "45 min", "SR-2026-004711"] {
        assert!(page.contains(shown), "{shown} is missing");
    }
    assert!(page.contains("&lt;script&gt;") || page.contains("&#60;script&#62;"), "text is text");
    assert!(!page.contains("<script>alert"), "text is never script");
    assert_eq!(answer(&alex, &request, &[("verdict", "approve"), ("duration", "30m")]).await, StatusCode::SEE_OTHER);
    let open = kim.get(&request).await.text;
    assert!(open.contains("Access ends") && open.contains("Revoke access"), "the other approver sees it too");
    let ended = kim.fill(&request, &format!("{request}/revocation"), &[("comment", "enough")]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert!(robin.get(&request).await.text.contains("revoked by the customer"));
    assert!(alex.get("/requests").await.text.contains(&request), "history never disappears");
    assert!(alex.get("/audit?text=enough").await.text.contains("grant.ended"));
    let export = alex.get("/audit/export?type=grant.").await;
    assert!(
        export.text.contains("grant.activated") && export.headers["content-type"].to_str().unwrap().contains("csv")
    );
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_and_changes_nothing() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (robin, morgan, alex) =
        (site.sign_in("Robin Hale").await, site.sign_in("Morgan Reyes").await, site.sign_in("Alex Novak").await);
    let mut long = ASK;
    long[7].1 = "9h";
    let refused = robin.fill("/requests/new", "/requests", &long).await;
    assert!(
        refused.text.contains("The request was not submitted") && refused.text.contains("mail is"),
        "what was typed is kept"
    );
    let request = ask(&robin).await;
    let id = request.trim_start_matches("/requests/").parse().unwrap();
    assert_eq!(answer(&morgan, &request, &[("verdict", "approve")]).await, StatusCode::SEE_OTHER);

    // Another digest than the one shown: the page says what is different.
    let page = alex.get(&request).await.text;
    let token = page.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let decision = format!("{request}/decision");
    let other = "0".repeat(64);
    let form = [("form_token", token.as_str()), ("verdict", "approve"), ("digest", other.as_str())];
    let answered = alex.post(&decision, &form).await;
    assert_eq!(answered.status, StatusCode::CONFLICT);
    assert!(answered.text.contains("does not include the details that it showed"), "{}", answered.text);
    let mut shown = lockbox.view(id).await.content().unwrap();
    (shown.resource, shown.duration_seconds) = ("other@contoso.example".into(), 60);
    let shown = String::from_utf8(shown.to_bytes()).unwrap();
    let of_it = domain::Digest::of(shown.as_bytes()).to_string();
    let form = [("form_token", &*token), ("verdict", "approve"), ("digest", &of_it), ("shown", &shown)];
    let answered = alex.post(&decision, &form).await;
    assert_eq!(answered.status, StatusCode::CONFLICT);
    for difference in
        ["<del>other@contoso.example in", "<ins>finance@contoso.example in", "<del>1 min<", "<ins>45 min<"]
    {
        assert!(answered.text.contains(difference), "{difference}: {}", answered.text);
    }
    assert!(
        !answered.text.contains("<th scope=\"row\">Justification"),
        "what is the same is not among the differences"
    );

    // A form from elsewhere, without or with a stolen-looking token.
    let digest = lockbox.view(id).await.digest().to_string();
    let forged = [("form_token", "f00d"), ("verdict", "approve"), ("digest", digest.as_str())];
    assert_eq!(alex.post(&decision, &forged).await.status, StatusCode::FORBIDDEN);
    let good = [("form_token", token.as_str()), ("verdict", "approve"), ("digest", digest.as_str())];
    let url = format!("{}{decision}", site.origin);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let sent = alex.send(alex.client.post(&url).header(name, value).form(&good)).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    // A body that is too long.
    let comment = "x".repeat(100_000);
    let sent = alex.post(&decision, &[("form_token", &token), ("comment", &comment)]).await;
    assert_eq!(sent.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(sent.text.contains("Shorten the text"), "a page, like everything else");
    assert_eq!(lockbox.view(id).await.state, "pending_customer");
    assert_eq!(lockbox.view(id).await.version, 2);

    // The first yes counts; the page of a second shows that it came too late.
    assert_eq!(alex.post(&decision, &good).await.status, StatusCode::SEE_OTHER);
    assert_eq!(alex.post(&decision, &good).await.status, StatusCode::CONFLICT);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_every_page_changes_nothing() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let id = lockbox.submit(&submission()).await;
    let approved = lockbox.decide(contracts::Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    assert_eq!(approved, "request.vendor_approved");
    lockbox.until_idle().await;
    let before = lockbox.store.audit_count().await.unwrap();
    for name in ["Robin Hale", "Morgan Reyes", "Alex Novak", "Lee Okafor"] {
        let person = site.sign_in(name).await;
        let links = ["/", "/requests", "/audit", "/audit/export", "/mailbox", "/requests/new"].map(str::to_owned);
        let actions =
            ["", "/decision?verdict=approve", "/revocation", "/withdrawal"].map(|end| format!("/requests/{id}{end}"));
        for path in links.iter().chain(&actions) {
            person.get(path).await;
            person.send(person.client.head(format!("{}{path}", site.origin))).await;
        }
    }
    lockbox.until_idle().await;
    assert_eq!(lockbox.view(id).await.version, 2);
    assert_eq!(lockbox.store.audit_count().await.unwrap(), before);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_person_is_signed_out_everywhere() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let (here, there) = (site.sign_in("Alex Novak").await, site.sign_in("Alex Novak").await);
    assert_eq!(here.get("/").await.status, StatusCode::OK);
    assert_eq!(there.get("/").await.status, StatusCode::OK);
    sqlx::query("update people set enabled = false where name = 'alex'").execute(&lockbox.pool).await.unwrap();
    for person in [here, there] {
        assert!(person.get("/").await.location.starts_with("/sign-in"));
    }
    // A cookie that somebody else chose is worth nothing, and signing in gives a new one.
    let mut kim = site.stranger();
    kim.cookie = format!("__Host-lockbox={}", "a".repeat(64));
    assert!(kim.get("/").await.location.starts_with("/sign-in"));
    let kim = site.sign_in("Kim Duarte").await;
    assert!(!kim.cookie.contains(&"a".repeat(64)));
    let everywhere = kim.fill("/", "/sign-out", &[("everywhere", "1")]).await;
    assert_eq!(everywhere.status, StatusCode::SEE_OTHER);
    assert!(kim.get("/").await.location.starts_with("/sign-in"));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_the_browser_on_our_side() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    for path in ["/", "/requests", "/sign-in", "/nowhere", "/assets/style.css", "/requests/not-an-id"] {
        let page = alex.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert!(!page.text.contains("style=\"") && !page.text.contains("onclick"), "{path} has something inline");
    }
    let page = alex.get("/sign-in?next=https://evil.example/").await;
    assert!(!page.text.contains("evil.example"), "no open redirect");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_kept_under_a_name_for_its_owner_alone() {
    let lockbox = Lockbox::with_roles(&[]).await;
    let site = Site::open(&lockbox).await;
    let (lee, morgan) = (site.sign_in("Lee Okafor").await, site.sign_in("Morgan Reyes").await);
    let query = "text=stuck&type=access.&surprise=1";
    let kept = lee.fill("/audit", "/audit/searches", &[("name", "Stuck mail"), ("query", query)]).await;
    assert_eq!(kept.location, "/audit?type=access.&text=stuck", "only what the form knows is kept");
    assert!(lee.get("/audit").await.text.contains("Stuck mail"));
    assert!(!morgan.get("/audit").await.text.contains("Stuck mail"));
    lee.fill("/audit", "/audit/searches/removal", &[("name", "Stuck mail")]).await;
    assert!(!lee.get("/audit").await.text.contains("Stuck mail"));
    let robin = site.sign_in("Robin Hale").await;
    let refused = robin.fill("/", "/audit/searches", &[("name", "x"), ("query", "")]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "no audit for engineers");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_slow_to_say_what_it_wants_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let lockbox = Lockbox::with_roles(&[]).await;
    let site = Site::open(&lockbox).await;
    let address = site.origin.trim_start_matches("http://localhost").to_owned();
    let mut slow = tokio::net::TcpStream::connect(format!("127.0.0.1{address}")).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    // It sends nothing more and is disconnected; others are served meanwhile.
    assert_eq!(site.stranger().get("/sign-in").await.status, StatusCode::OK);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(crate::harness::PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection was never ended");
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_says_what_will_happen_before_anything_is_sent() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let robin = site.sign_in("Robin Hale").await;
    let look = async |changed: &[(&str, &str)]| {
        let mut form = ASK.to_vec();
        for (name, value) in changed {
            form.retain(|(held, _)| held != name);
            form.push((name, value));
        }
        robin.fill("/requests/new", "/requests/preview", &form).await.text
    };
    let page = look(&[]).await;
    for shown in [
        "You can submit this request",
        "1 of Jo Lindqvist, Morgan Reyes",
        "1 of Alex Novak, Kim Duarte",
        "At most 45 min",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let page = look(&[("service", "onedrive"), ("tenant", "contoso")]).await;
    assert!(page.contains("1 of Alex Novak<"), "Kim decides about mail only: {page}");
    assert!(look(&[("tenant", "northwind")]).await.contains("2 of Ines Farah, Olu Adeyemi, Pat Brandt"));
    assert!(look(&[("duration", "9h")]).await.contains("must be between 1 and 28800"));
    assert!(look(&[("duration", "soon")]).await.contains("Duration: "));
    assert!(look(&[("justification", "")]).await.contains("There are no errors so far"));
    let count: i64 = sqlx::query_scalar("select count(*) from requests").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(count, 0, "nothing was sent");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_addresses_are_text_wherever_they_stand() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (robin, alex) = (site.sign_in("Robin Hale").await, site.sign_in("Alex Novak").await);
    for statement in [
        "update people set display_name = '<script>alert(2)</script>' || display_name",
        "update tenants set display_name = '\"><img src=x onerror=alert(3)>'",
    ] {
        sqlx::query(statement).execute(&lockbox.pool).await.unwrap();
    }
    let request = ask(&robin).await;
    let mut seen = 0;
    for path in ["/", "/requests", &request, "/audit", "/settings", "/passkeys", "/sign-in"] {
        let page = alex.get(path).await.text;
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        seen += page.matches("alert(").count();
    }
    assert!(seen > 3, "the names were shown");
    assert!(!robin.get("/requests/new").await.text.contains("<img src=x"));
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_nothing_is_asked_and_at_its_limit_whatever_is_asked() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    for (spoil, what) in [
        ("update sessions set last_seen_at = last_seen_at - interval '31 minutes'", "idle"),
        ("update sessions set expires_at = clock_timestamp()", "its limit"),
    ] {
        let alex = site.sign_in("Alex Novak").await;
        assert_eq!(alex.get("/").await.status, StatusCode::OK);
        sqlx::query(spoil).execute(&lockbox.pool).await.unwrap();
        assert!(alex.get("/").await.location.starts_with("/sign-in"), "{what}");
    }
    let lasts: f64 = {
        let _alex = site.sign_in("Alex Novak").await;
        let lasts = "select extract(epoch from max(expires_at - created_at))::float8 from sessions";
        sqlx::query_scalar(lasts).fetch_one(&lockbox.pool).await.unwrap()
    };
    assert!((lasts - 12.0 * 3600.0).abs() < 1.0, "{lasts}");
    site.close();
    lockbox.finish().await;
}
