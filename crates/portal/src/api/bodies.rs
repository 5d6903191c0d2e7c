//! JSON Schemas of request bodies that no message has.

/// A decision.
pub(super) const DECISION: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["verdict", "digest"],
  "properties": {
    "verdict": {"type": "string", "enum": ["approve", "deny"], "description": "Approve or deny."},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Digest of the request that you decide on."},
    "comment": {"type": "string", "maxLength": 2000, "description": "Comment."},
    "duration_seconds": {"type": "integer", "minimum": 1, "maximum": 604800, "description": "Approve for a shorter time than requested, in seconds."},
    "assertion": {
      "type": "object", "additionalProperties": false,
      "required": ["credential", "authenticator_data", "client_data", "signature"],
      "description": "Assertion of a passkey, each field as the browser returned it (base64url without padding).",
      "properties": {
        "credential": {"type": "string", "description": "Id of the passkey."},
        "authenticator_data": {"type": "string", "description": "`authenticatorData`."},
        "client_data": {"type": "string", "description": "`clientDataJSON`."},
        "signature": {"type": "string", "description": "Signature over both."}
      }
    }
  }
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
