//! The bytes of a delivery as one CloudEvents document, whatever form its sender chose.

use std::borrow::Cow;

use broker::Delivery;
use contracts::{Malformed, binding};

/// What the bindings of CloudEvents to AMQP and to RabbitMQ put before the name of an attribute.
const ATTRIBUTE_PREFIXES: [&str; 3] = ["cloudEvents:", "cloudEvents_", "ce-"];

/// The envelope's JSON: the body itself, or made of the headers and the body in binary mode.
///
/// # Errors
/// [`Malformed`] for a compressed body, a batch, or data in binary mode that is not JSON.
pub fn document(delivery: &Delivery) -> Result<Cow<'_, [u8]>, Malformed> {
    binding::check_encoding(delivery.content_encoding())?;
    let attributes = delivery.headers_under(&ATTRIBUTE_PREFIXES);
    binding::structured(delivery.content_type(), &attributes, delivery.body())
}
