//! What the fills and slots of each symbol add up to.

use std::collections::BTreeMap;

use crate::limits::BOOKS_MAX;
use plimsoll_market::Leg;

use super::{Cell, Row};

/// Starts are remembered for a year: of an older bot it cannot be told since when it trades.
pub(super) const RUNS_TELL_DAYS: i128 = 330;

/// Sums of every symbol, by account and symbol.
#[derive(Default)]
pub(super) struct Books {
    symbols: BTreeMap<(String, String), Sums>, // tidy: bounded by BOOKS_MAX, lives as long as the check
    began_ns: Option<i64>,
}

/// What is stored of a symbol, and what its fills and slots add up to.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) totals: Option<Stored>,
    quote: Option<String>,
    pub(super) fills: u64,
    /// Fills above the watermark.
    pub(super) above: u64,
    pub(super) bought: i128,
    pub(super) sold: i128,
    pub(super) realized: i128,
    /// Fees in the quote asset; while that is not known, of fills whose profit is reported in the asset of the fee.
    fees: i128,
    /// Whether the asset of each fee is known to be the quote asset, or not to be.
    fees_known: bool,
    pub(super) slots: u64,
    pub(super) held: i128,
}

/// Totals as they are stored.
pub(super) struct Stored {
    pub(super) watermark: Option<i64>,
    pub(super) holding: i64,
    pub(super) fills: u64,
    pub(super) bought: i64,
    pub(super) sold: i64,
    pub(super) realized: i128,
    pub(super) fees: i128,
}

impl Books {
    /// Adds a row of any table; false when it is of one symbol too many.
    pub(super) fn add(&mut self, row: &Row<'_>) -> bool {
        let table = row.table.name.as_str();
        if table == "runs" {
            let started = row.number("started_ns").unwrap_or(i64::MAX);
            self.began_ns = Some(self.began_ns.map_or(started, |began| began.min(started)));
            return true;
        }
        if !matches!(table, "fills" | "slots" | "totals" | "instruments") {
            return true;
        }
        let (Some(account), Some(symbol)) = (row.text("account"), row.text("symbol")) else { return true };
        let key = (account.to_owned(), symbol.to_owned());
        if !self.symbols.contains_key(&key) && self.symbols.len() == BOOKS_MAX {
            return false;
        }
        let sums = self.symbols.entry(key).or_insert_with(|| Sums { fees_known: true, ..Sums::default() });
        let money = |name: &str| row.text(name).and_then(|text| text.parse::<i128>().ok()).unwrap_or(0);
        let units = |name: &str| row.number(name).unwrap_or(0);
        match table {
            "fills" => {
                sums.fills += 1;
                let mark = sums.totals.as_ref().and_then(|totals| totals.watermark);
                // Ids beyond 63 bits are stored as negative ones.
                let id = units("trade_id").cast_unsigned();
                sums.above += u64::from(mark.is_some_and(|mark| id > mark.cast_unsigned()));
                let qty = i128::from(units("qty"));
                if row.text("side") == Some("buy") {
                    sums.bought += qty
                } else {
                    sums.sold += qty
                }
                sums.realized += money("realized");
                let (asset, reported) = (row.text("fee_asset"), row.text("reported_asset"));
                match sums.quote.as_deref() {
                    Some(quote) if asset == Some(quote) => sums.fees += money("fee"),
                    Some(_) => {}
                    None if asset == reported => sums.fees += money("fee"),
                    None => sums.fees_known = false,
                }
            }
            "slots" => {
                sums.slots += 1;
                let held = i128::from(units("held"));
                // What short strategies hold is held the other way.
                sums.held += if units("strategy") >= i64::from(Leg::SHORT) { -held } else { held };
            }
            "instruments" => sums.quote = row.text("quote").map(str::to_owned),
            _ => {
                sums.totals = Some(Stored {
                    watermark: match row.cell("watermark") {
                        Some(Cell::Number(mark)) => Some(*mark),
                        _ => None,
                    },
                    holding: units("holding"),
                    fills: units("fills").unsigned_abs(),
                    bought: units("bought"),
                    sold: units("sold"),
                    realized: money("realized"),
                    fees: money("fees"),
                });
            }
        }
        true
    }

    /// When the first start was that is remembered; now, if none is.
    pub(super) fn began_ns(&self) -> i64 {
        self.began_ns.unwrap_or(i64::MAX)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&(String, String), &Sums)> {
        self.symbols.iter()
    }
}

impl Sums {
    /// Fees in the quote asset, as far as that can be told.
    pub(super) fn fees_in_quote(&self) -> Option<i128> {
        self.fees_known.then_some(self.fees)
    }
}
