//! Creates access tokens, which requesters use at the gate. A token is returned once and stored as a hash.

use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, TokenIssued};
use contracts::{Kind, Traceparent};
use sha2::{Digest as _, Sha256};
use store::Store;
use uuid::Uuid;

use runtime::outcome::Failure;

/// Creates an access token for the requester of a grant that is active or will become active. An earlier token of the grant
/// stops working. Returns the token and the stored event.
///
/// # Errors
/// [`Failure::NotFound`] when the request does not exist or the person has no access under it; the error does not state which.
pub async fn issue(store: &Store, request: Uuid, by: &str) -> Result<(String, Message), Failure> {
    let missing = || Failure::NotFound(format!("{by} has no active access under {request}"));
    let view = store.show_request(request).await.map_err(|error| match error {
        store::Error::NotFound(_) => missing(),
        error => error.into(),
    })?;
    let people = store.enabled_people().await?;
    let person = people.iter().find(|person| person.name == by).ok_or_else(missing)?;
    let data = TokenIssued { request, service_request: view.service_request, actor: Actor::person(person) };
    let about = About {
        tenant: Some(view.tenant),
        request: Some(request),
        trace: Some(Traceparent::start()),
        ..About::default()
    };
    let event = message(Kind::GrantTokenIssued, store.clock().await?, about, &data);
    let token = format!("lbg_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    if store.issue_token(request, &Sha256::digest(&token), by, &event).await? {
        Ok((token, event))
    } else {
        Err(missing())
    }
}
