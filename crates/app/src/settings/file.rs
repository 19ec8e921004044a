//! The configuration's file: read, replaced in one step, and its backups.

use crate::config::{ConfigError, read_file};
use ring::digest::{SHA256, digest};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;
use time::OffsetDateTime;

/// Backups that are kept; the oldest goes first. Each is as large as the file, a megabyte at most.
pub const BACKUPS_MAX: usize = 20;
/// What their names begin with.
const PREFIX: &str = "config-";
/// What their names end with.
const SUFFIX: &str = ".yaml";

/// Why the file was not changed.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ConfigError),
    /// The disk does not let us.
    #[error("cannot {verb} {path}: {source}; the file stays as it was")]
    Disk {
        /// What was tried.
        verb: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no such backup.
    #[error("there is no backup {0:?}")]
    Unknown(
        /// Its name.
        String,
    ),
}

/// A backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// Its name.
    pub id: String,
    /// When it was made, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// What a text is known by: 16 digits of its SHA-256.
pub fn revision(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The configuration's file and the folder of its backups.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// The folder.
    pub backups: PathBuf,
}

impl ConfigFile {
    /// The file as it is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> Result<String, FileError> {
        Ok(read_file(&self.path)?)
    }

    /// Keeps a text as a backup and lets the oldest go; returns its name.
    ///
    /// # Errors
    /// The disk does not let us.
    pub fn back_up(&self, text: &str) -> Result<String, FileError> {
        let disk = |verb| move |source| FileError::Disk { verb, path: self.backups.clone(), source };
        std::fs::create_dir_all(&self.backups).map_err(disk("make the folder"))?;
        let now = OffsetDateTime::now_utc();
        let (year, month, day) = now.to_calendar_date();
        let (hour, minute, second, micros) = now.to_hms_micro();
        let id = format!("{PREFIX}{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}-{micros:06}{SUFFIX}", u8::from(month));
        let path = self.backups.join(&id);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(disk("write a backup in"))?;
        let mut names: Vec<String> = self.list()?.into_iter().map(|backup| backup.id).collect();
        names.sort();
        let excess = names.len().saturating_sub(BACKUPS_MAX);
        for old in names.iter().take(excess) {
            if let Err(error) = std::fs::remove_file(self.backups.join(old)) {
                tracing::warn!(%error, backup = old, "an old backup of the configuration could not be removed");
            }
        }
        Ok(id)
    }

    /// Puts a text in the file's place: whoever reads it sees the old text or the new one, also after a crash.
    ///
    /// # Errors
    /// The disk does not let us; the file is as it was.
    pub fn replace(&self, text: &str) -> Result<(), FileError> {
        // A name that is a link stays one: what it leads to is replaced.
        let target = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let disk = |verb| {
            let path = target.clone();
            move |source| FileError::Disk { verb, path, source }
        };
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = folder.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            if let Ok(before) = std::fs::metadata(&target) {
                file.set_permissions(before.permissions())?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(disk("write the new text beside"))?;
        std::fs::rename(&beside, &target).map_err(disk("replace"))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk("make sure of"))
    }

    /// The backups, newest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Backup>, FileError> {
        let disk = |source| FileError::Disk { verb: "look into", path: self.backups.clone(), source };
        let entries = match std::fs::read_dir(&self.backups) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(disk(error)),
        };
        let mut backups = Vec::new();
        for entry in entries.flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            let Ok(about) = entry.metadata() else { continue };
            if !is_id(&id) || !about.is_file() {
                continue;
            }
            let age = about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let time_ms = age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            backups.push(Backup { id, time_ms, bytes: about.len() });
        }
        backups.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(backups)
    }

    /// The text of a backup.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be read.
    pub fn backup(&self, id: &str) -> Result<String, FileError> {
        Ok(read_file(&self.at(id)?)?)
    }

    /// Removes a backup.
    ///
    /// # Errors
    /// There is none of this name, or the disk does not let us.
    pub fn forget(&self, id: &str) -> Result<(), FileError> {
        let path = self.at(id)?;
        std::fs::remove_file(&path).map_err(|source| FileError::Disk { verb: "remove", path, source })
    }

    /// A name is never a way out of the folder.
    fn at(&self, id: &str) -> Result<PathBuf, FileError> {
        let path = self.backups.join(id);
        if is_id(id) && path.is_file() { Ok(path) } else { Err(FileError::Unknown(id.chars().take(80).collect())) }
    }
}

fn is_id(id: &str) -> bool {
    let stamp = id.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    stamp.is_some_and(|stamp| !stamp.is_empty() && stamp.bytes().all(|byte| byte.is_ascii_digit() || byte == b'T' || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, ConfigFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile { path: folder.path().join("c.yaml"), backups: folder.path().join("backups/config") };
        std::fs::write(&file.path, "a: 1\n").unwrap();
        (folder, file)
    }

    #[test]
    fn a_backup_holds_the_text_and_the_oldest_goes_first() {
        let (_folder, file) = file();
        assert!(file.list().unwrap().is_empty());
        let ids: Vec<String> = (0..BACKUPS_MAX + 3).map(|n| file.back_up(&format!("a: {n}\n")).unwrap()).collect();
        let kept: Vec<String> = file.list().unwrap().into_iter().map(|backup| backup.id).collect();
        assert_eq!(kept, ids[3..].iter().rev().cloned().collect::<Vec<_>>());
        assert_eq!(file.backup(&ids[3]).unwrap(), "a: 3\n");
        file.forget(&ids[3]).unwrap();
        assert!(matches!(file.backup(&ids[3]), Err(FileError::Unknown(_))));
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let (folder, file) = file();
        file.back_up("x: 1\n").unwrap();
        std::fs::write(folder.path().join("secret.yaml"), "s: 1\n").unwrap();
        for id in ["../../secret.yaml", "../../c.yaml", "config-/../../../c.yaml", "", "config-.yaml", "config-20260101T000000-000000.yaml"]
        {
            assert!(matches!(file.backup(id), Err(FileError::Unknown(_))), "{id}");
            assert!(matches!(file.forget(id), Err(FileError::Unknown(_))), "{id}");
        }
    }

    #[test]
    fn a_text_takes_the_files_place_whole_with_its_rights() {
        let (folder, file) = file();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o640)).unwrap();
        }
        file.replace("a: 2\n").unwrap();
        assert_eq!(file.read().unwrap(), "a: 2\n");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["c.yaml"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o640);
        }
        // A link stays a link.
        let link = ConfigFile { path: folder.path().join("link.yaml"), ..file.clone() };
        std::os::unix::fs::symlink(&file.path, &link.path).unwrap();
        link.replace("a: 3\n").unwrap();
        assert!(std::fs::symlink_metadata(&link.path).unwrap().is_symlink());
        assert_eq!(file.read().unwrap(), "a: 3\n");
    }
}
