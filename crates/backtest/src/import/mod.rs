//! Makes tapes of other people's files, and refuses what cannot be history.

mod columnar;
mod csvs;
mod open;
mod recorder;
mod repeats;
mod stamp;

pub use csvs::RowKind;

use crate::tape::{TapeError, TapeHead, TapeWriter, Tick};
use core::time::Duration;
use plimsoll_market::{Instrument, Round, Time};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How files are to be read.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// The contract: its digits, and for recordings its name.
    pub instrument: Instrument,
    /// What the rows are; `None` looks at the file's name and its first rows.
    pub kind: Option<RowKind>,
    /// Longest silence that is no gap.
    pub gap_max: Duration,
    /// Whether trades whose numbers are missing are accepted.
    pub allow_missing: bool,
    /// What becomes of prices with more digits than the contract's: refused when exact. Recordings are always read exactly.
    pub prices: Round,
}

/// What was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// The tape.
    pub path: PathBuf,
    /// Its events.
    pub events: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Times of its first and last event.
    pub span: (Time, Time),
    /// Lines that were passed over because they say nothing of this contract, or cannot be read.
    pub skipped: u64,
}

/// Where something is in the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Its line, counted from one.
    pub line: u64,
    /// The time it tells; zero when it tells none.
    pub time: Time,
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)?;
        if self.time > Time::ZERO { write!(f, ", {}", stamp::show(self.time)) } else { Ok(()) }
    }
}

/// Why a file is no history.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("{path}: {text}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// Nobody knows what its rows are.
    #[error(
        "{path}: cannot tell what its rows are from its name and its first rows; say so with --kind klines, agg-trades, trades, book-ticker, funding or recording"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A row is not what it should be.
    #[error("{place}: {text}")]
    Row {
        /// Where.
        place: Place,
        /// What is wrong.
        text: String,
    },
    /// It goes back.
    #[error("{place}: out of order: it comes after {last}")]
    OutOfOrder {
        /// Where.
        place: Place,
        /// What came before.
        last: String,
    },
    /// It tells something a second time.
    #[error("{place}: repeated: {what}")]
    Repeated {
        /// Where.
        place: Place,
        /// What is repeated.
        what: String,
    },
    /// Something is missing.
    #[error("{place}: gap: {what}")]
    Gap {
        /// Where.
        place: Place,
        /// What is missing.
        what: String,
    },
    /// There was nothing in it.
    #[error("{path}: nothing in it is of this contract")]
    Nothing {
        /// The first file.
        path: PathBuf,
    },
    /// The tape cannot be written.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// Takes what is read, in order.
pub(crate) trait Take {
    fn take(&mut self, time: Time, tick: &Tick) -> Result<(), ImportError>;
}

/// Makes one tape of the files, in the order given; what is told of progress is how many files are done.
///
/// # Errors
/// The first place where they are not in order, repeat themselves or have a gap. Nothing is left behind then.
pub fn import(files: &[PathBuf], tape: &Path, options: &ImportOptions, progress: &mut dyn FnMut(usize)) -> Result<Imported, ImportError> {
    let first = files.first().cloned().unwrap_or_default();
    let kind = match options.kind {
        Some(kind) => kind,
        None => csvs::guess(&first)?.ok_or(ImportError::Unknown { path: first.clone() })?,
    };
    let candle_secs = if kind == RowKind::Klines { csvs::candle_secs(&first)? } else { 0 };
    let mut sink =
        Sink { writer: TapeWriter::create(tape, &TapeHead::new(&options.instrument, candle_secs))?, first: None, last: Time::ZERO };
    let skipped = if kind == RowKind::Recording {
        recorder::read(files, options, &mut sink, progress)?
    } else {
        csvs::read(files, kind, candle_secs, options, &mut sink, progress)?
    };
    let events = sink.writer.events();
    let Some(begin) = sink.first else { return Err(ImportError::Nothing { path: first }) };
    let bytes = sink.writer.finish()?;
    Ok(Imported { path: tape.to_owned(), events, bytes, span: (begin, sink.last), skipped })
}

struct Sink {
    writer: TapeWriter,
    first: Option<Time>,
    last: Time,
}

impl Take for Sink {
    fn take(&mut self, time: Time, tick: &Tick) -> Result<(), ImportError> {
        self.first.get_or_insert(time);
        self.last = time;
        Ok(self.writer.push(time, tick)?)
    }
}

pub(crate) use stamp::date;
pub use stamp::show as show_time;
