//! JSON Schemas of request bodies that no message has.

/// A decision.
pub(super) const DECISION: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["verdict", "digest"],
  "properties": {
    "verdict": {"type": "string", "enum": ["approve", "deny"], "description": "Approve or deny."},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Digest of the request that you decide on."},
    "comment": {"type": "string", "maxLength": 2000, "description": "Comment."},
    "duration_seconds": {"type": "integer", "minimum": 1, "maximum": 604800, "description": "Approve for a shorter time than requested, in seconds."},
    "signature": {"type": "object", "description": "What the person signed, and the assertion of their key.", "properties": {"decision": {"type": "object", "description": "The signed document, as docs/audit-format.md §11 describes it.", "properties": {"tenant": {"type": "string"}, "authority_version": {"type": "integer", "minimum": 0}, "request": {"type": "string", "format": "uuid"}, "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "verdict": {"enum": ["approve", "deny"]}, "person": {"type": "string", "format": "uuid"}, "duration_seconds": {"type": "integer", "minimum": 0}, "service": {"type": "string"}, "resource": {"type": "string"}, "access_level": {"enum": ["read_only", "read_write"]}, "comment": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}, "nonce": {"type": "string", "minLength": 1}, "not_after": {"type": "string", "format": "date-time"}}, "required": ["tenant", "authority_version", "request", "digest", "verdict", "person", "duration_seconds", "service", "resource", "access_level", "comment", "nonce", "not_after"], "additionalProperties": false}, "assertion": {"type": "object", "description": "Signature of a key over the decision.", "oneOf": [{"type": "object", "properties": {"kind": {"const": "passkey"}, "key": {"type": "string", "maxLength": 4096}, "client_data": {"type": "string", "maxLength": 4096}, "authenticator_data": {"type": "string", "maxLength": 4096}, "signature": {"type": "string", "maxLength": 4096}}, "required": ["kind", "key", "client_data", "authenticator_data", "signature"], "additionalProperties": false}, {"type": "object", "properties": {"kind": {"const": "software"}, "key": {"type": "string", "maxLength": 4096}, "signature": {"type": "string", "maxLength": 4096}}, "required": ["kind", "key", "signature"], "additionalProperties": false}]}}, "required": ["decision", "assertion"], "additionalProperties": false},
    "comment_salt": {"type": "string", "description": "With a signature and a comment: the salt of the comment. The signature covers the commitment to the comment.", "pattern": "^[0-9a-f]{64}$"}
  }
}"#;
/// A decision that is going to be signed.
pub(super) const SIGNING: &str = r#"{
  "type": "object", "additionalProperties": false,
  "properties": {"comment": {"type": "string", "maxLength": 2000, "description": "Comment of the decision."}}
}"#;
/// A signature under a change of an authority.
pub(super) const CHANGE_SIGNATURE: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["assertion"],
  "properties": {"assertion": {"type": "object", "description": "What the key made over the challenge of the statement."}}
}"#;
/// A change of an authority.
pub(super) const CHANGE: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["statement"],
  "properties": {"statement": {"type": "object", "description": "The next statement, as in `docs/audit-format.md`, section 11."}}
}"#;
/// An optional comment.
pub(super) const OPTIONAL_COMMENT: &str = r#"{
  "type": "object", "additionalProperties": false,
  "properties": {"comment": {"type": "string", "maxLength": 2000, "description": "Comment."}}
}"#;
/// A comment.
pub(super) const COMMENT: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["comment"],
  "properties": {"comment": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "Comment."}}
}"#;

/// The response to an access report.
pub(super) const REPORT: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["acknowledges"],
  "properties": {
    "acknowledges": {"type": "boolean", "description": "`true` acknowledges, `false` disputes."},
    "comment": {"type": "string", "maxLength": 2000, "description": "Comment; required to dispute."}
  }
}"#;
