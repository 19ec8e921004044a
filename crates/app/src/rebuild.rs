//! `plimsoll rebuild`: the books anew from the exchange's own history, compared with what is stored.
//!
//! It books every execution since trading began by the code that books them at a start. Written, it only forgets what is stored
//! of them, after a backup: the next start fetches and books them again, by the path that a crash leaves to every start.

use crate::config::Config;
use crate::memory::{Memory, exchange_name, plan, seal};
use crate::preflight::price;
use crate::run::{BOOT_TIMEOUT, PART_TIMEOUT, store_config};
use crate::screen;
use crate::threads::{Trading, edge};
use crate::venue::{Earlier, gateway_config, session_config, tag, venue};
use anyhow::{Context, bail};
use clap::Args;
use plimsoll_bounded::{ReplySender, Tasks, reply};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::session::{BootFailure, BootReport, Session};
use plimsoll_gateway::{Clock, Gateway, OrderSender, Sink};
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{
    AccountEvent, Action, Actions, Event, Holding, Instrument, Leg, Price, Side, SlotRow, Spacing, StateRecord, Tag, Time, Totals, TradeId,
    format_units,
};
use plimsoll_position::{Position, PositionConfig, Restored};
use plimsoll_storage::{Key, Store};
use plimsoll_strategy::limits::{GRID_NUMBER, NUMBERS_A_CHILD};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long the whole may take: a million executions come in some ten minutes, by the exchange's limits.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// Arguments.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// The bot's configuration.
    #[arg(long, value_name = "FILE", default_value = "config/plimsoll.yaml")]
    config: PathBuf,
    /// Forget the stored executions, slots and totals, so that the next start books them anew; without it nothing is changed.
    #[arg(long)]
    write: bool,
    /// Make no backup before.
    #[arg(long)]
    without_backup: bool,
}

/// What the exchange's history says of a symbol.
struct Told {
    instrument: Instrument,
    totals: Totals,
    slots: Vec<SlotRow>, // tidy: bounded by the slot ring, lives as long as the command
    holding: Holding,
    /// Distance of two levels.
    interval: Spacing,
    /// Level 0 of the grid by our own buys; `None` without one.
    anchor: Option<Price>,
    late: u64,
}

/// Rebuilds.
///
/// # Errors
/// Whatever stands against it, with what to do about it.
pub fn main(args: &RebuildArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    crate::log::begin("warn");
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    let runtime = edge().context("cannot start threads")?;
    let done = runtime.block_on(rebuild(&config, args));
    runtime.shutdown_timeout(PART_TIMEOUT);
    done
}

