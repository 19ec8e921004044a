//! What the exchange says, what the bot says, and where they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::ids;
use crate::http::bot_json;
use crate::soak::exchange::{Executions, signed};

/// Rows of a page of the bot's history.
const PAGE: usize = 1_000;

/// An execution, in units of 1e-8; the quantity is negative when it sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) qty: i128,
    pub(crate) fee: i128,
    pub(crate) realized: i128,
}

/// Sums over executions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) fills: u64,
    pub(crate) qty: i128,
    pub(crate) fee: i128,
    pub(crate) realized: i128,
}

impl Sums {
    fn and(self, trade: &Trade) -> Self {
        Self { fills: self.fills + 1, qty: self.qty + trade.qty, fee: self.fee + trade.fee, realized: self.realized + trade.realized }
    }
}

/// The exchange's own list of our executions on a symbol, followed to its end.
pub(crate) struct Ours {
    pub(crate) symbol: &'static str,
    executions: Executions,
    /// Sums after each execution; the first are those before any.
    running: Vec<Sums>,
    /// Those that were not yet compared with what is stored, by trade id.
    pub(crate) fresh: BTreeMap<u64, Trade>,
}

impl Ours {
    pub(crate) fn of(symbol: &'static str) -> Self {
        Self { symbol, executions: Executions::of(symbol), running: vec![Sums::default()], fresh: BTreeMap::new() }
    }

    /// Takes what has come since the last time.
    pub(crate) fn follow(&mut self, exchange: SocketAddr) -> Result<()> {
        let Self { executions, running, fresh, .. } = self;
        executions.each(exchange, |row| {
            let qty = units(row, "qty")?;
            let sells = row.get("side").and_then(Value::as_str) == Some("SELL");
            let trade = Trade { qty: if sells { -qty } else { qty }, fee: units(row, "commission")?, realized: units(row, "realizedPnl")? };
            let last = running.last().copied().unwrap_or_default();
            running.push(last.and(&trade));
            fresh.insert(row.get("id").and_then(Value::as_u64).context("an execution has an id")?, trade);
            Ok(())
        })
    }

    /// Executions so far.
    pub(crate) fn fills(&self) -> u64 {
        self.running.last().map_or(0, |sums| sums.fills)
    }

    /// Sums after so many executions, and after each that followed.
    pub(crate) fn since(&self, fills: u64) -> &[Sums] {
        usize::try_from(fills).ok().and_then(|fills| self.running.get(fills..)).unwrap_or_default()
    }
}

/// What was true at the exchange while the bot was asked about a symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth<'a> {
    /// Sums from the earliest that the bot may still show on, one execution after the other.
    pub(crate) sums: &'a [Sums],
    /// The position as it was asked for, and the sums that were true meanwhile.
    pub(crate) position: i128,
    pub(crate) meanwhile: &'a [Sums],
    /// Orders of all symbols that the bot must know, and those that it may take for live.
    pub(crate) throughout: &'a Open,
    pub(crate) ever: &'a Open,
}

/// Orders that are open at the exchange: client ids by symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Open(pub(crate) BTreeSet<(String, String)>);

impl Open {
    pub(crate) fn ask(exchange: SocketAddr) -> Result<Self> {
        let rows = signed(exchange, "/fapi/v1/openOrders", "")?;
        let rows = rows.as_array().context("open orders are a list")?;
        let rows = rows.iter().map(|row| Ok((text(row, "symbol")?.to_owned(), text(row, "clientOrderId")?.to_owned())));
        Ok(Self(rows.collect::<Result<_>>()?))
    }

    /// Slots with more than one live order, and orders that are nobody's.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut slots = BTreeMap::new();
        for (symbol, text) in &self.0 {
            match ids::parse(text) {
                None => wrong.push(format!("order {text} on {symbol} is nobody's")),
                Some(id) => slots.entry((symbol, id.strategy, id.index)).or_insert_with(Vec::new).push((text, id)),
            }
        }
        for ((symbol, strategy, index), orders) in slots {
            if orders.len() > 1 {
                let orders: Vec<String> = orders.iter().map(|(text, id)| format!("{text} {id:?}")).collect();
                wrong.push(format!("{} live orders on {symbol}, strategy {strategy}, slot {index}: {}", orders.len(), orders.join(", ")));
            }
        }
        wrong
    }
}

/// The net position of a symbol at the exchange.
pub(crate) fn position(exchange: SocketAddr, symbol: &str) -> Result<i128> {
    let rows = signed(exchange, "/fapi/v2/positionRisk", &format!("symbol={symbol}"))?;
    units(rows.get(0).context("the symbol has a position")?, "positionAmt")
}

/// What the bot says of a symbol.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) holding: i128,
    pub(crate) sums: Sums,
    /// Its orders and their states.
    pub(crate) orders: BTreeMap<String, String>,
    pub(crate) phase: String,
    pub(crate) closed: Option<String>,
    pub(crate) placed: u64,
}

