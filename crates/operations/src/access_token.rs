//! Handing out what the engineer shows at the gate: made here, told once, kept as a hash.

use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, TokenIssued};
use contracts::{Kind, Traceparent};
use sha2::{Digest as _, Sha256};
use store::Store;
use uuid::Uuid;

use runtime::outcome::Failure;

/// Makes a handle for the engineer of a request whose access is open or will be. An earlier one opens nothing from then
/// on. Answers with it and with the event that was kept.
///
/// # Errors
/// When there is no such request, or this person has no access under it: which of the two is not said.
pub async fn issue(store: &Store, request: Uuid, by: &str) -> Result<(String, Message), Failure> {
    let nothing = || Failure::NotFound(format!("{by} has no open access under {request}"));
    let view = store.show_request(request).await.map_err(|error| match error {
        store::Error::NotFound(_) => nothing(),
        error => error.into(),
    })?;
    let people = store.everybody().await?;
    let person = people.iter().find(|person| person.name == by).ok_or_else(nothing)?;
    let data = TokenIssued { request, service_request: view.service_request, actor: Actor::person(person) };
    let about = About {
        tenant: Some(view.tenant),
        request: Some(request),
        trace: Some(Traceparent::start()),
        ..About::default()
    };
    let event = message(Kind::GrantTokenIssued, store.clock().await?, about, &data);
    let handle = format!("lbg_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    if store.issue_token(request, &Sha256::digest(&handle), by, &event).await? {
        Ok((handle, event))
    } else {
        Err(nothing())
    }
}
