//! Names of exchanges and queues. With its own prefix, several deployments and tests can share a broker.

use crate::error::Error;

/// The exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exchange {
    /// Commands from ticketing systems and other programs.
    Requests,
    /// Commands between Lockbox's processes.
    Commands,
    /// Events.
    Events,
    /// Notifications to send as mail.
    Notifications,
    /// Timer wake-ups that wait on a delay level.
    Delay,
    /// Messages that no queue is bound for.
    Unroutable,
    /// Messages that were rejected or delivered too often.
    DeadLetter,
}

impl Exchange {
    /// Every exchange.
    pub const ALL: [Self; 7] = [
        Self::Requests,
        Self::Commands,
        Self::Events,
        Self::Notifications,
        Self::Delay,
        Self::Unroutable,
        Self::DeadLetter,
    ];

    /// Whether it only receives messages from the broker: no program publishes to it.
    pub fn is_broker_only(self) -> bool {
        matches!(self, Self::Unroutable | Self::DeadLetter)
    }

    /// Name after the prefix.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Commands => "commands",
            Self::Events => "events",
            Self::Notifications => "notifications",
            Self::Delay => "delay",
            Self::Unroutable => "unroutable",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// The names of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Names under `prefix`; `lockbox` is the default everywhere.
    ///
    /// # Errors
    /// [`Error::Prefix`] when it has characters that are not allowed in names.
    pub fn new(prefix: &str) -> Result<Self, Error> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        if prefix.is_empty() || prefix.len() > 40 || !prefix.chars().all(fits) {
            return Err(Error::Prefix(prefix.to_owned()));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Name of an exchange.
    pub fn exchange(&self, exchange: Exchange) -> String {
        format!("{}.{}", self.prefix, exchange.as_str())
    }

    /// Name of a queue: a role, `dead-letter`, or `delay.<level>`.
    pub fn queue(&self, queue: &str) -> String {
        format!("{}.{queue}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_start_with_their_prefix() {
        let names = Names::new("contoso.lockbox").unwrap();
        assert_eq!(names.queue("manager-review"), "contoso.lockbox.manager-review");
        assert_eq!(names.exchange(Exchange::Delay), "contoso.lockbox.delay");
        for wrong in ["", "Über", "a b", &"x".repeat(41)] {
            assert!(Names::new(wrong).is_err(), "{wrong}");
        }
    }
}
