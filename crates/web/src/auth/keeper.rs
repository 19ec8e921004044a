//! What is known of logins while the process runs: all of it, so that no request asks the database.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use plimsoll_bounded::{Class, Grants, LedgerError, Map, Plan, Pool, WhenFull};
use plimsoll_market::Time;
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use super::password::{Passwords, Phrase};
use super::rows::{AuditEntry, LoginChange, Logins, Scope, SessionRow, TokenRow, UserRow, Vault};
use super::seal::{Hash, Seal, hash, hex, random, unhash};
use super::throttle::Throttle;
use super::totp::Totp;
use crate::error::{ApiError, WebError};
use crate::limits::{
    AGENT_CHARS, AUDIT_WAIT, LOGIN_CHANGES_MAX, PENDING_FOR, RECOVERY_CODES, SESSION_IDLE, SESSION_LIFE, SESSIONS_MAX, STORED_EVERY,
    TOKENS_MAX, VAULT_WAIT,
};
use crate::token::{AdminToken, TokenError, Verifier};

/// The one who may log in.
pub(crate) const OWNER: &str = "owner";

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) row: SessionRow,
    /// What was last stored of when it was seen.
    stored: Time,
}

/// A token for programs.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) row: TokenRow,
    pub(crate) scope: Scope,
    stored: Option<Time>,
}

struct State {
    user: Option<UserRow>,
    sessions: Map<Hash, Session>,
    tokens: Map<Hash, Token>,
    throttle: Throttle,
    /// Hash of the code that lets the first password be set.
    setup: Option<Hash>,
    /// A secret of one-time codes that was shown and is not confirmed yet: for which session, and since when.
    pending: Option<(Hash, Totp, u64)>,
}

/// Knows who may do what. Its lock is held for lookups alone, never while something is waited for.
pub(crate) struct Keeper {
    vault: Arc<dyn Vault>,
    pub(crate) passwords: Passwords,
    admin: Verifier,
    seal: Seal,
    state: Mutex<State>,
    /// Changes are made one after the other, so that what is kept is what was last changed here.
    changing: Semaphore,
    /// The account's name, for authenticator apps.
    label: String,
}

impl Keeper {
    /// Adds what logins take to a plan.
    pub(crate) fn plan(plan: Plan) -> Result<Plan, LedgerError> {
        let (keep, refuse) = (Class::MustKeep, WhenFull::Refuse);
        let row = 4 * 80 + AGENT_CHARS * 4;
        let sessions = Map::<Hash, Session>::line("web.login.sessions", SESSIONS_MAX, WhenFull::DropOldest, keep);
        plan.with(sessions.with_heap(row))?
            .with(Map::<Hash, Token>::line("web.login.tokens", TOKENS_MAX, refuse, keep).with_heap(row))?
            .with(Throttle::line())?
            .with(Passwords::line())
    }

