//! The interface described for programs: `OpenAPI` 3.1 (<https://spec.openapis.org/oas/v3.1.1.html>), printed from
//! [`OPERATIONS`](super::OPERATIONS) and the schemas that the messages have too.

use axum::Json;
use serde_json::{Map, Value, json};

use super::{OPERATIONS, Operation, SCOPES};

/// The description.
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(format!("/api/v1{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = describe(&operation);
    }
    let scopes: Vec<String> = SCOPES.iter().map(|(name, means)| format!("`{name}`: {means}")).collect();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Lockbox",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Ask for access to customer content, follow it, decide on it. Nothing here decides: every \
                            call becomes a command, and the answer is what became of it. 202 means that it is kept \
                            and takes effect later.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": format!("A token of `lockbox token add`. Scopes: {}.", scopes.join("; ")),
            }},
            "schemas": {"request": request(), "problem": problem()},
        },
    })
}

fn handle() -> Value {
    let means = "Shown at the gate as bearer token, or as password with the engineer's short name.";
    json!({
        "type": "object",
        "required": ["request", "handle"],
        "properties": {
            "request": {"type": "string", "format": "uuid", "description": "The request."},
            "handle": {"type": "string", "description": means},
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = operation
        .query
        .iter()
        .map(|(name, means)| {
            let kind = if *name == "limit" { "integer" } else { "string" };
            json!({"name": name, "in": "query", "description": means, "schema": {"type": kind}})
        })
        .collect();
    if operation.path.contains("{id}") {
        let schema = json!({"type": "string", "format": "uuid"});
        parameters.push(
            json!({"name": "id", "in": "path", "required": true, "description": "The request.", "schema": schema}),
        );
    }
    let is_write = operation.method == "POST";
    // Told once: nothing is kept that could be told again.
    let is_handle = operation.path.ends_with("/handle");
    if is_write && !is_handle {
        let means = "The caller's name for this call: the same again is answered again and done once.";
        let schema = json!({"type": "string", "maxLength": 128});
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "description": means, "schema": schema}));
    }
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}});
    let good = if is_handle {
        json!({"application/json": {"schema": handle()}})
    } else if operation.path.starts_with("/requests")
        && !operation.path.ends_with("/events")
        && (is_write || !operation.path.ends_with("/report"))
        && (is_write || operation.path.contains("{id}"))
    {
        json!({"application/json": {"schema": {"$ref": "#/components/schemas/request"}}})
    } else {
        json!({"application/json": {"schema": {"type": "object"}}})
    };
    let status = if operation.path == "/requests" && is_write { "201" } else { "200" };
    let mut answers = Map::new();
    answers.insert(status.to_owned(), json!({"description": "Done.", "content": good}));
    if is_write && !is_handle {
        answers.insert("202".to_owned(), json!({"description": "Kept; it takes effect as soon as the roles run."}));
    }
    answers.insert("default".to_owned(), json!({"description": "What is wrong, and what to do.", "content": problem}));
    let mut described = json!({"summary": operation.summary, "parameters": parameters, "responses": answers});
    match operation.scope {
        Some(scope) => described["x-lockbox-scope"] = scope.into(),
        None => described["security"] = json!([]),
    }
    if let Some(body) = operation.body {
        let mut schema: Value = serde_json::from_str(body).unwrap_or_default();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$id");
            schema.remove("$schema");
        }
        described["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    described
}

fn request() -> Value {
    let text = |means: &str| json!({"type": "string", "description": means});
    let time = |means: &str| json!({"type": ["string", "null"], "format": "date-time", "description": means});
    json!({
        "type": "object",
        "description": "A request as it stands.",
        "required": ["id", "tenant", "service_request", "state", "version", "digest"],
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "Id."},
            "tenant": text("Short name of the tenant."),
            "service_request": text("Number in the ticketing system."),
            "service": text("Service."),
            "resource": text("Mailbox address, site or folder URL."),
            "requester": text("Short name of the engineer."),
            "state": {
                "type": "string", "description": "Where it stands.",
                "enum": ["awaiting_manager", "awaiting_customer", "granted", "ended", "manager_rejected",
                         "customer_rejected", "expired", "withdrawn"],
            },
            "cause": {"type": ["string", "null"], "description": "Why it ended, or whose answer was missing."},
            "version": {"type": "integer", "description": "Number of its events."},
            "duration_seconds": {"type": "integer", "description": "Seconds asked for."},
            "submitted_at": time("Taken in."),
            "review_by": time("The manager must answer before."),
            "decide_by": time("The customer must answer before."),
            "access_from": time("Access opens."),
            "access_until": time("Access is over."),
            "over_at": time("Nothing can follow since."),
            "digest": text("SHA-256 of the content: what a decision names."),
            "content": {"type": "object", "description": "What deciders are shown; only with one request."},
            "decisions": {
                "type": "array", "description": "Answers so far; only with one request.", "items": {"type": "object"},
            },
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string", "description": "about:blank."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "description": "The status."},
            "code": {"type": "string", "description": "Stable code for programs."},
            "detail": {"type": "string", "description": "For people: what is wrong, and what to do."},
        },
    })
}

pub(super) async fn show() -> Json<Value> {
    Json(document())
}
