//! Files that somebody spoilt: a torn log, one that may not be written, a header of something else.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use plimsoll_storage::{ErrorClass, StoreError};

use crate::common::{Loop, Place, all_fills, check_prefix, key, open};
use crate::crash::run_and_kill;
use crate::faults::STATE;

const STOP: Duration = Duration::from_secs(20);

/// Bytes of a frame of SQLite's log: a page and its head.
const FRAME: u64 = 4_096 + 24;

#[tokio::test]
async fn torn_log_costs_its_torn_end_and_nothing_before() {
    type Tear = fn(&Path, u64);
    let tears: [(&str, Tear, u64); 5] = [
        ("a byte is missing", |log, length| shorten(log, length, 1), 14),
        ("half a frame is missing", |log, length| shorten(log, length, FRAME / 2), 14),
        ("a bit is another one", |log, length| overwrite(log, length - 100, &[0xa5; 1]), 14),
        ("the last frame is zeros", |log, length| overwrite(log, length - FRAME, &[0; FRAME as usize]), 14),
        ("half of it is missing", |log, length| shorten(log, length, length / 2), u64::MAX),
    ];
    for (what, tear, lost_most) in tears {
        let place = Place::file();
        // Few enough that the log is not begun anew: its end is the end of the file.
        let (_, confirmed) = run_and_kill(&place, 8);
        let log = place.path().with_file_name("bot.db-wal");
        let length = std::fs::metadata(&log).unwrap().len();
        assert!(length > 8 * FRAME && length < 1_000 * FRAME, "{length}");
        tear(&log, length);
        let store = place.open().await;
        let key = key("BTCUSDT");
        let stored = check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await);
        // The transaction at the end is gone, which held seven fills; one more may have been on its way when it was killed.
        assert!(stored.saturating_add(lost_most) >= confirmed, "{what}: {stored} stored of {confirmed}");
        let mut one = Loop::new(&store);
        one.totals = store.load(&key).await.unwrap().totals.unwrap_or(one.totals);
        assert!(one.record(50));
        store.flush().await.unwrap();
        store.stop(STOP).await.unwrap();
        let store = place.open().await;
        assert_eq!(check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await), stored + 50, "{what}: it goes on");
        store.stop(STOP).await.unwrap();
    }
}

fn shorten(file: &Path, length: u64, bytes: u64) {
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length - bytes).unwrap();
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn spoilt_header_is_said_and_the_file_left_alone() {
    let place = Place::file();
    place.open().await.stop(STOP).await.unwrap();
    let good = std::fs::read(place.path()).unwrap();
    overwrite(&place.path(), 0, &[0xa5; 100]);
    let spoilt = std::fs::read(place.path()).unwrap();
    let error = open(place.config()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{}", error.chain());
    let text = error.to_string();
    assert!(text.contains(&place.path().display().to_string()) && text.contains("restore a backup"), "{text}");
    assert_eq!(std::fs::read(place.path()).unwrap(), spoilt);
    std::fs::write(place.path(), good).unwrap();
    place.open().await.stop(STOP).await.unwrap();
}

/// Something that is taken back when it goes.
struct Undo(&'static str, Vec<String>);

impl Undo {
    fn new(command: &'static str, args: Vec<String>) -> Self {
        Self(command, args)
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        Command::new(self.0).args(&self.1).status().ok();
    }
}

fn works(command: &str, args: &[&str]) -> bool {
    Command::new(command).args(args).output().is_ok_and(|done| done.status.success())
}

#[tokio::test]
async fn file_that_may_not_be_written_is_refused_with_what_to_do() {
    let place = Place::file();
    let store = place.open().await;
    store.commit(key("BTCUSDT"), STATE).await.unwrap();
    store.stop(STOP).await.unwrap();
    let path = place.path().display().to_string();
    // Root may write whatever its mode says, but not what is immutable.
    let root = works("sh", &["-c", "test $(id -u) = 0"]);
    let (forbid, allow) = if root { (["chattr", "+i"], ["chattr", "-i"]) } else { (["chmod", "0444"], ["chmod", "0644"]) };
    if works(forbid[0], &[forbid[1], &path]) {
        let undo = Undo::new(allow[0], vec![allow[1].to_owned(), path.clone()]);
        let error = open(place.config()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{}", error.chain());
        let text = error.to_string();
        assert!(text.contains(&path) && text.contains("must be writable for this user"), "{text}");
        assert_eq!(error.class(), ErrorClass::Fatal);
        drop(undo);
    } else {
        eprintln!("left out: a file that may not be written, because this file system has no `{} {}`", forbid[0], forbid[1]);
    }
    let store = place.open().await;
    assert_eq!(store.load(&key("BTCUSDT")).await.unwrap().state, Some(STATE));
    store.stop(STOP).await.unwrap();
}

#[tokio::test]
async fn disk_that_may_only_be_read_is_refused_with_what_to_do() {
    let place = Place::file();
    place.open().await.stop(STOP).await.unwrap();
    let folder = place.path().parent().unwrap().display().to_string();
    if !works("mount", &["--bind", &folder, &folder]) {
        eprintln!("left out: a disk that may only be read, because this user may not mount one (run as root on Linux)");
        return;
    }
    let undo = Undo::new("umount", vec!["-l".to_owned(), folder.clone()]);
    assert!(works("mount", &["-o", "remount,ro,bind", &folder]));
    let error = open(place.config()).await.unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{}", error.chain());
    let text = error.chain();
    assert!(text.contains(&folder) && text.contains("make it writable") && text.contains("Read-only file system"), "{text}");
    drop(undo);
    place.open().await.stop(STOP).await.unwrap();
}