impl Word {
    pub(crate) fn ask(bot: SocketAddr, symbol: &str) -> Result<Self> {
        Self::read(&bot_json(bot, &format!("/api/symbols/{symbol}"))?)
    }

    fn read(told: &Value) -> Result<Self> {
        let holding = units(told, "holding")?;
        let pnl = told.get("pnl").context("a symbol has profit")?;
        let count = |key: &str| told.get(key).and_then(Value::as_u64).with_context(|| format!("a symbol has {key}"));
        let sums = Sums { fills: count("fills")?, qty: holding, fee: units(pnl, "fees")?, realized: units(pnl, "realized")? };
        let orders = told.get("orders").and_then(Value::as_array).context("a symbol has orders")?;
        let orders = orders.iter().map(|order| Ok((text(order, "id")?.to_owned(), text(order, "state")?.to_owned())));
        Ok(Self {
            holding,
            sums,
            orders: orders.collect::<Result<_>>()?,
            phase: text(told, "phase")?.to_owned(),
            closed: told.get("closed").and_then(Value::as_str).map(str::to_owned),
            placed: count("orders_placed")?,
        })
    }

    /// Whether it says that it knows what is true at the exchange.
    pub(crate) fn is_in_step(&self) -> bool {
        !matches!(self.closed.as_deref(), Some("not_in_step" | "stale_market"))
    }

    pub(crate) fn trades(&self) -> bool {
        self.phase == "trading"
    }

    /// Where it differs from the exchange.
    pub(crate) fn differences(&self, symbol: &str, truth: &Truth<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        match truth.sums.iter().find(|sums| sums.fills == self.sums.fills) {
            Some(sums) => {
                let mut say = |what: &str, ours: i128, theirs: i128| {
                    if ours != theirs {
                        wrong.push(format!("{symbol}: {what} {} at the bot, {} at the exchange", decimal(ours), decimal(theirs)));
                    }
                };
                say("sum of all executions", self.holding, sums.qty);
                say("fees", self.sums.fee, sums.fee);
                say("realised profit", self.sums.realized, sums.realized);
            }
            None => {
                let count = |sums: Option<&Sums>| sums.map_or(0, |sums| sums.fills);
                let (least, most) = (count(truth.sums.first()), count(truth.sums.last()));
                wrong.push(format!("{symbol}: {} executions at the bot, {least} to {most} at the exchange", self.sums.fills));
            }
        }
        if truth.meanwhile.iter().all(|sums| sums.qty != truth.position) {
            let (ours, theirs) = (decimal(self.holding), decimal(truth.position));
            wrong.push(format!("{symbol}: position {ours} at the bot, {theirs} at the exchange, whose executions do not make it"));
        }
        let of_symbol =
            |open: &Open| -> BTreeSet<String> { open.0.iter().filter(|(of, _)| of == symbol).map(|(_, id)| id.clone()).collect() };
        for orphan in of_symbol(truth.throughout).iter().filter(|id| !self.orders.contains_key(*id)) {
            wrong.push(format!("{symbol}: order {orphan} is open at the exchange and unknown to the bot: {:?}", ids::parse(orphan)));
        }
        let ever = of_symbol(truth.ever);
        for (id, _) in self.orders.iter().filter(|(id, state)| *state == "live" && !ever.contains(*id)) {
            wrong.push(format!("{symbol}: order {id} is live to the bot and not open at the exchange: {:?}", ids::parse(id)));
        }
        wrong
    }
}

/// Executions that the bot has stored, newest first, down to and without `until`; a trade id that is there twice is an error.
pub(crate) fn stored(bot: SocketAddr, symbol: &str, until: u64) -> Result<BTreeMap<u64, Trade>> {
    let mut found = BTreeMap::new();
    let mut before = String::new();
    loop {
        let page = bot_json(bot, &format!("/api/symbols/{symbol}/fills?limit={PAGE}{before}"))?;
        for row in page.get("items").and_then(Value::as_array).context("fills are a list")? {
            let id: u64 = text(row, "trade_id")?.parse().context("a trade id is a number")?;
            if id <= until {
                return Ok(found);
            }
            let qty = units(row, "qty")?;
            let fee = units(row.get("fee").context("an execution has a fee")?, "amount")?;
            let qty = if text(row, "side")? == "sell" { -qty } else { qty };
            let trade = Trade { qty, fee, realized: units(row, "realized")? };
            ensure!(found.insert(id, trade).is_none(), "{symbol}: execution {id} is stored twice");
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(found),
        }
    }
}

fn text<'a>(row: &'a Value, key: &str) -> Result<&'a str> {
    row.get(key).and_then(Value::as_str).with_context(|| format!("a row has no text {key}"))
}

fn units(row: &Value, key: &str) -> Result<i128> {
    let found = text(row, key)?;
    parse_units(found).with_context(|| format!("{key} {found} is no decimal number"))
}

/// Decimal text as units of 1e-8.
fn parse_units(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || part.len() > 8 || ![whole, part].iter().all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let units: i128 = format!("{whole}{part:0<8}").parse().ok()?;
    Some(if negative { -units } else { units })
}

