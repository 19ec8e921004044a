//! A full disk under the verbs of the real binary: what they say, and what they leave.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{Running, free_port, get, until, verb};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A file system of a few MiB; gone with it.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("left out: a disk that is full, because this user may not mount a small one (run as root on Linux)");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.path().join("filler")).unwrap();
        while file.write_all(&[1; 4_096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

#[test]
fn exports_and_backups_to_a_full_disk_say_so_and_leave_nothing() {
    let Some(target) = Small::mount(1) else { return };
    let folder = tempfile::tempdir().unwrap();
    let web = free_port();
    let (file, api) = (shared::quick(folder.path(), web), format!("127.0.0.1:{web}"));
    let mut bot = Running::start(&["run", "--config", &file], &[]);
    let fills = || get(&api, "/api/symbols/BTCUSDT").and_then(|symbol| symbol["fills"].as_u64()).unwrap_or(0);
    until(Duration::from_secs(60), "some dozen executions", || fills() >= 20);
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    target.fill();
    for format in ["csv", "parquet"] {
        for what in ["fills", "orders", "trades", "equity"] {
            let out = target.path().join(format!("{what}.{format}")).display().to_string();
            let export = || verb(&["export", what, "--format", format, "--out", &out, "--config", &file]);
            let (code, told) = export();
            assert!(code == Some(2) && told.contains(&format!("there is no room for {out}: free some space")), "{code:?} {told}");
            assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 1, "nothing is left of {out}");
        }
    }
    let backup = target.path().join("mine.db").display().to_string();
    let (code, told) = verb(&["backup", "--to", &backup, "--config", &file]);
    assert!(
        code == Some(2) && told.contains(&format!("there is no room for {backup}")) && told.contains("free some space"),
        "{code:?} {told}"
    );
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 1, "nothing is left of {backup}");
    target.free();
    let out = target.path().join("fills.csv").display().to_string();
    let (code, told) = verb(&["export", "fills", "--out", &out, "--config", &file]);
    assert!(code == Some(0) && told.contains("rows"), "{code:?} {told}");
}
