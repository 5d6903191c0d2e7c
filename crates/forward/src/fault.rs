//! Why a receiver did not accept a batch.

use std::time::Duration;

use runtime::outcome::Failure;

/// Why a receiver did not accept a batch.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is unreachable or busy. Retry later, after this time if it named one.
    Unavailable(String, Option<Duration>),
    /// It refused the batch as too large.
    TooLarge(String),
    /// It refuses until an operator fixes something.
    Refused(String),
}

impl Fault {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Unavailable(words, _) | Self::TooLarge(words) | Self::Refused(words) => words,
        }
    }

    /// The pause before the next attempt; `None` when a retry alone does not help.
    pub(super) fn pause(&self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Unavailable(_, Some(pause)) => Some(*pause),
            Self::Unavailable(_, None) => Some(broker::backoff(attempt)),
            Self::TooLarge(_) | Self::Refused(_) => None,
        }
    }

    /// The same fault with the name of the log.
    pub(super) fn about(self, log: &str) -> Self {
        let about = |words: String| format!("{log}: {words}");
        match self {
            Self::Unavailable(words, pause) => Self::Unavailable(about(words), pause),
            Self::TooLarge(words) => Self::TooLarge(about(words)),
            Self::Refused(words) => Self::Refused(about(words)),
        }
    }

    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Unavailable(words, _) => Failure::Unreachable(words),
            Self::TooLarge(message) | Self::Refused(message) => {
                Failure::Refused { code: "not_taken".to_owned(), message }
            }
        }
    }
}

/// The fault of a failed connection. A receiver with an untrusted certificate is not called again at once.
pub(super) fn unconnected(host: &str, fault: &(dyn std::error::Error + 'static)) -> Fault {
    match distrust(fault) {
        Some(why) => Fault::Refused(format!(
            "the certificate of {host} is not trusted ({why}); set its certificate authority with --ca-file"
        )),
        None => Fault::Unavailable(plain(&workers::error_chain(fault)), None),
    }
}

/// A library's message without the links to its documentation.
pub(super) fn plain(words: &str) -> String {
    let words: Vec<&str> = words.split(": ").filter(|part| !part.starts_with("https://docs.rs/")).collect();
    words.join(": ")
}

/// The fault of the receiver's certificate, if that is the cause.
fn distrust(fault: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(fault);
    while let Some(fault) = next {
        // An I/O error does not list the error inside it as its source.
        let carried = fault.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = carried.and_then(|carried| distrust(carried)) {
            return Some(found);
        }
        if let Some(rustls::Error::InvalidCertificate(why)) = fault.downcast_ref() {
            return Some(why.to_string());
        }
        next = fault.source();
    }
    None
}
