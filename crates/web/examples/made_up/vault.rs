//! What is kept of logins, in memory.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use plimsoll_web::dto::AuditDto;
use plimsoll_web::{AuditEntry, AuditsWanted, HistoryError, LoginChange, Logins, Page, Vault, VaultError};

/// Keeps logins until it is dropped.
#[derive(Default)]
pub struct MadeUpVault {
    kept: Mutex<(Logins, Vec<AuditEntry>)>,
    /// Whether nothing can be stored.
    pub broken: std::sync::atomic::AtomicBool,
}

impl MadeUpVault {
    /// What is kept of logins.
    pub fn logins(&self) -> Logins {
        self.kept().0.clone()
    }

    /// What was done, oldest first.
    #[allow(dead_code)]
    pub fn notes(&self) -> Vec<AuditEntry> {
        self.kept().1.clone()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, (Logins, Vec<AuditEntry>)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) -> Result<(), VaultError> {
        let broken = self.broken.load(std::sync::atomic::Ordering::Relaxed);
        if broken { Err(VaultError { reason: "the disk is full".to_owned() }) } else { Ok(()) }
    }
}

#[async_trait]
impl Vault for MadeUpVault {
    async fn load(&self) -> Result<Logins, VaultError> {
        Ok(self.logins())
    }

    async fn change(&self, changes: Vec<LoginChange>) -> Result<(), VaultError> {
        self.works()?;
        let mut kept = self.kept();
        let Logins { users, sessions, tokens } = &mut kept.0;
        for change in changes {
            match change {
                LoginChange::User(row) => {
                    users.retain(|user| user.name != row.name);
                    users.push(row);
                }
                LoginChange::ForgetUser(name) => users.retain(|user| user.name != name),
                LoginChange::Session(row) => {
                    sessions.retain(|session| session.id != row.id);
                    sessions.push(row);
                }
                LoginChange::ForgetSession(id) => sessions.retain(|session| session.id != id),
                LoginChange::Token(row) => {
                    tokens.retain(|token| token.id != row.id);
                    tokens.push(row);
                }
                LoginChange::ForgetToken(id) => tokens.retain(|token| token.id != id),
            }
        }
        Ok(())
    }

    async fn note(&self, entry: AuditEntry) -> Result<(), VaultError> {
        self.works()?;
        self.kept().1.push(entry);
        Ok(())
    }

    async fn notes(&self, wanted: AuditsWanted) -> Result<Page<AuditDto>, HistoryError> {
        let kept = self.kept();
        let fits = |entry: &&AuditEntry| wanted.action.as_ref().is_none_or(|action| *action == entry.action);
        let items = kept.1.iter().rev().filter(fits).take(wanted.page.limit).map(|entry| AuditDto {
            time_ms: entry.time.millis(),
            actor: entry.actor.clone(),
            address: entry.address.clone(),
            action: entry.action.clone(),
            target: entry.target.clone(),
            outcome: entry.outcome.clone(),
            detail: entry.detail.clone(),
        });
        Ok(Page { items: items.collect(), next: None })
    }
}
