//! Answers about logins, and what was done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Scope;

/// Whether somebody is logged in, and what a page needs to go on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthStatusDto {
    /// Whether the first password is still to be set.
    pub setup_needed: bool,
    /// Whether the request came with a session or a token that is in force.
    pub logged_in: bool,
    /// What it may do.
    pub scope: Option<Scope>,
    /// What a request that changes something must carry as `X-CSRF-Token`; sessions alone have it.
    pub csrf: Option<String>,
    /// Whether a login needs a one-time code, too.
    pub totp_enabled: bool,
    /// When the session ends if it is not used again.
    pub expires_ms: Option<u64>,
}

/// Who is logged in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionsDto {
    /// The sessions, last seen first.
    pub sessions: Vec<SessionDto>, // tidy: bounded by SESSIONS_MAX
}

/// A session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionDto {
    /// Its name here.
    pub id: String,
    /// When it began.
    pub created_ms: u64,
    /// When it was last used.
    pub seen_ms: u64,
    /// When it ends if it is not used again.
    pub expires_ms: u64,
    /// What the browser calls itself.
    pub agent: String,
    /// Whence it came.
    pub address: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Sessions were ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndedDto {
    /// How many.
    pub ended: u64,
}

/// One-time codes that are being set up; told once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpDto {
    /// The secret, in base 32.
    pub secret: String,
    /// The same as an address that authenticator apps know.
    pub url: String,
    /// The address as a picture.
    pub qr_svg: String,
}

/// Recovery codes; told once, each good for one login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryDto {
    /// The codes.
    pub recovery: Vec<String>, // tidy: bounded by RECOVERY_CODES
}

/// The tokens for programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokensDto {
    /// The tokens, oldest first.
    pub tokens: Vec<TokenDto>, // tidy: bounded by TOKENS_MAX
}

/// A token, without its text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenDto {
    /// Its name here.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_ms: u64,
    /// When it was last used.
    pub used_ms: Option<u64>,
    /// When it ends.
    pub expires_ms: Option<u64>,
}

/// A token that was made just now; its text is told once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenMadeDto {
    /// The text.
    pub token: String,
    /// Its name here.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: Option<u64>,
}

/// The password was forgotten.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResetDto {
    /// Where a new one is set; told once.
    pub setup_url: String,
}

/// Something that was done through the API, or refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditDto {
    /// When.
    pub time_ms: u64,
    /// Who: `owner`, `token NAME`, `admin token`, `nobody`.
    pub actor: String,
    /// Whence.
    pub address: String,
    /// What, in a word.
    pub action: String,
    /// To what: the path.
    pub target: String,
    /// What came of it: `done`, or the code of the refusal.
    pub outcome: String,
    /// More about it.
    pub detail: String,
}
