//! What must be kept of logins, and the port to whoever keeps it.

use async_trait::async_trait;
use plimsoll_market::Time;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::dto::AuditDto;
use crate::ports::{HistoryError, Page, PageRequest};

/// What somebody may do; each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looks.
    Read,
    /// Commands, too.
    Control,
    /// Everything: settings, tokens, profiles.
    Admin,
}

impl Scope {
    /// The word in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Admin => "admin",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Read, Self::Control, Self::Admin].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Somebody who may log in. What is secret is hashed or sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The name.
    pub name: String,
    /// The password's hash with its parameters, in the PHC string format.
    pub password: String,
    /// The sealed secret of one-time codes; `None` without them.
    pub totp: Option<String>,
    /// The last step of 30 seconds whose code was taken.
    pub totp_step: u64,
    /// Hashes of the recovery codes that are left, with blanks between them.
    pub recovery: String,
    /// When it last changed.
    pub changed: Time,
}

/// Somebody who is logged in.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its name in lists.
    pub id: String,
    /// SHA-256 of what the browser holds, in hexadecimal digits.
    pub hash: String,
    /// When it began.
    pub created: Time,
    /// When it was last used; stored now and then.
    pub seen: Time,
    /// What the browser calls itself.
    pub agent: String,
    /// Whence it came.
    pub address: String,
}

/// A token for programs.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its name in lists.
    pub id: String,
    /// SHA-256 of the token, in hexadecimal digits.
    pub hash: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: String,
    /// When it was made.
    pub created: Time,
    /// When it was last used; stored now and then.
    pub used: Option<Time>,
    /// When it ends.
    pub expires: Option<Time>,
}

/// All that is kept.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Logins {
    /// Who may log in; one at most.
    pub users: Vec<UserRow>, // tidy: bounded by whoever keeps them, lives as long as the start
    /// Who is logged in.
    pub sessions: Vec<SessionRow>, // tidy: bounded by whoever keeps them, lives as long as the start
    /// The tokens.
    pub tokens: Vec<TokenRow>, // tidy: bounded by whoever keeps them, lives as long as the start
}

/// A change of what is kept; a row takes the place of the one with its name.
#[derive(Clone, PartialEq, Eq)]
pub enum LoginChange {
    /// Keeps a user.
    User(UserRow),
    /// Forgets a user by its name.
    ForgetUser(String),
    /// Keeps a session.
    Session(SessionRow),
    /// Forgets a session by its id.
    ForgetSession(String),
    /// Keeps a token.
    Token(TokenRow),
    /// Forgets a token by its id.
    ForgetToken(String),
}

/// Something that was done through the API, or refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// When.
    pub time: Time,
    /// Who.
    pub actor: String,
    /// Whence.
    pub address: String,
    /// What, in a word.
    pub action: String,
    /// To what.
    pub target: String,
    /// What came of it: `done`, or the code of the refusal.
    pub outcome: String,
    /// More about it.
    pub detail: String,
}

/// Which entries are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditsWanted {
    /// Only of this kind.
    pub action: Option<String>,
    /// Entries at most, and where to go on.
    pub page: PageRequest,
}

/// Why something is not kept.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("logins cannot be stored: {reason}")]
pub struct VaultError {
    /// Why, without secrets.
    pub reason: String,
}

/// Keeps who may do what, and what was done. It is asked at the start and at changes, never for a request.
#[async_trait]
pub trait Vault: Send + Sync + 'static {
    /// Returns all that is kept.
    ///
    /// # Errors
    /// [`VaultError`].
    async fn load(&self) -> Result<Logins, VaultError>;

    /// Makes changes, all or none; they survive a power cut once this returns. At most
    /// [`crate::limits::LOGIN_CHANGES_MAX`].
    ///
    /// # Errors
    /// [`VaultError`].
    async fn change(&self, changes: Vec<LoginChange>) -> Result<(), VaultError>;

    /// Writes down what was done.
    ///
    /// # Errors
    /// [`VaultError`].
    async fn note(&self, entry: AuditEntry) -> Result<(), VaultError>;

    /// Returns what was done, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn notes(&self, wanted: AuditsWanted) -> Result<Page<AuditDto>, HistoryError>;
}
