//! Errors of the store, as values to branch on.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database returned an error or did not answer.
    #[error("{doing}")]
    Database {
        /// What the store was doing.
        doing: &'static str,
        /// The error of the database driver.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error("migrating the database failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The schema is not the one this program was built for.
    #[error("the database has schema version {found:?} and this program needs {needed}; run `lockbox migrate`")]
    Schema {
        /// Version found.
        found: Option<i64>,
        /// Version needed.
        needed: i64,
    },
    /// A setting of the server could lose acknowledged work.
    #[error("the database runs with {setting}={value}, which can lose committed work; set it to {needed}")]
    Unsafe {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        needed: &'static str,
    },
    /// The database accepts no writes: it is a standby, or its administrator made it read-only.
    #[error("the database is read-only")]
    ReadOnly,
    /// Connections share sessions of the server, so that locks and settings of a session do not work.
    #[error(
        "the database URL leads to a connection pooler in transaction mode; use its session mode, or connect to the \
         server itself"
    )]
    Pooled,
    /// A row cannot be read because it was changed outside the program.
    #[error("request {request} cannot be read: {problem}")]
    Corrupt {
        /// The request.
        request: uuid::Uuid,
        /// What is wrong.
        problem: String,
    },
    /// Another event is recorded for this step of a request.
    #[error("another event is already recorded for the same step of request {request}")]
    StepRecorded {
        /// The request.
        request: uuid::Uuid,
    },
    /// Another sequencer moved the head of a log in the meantime.
    #[error("another sequencer was faster")]
    SequencedElsewhere,
    /// The stored hashes of a log do not match each other because they were changed outside the program.
    #[error("the tree of the audit log {origin} is inconsistent: {problem}")]
    Tree {
        /// The log.
        origin: String,
        /// What is wrong.
        problem: String,
    },
    /// A change that only the tenant's own approvers may make.
    #[error("{0}")]
    ReservedForTenant(String),
    /// The tenant has an authority of its own, and only a signed statement changes it.
    #[error(
        "the tenant {0} is founded: only its own approvers change its rules, approvers and delegations, with a signature"
    )]
    TenantIsFounded(String),
    /// A statement or a signature is not acceptable.
    #[error("the statement is refused: {0}")]
    Authority(#[from] consent::Fault),
    /// There is nothing with this id.
    #[error("there is nothing with the id {0}")]
    NotFound(String),
}

impl Error {
    pub(crate) fn at(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// Whether a retry may help: the database is unavailable, or two transactions conflicted.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => self.is_outage() || is_conflict(source),
            _ => self.is_outage(),
        }
    }

    /// Whether the database itself is unavailable or accepts no writes, so that no work is possible. This is a reason to pause
    /// and does not count as an attempt.
    pub fn is_outage(&self) -> bool {
        let source = match self {
            Self::Database { source, .. } => source,
            Self::ReadOnly => return true,
            _ => return false,
        };
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(fault) => fault.code().is_some_and(|code| is_away(&code)),
            _ => false,
        }
    }

    /// Whether the login lacks the right to do this.
    pub fn is_forbidden(&self) -> bool {
        let Self::Database { source: sqlx::Error::Database(fault), .. } = self else { return false };
        fault.code().is_some_and(|code| code == "42501")
    }

    /// The named constraint that refused a write.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database { source: sqlx::Error::Database(fault), .. } => fault.constraint(),
            _ => None,
        }
    }
}

/// Whether a SQLSTATE means that the server cannot work: 08 connection, 53 resources (a full disk is 53100), 57P shutting
/// down or starting up, 58 system, 25006 read-only (a standby after a failover).
fn is_away(code: &str) -> bool {
    ["08", "53", "57P", "58", "25006"].iter().any(|class| code.starts_with(class))
}

/// Serialization failure, deadlock, lock not available, and a guard that saw the deadline pass between our clock and
/// its own: a retry resolves each of them.
fn is_conflict(source: &sqlx::Error) -> bool {
    let sqlx::Error::Database(fault) = source else { return false };
    fault.code().is_some_and(|code| ["40001", "40P01", "55P03", "LB002"].contains(&&*code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_database_and_a_full_disk_are_outages_and_a_refused_row_is_not() {
        for code in ["25006", "53100", "53200", "53300", "57P01", "57P03", "58030", "08006"] {
            assert!(is_away(code), "{code}");
        }
        for code in ["23505", "25001", "25P02", "42501", "40001", "57014", "22P05"] {
            assert!(!is_away(code), "{code}");
        }
        assert!(Error::ReadOnly.is_outage() && Error::ReadOnly.is_transient());
        assert!(!Error::Pooled.is_outage() && !Error::Pooled.is_transient());
    }
}