    /// Reads what is kept; where nobody has a password yet, makes the code that lets one be set, and tells it.
    pub(crate) async fn open(
        vault: Arc<dyn Vault>,
        workers: Pool,
        token: &AdminToken,
        label: String,
        grants: &mut Grants,
        now: Time,
    ) -> Result<(Self, Option<Zeroizing<String>>), WebError> {
        let unplanned = |error: plimsoll_bounded::NotPlanned| WebError::Task { task: "web", reason: error.to_string() };
        let loaded = vault.load().await.map_err(|error| WebError::Logins { reason: error.reason })?;
        let mut state = State {
            user: None,
            sessions: Map::new(grants.take("web.login.sessions").map_err(unplanned)?),
            tokens: Map::new(grants.take("web.login.tokens").map_err(unplanned)?),
            throttle: Throttle::new(grants.take("web.login.addresses").map_err(unplanned)?),
            setup: None,
            pending: None,
        };
        state.fill(loaded, now);
        let setup = if state.user.is_none() { Some(random::<16>().ok_or(TokenError::Random)?) } else { None };
        state.setup = setup.as_deref().map(|code| hash(code));
        let keeper = Self {
            vault,
            passwords: Passwords::new(grants.take("web.login.hash").map_err(unplanned)?, workers),
            admin: Verifier::new(token)?,
            seal: Seal::new(token)?,
            state: Mutex::new(state),
            changing: Semaphore::new(1),
            label,
        };
        Ok((keeper, setup))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn user(&self) -> Option<UserRow> {
        self.state().user.clone()
    }

    pub(crate) fn has_user(&self) -> bool {
        self.state().user.is_some()
    }

    pub(crate) fn has_totp(&self) -> bool {
        self.state().user.as_ref().is_some_and(|user| user.totp.is_some())
    }

    pub(crate) fn accepts_admin(&self, token: &str) -> bool {
        self.admin.accepts(token)
    }

    /// Finds a token that is in force, and notes that it was used.
    pub(crate) fn token(&self, text: &str, now: Time) -> Option<(String, String, Scope)> {
        let mut state = self.state();
        let token = state.tokens.get_mut(&hash(text))?;
        if token.row.expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        token.row.used = Some(now);
        Some((token.row.id.clone(), token.row.name.clone(), token.scope))
    }

    /// Finds a session that is in force, and notes that it was used; tells when it ends if it is not used again.
    pub(crate) fn session(&self, secret: &str, now: Time) -> Option<(Hash, Time)> {
        let key = hash(secret);
        let mut state = self.state();
        let session = state.sessions.get_mut(&key)?;
        if ends(&session.row) <= now {
            return None;
        }
        session.row.seen = session.row.seen.max(now);
        Some((key, ends(&session.row)))
    }

    /// Tells whether a session or token is still in force, without using it.
    pub(crate) fn stands(&self, who: &super::Via, now: Time) -> bool {
        let state = self.state();
        match who {
            super::Via::Admin => true,
            super::Via::Session { key, .. } => state.sessions.get(key).is_some_and(|session| ends(&session.row) > now),
            super::Via::Token { id } => {
                state.tokens.values().any(|token| token.row.id == *id && token.row.expires.is_none_or(|expires| expires > now))
            }
        }
    }

    pub(crate) fn attempt(&self, address: IpAddr, now: Time) -> Result<(), ApiError> {
        self.state().throttle.attempt(address, now.millis()).map_err(|wait| {
            let seconds = wait.as_millis().div_ceil(1_000) as u64;
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "throttled", format!("too many attempts: wait {seconds} s"))
                .hint("whoever has the admin token can set the password anew: plimsoll ctl forget-password")
                .again_in(seconds)
        })
    }

    pub(crate) fn succeeded(&self, address: IpAddr) {
        self.state().throttle.succeeded(address);
    }

    /// An attempt was right as far as it went.
    pub(crate) fn undo_attempt(&self, address: IpAddr) {
        self.state().throttle.undo(address);
    }

    /// Tells whether this is the code that lets the first password be set.
    pub(crate) fn may_set_up(&self, code: &str) -> bool {
        self.state().setup.is_some_and(|setup| setup == hash(code))
    }

