//! What can go wrong with a store.

use std::fmt;

/// A failure of the store. It says nothing of any target, and must never become a monitor's verdict.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be opened or reached.
    #[error("the database {place} cannot be reached: {detail}")]
    Unreachable {
        /// The file, or the URL without its password.
        place: String,
        /// What the driver reported.
        detail: String,
    },
    /// The disk, or the database's quota, is full.
    #[error("the database cannot write: no space is left ({detail})")]
    Full {
        /// What the driver reported.
        detail: String,
    },
    /// A row with the same key is there already.
    #[error("it exists already ({detail})")]
    Exists {
        /// Which constraint.
        detail: String,
    },
    /// The row changed since it was read, or somebody else holds the lease.
    #[error("it was changed meanwhile")]
    Conflict,
    /// There is no such row in this tenant.
    #[error("there is no such {what}")]
    Missing {
        /// The kind of thing: "monitor", "channel".
        what: &'static str,
    },
    /// The database answered something that this version does not understand.
    #[error("the database holds something unexpected: column {column} {problem}")]
    Column {
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Any other failure of the database.
    #[error("the database failed: {detail}")]
    Failed {
        /// What the driver reported.
        detail: String,
    },
    /// The configured URL cannot be understood.
    #[error(
        "{url:?} is not a database URL: {problem} (examples: landfall.sqlite3, postgres://user@host/landfall)"
    )]
    Url {
        /// As given, with any password masked.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The schema was written by a newer version.
    #[error(
        "the database has schema version {found}, and this version of Landfall knows {known}; use the newer version, or restore a backup"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
}

impl StoreError {
    pub(crate) fn column(column: &str, problem: &str) -> Self {
        Self::Column { column: column.to_owned(), problem: problem.to_owned() }
    }

    pub(crate) fn failed(detail: impl fmt::Display) -> Self {
        Self::Failed { detail: detail.to_string() }
    }

    /// Whether the same call may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Full { .. } | Self::Failed { .. })
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full { detail },
            Some(Code::ConstraintViolation)
                if error.sqlite_error().is_some_and(|e| {
                    // SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE (sqlite.org/rescode.html).
                    matches!(e.extended_code, 1555 | 2067)
                }) =>
            {
                Self::Exists { detail }
            }
            Some(Code::CannotOpen | Code::NotADatabase) => Self::Unreachable { place: "file".into(), detail },
            // A write that the file system refuses for want of space surfaces as an I/O error in WAL mode.
            Some(Code::SystemIoFailure) => Self::Full { detail },
            _ => Self::Failed { detail },
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;
        let detail = error.as_db_error().map_or_else(|| words(&error), |db| db.message().to_owned());
        match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => Self::Exists { detail },
            Some(code) if *code == SqlState::DISK_FULL => Self::Full { detail },
            Some(code)
                if *code == SqlState::T_R_SERIALIZATION_FAILURE
                    || *code == SqlState::T_R_DEADLOCK_DETECTED =>
            {
                Self::Conflict
            }
            Some(code) if code.code().starts_with("57P") || code.code().starts_with("08") => {
                Self::Unreachable { place: "PostgreSQL".into(), detail }
            }
            Some(_) => Self::Failed { detail },
            None => Self::Unreachable { place: "PostgreSQL".into(), detail },
        }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => match Self::from(error) {
                Self::Failed { detail } => Self::Unreachable { place: "PostgreSQL".into(), detail },
                other => other,
            },
            other => Self::Unreachable { place: "PostgreSQL".into(), detail: other.to_string() },
        }
    }
}

fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
