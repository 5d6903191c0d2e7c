//! `lockbox apply`: everything or nothing, again without change, and never a person on two sides.

use contracts::directory::Directory;

use crate::harness::Lockbox;

fn read(text: &str) -> Directory {
    serde_saphyr::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_again_changes_nothing_and_a_change_is_said() {
    let lockbox = Lockbox::without_roles().await;
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/directory.yaml")).unwrap();
    let (applied, messages) = lockbox.store.apply(&read(&text), "lee").await.unwrap();
    assert_eq!((applied.count(), messages.len()), (0, 0), "{:?}", applied.changes);
    let text = text.replace("required_approvals: 2", "required_approvals: 3").replace("Robin Hale", "Robin Hall");
    let (applied, messages) = lockbox.store.apply(&read(&text), "lee").await.unwrap();
    assert_eq!(applied.changes.keys().cloned().collect::<Vec<_>>(), [None, Some("northwind".to_owned())]);
    assert_eq!(applied.changes[&None], ["person robin changed: display name from Robin Hale to Robin Hall"]);
    let northwind = &applied.changes[&Some("northwind".to_owned())];
    assert_eq!(northwind, &["tenant northwind changed: required approvals from 2 to 3"]);
    let events = messages.iter().filter(|message| message.kind == contracts::Kind::DirectoryChanged).count();
    assert_eq!(events, 2, "an event for each side");
    // Three approvers and the notification recipient of Northwind; both managers and Robin at the vendor.
    assert_eq!(messages.len() - events, 4 + 3, "and a mail to everybody who decides there or is concerned");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_apply_adds_is_said_in_words_and_not_as_a_row() {
    let lockbox = Lockbox::without_roles().await;
    let text = "vendor:\n  people:\n    - {name: kai, display_name: Kai Berg, email: kai@fabrikam.example, roles: [engineer]}\n";
    let (applied, _) = lockbox.store.apply(&read(text), "lee").await.unwrap();
    assert_eq!(applied.changes[&None], ["person kai added: Kai Berg, kai@fabrikam.example, engineer"]);
    let (applied, _) = lockbox.store.apply(&read(&text.replace("[engineer]", "[manager]")), "lee").await.unwrap();
    assert_eq!(applied.changes[&None], ["person kai changed: roles from engineer to manager"]);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_sides() {
    let lockbox = Lockbox::without_roles().await;
    let text =
        "vendor:\n  people:\n    - {name: alex, display_name: Alex, email: alex@fabrikam.example, roles: [manager]}\n";
    let fault = lockbox.store.apply(&read(text), "lee").await.unwrap_err();
    assert_eq!(fault.constraint(), Some("people_side"));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendor_raises_a_tenants_protection_and_only_the_tenant_lowers_it() {
    let lockbox = Lockbox::without_roles().await;
    let directory = |required: &str, witness: &str| {
        read(&format!(
            "tenants: [{{name: adatum, display_name: Adatum, rules: {{{required}}}, witnesses: [{{url: 'https://{witness}', \
             key: '{witness}+12345678+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}}]}}]"
        ))
    };
    let apply = async |required: &str, witness: &str| lockbox.store.apply(&directory(required, witness), "lee").await;
    let one = "witness.adatum.example";
    apply("witnesses_required: 0", one).await.unwrap();
    apply("witnesses_required: 1", one).await.unwrap();
    for (required, witness) in
        [("witnesses_required: 0", one), ("", one), ("witnesses_required: 1", "witness.fabrikam.example")]
    {
        let fault = apply(required, witness).await.unwrap_err();
        assert!(matches!(fault, store::Error::ReservedForTenant(_)), "{required} {witness}: {fault}");
        assert!(fault.to_string().contains("adatum's own approvers"), "{fault}");
    }
    let tenants = lockbox.store.tenants().await.unwrap();
    let adatum = tenants.iter().find(|tenant| tenant.name == "adatum").unwrap().id;
    assert_eq!(lockbox.store.witnesses_required(adatum.0).await.unwrap(), (Some(1), 1), "nothing was changed");
    let site = crate::person::Site::open(&lockbox).await;
    let dana = site.sign_in("Dana Whitfield").await;
    let form = [
        ("decision_deadline", "2h"),
        ("access_default", "30m"),
        ("access_ceiling", "1h"),
        ("required_approvals", "1"),
        ("witnesses_required", "0"),
    ];
    let saved = dana.fill("/settings", "/settings", &form).await;
    assert_eq!(saved.status.as_u16(), 303, "{}", saved.text);
    assert_eq!(lockbox.store.witnesses_required(adatum.0).await.unwrap(), (Some(0), 1));
    apply("witnesses_required: 0", "witness.fabrikam.example").await.unwrap();
    site.close();
    lockbox.finish().await;
}

#[test]
fn all_faults_of_a_file_are_said_at_once() {
    let text = r"
producers: [{login: guest, may: [request.invent]}]
vendor:
  people:
    - {name: Robin, display_name: Robin, email: nowhere, roles: [engineer, pilot]}
    - {name: kim, display_name: Kim, email: kim@contoso.example, roles: [approver]}
tenants:
  - name: contoso
    display_name: Contoso
    people: [{name: kim, display_name: Kim, email: KIM@contoso.example}]
    approvers: [{person: nobody}, {services: [fax]}]
    notification_recipients: [not an address]
    rules: {required_approvals: 0, access_ceiling: 0s}
";
    let faults: Vec<String> = read(text).faults().iter().map(ToString::to_string).collect();
    for words in [
        "request.invent",
        "a name has 1 to 64",
        "\"nowhere\" is not an e-mail address",
        "\"pilot\" is not a role",
        "cannot be an approver",
        "the name is already used",
        "is already used by a person of vendor",
        "\"nobody\" is not a person",
        "either a `person` or a `group`",
        "\"fax\" is not a service",
        "\"not an address\"",
        "required_approvals",
        "access_ceiling_seconds",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(words)), "{words} is not among {faults:#?}");
    }
}
