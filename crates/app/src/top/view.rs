//! What `plimsoll top` shows: pure drawing of what was last answered.

use super::WORTH_MAX;
use plimsoll_web::dto::{DetailDto, EventDto, LedgerDto, MetricsDto, StatusDto, SummaryDto};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Cell, Clear, Gauge, Paragraph, Row, Sparkline, Table, TableState, Wrap};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// Older answers than this are shown as old.
const OLD_SECS: u64 = 3;
/// Lines of the ledger that are shown.
const LINES: usize = 60;

const DIM: Style = Style::new().fg(Color::DarkGray);
const GAIN: Color = Color::Green;
const LOSS: Color = Color::Red;

/// What the lower half shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Page {
    /// The chosen symbol.
    Symbols,
    /// Memory and the ledger.
    Memory,
    /// Events.
    Events,
}

impl Page {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Symbols => Self::Memory,
            Self::Memory => Self::Events,
            Self::Events => Self::Symbols,
        }
    }
}

/// An order that waits for a yes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asking {
    pub(super) verb: &'static str,
    /// `None` is for all symbols.
    pub(super) symbol: Option<String>,
    /// What it will do, in numbers.
    text: String,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Screen {
    address: SocketAddr,
    status: Option<StatusDto>,
    metrics: Option<MetricsDto>,
    pub(super) detail: Option<DetailDto>,
    pub(super) ledger: Option<LedgerDto>,
    pub(super) events: Vec<EventDto>, // tidy: bounded by the page that is asked for
    /// The account's worth, a value a second.
    worth: VecDeque<f64>, // tidy: bounded by WORTH_MAX
    /// The chosen symbol's place.
    place: usize,
    pub(super) page: Page,
    /// Keys are for all symbols, not the chosen one.
    pub(super) all: bool,
    pub(super) asking: Option<Asking>,
    pub(super) said: Option<String>,
    pub(super) trouble: Option<String>,
    pub(super) seen: Option<Instant>,
}

impl Screen {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            status: None,
            metrics: None,
            detail: None,
            ledger: None,
            events: Vec::new(),
            worth: VecDeque::with_capacity(WORTH_MAX),
            place: 0,
            page: Page::Symbols,
            all: false,
            asking: None,
            said: None,
            trouble: None,
            seen: None,
        }
    }

    pub(super) fn take(&mut self, status: StatusDto, metrics: MetricsDto) {
        if let Some(worth) = status.totals.equity.as_ref().and_then(|money| money.amount.parse().ok()) {
            if self.worth.len() == WORTH_MAX {
                self.worth.pop_front();
            }
            self.worth.push_back(worth);
        }
        self.place = self.place.min(status.symbols.len().saturating_sub(1));
        (self.status, self.metrics) = (Some(status), Some(metrics));
    }

    fn symbols(&self) -> &[SummaryDto] {
        self.status.as_ref().map_or(&[], |status| status.symbols.as_slice())
    }

    pub(super) fn chosen(&self) -> Option<String> {
        self.symbols().get(self.place).map(|symbol| symbol.symbol.clone())
    }

    pub(super) fn choose(&mut self, by: isize) {
        let last = self.symbols().len().saturating_sub(1);
        self.place = self.place.saturating_add_signed(by).min(last);
        self.detail = None;
    }

    /// Asks whether an order is meant, and says what it will do.
    pub(super) fn ask(&mut self, verb: &'static str) {
        let symbol = if self.all { None } else { self.chosen() };
        let meant = self.symbols().iter().filter(|s| symbol.as_ref().is_none_or(|name| s.symbol == *name));
        let (mut orders, mut held, mut count) = (0, Vec::new(), 0);
        for summary in meant {
            count += 1;
            orders += summary.orders_working;
            if summary.holding.parse::<f64>().is_ok_and(|holding| holding != 0.0) {
                held.push(format!("{} {}", summary.holding, summary.base));
            }
        }
        if count == 0 {
            self.said = Some("there is no symbol to do that with".to_owned());
            return;
        }
        let held = if held.is_empty() { "nothing is held".to_owned() } else { format!("{} held", held.join(", ")) };
        let text = match verb {
            "pause" => format!("opens nothing more; {orders} orders work, {held}; closing goes on"),
            "resume" => "opens again; what a rule has locked stays locked".to_owned(),
            "drain" => format!("opens nothing more and sells what is there; {held}"),
            "cancel_all" => format!("withdraws {orders} orders and opens nothing more; {held} and stays"),
            _ => format!("withdraws {orders} orders and closes at market: {held}"),
        };
        self.asking = Some(Asking { verb, symbol, text });
    }
}

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let symbols = u16::try_from(screen.symbols().len()).unwrap_or(u16::MAX);
    let half = (frame.area().height.saturating_sub(9) / 2).max(5);
    let [head, table, body, foot] =
        Layout::vertical([Constraint::Length(6), Constraint::Length((symbols + 3).min(half)), Constraint::Min(6), Constraint::Length(1)])
            .areas(frame.area());
    draw_head(frame, screen, head);
    draw_symbols(frame, screen, table);
    match screen.page {
        Page::Symbols => draw_symbol(frame, screen, body),
        Page::Memory => draw_memory(frame, screen, body),
        Page::Events => draw_events(frame, screen, body),
    }
    draw_foot(frame, screen, foot);
    if let Some(asking) = &screen.asking {
        draw_asking(frame, asking);
    }
}