    /// Waits for the turn to change something.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.changing.acquire().await.map_err(|_| unstored("the process is stopping"))
    }

    /// Has changes stored.
    pub(crate) async fn store(&self, changes: Vec<LoginChange>) -> Result<(), ApiError> {
        for changes in changes.chunks(LOGIN_CHANGES_MAX) {
            match tokio::time::timeout(VAULT_WAIT, self.vault.change(changes.to_vec())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(unstored(&error.to_string())),
                Err(_) => return Err(unstored("the database takes too long")),
            }
        }
        Ok(())
    }

    /// Takes a user's new row after it was stored. With the first password the way of the first start is closed.
    pub(crate) fn set_user(&self, user: UserRow) {
        let mut state = self.state();
        state.user = Some(user);
        state.setup = None;
    }

    /// Forgets the user, all sessions and what was begun, and returns the code that lets a password be set.
    pub(crate) fn forget_user(&self) -> Result<Zeroizing<String>, ApiError> {
        let code = random::<16>().ok_or_else(no_random)?;
        let mut state = self.state();
        state.user = None;
        state.pending = None;
        state.sessions.clear();
        state.setup = Some(hash(&code));
        Ok(code)
    }

    /// Begins a session and returns its secret; the one before it ends, and of too many the one that was unused longest.
    ///
    /// A database that fails does not keep the owner out: the session then ends with the process.
    pub(crate) async fn begin(&self, before: Option<Hash>, agent: &str, address: IpAddr, now: Time) -> Result<Zeroizing<String>, ApiError> {
        let (secret, id) = (random::<32>().ok_or_else(no_random)?, random::<8>().ok_or_else(no_random)?);
        let agent: String = agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS).collect();
        let key = hash(&secret);
        let row = SessionRow { id: id.to_string(), hash: hex(&key), created: now, seen: now, agent, address: address.to_string() };
        let mut changes = vec![LoginChange::Session(row.clone())];
        {
            let mut state = self.state();
            let old = before.and_then(|before| state.sessions.remove(&before));
            changes.extend(old.map(|old| LoginChange::ForgetSession(old.row.id)));
            if state.sessions.is_full() {
                let unused = state.sessions.iter().min_by_key(|(_, session)| session.row.seen).map(|(key, _)| *key);
                let gone = unused.and_then(|unused| state.sessions.remove(&unused));
                changes.extend(gone.map(|gone| LoginChange::ForgetSession(gone.row.id)));
            }
            // There is room: one has just left.
            drop(state.sessions.insert(key, Session { row, stored: now }));
        }
        if let Err(error) = self.store(changes).await {
            tracing::warn!(error = error.detail, "session not stored: it ends with the process");
        }
        Ok(secret)
    }

    /// Lists who is logged in, last seen first.
    pub(crate) fn sessions(&self, now: Time) -> Vec<(Hash, SessionRow, Time)> {
        let state = self.state();
        let all = state.sessions.iter().map(|(key, session)| (*key, session.row.clone(), ends(&session.row)));
        let mut all: Vec<_> = all.filter(|(_, _, ends)| *ends > now).collect();
        all.sort_by_key(|(_, row, _)| std::cmp::Reverse(row.seen));
        all
    }

    /// Ends sessions at once, and then in what is kept; returns how many there were.
    pub(crate) async fn end(&self, which: impl Fn(&Hash, &SessionRow) -> bool) -> Result<usize, ApiError> {
        let mut gone = Vec::new();
        self.state().sessions.retain(|key, session| {
            let ends = which(key, &session.row);
            if ends {
                gone.push(LoginChange::ForgetSession(session.row.id.clone()));
            }
            !ends
        });
        let count = gone.len();
        self.store(gone).await?;
        Ok(count)
    }

    pub(crate) fn tokens(&self) -> Vec<TokenRow> {
        let mut all: Vec<_> = self.state().tokens.values().map(|token| token.row.clone()).collect();
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        all
    }

    /// Makes a token and returns its row and its text, which is never told again.
    pub(crate) async fn make_token(
        &self,
        name: String,
        scope: Scope,
        days: Option<u64>,
        now: Time,
    ) -> Result<(TokenRow, Zeroizing<String>), ApiError> {
        let turn = self.turn().await?;
        let full = |state: &State| state.tokens.is_full();
        if full(&self.state()) {
            let detail = format!("there are {TOKENS_MAX} tokens, more are not kept");
            return Err(ApiError::new(StatusCode::CONFLICT, "too_many_tokens", detail).hint("revoke one that is not used any more"));
        }
        let (secret, id) = (random::<32>().ok_or_else(no_random)?, random::<8>().ok_or_else(no_random)?);
        let secret = Zeroizing::new(format!("plimsoll_{}", secret.as_str()));
        let key = hash(&secret);
        let expires = days.map(|days| Time::from_millis(now.millis().saturating_add(days * 86_400_000)));
        let row =
            TokenRow { id: id.to_string(), hash: hex(&key), name, scope: scope.as_str().to_owned(), created: now, used: None, expires };
        self.store(vec![LoginChange::Token(row.clone())]).await?;
        // Room was looked for under the same turn.
        drop(self.state().tokens.insert(key, Token { row: row.clone(), scope, stored: None }));
        drop(turn);
        Ok((row, secret))
    }

    /// Revokes a token at once, and then in what is kept; `false` when there is none.
    pub(crate) async fn revoke(&self, id: &str) -> Result<bool, ApiError> {
        let mut found = false;
        self.state().tokens.retain(|_, token| {
            found |= token.row.id == id;
            token.row.id != id
        });
        if found {
            self.store(vec![LoginChange::ForgetToken(id.to_owned())]).await?;
        }
        Ok(found)
    }

    /// Begins to set one-time codes up for a session.
    pub(crate) fn begin_totp(&self, session: Hash, now: Time) -> Result<(String, String), ApiError> {
        let totp = Totp::random().ok_or_else(no_random)?;
        let told = (totp.base32().to_string(), totp.url(&self.label).to_string());
        self.state().pending = Some((session, totp, now.millis()));
        Ok(told)
    }

    /// Confirms them with a first code: the user's new row, and the recovery codes, which are never told again.
    pub(crate) fn confirm_totp(&self, session: Hash, code: &str, now: Time) -> Result<(UserRow, Vec<String>), ApiError> {
        let mut state = self.state();
        let begun = state
            .pending
            .as_ref()
            .filter(|(of, _, since)| *of == session && u128::from(now.millis().saturating_sub(*since)) < PENDING_FOR.as_millis());
        let none = || ApiError::new(StatusCode::CONFLICT, "totp_not_begun", "one-time codes are not being set up").hint("begin again");
        let (_, totp, _) = begun.ok_or_else(none)?;
        let step = totp.step_of(code, now.millis(), 0).ok_or_else(wrong_code)?;
        let sealed = self.seal.close(totp.bytes()).ok_or_else(no_random)?;
        let mut user = state.user.clone().ok_or_else(setup_needed)?;
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            let code = random::<8>().ok_or_else(no_random)?;
            codes.push(code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"));
        }
        let hashes: Vec<String> = codes.iter().map(|code| hex(&hash(code))).collect();
        (user.totp, user.totp_step, user.recovery, user.changed) = (Some(sealed), step, hashes.join(" "), now);
        state.pending = None;
        Ok((user, codes))
    }

    /// Checks a one-time or a recovery code; the user's row with which it cannot be used again.
    pub(crate) fn use_code(&self, user: &UserRow, code: &str, now: Time) -> Result<UserRow, ApiError> {
        let Some(sealed) = &user.totp else { return Ok(user.clone()) };
        let typed = hex(&hash(code.trim().to_ascii_lowercase().as_str()));
        let mut left: Vec<&str> = user.recovery.split(' ').filter(|kept| !kept.is_empty()).collect();
        if let Some(at) = left.iter().position(|kept| *kept == typed) {
            left.remove(at);
            return Ok(UserRow { recovery: left.join(" "), changed: now, ..user.clone() });
        }
        let unreadable = || {
            let detail = "the secret of one-time codes cannot be read: the admin token is another one than when it was set up";
            ApiError::new(StatusCode::CONFLICT, "totp_unreadable", detail)
                .hint("use a recovery code, or set the password anew: plimsoll ctl forget-password")
        };
        let totp = Totp::of(self.seal.open(sealed).ok_or_else(unreadable)?);
        let step = totp.step_of(code.trim(), now.millis(), user.totp_step).ok_or_else(wrong_code)?;
        Ok(UserRow { totp_step: step, changed: now, ..user.clone() })
    }

    /// Uses up a code of whoever is there.
    pub(crate) async fn spend_code(&self, code: &str, now: Time) -> Result<(), ApiError> {
        let _turn = self.turn().await?;
        let user = self.user().ok_or_else(setup_needed)?;
        if user.totp.is_none() {
            return Err(wrong_code());
        }
        self.use_up(&user, code, now).await
    }

    /// Checks a one-time or a recovery code and has it used up; for whoever has the turn.
    pub(crate) async fn use_up(&self, user: &UserRow, code: &str, now: Time) -> Result<(), ApiError> {
        let used = self.use_code(user, code, now)?;
        if let Err(error) = self.store(vec![LoginChange::User(used.clone())]).await {
            // A recovery code must not come back at the next start.
            if used.recovery != user.recovery {
                return Err(error);
            }
        }
        self.set_user(used);
        Ok(())
    }

    /// Checks the password of whoever is there.
    pub(crate) async fn check(&self, password: Phrase) -> Result<UserRow, ApiError> {
        let user = self.user().ok_or_else(setup_needed)?;
        if self.passwords.fits(password, user.password.clone()).await? { Ok(user) } else { Err(wrong_password()) }
    }

    /// Writes down what was done. What cannot be written is in the log; nothing waits longer than [`AUDIT_WAIT`] for it.
    pub(crate) async fn note(&self, entry: AuditEntry) {
        let (action, outcome) = (entry.action.clone(), entry.outcome.clone());
        let (actor, target) = (entry.actor.clone(), entry.target.clone());
        tracing::info!(action, outcome, actor, target, "asked over http");
        match tokio::time::timeout(AUDIT_WAIT, self.vault.note(entry)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, action, outcome, actor, target, "audit entry not stored"),
            Err(_) => tracing::warn!(action, outcome, actor, target, "audit entry not stored in time"),
        }
    }

    pub(crate) fn vault(&self) -> &dyn Vault {
        self.vault.as_ref()
    }

    /// Lets go what has ended, and has stored when those that stay were last seen. To be called now and then.
    pub(crate) async fn sweep(&self, now: Time) {
        let mut changes = Vec::new();
        {
            let mut state = self.state();
            let overdue = |stored: Time, last: Time| last.since(stored) >= STORED_EVERY;
            state.sessions.retain(|_, session| {
                let over = ends(&session.row) <= now;
                if over {
                    changes.push(LoginChange::ForgetSession(session.row.id.clone()));
                } else if overdue(session.stored, session.row.seen) {
                    session.stored = session.row.seen;
                    changes.push(LoginChange::Session(session.row.clone()));
                }
                !over
            });
            state.tokens.for_each_mut(|_, token| {
                if let Some(used) = token.row.used.filter(|used| token.stored.is_none_or(|stored| overdue(stored, *used))) {
                    token.stored = Some(used);
                    changes.push(LoginChange::Token(token.row.clone()));
                }
            });
            let stale = |since: u64| u128::from(now.millis().saturating_sub(since)) >= PENDING_FOR.as_millis();
            if state.pending.as_ref().is_some_and(|(_, _, since)| stale(*since)) {
                state.pending = None;
            }
        }
        if !changes.is_empty()
            && let Err(error) = self.store(changes).await
        {
            tracing::warn!(error = error.detail, "logins not stored");
        }
    }
}

