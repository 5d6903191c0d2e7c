//! W3C trace context (`traceparent`), carried in messages so that one action can be traced across workers.

use std::fmt;
use std::str::FromStr;

/// A trace and the step in it, after <https://www.w3.org/TR/trace-context/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    trace: u128,
    span: u64,
}

impl Traceparent {
    /// A new trace.
    pub fn start() -> Self {
        Self { trace: fastrand::u128(1..), span: fastrand::u64(1..) }
    }

    /// The next step of the same trace.
    pub fn child(self) -> Self {
        Self { trace: self.trace, span: fastrand::u64(1..) }
    }

    /// The next step of the trace in a message, or a new trace when the message has none or an invalid one.
    pub fn follow(received: Option<&str>) -> Self {
        received.and_then(|text| text.parse::<Self>().ok()).map_or_else(Self::start, Self::child)
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

/// The text is not a `traceparent` of version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATraceparent;

impl FromStr for Traceparent {
    type Err = NotATraceparent;

    fn from_str(text: &str) -> Result<Self, NotATraceparent> {
        let mut parts = text.split('-');
        let (Some("00"), Some(trace), Some(span), Some(_flags), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotATraceparent);
        };
        if trace.len() != 32 || span.len() != 16 {
            return Err(NotATraceparent);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| NotATraceparent)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NotATraceparent)?;
        if trace == 0 || span == 0 { Err(NotATraceparent) } else { Ok(Self { trace, span }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_keeps_its_trace_and_an_invalid_value_starts_a_new_one() {
        let start = Traceparent::start();
        let child = Traceparent::follow(Some(&start.to_string()));
        assert_eq!(child.trace, start.trace);
        assert_ne!(child.span, start.span);
        assert_ne!(Traceparent::follow(Some("00-zz-1-01")).trace, start.trace);
    }
}
