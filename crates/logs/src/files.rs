//! Files that rotate by size and together never have more bytes than they may.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use plimsoll_bounded::{LossyReceiver, ReplySender};
use tokio::time::{MissedTickBehavior, interval};

use crate::limits::{FILE_BUFFER, FILE_BYTES_MIN, FILE_RETRY, FILES_MAX, TICK};
use crate::logs::{FILES_TARGET, Logs};
use crate::record::Record;

/// What waits for the disk.
pub(crate) enum FileItem {
    Line(Arc<Record>),
    /// Answered when everything before it is written.
    Mark(ReplySender<()>),
}

/// What the writer has done, for whoever asks.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) lines: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// Where files go and how large they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// The folder; it is made when it is not there. The newest file is `plimsoll.log`, the one before it `plimsoll.1.log`.
    pub folder: PathBuf,
    /// Bytes of a file; at least [`FILE_BYTES_MIN`].
    pub file_bytes: u64,
    /// Bytes of all files together; at least twice those of one.
    pub keep_bytes: u64,
}

/// Writes lines to files.
///
/// # Bounds
/// The queue of `logs.files`, a buffer of 32 KiB, one open file. The folder never has more than `keep_bytes` of ours in
/// [`FILES_MAX`] files.
pub struct FileWriter {
    lines: LossyReceiver<FileItem>,
    files: Files,
    logs: Logs,
}

impl FileWriter {
    pub(crate) fn new(config: FilesConfig, lines: LossyReceiver<FileItem>, logs: Logs, written: Arc<Written>) -> Self {
        Self { lines, files: Files::new(config, written), logs }
    }

    /// Writes until the log is gone. Waits for the disk without giving way: to be run on a thread of its own.
    pub async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased; // what was held back goes before what is new; it is little
                _ = tick.tick() => self.logs.tick(),
                received = self.lines.recv() => match received {
                    Some(received) => self.write(received.item, received.missed),
                    None => return,
                }
            }
        }
    }

    /// Writes a line and all that wait with it.
    fn write(&mut self, first: FileItem, missed: u64) {
        let (mut item, mut missed) = (first, missed);
        // As many as fit into the queue: what comes meanwhile is for the next turn.
        for _ in 0..=self.lines.len() {
            if missed > 0 {
                self.files.push(&format!("{missed} lines were lost here: they came faster than the disk takes them\n"), 0);
            }
            match item {
                FileItem::Line(record) => {
                    let mut line = String::new();
                    record.append_to(&mut line);
                    self.files.push(&line, 1);
                }
                FileItem::Mark(done) => {
                    self.files.flush();
                    // Who gave up waiting needs no answer.
                    done.send(()).ok();
                }
            }
            let Some(next) = self.lines.try_recv() else { break };
            (item, missed) = (next.item, next.missed);
        }
        self.files.flush();
    }
}

impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileWriter({})", self.files.config.folder.display())
    }
}

/// The files themselves.
struct Files {
    config: FilesConfig,
    open: Option<Open>,
    /// What is not written yet, and how many lines that are.
    buffer: String, // tidy: bounded by FILE_BUFFER and one line
    lines: u64,
    /// Lines lost since the disk failed.
    missing: u64,
    /// When a disk that fails may be tried again.
    failing_until: Option<Instant>,
    /// Bytes of closed files.
    closed_bytes: u64,
    written: Arc<Written>,
}

struct Open {
    file: File,
    bytes: u64,
}

impl Files {
    fn new(config: FilesConfig, written: Arc<Written>) -> Self {
        let FilesConfig { folder, file_bytes, keep_bytes } = config;
        let file_bytes = file_bytes.max(FILE_BYTES_MIN);
        let config = FilesConfig { folder, file_bytes, keep_bytes: keep_bytes.max(2 * file_bytes) };
        Self { config, open: None, buffer: String::new(), lines: 0, missing: 0, failing_until: None, closed_bytes: 0, written }
    }

    /// Takes text that counts as so many lines.
    fn push(&mut self, text: &str, lines: u64) {
        if self.buffer.len() + text.len() > FILE_BUFFER {
            self.flush();
        }
        self.buffer.push_str(text);
        self.lines += lines;
    }

