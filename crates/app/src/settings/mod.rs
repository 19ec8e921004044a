//! The configuration of a running process: looked at, compared, backed up, replaced, taken over, and verified.
//!
//! Whoever changes it, over the dashboard or in an editor, goes the same way. A key either counts at once or with the next start
//! ([`crate::config::diff`] says which); what a symbol does not take leaves everything as it was.

mod file;
mod served;
mod watch;

pub use file::{ConfigFile, FileError};
pub use served::Served;
pub use watch::watch_file;

use crate::config::diff::{Applies, Change, changes};
use crate::config::{Config, ConfigError, SymbolConfig, parse_map};
use crate::ports::{Now, Traded};
use crate::trade::{Adoption, Control, Feedback, NotAdopted, Prospects, Refusal, gate_config, interval_of, strategy_config};
use plimsoll_bounded::{ReplySender, Sender, reply};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;

/// How long a symbol may take until it has read what is stored and says whether it takes settings over.
const ADOPT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long two texts are compared for the smallest difference; after that a larger one is shown.
const DIFF_TIMEOUT: Duration = Duration::from_millis(100);
/// Lines of the text around a change that are shown with it.
const DIFF_CONTEXT: usize = 3;

/// What a text would change.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// All that is wrong with it; then nothing else is told.
    pub problems: Vec<Problem>, // tidy: bounded by the keys of a document of a megabyte
    /// What differs from what the process runs by.
    pub changes: Vec<Change>, // tidy: bounded by the keys of a document of a megabyte
    /// The lines that differ from the file, as `diff -u` tells them.
    pub diff: String,
}

/// Something wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The key; empty when it is no YAML.
    pub key: String,
    /// What is wrong.
    pub text: String,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Where the text before it is kept.
    pub backup: String,
    /// What counts now.
    pub live: Vec<Change>, // tidy: bounded by the keys of a document of a megabyte
    /// What counts with the next start, with what was changed earlier.
    pub restart: Vec<Change>, // tidy: bounded by the keys of a document of a megabyte
    /// What the file is known by now.
    pub revision: String,
}

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// Somebody else changes it now.
    #[error("the configuration is being changed by somebody else; try again in a moment")]
    Busy,
    /// The file is not the one that was looked at.
    #[error("the file has been changed since it was read: it is {now} and not {wanted}; read it again")]
    Changed {
        /// What it is.
        now: String,
        /// What the caller saw.
        wanted: String,
    },
    /// It is wrong.
    #[error("the text has {} mistake(s)", .0.len())]
    Wrong(Vec<Problem>), // tidy: short-lived
    /// A symbol does not take it.
    #[error("{0}")]
    Refused(String),
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What the process runs by.
struct Running {
    /// What it was started with.
    started: (Map<String, Value>, Config), // tidy: bounded by a document of a megabyte
    /// What it has taken over since; what counts with the next start only is in it, too.
    applied: (Map<String, Value>, Config), // tidy: bounded by a document of a megabyte
    /// What each symbol really trades by: settings that wait for the next start are not in it.
    real: Vec<SymbolConfig>, // tidy: bounded by SYMBOLS_MAX
    /// The file's text when it was last taken over.
    text: String,
    /// The last such text of which nothing waits for the next start.
    in_force: String,
}

/// Whether a symbol can take settings over while it trades: not with bars of another length, which are fetched at the start, nor
/// with more strategies than were planned for.
fn fits(real: &SymbolConfig, next: &SymbolConfig) -> bool {
    real.bar() == next.bar() && (next.combo.is_none() || real.combo.is_some())
}

