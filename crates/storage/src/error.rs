//! Why storage could not do something, and what to do about it.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::limits::RETRY_FIRST;
use crate::readers::{ForeignReader, foreign_writer};

/// What lies beneath an error; shared, because one failed commit may answer several callers.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why storage could not do something. Its text says what a person can do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process works on this database.
    #[error("the database {database} is in use by {holder}: stop that one, or give this one a data folder of its own")]
    InUse {
        /// The database.
        database: String,
        /// Who has it.
        holder: Holder,
    },
    /// The folder cannot be made or written.
    #[error("cannot write in the data folder {folder}: create it, make it writable for this user, or configure another one")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The database's file cannot be opened for writing.
    #[error("{database} cannot be written: it must be a file, and it and its folder must be writable for this user")]
    Unwritable {
        /// The database.
        database: String,
        /// What the database says.
        #[source]
        source: Cause,
    },
    /// There is no room for more.
    #[error("the disk of the database {database} is full, or the database reached size_max_bytes: free some space or raise it")]
    Full {
        /// The database.
        database: String,
    },
    /// A newer program wrote the database.
    #[error(
        "the database {database} was written by a newer version (schema {found}, this program knows up to {known}): start the newer version, or restore a backup"
    )]
    SchemaNewer {
        /// The database.
        database: String,
        /// The newest migration in it.
        found: String,
        /// The newest migration that this program has.
        known: String,
    },
    /// The file is something else, or damaged.
    #[error("{database} is not a database or is damaged: restore a backup, or move it away to start anew")]
    Damaged {
        /// The database.
        database: String,
        /// What the database says.
        #[source]
        source: Cause,
    },
    /// A row holds what this program never writes.
    #[error("a row of {table} cannot be read: {column} is {value:?}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The value, as text.
        value: String,
    },
    /// The server cannot be reached.
    #[error("the database {database} cannot be reached: check that it runs, its address, user and password")]
    Unreachable {
        /// The database.
        database: String,
        /// What the driver says.
        #[source]
        source: Cause,
    },
    /// All connections are taken, or the database does not answer in time.
    #[error("the database {database} is busy: it did not answer within {} s", waited.as_secs())]
    Busy {
        /// The database.
        database: String,
        /// How long we waited.
        waited: Duration,
    },
    /// Another program holds SQLite's lock.
    #[error("the database {database} is locked by {}: close it there; what is to be stored waits", program(holder.as_ref()))]
    Locked {
        /// The database.
        database: String,
        /// Who holds it, as far as the system tells.
        holder: Option<ForeignReader>,
    },
    /// The disk does not do what it should.
    #[error("the disk of the database {database} fails: look into the system's log; if the database is damaged, restore a backup")]
    Disk {
        /// The database.
        database: String,
        /// What the database says.
        #[source]
        source: Cause,
    },
    /// The query asks for too much.
    #[error("the query is out of range: {what} is {value}, at most {most}")]
    TooMuch {
        /// What of it.
        what: &'static str,
        /// What was asked for.
        value: u64,
        /// What is allowed.
        most: u64,
    },
    /// The query asks for too little.
    #[error("the query is out of range: {what} is {value}, at least {least}")]
    TooLittle {
        /// What of it.
        what: &'static str,
        /// What was asked for.
        value: u64,
        /// What is allowed.
        least: u64,
    },
    /// The store was stopped.
    #[error("storage has stopped")]
    Stopped,
    /// The memory ledger or the task set did not take storage's part.
    #[error("storage cannot start its writer")]
    Start {
        /// Why.
        #[source]
        source: Cause,
    },
    /// The schema is to be changed, and no backup could be made before.
    #[error("no backup of {database} could be made before it is brought up to date, so nothing was changed: see why, then start again")]
    Backup {
        /// The database.
        database: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A file that was to take the database's place could not.
    #[error("a restore of {database} was cut short and cannot be finished: see why, then start again")]
    Restore {
        /// The database.
        database: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// Anything else that the database says.
    #[error("the database {database} refused a statement")]
    Database {
        /// The database.
        database: String,
        /// What it says.
        #[source]
        source: Cause,
    },
}

/// What a caller can do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Try again after this time.
    Retry {
        /// How long to wait.
        after: Duration,
    },
    /// The request itself is wrong.
    Refused,
    /// Storage does not work now; a person or time may mend it.
    Unavailable,
    /// It will never work so.
    Fatal,
}

