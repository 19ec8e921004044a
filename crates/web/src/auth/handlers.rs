//! Answers about logins: `/api/auth/…` and `/api/audit`.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use plimsoll_market::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::admit::{Caller, Noted, Via, Whence};
use super::keeper::{OWNER, setup_needed, wrong_code, wrong_password};
use super::password::Phrase;
use super::rows::{AuditsWanted, LoginChange, Scope, UserRow};
use super::seal::{Hash, csrf};
use super::totp::picture;
use crate::dto::{AuthStatusDto, EndedDto, RecoveryDto, ResetDto, SessionDto, SessionsDto, TokenDto, TokenMadeDto, TokensDto, TotpDto};
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::limits::{BODY_BYTES_MAX, SESSION_LIFE, TOKEN_DAYS_MAX, TOKEN_NAME_CHARS};
use crate::routes::{Answer, App, PageQuery, Shared, written};

type Known = Option<Extension<Caller>>;

/// Reads a body of JSON.
pub(crate) async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| crate::guard::too_large())?;
    // What was typed is not told back: it may be a password.
    serde_json::from_slice(&bytes).map_err(|error| {
        let detail =
            format!("the body is not the JSON that is wanted: {} at line {}, column {}", kind(&error), error.line(), error.column());
        ApiError::new(StatusCode::BAD_REQUEST, "bad_body", detail).hint("/api/openapi.json says what is wanted")
    })
}

fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io => "it cannot be read",
        serde_json::error::Category::Syntax => "it is no JSON",
        serde_json::error::Category::Data => "a key is missing, unknown, or has another kind of value",
        serde_json::error::Category::Eof => "it ends too early",
    }
}

pub(crate) async fn status(State(shared): App, caller: Known) -> Json<AuthStatusDto> {
    Json(told(&shared, caller.as_ref().map(|caller| &caller.0)))
}

fn told(shared: &Shared, caller: Option<&Caller>) -> AuthStatusDto {
    let (csrf, expires) = match caller.map(|caller| &caller.via) {
        Some(Via::Session { csrf, expires, .. }) => (Some(csrf.clone()), Some(expires.millis())),
        Some(Via::Admin | Via::Token { .. }) | None => (None, None),
    };
    AuthStatusDto {
        setup_needed: !shared.keeper.has_user(),
        logged_in: caller.is_some(),
        scope: caller.map(|caller| caller.scope),
        csrf,
        totp_enabled: shared.keeper.has_totp(),
        expires_ms: expires,
    }
}

/// Begins a session and answers with its cookie; the one that the browser had ends.
async fn welcome(shared: &Shared, headers: &HeaderMap, whence: Whence, before: Option<Hash>) -> Result<Response, ApiError> {
    let now = shared.ports.source.now();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let secret = shared.keeper.begin(before, agent, whence.address, now).await?;
    let (key, expires) = shared.keeper.session(&secret, now).ok_or_else(setup_needed)?;
    let caller = Caller { name: OWNER.to_owned(), scope: Scope::Admin, via: Via::Session { key, csrf: csrf(&secret), expires } };
    let mut response = Json(told(shared, Some(&caller))).into_response();
    let max_age = SESSION_LIFE.as_secs().to_string();
    set_cookie(shared, headers, &secret, &max_age, &mut response);
    Ok(response)
}

fn set_cookie(shared: &Shared, headers: &HeaderMap, secret: &str, max_age: &str, response: &mut Response) {
    let name = shared.cookie_name(headers);
    let secure = if shared.is_secure(headers) { "; Secure" } else { "" };
    let cookie = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age}{secure}");
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn session_of(caller: &Known) -> Option<Hash> {
    caller.as_ref().and_then(|caller| caller.0.session().ok())
}

/// What sets the first password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// The code of the link that the bot printed.
    #[schema(value_type = String, max_length = 128)]
    code: Phrase,
    /// The password: 10 to 256 characters.
    #[schema(value_type = String, min_length = 10, max_length = 256)]
    password: Phrase,
}

