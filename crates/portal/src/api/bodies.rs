//! JSON Schemas of request bodies that no message has.

/// A decision.
pub(super) const DECISION: &str = concat!(
    r#"{
  "type": "object", "additionalProperties": false, "required": ["verdict", "digest"],
  "properties": {
    "verdict": {"type": "string", "enum": ["approve", "deny"], "description": "Approve or deny."},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Digest of the request that you decide on."},
    "comment": {"type": "string", "maxLength": 2000, "description": "Comment."},
    "duration_seconds": {"type": "integer", "minimum": 1, "maximum": 604800, "description": "Approve for a shorter time than requested, in seconds."},
    "signature": "#,
    include_str!("signed_decision.json"),
    r#",
    "comment_salt": {"type": "string", "description": "With a signature and a comment: the salt of the comment. The signature covers the commitment to the comment.", "pattern": "^[0-9a-f]{64}$"}
  }
}"#
);
/// A decision that is going to be signed.
pub(super) const SIGNING: &str = r#"{
  "type": "object", "additionalProperties": false,
  "properties": {"comment": {"type": ["string", "null"], "description": "Comment of the decision, at most 2,000 characters without invisible ones."}}
}"#;
/// A signature under a change of an authority.
pub(super) const CHANGE_SIGNATURE: &str = concat!(
    r#"{"type": "object", "additionalProperties": false, "required": ["assertion"], "properties": {"assertion": "#,
    include_str!("assertion.json"),
    "}}"
);
/// A change of an authority.
pub(super) const CHANGE: &str = concat!(
    r#"{"type": "object", "additionalProperties": false, "required": ["statement"], "properties": {"statement": "#,
    include_str!("statement.json"),
    "}}"
);
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
