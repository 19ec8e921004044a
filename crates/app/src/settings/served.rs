//! The configuration as the dashboard sees it: without passwords, and with what each key means.

use super::{Applied, FileError, Problem, Settings, SettingsError};
use crate::config::diff::{Change, applies};
use crate::config::keys::{KEYS, Key};
use crate::config::reader::allowed;
use crate::config::symbol_keys;
use async_trait::async_trait;
use plimsoll_bounded::{TaskSpec, Tasks, reply};
use plimsoll_web::SettingsError as Refusal;
use plimsoll_web::dto::{
    ConfigAppliedDto, ConfigBackupDto, ConfigBackupsDto, ConfigChangeDto, ConfigDto, ConfigPreviewDto, ConfigProblemDto, ConfigValueDto,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What stands for a password.
const MASK: &str = "***";
/// How long a change may take; each symbol has [`super::ADOPT_TIMEOUT`].
const CARRIED_OUT: Duration = Duration::from_secs(600);
/// The key whose address may carry one.
const ADDRESS: &str = "storage.url";

/// The password of an address, with what surrounds it: `:password@`.
fn login(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let at = rest.rfind('@')?;
    let colon = rest.get(..at)?.find(':')?;
    rest.get(colon..=at).filter(|login| login.len() > 2)
}

/// A text without the password of the database's address.
fn masked(text: &str, values: &BTreeMap<String, String>) -> String {
    match values.get(ADDRESS).and_then(|address| login(address)) {
        Some(login) => text.replace(login, &format!(":{MASK}@")),
        None => text.to_owned(),
    }
}

/// A text with the password where it is masked.
fn unmasked(text: &str, values: &BTreeMap<String, String>) -> String {
    match values.get(ADDRESS).and_then(|address| login(address)) {
        Some(login) => text.replace(&format!(":{MASK}@"), login),
        None => text.to_owned(),
    }
}

fn key_of(path: &str) -> Option<&'static Key> {
    match path.strip_prefix("trading.symbols.").and_then(|rest| rest.split_once('.')) {
        Some((_, of_symbol)) => symbol_keys().iter().find(|key| key.path == of_symbol),
        None => KEYS.iter().find(|key| key.path == path),
    }
}

fn told(change: &Change, values: &BTreeMap<String, String>) -> ConfigChangeDto {
    let shown = |value: &Option<String>| value.as_ref().map(|value| hidden(&change.key, value, values));
    ConfigChangeDto {
        key: change.key.clone(),
        from: shown(&change.from),
        to: shown(&change.to),
        applies: change.applies.as_str().to_owned(),
    }
}

impl Settings {
    fn told(&self, applied: &Applied) -> ConfigAppliedDto {
        let values = self.values();
        let all = |changes: &[Change]| changes.iter().map(|change| told(change, &values)).collect();
        ConfigAppliedDto {
            backup: applied.backup.clone(),
            applied: all(&applied.live),
            restart: all(&applied.restart),
            revision: applied.revision.clone(),
        }
    }
}

/// A value without a password.
fn hidden(key: &str, value: &str, values: &BTreeMap<String, String>) -> String {
    let own = login(value).filter(|_| key == ADDRESS);
    own.map_or_else(|| masked(value, values), |login| value.replace(login, &format!(":{MASK}@")))
}

fn problem(problem: Problem) -> ConfigProblemDto {
    ConfigProblemDto { key: problem.key, text: problem.text }
}

fn refusal(error: SettingsError) -> Refusal {
    let text = error.to_string();
    match error {
        SettingsError::Busy => Refusal::Busy,
        SettingsError::Changed { .. } => Refusal::Changed(text),
        SettingsError::Wrong(problems) => Refusal::Wrong(problems.into_iter().map(problem).collect()),
        SettingsError::Refused(why) => Refusal::Refused(why),
        SettingsError::File(error) => of_file(&error),
    }
}

fn of_file(error: &FileError) -> Refusal {
    match error {
        FileError::Unknown(_) => Refusal::Unknown(error.to_string()),
        FileError::Read(_) | FileError::Disk { .. } => Refusal::Disk(error.to_string()),
    }
}

/// The settings for the web server. What changes something is a task of its own: a request that is given up must not leave half of it.
pub struct Served {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Where the task lives.
    pub tasks: Tasks,
}

/// What is to be done.
enum Job {
    /// Apply this text to the file of this revision.
    Apply(String, String),
    /// Put this backup in the place of the file of this revision.
    Restore(String, String),
}