pub(crate) async fn setup(
    State(shared): App,
    Extension(whence): Extension<Whence>,
    caller: Known,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let Setup { code, password } = body(request).await?;
    let keeper = &shared.keeper;
    if keeper.has_user() {
        return Err(ApiError::new(StatusCode::CONFLICT, "already_set_up", "a password is set already")
            .hint("log in with it; whoever has the admin token can set it anew: plimsoll ctl forget-password"));
    }
    keeper.attempt(whence.address, shared.ports.source.now())?;
    if !keeper.may_set_up(code.reveal()) {
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "wrong_code", "the link is not the one that the bot printed last")
            .hint("every start prints a new link until a password is set"));
    }
    keeper.succeeded(whence.address);
    password.check()?;
    let hash = keeper.passwords.hash(password).await?;
    let turn = keeper.turn().await?;
    // Two who have the link: the first one has set the password meanwhile.
    if !keeper.may_set_up(code.reveal()) {
        return Err(ApiError::new(StatusCode::CONFLICT, "already_set_up", "somebody else has just set a password"));
    }
    let changed = shared.ports.source.now();
    let user = UserRow { name: OWNER.to_owned(), password: hash, totp: None, totp_step: 0, recovery: String::new(), changed };
    keeper.store(vec![LoginChange::User(user.clone())]).await?;
    keeper.set_user(user);
    drop(turn);
    welcome(&shared, &headers, whence, session_of(&caller)).await
}

/// What logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The password.
    #[schema(value_type = String)]
    password: Phrase,
    /// A one-time or a recovery code, where they are set up.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    code: Option<Phrase>,
}

pub(crate) async fn login(
    State(shared): App,
    Extension(whence): Extension<Whence>,
    caller: Known,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let Login { password, code } = body(request).await?;
    let (keeper, now) = (&shared.keeper, shared.ports.source.now());
    if !keeper.has_user() {
        return Err(setup_needed());
    }
    keeper.attempt(whence.address, now)?;
    keeper.check(password).await?;
    let turn = keeper.turn().await?;
    // Read under the turn, so that no code is used twice.
    let user = keeper.user().ok_or_else(setup_needed)?;
    if user.totp.is_some() {
        let Some(code) = code else {
            // The password was right, and the page asks for the code next: that is no guess.
            keeper.undo_attempt(whence.address);
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "totp_needed", "a one-time code is needed, too")
                .hint("send the six digits of the authenticator app, or a recovery code, as code"));
        };
        keeper.use_up(&user, code.reveal(), now).await?;
    }
    drop(turn);
    keeper.succeeded(whence.address);
    welcome(&shared, &headers, whence, session_of(&caller)).await
}

pub(crate) async fn logout(State(shared): App, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Result<Response, ApiError> {
    let own = caller.session()?;
    shared.keeper.end(|key, _| *key == own).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&shared, &headers, "", "0", &mut response);
    Ok(response)
}

/// What changes the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The one that is set.
    #[schema(value_type = String)]
    current: Phrase,
    /// The one that is to be set: 10 to 256 characters.
    #[schema(value_type = String, min_length = 10, max_length = 256)]
    new: Phrase,
}

pub(crate) async fn set_password(
    State(shared): App,
    Extension(whence): Extension<Whence>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let own = caller.session()?;
    let ChangePassword { current, new } = body(request).await?;
    new.check()?;
    confirm(&shared, whence, current).await?;
    let keeper = &shared.keeper;
    let hash = keeper.passwords.hash(new).await?;
    let turn = keeper.turn().await?;
    let user = keeper.user().ok_or_else(setup_needed)?;
    let user = UserRow { password: hash, changed: shared.ports.source.now(), ..user };
    keeper.store(vec![LoginChange::User(user.clone())]).await?;
    keeper.set_user(user);
    drop(turn);
    keeper.end(|_, _| true).await?;
    welcome(&shared, &headers, whence, Some(own)).await
}

