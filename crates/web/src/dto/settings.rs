//! Answers about the configuration.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `/api/config`: the configuration's file and what the process knows of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ConfigDto {
    /// The file's text as the process last took it over; passwords in addresses are masked as `***`.
    pub yaml: String,
    /// What this text is known by: a change must name it, so that nobody overwrites what somebody else has written.
    pub revision: String,
    /// Where the file is.
    pub path: String,
    /// Every key with its value, also those that are not written.
    pub values: Vec<ConfigValueDto>, // tidy: bounded by the keys of the configuration
    /// What was changed and counts with the next start only.
    pub waiting: Vec<ConfigChangeDto>, // tidy: bounded by the keys of the configuration
}

/// A key of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigValueDto {
    /// The key, with its sections; those of a symbol begin with `trading.symbols.` and its name.
    pub key: String,
    /// Its value as it is written.
    pub value: String,
    /// Since when a change of it counts: `live` or `restart`.
    pub applies: String,
    /// What it may be; empty for parts of lists.
    pub range: String,
    /// Its value when it is not written.
    pub default: Option<String>,
    /// What it means.
    pub doc: String,
}

/// A key whose value differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigChangeDto {
    /// The key.
    pub key: String,
    /// Before; `null` when it had no value.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
    /// Since when it counts: `live` or `restart`.
    pub applies: String,
}

/// Something wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigProblemDto {
    /// The key; empty when the text is no YAML.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub text: String,
}

/// What a text would change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ConfigPreviewDto {
    /// All that is wrong with it; then nothing else is told.
    pub problems: Vec<ConfigProblemDto>, // tidy: bounded by the body's limit
    /// What differs from what the process runs by.
    pub changes: Vec<ConfigChangeDto>, // tidy: bounded by the keys of the configuration
    /// The lines that differ, as `diff -u` tells them.
    pub diff: String,
}

/// What became of a change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ConfigAppliedDto {
    /// The backup that holds the text before.
    pub backup: String,
    /// What counts now.
    pub applied: Vec<ConfigChangeDto>, // tidy: bounded by the keys of the configuration
    /// What counts with the next start, with what was changed earlier.
    pub restart: Vec<ConfigChangeDto>, // tidy: bounded by the keys of the configuration
    /// What the file is known by now.
    pub revision: String,
}

/// Answer of `/api/config/backups`, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ConfigBackupsDto {
    /// The backups.
    pub backups: Vec<ConfigBackupDto>, // tidy: bounded by the backups that are kept
}

/// A backup of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigBackupDto {
    /// Its name.
    pub id: String,
    /// When it was made.
    pub time_ms: u64,
    /// Its size.
    pub bytes: u64,
}

/// Answer of `/api/config/backups/{id}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigBackupTextDto {
    /// Its text; passwords in addresses are masked as `***`.
    pub yaml: String,
}