async fn rebuild(config: &Config, args: &RebuildArgs) -> anyhow::Result<ExitCode> {
    let clock = Clock::start();
    let store_config = store_config(config)?;
    let alerts = config.alerts.resolve(&crate::memory::owner(config))?;
    let Memory { ledger, store, edge_tasks, trading_tasks, local, paper, mut gateway, .. } = plan(config, &store_config, &alerts)?;
    let _ledger = seal(ledger, config)?;
    let (edge_tasks, trading_tasks) = (Tasks::new(edge_tasks), Tasks::new(trading_tasks));
    // Takes the instance lock: a bot that runs is not rebuilt under its feet.
    let store = Store::open(store_config, store, &edge_tasks).await?;
    let run = store.next_run(clock.now()).await?;
    let (venue, local) = venue(config, false, local, paper, clock, &edge_tasks).await?;
    let tag = tag(exchange_name(config), &config.account);
    let mut begins = Vec::with_capacity(config.symbols.len());
    for symbol in &config.symbols {
        let stored = store.load(&Key { account: config.account, symbol: symbol.symbol }).await?;
        begins.push((symbol.symbol, stored));
    }
    let trading = Trading::start().context("cannot start the trading thread")?;
    let session = Session::new(session_config(config, &venue, tag, Earlier::default())?, run, &mut gateway)?;
    let (booted, report) = reply();
    let found = Arc::new(Mutex::new(Vec::new()));
    let orders = Arc::new(OnceLock::new());
    let collector = Collector {
        books: Vec::new(),
        begins: begins
            .iter()
            .zip(&config.symbols)
            .map(|((name, stored), symbol)| {
                (
                    *name,
                    stored.state.and_then(|s| s.baseline).unwrap_or(TradeId(0)),
                    symbol.interval,
                    symbol.grid.ratio(),
                    symbol.is_adjusted(),
                )
            })
            .collect(),
        grids: Vec::new(),
        actions: Actions::new(),
        cfg: (tag, run),
        orders: Arc::clone(&orders),
        found: Arc::clone(&found),
        booted: Some(booted),
    };
    let config_of_gateway = gateway_config(config, &venue)?;
    let handle = trading.within(|| Gateway::spawn(&config_of_gateway, session, collector, clock, &trading_tasks, &mut gateway))?;
    // Set before the boot can be over: the task has not run yet, or waits for the network.
    orders.get_or_init(|| handle.orders());
    let report = match report.wait(BOOT_TIMEOUT).await {
        Ok(Ok(report)) => report,
        Ok(Err(failure)) => bail!("{} does not let us begin: {failure}", exchange_name(config)),
        Err(_) => bail!("{} did not answer within {} s at {}", exchange_name(config), BOOT_TIMEOUT.as_secs(), venue.rest),
    };
    let (began, mut told_at) = (Instant::now(), Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (done, fills) = counted(&found);
        if done >= report.symbols.len() {
            break;
        }
        if told_at.elapsed() >= PROGRESS {
            told_at = Instant::now();
            screen::say(&format!("{done} of {} symbols, {fills} executions so far …", report.symbols.len()));
        }
        if began.elapsed() > LONGEST {
            bail!("the history was not complete within an hour; nothing was changed");
        }
    }
    let sockets = handle.stop(PART_TIMEOUT).await;
    tracing::debug!(exit = ?sockets.exit, "gateway ended");
    let tasks = trading_tasks.shutdown(PART_TIMEOUT).await;
    tracing::debug!(?tasks, "trading tasks ended");
    trading.stop();
    if let Some(local) = local {
        local.stop().await;
    }
    let results = std::mem::take(&mut *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let mut differ = false;
    for told in results.iter().flatten() {
        let Some((name, stored)) = begins.iter().find(|(name, _)| *name == told.instrument.symbol) else { continue };
        let known = stored.totals.unwrap_or(Totals::EMPTY);
        let lines = compare(told, &known, &stored.slots);
        differ |= !lines.is_empty();
        let verdict = if lines.is_empty() { "what is stored is what the exchange tells" } else { "differs:" };
        screen::say(&format!(
            "{name}: {} executions, holding {}: {verdict}",
            told.totals.fills,
            told.instrument.show_holding(told.holding)
        ));
        lines.iter().for_each(|line| screen::say(&format!("  {line}")));
    }
    if differ && args.write {
        if !args.without_backup {
            let made = store.backup().await.context("no backup could be made, so nothing was changed")?;
            screen::say(&format!("backup: {}", made.file.display()));
        }
        for told in results.iter().flatten() {
            write(config, &store, &begins, told).await?;
        }
        screen::say("written: the next start books every execution since trading began anew");
    } else if differ {
        screen::say("nothing was changed; --write has the next start book them anew");
    }
    store.stop(PART_TIMEOUT).await?;
    let ended = edge_tasks.shutdown(PART_TIMEOUT).await;
    tracing::debug!(?ended, "edge tasks ended");
    Ok(if differ && !args.write { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

type Found = Vec<Option<Told>>; // tidy: bounded by SYMBOLS_MAX, lives as long as the command

fn counted(found: &Mutex<Found>) -> (usize, u64) {
    let found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (found.iter().flatten().count(), found.iter().flatten().map(|told| told.totals.fills).sum())
}

/// What differs, a sentence each.
fn compare(told: &Told, stored: &Totals, slots: &[SlotRow]) -> Vec<String> {
    let (i, theirs) = (&told.instrument, &told.totals);
    let money = |units: i128| format_units(units, MONEY_SCALE).to_string();
    let mut lines = Vec::new();
    let mut line = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            lines.push(format!("{what}: stored {ours}, by the exchange's history {theirs}"));
        }
    };
    line("executions", stored.fills.to_string(), theirs.fills.to_string());
    line("holding", i.show_holding(stored.holding).to_string(), i.show_holding(theirs.holding).to_string());
    line("bought", i.show_qty(stored.bought).to_string(), i.show_qty(theirs.bought).to_string());
    line("sold", i.show_qty(stored.sold).to_string(), i.show_qty(theirs.sold).to_string());
    line("fees", money(stored.fees), money(theirs.fees));
    // Booked out of their order, profit and cost divide the same sum differently.
    if told.late == 0 {
        line("realised profit", money(stored.realized), money(theirs.realized));
    }
    // Long ones less short ones.
    let sum = |rows: &[SlotRow]| {
        let signed = |row: &SlotRow| row.leg.opening().map_or(0, |side| row.held.signed(side).units());
        plimsoll_market::Holding::from_units(rows.iter().map(signed).sum())
    };
    line("in slots", i.show_holding(sum(slots)).to_string(), i.show_holding(sum(&told.slots)).to_string());
    if told.holding != theirs.holding {
        lines.push(format!(
            "the exchange holds {}, its history since trading began makes {}: the rest was there before, or came by hands that its history no longer shows; that cannot be known",
            i.show_holding(told.holding),
            i.show_holding(theirs.holding)
        ));
    }
    lines
}

async fn write(
    config: &Config,
    store: &Store,
    begins: &[(plimsoll_market::Symbol, plimsoll_storage::Stored)],
    told: &Told,
) -> anyhow::Result<()> {
    let name = told.instrument.symbol;
    let key = Key { account: config.account, symbol: name };
    let Some((_, stored)) = begins.iter().find(|(symbol, _)| *symbol == name) else { return Ok(()) };
    let baseline = stored.state.and_then(|s| s.baseline).unwrap_or(TradeId(0));
    if stored.state.is_none_or(|state| state.baseline.is_none() || state.anchor.is_none()) {
        let interval = told.interval;
        let is_grid = config.symbols.iter().any(|symbol| symbol.symbol == name && symbol.has_grid());
        if is_grid && told.anchor.is_none() && told.totals.fills > 0 {
            screen::say(&format!("{name}: no buy of ours is in the history: where the grid lay cannot be known; it begins anew"));
        }
        let old = stored.state;
        let state = StateRecord {
            version: old.map_or(1, |s| s.version + 1),
            anchor: told.anchor.or(old.and_then(|s| s.anchor)),
            interval: old.map_or(interval, |s| s.interval),
            baseline: Some(baseline),
            paused: old.is_some_and(|s| s.paused),
            halted: old.is_some_and(|s| s.halted),
            lock: old.and_then(|s| s.lock),
            closing: old.is_some_and(|s| s.closing),
            idle: old.is_some_and(|s| s.idle),
            memo: old.map_or(plimsoll_market::Memo::NONE, |s| s.memo),
        };
        store.commit(key, state).await?;
        screen::say(&format!("{name}: funding before today is not among executions and cannot be known any more; it counts from now on"));
    }
    store.forget_books(key, baseline).await?;
    Ok(())
}

/// Books what the exchange tells, in the gateway's task.
struct Collector {
    books: Vec<Position>, // tidy: bounded by SYMBOLS_MAX
    /// Where the books of each configured symbol begin, its price_interval, or how its levels lie instead, and whether there are
    /// several spacings.
    begins: Vec<(plimsoll_market::Symbol, TradeId, i128, Option<Spacing>, bool)>, // tidy: bounded by SYMBOLS_MAX
    /// Of each grid how its levels lie, whether farther ones lie twice, four and eight times as far, and its level 0.
    grids: Vec<(Spacing, bool, Option<Price>)>, // tidy: bounded by SYMBOLS_MAX
    actions: Actions,
    cfg: (Tag, u64),
    orders: Arc<OnceLock<OrderSender>>,
    found: Arc<Mutex<Found>>,
    booted: Option<ReplySender<Result<BootReport, BootFailure>>>,
}

impl Sink for Collector {
    fn event(&mut self, symbol: SymbolIndex, now: Time, event: Event) {
        let Some(books) = self.books.get_mut(symbol.usize()) else { return };
        // Of the market nothing is needed, and of the stream nothing: what happens meanwhile the next start sees.
        if !matches!(event, Event::Link(_) | Event::Fills(_) | Event::Snapshot(_) | Event::ResyncFailed) {
            return;
        }
        books.apply(now, &event, &mut self.actions);
        let again = matches!(event, Event::ResyncFailed).then(|| Action::Resync { after: books.view(now).totals.watermark });
        // Only questions are asked: what the books would withdraw or place is the bot's.
        for action in self.actions.drain().filter(|a| matches!(a, Action::Resync { .. })).chain(again) {
            if let Some(orders) = self.orders.get()
                && orders.try_send(symbol, action).is_err()
            {
                tracing::warn!("a question found no room");
            }
        }
        let mut found = self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(told) = found.get_mut(symbol.usize()) else { return };
        match &event {
            Event::Fills(page) => {
                // A resting order that opens fills at its level's price, and its id tells the level: together they tell where the grid
                // lies. A short one counts its levels downwards.
                let mut buys = page.fills.iter().filter(|fill| fill.maker).filter_map(|fill| {
                    let leg = fill.id.filter(|id| id.tag() == self.cfg.0)?.leg();
                    let is_grid = leg.strategy() % NUMBERS_A_CHILD == GRID_NUMBER && leg.opens(fill.side);
                    let place = u32::from(leg.strategy() % Leg::SHORT / NUMBERS_A_CHILD);
                    Some((if fill.side == Side::Buy { leg.index() } else { -leg.index() }, 1 << place, fill.price)).filter(|_| is_grid)
                });
                if let (Some((level, factor, price)), Some((interval, several, anchor))) =
                    (buys.next_back(), self.grids.get_mut(symbol.usize()))
                {
                    let interval = if *several { interval.times(factor) } else { *interval };
                    // Counted back from there; of levels a ratio apart to the tick.
                    let tick = books.view(now).instrument.tick;
                    *anchor = interval.price(price, -level, tick).or(*anchor);
                }
            }
            Event::Snapshot(snapshot) if told.is_none() => {
                let view = books.view(now);
                *told = Some(Told {
                    instrument: *view.instrument,
                    totals: *view.totals,
                    slots: view.slots.holding().map(plimsoll_position::Slot::row).collect(),
                    holding: snapshot.position.holding,
                    interval: self.grids.get(symbol.usize()).map_or(Spacing::Even(view.instrument.tick), |(interval, ..)| *interval),
                    anchor: self.grids.get(symbol.usize()).and_then(|(.., anchor)| *anchor),
                    late: books.late_fills(),
                });
            }
            _ => {}
        }
    }

    fn account(&mut self, _now: Time, _event: AccountEvent) {}

    fn booted(&mut self, _now: Time, report: Result<BootReport, BootFailure>) {
        if let Ok(report) = &report {
            let mut found = self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for symbol in &report.symbols {
                let begin = self.begins.iter().find(|(name, ..)| *name == symbol.instrument.symbol);
                let baseline = begin.map(|(_, baseline, ..)| *baseline);
                let even = begin.and_then(|(_, _, interval, ..)| price(*interval, symbol)).unwrap_or(symbol.instrument.tick);
                let interval = begin.and_then(|(_, _, _, ratio, _)| *ratio).unwrap_or(Spacing::Even(even));
                let several = begin.is_some_and(|(.., several)| *several);
                self.grids.push((interval, several, None));
                let cfg = PositionConfig {
                    tag: self.cfg.0,
                    run: self.cfg.1,
                    series: symbol.index.0,
                    placed_before: 0,
                    recv_window_ms: 5_000,
                    compare_every: PositionConfig::COMPARE_EVERY,
                    accept_position: false,
                };
                let totals = Some(Totals { watermark: baseline, ..Totals::EMPTY });
                let restored = Restored { totals, slots: Vec::new(), recent: Vec::new() };
                self.books.push(Position::new(symbol.instrument, cfg, Some(&restored)));
                found.push(None);
            }
        }
        if let Some(booted) = self.booted.take() {
            // Whoever asked may have given up waiting.
            drop(booted.send(report));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::Leg;

    fn slot(number: u8, held: u64) -> SlotRow {
        SlotRow { leg: Leg::new(number, 0).unwrap(), held: plimsoll_market::Qty::from_units(held), cost: plimsoll_market::Notional::ZERO }
    }

    #[test]
    fn what_is_held_in_slots_is_compared_with_its_direction() {
        let told = |slots: &[SlotRow]| Told {
            instrument: Instrument::example_btcusdt(),
            totals: Totals::EMPTY,
            slots: slots.to_vec(),
            holding: Holding::FLAT,
            interval: Spacing::Even(Price::from_units(10)),
            anchor: None,
            late: 0,
        };
        let (long, short) = (0, Leg::SHORT);
        let compare = |theirs: &[SlotRow], ours: &[SlotRow]| compare(&told(theirs), &Totals::EMPTY, ours);
        assert!(compare(&[slot(long, 5), slot(short, 3)], &[slot(long, 2)]).is_empty(), "what offsets each other is no position");
        let lines = compare(&[slot(short, 5)], &[slot(long, 5)]);
        assert_eq!(lines, ["in slots: stored 0.005, by the exchange's history -0.005"]);
        let lines = compare(&[slot(long, 8)], &[slot(long, 5), slot(short, 3)]);
        assert_eq!(lines, ["in slots: stored 0.002, by the exchange's history 0.008"]);
    }
}