/// Changes the configuration of the running process. One change at a time; a further one is refused.
pub struct Settings {
    file: ConfigFile,
    now: Arc<Now>,
    account: Sender<Feedback>,
    /// Milliseconds between two cleanups of slots.
    cleanup: Arc<AtomicU64>,
    running: Mutex<Running>,
    turn: Semaphore,
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn problems(error: ConfigError) -> Vec<Problem> {
    match error {
        ConfigError::Mistakes { mistakes, .. } => mistakes.into_iter().map(|m| Problem { key: m.key, text: m.what }).collect(),
        other => vec![Problem { key: String::new(), text: other.to_string() }],
    }
}

impl Settings {
    /// Makes one for a process that was started with this text.
    ///
    /// # Errors
    /// The text is not the configuration it was started with.
    pub fn new(
        file: ConfigFile,
        text: String,
        config: Config,
        now: Arc<Now>,
        account: Sender<Feedback>,
        cleanup: Arc<AtomicU64>,
    ) -> Result<Self, ConfigError> {
        let map = parse_map(&text, &file.path)?;
        let real = config.symbols.clone();
        let both = (map, config);
        let running = Running { started: both.clone(), applied: both, real, in_force: text.clone(), text };
        Ok(Self { file, now, account, cleanup, running: Mutex::new(running), turn: Semaphore::new(1) })
    }

    /// The file.
    pub const fn file(&self) -> &ConfigFile {
        &self.file
    }

    /// The file's text as it was last taken over, and what it is known by.
    pub fn current(&self) -> (String, String) {
        let text = lock(&self.running).text.clone();
        let revision = file::revision(&text);
        (text, revision)
    }

    /// All keys with the values that the process was last told, also those that are not written.
    pub fn values(&self) -> std::collections::BTreeMap<String, String> {
        crate::config::diff::flat(&lock(&self.running).applied.0)
    }

    /// Looks at the configuration that the process has taken over; what counts with the next start only is in it, too.
    pub fn with<R>(&self, look: impl FnOnce(&Config) -> R) -> R {
        look(&lock(&self.running).applied.1)
    }

    /// What was changed and counts with the next start only.
    pub fn waiting(&self) -> Vec<Change> {
        let running = lock(&self.running);
        self.judged(&running.real, &running.started, &running.applied)
            .into_iter()
            .filter(|change| change.applies == Applies::Restart)
            .collect()
    }

    /// Says what a text would change.
    pub fn preview(&self, text: &str) -> Preview {
        let next = match self.read(text) {
            Ok(next) => next,
            Err(problems) => return Preview { problems, ..Preview::default() },
        };
        let (changes, before) = {
            let running = lock(&self.running);
            (self.judged(&running.real, &running.applied, &next), running.text.clone())
        };
        let name = self.file.path.display().to_string();
        let diff = similar::TextDiff::configure().timeout(DIFF_TIMEOUT).diff_lines(before.as_str(), text);
        let diff = diff.unified_diff().context_radius(DIFF_CONTEXT).header(&name, &name).to_string();
        Preview { problems: Vec::new(), changes, diff }
    }

    fn read(&self, text: &str) -> Result<(Map<String, Value>, Config), Vec<Problem>> {
        let map = parse_map(text, &self.file.path).map_err(problems)?;
        let config = Config::of(&map, &self.file.path).map_err(problems)?;
        let against = self.against(&config);
        if against.is_empty() { Ok((map, config)) } else { Err(against) }
    }

    /// What stands against a configuration that is right in itself: the memory, and symbols that would be left alone with what they have
    /// at the exchange.
    fn against(&self, next: &Config) -> Vec<Problem> {
        let mut against = Vec::new();
        if let Err(error) = admit(next) {
            // Between both is a table of all lines.
            let text = error.to_string();
            let (first, last) = (text.lines().next().unwrap_or_default(), text.lines().last().unwrap_or_default());
            against.push(Problem { key: "memory.budget".to_owned(), text: if first == last { text } else { format!("{first}; {last}") } });
        }
        for traded in &self.now.symbols {
            let name = traded.instrument.symbol;
            if next.symbols.iter().any(|symbol| symbol.symbol == name) {
                continue;
            }
            let left = match traded.view.get() {
                None => Some("what it has at the exchange is not known yet; try again in a moment".to_owned()),
                Some(view) if view.status.holding.is_flat() && view.status.orders.is_empty() => None,
                Some(view) => {
                    let held = if view.status.holding.is_flat() { "no position" } else { "a position" };
                    let orders = view.status.orders.len();
                    Some(format!("it has {orders} orders and {held} at the exchange, which nobody would watch: flatten {name} first"))
                }
            };
            against.extend(left.map(|text| Problem { key: format!("trading.symbols.{name}.symbol"), text }));
        }
        against
    }

