//! Reads a delivery as one CloudEvents document, in structured or in binary mode.

use std::borrow::Cow;

use broker::Delivery;
use contracts::{Malformed, binding};

/// Prefixes of attribute names in the CloudEvents bindings for AMQP and RabbitMQ.
const ATTRIBUTE_PREFIXES: [&str; 3] = ["cloudEvents:", "cloudEvents_", "ce-"];

/// The envelope as JSON: the body itself, or in binary mode the headers and the body together.
///
/// # Errors
/// [`Malformed`] for a compressed body, a batch, or data in binary mode that is not JSON.
pub fn document(delivery: &Delivery) -> Result<Cow<'_, [u8]>, Malformed> {
    binding::check_encoding(delivery.content_encoding())?;
    let attributes = delivery.headers_under(&ATTRIBUTE_PREFIXES);
    binding::structured(delivery.content_type(), &attributes, delivery.body())
}