fn pane(title: &str) -> Block<'_> {
    Block::new()
        .borders(Borders::ALL)
        .border_type(BorderType::Rounded)
        .border_style(DIM)
        .title(Span::styled(format!(" {title} "), Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD)))
}

fn signed(text: &str) -> Span<'static> {
    let colour = if text.starts_with('-') { LOSS } else { GAIN };
    let zero = text.parse::<f64>().is_ok_and(|n| n == 0.0);
    Span::styled(shorter(text), if zero { DIM } else { Style::new().fg(colour) })
}

/// Money with two digits; what is told has eight.
fn shorter(text: &str) -> String {
    text.parse::<f64>().map_or_else(|_| text.to_owned(), |n| format!("{n:.2}"))
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

fn span_of(secs: u64) -> String {
    match (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60, secs % 60) {
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

fn draw_head(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let [left, middle, right] = Layout::horizontal([Constraint::Min(46), Constraint::Length(38), Constraint::Length(38)]).areas(area);
    let Some(status) = &screen.status else {
        let text = screen.trouble.clone().unwrap_or_else(|| format!("asking {} …", screen.address));
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }).block(pane("Plimsoll")), area);
        return;
    };
    let mode = match status.mode.as_str() {
        "live" => Span::styled(" LIVE ", Style::new().fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD)),
        other => Span::styled(format!(" {other} "), Style::new().fg(Color::Black).bg(Color::Cyan)),
    };
    let links = status.links.iter().flat_map(|link| {
        let (mark, colour) = if link.up { ("●", GAIN) } else { ("○", LOSS) };
        [Span::styled(mark, Style::new().fg(colour)), Span::raw(format!(" {}  ", link.feed))]
    });
    let risk = status.risk.as_ref().map_or_else(
        || Line::styled("risk not known yet", DIM),
        |risk| {
            let colour = match risk.tier.as_str() {
                "green" => GAIN,
                "yellow" => Color::Yellow,
                "orange" => Color::LightRed,
                _ => LOSS,
            };
            let mut spans = vec![
                Span::raw("risk "),
                Span::styled(risk.tier.clone(), Style::new().fg(colour).bold()),
                Span::raw(format!("  drawdown {} %", shorter(&risk.drawdown_percent))),
            ];
            if let Some(by) = &risk.stopped_by {
                spans.push(Span::styled(format!("  stopped by {by}"), Style::new().fg(LOSS).bold()));
            }
            Line::from(spans)
        },
    );
    let lines = vec![
        Line::from(vec![
            mode,
            Span::raw(format!(" {} · {} · up {}", status.exchange, status.account, span_of(status.uptime_s))),
            Span::styled(if status.stopping { "  STOPPING" } else { "" }, Style::new().fg(LOSS).bold()),
        ]),
        Line::from(links.collect::<Vec<_>>()),
        risk,
        status.hints.first().map_or_else(Line::default, |hint| Line::styled(hint.clone(), DIM)),
    ];
    frame.render_widget(Paragraph::new(lines).block(pane(&format!("Plimsoll {}", status.version))), left);
    let totals = &status.totals;
    let mut lines = vec![Line::from(vec![
        Span::raw("worth "),
        totals.equity.as_ref().map_or_else(
            || Span::styled("?", DIM),
            |worth| Span::styled(format!("{} {}", shorter(&worth.amount), worth.asset), Style::new().bold()),
        ),
    ])];
    for pnl in totals.pnl.iter().take(2) {
        lines.push(Line::from(vec![Span::raw("net   "), signed(&pnl.net), Span::raw(format!(" {}", pnl.asset))]));
        lines.push(Line::from(vec![
            Span::styled("fees ", DIM),
            Span::raw(shorter(&pnl.fees)),
            Span::styled("  funding ", DIM),
            signed(&pnl.funding),
        ]));
    }
    lines.push(Line::from(format!("{} orders · {} fills", totals.orders_working, totals.fills)));
    frame.render_widget(Paragraph::new(lines).block(pane("Account")), middle);
    let block = pane("Worth, ten minutes");
    let inner = block.inner(right);
    frame.render_widget(block, right);
    let low = screen.worth.iter().copied().fold(f64::INFINITY, f64::min);
    let high = screen.worth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(0.01);
    let skip = screen.worth.len().saturating_sub(usize::from(inner.width));
    let points: Vec<u64> = screen.worth.iter().skip(skip).map(|worth| 1 + ((worth - low) / span * 99.0) as u64).collect();
    frame.render_widget(Sparkline::default().data(points).max(100).style(Style::new().fg(Color::Cyan)), inner);
}

