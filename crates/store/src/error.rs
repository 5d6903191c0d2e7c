//! What can go wrong with the database, as values to branch on.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database answered with an error or not at all.
    #[error("{doing}")]
    Database {
        /// What the store was doing.
        doing: &'static str,
        /// The database's words.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error("migrating the database failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The schema is not the one this program was built for.
    #[error("the database has schema version {found:?} and this program needs {wanted}; run `lockbox migrate`")]
    Schema {
        /// Version found.
        found: Option<i64>,
        /// Version needed.
        wanted: i64,
    },
    /// A setting of the server would let acknowledged work be lost.
    #[error("the database runs with {setting}={value}, which can lose committed work; set it to {wanted}")]
    Unsafe {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A row cannot be read as what it should be; somebody changed it past the program.
    #[error("request {request} cannot be read: {problem}")]
    Corrupt {
        /// The request.
        request: uuid::Uuid,
        /// What is wrong.
        problem: String,
    },
    /// Another event is on record for this step of a request.
    #[error("another event is on record for the same step of request {request}")]
    StepTaken {
        /// The request.
        request: uuid::Uuid,
    },
    /// Another sequencer moved the head of a log in the meantime.
    #[error("another sequencer was faster")]
    Outrun,
    /// The log's hashes in the database do not belong together; somebody changed them past the program.
    #[error("the tree of the audit log {origin} does not hold: {problem}")]
    Tree {
        /// The log.
        origin: String,
        /// What is wrong.
        problem: String,
    },
    /// What only the tenant's own approvers may do.
    #[error("{0}")]
    TenantsOwn(String),
    /// Nothing of that id.
    #[error("nothing is known under {0}")]
    NotFound(String),
}

impl Error {
    pub(crate) fn at(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// Whether waiting may help: the database is away, or two transactions got in each other's way.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => self.is_outage() || is_conflict(source),
            _ => false,
        }
    }

    /// Whether the database itself is away, so that nobody's work can be done: a reason to pause, not an attempt.
    pub fn is_outage(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        match source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => true,
            // 08 connection, 53 resources, 57P going down or starting up, 58 system.
            sqlx::Error::Database(fault) => {
                fault.code().is_some_and(|code| ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }

    /// Whether the login has no right to do this.
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

/// Serialization failure, deadlock, lock not available, and a guard that saw the deadline pass between our clock and
/// its own: all are right on a second look.
fn is_conflict(source: &sqlx::Error) -> bool {
    let sqlx::Error::Database(fault) = source else { return false };
    fault.code().is_some_and(|code| ["40001", "40P01", "55P03", "LB002"].contains(&&*code))
}