    /// Writes what waits, or lets it go.
    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let done = if self.failing_until.is_some_and(|until| Instant::now() < until) {
            None
        } else {
            if self.missing > 0 {
                self.buffer.insert_str(0, &format!("{} lines were lost here: they could not be written\n", self.missing));
            }
            Some(self.write_out())
        };
        self.buffer.clear();
        match done {
            Some(Ok(())) => {
                self.written.lines.fetch_add(lines, Relaxed);
                if self.failing_until.take().is_some() {
                    let lost = std::mem::take(&mut self.missing);
                    tracing::info!(target: FILES_TARGET, lost, "log files are written again");
                }
            }
            Some(Err(error)) => {
                self.written.failures.fetch_add(1, Relaxed);
                self.lose(lines);
                self.open = None;
                // Told once, until it works again.
                if self.failing_until.replace(Instant::now() + FILE_RETRY).is_none() {
                    let folder = self.config.folder.display();
                    tracing::warn!(target: FILES_TARGET, %folder, %error, "log files cannot be written; what is missing is counted");
                }
            }
            None => self.lose(lines),
        }
    }

    fn lose(&mut self, lines: u64) {
        self.missing += lines;
        self.written.lost.fetch_add(lines, Relaxed);
    }

    fn write_out(&mut self) -> io::Result<()> {
        let size = self.buffer.len() as u64;
        let open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let mut open = if open.bytes + size > self.config.file_bytes { self.rotate(open)? } else { open };
        let done = open.file.write_all(self.buffer.as_bytes());
        if done.is_err() {
            // Of a write that broke off nothing stays; where that cannot be, the next begins a line of its own.
            open.file.set_len(open.bytes).ok();
        } else {
            open.bytes += size;
        }
        self.written.bytes.store(self.closed_bytes + open.bytes, Relaxed);
        self.open = Some(open);
        done
    }

    /// Opens the newest file, to go on with it.
    fn begin(&mut self) -> io::Result<Open> {
        create_folder(&self.config.folder)?;
        self.closed_bytes = self.make_room()?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // What it tells of trading is nobody else's.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.path(0))?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 && bytes < self.config.file_bytes {
            // The process before may have ended in the middle of a line.
            let mut last = [b'\n'];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes += 1;
            }
        }
        Ok(Open { file, bytes })
    }

    /// Closes a file and begins the next.
    fn rotate(&mut self, open: Open) -> io::Result<Open> {
        drop(open);
        let last = self.count() - 1;
        remove(&self.path(last))?;
        for number in (0..last).rev() {
            match std::fs::rename(self.path(number), self.path(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.begin()
    }

    /// Removes closed files that are too many or too old for what all may have; returns what the rest has.
    fn make_room(&self) -> io::Result<u64> {
        let mut closed = Vec::new();
        for entry in std::fs::read_dir(&self.config.folder)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(number);
            if let Some(number) = number.filter(|number| *number > 0) {
                closed.push((number, entry.metadata()?.len()));
            }
        }
        closed.sort_unstable();
        let most = self.config.keep_bytes - self.config.file_bytes;
        let mut kept = 0;
        for (number, bytes) in closed {
            if number < self.count() && kept + bytes <= most {
                kept += bytes;
            } else {
                remove(&self.path(number))?;
            }
        }
        Ok(kept)
    }

    /// How many files there may be, the open one included.
    fn count(&self) -> u64 {
        (self.config.keep_bytes / self.config.file_bytes).clamp(2, FILES_MAX)
    }

    /// The newest file is number 0.
    fn path(&self, number: u64) -> PathBuf {
        self.config.folder.join(if number == 0 { format!("{NAME}.log") } else { format!("{NAME}.{number}.log") })
    }
}

const NAME: &str = "plimsoll";

/// The number of a file of ours; `None` for any other name.
fn number(name: &str) -> Option<u64> {
    let middle = name.strip_prefix(NAME)?.strip_suffix(".log")?;
    if middle.is_empty() {
        return Some(0);
    }
    let digits = middle.strip_prefix('.')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = FILE_BYTES_MIN;

    fn files(folder: &Path, keep: u64) -> Files {
        Files::new(FilesConfig { folder: folder.join("logs"), file_bytes: SIZE, keep_bytes: keep }, Arc::default())
    }

    fn bytes(folder: &Path) -> u64 {
        std::fs::read_dir(folder.join("logs")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    fn line(number: u64) -> String {
        format!("line {number} {}\n", "x".repeat(200))
    }

    /// All that is kept, the oldest first.
    fn kept(files: &Files) -> String {
        (0..files.count()).rev().filter_map(|number| std::fs::read_to_string(files.path(number)).ok()).collect()
    }

    #[test]
    fn the_newest_lines_are_kept_whole_and_never_more_bytes_than_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), 3 * SIZE + 5);
        for number in 0..3_000 {
            files.push(&line(number), 1);
            if number % 7 == 0 {
                files.flush();
                assert!(bytes(folder.path()) <= 3 * SIZE + 5, "at line {number}");
            }
        }
        files.flush();
        let text = kept(&files);
        let first: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(first > 1_000 && text == (first..3_000).map(line).collect::<String>(), "a line is missing or torn");
        assert_eq!(std::fs::read_dir(folder.path().join("logs")).unwrap().count(), 3);
        assert!(text.len() as u64 > 2 * SIZE, "what may be kept is kept");
        assert_eq!((files.written.lines.load(Relaxed), files.written.bytes.load(Relaxed)), (3_000, text.len() as u64));
    }

    #[test]
    fn a_start_goes_on_with_the_newest_file_ends_a_torn_line_and_keeps_to_new_limits() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        for (name, size) in
            [("plimsoll.1.log", SIZE), ("plimsoll.2.log", SIZE), ("plimsoll.07.log", 1), ("plimsoll.40.log", 1), ("other.log", 9)]
        {
            std::fs::write(logs.join(name), vec![b'o'; size as usize]).unwrap();
        }
        std::fs::write(logs.join("plimsoll.log"), "whole\ntorn").unwrap();
        let mut files = files(folder.path(), 2 * SIZE);
        files.push("new\n", 1);
        files.flush();
        assert_eq!(std::fs::read_to_string(logs.join("plimsoll.log")).unwrap(), "whole\ntorn\nnew\n");
        let mut names: Vec<_> = std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["other.log", "plimsoll.07.log", "plimsoll.1.log", "plimsoll.log"], "strangers' files stay");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::remove_file(logs.join("plimsoll.log")).unwrap();
            files.open = None;
            files.push("new\n", 1);
            files.flush();
            assert_eq!(std::fs::metadata(logs.join("plimsoll.log")).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_costs_lines_is_told_once_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        // Takes nothing: no space left on device.
        std::os::unix::fs::symlink("/dev/full", logs.join("plimsoll.log")).unwrap();
        let said = Arc::new(std::sync::Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let log = Logs::new(move |line| {
            heard.lock().unwrap().push_str(line);
            true
        });
        let subscriber = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), log.layer());
        tracing::subscriber::with_default(subscriber, || {
            let mut files = files(folder.path(), 2 * SIZE);
            for number in 0..1_000 {
                files.push(&line(number), 1);
                files.flush();
            }
            assert_eq!(
                (files.written.lost.load(Relaxed), files.written.failures.load(Relaxed)),
                (1_000, 1),
                "it is left alone for a while"
            );
            // Time goes by.
            files.failing_until = Some(Instant::now());
            files.push(&line(0), 1);
            files.flush();
            assert_eq!(files.written.failures.load(Relaxed), 2);
            std::fs::remove_file(logs.join("plimsoll.log")).unwrap();
            files.failing_until = Some(Instant::now());
            files.push(&line(7), 1);
            files.flush();
            assert_eq!(kept(&files), format!("1001 lines were lost here: they could not be written\n{}", line(7)));
            assert_eq!((files.written.lost.load(Relaxed), files.written.lines.load(Relaxed)), (1_001, 1));
        });
        let said = said.lock().unwrap();
        assert_eq!((said.matches("cannot be written").count(), said.matches("written again").count()), (1, 1), "{said}");
        assert!(said.contains("No space left on device"), "{said}");
    }

    #[test]
    fn names_of_files_are_told_from_strangers() {
        for (name, expected) in [
            ("plimsoll.log", Some(0)),
            ("plimsoll.1.log", Some(1)),
            ("plimsoll.99.log", Some(99)),
            ("plimsoll.0.log", None),
            ("plimsoll.01.log", None),
            ("plimsoll.+1.log", None),
            ("plimsoll..log", None),
            ("plimsoll.x.log", None),
            ("plimsoll.1.log.gz", None),
            ("plimsoll1.log", None),
        ] {
            assert_eq!(number(name), expected, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_written_stays_within_the_limit(steps in proptest::collection::vec((0..5_000_usize, any::<bool>()), 1..120)) {
            let folder = tempfile::tempdir().unwrap();
            let mut files = files(folder.path(), 2 * SIZE);
            let mut all = String::new();
            for (length, restart) in &steps {
                let line = format!("{}\n", "y".repeat(*length));
                files.push(&line, 1);
                all.push_str(&line);
                files.flush();
                if *restart {
                    files.open = None;
                }
                prop_assert!(bytes(folder.path()) <= 2 * SIZE);
                prop_assert_eq!(files.written.bytes.load(Relaxed), bytes(folder.path()));
            }
            prop_assert!(all.ends_with(&kept(&files)));
        }
    }
}
