//! The two forms of CloudEvents over AMQP: structured (everything in the body) and binary (attributes in headers).
//! Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md>.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::envelope::SIZE_LIMIT_BYTES;
use crate::malformed::Malformed;
use crate::reading::unmarked;

/// Refuses a compressed body. Names of character sets are accepted, because some clients put them here.
///
/// # Errors
/// [`Malformed`] that names the encoding.
pub fn check_encoding(encoding: Option<&str>) -> Result<(), Malformed> {
    let encoding = encoding.unwrap_or_default().trim();
    let plain = ["", "identity", "utf-8", "utf8", "us-ascii"];
    if plain.iter().any(|plain| encoding.eq_ignore_ascii_case(plain)) {
        return Ok(());
    }
    let detail = format!("content_encoding is {encoding:?}; send the body as plain UTF-8 JSON, without compression");
    Err(Malformed::new("schema.encoded", detail))
}

/// The structured form of a message. `attributes` are the headers of the binding, without their prefix.
///
/// # Errors
/// [`Malformed`] for a batch, or for data in binary mode that is not JSON.
pub fn structured<'a>(
    content_type: Option<&str>,
    attributes: &[(String, String)],
    body: &'a [u8],
) -> Result<Cow<'a, [u8]>, Malformed> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type.starts_with("application/cloudevents-batch") {
        return Err(Malformed::new(
            "schema.invalid",
            "this is a batch of events; publish each event as a separate message",
        ));
    }
    let is_binary = attributes.iter().any(|(name, _)| name == "specversion");
    if !is_binary || media_type.starts_with("application/cloudevents") || body.len() > SIZE_LIMIT_BYTES {
        return Ok(Cow::Borrowed(body));
    }
    let is_json = media_type.is_empty() || media_type == "application/json" || media_type.ends_with("+json");
    if !is_json {
        let detail = format!("the content type {media_type:?} is not supported; send application/json");
        return Err(Malformed::new("schema.invalid", detail));
    }
    let data = unmarked(body).map_err(|fault| Malformed::new("schema.unparseable", fault))?;
    let data: &RawValue = serde_json::from_slice(data)
        .map_err(|fault| Malformed::new("schema.unparseable", format_args!("the data is not JSON: {fault}")))?;
    let mut document: Map<String, Value> =
        attributes.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    // In the binding, this is the property `content_type`.
    document.insert("datacontenttype".to_owned(), Value::String("application/json".to_owned()));
    // The only attribute that is a number.
    document.remove("subjectversion");
    document.remove("data");
    let mut text = Value::Object(document).to_string();
    text.truncate(text.len() - 1);
    // The original text of the data: parsing it to a value would hide duplicate fields.
    text.push_str(",\"data\":");
    text.push_str(data.get());
    text.push('}');
    Ok(Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::kinds::Kind;

    fn attributes() -> Vec<(String, String)> {
        [("specversion", "1.0"), ("id", "7"), ("source", "/ticketing"), ("type", "lockbox.ticket.closed.v1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    #[test]
    fn a_message_reads_the_same_in_binary_and_in_structured_mode() {
        let body =
            structured(Some("application/json; charset=utf-8"), &attributes(), b"{\"tenant\": \"contoso\"}").unwrap();
        let (envelope, kind) = Envelope::read(&body).unwrap();
        assert_eq!((envelope.id.as_str(), kind), ("7", Kind::TicketClosed));
        assert_eq!(envelope.data.get(), "{\"tenant\": \"contoso\"}");
        let twice = b"{\"tenant\":\"a\",\"tenant\":\"b\"}";
        assert!(structured(None, &attributes(), twice).unwrap().ends_with(b"\"tenant\":\"b\"}}"));
    }

    #[test]
    fn structured_mode_is_unchanged_and_unsupported_content_is_reported() {
        for kind in [Some("application/cloudevents+json"), Some("application/json"), None] {
            assert_eq!(&*structured(kind, &[], b"{}").unwrap(), b"{}");
        }
        let said = |kind, body: &[u8]| structured(Some(kind), &attributes(), body).unwrap_err().detail;
        assert!(said("text/xml", b"<a/>").contains("text/xml"));
        assert!(said("application/cloudevents-batch+json", b"[]").contains("a batch"));
        assert!(said("application/json", b"<a/>").contains("the data is not JSON"));
        assert!(check_encoding(Some("UTF-8")).is_ok() && check_encoding(None).is_ok());
        let fault = check_encoding(Some("gzip")).unwrap_err();
        assert!(fault.code == "schema.encoded" && fault.detail.contains("gzip"));
    }
}
