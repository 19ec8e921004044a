//! What the web server must keep of logins, in storage; and `plimsoll password`.

use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::run::{PART_TIMEOUT, store_config};
use crate::screen::say;
use crate::threads::edge;
use anyhow::{Context, bail};
use async_trait::async_trait;
use plimsoll_bounded::{Grant, Tasks};
use plimsoll_gateway::Clock;
use plimsoll_storage::{RowLimit, Store, StoreGrants};
use plimsoll_web::dto::AuditDto;
use plimsoll_web::{AuditEntry, AuditsWanted, Cursor, HistoryError, LoginChange, Logins, Page, Vault, VaultError};
use std::io::{BufRead, Read, Write};
use std::process::ExitCode;

/// The longest password that is read, in bytes, with the end of its line.
const LINE_MAX: u64 = 1_026;

/// Keeps logins in storage.
pub struct StoredLogins {
    /// The store.
    pub store: Store,
}

fn fault(error: &plimsoll_storage::StoreError) -> VaultError {
    VaultError { reason: error.to_string() }
}

#[async_trait]
impl Vault for StoredLogins {
    async fn load(&self) -> Result<Logins, VaultError> {
        let rows = self.store.reader().login().await.map_err(|error| fault(&error))?;
        Ok(Logins {
            users: rows.users.into_iter().map(web_user).collect(),
            sessions: rows.sessions.into_iter().map(web_session).collect(),
            tokens: rows.tokens.into_iter().map(web_token).collect(),
        })
    }

    async fn change(&self, changes: Vec<LoginChange>) -> Result<(), VaultError> {
        self.store.change_login(changes.into_iter().map(stored).collect()).await.map_err(|error| fault(&error))
    }

    async fn note(&self, entry: AuditEntry) -> Result<(), VaultError> {
        let AuditEntry { time, actor, address, action, target, outcome, detail } = entry;
        let entry = plimsoll_storage::AuditEntry { time, actor, address, action, target, outcome, detail };
        self.store.audit(entry).await.map_err(|error| fault(&error))
    }

    async fn notes(&self, wanted: AuditsWanted) -> Result<Page<AuditDto>, HistoryError> {
        let AuditsWanted { action, page } = wanted;
        let refused = |reason: String| HistoryError::Refused { reason };
        let limit = RowLimit::new(u32::try_from(page.limit).unwrap_or(u32::MAX)).map_err(|error| refused(error.to_string()))?;
        let read = |text: Cursor| text.parse::<i64>().map_err(|_| refused(format!("{text:?} is no cursor of this list")));
        let before = page.before.map(read).transpose()?;
        let found = self.store.reader().audit(action.as_deref(), before, limit).await;
        let found = found.map_err(|error| HistoryError::Unavailable { reason: error.to_string() })?;
        let items = found.rows.into_iter().map(|row| AuditDto {
            time_ms: row.entry.time.millis(),
            actor: row.entry.actor,
            address: row.entry.address,
            action: row.entry.action,
            target: row.entry.target,
            outcome: row.entry.outcome,
            detail: row.entry.detail,
        });
        Ok(Page { items: items.collect(), next: found.next.and_then(|id| Cursor::from(&id.to_string()).ok()) })
    }
}

fn stored(change: LoginChange) -> plimsoll_storage::LoginChange {
    use plimsoll_storage::LoginChange as To;
    match change {
        LoginChange::User(row) => To::User(stored_user(row)),
        LoginChange::ForgetUser(name) => To::ForgetUser(name),
        LoginChange::Session(row) => To::Session(stored_session(row)),
        LoginChange::ForgetSession(id) => To::ForgetSession(id),
        LoginChange::Token(row) => To::Token(stored_token(row)),
        LoginChange::ForgetToken(id) => To::ForgetToken(id),
    }
}

fn stored_user(row: plimsoll_web::UserRow) -> plimsoll_storage::UserRow {
    let plimsoll_web::UserRow { name, password, totp, totp_step, recovery, changed } = row;
    plimsoll_storage::UserRow { name, password, totp, totp_step, recovery, changed }
}

fn web_user(row: plimsoll_storage::UserRow) -> plimsoll_web::UserRow {
    let plimsoll_storage::UserRow { name, password, totp, totp_step, recovery, changed } = row;
    plimsoll_web::UserRow { name, password, totp, totp_step, recovery, changed }
}

fn stored_session(row: plimsoll_web::SessionRow) -> plimsoll_storage::SessionRow {
    let plimsoll_web::SessionRow { id, hash, created, seen, agent, address } = row;
    plimsoll_storage::SessionRow { id, hash, created, seen, agent, address }
}

fn web_session(row: plimsoll_storage::SessionRow) -> plimsoll_web::SessionRow {
    let plimsoll_storage::SessionRow { id, hash, created, seen, agent, address } = row;
    plimsoll_web::SessionRow { id, hash, created, seen, agent, address }
}

fn stored_token(row: plimsoll_web::TokenRow) -> plimsoll_storage::TokenRow {
    let plimsoll_web::TokenRow { id, hash, name, scope, created, used, expires } = row;
    plimsoll_storage::TokenRow { id, hash, name, scope, created, used, expires }
}

fn web_token(row: plimsoll_storage::TokenRow) -> plimsoll_web::TokenRow {
    let plimsoll_storage::TokenRow { id, hash, name, scope, created, used, expires } = row;
    plimsoll_web::TokenRow { id, hash, name, scope, created, used, expires }
}

/// `plimsoll password`: reads a password from standard input and sets it. All sessions end, and one-time codes are removed.
///
/// # Errors
/// A password that is too short, or a database that another process works on.
pub fn main(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    // A terminal shows what is typed, which one can know; a pipe is for scripts.
    write!(std::io::stderr(), "new password (it is shown while you type): ").context("cannot ask")?;
    let mut line = String::new();
    std::io::BufReader::new(std::io::stdin().lock().take(LINE_MAX)).read_line(&mut line).context("cannot read a password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password was given on standard input");
    }
    let clock = Clock::start();
    let row = plimsoll_web::password_row(password, clock.now()).map_err(|why| anyhow::anyhow!(why))?;
    let store_config = store_config(&config)?;
    edge()?.block_on(async {
        let tasks = Tasks::new(Grant::detached(Tasks::line("app.tasks.password", 8, crate::limits::FUTURE_BYTES)));
        let store = Store::open(store_config.clone(), StoreGrants::detached(&store_config), &tasks).await?;
        let mut changes: Vec<_> =
            store.reader().login().await?.sessions.into_iter().map(|row| plimsoll_storage::LoginChange::ForgetSession(row.id)).collect();
        changes.push(plimsoll_storage::LoginChange::User(stored_user(row)));
        let mut done = Ok(());
        for part in changes.chunks(plimsoll_storage::limits::LOGIN_CHANGES_MAX) {
            done = done.and(store.change_login(part.to_vec()).await);
        }
        store.stop(PART_TIMEOUT).await?;
        done?;
        anyhow::Ok(())
    })?;
    say("the password is set; all sessions have ended");
    Ok(ExitCode::SUCCESS)
}
