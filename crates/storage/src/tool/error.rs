//! Why a tool could not do its work, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{ErrorClass, StoreError};

/// Why work on a whole database could not be done. Its text says what a person can do.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// What storage says of the database.
    #[error(transparent)]
    Store(
        /// It.
        #[from]
        StoreError,
    ),
    /// There is no such file.
    #[error("there is no file {path}")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is there already.
    #[error("{path} is there already: give another name, or move it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("cannot {doing} {path}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is no room for a file.
    #[error("there is no room for {path}: free some space on its disk, or give a place on another one")]
    Full {
        /// The file or folder.
        path: PathBuf,
    },
    /// A database, but not ours.
    #[error("{database} is a database, but holds none of plimsoll's tables: give the file of a backup or of a data folder")]
    Foreign {
        /// The database.
        database: String,
    },
    /// It must be brought up to date first.
    #[error("{database} is of an older version (it lacks {step}): run `plimsoll db migrate` first")]
    Old {
        /// The database.
        database: String,
        /// The first step that it lacks.
        step: String,
    },
    /// The database says that its own pages or keys are broken.
    #[error("{database} is damaged ({what}): take another backup")]
    Broken {
        /// The database.
        database: String,
        /// What its own check says, its first line.
        what: String,
    },
    /// The copy that is to take the database's place would not fit.
    #[error(
        "{database} has {needed} bytes, and {folder} has {free} free: make room, or leave it; the bot runs with it as it is, but the \
         file never becomes smaller"
    )]
    NoRoom {
        /// The database.
        database: String,
        /// Bytes that the copy may take.
        needed: u64,
        /// Where it would be.
        folder: PathBuf,
        /// Bytes that are free there.
        free: u64,
    },
    /// A server's database is not a file.
    #[error("{database} is on a server: {instead}")]
    Server {
        /// The database.
        database: String,
        /// What to run instead.
        instead: &'static str,
    },
    /// Both ends are one.
    #[error("{database} cannot be copied onto itself")]
    Same {
        /// The database.
        database: String,
    },
    /// The target holds rows.
    #[error("{database} is not empty ({rows} rows in {table}): say --replace to have them replaced, or give an empty one")]
    NotEmpty {
        /// The target.
        database: String,
        /// A table with rows.
        table: String,
        /// How many it has.
        rows: u64,
    },
    /// The two databases have different tables or columns.
    #[error("{from} and {to} differ in their tables ({what}): bring both up to date with `plimsoll db migrate`")]
    Schemas {
        /// The source.
        from: String,
        /// The target.
        to: String,
        /// The first difference.
        what: String,
    },
    /// A table that cannot be copied.
    #[error("table {table} of {database} cannot be copied: {why}")]
    Uncopyable {
        /// The database.
        database: String,
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// What was written is not what was read.
    #[error("table {table}: {read} rows were read, {written} written, and they are not the same: nothing was changed; try again")]
    Differs {
        /// The table.
        table: String,
        /// Rows of the source.
        read: u64,
        /// Rows of the target.
        written: u64,
    },
}

impl ToolError {
    /// Tells what a caller can do.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(error) => error.class(),
            Self::Missing { .. }
            | Self::Exists { .. }
            | Self::Foreign { .. }
            | Self::Old { .. }
            | Self::Broken { .. }
            | Self::Server { .. }
            | Self::Same { .. }
            | Self::NotEmpty { .. }
            | Self::Schemas { .. }
            | Self::Uncopyable { .. } => ErrorClass::Refused,
            Self::File { .. } | Self::Full { .. } | Self::Differs { .. } | Self::NoRoom { .. } => ErrorClass::Unavailable,
        }
    }

    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::Full { path: path.to_owned() },
            _ => Self::File { doing, path: path.to_owned(), source },
        }
    }
}
