use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use plimsoll_bounded::{NotPlanned, SpawnError};
use plimsoll_exchange::Class;
use plimsoll_market::Symbol;
use plimsoll_sim::{ConfigError, RestoreError};
use thiserror::Error;

/// Why a local exchange does not start. Each says what to do about it.
#[derive(Debug, Error)]
pub enum StartError {
    /// Everybody on the network could trade on it.
    #[error("{0} is no loopback address: a local exchange listens on 127.0.0.1 or ::1 only")]
    NotLoopback(SocketAddr),
    /// The address is taken or not allowed.
    #[error("cannot listen on {listen}: stop what listens there, or choose another port (0 takes a free one)")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The number of connections is out of range.
    #[error("{0} stream connections are outside 1 to {max}", max = crate::limits::CONNECTIONS_MAX)]
    Connections(usize),
    /// Nobody could trade.
    #[error("no account is given: at least one KEY:SECRET:USDT is needed")]
    NoAccount,
    /// Two accounts have one key.
    #[error("API key {0} is given twice")]
    KeyTwice(String),
    /// The venue refuses its configuration.
    #[error("the venue cannot be set up")]
    Venue(#[from] ConfigError),
    /// The folder's files cannot be read or written.
    #[error("cannot use {path}: make it writable and see that the disk is not full, or choose another folder")]
    State {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("{folder} is in use by another local exchange: stop that one, or choose another folder")]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The journal has a line that is none.
    #[error("line {line} of {path} is damaged: start fresh, or put a copy back")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The journal's rows make no sense.
    #[error("{path} cannot be taken back: start fresh, or put a copy back")]
    Restore {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RestoreError,
    },
    /// A recording cannot be read.
    #[error("recording {path} cannot be read")]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A recording's symbol is unknown.
    #[error("recording {path} names no symbol in its first lines: is it in hftbacktest's format?")]
    RecordingSymbol {
        /// The file.
        path: PathBuf,
    },
    /// A recording is of a symbol that is not listed.
    #[error("recording of {0}, which is not listed")]
    NotListed(Symbol),
    /// More recordings than can be joined.
    #[error("{0} recordings are more than {max}", max = crate::limits::RECORDINGS_MAX)]
    TooManyRecordings(usize),
    /// The grants given are not those of the plan.
    #[error(transparent)]
    Plan(#[from] NotPlanned),
    /// A container is smaller than what it has to hold.
    #[error("the plan was made for another configuration")]
    PlanMismatch,
    /// A task could not be started.
    #[error("a task could not be started")]
    Spawn(#[from] SpawnError),
}

impl StartError {
    /// What the caller can do: all of these need a person.
    pub const fn class(&self) -> Class {
        Class::Fatal
    }
}

/// Why a local exchange has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Stopped {
    /// Its engine has gone: it was stopped, or its task's exit status says why.
    #[error("the local exchange is not running")]
    Gone,
    /// It did not answer in time.
    #[error("the local exchange did not answer in time")]
    Late,
}