    /// The keys whose values count from a restart on.
    ///
    /// # Errors
    /// Why the process could not begin anew with the file as it is.
    pub fn at_restart(&self) -> Result<Vec<String>, String> {
        let text = self.file.read().map_err(|error| error.to_string())?;
        let next = self.read(&text).map_err(|problems| {
            let first = problems.first().map_or_else(String::new, |first| format!("{} {}", first.key, first.text));
            format!("the configuration's file has {} mistakes: {}", problems.len(), first.trim())
        })?;
        next.1.alerts.resolve(&crate::memory::owner(&next.1)).map_err(|error| error.to_string())?;
        let running = lock(&self.running);
        let changes = self.judged(&running.real, &running.started, &next);
        Ok(changes.into_iter().filter(|change| change.applies == Applies::Restart).map(|change| change.key).collect())
    }

    /// Makes sure that the process can begin anew, and keeps a copy of the configuration that is in force, unless it is the file's.
    ///
    /// # Errors
    /// Why it could not.
    pub fn before_restart(&self) -> Result<Option<PathBuf>, String> {
        let _turn = self.turn.try_acquire().map_err(|_| SettingsError::Busy.to_string())?;
        self.at_restart()?;
        let in_force = lock(&self.running).in_force.clone();
        if self.file.read().is_ok_and(|text| text == in_force) {
            return Ok(None);
        }
        let id = self.file.back_up(&in_force).map_err(|error| error.to_string())?;
        Ok(Some(self.file.backups.join(id)))
    }

    /// What differs, and since when it counts.
    fn judged(&self, real: &[SymbolConfig], before: &(Map<String, Value>, Config), after: &(Map<String, Value>, Config)) -> Vec<Change> {
        let trades = |symbol| self.now.symbols.iter().any(|traded| traded.instrument.symbol == symbol);
        let mut changes = changes(&before.0, &after.0);
        for next in &after.1.symbols {
            let Some(real) = real.iter().find(|s| s.symbol == next.symbol) else { continue };
            if !fits(real, next) || !trades(next.symbol) {
                let prefix = format!("trading.symbols.{}.", next.symbol);
                changes.iter_mut().filter(|c| c.key.starts_with(&prefix)).for_each(|c| c.applies = Applies::Restart);
            }
        }
        changes
    }

    /// Replaces the file by a text and takes over what counts at once. `revision` is that of the text that the caller has seen.
    ///
    /// # Errors
    /// [`SettingsError`]; then the file and the process are as they were.
    pub async fn apply(&self, text: &str, revision: &str, who: &str) -> Result<Applied, SettingsError> {
        let _turn = self.turn.try_acquire().map_err(|_| SettingsError::Busy)?;
        let before = self.file.read()?;
        let now = file::revision(&before);
        // What somebody wrote and was not taken over may be replaced by whoever knows what counts; it is among the backups.
        if now != revision && self.current().1 != revision {
            return Err(SettingsError::Changed { now, wanted: revision.chars().take(40).collect() });
        }
        let next = self.read(text).map_err(SettingsError::Wrong)?;
        let backup = self.file.back_up(&before)?;
        self.file.replace(text)?;
        let live = match self.take_over(next, text, who).await {
            Ok(live) => live,
            Err(why) => {
                // What an editor saved meanwhile stays.
                if self.file.read()? == text {
                    self.file.replace(&before)?;
                    // Nothing came of it: it must not push an older one out.
                    self.file.forget(&backup)?;
                }
                return Err(why);
            }
        };
        // What is on disk is what was meant, or the next start would find another.
        let written = self.file.read()?;
        if written != text {
            return Err(SettingsError::Changed { now: file::revision(&written), wanted: file::revision(text) });
        }
        Ok(Applied { backup, live, restart: self.waiting(), revision: file::revision(text) })
    }