/// Checks the password of somebody who is logged in already; guessing is as slow as at the login.
async fn confirm(shared: &Shared, whence: Whence, password: Phrase) -> Result<UserRow, ApiError> {
    shared.keeper.attempt(whence.address, shared.ports.source.now())?;
    let user = shared.keeper.check(password).await.map_err(|error| match error.code {
        // Whoever asks is logged in: 401 would send the page to its login.
        "wrong_password" => ApiError { status: StatusCode::FORBIDDEN, ..wrong_password() },
        _ => error,
    })?;
    shared.keeper.undo_attempt(whence.address);
    Ok(user)
}

pub(crate) async fn sessions(State(shared): App, Extension(caller): Extension<Caller>) -> Json<SessionsDto> {
    let own = caller.session().ok();
    let all = shared.keeper.sessions(shared.ports.source.now()).into_iter().map(|(key, row, ends)| SessionDto {
        id: row.id,
        created_ms: row.created.millis(),
        seen_ms: row.seen.millis(),
        expires_ms: ends.millis(),
        agent: row.agent,
        address: row.address,
        current: own == Some(key),
    });
    Json(SessionsDto { sessions: all.collect() })
}

pub(crate) async fn end_session(State(shared): App, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    match shared.keeper.end(|_, row| row.id == id).await? {
        0 => Err(unknown("session")),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

pub(crate) async fn end_other_sessions(State(shared): App, Extension(caller): Extension<Caller>) -> Answer<EndedDto> {
    let own = caller.session().ok();
    let ended = shared.keeper.end(|key, _| own != Some(*key)).await?;
    Ok(Json(EndedDto { ended: ended as u64 }))
}

fn unknown(what: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
}

/// What begins one-time codes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeginTotp {
    /// The password.
    #[schema(value_type = String)]
    password: Phrase,
}

pub(crate) async fn begin_totp(
    State(shared): App,
    Extension(whence): Extension<Whence>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer<TotpDto> {
    let own = caller.session()?;
    let BeginTotp { password } = body(request).await?;
    let user = confirm(&shared, whence, password).await?;
    if user.totp.is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, "totp_enabled", "one-time codes are set up already").hint("remove them first"));
    }
    let (secret, url) = shared.keeper.begin_totp(own, shared.ports.source.now())?;
    let qr_svg = picture(&url).unwrap_or_default();
    Ok(Json(TotpDto { secret, url, qr_svg }))
}

/// What confirms one-time codes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmTotp {
    /// The six digits that the app shows.
    #[schema(value_type = String)]
    code: Phrase,
}

pub(crate) async fn confirm_totp(
    State(shared): App,
    Extension(whence): Extension<Whence>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answer<RecoveryDto> {
    let own = caller.session()?;
    let ConfirmTotp { code } = body(request).await?;
    let (keeper, now) = (&shared.keeper, shared.ports.source.now());
    let turn = keeper.turn().await?;
    keeper.attempt(whence.address, now)?;
    let (user, recovery) = keeper.confirm_totp(own, code.reveal(), now).map_err(inside)?;
    keeper.undo_attempt(whence.address);
    keeper.store(vec![LoginChange::User(user.clone())]).await?;
    keeper.set_user(user);
    drop(turn);
    Ok(Json(RecoveryDto { recovery }))
}

/// A wrong code of somebody who is logged in does not send the page to its login.
fn inside(error: ApiError) -> ApiError {
    if error.code == "wrong_code" { ApiError { status: StatusCode::FORBIDDEN, ..wrong_code() } } else { error }
}

/// What removes one-time codes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveTotp {
    /// The password.
    #[schema(value_type = String)]
    password: Phrase,
    /// A one-time or a recovery code.
    #[schema(value_type = String)]
    code: Phrase,
}

