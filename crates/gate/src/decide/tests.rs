use chrono::DateTime;
use uuid::Uuid;

use super::*;

/// Robin's grant for a site of Contoso, open and read only.
pub(crate) fn grant() -> Grant {
    Grant {
        request: Uuid::from_u128(7),
        service_request: "SR-2026-004711".into(),
        tenant: "contoso".into(),
        service: "sharepoint".into(),
        resource: "https://contoso.example/sites/board".into(),
        may_write: false,
        access_until: Some(DateTime::UNIX_EPOCH),
        person: Uuid::from_u128(8),
        name: "robin".into(),
        display_name: "Robin Hale".into(),
        is_open: true,
        is_founded: false,
    }
}

fn check() -> Check {
    Check {
        claimed: Some("robin".into()),
        tenant: "contoso".into(),
        service: "sharepoint".into(),
        resource: "https://contoso.example/sites/board/a".into(),
        method: "GET".into(),
        ..Check::default()
    }
}

#[test]
fn a_token_is_valid_only_for_its_own_tenant_and_service() {
    assert_eq!(evaluate_grant(&check(), &grant()), Code::Ok);
    for (tenant, service) in [("adatum", "sharepoint"), ("contoso", "onedrive"), ("adatum", "onedrive"), ("", "")] {
        let elsewhere = Check { tenant: tenant.into(), service: service.into(), ..check() };
        assert_eq!(evaluate_grant(&elsewhere, &grant()), Code::Elsewhere, "{tenant}/{service}");
    }
}

#[test]
fn the_user_name_is_compared_without_case_and_windows_domain() {
    for claimed in ["robin", "Robin", "ROBIN", "FABRIKAM\\robin", "fabrikam\\Robin"] {
        let check = Check { claimed: Some(claimed.into()), ..check() };
        assert_eq!(evaluate_grant(&check, &grant()), Code::Ok, "{claimed}");
    }
    for claimed in ["", "sam", "robin ", "robin\\sam", "robin@fabrikam.example", "rob"] {
        let check = Check { claimed: Some(claimed.into()), ..check() };
        assert_eq!(evaluate_grant(&check, &grant()), Code::UnknownCredential, "{claimed}");
    }
}

#[test]
fn a_folder_above_the_granted_one_is_refused_with_its_own_code() {
    for above in ["https://contoso.example/", "https://contoso.example/sites", "https://contoso.example/sites/"] {
        let check = Check { resource: above.into(), method: "PROPFIND".into(), ..check() };
        assert_eq!(evaluate_grant(&check, &grant()), Code::Above, "{above}");
    }
    for other in ["https://contoso.example/site", "https://contoso.example/sites/hr", "https://adatum.example/"] {
        let check = Check { resource: other.into(), ..check() };
        assert_eq!(evaluate_grant(&check, &grant()), Code::NotCovered, "{other}");
    }
}

#[test]
fn a_copy_or_move_onto_the_source_into_it_or_onto_its_parent_is_refused() {
    let send = |from: &str, to: &str| {
        let place = |path: &str| format!("https://contoso.example/sites/board/{path}");
        let check = Check { method: "COPY".into(), resource: place(from), destination: Some(place(to)), ..check() };
        evaluate_grant(&check, &Grant { may_write: true, ..grant() })
    };
    for (from, to) in
        [("a", "a"), ("a", "a/"), ("a/", "a"), ("a", "a/b"), ("a/b", "a"), ("a?x", "a"), ("%61", "a"), ("a", "")]
    {
        assert_eq!(send(from, to), Code::OntoItself, "{from} to {to}");
    }
    for (from, to) in [("a", "b"), ("a", "ab"), ("a/b", "a/c"), ("a", "A")] {
        assert_eq!(send(from, to), Code::Ok, "{from} to {to}");
    }
}

#[test]
fn a_refusal_requests_another_token_only_when_one_could_help() {
    let challenged = [Code::NoCredential, Code::UnknownCredential, Code::NotOpen];
    let refused = [
        Code::Elsewhere,
        Code::NotCovered,
        Code::Above,
        Code::ReadOnly,
        Code::OntoItself,
        Code::ConsentPending,
        Code::ConsentNotTrusted,
        Code::ConsentUnverified,
        Code::Odd,
        Code::Slow,
        Code::Full,
    ];
    assert!(challenged.iter().all(|code| code.refusal().as_u16() == 401));
    assert!(refused.iter().all(|code| code.refusal().as_u16() == 403));
    let sentences: std::collections::HashSet<_> = challenged.iter().map(|code| code.sentence()).collect();
    assert_eq!(sentences.len(), 1, "a missing, an unknown and an ended token get the same response");
}
