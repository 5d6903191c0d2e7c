//! Operations on the installation are in the audit log, with the name of the operator and the database login.

use contracts::events::OperationPerformed;
use store::audit::AuditFilter;

use crate::harness::Lockbox;
use crate::histories::run;

/// What the latest event of an operation says that it did. The event is in this tenant's log, or in the operator log.
pub async fn operation(lockbox: &Lockbox, operation: &str, tenant: Option<&str>, by: &str) -> Vec<String> {
    let filter = AuditFilter { type_name: Some("operation.performed".into()), limit: 100, ..AuditFilter::default() };
    let found = lockbox.store.search_audit(&filter).await.unwrap();
    let mut events = found.iter().map(|row| {
        let event: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
        (row.tenant.clone(), event["data"].clone())
    });
    let (of, data) = events
        .find(|(_, data)| data["operation"] == operation && data["actor"]["name"] == by)
        .unwrap_or_else(|| panic!("{by} has no event {operation}: {}", found.len()));
    assert_eq!(of.as_deref(), tenant);
    let performed: OperationPerformed = serde_json::from_value(data).unwrap();
    let auth = performed.actor.auth.unwrap();
    assert_eq!(performed.actor.kind == "operator", auth.login.is_some(), "an operator has a database login: {auth:?}");
    performed.details
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_and_created_queues_are_in_the_operator_log_and_commands_that_change_nothing_are_not() {
    let lockbox = Lockbox::without_roles().await;
    let count = async || {
        let filter = AuditFilter { type_name: Some("operation.performed".into()), limit: 9, ..AuditFilter::default() };
        lockbox.store.search_audit(&filter).await.unwrap().len()
    };
    for unchanged in [["migrate"].as_slice(), &["topology", "apply"]] {
        let (code, text) = run(&lockbox, unchanged);
        assert_eq!(code, 0, "{text}");
    }
    assert_eq!(count().await, 0);
    let (code, text) = run(&lockbox, &["migrate", "--roles", "--operator", "lee"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(operation(&lockbox, "migrate", None, "lee").await, ["rights granted to the groups of logins"]);
    lockbox.delete_topology().await;
    let (code, text) = run(&lockbox, &["topology", "apply", "--operator", "sam"]);
    assert_eq!(code, 0, "{text}");
    let details = operation(&lockbox, "topology_apply", None, "sam").await;
    let intake = format!("queue {} created", lockbox.settings.names.queue("intake"));
    assert!(details.contains(&intake), "{details:?}");
    lockbox.finish().await;
}
