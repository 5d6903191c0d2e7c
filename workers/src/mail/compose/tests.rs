//! Tests of what mails contain and never contain.

use chrono::DateTime;
use contracts::notifications::Recipient;
use uuid::Uuid;

use super::*;

fn mail(template: &str) -> Mail {
    Mail {
        notification: Uuid::from_u128(1),
        request: Uuid::from_u128(2),
        template: template.to_owned(),
        recipient: Recipient { name: "Alex <script>".to_owned(), address: "alex@contoso.example".to_owned() },
        tenant: "contoso".to_owned(),
        tenant_name: "Contoso\r\nBcc: everyone@contoso.example".to_owned(),
        service_request: "SR-2026-004711".to_owned(),
        service: "exchange_online".to_owned(),
        requester_name: "Robin Hale".to_owned(),
        duration_seconds: 5400,
        decision_deadline: Some(DateTime::UNIX_EPOCH),
        access_from: None,
        access_until: None,
        cause: None,
        also_open: None,
        happened_at: DateTime::UNIX_EPOCH,
        receipt: None,
    }
}

#[test]
fn a_mail_has_absolute_times_and_one_link_and_escapes_names() {
    let composed = compose(&mail("decision_needed"), "https://lockbox.fabrikam.example").unwrap();
    assert!(composed.text.contains("Thursday 01 January 1970, 00:00:00 UTC"));
    assert!(
        composed.text.contains("Robin Hale requests access to your content in Exchange Online for 1 hour 30 minutes.")
    );
    assert!(
        composed.text.contains("This request expires at Thursday 01 January 1970, 00:00:00 UTC without a decision.")
    );
    let link = "https://lockbox.fabrikam.example/requests/00000000-0000-0000-0000-000000000002";
    assert_eq!(composed.text.matches("https://").count(), 1);
    assert!(composed.text.contains(link) && composed.html.contains(link));
    assert!(!composed.html.contains("<script>"), "{}", composed.html);
}

#[test]
fn a_subject_is_one_line_even_if_a_name_has_line_breaks() {
    let composed = compose(&mail("active"), "https://lockbox.fabrikam.example").unwrap();
    assert!(!composed.subject.contains(['\r', '\n']));
}

/// The first line below the greeting.
fn headline(composed: &Composed) -> String {
    composed.text.lines().nth(2).unwrap().to_owned()
}

#[test]
fn all_mails_of_a_request_have_the_same_subject_and_say_first_what_happened() {
    let (requested, ended) =
        (compose(&mail("decision_needed"), "https://x.example"), compose(&mail("ended"), "https://x.example"));
    let (requested, ended) = (requested.unwrap(), ended.unwrap());
    assert_eq!(requested.subject, ended.subject);
    assert!(requested.subject.ends_with("SR-2026-004711: access to Exchange Online"), "{}", requested.subject);
    assert_eq!(headline(&requested), "An access request needs your decision.");
    assert_eq!(headline(&ended), "Access has ended.");
    assert!(
        ended.html.find("Access has ended.") < ended.html.find("Hello"),
        "first, for the preview in lists of mails"
    );
}

#[test]
fn every_template_has_its_own_headline() {
    let templates = [
        "review_needed",
        "decision_needed",
        "vendor_denied",
        "customer_denied",
        "active",
        "ended",
        "expired",
        "withdrawn",
        "approval_recorded",
        "report_acknowledged",
    ];
    let mut headlines: Vec<String> =
        templates.iter().map(|template| headline(&compose(&mail(template), "https://x.example").unwrap())).collect();
    headlines.sort();
    headlines.dedup();
    assert_eq!(headlines.len(), templates.len());
    assert!(compose(&mail("expired"), "https://x.example").unwrap().text.contains("did not decide"));
}

#[test]
fn a_receipt_has_channel_and_sign_in_and_says_what_to_do_if_the_person_did_not_act() {
    let receipt = |to_person, channel: &str| contracts::notifications::Receipt {
        person_name: "Alex Novak".to_owned(),
        to_person,
        action: "approved for the customer".to_owned(),
        auth: Some(contracts::events::Auth::of_channel(channel)),
        event: Uuid::from_u128(3),
    };
    let composed = |to_person, channel| {
        let mail = Mail { receipt: Some(receipt(to_person, channel)), ..mail("approval_recorded") };
        compose(&mail, "https://x.example").unwrap()
    };
    let own = composed(true, "cli/database");
    for words in [
        "The audit log records that you approved this request.",
        "Alex Novak approved for the customer",
        "Channel: the vendor's command line",
        "Signed in: no; anyone with the database login can act as any person",
        "Signed with a passkey: no",
        "Audit event: 00000000-0000-0000-0000-000000000003",
        "If this was not you, another person acted in your name",
    ] {
        assert!(own.text.contains(words), "{words} is not in {}", own.text);
    }
    assert!(own.html.contains("If this was not you"));
    let others = composed(false, "portal/oidc").text;
    assert!(others.contains("Alex Novak approved this request for the customer."), "{others}");
    assert!(
        others.contains("Signed in: with the identity provider") && others.contains("ask Alex Novak in person"),
        "{others}"
    );
}
