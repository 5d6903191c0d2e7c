//! The `OpenAPI` 3.1 description of the API (<https://spec.openapis.org/oas/v3.1.1.html>), made from [`OPERATIONS`], the
//! schemas of the messages, and the schemas of the responses in `components.json`.

use axum::Json;
use serde_json::{Map, Value, json};

use super::endpoints::{OPERATIONS, Operation};
use operations::scopes::SCOPES;

/// Schemas of the responses.
const COMPONENTS: &str = include_str!("components.json");
/// Schema of events: the envelope of messages.
const ENVELOPE: &str = include_str!("../../../../schemas/envelope.schema.json");

/// The error responses: status, name in the description, and description.
const PROBLEMS: [(&str, &str, &str); 12] = [
    ("400", "unreadable", "The request is not valid. The detail names the parameter or the field of the body."),
    ("401", "unauthorized", "The token is missing or not valid."),
    ("403", "forbidden", "The token, or its owner, does not have permission."),
    ("404", "missing", "The resource does not exist, or the caller does not have permission to see it."),
    ("405", "other_method", "The path does not support this method. `Allow` names the methods."),
    ("408", "too_slow", "The body did not arrive in time."),
    ("409", "conflict", "The state of the request does not allow the action: for example, its deadline has passed."),
    ("413", "too_large", "The body is larger than 64 KiB."),
    ("415", "other_type", "The body is not JSON, or it is compressed."),
    ("422", "invalid", "The body breaks a rule. The detail names every field."),
    ("429", "too_many", "The token made too many calls. `Retry-After` says when to try again, in seconds."),
    ("503", "away", "Lockbox is not available. Try again; repeat a write with the same `Idempotency-Key`."),
];

/// The description.
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(format!("/api/v1{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = describe(&operation);
    }
    let scopes: Vec<String> = SCOPES.iter().map(|(name, means)| format!("`{name}`: {means}")).collect();
    let mut schemas = schema(COMPONENTS);
    schemas["event"] = schema(ENVELOPE);
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}});
    let responses: Map<String, Value> = PROBLEMS
        .iter()
        .map(|(status, name, means)| {
            let mut response = json!({"description": means, "content": problem});
            let header = match *status {
                "401" => Some(("WWW-Authenticate", json!({"type": "string"}))),
                "405" => Some(("Allow", json!({"type": "string"}))),
                "429" => Some(("Retry-After", json!({"type": "integer"}))),
                _ => None,
            };
            if let Some((header, schema)) = header {
                response["headers"] = json!({header: {"schema": schema}});
            }
            ((*name).to_owned(), response)
        })
        .collect();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Lockbox",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Request access to customer content, watch requests, approve and deny them. Every write becomes \
                            a command, and the response has its result. Status 202 means that the command is stored \
                            and takes effect later.",
        },
        "servers": [{"url": "/", "description": "The portal that serves this description."}],
        "security": [{"token": []}],
        "tags": [
            {"name": "requests", "description": "Requests and decisions."},
            {"name": "grants", "description": "Active access and access reports."},
            {"name": "authority", "description": "Authority of a tenant: approvers, keys and rules that only they change."},
            {"name": "audit", "description": "The audit log."},
            {"name": "interface", "description": "The API itself."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": format!("A token of `lockbox token add`. Scopes: {}.", scopes.join("; ")),
            }},
            "responses": responses,
            "schemas": schemas,
        },
    })
}

/// A schema without its identifiers.
fn schema(text: &str) -> Value {
    let mut schema: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(schema) = schema.as_object_mut() {
        for name in ["$id", "$schema", "title"] {
            schema.remove(name);
        }
    }
    schema
}

/// Adds to every free text of a body that it must not have U+0000.
fn forbid_zero_characters(schema: &mut Value) {
    let is_restricted = ["enum", "const", "pattern", "format"].iter().any(|word| schema.get(word).is_some());
    if schema["type"] == "string" && !is_restricted {
        schema["pattern"] = "^[^\\u0000]*$".into();
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(forbid_zero_characters);
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let query = operation.query.iter().map(|parameter| {
        let (name, description) = (parameter.name, parameter.description);
        json!({"name": name, "in": "query", "description": description, "schema": schema(parameter.schema)})
    });
    let mut parameters: Vec<Value> = query.collect();
    if operation.path.contains("{id}") {
        let schema = json!({"type": "string", "format": "uuid"});
        parameters.push(
            json!({"name": "id", "in": "path", "required": true, "description": "Id of the request.", "schema": schema}),
        );
    }
    if operation.method == "POST" && takes_idempotency_key(operation) {
        let means = "Key of your choice for this call. A repeated call with the same key and body takes effect once and gets the same \
                     response.";
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[\\x21-\\x7E]+$"});
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "description": means, "schema": schema}));
    }
    parameters
}

/// Whether a repeated call is recognized by its key. Not when only a hash of the response is stored, when each response is new, or
/// when a repetition has no further effect.
fn takes_idempotency_key(operation: &Operation) -> bool {
    !matches!(operation.id, "createAccessToken" | "beginSigning" | "proposeChange" | "signChange")
}

fn responses(operation: &Operation) -> Map<String, Value> {
    let is_write = operation.method == "POST";
    let json_of =
        |name: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}});
    let good = match operation.response {
        "object" => json!({"application/json": {"schema": {"type": "object"}}}),
        name => json_of(name),
    };
    let mut responses = Map::new();
    let is_new = operation.id == "submitRequest";
    let mut done = json!({"description": "Done.", "content": good});
    if is_new {
        done["headers"] = json!({"Location": {
            "description": "Path of the request.", "schema": {"type": "string", "format": "uri-reference"},
        }});
    }
    responses.insert(if is_new { "201" } else { "200" }.to_owned(), done);
    if is_write && takes_idempotency_key(operation) {
        let means = "The command is stored. It takes effect as soon as the workers run.";
        responses.insert("202".to_owned(), json!({"description": means, "content": json_of("stored")}));
    }
    let may = |status: &str| match status {
        "401" | "429" => operation.scope.is_some(),
        "403" => operation.scope.is_some(),
        "404" => {
            operation.path.contains("{id}") || operation.path.starts_with("/authority") || operation.id == "searchAudit"
        }
        "400" => is_write || operation.path.contains("{id}") || !operation.query.is_empty(),
        "408" | "409" | "413" | "415" | "422" => is_write,
        _ => true,
    };
    for (status, name, _) in PROBLEMS.iter().filter(|(status, ..)| may(status)) {
        responses.insert((*status).to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
    }
    responses
}

fn describe(operation: &Operation) -> Value {
    let tag = match operation.path {
        "/openapi.json" | "/me" => "interface",
        "/audit" => "audit",
        path if path.starts_with("/authority") => "authority",
        path if path == "/grants" || path.ends_with("/report") || path.ends_with("/access-token") => "grants",
        _ => "requests",
    };
    let mut described = json!({
        "operationId": operation.id, "tags": [tag], "summary": operation.summary,
        "parameters": parameters(operation), "responses": responses(operation),
    });
    match operation.scope {
        Some(scope) => described["x-lockbox-scope"] = scope.into(),
        None => described["security"] = json!([]),
    }
    if let Some(body) = operation.body {
        let mut schema = schema(body);
        forbid_zero_characters(&mut schema);
        // Without required fields the body is optional.
        let required = schema["required"].is_array();
        described["requestBody"] = json!({"required": required, "content": {"application/json": {"schema": schema}}});
    }
    described
}

pub(super) async fn show() -> Json<Value> {
    Json(document())
}
