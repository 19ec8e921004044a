//! Raw recordings in hftbacktest's format: `<local time> <raw JSON>`.

use super::{ImportError, ImportOptions, Place, Take, open};
use crate::limits::LINE_BYTES_MAX;
use crate::tape::Tick;
use plimsoll_market::Time;
use plimsoll_sim::replay::{Recorded, Recording};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(super) fn read(
    files: &[PathBuf],
    options: &ImportOptions,
    sink: &mut dyn Take,
    progress: &mut dyn FnMut(usize),
) -> Result<u64, ImportError> {
    let mut last = Time::ZERO;
    let mut skipped = 0;
    // Files of consecutive days continue each other: one recording, whose snapshot may be in the first file alone.
    let at = Arc::new(At::default());
    let lines = Lines { files: files.to_vec(), next: 0, from: None, at: Arc::clone(&at) };
    let mut recording = Recording::new(Box::new(lines), &options.instrument);
    let mut ticks: Vec<Tick> = Vec::new();
    let place = |time: Time| {
        let (file, line) = at.get();
        Place { file: files.get(file).cloned().unwrap_or_default(), line, time }
    };
    // bounded: by the end of the lines.
    while let Some(time) = recording.step(|recorded| {
        ticks.push(match recorded {
            Recorded::Level { side, price, qty } => Tick::Level { side, price, qty },
            Recorded::Trade { taker, price, qty } => Tick::Trade { taker, price, qty },
            Recorded::Mark(mark) => Tick::Mark(mark),
        });
    }) {
        progress(at.get().0);
        let faults = recording.faults();
        if faults.gaps > 0 && !options.allow_missing {
            return Err(ImportError::Gap { place: place(time), what: "a depth update does not follow the one before".to_owned() });
        }
        if last > Time::ZERO && time.since(last) > options.gap_max {
            let what = format!("nothing for {} s", time.since(last).as_secs());
            return Err(ImportError::Gap { place: place(time), what });
        }
        // The word that lines are missing has no time of its own.
        last = last.max(time);
        for tick in ticks.drain(..) {
            sink.take(time, &tick)?;
        }
        skipped = faults.malformed;
    }
    match at.take_failure() {
        Some(error) => Err(error),
        None => Ok(skipped + at.torn.load(Ordering::Relaxed)),
    }
}

/// Where the reader is, and why it ended early.
#[derive(Default)]
struct At {
    file: AtomicUsize,
    line: AtomicU64,
    /// Files that break off.
    torn: AtomicU64,
    failed: Mutex<Option<ImportError>>,
}

impl At {
    fn get(&self) -> (usize, u64) {
        (self.file.load(Ordering::Relaxed), self.line.load(Ordering::Relaxed))
    }

    fn take_failure(&self) -> Option<ImportError> {
        self.failed.lock().ok().and_then(|mut failed| failed.take())
    }
}

/// The lines of files, one after the other.
struct Lines {
    files: Vec<PathBuf>, // tidy: bounded by the command line
    next: usize,
    from: Option<BufReader<Box<dyn Read + Send>>>,
    at: Arc<At>,
}

impl Lines {
    /// The next line; `None` at the end of all files.
    fn read(&mut self) -> Result<Option<String>, ImportError> {
        // bounded: by the number of files.
        loop {
            let Some(from) = &mut self.from else {
                let Some(path) = self.files.get(self.next) else { return Ok(None) };
                self.from = Some(BufReader::new(open::own(path)?));
                self.at.file.store(self.next, Ordering::Relaxed);
                self.at.line.store(0, Ordering::Relaxed);
                self.next += 1;
                continue;
            };
            let path = || self.files.get(self.next.saturating_sub(1)).cloned().unwrap_or_default();
            let mut line = String::new();
            let got = from.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_line(&mut line);
            // A recording whose end a kill has torn off: what is before it is whole.
            let got = match got {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    self.at.torn.fetch_add(1, Ordering::Relaxed);
                    0
                }
                got => got.map_err(|e| ImportError::Read { path: path(), text: e.to_string() })?,
            };
            if got == 0 {
                self.from = None;
                continue;
            }
            let count = self.at.line.fetch_add(1, Ordering::Relaxed) + 1;
            if got > LINE_BYTES_MAX {
                let place = Place { file: path(), line: count, time: Time::ZERO };
                return Err(ImportError::Row { place, text: format!("longer than {LINE_BYTES_MAX} bytes") });
            }
            return Ok(Some(line));
        }
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self.read() {
            Ok(line) => line,
            Err(error) => {
                (self.from, self.next) = (None, usize::MAX);
                if let Ok(mut failed) = self.at.failed.lock() {
                    failed.get_or_insert(error);
                }
                None
            }
        }
    }
}