pub(crate) async fn remove_totp(
    State(shared): App,
    Extension(whence): Extension<Whence>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    caller.session()?;
    let RemoveTotp { password, code } = body(request).await?;
    let (keeper, now) = (&shared.keeper, shared.ports.source.now());
    keeper.attempt(whence.address, now)?;
    keeper.check(password).await.map_err(|error| match error.code {
        "wrong_password" => ApiError { status: StatusCode::FORBIDDEN, ..wrong_password() },
        _ => error,
    })?;
    let turn = keeper.turn().await?;
    let user = keeper.user().ok_or_else(setup_needed)?;
    keeper.use_code(&user, code.reveal(), now).map_err(inside)?;
    keeper.succeeded(whence.address);
    let user = UserRow { totp: None, totp_step: 0, recovery: String::new(), changed: now, ..user };
    keeper.store(vec![LoginChange::User(user.clone())]).await?;
    keeper.set_user(user);
    drop(turn);
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn tokens(State(shared): App) -> Json<TokensDto> {
    let tokens = shared.keeper.tokens().into_iter().map(|row| TokenDto {
        id: row.id,
        name: row.name,
        scope: Scope::parse(&row.scope).unwrap_or(Scope::Read),
        created_ms: row.created.millis(),
        used_ms: row.used.map(Time::millis),
        expires_ms: row.expires.map(Time::millis),
    });
    Json(TokensDto { tokens: tokens.collect() })
}

/// What makes a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MakeToken {
    /// What people call it: 1 to 40 characters.
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    /// What it may do.
    scope: Scope,
    /// Days until it ends, 1 to 3,650; without, it does not end.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    days: Option<u64>,
}

pub(crate) async fn make_token(State(shared): App, request: Request) -> Result<Response, ApiError> {
    let MakeToken { name, scope, days } = body(request).await?;
    let name: String = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > TOKEN_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::bad_query("name", &name, "a name of 1 to 40 characters"));
    }
    if let Some(days) = days.filter(|days| !(1..=TOKEN_DAYS_MAX).contains(days)) {
        return Err(ApiError::bad_query("days", &days.to_string(), "a number from 1 to 3650"));
    }
    let (row, token) = shared.keeper.make_token(name, scope, days, shared.ports.source.now()).await?;
    let noted = Noted(format!("{} with scope {}", row.name, row.scope));
    let made = TokenMadeDto {
        token: token.to_string(),
        id: row.id,
        name: row.name,
        scope,
        created_ms: row.created.millis(),
        expires_ms: row.expires.map(Time::millis),
    };
    let mut response = Json(made).into_response();
    response.extensions_mut().insert(noted);
    Ok(response)
}

pub(crate) async fn revoke_token(State(shared): App, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    if shared.keeper.revoke(&id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown("token")) }
}

pub(crate) async fn reset(State(shared): App, Extension(caller): Extension<Caller>) -> Answer<ResetDto> {
    if caller.via != Via::Admin {
        let detail = "only the admin token of the file lets a password be forgotten";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "admin_token_needed", detail).hint("plimsoll ctl forget-password"));
    }
    let turn = shared.keeper.turn().await?;
    let mut changes = vec![LoginChange::ForgetUser(OWNER.to_owned())];
    changes.extend(shared.keeper.sessions(Time::ZERO).into_iter().map(|(_, row, _)| LoginChange::ForgetSession(row.id)));
    shared.keeper.store(changes).await?;
    let code = shared.keeper.forget_user()?;
    drop(turn);
    Ok(Json(ResetDto { setup_url: shared.setup_url(&code) }))
}

/// `?limit=100&before=CURSOR&action=login`.
#[derive(Deserialize)]
pub(crate) struct AuditQuery {
    limit: Option<String>,
    before: Option<String>,
    action: Option<String>,
}

pub(crate) async fn audit(State(shared): App, Query(query): Query<AuditQuery>) -> Result<Response, ApiError> {
    let AuditQuery { limit, before, action } = query;
    let well_formed = |word: &str| (1..=40).contains(&word.len()) && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'.'));
    if let Some(word) = action.as_deref().filter(|word| !well_formed(word)) {
        return Err(ApiError::bad_query("action", word, "an action of the list, in small letters"));
    }
    let page = PageQuery { limit, before }.page()?;
    let turn = shared.turn(page.limit).await?;
    let found = shared.keeper.vault().notes(AuditsWanted { action, page }).await?;
    shared.send_page(turn, &written(found, page))
}

impl Shared {
    /// The link that lets the first password be set.
    pub(crate) fn setup_url(self: &Shared, code: &str) -> String {
        format!("{}#/setup?code={code}", self.url)
    }
}