fn draw_symbols(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let right = |text: String| Cell::from(Line::from(text).alignment(Alignment::Right));
    let rows = screen.symbols().iter().map(|s| {
        let state = match &s.closed {
            Some(why) => Span::styled(format!("{} ({why})", s.phase), Style::new().fg(Color::Yellow)),
            None if s.phase == "trading" => Span::styled(s.phase.clone(), Style::new().fg(GAIN)),
            None => Span::raw(s.phase.clone()),
        };
        Row::new(vec![
            Cell::from(Span::styled(s.symbol.clone(), Style::new().bold())),
            right(s.price.clone().unwrap_or_else(|| "?".to_owned())),
            right(s.holding.clone()),
            right(s.entry.clone().unwrap_or_default()),
            right(s.orders_working.to_string()),
            right(s.slots_held.to_string()),
            right(s.fills.to_string()),
            Cell::from(Line::from(signed(&s.pnl.round_trips)).alignment(Alignment::Right)),
            Cell::from(Line::from(signed(&s.pnl.net)).alignment(Alignment::Right)),
            Cell::from(state),
        ])
    });
    let widths = [
        Constraint::Length(14),
        Constraint::Length(12),
        Constraint::Length(12),
        Constraint::Length(14),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(11),
        Constraint::Length(11),
        Constraint::Min(12),
    ];
    let names = ["symbol", "price", "held", "entry", "orders", "slots", "fills", "round trips", "net", "state"];
    let head = Row::new(names.iter().enumerate().map(|(n, name)| {
        let side = if n == 0 || n == names.len() - 1 { Alignment::Left } else { Alignment::Right };
        Cell::from(Line::styled(*name, DIM).alignment(side))
    }));
    let table = Table::new(rows, widths).header(head).row_highlight_style(Style::new().bg(Color::Indexed(236))).block(pane("Symbols"));
    let mut state = TableState::default().with_selected(Some(screen.place));
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_symbol(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let [ladder, side] = Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)]).areas(area);
    let Some(detail) = &screen.detail else {
        frame.render_widget(Paragraph::new("…").style(DIM).block(pane("Orders")), ladder);
        draw_events(frame, screen, side);
        return;
    };
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let mut orders: Vec<_> = detail.orders.iter().collect();
    orders.sort_by(|a, b| number(&b.price).total_cmp(&number(&a.price)));
    let line = |order: &&plimsoll_web::dto::WorkingDto| {
        let colour = if order.side == "buy" { GAIN } else { LOSS };
        let filled = if number(&order.filled) > 0.0 { format!("  {} filled", order.filled) } else { String::new() };
        Line::from(vec![
            Span::styled(format!("{:>5} ", order.side), Style::new().fg(colour)),
            Span::styled(format!("{:>14}", order.price), Style::new().fg(colour)),
            Span::raw(format!("  {:>12}", order.qty)),
            Span::styled(format!("  level {:>4}  {}{filled}", order.level, order.state), DIM),
        ])
    };
    let price = detail.summary.price.as_deref().unwrap_or("?");
    let above = orders.iter().filter(|order| number(&order.price) > number(price)).count();
    let mut lines: Vec<Line<'_>> = orders.iter().take(above).map(line).collect();
    lines.push(Line::from(Span::styled(format!("      {price:>14}  ◀ price"), Style::new().fg(Color::Yellow).bold())));
    lines.extend(orders.iter().skip(above).map(line));
    // The price stays in sight: what is farthest above it goes first.
    let height = usize::from(ladder.height.saturating_sub(2));
    let skip = (above + 1).saturating_sub(height / 2 + 1).min(lines.len().saturating_sub(height));
    let lines: Vec<Line<'_>> = lines.into_iter().skip(skip).collect();
    frame.render_widget(Paragraph::new(lines).block(pane(&format!("{} orders", detail.summary.symbol))), ladder);
    draw_events(frame, screen, side);
}

