//! The configuration over HTTP: read, looked at before it counts, applied, and put back.

use async_trait::async_trait;
use axum::Json;
use axum::extract::{Extension, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use utoipa::ToSchema;

use crate::auth::{Caller, Noted};
use crate::dto::{ConfigAppliedDto, ConfigBackupTextDto, ConfigBackupsDto, ConfigDto, ConfigPreviewDto, ConfigProblemDto};
use crate::error::ApiError;
use crate::limits::{CONFIG_BODY_MAX, CONFIG_ROWS};
use crate::routes::{Answer, App};

/// Reads and changes the configuration of the running process.
#[async_trait]
pub trait Settings: Send + Sync + 'static {
    /// Returns the configuration as the process knows it.
    fn current(&self) -> ConfigDto;

    /// Says what a text would change.
    fn preview(&self, yaml: &str) -> ConfigPreviewDto;

    /// Replaces the file and takes over what counts at once. `revision` is that of the text that the caller has seen.
    ///
    /// # Errors
    /// [`SettingsError`]; then everything is as it was.
    async fn apply(&self, yaml: &str, revision: &str, who: &str) -> Result<ConfigAppliedDto, SettingsError>;

    /// Lists the backups, newest first.
    ///
    /// # Errors
    /// [`SettingsError`].
    async fn backups(&self) -> Result<ConfigBackupsDto, SettingsError>;

    /// Returns the text of a backup.
    ///
    /// # Errors
    /// [`SettingsError`].
    async fn backup(&self, id: &str) -> Result<String, SettingsError>;

    /// Puts a backup in the file's place, by the way of [`Settings::apply`].
    ///
    /// # Errors
    /// [`SettingsError`]; then everything is as it was.
    async fn restore(&self, id: &str, revision: &str, who: &str) -> Result<ConfigAppliedDto, SettingsError>;

    /// Names the keys whose values count from a restart on.
    ///
    /// # Errors
    /// Why the process could not begin anew with the file as it is.
    fn at_restart(&self) -> Result<Vec<String>, String>;

    /// Removes a backup.
    ///
    /// # Errors
    /// [`SettingsError`].
    async fn forget(&self, id: &str) -> Result<(), SettingsError>;
}

/// Why the configuration is as it was.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SettingsError {
    /// Somebody else changes it now.
    #[error("the configuration is being changed by somebody else")]
    Busy,
    /// The file is not the one that the caller has seen.
    #[error("{0}")]
    Changed(
        /// What it is now.
        String,
    ),
    /// The text is wrong.
    #[error("the text has {} mistakes", .0.len())]
    Wrong(
        /// All of them.
        Vec<ConfigProblemDto>, // tidy: bounded by the body's limit
    ),
    /// A symbol, or the exchange's rules, stand against it.
    #[error("{0}")]
    Refused(
        /// Why.
        String,
    ),
    /// There is no such backup.
    #[error("{0}")]
    Unknown(
        /// Which.
        String,
    ),
    /// The disk does not let us.
    #[error("{0}")]
    Disk(
        /// Why.
        String,
    ),
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        let detail = error.to_string();
        match error {
            SettingsError::Busy => Self::new(StatusCode::CONFLICT, "config_busy", detail).hint("try again in a moment"),
            SettingsError::Changed(_) => {
                Self::new(StatusCode::CONFLICT, "config_changed", detail).hint("read it again, and make the change in that text")
            }
            SettingsError::Wrong(problems) => {
                let first = problems.first().map_or_else(String::new, |first| format!("; the first: {} {}", first.key, first.text));
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "config_wrong", format!("{detail}{first}"))
                    .hint("/api/config/preview lists all of them")
            }
            SettingsError::Refused(_) => {
                Self::new(StatusCode::CONFLICT, "config_refused", detail).hint("nothing was changed, neither the file nor what trades")
            }
            SettingsError::Unknown(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_backup", detail).hint("backups are listed at /api/config/backups")
            }
            SettingsError::Disk(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "config_disk", detail),
        }
    }
}

