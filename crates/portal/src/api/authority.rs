//! The authority of the caller's tenant over HTTP: its statements, proposed changes and their signatures, and nonces for signed
//! decisions.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use consent::{Assertion, Statement, fingerprint, time_text};
use contracts::reading;
use domain::FreeText;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::authority::{Origin, Proposal};
use uuid::Uuid;

use super::super::app::App;
use super::super::authority::{authority_file, own_authority, own_change, signed};
use super::super::session::Viewer;
use super::super::signing::Signing;
use super::caller::Caller;
use super::input::{Body, document};
use super::problem::{ApiResult, Problem, json_response};

/// The person of the token.
fn viewer(caller: &Caller) -> Result<Viewer, Problem> {
    caller.person()?;
    caller.viewer().ok_or_else(Problem::not_found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningBody {
    #[serde(default, deserialize_with = "reading::words")]
    comment: Option<FreeText>,
}

/// Issues a nonce for a signed decision.
pub(super) async fn signing(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body) -> ApiResult {
    caller.may("decisions:write")?;
    let viewer = viewer(&caller)?;
    let (request, _) = caller.load_request(&app, &id).await?;
    let comment = body.read::<SigningBody>()?.comment;
    if let Some(problem) = comment.as_ref().and_then(FreeText::problem) {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("comment: {problem}")));
    }
    let comment = comment.as_ref().map(FreeText::as_str).unwrap_or_default();
    let signing = Signing::of(&app, &viewer.person, &request.tenant).await?;
    json_response(StatusCode::OK, signing.document(&app, &viewer.person, request.id, comment).await?)
}

fn proposal_json(proposal: &Proposal) -> Value {
    json!({
        "id": proposal.id, "statement": proposal.statement, "from_directory": proposal.origin == Origin::Directory,
        "proposer": proposal.proposer, "proposed_at": time_text(proposal.proposed_at),
        "expires_at": time_text(proposal.expires_at), "signatures": proposal.signatures, "needed": proposal.needed,
        "changes": proposal.changes.iter().map(|change| &change.sentence).collect::<Vec<_>>(),
    })
}

/// The authority file, the pending statement and the proposals.
pub(super) async fn show(State(app): State<App>, caller: Caller) -> ApiResult {
    caller.may("requests:read")?;
    let viewer = caller.viewer().ok_or_else(Problem::not_found)?;
    let (tenant, authority) = own_authority(&app, &viewer).await?;
    let now = app.store.clock().await?;
    let pending = authority.as_ref().and_then(|authority| authority.chain.pending(now));
    let pending =
        pending.map(|(statement, from)| json!({"version": statement.version, "in_force_from": time_text(from)}));
    let in_force = authority.as_ref().map(|authority| authority.chain.in_force(now).version);
    let proposals = app.store.open_changes(&tenant).await?;
    let body = json!({
        "tenant": tenant, "in_force": in_force, "pending": pending,
        "fingerprint": authority.as_ref().map(|authority| fingerprint(authority.chain.founding())),
        "file": authority.as_ref().map(|authority| authority_file(tenant.clone(), authority)),
        "proposals": proposals.iter().map(proposal_json).collect::<Vec<_>>(),
    });
    json_response(StatusCode::OK, body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    statement: Map<String, Value>,
}

/// Proposes the next statement.
pub(super) async fn propose(State(app): State<App>, caller: Caller, body: Body) -> ApiResult {
    caller.may("decisions:write")?;
    let viewer = viewer(&caller)?;
    let statement: Statement = document("statement", body.read::<ChangeBody>()?.statement.into())?;
    let (tenant, _) = own_authority(&app, &viewer).await?;
    if statement.tenant != tenant {
        return Err(Problem::not_found());
    }
    let id = app.store.propose_change(viewer.by(), &statement).await?;
    json_response(StatusCode::OK, json!({ "id": id }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureBody {
    assertion: Map<String, Value>,
}

/// Adds a signature to a proposed change.
pub(super) async fn sign(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body) -> ApiResult {
    caller.may("decisions:write")?;
    let viewer = viewer(&caller)?;
    let assertion: Assertion = document("assertion", body.read::<SignatureBody>()?.assertion.into())?;
    let id: Uuid = id.parse().map_err(|_| Problem::not_found())?;
    own_change(&app, &viewer, id).await?;
    let done = app.store.sign_change(viewer.by(), id, &assertion).await?;
    json_response(StatusCode::OK, signed(&app, done).await?)
}
