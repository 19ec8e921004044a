//! What the exchange says, what the bot says, and where they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::ids;
use crate::http::get_json;
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
    fn add(&mut self, trade: &Trade) {
        self.fills += 1;
        self.qty += trade.qty;
        self.fee += trade.fee;
        self.realized += trade.realized;
    }
}

/// The exchange's own list of our executions on a symbol, followed to its end.
pub(crate) struct Ours {
    pub(crate) symbol: &'static str,
    executions: Executions,
    pub(crate) sums: Sums,
    /// Those that were not yet compared with what is stored, by trade id.
    pub(crate) fresh: BTreeMap<u64, Trade>,
}

impl Ours {
    pub(crate) fn of(symbol: &'static str) -> Self {
        Self { symbol, executions: Executions::of(symbol), sums: Sums::default(), fresh: BTreeMap::new() }
    }

    /// Takes what has come since the last time.
    pub(crate) fn follow(&mut self, exchange: SocketAddr) -> Result<()> {
        let Self { executions, sums, fresh, .. } = self;
        executions.each(exchange, |row| {
            let qty = units(row, "qty")?;
            let sells = row.get("side").and_then(Value::as_str) == Some("SELL");
            let trade = Trade { qty: if sells { -qty } else { qty }, fee: units(row, "commission")?, realized: units(row, "realizedPnl")? };
            sums.add(&trade);
            fresh.insert(row.get("id").and_then(Value::as_u64).context("an execution has an id")?, trade);
            Ok(())
        })
    }
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
        Self::read(&get_json(bot, &format!("/api/symbols/{symbol}"), &[])?)
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

    /// Where it differs from the exchange, whose books did not change while both were asked.
    pub(crate) fn differences(&self, symbol: &str, sums: &Sums, position: i128, open: &Open) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut say = |what: &str, ours: i128, theirs: i128| {
            if ours != theirs {
                wrong.push(format!("{symbol}: {what} {} at the bot, {} at the exchange", decimal(ours), decimal(theirs)));
            }
        };
        say("position", self.holding, position);
        say("sum of all executions", self.holding, sums.qty);
        say("fees", self.sums.fee, sums.fee);
        say("realised profit", self.sums.realized, sums.realized);
        if self.sums.fills != sums.fills {
            wrong.push(format!("{symbol}: {} executions at the bot, {} at the exchange", self.sums.fills, sums.fills));
        }
        let open: BTreeSet<&str> = open.0.iter().filter(|(of, _)| of == symbol).map(|(_, id)| id.as_str()).collect();
        for orphan in open.iter().filter(|id| !self.orders.contains_key(**id)) {
            wrong.push(format!("{symbol}: order {orphan} is open at the exchange and unknown to the bot: {:?}", ids::parse(orphan)));
        }
        for (id, _) in self.orders.iter().filter(|(id, state)| *state == "live" && !open.contains(id.as_str())) {
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
        let page = get_json(bot, &format!("/api/symbols/{symbol}/fills?limit={PAGE}{before}"), &[])?;
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

    #[test]
    fn equal_books_have_no_differences_whatever_is_on_its_way() {
        let word = word(json!([{"id": "a", "state": "live"}, {"id": "b", "state": "sent"}, {"id": "c", "state": "canceling"}]));
        assert!(word.is_in_step() && word.trades());
        assert_eq!(word.differences("BTCUSDT", &EQUAL, 1_000_000, &open(&["a"])), Vec::<String>::new());
        assert_eq!(word.differences("BTCUSDT", &EQUAL, 1_000_000, &open(&["a", "b", "c"])), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named() {
        let word = word(json!([{"id": "a", "state": "live"}]));
        let found = |sums: Sums, position, ids: &[&str]| word.differences("BTCUSDT", &sums, position, &open(ids)).join("; ");
        assert!(found(Sums { fills: 4, ..EQUAL }, 1_000_000, &["a"]).contains("3 executions at the bot, 4 at the exchange"));
        assert!(found(Sums { fee: 0, ..EQUAL }, 1_000_000, &["a"]).contains("fees 0.50000000 at the bot"));
        assert!(found(Sums { realized: 0, ..EQUAL }, 1_000_000, &["a"]).contains("realised"));
        assert!(found(EQUAL, 0, &["a"]).contains("position"));
        assert!(found(EQUAL, 1_000_000, &["a", "b"]).contains("unknown to the bot"));
        assert!(found(EQUAL, 1_000_000, &[]).contains("not open at the exchange"));
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
