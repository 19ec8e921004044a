//! The process begins anew in its own place: the same number, the same arguments, the configuration's file as it is by now.
//!
//! Orders and positions stay at the exchange meanwhile, as with `on_stop: keep`, and the start finds them as after any other end. When it
//! does not succeed with the new text, the text before it is put back and the process begins once more: nobody is at the keyboard.

use crate::settings::ConfigFile;
use anyhow::Context;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Names the text that was in force before, for as long as a start may still fail.
const BEFORE: &str = "PLIMSOLL_CONFIG_BEFORE";
/// Says why a text was put away.
const FAILED: &str = "PLIMSOLL_RESTART_FAILED";
/// Bytes of it that are handed on.
const WHY_MAX: usize = 1_000;
/// What Linux calls the file of a program that was replaced while it ran.
const REPLACED: &str = " (deleted)";

/// Why the process ends, when nobody from outside ended it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The pressure ladder's last rung: whoever restarts processes must know.
    Memory(String),
    /// It begins anew.
    Again {
        /// A copy of the configuration that was in force; `None` when the file still has that text.
        before: Option<PathBuf>,
    },
}

/// Puts a new process in the place of this one. Returns only when the system does not let us.
pub fn begin(before: Option<&Path>) -> anyhow::Error {
    replace(before.map(|before| (BEFORE, before.as_os_str())))
}

/// Says why the restart did not succeed with the configuration that was meant, once.
pub fn failed() -> Option<String> {
    std::env::var(FAILED).ok().filter(|why| !why.is_empty())
}

/// After a start that failed: puts the configuration before it back and begins once more, if this start came of a restart with another.
///
/// # Errors
/// The error itself when there is no other text to try, or what kept us from trying it.
pub fn fall_back(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let Some(before) = std::env::var_os(BEFORE).filter(|before| !before.is_empty()).map(PathBuf::from) else { return error };
    let why: String = format!("{error:#}").chars().take(WHY_MAX).collect();
    match put_back(path, &before) {
        Ok(()) => replace(Some((FAILED, OsStr::new(&why)))),
        Err(problem) => error.context(format!("nor could the configuration before it be put back: {problem:#}")),
    }
}

fn put_back(path: &Path, before: &Path) -> anyhow::Result<()> {
    let file = ConfigFile { path: path.to_owned(), backups: before.parent().unwrap_or(Path::new(".")).to_owned() };
    let text = std::fs::read_to_string(before).with_context(|| format!("cannot read {}", before.display()))?;
    // It is no loss if it cannot be read: nothing could be started with it.
    if let Ok(meant) = file.read() {
        file.back_up(&meant)?;
    }
    Ok(file.replace(&text)?)
}

#[cfg(unix)]
fn replace(told: Option<(&str, &OsStr)>) -> anyhow::Error {
    use std::os::unix::process::CommandExt;
    let program = match std::env::current_exe() {
        Ok(program) => current(program),
        Err(error) => return anyhow::Error::new(error).context("cannot begin anew: the program's own file is not known"),
    };
    let mut command = std::process::Command::new(&program);
    command.args(kept(std::env::args_os().skip(1))).env_remove(BEFORE).env_remove(FAILED).envs(told);
    anyhow::Error::new(command.exec()).context(format!("cannot begin anew with {}", program.display()))
}

#[cfg(not(unix))]
fn replace(_told: Option<(&str, &OsStr)>) -> anyhow::Error {
    anyhow::anyhow!("this system cannot put a process in another's place; start it again by hand")
}

/// The program as it is on disk by now: a newer one may have taken its place.
fn current(program: PathBuf) -> PathBuf {
    let name = program.to_string_lossy();
    match name.strip_suffix(REPLACED).map(PathBuf::from) {
        Some(newer) if !program.exists() => newer,
        _ => program,
    }
}

/// The arguments but `--fresh`: what was meant for the first start must not forget the books at the second.
fn kept(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.filter(|argument| argument != "--fresh")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_not_forgotten_and_a_newer_program_is_taken() {
        let given = ["run", "--fresh", "--config", "c.yaml"].map(OsString::from);
        assert_eq!(kept(given.into_iter()).collect::<Vec<_>>(), ["run", "--config", "c.yaml"]);
        assert_eq!(current("/no/such/plimsoll (deleted)".into()), Path::new("/no/such/plimsoll"));
        assert_eq!(current("/no/such/plimsoll".into()), Path::new("/no/such/plimsoll"));
    }

    #[test]
    fn the_text_before_is_put_back_and_the_other_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile { path: folder.path().join("c.yaml"), backups: folder.path().join("backups") };
        let before = file.backups.join(file.back_up("a: 1\n").unwrap());
        std::fs::write(&file.path, "a: 2\n").unwrap();
        put_back(&file.path, &before).unwrap();
        assert_eq!(file.read().unwrap(), "a: 1\n");
        let kept: Vec<String> = file.list().unwrap().iter().map(|backup| file.backup(&backup.id).unwrap()).collect();
        assert_eq!(kept, ["a: 2\n", "a: 1\n"]);
        assert!(put_back(&file.path, &file.backups.join("none")).is_err());
        assert_eq!(file.read().unwrap(), "a: 1\n");
    }
}
