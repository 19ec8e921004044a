//! What a person sees in the terminal: a few lines that stay in place, with the log scrolling above them.

use crate::ports::Now;
use plimsoll_bounded::{Class, Grant, Line, LossyReceiver, LossySender, ReplySender, WhenFull, lossy, reply};
use plimsoll_market::format_units;
use plimsoll_web::SymbolNow;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

/// The way to the writer. A terminal that nobody reads, or a stopped one, blocks the writer alone: what does not fit is lost.
static WRITER: OnceLock<LossySender<Text>> = OnceLock::new();

/// Texts that may wait for the terminal: a burst of log lines.
const WAITING: usize = 256;
/// The longest text that is written; a longer one is cut.
const TEXT_MAX: usize = 2 * 1024;
/// Bytes that waiting texts may take: in the plan, though the writer starts before there is a ledger.
pub const BYTES: usize = WAITING * (size_of::<Text>() + 4 * TEXT_MAX);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often a terminal is drawn, and how often a line is written where there is none.
const DRAW_EVERY: Duration = Duration::from_millis(500);
const LINE_EVERY: Duration = Duration::from_secs(60);

enum Text {
    /// To standard output, above the block.
    Said(String),
    /// To standard error, above the block.
    Logged(String),
    /// The block that stands at the bottom.
    Block(String),
    /// Answered when everything before it is written.
    Mark(ReplySender<()>),
}

/// Writes a log line, its end included, above the block; says whether no line was lost for it.
pub fn logged(line: &str) -> bool {
    hand_over(Text::Logged(cut(line)))
}

/// Cuts a line, but not its end.
fn cut(line: &str) -> String {
    if line.len() <= TEXT_MAX {
        return line.to_owned();
    }
    format!("{}…\n", line.chars().take(TEXT_MAX - 2).collect::<String>())
}

fn hand_over(text: Text) -> bool {
    match WRITER.get() {
        // The oldest goes when it is full; an ended writer means an ending process.
        Some(writer) => matches!(writer.send(text), Ok(plimsoll_bounded::Sent::Queued)),
        None => {
            Pen::default().write(text);
            true
        }
    }
}

/// Starts the writer: from here on nobody waits for the terminal but it.
///
/// # Errors
/// When no thread can be started.
pub fn start() -> std::io::Result<()> {
    let line = Line::of::<Text>("app.screen", WAITING, WhenFull::DropOldest, Class::BestEffort).with_heap(4 * TEXT_MAX);
    let (sender, receiver) = lossy(Grant::detached(line));
    if WRITER.set(sender).is_err() {
        return Ok(());
    }
    crate::threads::writer("plimsoll-screen", move || write_all(receiver))
}

async fn write_all(mut texts: LossyReceiver<Text>) {
    let mut pen = Pen::default();
    while let Some(text) = texts.recv().await {
        pen.write(text.item);
    }
}

/// Bytes that the texts that wait take at most.
pub fn waiting_bytes() -> u64 {
    WRITER.get().map_or(0, |writer| (writer.gauge().len() * (BYTES / WAITING)) as u64)
}

/// Waits until what was said is written, but not for a terminal that takes nothing.
pub async fn finish() {
    let (done, written) = reply();
    hand_over(Text::Mark(done));
    if written.wait(LAST_WORDS).await.is_err() {
        tracing::debug!("the terminal takes nothing");
    }
}

/// Writes a line to standard output, above the block.
pub fn say(text: &str) {
    hand_over(Text::Said(text.to_owned()));
}

/// Who writes; knows how many lines the block has that stands at the bottom.
#[derive(Default)]
struct Pen {
    block: usize,
}

impl Pen {
    fn write(&mut self, text: Text) {
        let mut out = std::io::stdout().lock();
        if self.block > 0 && !matches!(text, Text::Mark(_)) {
            // A closed terminal is no reason to stop trading.
            if write!(out, "\x1b[{}A\x1b[J", self.block).and_then(|()| out.flush()).is_err() {
                return;
            }
            self.block = 0;
        }
        let written = match text {
            Text::Said(text) => writeln!(out, "{text}").and_then(|()| out.flush()),
            Text::Logged(text) => std::io::stderr().lock().write_all(text.as_bytes()),
            Text::Block(text) => {
                self.block = text.lines().count();
                write!(out, "{text}").and_then(|()| out.flush())
            }
            Text::Mark(done) => {
                if done.send(()).is_err() {
                    tracing::debug!("nobody waits for the last words any more");
                }
                Ok(())
            }
        };
        if written.is_err() {
            self.block = 0;
        }
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
            hand_over(Text::Block(block(&now, &views, dashboard.as_deref())));
        } else {
            say(&line(&now, &views));
        }
    }
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

fn line(now: &Now, views: &[std::sync::Arc<SymbolNow>]) -> String {
    let mut text = format!("up {} s", now.clock.now().since(now.started).as_secs());
    for view in views {
        let status = &view.status;
        let price = status.top.map_or_else(|| "…".to_owned(), |t| view.instrument.show_price(t.mid()).to_string());
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
    text
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