fn draw_memory(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let [line, table] = Layout::vertical([Constraint::Length(4), Constraint::Min(4)]).areas(area);
    if let Some(metrics) = &screen.metrics {
        let rss = metrics.rss_bytes.unwrap_or(0);
        let limit = metrics.memory_limit_bytes.unwrap_or(metrics.ledger_budget_bytes).max(1);
        let share = (rss as f64 / limit as f64).clamp(0.0, 1.0);
        let colour = if share > 0.9 {
            LOSS
        } else if share > 0.7 {
            Color::Yellow
        } else {
            GAIN
        };
        let block = pane("Waterline");
        let inner = block.inner(line);
        frame.render_widget(block, line);
        let [bar, text] = Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(inner);
        let label = format!("{} of {}", mib(rss), mib(limit));
        frame.render_widget(Gauge::default().ratio(share).label(label).gauge_style(Style::new().fg(colour).bg(Color::Indexed(236))), bar);
        let words = format!(
            "planned {} of a budget of {} · in use {} · {} tasks · {} files · {} dropped",
            mib(metrics.ledger_planned_bytes),
            mib(metrics.ledger_budget_bytes),
            mib(metrics.ledger_used_bytes),
            metrics.tasks,
            metrics.open_files.map_or_else(|| "?".to_owned(), |n| n.to_string()),
            metrics.ledger_overflows,
        );
        frame.render_widget(Paragraph::new(words).style(DIM), text);
    }
    let mut lines: Vec<_> = screen.ledger.iter().flat_map(|ledger| &ledger.lines).filter(|line| line.capacity > 0).collect();
    let full = |line: &plimsoll_web::dto::LedgerLineDto| line.high_water as f64 / line.capacity.max(1) as f64;
    lines.sort_by(|a, b| b.overflows.cmp(&a.overflows).then(full(b).total_cmp(&full(a))).then_with(|| a.name.cmp(&b.name)));
    let rows = lines.iter().take(LINES).map(|line| {
        let right = |text: String| Cell::from(Line::from(text).alignment(Alignment::Right));
        let percent = full(line) * 100.0;
        let colour = if line.overflows > 0 { Color::Yellow } else { Color::Reset };
        Row::new(vec![
            Cell::from(Span::styled(line.name.clone(), Style::new().fg(colour))),
            right(line.len.to_string()),
            right(line.high_water.to_string()),
            right(line.capacity.to_string()),
            right(format!("{percent:.0} %")),
            right(line.overflows.to_string()),
            Cell::from(Span::styled(line.policy.clone(), DIM)),
        ])
    });
    let widths = [
        Constraint::Min(30),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(9),
        Constraint::Length(14),
    ];
    let head = Row::new(["line", "now", "most", "limit", "full", "dropped", "when full"]).style(DIM);
    frame.render_widget(Table::new(rows, widths).header(head).block(pane("Ledger, fullest first")), table);
}

