//! The endpoints of the API: the list that the router, `schemas/openapi.json` and the tests of permissions use.

use super::bodies;

/// An endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// HTTP method.
    pub method: &'static str,
    /// Path below `/api/v1`.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Scope that the token needs; `None` when the endpoint needs no token.
    pub scope: Option<&'static str>,
    /// JSON Schema of the request body.
    pub body: Option<&'static str>,
    /// `operationId`, for generated clients.
    pub id: &'static str,
    /// Query parameters.
    pub query: &'static [Parameter],
    /// Name of the response schema in `components.json`.
    pub response: &'static str,
}

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its JSON Schema.
    pub schema: &'static str,
}

const fn parameter(name: &'static str, description: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, description, schema }
}

const TEXT: &str = r#"{"type": "string", "pattern": "^[^\\u0000]*$"}"#;
const TIME: &str = r#"{"type": "string", "format": "date-time"}"#;

const LIMIT: Parameter = parameter(
    "limit",
    "Maximum number of entries on a page.",
    r#"{"type": "integer", "minimum": 1, "maximum": 200, "default": 50}"#,
);

/// Every endpoint.
pub const OPERATIONS: [Operation; 19] = [
    Operation {
        method: "GET",
        path: "/openapi.json",
        id: "getDescription",
        response: "object",
        summary: "Get this OpenAPI description.",
        scope: None,
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/me",
        id: "getMe",
        response: "me",
        summary: "Get the owner and the scopes of the token.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests",
        id: "submitRequest",
        response: "request",
        summary: "Request access. Returns the request, or every validation error.",
        scope: Some("requests:write"),
        body: Some(include_str!("../../../../schemas/commands/request.submit.v1.schema.json")),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests",
        id: "listRequests",
        response: "requests",
        summary: "List the requests that the caller may see, newest first.",
        scope: Some("requests:read"),
        body: None,
        query: &[
            LIMIT,
            parameter(
                "cursor",
                "`next` of the previous page.",
                r#"{"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})\\.[0-9a-f]{32}$"}"#,
            ),
            parameter("state", "Only requests in this state.", r##"{"$ref": "#/components/schemas/state"}"##),
            parameter("tenant", "Only requests of this tenant (short name).", TEXT),
            parameter(
                "service_request",
                "Only requests with this service request number of the ticketing system.",
                TEXT,
            ),
            parameter("requester", "Only requests of this requester (short name).", TEXT),
            parameter(
                "open",
                "`true`: only requests that are pending or active.",
                r#"{"type": "boolean", "default": false}"#,
            ),
            parameter(
                "owed",
                "`true`: only break-glass requests whose access report needs a response of the customer.",
                r#"{"type": "boolean", "default": false}"#,
            ),
        ],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}",
        id: "getRequest",
        response: "request",
        summary: "Get one request.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}/events",
        id: "listRequestEvents",
        response: "events",
        summary: "List the events of a request, oldest first.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/decision",
        id: "decideRequest",
        response: "request",
        summary: "Approve or deny a request. The token's owner decides for the vendor or the customer, depending on their role.",
        scope: Some("decisions:write"),
        body: Some(bodies::DECISION),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/revocation",
        id: "revokeAccess",
        response: "request",
        summary: "Revoke active access.",
        scope: Some("requests:write"),
        body: Some(bodies::OPTIONAL_COMMENT),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/withdrawal",
        id: "withdrawRequest",
        response: "request",
        summary: "Withdraw a pending request.",
        scope: Some("requests:write"),
        body: Some(bodies::OPTIONAL_COMMENT),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/comments",
        id: "commentOnRequest",
        response: "request",
        summary: "Comment on a request.",
        scope: Some("requests:write"),
        body: Some(bodies::COMMENT),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/grants",
        id: "listGrants",
        response: "grants",
        summary: "List the grants that are active, that are being provisioned, or whose revocation is unconfirmed.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/requests/{id}/report",
        id: "getReport",
        response: "report",
        summary: "Get the access report of ended access: requested, approved and used time, and the receipt of the revocation.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/report",
        id: "respondToReport",
        response: "request",
        summary: "Acknowledge or dispute the access report for the customer.",
        scope: Some("decisions:write"),
        body: Some(bodies::REPORT),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/audit",
        id: "searchAudit",
        response: "found",
        summary: "Search the audit log, newest first. A page of a slow search can be short or empty: continue with `next`.",
        scope: Some("audit:read"),
        body: None,
        query: &[
            LIMIT,
            parameter(
                "cursor",
                "`next` of the previous page.",
                r#"{"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})\\.(-2147483648|0|-?[1-9][0-9]{0,8})\\.[0-9a-f]{32}$"}"#,
            ),
            parameter("request", "Id of a request.", r#"{"type": "string", "format": "uuid"}"#),
            parameter("service_request", "Service request number of the ticketing system.", TEXT),
            parameter("person", "Short name of the person who acted.", TEXT),
            parameter("tenant", "Short name of the tenant.", TEXT),
            parameter("type", "Type of the event, or its first characters, such as `grant.`.", TEXT),
            parameter("text", "Text in justifications and comments.", TEXT),
            parameter("cause", "Id of the message that caused the events.", TEXT),
            parameter("since", "Start of the period (RFC 3339; UTC without a zone).", TIME),
            parameter("until", "End of the period, exclusive (RFC 3339; UTC without a zone).", TIME),
        ],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/access-token",
        id: "createAccessToken",
        response: "access_token",
        summary: "Create the access token that the requester presents to the gate. An earlier access token stops working.",
        scope: Some("requests:write"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/requests/{id}/signing",
        id: "beginSigning",
        response: "object",
        summary: "Get what a signed decision contains beside the request: the authority in force, a nonce, and its end of validity.",
        scope: Some("decisions:write"),
        body: Some(bodies::SIGNING),
        query: &[],
    },
    Operation {
        method: "GET",
        path: "/authority",
        id: "getAuthority",
        response: "object",
        summary: "Get the authority of your tenant: its statements, the pending one, and proposals that collect signatures.",
        scope: Some("requests:read"),
        body: None,
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/authority/changes",
        id: "proposeChange",
        response: "object",
        summary: "Propose the next statement of your authority. It applies when enough approvers have signed it.",
        scope: Some("decisions:write"),
        body: Some(bodies::CHANGE),
        query: &[],
    },
    Operation {
        method: "POST",
        path: "/authority/changes/{id}/signatures",
        id: "signChange",
        response: "object",
        summary: "Add your signature to a proposed statement.",
        scope: Some("decisions:write"),
        body: Some(bodies::CHANGE_SIGNATURE),
        query: &[],
    },
];

/// The endpoint of a path in the router.
pub(super) fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.method == method && path.ends_with(operation.path))
}

/// Whether a query parameter may be empty: only text may.
pub(super) fn may_be_empty(operation: Option<&&'static Operation>, name: &str) -> bool {
    operation.into_iter().flat_map(|operation| operation.query).any(|one| one.name == name && one.schema == TEXT)
}
