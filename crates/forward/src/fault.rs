//! Why the other end did not take a batch.

use std::time::Duration;

use runtime::outcome::Failure;

/// Why the other end did not take a batch.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is away or busy: again later, after this long if it said so.
    Away(String, Option<Duration>),
    /// It takes batches, but none as large as this.
    TooLarge(String),
    /// It will not take it before somebody mends something.
    Refused(String),
}

impl Fault {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Away(words, _) | Self::TooLarge(words) | Self::Refused(words) => words,
        }
    }

    /// How long to wait before the next try; `None` when trying again does not help by itself.
    pub(super) fn pause(&self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Away(_, Some(pause)) => Some(*pause),
            Self::Away(_, None) => Some(broker::backoff(attempt)),
            Self::TooLarge(_) | Self::Refused(_) => None,
        }
    }

    /// The same, with the name of the log whose batch it was.
    pub(super) fn about(self, log: &str) -> Self {
        let about = |words: String| format!("{log}: {words}");
        match self {
            Self::Away(words, pause) => Self::Away(about(words), pause),
            Self::TooLarge(words) => Self::TooLarge(about(words)),
            Self::Refused(words) => Self::Refused(about(words)),
        }
    }

    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Away(words, _) => Failure::Unreachable(words),
            Self::TooLarge(message) | Self::Refused(message) => {
                Failure::Refused { code: "not_taken".to_owned(), message }
            }
        }
    }
}

/// What went wrong while connecting. An end that is not who it should be is not asked again and again.
pub(super) fn unconnected(host: &str, fault: &(dyn std::error::Error + 'static)) -> Fault {
    match distrust(fault) {
        Some(why) => Fault::Refused(format!(
            "the certificate of {host} is not to be trusted ({why}); name its authority with --ca-file"
        )),
        None => Fault::Away(plain(&workers::error_chain(fault)), None),
    }
}

/// A library's words without the address of its manual.
pub(super) fn plain(words: &str) -> String {
    let words: Vec<&str> = words.split(": ").filter(|part| !part.starts_with("https://docs.rs/")).collect();
    words.join(": ")
}

/// What is wrong with the other end's certificate, where that is the cause.
fn distrust(fault: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(fault);
    while let Some(fault) = next {
        // An input and output error hides what it carries from its chain of sources.
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