impl Served {
    async fn carry_out(&self, job: Job, who: &str) -> Result<ConfigAppliedDto, Refusal> {
        let (answer, done) = reply();
        let (settings, who) = (Arc::clone(&self.settings), who.to_owned());
        let spawned = self.tasks.spawn(TaskSpec { name: "settings", group: "app" }, |_task| {
            Box::pin(async move {
                let applied = match job {
                    Job::Apply(yaml, revision) => settings.apply(&yaml, &revision, &who).await,
                    Job::Restore(id, revision) => settings.restore(&id, &revision, &who).await,
                };
                if answer.send(applied.map(|applied| settings.told(&applied)).map_err(refusal)).is_err() {
                    tracing::info!(who, "the configuration was changed, or not; nobody waited for the answer");
                }
            })
        });
        spawned.map_err(|_| Refusal::Busy)?;
        done.wait(CARRIED_OUT).await.map_err(|_| Refusal::Busy)?
    }
}

#[async_trait]
impl plimsoll_web::Settings for Served {
    fn current(&self) -> ConfigDto {
        let (text, revision) = self.settings.current();
        let values = self.settings.values();
        let value = |(key, value): (&String, &String)| {
            let known = key_of(key);
            ConfigValueDto {
                key: key.clone(),
                value: hidden(key, value, &values),
                applies: applies(key).as_str().to_owned(),
                range: known.map_or_else(String::new, |key| allowed(key.kind)),
                default: known.and_then(|key| key.default).filter(|default| !default.is_empty()).map(str::to_owned),
                doc: known.map_or_else(String::new, |key| key.doc.to_owned()),
            }
        };
        ConfigDto {
            yaml: masked(&text, &values),
            revision,
            path: self.settings.file().path.display().to_string(),
            values: values.iter().map(value).collect(),
            waiting: self.settings.waiting().iter().map(|change| told(change, &values)).collect(),
        }
    }

    fn preview(&self, yaml: &str) -> ConfigPreviewDto {
        let values = self.settings.values();
        let preview = self.settings.preview(&unmasked(yaml, &values));
        ConfigPreviewDto {
            problems: preview.problems.into_iter().map(problem).collect(),
            changes: preview.changes.iter().map(|change| told(change, &values)).collect(),
            diff: masked(&preview.diff, &values),
        }
    }

    async fn apply(&self, yaml: &str, revision: &str, who: &str) -> Result<ConfigAppliedDto, Refusal> {
        self.carry_out(Job::Apply(unmasked(yaml, &self.settings.values()), revision.to_owned()), who).await
    }

    async fn backups(&self) -> Result<ConfigBackupsDto, Refusal> {
        let backups = self.settings.file().list().map_err(|error| of_file(&error))?;
        let dto = |backup: super::file::Backup| ConfigBackupDto { id: backup.id, time_ms: backup.time_ms, bytes: backup.bytes };
        Ok(ConfigBackupsDto { backups: backups.into_iter().map(dto).collect() })
    }

    async fn backup(&self, id: &str) -> Result<String, Refusal> {
        let text = self.settings.file().backup(id).map_err(|error| of_file(&error))?;
        // It may hold an older password than the one that is known now.
        let own =
            crate::config::parse_map(&text, &self.settings.file().path).map(|map| crate::config::diff::flat(&map)).unwrap_or_default();
        Ok(masked(&text, &own))
    }

    async fn restore(&self, id: &str, revision: &str, who: &str) -> Result<ConfigAppliedDto, Refusal> {
        self.carry_out(Job::Restore(id.to_owned(), revision.to_owned()), who).await
    }

    fn at_restart(&self) -> Result<Vec<String>, String> {
        self.settings.at_restart()
    }

    async fn forget(&self, id: &str) -> Result<(), Refusal> {
        self.settings.file().forget(id).map_err(|error| of_file(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_and_comes_back() {
        let text = "storage:\n  url: postgres://bot:pa:ss@db/plimsoll\n";
        let values = BTreeMap::from([(ADDRESS.to_owned(), "postgres://bot:pa:ss@db/plimsoll".to_owned())]);
        let shown = masked(text, &values);
        assert_eq!(shown, "storage:\n  url: postgres://bot:***@db/plimsoll\n");
        assert_eq!(unmasked(&shown, &values), text);
        for address in ["sqlite:data/plimsoll.db", "postgres://bot@db/x", "postgres://db/x", "postgres://bot:@db/x"] {
            assert_eq!(login(address), None, "{address}");
        }
        assert_eq!(hidden(ADDRESS, "postgres://a:new@db/x", &values), "postgres://a:***@db/x", "also one that is not known yet");
    }
}
