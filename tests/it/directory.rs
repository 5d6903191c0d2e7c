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
    let events = messages.iter().filter(|message| message.kind == contracts::Kind::DirectoryChanged).count();
    assert_eq!((events, messages.len()), (2, 5), "an event for each side, and a notice to each approver of Northwind");
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
    notice_addresses: [not an address]
    rules: {required_approvals: 0, access_ceiling: 0s}
";
    let faults: Vec<String> = read(text).faults().iter().map(ToString::to_string).collect();
    for words in [
        "request.invent",
        "a name has 1 to 64",
        "\"nowhere\" is no e-mail address",
        "\"pilot\" is no role",
        "can never be an approver",
        "the name is taken already",
        "is used by a person of vendor too",
        "\"nobody\" is no person",
        "either a `person` or a `group`",
        "\"fax\" is no service",
        "\"not an address\"",
        "required_approvals",
        "access_ceiling_seconds",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(words)), "{words} is not among {faults:#?}");
    }
}
