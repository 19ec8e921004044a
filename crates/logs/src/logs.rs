//! Where lines go: the terminal at once, files, store and viewers as soon as they are there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll_bounded::{
    Broadcast, Class, Ended, Grants, LedgerError, Line, LossySender, NotPlanned, Plan, Received, Sent, Subscriber, WhenFull, lossy, reply,
};
use plimsoll_market::{LogLevel, Time};

use crate::files::{FileItem, FileWriter, FilesConfig, Written};
use crate::gate::{Bucket, Due, Gate, kind};
use crate::layer::LogLayer;
use crate::limits::{FILE_QUEUE, FIXED_BYTES, RECORD_BYTES, STORE_BURST, STORE_PER_SECOND, VIEWER_QUEUE, VIEWER_SHARE, VIEWERS_MAX};
use crate::record::Record;
use crate::redact::Redactor;

/// Who carries lines to viewers: what they say of that would be one line more for each.
const CARRIERS_LIVE: &[&str] = &["tungstenite", "tokio_tungstenite", "hyper", "axum", "tower", "tokio_util", "mio"];
/// Who carries lines to the store.
const CARRIERS_STORE: &[&str] = &["sqlx", "sea_orm", "sea_query"];
/// Who speaks of files: not into files.
pub(crate) const FILES_TARGET: &str = "plimsoll_logs::files";
/// Who speaks of lines that were left out.
const SELF_TARGET: &str = "plimsoll_logs";

/// The log of a process. Cheap to clone.
///
/// # Bounds
/// [`Logs::plan`] has a line for each queue. What is lost is counted in [`Logs::figures`].
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

type Terminal = Box<dyn Fn(&str) -> bool + Send + Sync>;
type StoreFn = Box<dyn Fn(&Record) + Send + Sync>;

pub(crate) struct Inner {
    began: Instant,
    terminal: Terminal,
    pub(crate) redactor: Redactor,
    gate: Mutex<Gate>,
    files: OnceLock<LossySender<FileItem>>,
    written: Arc<Written>,
    live: OnceLock<Broadcast<Arc<Record>>>,
    /// Held while somebody subscribes, so that who had to leave is counted right.
    door: Mutex<()>,
    store: OnceLock<Store>,
    pub(crate) nested: AtomicU64,
    limited: AtomicU64,
    shown: AtomicU64,
    unshown: AtomicU64,
    file_lost: AtomicU64,
    told: AtomicU64,
    untold: AtomicU64,
    replaced: AtomicU64,
    stored: AtomicU64,
    unstored: AtomicU64,
}

struct Store {
    least: LogLevel,
    give: StoreFn,
    rate: Mutex<Bucket>,
}

/// What became of the lines for one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkFigures {
    /// Lines that it took.
    pub written: u64,
    /// Lines that it lost: they came faster than it takes them, or it failed.
    pub dropped: u64,
}

/// What became of all lines since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// The terminal; lines that its own queue lost are known to whoever owns it.
    pub terminal: SinkFigures,
    /// Files: lines written to the operating system.
    pub files: SinkFigures,
    /// The store: lines handed to it, and those that came too fast to be.
    pub store: SinkFigures,
    /// Viewers: lines handed to each of them, and those that they were too slow for.
    pub live: SinkFigures,
    /// Lines that became part of one with their count.
    pub repeated: u64,
    /// Lines left out because there were too many a second.
    pub limited: u64,
    /// Lines left out because they were said while another was handed out.
    pub nested: u64,
    /// Viewers now.
    pub viewers: u64,
    /// Viewers that had to leave for a newer one.
    pub replaced: u64,
    /// Bytes of all files.
    pub file_bytes: u64,
    /// Attempts to write to files that failed.
    pub file_failures: u64,
}