/// A text to be looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    /// The whole configuration.
    yaml: String,
}

/// A text to be applied.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The whole configuration.
    yaml: String,
    /// That of the text in which the change was made.
    revision: String,
}

/// A backup is to be put back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Back {
    /// That of the text which it replaces.
    revision: String,
}

async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let large = || {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a configuration has at most {CONFIG_BODY_MAX} bytes here"))
            .hint("write the file itself; the bot takes it over")
    };
    let bytes = axum::body::to_bytes(request.into_body(), CONFIG_BODY_MAX).await.map_err(|_| large())?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let detail = format!("the body is not the JSON that is wanted: line {}, column {}", error.line(), error.column());
        ApiError::new(StatusCode::BAD_REQUEST, "bad_body", detail).hint("/api/openapi.json says what is wanted")
    })
}

pub(crate) async fn current(State(shared): App) -> Result<Response, ApiError> {
    let turn = shared.turn(CONFIG_ROWS).await?;
    shared.send_page(turn, &shared.ports.settings.current())
}

pub(crate) async fn preview(State(shared): App, request: Request) -> Result<Response, ApiError> {
    let turn = shared.turn(CONFIG_ROWS).await?;
    let Text { yaml } = body(request).await?;
    shared.send_page(turn, &shared.ports.settings.preview(&yaml))
}

pub(crate) async fn apply(State(shared): App, Extension(caller): Extension<Caller>, request: Request) -> Result<Response, ApiError> {
    let _turn = shared.turn(CONFIG_ROWS).await?;
    let Change { yaml, revision } = body(request).await?;
    Ok(noted(shared.ports.settings.apply(&yaml, &revision, &caller.name).await?))
}

/// Says in the audit which keys were changed.
fn noted(applied: ConfigAppliedDto) -> Response {
    let keys = applied.applied.iter().chain(&applied.restart).map(|change| change.key.as_str());
    let detail: String = keys.collect::<Vec<_>>().join(" ").chars().take(400).collect();
    let mut response = Json(applied).into_response();
    response.extensions_mut().insert(Noted(detail));
    response
}

pub(crate) async fn backups(State(shared): App) -> Answer<ConfigBackupsDto> {
    Ok(Json(shared.ports.settings.backups().await?))
}

pub(crate) async fn backup(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    let turn = shared.turn(CONFIG_ROWS).await?;
    let yaml = shared.ports.settings.backup(&id).await?;
    shared.send_page(turn, &ConfigBackupTextDto { yaml })
}

pub(crate) async fn restore(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let _turn = shared.turn(CONFIG_ROWS).await?;
    let Back { revision } = body(request).await?;
    Ok(noted(shared.ports.settings.restore(&id, &revision, &caller.name).await?))
}

pub(crate) async fn forget(State(shared): App, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    shared.ports.settings.forget(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A process whose configuration cannot be changed, for examples and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

#[async_trait]
impl Settings for Fixed {
    fn current(&self) -> ConfigDto {
        ConfigDto::default()
    }

    fn preview(&self, _yaml: &str) -> ConfigPreviewDto {
        ConfigPreviewDto::default()
    }

    async fn apply(&self, _yaml: &str, _revision: &str, _who: &str) -> Result<ConfigAppliedDto, SettingsError> {
        Err(SettingsError::Refused("there is no file to change".to_owned()))
    }

    async fn backups(&self) -> Result<ConfigBackupsDto, SettingsError> {
        Ok(ConfigBackupsDto::default())
    }

    async fn backup(&self, id: &str) -> Result<String, SettingsError> {
        Err(SettingsError::Unknown(format!("there is no backup {id:?}")))
    }

    async fn restore(&self, id: &str, _revision: &str, _who: &str) -> Result<ConfigAppliedDto, SettingsError> {
        Err(SettingsError::Unknown(format!("there is no backup {id:?}")))
    }

    fn at_restart(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn forget(&self, id: &str) -> Result<(), SettingsError> {
        Err(SettingsError::Unknown(format!("there is no backup {id:?}")))
    }
}
