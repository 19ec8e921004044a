//! Puts state on disk for the symbol loops, which never wait, and answers into their control lanes.

use super::inbox::{Control, Inlet, Refusal};
use plimsoll_bounded::{Receiver, Task};
use plimsoll_market::{AccountRecord, Event, Name, StateRecord};
use plimsoll_storage::{Key, Store, Stored};
use std::time::Duration;

/// What a symbol's loop needs of storage.
#[derive(Debug)]
pub enum KeeperRequest {
    /// Commit a state; answered with [`Event::Committed`].
    Commit {
        /// Number of the symbol.
        symbol: usize,
        /// The state.
        record: Box<StateRecord>,
    },
    /// Commit what the account's rules must remember; not answered.
    Account {
        /// What they must remember.
        record: AccountRecord,
    },
    /// Read what is stored; answered with [`Control::Rebuild`].
    Load {
        /// Number of the symbol.
        symbol: usize,
    },
}

/// Pause before storage is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// The keeper.
pub struct Keeper {
    /// Storage.
    pub store: Store,
    /// The account's name.
    pub account: Name,
    /// Key and way back of each symbol.
    pub symbols: Vec<(Key, Inlet)>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
}

impl Keeper {
    /// Serves requests until the loops are gone or the process stops.
    pub async fn run(self, mut requests: Receiver<KeeperRequest>, task: Task) {
        while let Some(request) = task.stop.or(requests.recv()).await.flatten() {
            task.pulse.beat();
            // bounded: by the stop; each turn waits for storage and then half a second.
            let answer = loop {
                match self.serve(&request).await {
                    Ok(answer) => break answer,
                    Err(error) => tracing::error!(%error, "state could not be stored; trying again"),
                }
                if task.stop.or(tokio::time::sleep(RETRY)).await.is_none() {
                    return;
                }
            };
            let Some((symbol, answer)) = answer else { continue };
            let Some((_, inlet)) = self.symbols.get(symbol) else { continue };
            // The loop waits for this answer: a lane that is full now has room soon.
            let mut answer = Some(answer);
            while let Some(waiting) = answer.take() {
                match inlet.offer(waiting) {
                    Ok(()) | Err((Refusal::Ended, _)) => {}
                    Err((Refusal::Full, back)) => {
                        answer = Some(back);
                        if task.stop.or(tokio::time::sleep(RETRY)).await.is_none() {
                            return;
                        }
                    }
                }
            }
        }
    }

    async fn serve(&self, request: &KeeperRequest) -> Result<Option<(usize, Control)>, plimsoll_storage::StoreError> {
        match request {
            KeeperRequest::Commit { symbol, record } => {
                if let Some((key, _)) = self.symbols.get(*symbol) {
                    // What was recorded before the state must be there with it: above all the trade from which on a new
                    // symbol's fills are ours, without which a crash in the first seconds would lose them.
                    self.store.flush().await?;
                    self.store.commit(*key, **record).await?;
                }
                Ok(Some((*symbol, Control::Event(Event::Committed { version: record.version }))))
            }
            KeeperRequest::Account { record } => {
                self.store.commit_account(self.account, *record).await?;
                Ok(None)
            }
            KeeperRequest::Load { symbol } => {
                // What was recorded is part of what is stored; what cannot be written is fetched from the exchange again.
                if let Err(error) = self.store.flush().await {
                    tracing::warn!(%error, "records are not written yet");
                }
                let nothing = Stored { state: None, totals: None, slots: Vec::new(), recent: Vec::new(), open_orders: Vec::new() };
                let stored = match self.symbols.get(*symbol) {
                    Some((key, _)) => self.store.load(key).await?,
                    None => nothing,
                };
                Ok(Some((*symbol, Control::Rebuild(Box::new(stored)))))
            }
        }
    }
}
