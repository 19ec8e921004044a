//! Commands from elsewhere than HTTP, as from a chat: with the same words, the same previews and the same audit.

use std::sync::Arc;

use plimsoll_market::Symbol;

use crate::auth::AuditEntry;
use crate::control::preview;
use crate::dto::PreviewDto;
use crate::ports::{SymbolNow, Verb};
use crate::routes::Shared;

/// Asks and commands as the dashboard does. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Operator")
    }
}

impl Operator {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The symbols as they stand.
    pub fn symbols(&self) -> Vec<Arc<SymbolNow>> {
        self.shared.live.symbols()
    }

    /// The whole system as `/api/status` tells it.
    pub fn status(&self) -> crate::dto::StatusDto {
        self.shared.live.status(&self.symbols())
    }

    fn meant(&self, symbol: Option<&str>) -> Result<(Vec<Arc<SymbolNow>>, Option<Symbol>), String> {
        match symbol {
            None => Ok((self.symbols(), None)),
            Some(name) => {
                let (symbol, now) = self.shared.find(name).map_err(|error| error.detail)?;
                Ok((vec![now], Some(symbol)))
            }
        }
    }

    /// Says in numbers what a command would do, for one symbol or for all.
    ///
    /// # Errors
    /// A sentence: the symbol is not traded here.
    pub fn preview(&self, symbol: Option<&str>, verb: Verb) -> Result<PreviewDto, String> {
        let (symbols, _) = self.meant(symbol)?;
        Ok(preview(verb, &symbols, &self.shared.ports.source.system(), &[]))
    }

    /// Carries a command out and writes it down under `actor`, who came from `address`; returns what follows, in a sentence.
    ///
    /// # Errors
    /// A sentence that says why it was not taken; that is written down, too.
    pub async fn command(&self, symbol: Option<&str>, verb: Verb, actor: &str, address: &str) -> Result<String, String> {
        let done = match self.meant(symbol) {
            Ok((_, symbol)) => self.shared.ports.control.command(symbol, verb).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        let (outcome, detail) = match &done {
            Ok(taken) => ("done".to_owned(), taken.detail.clone()),
            Err(why) => ("refused".to_owned(), why.clone()),
        };
        let target = format!("{} {}", verb.as_str(), symbol.unwrap_or("all"));
        let time = self.shared.ports.source.now();
        let (actor, address) = (actor.to_owned(), address.to_owned());
        self.shared.keeper.note(AuditEntry { time, actor, address, action: "control".to_owned(), target, outcome, detail }).await;
        done.map(|taken| taken.detail)
    }

    /// Whether one-time codes are set up.
    pub fn has_codes(&self) -> bool {
        self.shared.keeper.has_totp()
    }

    /// Whether a one-time code, or a recovery code, is right; each is right once, here and at logins together.
    pub async fn check_code(&self, code: &str) -> bool {
        self.shared.keeper.spend_code(code, self.shared.ports.source.now()).await.is_ok()
    }
}