impl State {
    fn fill(&mut self, loaded: Logins, now: Time) {
        let Logins { users, sessions, tokens } = loaded;
        self.user = users.into_iter().find(|user| user.name == OWNER);
        // Without a password nobody is logged in.
        let sessions = sessions.into_iter().filter(|row| ends(row) > now).take(if self.user.is_some() { SESSIONS_MAX } else { 0 });
        for row in sessions {
            if let Some(key) = unhash(&row.hash) {
                let stored = row.seen;
                drop(self.sessions.insert(key, Session { row, stored }));
            }
        }
        for row in tokens.into_iter().take(TOKENS_MAX) {
            if let (Some(key), Some(scope)) = (unhash(&row.hash), Scope::parse(&row.scope)) {
                let stored = row.used;
                drop(self.tokens.insert(key, Token { row, scope, stored }));
            }
        }
    }
}

/// When a session ends that is not used again.
fn ends(row: &SessionRow) -> Time {
    let after = |time: Time, length: Duration| Time::from_millis(time.millis().saturating_add(length.as_millis() as u64));
    after(row.seen, SESSION_IDLE).min(after(row.created, SESSION_LIFE))
}

pub(crate) fn setup_needed() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "setup_needed", "no password is set yet")
        .hint("open the link that the bot printed at its start; `plimsoll ctl forget-password` prints a new one")
}

pub(crate) fn wrong_password() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "wrong_password", "the password is not right")
        .hint("whoever has the admin token can set it anew: plimsoll ctl forget-password")
}

pub(crate) fn wrong_code() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "wrong_code", "the one-time code is not right, or was used already")
        .hint("wait for the next one, and look whether the clock of the phone is right")
}

fn no_random() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the operating system gives no random bytes")
}

fn unstored(reason: &str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_stored", reason.to_owned())
        .hint("trading goes on; nothing was changed for good, try again in a moment")
}

/// Makes the row of the owner with this password, as it is kept; for whoever sets it where no server runs.
///
/// # Errors
/// When it is too short or too long, with what is wanted.
pub fn password_row(password: &str, now: Time) -> Result<UserRow, String> {
    Phrase::new(password).check().map_err(|error| error.detail)?;
    let password = super::password::hash(password).ok_or("the password could not be hashed")?;
    Ok(UserRow { name: OWNER.to_owned(), password, totp: None, totp_step: 0, recovery: String::new(), changed: now })
}