fn decimal(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:08}", units.abs() / 100_000_000, units.abs() % 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, units) in [("0", 0), ("1.5", 150_000_000), ("-0.00000001", -1), ("12.34567890", 1_234_567_890), ("-3", -300_000_000)] {
            assert_eq!(parse_units(text), Some(units), "{text}");
        }
        for text in ["", "-", ".5", "1.123456789", "1e5", "x", "+1", "--1"] {
            assert_eq!(parse_units(text), None, "{text}");
        }
        assert_eq!((decimal(-1), decimal(150_000_000)), ("-0.00000001".to_owned(), "1.50000000".to_owned()));
    }

    fn word(orders: Value) -> Word {
        let told = json!({"holding": "0.010", "fills": 3, "pnl": {"fees": "0.5", "realized": "-1"}, "orders": orders,
            "phase": "trading", "closed": null, "orders_placed": 9});
        Word::read(&told).unwrap()
    }

    fn open(ids: &[&str]) -> Open {
        Open(ids.iter().map(|id| ("BTCUSDT".to_owned(), (*id).to_owned())).collect())
    }

    const EQUAL: Sums = Sums { fills: 3, qty: 1_000_000, fee: 50_000_000, realized: -100_000_000 };

    /// What the bot of [`word`] with a live order `a` is told to have wrong.
    fn found(sums: &[Sums], position: i128, throughout: &[&str], ever: &[&str]) -> String {
        let (throughout, ever) = (open(throughout), open(ever));
        let truth = Truth { sums, position, meanwhile: sums, throughout: &throughout, ever: &ever };
        word(json!([{"id": "a", "state": "live"}, {"id": "b", "state": "sent"}, {"id": "c", "state": "canceling"}]))
            .differences("BTCUSDT", &truth)
            .join("; ")
    }

    #[test]
    fn equal_books_have_no_differences_whatever_is_on_its_way() {
        let word = word(json!([]));
        assert!(word.is_in_step() && word.trades());
        assert_eq!(found(&[EQUAL], 1_000_000, &["a"], &["a"]), "");
        assert_eq!(found(&[EQUAL], 1_000_000, &["a", "b", "c"], &["a", "b", "c", "d"]), "");
    }

    #[test]
    fn books_that_move_are_equal_at_the_instant_that_the_bot_shows() {
        let (before, after) = (Sums { fills: 2, qty: 500_000, ..EQUAL }, Sums { fills: 4, qty: 0, ..EQUAL });
        for position in [500_000, 1_000_000, 0] {
            assert_eq!(found(&[before, EQUAL, after], position, &[], &["a"]), "");
        }
        // As many, and not the same.
        assert!(found(&[before, Sums { qty: 2_000_000, ..EQUAL }, after], 0, &[], &["a"]).contains("sum of all executions"));
        // So old that it must have heard more, and more than there is.
        assert!(found(&[after], 0, &[], &["a"]).contains("3 executions at the bot, 4 to 4 at the exchange"));
        assert!(found(&[before], 500_000, &[], &["a"]).contains("3 executions at the bot, 2 to 2 at the exchange"));
    }

    #[test]
    fn each_difference_is_named() {
        assert!(
            found(&[Sums { fills: 4, ..EQUAL }], 1_000_000, &["a"], &["a"]).contains("3 executions at the bot, 4 to 4 at the exchange")
        );
        assert!(found(&[Sums { fee: 0, ..EQUAL }], 1_000_000, &["a"], &["a"]).contains("fees 0.50000000 at the bot"));
        assert!(found(&[Sums { realized: 0, ..EQUAL }], 1_000_000, &["a"], &["a"]).contains("realised"));
        assert!(found(&[EQUAL], 7, &["a"], &["a"]).contains("position 0.01000000 at the bot, 0.00000007 at the exchange"));
        assert!(found(&[EQUAL], 1_000_000, &["a", "d"], &["a", "d"]).contains("unknown to the bot"));
        assert!(found(&[EQUAL], 1_000_000, &[], &[]).contains("not open at the exchange"));
    }

    #[test]
    fn two_live_orders_of_a_slot_and_strangers_are_found() {
        // Ids of strategy 0, slot 0: one buy and one sell, and another slot's.
        let id = |bits: u128| {
            let mut rest = (1_u128 << 124) | bits;
            let mut digits = Vec::new();
            for _ in 0..22 {
                digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize]);
                rest /= 62;
            }
            digits.reverse();
            String::from_utf8(digits).unwrap()
        };
        let (buy, sell, other) = (id(1), id(1 << 37 | 2), id(1 << 38 | 3));
        assert_eq!(open(&[&buy, &other]).wrong(), Vec::<String>::new());
        let wrong = open(&[&buy, &sell, &other]).wrong();
        assert!(wrong.len() == 1 && wrong[0].starts_with("2 live orders on BTCUSDT, strategy 0, slot 0"), "{wrong:?}");
        assert!(open(&["by-hand"]).wrong()[0].contains("nobody's"));
    }
}
