//! The HTTP interface `/api/v1`, for programs that do not speak AMQP: the same commands, the same rules, the same
//! answers. Callers show a token; cookies count for nothing here.
//!
//! [`OPERATIONS`] is the list that the router, `schemas/openapi.json` and the tests of rights are held against.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use governor::{DefaultKeyedRateLimiter, Quota};
use uuid::Uuid;

use super::App;

mod actions;
mod caller;
mod openapi;
mod problem;
mod read;
mod submit;

pub use openapi::document;

/// Calls a second that a token may make, with bursts of twice as many.
const CALLS_PER_SECOND: u32 = 50;

/// One thing that can be called.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// HTTP method.
    pub method: &'static str,
    /// Path below `/api/v1`.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// What the token must allow; anybody may call it when absent.
    pub scope: Option<&'static str>,
    /// The body's schema, as JSON.
    pub body: Option<&'static str>,
    /// Query parameters with what they mean.
    pub query: &'static [(&'static str, &'static str)],
}

pub use operations::scopes::SCOPES;

const PAGE: [(&str, &str); 2] =
    [("limit", "At most this many, 1 to 200; 50 when absent."), ("cursor", "`next` of the page before.")];

/// Everything that can be called.
pub const OPERATIONS: [Operation; 15] = [
    Operation {
        method: "GET",
        path: "/openapi.json",
        summary: "This description.",
        scope: None,
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/me",
        summary: "Whose token this is, and what it may be used for.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests",
        summary: "Ask for access. Answers with the request, or says everything that is wrong with it.",
        scope: Some("requests:write"),
        body: Some(include_str!("../../../schemas/commands/request.submit.v1.schema.json")),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests",
        summary: "Requests that the caller may see, newest first.",
        scope: Some("requests:read"),
        body: None,
        query: &[
            PAGE[0],
            PAGE[1],
            ("state", "Only this state."),
            ("tenant", "Only this tenant."),
            ("service_request", "Only this number of the ticketing system."),
            ("requester", "Only this engineer's."),
            ("open", "`true`: only those that are not over."),
        ],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}",
        summary: "One request.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}/events",
        summary: "The events of a request, oldest first.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/decision",
        summary: "Say yes or no, as the token's owner: for the vendor or for the customer, by who they are.",
        scope: Some("decisions:write"),
        body: Some(actions::DECISION),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/end",
        summary: "End open access.",
        scope: Some("requests:write"),
        body: Some(actions::WORDS),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/withdrawal",
        summary: "Take a request back before access is open.",
        scope: Some("requests:write"),
        body: Some(actions::WORDS),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/comments",
        summary: "Ask or answer something in the request's thread.",
        scope: Some("requests:write"),
        body: Some(actions::COMMENT),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/accesses",
        summary: "Accesses that are open, about to open, or whose end is not confirmed.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}/report",
        summary: "The closing report of an access that is over: asked, granted, used, given back, and the receipt of its end.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/report",
        summary: "Accept or dispute the closing report, as the token's owner.",
        scope: Some("decisions:write"),
        body: Some(actions::REPORT),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/audit",
        summary: "Events that match, newest first. A page may be short, even empty, while `next` is there: a search that takes long goes on with it.",
        scope: Some("audit:read"),
        body: None,
        query: &[
            PAGE[0],
            PAGE[1],
            ("request", "Id of a request."),
            ("service_request", "Number in the ticketing system."),
            ("person", "Short name of who did it."),
            ("tenant", "Short name of the tenant."),
            ("type", "Type of the event, or its beginning."),
            ("text", "Words in reasons and comments."),
            ("since", "Not before (RFC 3339)."),
            ("until", "Before (RFC 3339)."),
        ],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/handle",
        summary: "Fetch what the engineer shows at the gate, once; an earlier one opens nothing from then on.",
        scope: Some("requests:write"),
        body: None,
        query: &[],
    },
];

/// Keeps callers within their rate.
#[derive(Clone)]
pub(super) struct Limits(Arc<DefaultKeyedRateLimiter<Uuid>>);

impl Default for Limits {
    fn default() -> Self {
        let a_second = NonZeroU32::new(CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(2 * CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        Self(Arc::new(DefaultKeyedRateLimiter::keyed(Quota::per_second(a_second).allow_burst(burst))))
    }
}

/// The handler of an operation.
fn handler(operation: &Operation) -> Option<MethodRouter<App>> {
    Some(match (operation.method, operation.path) {
        ("GET", "/openapi.json") => get(openapi::show),
        ("GET", "/me") => get(read::me),
        ("POST", "/requests") => post(submit::submit),
        ("GET", "/requests") => get(read::list),
        ("GET", "/requests/{id}") => get(read::show),
        ("GET", "/requests/{id}/events") => get(read::events),
        ("POST", "/requests/{id}/decision") => post(actions::act::<actions::Decision>),
        ("POST", "/requests/{id}/end") => post(actions::act::<actions::End>),
        ("POST", "/requests/{id}/withdrawal") => post(actions::act::<actions::Withdrawal>),
        ("POST", "/requests/{id}/comments") => post(actions::act::<actions::Comment>),
        ("GET", "/accesses") => get(read::accesses),
        ("GET", "/requests/{id}/report") => get(read::report),
        ("POST", "/requests/{id}/report") => post(actions::act::<actions::ReportAnswer>),
        ("GET", "/audit") => get(read::audit),
        ("POST", "/requests/{id}/handle") => post(actions::handle),
        _ => return None,
    })
}

/// The operations and nothing else: what is not in the list, and so in the description, cannot be called.
pub(super) fn router() -> Router<App> {
    let routes = OPERATIONS.iter().filter_map(|operation| Some((operation.path, handler(operation)?)));
    routes.fold(Router::new(), |router, (path, handler)| router.route(path, handler)).fallback(problem::nothing_here)
}
