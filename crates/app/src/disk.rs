//! The disk budget: what our files take is measured, held against the watermarks, and room is made when it runs short.

use crate::alerts::Alerts;
use crate::config::Config;
use crate::desk::{DiskSeen, DiskShown};
use crate::limits::{DISK_DEPTH_MAX, DISK_NAMES_MAX};
use crate::profiles;
use plimsoll_bounded::{Pool, Task, reply};
use plimsoll_gateway::Clock;
use plimsoll_market::{Alert, AlertCode, Severity, Time};
use plimsoll_monitor::{DiskConfig, DiskDecision, DiskKind, DiskLadder, DiskLevel, DiskUse, Exporter, Megabytes};
use plimsoll_storage::limits::WAL_BYTES_MAX;
use plimsoll_storage::{Retained, Store, StoreConfig, tool};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

/// How long looking at all files, or removing some, may take.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
/// How long one attempt to make room may take; what it has not done is done by the next.
const SHED_WITHIN: Duration = Duration::from_secs(300);
/// Backups and profiles that stay when the disk is short.
const KEPT: usize = 1;

/// The watermarks of a configuration.
pub fn disk_config(config: &Config) -> DiskConfig {
    let every = config.storage.disk_every;
    DiskConfig { calm_for: every * 2, shed_every: every * 10, ..DiskConfig::new(config.storage.disk_budget) }
}

/// Where our files are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The database file; `None` for a server, whose disk is its own.
    pub database: Option<PathBuf>,
}

/// What a look at the files found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// What they take.
    pub disk: DiskUse,
    /// Whether there are more of them than are looked at.
    pub more: bool,
}

impl Places {
    /// Measures all files; links are not followed.
    ///
    /// # Bounds
    /// [`DISK_NAMES_MAX`] names, [`DISK_DEPTH_MAX`] folders deep.
    pub fn measure(&self) -> Measured {
        let root = self.data_dir.canonicalize().unwrap_or_else(|_| self.data_dir.clone());
        // The file may not be there yet; its folder tells where it is.
        let database = self.database.as_ref().and_then(|path| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        });
        let mut look = Look { root: &root, database: database.as_deref(), left: DISK_NAMES_MAX, found: Measured::default() };
        look.visit(&root, None, 0);
        if let Some(path) = database.as_deref().filter(|path| !path.starts_with(&root)) {
            for ending in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(ending);
                if let Ok(file) = std::fs::symlink_metadata(&name) {
                    let kind = if ending.is_empty() { DiskKind::Database } else { DiskKind::WriteAheadLog };
                    look.found.disk.add(kind, taken(&file));
                }
            }
        }
        look.found.disk.free = crate::metrics::disk_free(&self.data_dir);
        look.found
    }
}

struct Look<'a> {
    root: &'a Path,
    database: Option<&'a Path>,
    left: usize,
    found: Measured,
}

impl Look<'_> {
    fn visit(&mut self, folder: &Path, within: Option<DiskKind>, depth: usize) {
        // A folder that cannot be read holds nothing that we could remove.
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.filter_map(Result::ok) {
            if self.left == 0 || depth > DISK_DEPTH_MAX {
                self.found.more = true;
                return;
            }
            self.left -= 1;
            // Files come and go meanwhile.
            let Ok(file) = entry.metadata() else { continue };
            let path = entry.path();
            let kind = within.unwrap_or_else(|| self.kind(&path));
            if file.is_dir() {
                self.visit(&path, (kind != DiskKind::Other).then_some(kind), depth + 1);
            } else {
                self.found.disk.add(kind, taken(&file));
            }
        }
    }

    /// Tells what a name means that is in no folder of a known kind.
    fn kind(&self, path: &Path) -> DiskKind {
        if let Some(database) = self.database
            && let Some(ending) = path.as_os_str().to_str().zip(database.to_str()).and_then(|(path, database)| path.strip_prefix(database))
        {
            return match ending {
                "" => DiskKind::Database,
                "-wal" | "-shm" | "-journal" => DiskKind::WriteAheadLog,
                _ => DiskKind::Backups,
            };
        }
        let folder = path.strip_prefix(self.root).ok().and_then(Path::to_str);
        match folder {
            Some("backups") => DiskKind::Backups,
            Some("logs") => DiskKind::Logs,
            Some("journal") => DiskKind::Journal,
            Some("profiles") => DiskKind::Profiles,
            Some("reports") => DiskKind::Reports,
            _ => DiskKind::Other,
        }
    }
}

/// What a file takes on the disk: a file with holes takes less than its length.
fn taken(file: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        file.blocks().saturating_mul(512)
    }
    #[cfg(not(unix))]
    {
        file.len()
    }
}

