//! The HTTP API `/api/v1`, for programs that do not use AMQP. Commands, rules and results are the same as on pages. Callers
//! authenticate with a token; cookies are ignored.

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use super::app::App;

mod actions;
mod authority;
mod bodies;
mod caller;
mod endpoints;
mod input;
pub(crate) mod limits;
mod openapi;
mod problem;
mod read;
mod submit;

pub use endpoints::{OPERATIONS, Operation, Parameter};
pub use openapi::document;
pub use operations::scopes::SCOPES;
pub(super) use problem::Problem;

/// The handler of an endpoint.
fn handler(operation: &Operation) -> Option<MethodRouter<App>> {
    Some(match (operation.method, operation.path) {
        ("GET", "/openapi.json") => get(openapi::show),
        ("GET", "/me") => get(read::me),
        ("POST", "/requests") => post(submit::submit),
        ("GET", "/requests") => get(read::list),
        ("GET", "/requests/{id}") => get(read::show),
        ("GET", "/requests/{id}/events") => get(read::events),
        ("POST", "/requests/{id}/decision") => post(actions::act::<actions::Decision>),
        ("POST", "/requests/{id}/revocation") => post(actions::act::<actions::Revocation>),
        ("POST", "/requests/{id}/withdrawal") => post(actions::act::<actions::Withdrawal>),
        ("POST", "/requests/{id}/comments") => post(actions::act::<actions::Comment>),
        ("GET", "/grants") => get(read::grants),
        ("GET", "/requests/{id}/report") => get(read::report),
        ("POST", "/requests/{id}/report") => post(actions::act::<actions::ReportResponse>),
        ("GET", "/audit") => get(read::audit),
        ("POST", "/requests/{id}/access-token") => post(actions::create_access_token),
        ("POST", "/requests/{id}/signing") => post(authority::signing),
        ("GET", "/authority") => get(authority::show),
        ("POST", "/authority/changes") => post(authority::propose),
        ("POST", "/authority/changes/{id}/signatures") => post(authority::sign),
        _ => return None,
    })
}

/// Serves the endpoints in [`OPERATIONS`] and no others, so that every endpoint is in the description.
pub(super) fn router() -> Router<App> {
    let routes = OPERATIONS.iter().filter_map(|operation| Some((operation.path, handler(operation)?)));
    routes
        .fold(Router::new(), |router, (path, handler)| router.route(path, handler))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
}
