//! A disk that is full, wherever something is written: what is said, that nothing is left half written, and that everything goes on
//! once there is room. On a file system of its own, a few MiB large.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use plimsoll_market::{StateRecord, Time};
use plimsoll_storage::tool::{self, Replace, ToolError};
use plimsoll_storage::{ErrorClass, RawStoreConfig, StoreError};

use crate::common::{Loop, Place, health, open};
use crate::faults::STATE;
use crate::tool::{age, config, file, fill};

const STOP: Duration = Duration::from_secs(20);

/// A file system of a few MiB; gone with it.
pub struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    pub fn mount(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|done| done.status.success()) {
            return Some(Self { folder });
        }
        eprintln!("left out: a disk that is full, because this user may not mount a small one (run as root on Linux)");
        None
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Fills all of it but so many bytes.
    fn fill_but(&self, left: u64) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let page = [1; 4_096];
        while file.write_all(&page).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length - left).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn grow(&self, mib: u32) {
        let done = Command::new("mount").args(["-o", &format!("remount,size={mib}m")]).arg(self.path()).status().unwrap();
        assert!(done.success());
    }

    /// The names in it, but for the filler and what says who has a database.
    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "filler" && !name.ends_with(".lock")).collect();
        names.sort();
        names
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.folder.path()).status().ok();
    }
}

fn small_batches(place: &Place) -> RawStoreConfig {
    RawStoreConfig { batch_size: 20, flush_interval_ms: 10, ..place.config() }
}

/// Asserts that it is said which disk is full, and what to do.
#[track_caller]
fn check_full(error: &StoreError, place: &Place) {
    assert!(matches!(error, StoreError::Full { .. }), "{}", error.chain());
    let text = error.to_string();
    assert!(text.contains(&place.path().display().to_string()) && text.contains("free some space"), "{text}");
    assert_eq!(error.class(), ErrorClass::Unavailable);
}