    /// Puts a backup in the file's place, by the same way.
    ///
    /// # Errors
    /// As [`Settings::apply`].
    pub async fn restore(&self, id: &str, revision: &str, who: &str) -> Result<Applied, SettingsError> {
        let text = self.file.backup(id)?;
        self.apply(&text, revision, who).await
    }

    /// Takes over what somebody wrote into the file; `None` when it is what the process knows.
    ///
    /// # Errors
    /// [`SettingsError`]; then the process is as it was, and the file as it was written.
    pub async fn take_file(&self) -> Result<Option<Applied>, SettingsError> {
        let _turn = self.turn.try_acquire().map_err(|_| SettingsError::Busy)?;
        let text = self.file.read()?;
        let before = self.current().0;
        if text == before {
            return Ok(None);
        }
        let next = self.read(&text).map_err(SettingsError::Wrong)?;
        let live = self.take_over(next, &text, "the file").await?;
        // Only now: what is refused, or waits for its turn, must not push older ones out. The text was in our hands all the time.
        let backup = self.file.back_up(&before).unwrap_or_else(|error| {
            tracing::warn!(%error, "the configuration before the change is not backed up");
            String::new()
        });
        Ok(Some(Applied { backup, live, restart: self.waiting(), revision: file::revision(&text) }))
    }

