//! The interface described for programs: `OpenAPI` 3.1 (<https://spec.openapis.org/oas/v3.1.1.html>), printed from
//! [`OPERATIONS`](super::OPERATIONS), the schemas that the messages have too, and those of the answers in
//! `components.json`.

use axum::Json;
use serde_json::{Map, Value, json};

use super::{OPERATIONS, Operation, SCOPES};

/// Schemas of the answers.
const COMPONENTS: &str = include_str!("components.json");
/// Schema of events, which are messages as they travel.
const ENVELOPE: &str = include_str!("../../../../schemas/envelope.schema.json");

/// What every operation may answer when it goes wrong: status, name in the description, and what it means.
const PROBLEMS: [(&str, &str, &str); 12] = [
    ("400", "unreadable", "The call cannot be read: the detail names the parameter or the place in the body."),
    ("401", "unauthorized", "There is no good token."),
    ("403", "forbidden", "The token, or the person whose it is, may not do this."),
    ("404", "missing", "There is nothing here, or nothing that the caller may see."),
    ("405", "other_method", "This path is called with another method; `Allow` names them."),
    ("408", "too_slow", "The body did not come in time."),
    ("409", "conflict", "The state of the request does not allow this: for example, its deadline has passed."),
    ("413", "too_large", "The body is larger than 64 KiB."),
    ("415", "other_type", "The body is not JSON, or it is compressed."),
    ("422", "invalid", "The body can be read, and breaks a rule: the detail names every field."),
    ("429", "too_many", "The token is used more often than allowed; `Retry-After` says when to try again."),
    ("503", "away", "Lockbox cannot answer now. Try again, writes with the same `Idempotency-Key`."),
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
            "description": "Request access to customer content, follow the request, decide on it. Every call that \
                            changes something becomes a command, and the answer says what became of it. 202 means \
                            that the command is stored and takes effect later.",
        },
        "servers": [{"url": "/", "description": "The portal that serves this description."}],
        "security": [{"token": []}],
        "tags": [
            {"name": "requests", "description": "Requests and decisions."},
            {"name": "grants", "description": "Active access and access reports."},
            {"name": "audit", "description": "The audit log."},
            {"name": "interface", "description": "This interface."},
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

/// A schema without what names it elsewhere.
fn schema(text: &str) -> Value {
    let mut schema: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(schema) = schema.as_object_mut() {
        for name in ["$id", "$schema", "title"] {
            schema.remove(name);
        }
    }
    schema
}

/// Says of every free text of a body that it holds no U+0000.
fn forbid_zero_characters(schema: &mut Value) {
    let is_said = ["enum", "const", "pattern", "format"].iter().any(|word| schema.get(word).is_some());
    if schema["type"] == "string" && !is_said {
        schema["pattern"] = "^[^\\u0000]*$".into();
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(forbid_zero_characters);
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let query = operation.query.iter().map(|parameter| {
        let (name, means) = (parameter.name, parameter.means);
        json!({"name": name, "in": "query", "description": means, "schema": schema(parameter.schema)})
    });
    let mut parameters: Vec<Value> = query.collect();
    if operation.path.contains("{id}") {
        let schema = json!({"type": "string", "format": "uuid"});
        parameters.push(
            json!({"name": "id", "in": "path", "required": true, "description": "The request.", "schema": schema}),
        );
    }
    if operation.method == "POST" && !is_told_once(operation) {
        let means = "The caller's name for this call: the same again is answered again and done once.";
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[\\x21-\\x7E]+$"});
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "description": means, "schema": schema}));
    }
    parameters
}

/// Nothing is kept that could be told again.
fn is_told_once(operation: &Operation) -> bool {
    operation.answer == "handle"
}

fn responses(operation: &Operation) -> Map<String, Value> {
    let is_write = operation.method == "POST";
    let json_of =
        |name: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}});
    let good = match operation.answer {
        "object" => json!({"application/json": {"schema": {"type": "object"}}}),
        name => json_of(name),
    };
    let mut answers = Map::new();
    let is_new = operation.id == "submitRequest";
    let mut done = json!({"description": "Done.", "content": good});
    if is_new {
        done["headers"] = json!({"Location": {
            "description": "Path of the request.", "schema": {"type": "string", "format": "uri-reference"},
        }});
    }
    answers.insert(if is_new { "201" } else { "200" }.to_owned(), done);
    if is_write && !is_told_once(operation) {
        let means = "The command is stored; it takes effect as soon as the roles run.";
        answers.insert("202".to_owned(), json!({"description": means, "content": json_of("stored")}));
    }
    let may = |status: &str| match status {
        "401" | "429" => operation.scope.is_some(),
        "403" => operation.scope.is_some(),
        "404" => operation.path.contains("{id}") || operation.id == "searchAudit",
        "400" => is_write || operation.path.contains("{id}") || !operation.query.is_empty(),
        "408" | "409" | "413" | "415" | "422" => is_write,
        _ => true,
    };
    for (status, name, _) in PROBLEMS.iter().filter(|(status, ..)| may(status)) {
        answers.insert((*status).to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
    }
    answers
}

fn describe(operation: &Operation) -> Value {
    let tag = match operation.path {
        "/openapi.json" | "/me" => "interface",
        "/audit" => "audit",
        path if path == "/grants" || path.ends_with("/report") || path.ends_with("/handle") => "grants",
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
        // What needs no more than a word needs no body at all.
        let required = schema["required"].is_array();
        described["requestBody"] = json!({"required": required, "content": {"application/json": {"schema": schema}}});
    }
    described
}

pub(super) async fn show() -> Json<Value> {
    Json(document())
}
