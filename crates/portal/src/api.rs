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
mod input;
mod openapi;
mod problem;
mod read;
mod submit;

pub use openapi::document;
pub(super) use problem::Problem;

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
    /// Name in the description, for generated clients.
    pub id: &'static str,
    /// Query parameters.
    pub query: &'static [Parameter],
    /// Schema of the answer, in the description.
    pub answer: &'static str,
}

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What it means.
    pub means: &'static str,
    /// Its schema, as JSON.
    pub schema: &'static str,
}

const fn parameter(name: &'static str, means: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, means, schema }
}

const TEXT: &str = r#"{"type": "string", "pattern": "^[^\\u0000]*$"}"#;
const TIME: &str = r#"{"type": "string", "format": "date-time"}"#;

pub use operations::scopes::SCOPES;

const LIMIT: Parameter = parameter(
    "limit",
    "At most this many on a page.",
    r#"{"type": "integer", "minimum": 1, "maximum": 200, "default": 50}"#,
);

/// Everything that can be called.
pub const OPERATIONS: [Operation; 15] = [
    Operation {
        method: "GET",
        path: "/openapi.json",
        id: "getDescription",
        answer: "object",
        summary: "This description.",
        scope: None,
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/me",
        id: "getMe",
        answer: "me",
        summary: "Whose token this is, and what it may be used for.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests",
        id: "submitRequest",
        answer: "request",
        summary: "Request access. Answers with the request, or says everything that is wrong with it.",
        scope: Some("requests:write"),
        body: Some(include_str!("../../../schemas/commands/request.submit.v1.schema.json")),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests",
        id: "listRequests",
        answer: "requests",
        summary: "Requests that the caller may see, newest first.",
        scope: Some("requests:read"),
        body: None,
        query: &[
            LIMIT,
            parameter(
                "cursor",
                "`next` of the page before.",
                r#"{"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})\\.[0-9a-f]{32}$"}"#,
            ),
            parameter("state", "Only this state.", r##"{"$ref": "#/components/schemas/state"}"##),
            parameter("tenant", "Only this tenant, by its short name.", TEXT),
            parameter("service_request", "Only this number of the ticketing system.", TEXT),
            parameter("requester", "Only this engineer's, by their short name.", TEXT),
            parameter("open", "`true`: only those that are not over.", r#"{"type": "boolean", "default": false}"#),
            parameter(
                "owed",
                "`true`: only break-glass requests whose vendor review is still owed.",
                r#"{"type": "boolean", "default": false}"#,
            ),
        ],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}",
        id: "getRequest",
        answer: "request",
        summary: "One request.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}/events",
        id: "listRequestEvents",
        answer: "events",
        summary: "The events of a request, oldest first.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/decision",
        id: "decideRequest",
        answer: "request",
        summary: "Approve or deny, as the token's owner: for the vendor or for the customer, by who they are.",
        scope: Some("decisions:write"),
        body: Some(actions::DECISION),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/end",
        id: "revokeAccess",
        answer: "request",
        summary: "End open access.",
        scope: Some("requests:write"),
        body: Some(actions::WORDS),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/withdrawal",
        id: "withdrawRequest",
        answer: "request",
        summary: "Withdraw a request before access is open.",
        scope: Some("requests:write"),
        body: Some(actions::WORDS),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/comments",
        id: "commentOnRequest",
        answer: "request",
        summary: "Comment on a request.",
        scope: Some("requests:write"),
        body: Some(actions::COMMENT),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/grants",
        id: "listGrants",
        answer: "grants",
        summary: "Grants that are open, about to open, or whose end is not confirmed.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}/report",
        id: "getReport",
        answer: "report",
        summary: "The access report of an access that is over: requested, approved, used, and the receipt of its end.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/report",
        id: "respondToReport",
        answer: "request",
        summary: "Acknowledge or dispute the access report, as the token's owner.",
        scope: Some("decisions:write"),
        body: Some(actions::REPORT),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/audit",
        id: "searchAudit",
        answer: "found",
        summary: "Search the audit log, newest first. A page may be short, even empty, while `next` is there: a search that takes long goes on with it.",
        scope: Some("audit:read"),
        body: None,
        query: &[
            LIMIT,
            parameter(
                "cursor",
                "`next` of the page before.",
                r#"{"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})\\.(-2147483648|0|-?[1-9][0-9]{0,8})\\.[0-9a-f]{32}$"}"#,
            ),
            parameter("request", "Id of a request.", r#"{"type": "string", "format": "uuid"}"#),
            parameter("service_request", "Number in the ticketing system.", TEXT),
            parameter("person", "Short name of who did it.", TEXT),
            parameter("tenant", "Short name of the tenant.", TEXT),
            parameter("type", "Type of the event, or its beginning.", TEXT),
            parameter("text", "Words in justifications and comments.", TEXT),
            parameter("cause", "Id of the message that an event followed from.", TEXT),
            parameter("since", "Not before (RFC 3339; without a zone it is UTC).", TIME),
            parameter("until", "Before (RFC 3339; without a zone it is UTC).", TIME),
        ],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/access-token",
        id: "createAccessToken",
        answer: "handle",
        summary: "Create what the engineer shows at the gate; an earlier one opens nothing from then on.",
        scope: Some("requests:write"),
        body: None,
        query: &[],
    },
];

/// The operation behind a path of the router.
fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.method == method && path.ends_with(operation.path))
}

/// Whether a query parameter may be empty: those that are text, and nothing else.
fn may_be_empty(operation: Option<&&'static Operation>, name: &str) -> bool {
    operation.into_iter().flat_map(|operation| operation.query).any(|one| one.name == name && one.schema == TEXT)
}

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
        ("GET", "/grants") => get(read::grants),
        ("GET", "/requests/{id}/report") => get(read::report),
        ("POST", "/requests/{id}/report") => post(actions::act::<actions::ReportRespond>),
        ("GET", "/audit") => get(read::audit),
        ("POST", "/requests/{id}/access-token") => post(actions::handle),
        _ => return None,
    })
}

/// The operations and nothing else: what is not in the list, and so in the description, cannot be called.
pub(super) fn router() -> Router<App> {
    let routes = OPERATIONS.iter().filter_map(|operation| Some((operation.path, handler(operation)?)));
    routes
        .fold(Router::new(), |router, (path, handler)| router.route(path, handler))
        .fallback(problem::nothing_here)
        .method_not_allowed_fallback(problem::other_method)
}