/// Writes until the disk is full, makes room, and asserts that nothing confirmed is lost and everything goes on by itself.
async fn check_room_is_enough(place: &Place, make_room: impl FnOnce()) {
    let store = open(small_batches(place)).await.unwrap();
    let mut one = Loop::new(&store);
    let mut confirmed = 0;
    let error = loop {
        one.record(20);
        match store.flush().await {
            Ok(()) => confirmed = one.totals.fills,
            Err(error) => break error,
        }
        assert!(confirmed < 50_000, "it never was full");
    };
    check_full(&error, place);
    // What comes now waits, then opening stops, then it is refused.
    while one.record(1) {
        tokio::task::yield_now().await;
    }
    let failing = health(&store, |health| health.failures >= 4 && health.records_full).await;
    assert!(failing.failing.unwrap().contains("is full"));
    // A state is small: the room that the log has already may do for one.
    if let Err(error) = store.commit(crate::common::key("BTCUSDT"), STATE).await {
        check_full(&error, place);
    }

    make_room();
    health(&store, |health| health.failing.is_none() && !health.records_full).await;
    one.resume(&store, confirmed).await;
    store.commit(crate::common::key("BTCUSDT"), STATE).await.unwrap();

    // A further fault of another kind must not leave a transaction open, in which commits would not hold.
    place.meddle("CREATE TRIGGER refuse BEFORE INSERT ON fills BEGIN SELECT RAISE(ABORT, 'not today'); END").await;
    one.record(20);
    assert!(store.flush().await.is_err());
    place.meddle("DROP TRIGGER refuse").await;
    store.flush().await.unwrap();
    let seen = place.number(&[], "SELECT COUNT(*) FROM fills").await;
    assert_eq!(seen as u64, one.totals.fills, "what is confirmed is there for everybody");
    store.stop(STOP).await.unwrap();
    let store = place.open().await;
    let confirmed = one.totals.fills;
    one.resume(&store, confirmed).await;
    assert_eq!(store.load(&crate::common::key("BTCUSDT")).await.unwrap().state, Some(STATE));
    store.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn log_that_cannot_grow_stops_records_and_states_until_there_is_room() {
    let Some(small) = Small::mount(12) else { return };
    let place = Place::within(small.path());
    place.open().await.stop(STOP).await.unwrap();
    small.fill_but(400 << 10);
    check_room_is_enough(&place, || small.free()).await;
}

#[tokio::test]
async fn database_that_cannot_grow_stops_records_and_states_until_there_is_room() {
    let Some(small) = Small::mount(7) else { return };
    let place = Place::within(small.path());
    check_room_is_enough(&place, || small.grow(64)).await;
}

#[tokio::test]
async fn state_is_refused_on_a_full_disk_and_taken_once_there_is_room() {
    let Some(small) = Small::mount(2) else { return };
    let place = Place::within(small.path());
    let store = place.open().await;
    let key = crate::common::key("BTCUSDT");
    small.fill_but(0);
    let mut last = STATE;
    let error = loop {
        let next = StateRecord { version: last.version + 1, ..STATE };
        match store.commit(key, next).await {
            Ok(()) => last = next,
            Err(error) => break error,
        }
        assert!(last.version < 200, "it never was full");
    };
    check_full(&error, &place);
    assert!(store.next_run(Time::from_millis(1_800_000_000_000)).await.is_err());
    let stored = store.load(&key).await.unwrap().state;
    assert!([None, Some(last)].contains(&stored) && stored.is_some() == (last.version > 1), "{stored:?}");
    small.free();
    store.commit(key, StateRecord { version: 1_000, ..STATE }).await.unwrap();
    store.stop(STOP).await.unwrap();
    let store = place.open().await;
    assert_eq!(store.load(&key).await.unwrap().state.map(|state| state.version), Some(1_000));
    store.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn start_on_a_full_disk_is_refused_and_works_once_there_is_room() {
    let Some(small) = Small::mount(2) else { return };
    let place = Place::within(small.path());
    // With no room at all, who has the database cannot be written down; with a little, its tables cannot be made.
    for left in [0, 8 << 10, 60 << 10] {
        small.fill_but(left);
        check_full(&open(place.config()).await.unwrap_err(), &place);
        small.free();
    }
    let store = place.open().await;
    store.commit(crate::common::key("BTCUSDT"), STATE).await.unwrap();
    store.stop(STOP).await.unwrap();
    small.fill_but(0);
    check_full(&open(place.config()).await.unwrap_err(), &place);
    small.free();
    let store = place.open().await;
    assert_eq!(store.load(&crate::common::key("BTCUSDT")).await.unwrap().state, Some(STATE));
    store.stop(STOP).await.unwrap();
}

/// Asserts that a tool names the place that is full, and not where it read from.
#[track_caller]
fn check_names(error: &ToolError, target: &Path, source: &Path) {
    let text = error.to_string();
    assert!(text.contains(&target.display().to_string()) && !text.contains(&source.display().to_string()), "{text}");
    assert!(text.contains("free some space"), "{text}");
    assert_eq!(error.class(), ErrorClass::Unavailable);
}

#[tokio::test]
async fn backup_restore_and_copy_to_a_full_disk_leave_nothing_half_written() {
    let Some(small) = Small::mount(4) else { return };
    crate::common::everywhere("full_tools", async |source| {
        fill(source).await;
        let from = config(source);
        let read = if from.path().is_some() { source.path() } else { PathBuf::from("postgres") };
        let before = small.names();
        let target = small.path().join("mine.db");
        small.fill_but(64 << 10);
        check_names(&tool::backup_to(&from, &target).await.unwrap_err(), &target, &read);
        assert_eq!(small.names(), before, "nothing is left of it");
        let to = file(&target);
        check_names(&tool::copy(&from, &to, Replace::No, &mut |_| {}).await.unwrap_err(), &target, &read);
        assert_eq!(small.names(), before, "nothing is left of it");
        small.free();
        tool::backup_to(&from, &target).await.unwrap();
        std::fs::remove_file(&target).unwrap();
        tool::copy(&from, &to, Replace::No, &mut |_| {}).await.unwrap();
        std::fs::remove_file(&target).unwrap();
    })
    .await;

    let elsewhere = Place::file();
    fill(&elsewhere).await;
    let place = Place::within(small.path());
    let store = place.open().await;
    store.commit(crate::common::key("BTCUSDT"), STATE).await.unwrap();
    store.stop(STOP).await.unwrap();
    let before = small.names();
    small.fill_but(64 << 10);
    check_names(&tool::restore(&config(&place), &elsewhere.path()).await.unwrap_err(), &place.path(), &elsewhere.path());
    assert_eq!(small.names(), before, "nothing is left of it");
    small.free();
    let store = place.open().await;
    assert_eq!(store.load(&crate::common::key("BTCUSDT")).await.unwrap().state, Some(STATE), "the database is what it was");
    store.stop(STOP).await.unwrap();
    tool::restore(&config(&place), &elsewhere.path()).await.unwrap();
}

#[tokio::test]
async fn migration_on_a_full_disk_changes_nothing_and_is_done_once_there_is_room() {
    let Some(small) = Small::mount(6) else { return };
    let place = Place::within(small.path());
    fill(&place).await;
    age(&place).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let beside = config(&place);
    let apart = config(&place).with_backups(elsewhere.path());
    let plan = tool::plan(&beside).await.unwrap();
    let before = small.names();

    // No room for the backup: nothing is begun.
    small.fill_but(100 << 10);
    let error = tool::migrate(&beside).await.unwrap_err();
    let ToolError::Store(error @ StoreError::Backup { .. }) = error else { panic!("{error}") };
    let text = error.chain();
    assert!(
        text.contains("nothing was changed") && text.contains(&format!("there is no room for {}/backups/", small.path().display())),
        "{text}"
    );
    assert!(text.contains("free some space"), "{text}");
    assert_eq!(std::fs::read_dir(small.path().join("backups")).unwrap().count(), 0, "nothing is left of it");
    std::fs::remove_dir(small.path().join("backups")).unwrap();
    small.free();
    // The backup is elsewhere, and there is no room for the steps.
    small.fill_but(60 << 10);
    let error = tool::migrate(&apart).await.unwrap_err();
    let ToolError::Store(error) = error else { panic!("{error}") };
    check_full(&error, &place);
    small.free();
    assert_eq!(tool::plan(&beside).await.unwrap(), plan, "all steps, or none");
    assert_eq!(small.names(), before);
    tool::migrate(&beside).await.unwrap();
    assert_eq!(tool::check(&beside).await.unwrap().wrong, 0);
}