/// What the watcher of the disk works with; an attempt after a panic begins with a copy, and finds out anew how things are.
#[derive(Clone)]
pub struct DiskWatch {
    /// Storage.
    pub store: Store,
    /// Its configuration: where its backups are.
    pub config: StoreConfig,
    /// Where our files are.
    pub places: Places,
    /// The watermarks.
    pub ladder: DiskLadder,
    /// How often to look.
    pub every: Duration,
    /// Silence after a complaint about the write-ahead log.
    pub cool_down: Duration,
    /// When that was complained of last.
    pub complained: Option<Time>,
    /// Those who look at files, which can block.
    pub workers: Pool,
    /// All metrics.
    pub exporter: Exporter,
    /// Where alerts go.
    pub alerts: Alerts,
    /// Where what was measured is left.
    pub shown: DiskShown,
    /// The clock.
    pub clock: Clock,
}

/// Watches the disk until the process stops.
pub async fn watch_disk(mut parts: DiskWatch, task: Task) {
    task.pulse.expect_every(parts.every + SHED_WITHIN + 2 * LOOK_WITHIN);
    let mut tick = tokio::time::interval(parts.every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while task.stop.or(tick.tick()).await.is_some() {
        task.pulse.beat();
        // Everything that waits here can be given up at any time: the next look begins anew.
        if task.stop.or(parts.look()).await.is_none() {
            return;
        }
    }
}

impl DiskWatch {
    async fn look(&mut self) {
        let places = self.places.clone();
        let Some(Measured { disk, more }) = self.blocking(move || places.measure()).await else {
            tracing::debug!("nobody had time to look at the disk");
            return;
        };
        let now = self.clock.now();
        let decision = self.ladder.look(now, &disk);
        self.store.disk_short(decision.level == DiskLevel::StopOpening);
        self.exporter.disk(&disk, &decision, self.ladder.config().budget_bytes);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(DiskSeen { time: now, disk, decision });
        if decision.is_change() {
            self.tell(&decision, &disk, now, more);
        }
        if decision.shed {
            self.shed(now).await;
        } else if disk.of(DiskKind::WriteAheadLog) > 2 * WAL_BYTES_MAX {
            let held = format!("the write-ahead log has grown to {}", Megabytes(disk.of(DiskKind::WriteAheadLog)));
            self.tell_who_reads(&held, now);
        }
    }

    /// Tells that a level was reached or left, with the figures.
    fn tell(&self, decision: &DiskDecision, disk: &DiskUse, now: Time, more: bool) {
        let up = decision.level > decision.before;
        let (severity, what) = match decision.level {
            DiskLevel::Calm => (Severity::Info, "the disk has room again"),
            DiskLevel::Warn if up => (Severity::Warning, "the disk runs short"),
            DiskLevel::Shed if up => (Severity::Warning, "the disk runs short, old history and backups go"),
            DiskLevel::StopOpening => (Severity::Critical, "the disk is nearly full, nothing is opened any more"),
            DiskLevel::Warn | DiskLevel::Shed => (Severity::Info, "the disk is less short"),
        };
        let least = if more { "at least " } else { "" };
        let (used, limit) = (Megabytes(disk.used()), Megabytes(decision.limit_bytes));
        let text = format_args!("{what}: {least}{used} are taken of {limit} ({}): {disk}", decision.limit.as_str());
        self.alerts.raise_of(decision.level.as_str(), Alert::new(severity, AlertCode::Disk, now, &text));
    }

    /// Makes room. Files first: deleting rows takes room itself, in the write-ahead log.
    async fn shed(&mut self, now: Time) {
        let (config, folder) = (self.config.clone(), self.places.data_dir.join("profiles"));
        let files = self.blocking(move || (tool::thin_backups(&config, KEPT), profiles::thin(&folder, KEPT))).await;
        let mut removed = 0;
        match files {
            Some((backups, profiles)) => {
                match backups {
                    Ok(thinned) => removed += thinned.files,
                    Err(error) => tracing::warn!(%error, "backups could not be removed; next time"),
                }
                match profiles {
                    Ok(thinned) => removed += thinned,
                    Err(error) => tracing::warn!(%error, "profiles could not be removed; next time"),
                }
            }
            None => tracing::warn!("nobody had time to remove old backups; next time"),
        }
        let done = self.shed_rows(now).await;
        if done.rows() > 0 || done.returned_bytes > 0 || removed > 0 {
            let text = format_args!(
                "room was made on the disk: {} rows of history and {removed} files are gone, the database is {} smaller",
                done.rows(),
                Megabytes(done.returned_bytes)
            );
            self.alerts.raise_of("room", Alert::new(Severity::Info, AlertCode::Disk, now, &text));
        }
        if done.log_held {
            self.tell_who_reads("the write-ahead log cannot be cut", now);
        }
    }

    /// Makes room in the database. A server's disk is another one: its history would go for nothing.
    async fn shed_rows(&self, now: Time) -> Retained {
        if self.places.database.is_none() {
            return Retained::default();
        }
        match tokio::time::timeout(SHED_WITHIN, self.store.shed(now)).await {
            Ok(Ok(done)) => return done,
            Ok(Err(error)) => tracing::warn!(error = error.chain(), "no room could be made in the database; next time"),
            Err(_) => tracing::warn!("making room in the database took too long; next time"),
        }
        Retained::default()
    }

    /// Tells that somebody keeps the write-ahead log from being cut, and who, as far as it is known.
    fn tell_who_reads(&mut self, what: &str, now: Time) {
        if self.complained.is_some_and(|at| now.since(at) < self.cool_down) {
            return;
        }
        self.complained = Some(now);
        let readers: Vec<String> = self.store.foreign_readers().iter().map(ToString::to_string).collect();
        let ours: Vec<&str> = self.store.pool().leaks().map(|held| held.holder).collect();
        let who = match (readers.is_empty(), ours.is_empty()) {
            (false, _) => format!("{} reads the database; end it, or its transaction", readers.join(", ")),
            (true, false) => format!("{} of this process reads for too long", ours.join(", ")),
            (true, true) => "somebody reads the database for long; the system does not tell who".to_owned(),
        };
        let alert = Alert::new(Severity::Warning, AlertCode::Database, now, &format_args!("{what}: {who}"));
        self.alerts.raise_of("wal", alert);
    }

    /// Has a worker do what can block.
    async fn blocking<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, asked) = reply();
        // Who asked may have given up waiting.
        self.workers.submit_blocking(move || drop(answer.send(job()))).ok()?;
        asked.wait(LOOK_WITHIN).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    fn of(measured: &Measured, kind: DiskKind) -> u64 {
        measured.disk.of(kind) >> 10
    }

    #[test]
    fn every_file_is_counted_once_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        for (name, kib) in [
            ("plimsoll.db", 400),
            ("plimsoll.db-wal", 40),
            ("plimsoll.db-shm", 32),
            ("plimsoll.db.replaced-20260101T000000.000Z", 8),
            ("backups/plimsoll-20260101T000000.000Z.db", 80),
            ("backups/deep/er/one.db", 4),
            ("logs/plimsoll.log", 16),
            ("journal/a.seg", 24),
            ("profiles/leak-1.heap.pb.gz", 12),
            ("reports/a.csv", 20),
            ("admin.token", 4),
            ("local-exchange/logs/books", 28),
        ] {
            let path = data.join(name);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, vec![1; kib << 10]).unwrap();
        }
        std::os::unix::fs::symlink(data.join("backups"), data.join("reports/again")).unwrap();
        let places = Places { data_dir: data.clone(), database: Some(data.join("plimsoll.db")) };
        let found = places.measure();
        let kinds: Vec<u64> = DiskKind::ALL.iter().map(|kind| of(&found, *kind)).collect();
        assert_eq!(kinds, [400, 72, 92, 16, 24, 12, 20, 32]);
        assert!(!found.more && found.disk.free.is_some_and(|free| free > 0), "{found:?}");

        // A database elsewhere counts too, and nothing beside it.
        let elsewhere = folder.path().join("fast/bot.db");
        create_dir_all(elsewhere.parent().unwrap()).unwrap();
        write(&elsewhere, vec![1; 64 << 10]).unwrap();
        write(folder.path().join("fast/other"), vec![1; 64 << 10]).unwrap();
        let found = Places { data_dir: data.clone(), database: Some(elsewhere) }.measure();
        assert_eq!((of(&found, DiskKind::Database), of(&found, DiskKind::Other)), (64, 32 + 400 + 72 + 8));
        let server = Places { data_dir: data.join("nowhere"), database: None }.measure();
        assert_eq!(server.disk.used(), 0);
    }

    #[test]
    fn a_folder_without_end_is_given_up_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut deep = folder.path().to_owned();
        for _ in 0..=DISK_DEPTH_MAX {
            deep.push("d");
        }
        create_dir_all(&deep).unwrap();
        write(deep.join("file"), "x").unwrap();
        let places = Places { data_dir: folder.path().to_owned(), database: None };
        assert!(places.measure().more);
        std::fs::remove_file(deep.join("file")).unwrap();
        assert!(!places.measure().more);
    }
}