impl StoreError {
    /// Tells what a caller can do.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Busy { .. } | Self::Locked { .. } => ErrorClass::Retry { after: RETRY_FIRST },
            Self::TooMuch { .. } | Self::TooLittle { .. } => ErrorClass::Refused,
            Self::Full { .. } | Self::Unreachable { .. } | Self::Disk { .. } | Self::Database { .. } => ErrorClass::Unavailable,
            Self::InUse { .. }
            | Self::Folder { .. }
            | Self::Unwritable { .. }
            | Self::SchemaNewer { .. }
            | Self::Damaged { .. }
            | Self::Corrupt { .. }
            | Self::Backup { .. }
            | Self::Restore { .. }
            | Self::Start { .. }
            | Self::Stopped => ErrorClass::Fatal,
        }
    }

    /// Writes the error with all its causes in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// What the system says of the folder of a database, or of a file in it.
    pub(crate) fn folder(database: &Path, folder: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return Self::Full { database: database.display().to_string() };
        }
        Self::Folder { folder: folder.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn start(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Start { source: Arc::new(source) }
    }

    /// Sorts what the driver says by what a person can do about it.
    pub(crate) fn of(database: &str, error: DbErr) -> Self {
        let database = database.to_owned();
        let kind = match &error {
            DbErr::ConnectionAcquire(_) => Kind::Busy,
            DbErr::Conn(RuntimeErr::SqlxError(source)) => match kind_of(source) {
                Kind::Other => Kind::Unreachable,
                kind => kind,
            },
            DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) => kind_of(source),
            _ => Kind::Other,
        };
        match kind {
            Kind::Busy => Self::Busy { database, waited: crate::limits::ACQUIRE_TIMEOUT },
            Kind::TooLong => Self::Busy { database, waited: crate::limits::QUERY_TIMEOUT },
            Kind::Locked => {
                let holder = foreign_writer(Path::new(&database));
                Self::Locked { database, holder }
            }
            Kind::Disk => Self::Disk { database, source: Arc::new(error) },
            Kind::Full => Self::Full { database },
            Kind::Unwritable => Self::Unwritable { database, source: Arc::new(error) },
            Kind::Damaged => Self::Damaged { database, source: Arc::new(error) },
            Kind::Unreachable => Self::Unreachable { database, source: Arc::new(error) },
            Kind::Other => Self::Database { database, source: Arc::new(error) },
        }
    }
}

enum Kind {
    Busy,
    TooLong,
    Locked,
    Disk,
    Full,
    Unwritable,
    Damaged,
    Unreachable,
    Other,
}

/// Reads the codes of SQLite (sqlite.org/rescode.html) and PostgreSQL (appendix A of its manual).
fn kind_of(error: &sqlx::Error) -> Kind {
    let code = match error {
        sqlx::Error::PoolTimedOut => return Kind::Busy,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => return Kind::Unreachable,
        sqlx::Error::Database(error) => error.code(),
        _ => None,
    };
    let Some(code) = code.as_deref() else { return Kind::Other };
    // SQLite's extended codes carry the plain one in their low byte; PostgreSQL's codes have five characters.
    match code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|code| code & 0xff) {
        Some(5 | 6) => Kind::Locked,
        Some(9) => Kind::TooLong,
        // The index of the log could not grow, which is said in words of its own.
        Some(10) if code == "4874" => Kind::Full,
        Some(10) => Kind::Disk,
        Some(13) => Kind::Full,
        Some(11 | 26) => Kind::Damaged,
        Some(8 | 14) => Kind::Unwritable,
        Some(_) => Kind::Other,
        None if code == "53100" => Kind::Full,
        None if code == "57014" => Kind::TooLong,
        None if code.starts_with("58030") || code.starts_with("XX001") => Kind::Disk,
        None if code.starts_with("08") || code.starts_with("28") || code.starts_with("57P") || code == "3D000" => Kind::Unreachable,
        None if code.starts_with("53") || code.starts_with("55P03") || code.starts_with("40") => Kind::Busy,
        None => Kind::Other,
    }
}

/// Names another program.
pub(crate) fn program(holder: Option<&ForeignReader>) -> String {
    holder.map_or_else(|| "another program".to_owned(), ForeignReader::to_string)
}

/// Who has a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process of this machine.
    Process(
        /// Its id.
        u32,
    ),
    /// A session of the database server, as it calls itself.
    Session(
        /// Its name.
        String,
    ),
    /// It cannot be told.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(id) => write!(f, "another instance (process {id})"),
            Self::Session(name) => write!(f, "another instance ({name})"),
            Self::Unknown => f.write_str("another instance"),
        }
    }
}