impl Logs {
    /// Makes a log that writes to a terminal: `terminal` is given whole lines, must not wait, and says whether it took one.
    pub fn new(terminal: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                began: Instant::now(),
                terminal: Box::new(terminal),
                redactor: Redactor::default(),
                gate: Mutex::new(Gate::new()),
                files: OnceLock::new(),
                written: Arc::default(),
                live: OnceLock::new(),
                door: Mutex::new(()),
                store: OnceLock::new(),
                nested: AtomicU64::new(0),
                limited: AtomicU64::new(0),
                shown: AtomicU64::new(0),
                unshown: AtomicU64::new(0),
                file_lost: AtomicU64::new(0),
                told: AtomicU64::new(0),
                untold: AtomicU64::new(0),
                replaced: AtomicU64::new(0),
                stored: AtomicU64::new(0),
                unstored: AtomicU64::new(0),
            }),
        }
    }

    /// Makes the layer that feeds it.
    pub fn layer(&self) -> LogLayer {
        LogLayer::new(Arc::clone(&self.inner))
    }

    /// Names a secret: from here on it is in no line. Says whether it was taken.
    ///
    /// # Bounds
    /// [`crate::limits::SECRETS_MAX`] secrets of [`crate::limits::SECRET_MIN`] to [`crate::limits::SECRET_MAX`] bytes.
    pub fn hide(&self, secret: &str) -> bool {
        self.inner.redactor.learn(secret)
    }

    /// Lists the memory that files, viewers, repeats and secrets take.
    ///
    /// # Errors
    /// Never with the limits of this crate.
    pub fn plan(files: bool) -> Result<Plan, LedgerError> {
        let live = Broadcast::<Arc<Record>>::line("logs.live", VIEWERS_MAX, VIEWER_QUEUE, Class::BestEffort);
        let fixed =
            Line { name: "logs.repeats", capacity: 1, item_bytes: FIXED_BYTES, policy: WhenFull::DropOldest, class: Class::BestEffort };
        let plan = Plan::new("logs").with(live.with_heap(VIEWER_SHARE))?.with(fixed)?;
        if !files {
            return Ok(plan);
        }
        plan.with(Line::of::<FileItem>("logs.files", FILE_QUEUE, WhenFull::DropOldest, Class::BestEffort).with_heap(RECORD_BYTES))
    }

    /// Lets viewers in, and returns who writes files, if they are wanted: it is to be run on a thread that may wait for the disk.
    /// What is said from here on waits for it. Of a second call nothing is kept.
    ///
    /// # Errors
    /// When the plan was not [`Logs::plan`]'s.
    pub fn start(&self, grants: &mut Grants, files: Option<FilesConfig>) -> Result<Option<FileWriter>, NotPlanned> {
        let live = Broadcast::new(grants.take("logs.live")?, VIEWERS_MAX);
        drop(self.inner.live.set(live));
        let Some(config) = files else { return Ok(None) };
        let (sender, receiver) = lossy(grants.take("logs.files")?);
        if self.inner.files.set(sender).is_err() {
            return Ok(None);
        }
        Ok(Some(FileWriter::new(config, receiver, self.clone(), Arc::clone(&self.inner.written))))
    }

    /// Hands lines that are at least so urgent to a store: `give` must not wait. A second store is not taken.
    ///
    /// # Bounds
    /// [`STORE_PER_SECOND`] a second in the long run, [`STORE_BURST`] at once.
    pub fn store(&self, least: LogLevel, give: impl Fn(&Record) + Send + Sync + 'static) {
        let rate = Mutex::new(Bucket::new(STORE_PER_SECOND, STORE_BURST));
        drop(self.inner.store.set(Store { least, give: Box::new(give), rate }));
    }

    /// Subscribes to what is said from now on; `None` before [`Logs::start`].
    ///
    /// # Bounds
    /// [`VIEWERS_MAX`] viewers: with one more the oldest leaves.
    pub fn subscribe(&self) -> Option<Viewer> {
        let live = self.inner.live.get()?;
        let _door = lock(&self.inner.door);
        if live.subscribers() == VIEWERS_MAX {
            self.inner.replaced.fetch_add(1, Relaxed);
        }
        Some(Viewer { subscriber: live.subscribe(), inner: Arc::clone(&self.inner) })
    }

    /// Writes what was held back for long enough. The [`FileWriter`] calls it every second; without files somebody else must.
    pub fn tick(&self) {
        let (now, due, limited) = {
            let mut gate = lock(&self.inner.gate);
            let now = self.inner.began.elapsed();
            (now, gate.over(now), gate.take_limited())
        };
        self.inner.hand_out(now, &due);
        self.tell_limited(now, limited);
    }

    /// Writes all that was held back, and waits until the files have it, but not for a disk that hangs.
    pub async fn finish(&self, within: Duration) {
        let (now, due, limited) = {
            let mut gate = lock(&self.inner.gate);
            (self.inner.began.elapsed(), gate.all(), gate.take_limited())
        };
        self.inner.hand_out(now, &due);
        self.tell_limited(now, limited);
        let Some(files) = self.inner.files.get() else { return };
        let (done, written) = reply();
        if files.send(FileItem::Mark(done)).is_ok() {
            // Nobody is left to be told that the disk hangs.
            written.wait(within).await.ok();
        }
    }

    /// Returns what became of all lines since the start.
    pub fn figures(&self) -> LogFigures {
        let Inner { shown, unshown, file_lost, told, untold, replaced, stored, unstored, nested, limited, written, .. } = &*self.inner;
        let sink =
            |written: &AtomicU64, dropped: &AtomicU64| SinkFigures { written: written.load(Relaxed), dropped: dropped.load(Relaxed) };
        LogFigures {
            terminal: sink(shown, unshown),
            files: SinkFigures { written: written.lines.load(Relaxed), dropped: file_lost.load(Relaxed) + written.lost.load(Relaxed) },
            store: sink(stored, unstored),
            live: sink(told, untold),
            repeated: lock(&self.inner.gate).held(),
            limited: limited.load(Relaxed),
            nested: nested.load(Relaxed),
            viewers: self.inner.live.get().map_or(0, |live| live.subscribers() as u64),
            replaced: replaced.load(Relaxed),
            file_bytes: written.bytes.load(Relaxed),
            file_failures: written.failures.load(Relaxed),
        }
    }

    fn tell_limited(&self, now: Duration, limited: u64) {
        if limited == 0 {
            return;
        }
        let text = format!("lines left out of the log, because there were too many a second lines={limited}");
        let (level, target) = (LogLevel::Warn, SELF_TARGET);
        let record = Record { time: self.inner.time(), level, target, text: text.into(), account: None, symbol: None };
        self.inner.hand_out(now, &Due::from_iter([Arc::new(record)]));
    }
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logs({:?})", self.figures())
    }
}

