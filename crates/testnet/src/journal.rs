//! The venue's state on disk: appended row by row, written anew at start and when it has grown.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use plimsoll_sim::rows::Row;
use plimsoll_sim::venue::Venue;
use tracing::{info, warn};

use crate::error::StartError;
use crate::limits::{JOURNAL_BYTES_MAX, JOURNAL_LINE_MAX};

/// Bytes written at once; a batch of rows is flushed at its end, whatever its size.
const BUFFER_BYTES: usize = 16 * 1024;

/// Where rows go.
///
/// A batch is handed to the operating system before anybody is told what it says, and not synced: it survives the end of
/// this process, however sudden, but not that of the machine.
///
/// # Bounds
/// The file is written anew when it passes [`JOURNAL_BYTES_MAX`], or twice what it took when last written anew.
pub(crate) struct Journal {
    open: Option<OpenFile>,
    failed: Option<io::Error>,
}

struct OpenFile {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    limit: u64,
    /// Held as long as the file is in use; the lock goes with it.
    _lock: File,
}

impl Journal {
    /// One that keeps nothing.
    pub(crate) const fn none() -> Self {
        Self { open: None, failed: None }
    }

    /// Opens the journal of a folder, lets the venue take its rows back, and writes it anew.
    ///
    /// # Errors
    /// The folder is in use by another process, cannot be read or written, or holds rows that make no sense.
    pub(crate) fn open(folder: &Path, fresh: bool, venue: &mut Venue) -> Result<Self, StartError> {
        let state = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::State { path, source }
        };
        std::fs::create_dir_all(folder).map_err(state(folder))?;
        let lock_path = folder.join("testnet.lock");
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&lock_path).map_err(state(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(StartError::Locked { folder: folder.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => return Err(StartError::State { path: lock_path, source }),
        }
        let path = folder.join("venue.jsonl");
        if !fresh && path.exists() {
            let mut rows = Rows::open(&path).map_err(state(&path))?;
            venue.restore(&mut rows).map_err(|source| StartError::Restore { path: path.clone(), source })?;
            if let Some(damage) = rows.damage {
                return Err(StartError::Damaged { path, line: damage });
            }
            info!(rows = rows.line, "venue restored");
        }
        let (file, bytes) = write_anew(&path, venue).map_err(state(&path))?;
        let limit = JOURNAL_BYTES_MAX.max(bytes.saturating_mul(2));
        Ok(Self { open: Some(OpenFile { path, file, bytes, limit, _lock: lock }), failed: None })
    }

    /// Adds a row; the end of a batch hands it to the operating system.
    ///
    /// A failure is kept for [`Journal::failure`]: from then on nothing may be promised.
    pub(crate) fn push(&mut self, row: &Row) {
        let Some(open) = &mut self.open else { return };
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = open.push(row) {
            self.failed = Some(error);
        }
    }

    /// Why writing failed, if it has.
    pub(crate) const fn failure(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Writes the file anew when it has grown too large.
    pub(crate) fn tend(&mut self, venue: &Venue) {
        let Some(open) = &mut self.open else { return };
        if open.bytes <= open.limit || self.failed.is_some() {
            return;
        }
        match write_anew(&open.path, venue) {
            Ok((file, bytes)) => {
                info!(size_bytes = open.bytes, anew_bytes = bytes, "journal written anew");
                (open.file, open.bytes, open.limit) = (file, bytes, JOURNAL_BYTES_MAX.max(bytes.saturating_mul(2)));
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// Writes out what is left and syncs it.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match &mut self.open {
            Some(open) => {
                open.file.flush()?;
                open.file.get_ref().sync_data()
            }
            None => Ok(()),
        }
    }
}

impl OpenFile {
    fn push(&mut self, row: &Row) -> io::Result<()> {
        let mut counted = Counted { inner: &mut self.file, bytes: 0 };
        write_row(&mut counted, row)?;
        self.bytes += counted.bytes;
        if matches!(row, Row::Commit { .. }) { self.file.flush() } else { Ok(()) }
    }
}

fn write_row(out: &mut impl Write, row: &Row) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

/// Writes all state into a new file, syncs it, puts it in the old one's place, and goes on with it.
fn write_anew(path: &Path, venue: &Venue) -> io::Result<(BufWriter<File>, u64)> {
    let part = path.with_extension("part");
    let mut counted = Counted { inner: BufWriter::with_capacity(BUFFER_BYTES, File::create(&part)?), bytes: 0 };
    let mut outcome = Ok(());
    venue.snapshot(&mut |row| {
        if outcome.is_ok() {
            outcome = write_row(&mut counted, row);
        }
    });
    outcome?;
    counted.flush()?;
    counted.inner.get_ref().sync_data()?;
    std::fs::rename(&part, path)?;
    Ok((counted.inner, counted.bytes))
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads rows back; a last line that was cut off is left out, any other damage ends the rows and is reported.
struct Rows {
    reader: BufReader<File>,
    line: u64,
    /// The line that could not be read.
    damage: Option<u64>,
}

impl Rows {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(BUFFER_BYTES, File::open(path)?), line: 0, damage: None })
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.damage.is_some() {
            return None;
        }
        let mut line = Vec::new();
        self.line += 1;
        let read = (&mut self.reader).take(JOURNAL_LINE_MAX as u64).read_until(b'\n', &mut line);
        match read {
            Ok(0) => {
                self.line -= 1;
                return None;
            }
            Ok(_) => {}
            Err(_) => {
                self.damage = Some(self.line);
                return None;
            }
        }
        match serde_json::from_slice(&line) {
            Ok(row) => Some(row),
            Err(_) if matches!(self.reader.fill_buf(), Ok([])) => {
                warn!(line = self.line, "last line of the journal was cut off and is left out");
                None
            }
            Err(_) => {
                self.damage = Some(self.line);
                None
            }
        }
    }
}
