//! The disk's end of the journal: one task writes the chunks of all symbols and lets the oldest segments go.

use crate::limits::{JOURNAL_CHUNK_BYTES, JOURNAL_EXCESS, JOURNAL_FILES_MAX, JOURNAL_SEGMENT_MIN};
use plimsoll_bounded::{Receiver, Sender, Task};
use plimsoll_gateway::Clock;
use plimsoll_journal::{End, EntryRef, FRAME_HEAD, MAGIC, seal, utc_compact};
use plimsoll_market::Symbol;
use plimsoll_monitor::JournalMetrics;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What files of the journal end with.
pub const SUFFIX: &str = ".journal";
/// How often a disk that fails is told of.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The folder of the journal.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// Bytes of a segment when so many symbols share `keep`: each has room for four.
pub fn segment_bytes(configured: u64, keep: u64, symbols: usize) -> u64 {
    configured.min(keep / (4 * symbols.max(1) as u64)).max(JOURNAL_SEGMENT_MIN)
}

/// A frame in the making: room for its head, then its payload.
pub type Buffer = Box<[u8]>;

/// A new buffer.
pub fn buffer() -> Buffer {
    vec![0; JOURNAL_CHUNK_BYTES].into_boxed_slice()
}

/// A part of a segment on its way to the disk.
#[derive(Debug)]
pub struct Chunk {
    /// The symbol's number.
    pub symbol: u16,
    /// When it begins a segment: the segment's number, and how many entries are missing before it.
    pub opens: Option<(u64, u64)>,
    /// Where the bytes end.
    pub len: usize,
    /// Room for a frame's head, then the payload.
    pub bytes: Buffer,
}

/// One symbol, as the writer sees it.
pub struct WriterSeat {
    symbol: Symbol,
    spare: Sender<Buffer>,
    failed: Arc<AtomicBool>,
    open: Option<Segment>,
}

struct Segment {
    file: File,
    path: PathBuf,
    frames: u32,
    /// Bytes of whole frames, and of what stands before them.
    bytes: u64,
}

impl WriterSeat {
    /// A symbol; buffers go back by `spare`, and `failed` tells its loop that a chunk was not written.
    pub const fn new(symbol: Symbol, spare: Sender<Buffer>, failed: Arc<AtomicBool>) -> Self {
        Self { symbol, spare, failed, open: None }
    }
}

/// Writes the journal of all symbols.
///
/// A chunk goes to the operating system in one call and is not synced: it survives the end of this process, however
/// sudden, but not that of the machine.
///
/// # Bounds
/// One open file a symbol. The folder holds `keep` bytes in [`JOURNAL_FILES_MAX`] files at most.
pub struct Writer {
    folder: PathBuf,
    seats: Vec<Option<WriterSeat>>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    keep: u64,
    /// What an open segment may grow to.
    reserve: u64,
    metrics: JournalMetrics,
    clock: Clock,
    told: Option<plimsoll_market::Time>,
}

impl Writer {
    /// A writer for symbols in the order of their numbers.
    pub const fn new(
        folder: PathBuf,
        seats: Vec<Option<WriterSeat>>,
        keep: u64,
        segment_bytes: u64,
        metrics: JournalMetrics,
        clock: Clock,
    ) -> Self {
        Self { folder, seats, keep, reserve: segment_bytes + JOURNAL_EXCESS, metrics, clock, told: None }
    }

    /// Writes until the loops are gone or the process stops; what waits then is still written.
    pub async fn run(mut self, mut chunks: Receiver<Chunk>, task: Task) {
        while let Some(Some(chunk)) = task.stop.or(chunks.recv()).await {
            task.pulse.beat();
            self.take(chunk);
        }
        while let Ok(chunk) = chunks.try_recv() {
            self.take(chunk);
        }
    }

    /// Writes a chunk and gives its buffer back.
    pub fn take(&mut self, mut chunk: Chunk) {
        let at = usize::from(chunk.symbol);
        if let Err(error) = self.write(at, &mut chunk) {
            self.metrics.failed();
            let now = self.clock.now();
            if self.told.is_none_or(|told| now.since(told) >= TELL_EVERY) {
                self.told = Some(now);
                tracing::warn!(folder = %self.folder.display(), %error, "journal cannot be written: see to it that its disk has room; what is missing is counted");
            }
            if let Some(Some(seat)) = self.seats.get_mut(at) {
                seat.open = None;
                seat.failed.store(true, Ordering::Relaxed);
            }
        }
        // There is room for every buffer; a loop that has ended needs none.
        if let Some(Some(seat)) = self.seats.get(at) {
            drop(seat.spare.try_send(chunk.bytes));
        }
    }