impl Inner {
    /// The time of a line.
    pub(crate) fn time(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Tells whether a line of this level may be made.
    pub(crate) fn may(&self, level: LogLevel) -> bool {
        let may = lock(&self.gate).may(self.began.elapsed(), level);
        if !may {
            self.limited.fetch_add(1, Relaxed);
        }
        may
    }

    /// Takes a line.
    pub(crate) fn take(&self, record: Record) {
        let key = kind(&record);
        let now = self.began.elapsed();
        let due = lock(&self.gate).admit(now, key, Arc::new(record));
        self.hand_out(now, &due);
    }

    fn hand_out(&self, now: Duration, due: &Due) {
        for record in due {
            let shown = (self.terminal)(&record.terminal());
            if shown { &self.shown } else { &self.unshown }.fetch_add(1, Relaxed);
            self.to_viewers(record);
            self.to_store(now, record);
            self.to_files(record);
        }
    }

    fn to_viewers(&self, record: &Arc<Record>) {
        let Some(live) = self.live.get() else { return };
        if !said_by(record, CARRIERS_LIVE) {
            self.told.fetch_add(live.publish(record) as u64, Relaxed);
        }
    }

    fn to_store(&self, now: Duration, record: &Record) {
        let Some(store) = self.store.get() else { return };
        if record.level < store.least || said_by(record, CARRIERS_STORE) {
            return;
        }
        if lock(&store.rate).take(now) {
            (store.give)(record);
            self.stored.fetch_add(1, Relaxed);
        } else {
            self.unstored.fetch_add(1, Relaxed);
        }
    }

    fn to_files(&self, record: &Arc<Record>) {
        let Some(files) = self.files.get() else { return };
        if record.target == FILES_TARGET {
            return;
        }
        if !matches!(files.send(FileItem::Line(Arc::clone(record))), Ok(Sent::Queued)) {
            self.file_lost.fetch_add(1, Relaxed);
        }
    }
}

/// Whether a line comes from one of these crates.
fn said_by(record: &Record, crates: &[&str]) -> bool {
    crates.iter().any(|name| record.target.starts_with(name))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Receives lines from the moment it subscribed.
///
/// # Bounds
/// [`VIEWER_QUEUE`] lines; one further behind loses the oldest and is told how many.
pub struct Viewer {
    subscriber: Subscriber<Arc<Record>>,
    inner: Arc<Inner>,
}

impl Viewer {
    /// Waits for the next line.
    ///
    /// # Errors
    /// When nothing more comes: a newer viewer has taken this place, or the log has gone.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn next(&mut self) -> Result<Received<Arc<Record>>, Ended> {
        let received = self.subscriber.recv().await?;
        self.inner.untold.fetch_add(received.missed, Relaxed);
        Ok(received)
    }
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Viewer({} waiting)", self.subscriber.len())
    }
}
