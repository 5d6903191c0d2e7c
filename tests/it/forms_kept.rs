//! A form that is refused comes back as it was filled in, and names the field that is wrong beside it.

use contracts::Kind;
use domain::Verdict;
use reqwest::StatusCode;

use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// Whether the tag of this field says that it is invalid.
fn is_marked(page: &str, field: &str) -> bool {
    let tags = page.split('<').filter(|tag| tag.contains(&format!("name=\"{field}\"")));
    tags.into_iter().any(|tag| tag.contains("aria-invalid=\"true\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_is_kept_with_each_problem_beside_its_field() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let robin = site.sign_in("Robin Hale").await;
    let form = [
        ("tenant", "contoso"),
        ("service_request", "SR-2026-\u{7}"),
        ("service", "exchange_online"),
        ("resource", "finance@contoso.example"),
        ("category", "customer_reported"),
        ("justification", "all of this must not be typed again \u{202e}"),
        ("severity", "high"),
        ("duration", "99h"),
    ];
    for path in ["/requests", "/requests/preview"] {
        let page = robin.fill("/requests/new", path, &form).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        for kept in ["all of this must not be typed again", "finance@contoso.example", "99h"] {
            assert!(page.text.contains(kept), "{path}: {kept}");
        }
        for (field, words) in
            [("service_request", "Service request: "), ("justification", "Justification: "), ("duration", "Duration: ")]
        {
            assert!(is_marked(&page.text, field), "{path}: {field} in {}", page.text);
            let beside = page.text.split(&format!("id=\"error-{field}\">")).nth(1).unwrap().split('<').next().unwrap();
            assert!(beside.contains(words), "{path}: beside {field} stands {beside:?}");
        }
        for fine in ["resource", "tenant", "severity"] {
            assert!(!is_marked(&page.text, fine), "{path}: {fine}");
        }
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_or_comment_that_is_refused_is_kept_with_the_problem_beside_its_field() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (alex, morgan) = (site.sign_in("Alex Novak").await, site.sign_in("Morgan Reyes").await);
    let id = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    let page = format!("/requests/{id}");
    for (form, fields, status, field) in [
        ("decision", [("comment", "bad \u{7} character"), ("duration", "10m")], StatusCode::CONFLICT, "comment"),
        ("decision", [("comment", "as long as that"), ("duration", "400h")], StatusCode::CONFLICT, "duration"),
        ("decision", [("comment", "as long as that"), ("duration", "soon")], StatusCode::BAD_REQUEST, "duration"),
        ("comments", [("comment", "bad \u{7} question"), ("duration", "")], StatusCode::CONFLICT, "comment"),
    ] {
        let all = [("verdict", "approve"), fields[0], fields[1]];
        let refused = alex.fill(&page, &format!("{page}/{form}"), &all).await;
        assert_eq!(refused.status, status, "{form} {fields:?}: {}", refused.text);
        assert!(refused.text.contains(&format!("id=\"{form}-{field}\"")), "{form}, {field}: {}", refused.text);
        assert!(is_marked(&refused.text, field), "{form}, {field}");
        let typed = fields[0].1.replace('\u{7}', "");
        let kept: String = refused.text.replace('\u{7}', "").replace("&#7;", "");
        assert!(kept.contains(&format!(">{typed}</textarea>")), "{form}: {typed}");
        assert!(fields[1].1.is_empty() || refused.text.contains(&format!("value=\"{}\"", fields[1].1)), "{form}");
        assert!(refused.text.contains("Your decision"), "it is the request's own page");
    }
    // The page as it stands now may not have the form any more; the words are not lost.
    let decision = format!("{page}/decision");
    let digest = lockbox.view(id).await.digest().to_string();
    let form = [("verdict", "deny"), ("comment", "too late, but said"), ("digest", digest.as_str())];
    let late = morgan.fill(&page, &decision, &form).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(
        late.text.contains("Your comment was not saved:") && late.text.contains("too late, but said"),
        "{}",
        late.text
    );
    assert!(late.text.contains("You approved or denied this request already"), "{}", late.text);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_refused_are_kept_with_the_problem_beside_its_field() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let rules = [
        ("decision_deadline", "12h"),
        ("reminders", "6h"),
        ("required_approvals", "1"),
        ("access_default", "1h"),
        ("access_ceiling", "8h"),
        ("notification_recipients", "soc@contoso.example"),
    ];
    let with = |field: &'static str, value: &'static str| -> Vec<(&str, &str)> {
        rules.iter().map(|(name, held)| (*name, if *name == field { value } else { held })).collect()
    };
    let webhook = vec![("name", "Chat of the team"), ("url", "http://10.0.0.1/x"), ("types", "grant.")];
    let away = vec![("delegate", "noor"), ("until", "2020-01-01T10:00")];
    let policy = vec![
        ("name", "night duty"),
        ("services", "exchange_online"),
        ("ceiling", "90d"),
        ("quota", "3"),
        ("until", "2020-01-01T10:00"),
    ];
    let group = vec![("grant", "person/alex/*"), ("new_group", "Night Shift"), ("new_member", "noor")];
    for (path, form, section, field, kept) in [
        ("/settings", with("access_ceiling", "for ever"), "rules", "access_ceiling", "for ever"),
        ("/settings", with("required_approvals", "9"), "rules", "required_approvals", "9"),
        ("/settings", with("notification_recipients", "nobody"), "rules", "notification_recipients", "nobody"),
        ("/settings/out-of-office", away, "out-of-office", "until", "2020-01-01T10:00"),
        ("/settings/webhooks", webhook, "webhooks", "url", "Chat of the team"),
        ("/settings/break-glass", policy.clone(), "break-glass", "ceiling", "night duty"),
        ("/settings/break-glass", policy, "break-glass", "until", "night duty"),
        ("/settings/approvers", group, "approvers", "new_group", "Night Shift"),
    ] {
        let page = alex.fill("/settings", path, &form).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        assert!(page.text.contains("Nothing was changed."), "{path}");
        assert!(page.text.contains(&format!("href=\"#{section}\"")), "{path} leads to its section");
        assert!(page.text.contains(&format!("id=\"{section}-{field}\"")), "{path}, {field}: {}", page.text);
        assert!(is_marked(&page.text, field), "{path}, {field}");
        assert!(page.text.contains(kept), "{path}: {kept}");
        if path.ends_with("out-of-office") {
            assert!(page.text.contains("value=\"noor\" selected"), "the delegate stays chosen");
        }
        if path.ends_with("approvers") {
            assert!(page.text.contains("value=\"noor\" checked"), "the members stay ticked");
            assert!(page.text.contains("value=\"person/alex/*\" checked"), "who decides stays ticked");
        }
    }
    site.close();
    lockbox.finish().await;
}