    fn write(&mut self, at: usize, chunk: &mut Chunk) -> io::Result<()> {
        if let Some((number, lost)) = chunk.opens {
            self.open(at, number, lost)?;
        }
        let Some(Segment { file, frames, bytes, .. }) = self.seats.get_mut(at).and_then(|seat| seat.as_mut()?.open.as_mut()) else {
            return Ok(());
        };
        seal(&mut chunk.bytes, chunk.len, *frames);
        let frame = chunk.bytes.get(..chunk.len).unwrap_or_default();
        if let Err(error) = file.write_all(frame) {
            // A disk that is full takes a part. Should the rest not go either, it is told as torn.
            drop(file.set_len(*bytes));
            return Err(error);
        }
        *frames += 1;
        *bytes += frame.len() as u64;
        self.metrics.wrote(frame.len() as u64);
        Ok(())
    }

    fn open(&mut self, at: usize, number: u64, lost: u64) -> io::Result<()> {
        let Some(Some(seat)) = self.seats.get_mut(at) else { return Ok(()) };
        if let Some(segment) = seat.open.take()
            && lost > 0
        {
            close_with_gap(segment, lost)?;
        }
        if lost > 0 {
            self.metrics.gap();
        }
        create_folder(&self.folder)?;
        let open: Vec<&Path> =
            self.seats.iter().flatten().filter_map(|seat| seat.open.as_ref()).map(|segment| segment.path.as_path()).collect();
        let reserved = (open.len() as u64 + 1) * self.reserve;
        let kept = make_room(&self.folder, &open, self.keep.saturating_sub(reserved))?;
        self.metrics.kept(kept);
        let Some(Some(seat)) = self.seats.get_mut(at) else { return Ok(()) };
        let name = format!("{}-{}-{number:06}{SUFFIX}", utc_compact(self.clock.now()), file_name(seat.symbol.as_str()));
        let path = self.folder.join(name);
        let mut file = create(&path)?;
        if let Err(error) = file.write_all(&MAGIC) {
            // On a full disk every attempt would leave one.
            drop(std::fs::remove_file(&path));
            return Err(error);
        }
        seat.open = Some(Segment { file, path, frames: 0, bytes: MAGIC.len() as u64 });
        self.metrics.opened();
        Ok(())
    }
}

/// The loop could not say that something is missing: its buffer was full.
fn close_with_gap(mut segment: Segment, lost: u64) -> io::Result<()> {
    let mut bytes = buffer();
    let room = bytes.get_mut(FRAME_HEAD..).unwrap_or_default();
    let used = postcard::to_slice(&EntryRef::End(End::Gap(lost)), room).map_err(io::Error::other)?.len();
    seal(&mut bytes, FRAME_HEAD + used, segment.frames);
    segment.file.write_all(bytes.get(..FRAME_HEAD + used).unwrap_or_default())
}

/// Removes the oldest segments until those left have at most `most` bytes; returns what they have. Open ones stay.
fn make_room(folder: &Path, open: &[&Path], most: u64) -> io::Result<u64> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let ours = path.to_str().is_some_and(|path| path.ends_with(SUFFIX));
        if ours && !open.contains(&path.as_path()) {
            files.push((entry.file_name(), entry.metadata()?.len(), path));
        }
    }
    // Names begin with the time.
    files.sort();
    let mut kept: u64 = files.iter().map(|(_, bytes, _)| *bytes).sum();
    let mut count = files.len();
    for (_, bytes, path) in files {
        if kept <= most && count < JOURNAL_FILES_MAX - open.len() {
            break;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        kept -= bytes;
        count -= 1;
    }
    Ok(kept)
}

/// What it tells of trading is nobody else's.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A contract's name as part of a file's: signs that some systems do not take become `_`.
fn file_name(symbol: &str) -> String {
    symbol.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_open_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["1.journal", "2.journal", "3.journal", "4.journal", "0.txt"] {
            std::fs::write(path(name), [0; 100]).unwrap();
        }
        let open = path("1.journal");
        assert_eq!(make_room(folder.path(), &[&open], 300).unwrap(), 300);
        assert_eq!(make_room(folder.path(), &[&open], 299).unwrap(), 200);
        let left = |name| path(name).exists();
        assert!(left("1.journal") && !left("2.journal") && left("3.journal") && left("4.journal") && left("0.txt"));
        assert_eq!(make_room(folder.path(), &[&open], 0).unwrap(), 0);
        assert!(left("1.journal") && left("0.txt"));
    }

    #[test]
    fn many_symbols_share_what_is_kept() {
        assert_eq!(segment_bytes(8 << 20, 256 << 20, 2), 8 << 20);
        assert_eq!(segment_bytes(8 << 20, 256 << 20, 16), 4 << 20);
        assert_eq!(segment_bytes(8 << 20, 256 << 20, 512), JOURNAL_SEGMENT_MIN);
    }

    #[test]
    fn names_of_files_hold_no_signs() {
        assert_eq!(file_name("BTC-USD.P:*"), "BTC-USD_P__");
    }
}
