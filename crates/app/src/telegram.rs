//! What is answered and done over a Telegram bot: the dashboard's own previews and commands.

use async_trait::async_trait;
use plimsoll_notify::{Deed, Desk, Order, Question};
use plimsoll_web::dto::{PnlDto, StatusDto};
use plimsoll_web::{Operator, Verb};
use std::fmt::Write;

/// Symbols that an answer lists.
const LISTED: usize = 30;

/// Answers by what the dashboard shows.
pub struct OperatorDesk(pub Operator);

const fn verb(deed: Deed) -> Verb {
    match deed {
        Deed::Pause => Verb::Pause,
        Deed::Resume => Verb::Resume,
        Deed::Cancel => Verb::CancelAll,
        Deed::Flatten => Verb::Flatten,
    }
}

/// Money with two digits; what is told has eight.
fn short(amount: &str) -> String {
    amount.parse::<f64>().map_or_else(|_| amount.to_owned(), |n| format!("{n:.2}"))
}

fn status(status: &StatusDto) -> String {
    let down: Vec<&str> = status.links.iter().filter(|link| !link.up).map(|link| link.feed.as_str()).collect();
    let mut text = format!("{} on {} ({}), up {} min\n", status.account, status.exchange, status.mode, status.uptime_s / 60);
    if !down.is_empty() {
        line(&mut text, format_args!("down: {}", down.join(", ")));
    }
    if let Some(equity) = &status.totals.equity {
        line(&mut text, format_args!("worth {} {}", short(&equity.amount), equity.asset));
    }
    if let Some(risk) = &status.risk {
        let stopped = risk.stopped_by.as_ref().map_or_else(String::new, |by| format!(", stopped by {by}"));
        line(&mut text, format_args!("risk {}, drawdown {} %{stopped}", risk.tier, risk.drawdown_percent));
    }
    for symbol in status.symbols.iter().take(LISTED) {
        let closed = symbol.closed.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        line(
            &mut text,
            format_args!("{}: {}{closed}, {} orders, {} fills", symbol.symbol, symbol.phase, symbol.orders_working, symbol.fills),
        );
    }
    text
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    if writeln!(text, "{words}").is_err() {
        tracing::debug!("a line was not written");
    }
}

fn pnl(pnl: &PnlDto) -> String {
    let unrealized = pnl.unrealized.as_deref().map_or_else(|| "?".to_owned(), short);
    format!(
        "net {}, realised {}, unrealised {unrealized}, fees {}, funding {} {}",
        short(&pnl.net),
        short(&pnl.realized),
        short(&pnl.fees),
        short(&pnl.funding),
        pnl.asset
    )
}

fn profit(status: &StatusDto) -> String {
    let mut text = String::new();
    for total in &status.totals.pnl {
        line(&mut text, format_args!("{}", pnl(total)));
    }
    for symbol in status.symbols.iter().take(LISTED) {
        line(&mut text, format_args!("{}: {}", symbol.symbol, pnl(&symbol.pnl)));
    }
    text
}

fn positions(status: &StatusDto) -> String {
    let mut text = String::new();
    let held = |holding: &str| holding.parse::<f64>().is_ok_and(|held| held != 0.0);
    for symbol in status.symbols.iter().filter(|symbol| held(&symbol.holding)).take(LISTED) {
        let entry = symbol.entry.as_deref().map_or_else(|| "?".to_owned(), short);
        let unrealized = symbol.pnl.unrealized.as_deref().map_or_else(|| "?".to_owned(), short);
        line(
            &mut text,
            format_args!("{}: {} {} from {entry}, unrealised {unrealized} {}", symbol.symbol, symbol.holding, symbol.base, symbol.quote),
        );
    }
    if text.is_empty() { "nothing is held".to_owned() } else { text }
}

#[async_trait]
impl Desk for OperatorDesk {
    async fn tell(&self, question: Question) -> String {
        let now = self.0.status();
        match question {
            Question::Status => status(&now),
            Question::Profit => profit(&now),
            Question::Positions => positions(&now),
        }
    }

    async fn foresee(&self, order: &Order) -> Result<String, String> {
        Ok(self.0.preview(order.symbol.as_deref(), verb(order.deed))?.text)
    }

    async fn carry_out(&self, order: &Order, who: &str) -> Result<String, String> {
        self.0.command(order.symbol.as_deref(), verb(order.deed), who, "telegram").await
    }

    fn wants_codes(&self) -> bool {
        self.0.has_codes()
    }

    async fn check_code(&self, code: &str) -> bool {
        self.0.check_code(code).await
    }
}