fn draw_events(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let lines = screen.events.iter().map(|event| {
        let colour = match event.severity.as_str() {
            "critical" => LOSS,
            "warning" => Color::Yellow,
            _ => Color::Reset,
        };
        let secs = event.time_ms / 1_000 % 86_400;
        let clock = format!("{:02}:{:02}:{:02} ", secs / 3_600, secs / 60 % 60, secs % 60);
        Line::from(vec![Span::styled(clock, DIM), Span::styled(event.text.clone(), Style::new().fg(colour))])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(pane("Events (UTC)")), area);
}

fn draw_foot(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let old = screen.seen.map(|seen| seen.elapsed().as_secs()).filter(|age| *age >= OLD_SECS);
    let line = match (&screen.trouble, old, &screen.said) {
        (Some(trouble), age, _) => {
            let age = age.map_or_else(String::new, |age| format!(" · what is shown is {age} s old"));
            Line::styled(format!("{trouble}{age}"), Style::new().fg(LOSS).bold())
        }
        (None, _, Some(said)) => Line::styled(said.clone(), Style::new().fg(Color::Cyan)),
        (None, _, None) => {
            let whom = if screen.all { "all symbols" } else { "the chosen symbol" };
            Line::styled(
                format!("q quit  ↑↓ choose  Tab page  a: keys are for {whom}  p pause  r resume  d drain  c cancel all  f flatten"),
                DIM,
            )
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_asking(frame: &mut Frame<'_>, asking: &Asking) {
    let area = frame.area();
    let width = area.width.saturating_sub(4).min(72);
    let place = Rect { x: (area.width - width) / 2, y: area.height / 2 - 3, width, height: 6.min(area.height) }.intersection(area);
    frame.render_widget(Clear, place);
    let whom = asking.symbol.as_deref().unwrap_or("all symbols");
    let title = format!("{} {whom}?", asking.verb.replace('_', " "));
    let lines = vec![Line::raw(asking.text.clone()), Line::default(), Line::styled("y: yes    any other key: no", Style::new().bold())];
    let block = pane(&title).border_style(Style::new().fg(Color::Yellow));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }).block(block), place);
}

/// A picture as text, without its colours.
pub(super) fn text(buffer: &Buffer) -> String {
    let area = buffer.area();
    let mut text = String::with_capacity(usize::from(area.width) * usize::from(area.height) * 2);
    for y in area.top()..area.bottom() {
        let mut row = String::new();
        for x in area.left()..area.right() {
            row.push_str(buffer.cell((x, y)).map_or(" ", |cell| cell.symbol()));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