    /// Hands what counts at once to whom it concerns; when one does not take it, the others get back what they had. A symbol that does
    /// not trade keeps nobody from it: it finds all of it at the next start.
    async fn take_over(&self, next: (Map<String, Value>, Config), text: &str, who: &str) -> Result<Vec<Change>, SettingsError> {
        let (before, real) = {
            let running = lock(&self.running);
            (running.applied.clone(), running.real.clone())
        };
        let mut live = self.judged(&real, &before, &next);
        live.retain(|change| change.applies == Applies::Live);
        let touched: Vec<&Traded> = self.now.symbols.iter().filter(|traded| concerns(&live, traded)).collect();
        let mut now_real = real.clone();
        for (n, traded) in touched.iter().enumerate() {
            let name = traded.instrument.symbol;
            let Some(own) = now_real.iter_mut().find(|s| s.symbol == name) else { continue };
            let wanted = next.1.symbols.iter().find(|s| s.symbol == name).filter(|wanted| fits(own, wanted)).unwrap_or(own).clone();
            match self.adopt(traded, &next.1, &wanted).await {
                Ok(()) => *own = wanted,
                Err(NotAdopted::NotTrading) => tracing::info!(symbol = %name, "does not trade; it finds its settings at the next start"),
                Err(NotAdopted::Busy) => {
                    self.put_back(touched.get(..n).unwrap_or_default(), &before.1, &real).await;
                    return Err(SettingsError::Busy);
                }
                Err(NotAdopted::Because(why)) => {
                    self.put_back(touched.get(..=n).unwrap_or_default(), &before.1, &real).await;
                    // Some objections name it themselves.
                    let why = if why.starts_with(name.as_str()) { why } else { format!("{name}: {why}") };
                    return Err(SettingsError::Refused(why));
                }
            }
        }
        if live.iter().any(|change| change.key.starts_with("risk_control."))
            && let Some(first) = self.now.symbols.first()
            && self.account.try_send(Feedback::Limits(next.1.risk.account(first.instrument.quote))).is_err()
        {
            self.put_back(&touched, &before.1, &real).await;
            return Err(SettingsError::Busy);
        }
        if live.iter().any(|change| change.key == "log.level")
            && let Err(why) = crate::log::set_level(&next.1.log.level)
        {
            tracing::warn!("{why}");
        }
        self.cleanup.store(u64::try_from(next.1.slot_cleanup.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        for change in &live {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            tracing::info!(who, "{}: {} instead of {}", change.key, shown(&change.to), shown(&change.from));
        }
        let mut running = lock(&self.running);
        (running.applied, running.real) = (next, now_real);
        text.clone_into(&mut running.text);
        if self.judged(&running.real, &running.started, &running.applied).iter().all(|change| change.applies == Applies::Live) {
            text.clone_into(&mut running.in_force);
        }
        Ok(live)
    }

    /// Gives symbols what they had before; whoever was asked in vain has it still, and does not mind.
    async fn put_back(&self, changed: &[&Traded], before: &Config, real: &[SymbolConfig]) {
        for traded in changed {
            let Some(own) = real.iter().find(|s| s.symbol == traded.instrument.symbol) else { continue };
            match self.adopt(traded, before, own).await {
                Ok(()) | Err(NotAdopted::NotTrading) => {}
                Err(why) => {
                    tracing::error!(symbol = %traded.instrument.symbol, ?why, "settings could not be put back; it may trade by the new ones");
                }
            }
        }
    }

    /// Has a symbol take over its settings, and waits for its word.
    async fn adopt(&self, traded: &Traded, config: &Config, settings: &SymbolConfig) -> Result<(), NotAdopted> {
        let (answer, verdict) = reply();
        let adoption = adoption(config, settings, traded, self.now.symbols.len(), answer).map_err(NotAdopted::Because)?;
        match traded.inlet.control(Control::Adopt(Box::new(adoption))) {
            Ok(()) => {}
            Err(Refusal::Full) => return Err(NotAdopted::Busy),
            Err(Refusal::Ended) => return Err(NotAdopted::NotTrading),
        }
        let late = |_| NotAdopted::Because(format!("it did not answer within {} s", ADOPT_TIMEOUT.as_secs()));
        verdict.wait(ADOPT_TIMEOUT).await.map_err(late)?
    }
}

/// Whether the memory plan has room for a configuration: what the next start would check first.
///
/// What the plan cannot be made of, such as a password's file that is missing, is not looked at: limits that count at once must not wait
/// for it.
fn admit(config: &Config) -> anyhow::Result<()> {
    let (Ok(store), Ok(alerts)) = (crate::run::store_config(config), config.alerts.resolve(&crate::memory::owner(config))) else {
        return Ok(());
    };
    let plan = crate::memory::plan(config, &store, &alerts)?;
    crate::memory::check_thresholds(config, &plan.ledger)?;
    crate::memory::seal(plan.ledger, config).map(drop)
}

/// Whether a change that counts at once concerns a symbol.
fn concerns(live: &[Change], traded: &Traded) -> bool {
    let own = format!("trading.symbols.{}.", traded.instrument.symbol);
    live.iter().any(|change| match change.key.as_str() {
        "log.level" | "trading.slot_cleanup_interval" => false,
        key if key.starts_with("trading.symbols.") => key.starts_with(&own),
        _ => true,
    })
}

fn adoption(
    config: &Config,
    settings: &SymbolConfig,
    traded: &Traded,
    symbols: usize,
    answer: ReplySender<Result<(), NotAdopted>>,
) -> Result<Adoption, String> {
    let instrument = &traded.instrument;
    let interval = interval_of(settings, instrument)
        .ok_or_else(|| format!("price_interval has more digits than the {} of its prices", instrument.price_scale))?;
    let strategy = strategy_config(settings, instrument, interval)?;
    let guard = config.risk.guard_of(settings);
    Ok(Adoption {
        gate: gate_config(config, settings),
        countdown: config.risk.countdown,
        compare_every: config.risk.reconcile_every,
        accept_position: config.risk.accept_positions,
        interval: settings.has_grid().then_some(interval),
        strategy,
        prospect: Prospects {
            exposure_max: config.risk.max_exposure / symbols.max(1) as i128,
            layers_max: u32::from(guard.layers_max),
            // These three the exchange told: the loop keeps them.
            margin: 0,
            leverage: 1,
            isolated: false,
            stop_loss: guard.stop_loss,
            accept_liquidation: config.risk.accept_liquidation,
        },
        answer,
    })
}

/// Where the backups of the configuration are.
pub fn backups_of(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("backups").join("config")
}
