//! What a person sees in the terminal: a few lines that stay in place, with the log scrolling above them.

use crate::ports::Now;
use plimsoll_market::format_units;
use plimsoll_web::SymbolNow;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lines of the block that stands at the bottom of the terminal now.
static BLOCK: Mutex<usize> = Mutex::new(0);

/// How often a terminal is drawn, and how often a line is written where there is none.
const DRAW_EVERY: Duration = Duration::from_millis(500);
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Writes log lines above the block.
#[derive(Clone, Copy, Debug)]
pub struct LogLines;

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if *block > 0 {
            let mut out = std::io::stdout().lock();
            erase(&mut out, *block)?;
            *block = 0;
        }
        std::io::stderr().lock().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}

fn erase(out: &mut impl Write, lines: usize) -> std::io::Result<()> {
    write!(out, "\x1b[{lines}A\x1b[J")?;
    out.flush()
}

/// Writes a line to standard output, above the block.
pub fn say(text: &str) {
    let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = std::io::stdout().lock();
    let erased = if *block > 0 { erase(&mut out, *block) } else { Ok(()) };
    *block = 0;
    // A closed terminal is no reason to stop trading.
    if erased.and_then(|()| writeln!(out, "{text}")).and_then(|()| out.flush()).is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// Draws until the process stops.
pub async fn run(now: std::sync::Arc<Now>, dashboard: Option<String>, task: plimsoll_bounded::Task) {
    let terminal = std::io::stdout().is_terminal();
    let mut tick = tokio::time::interval(if terminal { DRAW_EVERY } else { LINE_EVERY });
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while task.stop.or(tick.tick()).await.is_some() {
        task.pulse.beat();
        let views = now.views();
        if terminal {
            draw(&block(&now, &views, dashboard.as_deref()));
        } else if let Some(line) = line(&now, &views) {
            say(&line);
        }
    }
}

fn draw(text: &str) {
    let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = std::io::stdout().lock();
    let erased = if *block > 0 { erase(&mut out, *block) } else { Ok(()) };
    let drawn = erased.and_then(|()| write!(out, "{text}")).and_then(|()| out.flush());
    *block = if drawn.is_ok() { text.lines().count() } else { 0 };
}

/// Two digits are enough for a glance.
fn money(units: i128) -> String {
    let cents = (units + if units < 0 { -500_000 } else { 500_000 }) / 1_000_000;
    format!("{}{}", if cents >= 0 { "+" } else { "" }, format_units(cents, 2))
}

fn block(now: &Now, views: &[std::sync::Arc<SymbolNow>], dashboard: Option<&str>) -> String {
    let (bold, dim, green, red, off) = ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m");
    let mut text = String::new();
    let uptime = now.clock.now().since(now.started).as_secs();
    let equity = now.equity().map_or_else(|| "…".to_owned(), |e| format!("{} {}", format_units(e.units / 1_000_000, 2), e.asset));
    let (h, m, s) = (uptime / 3_600, uptime / 60 % 60, uptime % 60);
    let mut row = |line: std::fmt::Arguments<'_>| {
        text.push_str(&line.to_string());
        text.push('\n');
    };
    row(format_args!(""));
    row(format_args!("{bold}plimsoll{off} on {} · {} · up {h:02}:{m:02}:{s:02} · equity {bold}{equity}{off}", now.exchange, now.account));
    row(format_args!(
        "{dim}{:<12}{:>12} {:>12} {:>6} {:>7} {:>12} {:>12}  state{off}",
        "symbol", "price", "holding", "orders", "fills", "realised", "net"
    ));
    for view in views {
        let status = &view.status;
        let price = status.top.map_or_else(|| "…".to_owned(), |t| view.instrument.show_price(t.mid()).to_string());
        let holding = view.instrument.show_holding(status.holding).to_string();
        let net = status.pnl.net();
        let colour = if net < 0 { red } else { green };
        let state = status.closed.map_or_else(|| status.phase.as_str().to_owned(), |why| format!("{} ({why})", status.phase.as_str()));
        let realized = money(status.pnl.realized - status.pnl.fees);
        row(format_args!(
            "{:<12}{price:>12} {holding:>12} {:>6} {:>7} {realized:>12} {colour}{:>12}{off}  {state}",
            status.symbol.as_str(),
            status.orders.len(),
            status.fills,
            money(net)
        ));
    }
    for why in now.refusals() {
        row(format_args!("{red}{why}{off}"));
    }
    match dashboard {
        Some(url) => row(format_args!("{dim}dashboard{off} {bold}{url}{off}   {dim}stop with Ctrl-C{off}")),
        None => row(format_args!("{dim}stop with Ctrl-C{off}")),
    }
    text
}

fn line(now: &Now, views: &[std::sync::Arc<SymbolNow>]) -> Option<String> {
    let mut text = format!("up {} s", now.clock.now().since(now.started).as_secs());
    for view in views {
        let status = &view.status;
        let price = status.top.map(|t| view.instrument.show_price(t.mid()).to_string())?;
        let part = format!(
            " · {} {price} {}: {} orders, {} fills, net {}",
            status.symbol,
            status.phase.as_str(),
            status.orders.len(),
            status.fills,
            money(status.pnl.net())
        );
        text.push_str(&part);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::money;

    #[test]
    fn money_is_rounded_to_cents_away_from_zero() {
        assert_eq!(
            [money(0), money(499_999), money(500_000), money(-500_000), money(-123_456_789)],
            ["+0.00", "+0.00", "+0.01", "-0.01", "-1.23"]
        );
    }
}
