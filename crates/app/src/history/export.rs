//! `plimsoll data export`: what a tape holds, as rows that other programs read and `data import` takes back.

use super::{name_of, tapes};
use crate::db::rows::{Cell, Column, Format, Kind, column, lines};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use plimsoll_backtest::Timeline;
use plimsoll_backtest::tape::Tick;
use plimsoll_market::{Side, Time};
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to export.
#[derive(Debug, Args, Clone)]
pub struct TapeExportArgs {
    /// Tapes of one contract, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>, // tidy: bounded by the command line
    /// What of it.
    #[arg(long)]
    kind: Rows,
    /// The file; its name ends in .parquet or .csv.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rows {
    /// Candles.
    Klines,
    /// Trades.
    Trades,
    /// Changes of best bid and ask.
    BookTicker,
    /// Changes of the book's levels; a quantity of zero deletes one.
    Levels,
    /// Mark prices.
    Marks,
    /// Funding rates, when they fell due.
    Funding,
}

const KLINES: &[Column] = &[
    column("open_time", Kind::Time, "when it begins"),
    column("open", Kind::Price, "price of the first trade"),
    column("high", Kind::Price, "highest price"),
    column("low", Kind::Price, "lowest price"),
    column("close", Kind::Price, "price of the last trade"),
    column("volume", Kind::Price, "base quantity traded"),
];
const TRADES: &[Column] = &[
    column("time", Kind::Time, "when it was"),
    column("price", Kind::Price, "price"),
    column("quantity", Kind::Price, "base quantity"),
    column("is_buyer_maker", Kind::Flag, "whether the buyer rested"),
];
const TOPS: &[Column] = &[
    column("transaction_time", Kind::Time, "since when it is so"),
    column("best_bid_price", Kind::Price, "highest bid"),
    column("best_bid_qty", Kind::Price, "its quantity"),
    column("best_ask_price", Kind::Price, "lowest ask"),
    column("best_ask_qty", Kind::Price, "its quantity"),
];
const LEVELS: &[Column] = &[
    column("time", Kind::Time, "since when it is so"),
    column("side", Kind::Text, "bid or ask"),
    column("price", Kind::Price, "the level"),
    column("quantity", Kind::Price, "what it has now; zero deletes it"),
];
const MARKS: &[Column] = &[column("time", Kind::Time, "since when it is so"), column("mark_price", Kind::Money, "mark price")];
const FUNDING: &[Column] =
    &[column("funding_time", Kind::Time, "when it fell due"), column("funding_rate", Kind::Money, "the rate, as a share")];

impl Rows {
    const fn columns(self) -> &'static [Column] {
        match self {
            Self::Klines => KLINES,
            Self::Trades => TRADES,
            Self::BookTicker => TOPS,
            Self::Levels => LEVELS,
            Self::Marks => MARKS,
            Self::Funding => FUNDING,
        }
    }

    /// The row of an event, if it is of this kind.
    fn row(self, time: Time, tick: &Tick, price_scale: u8, qty_scale: u8) -> Option<Vec<Cell>> {
        let price = |price: plimsoll_market::Price| Cell::Decimal(i128::from(price.units()), price_scale);
        let qty = |qty: plimsoll_market::Qty| Cell::Decimal(i128::from(qty.units()), qty_scale);
        let at = Cell::Time(time);
        Some(match (self, tick) {
            (Self::Klines, Tick::Candle(bar)) => {
                vec![at, price(bar.open), price(bar.high), price(bar.low), price(bar.close), qty(bar.volume)]
            }
            // The buyer rested when the seller took.
            (Self::Trades, Tick::Trade { taker, price: of, qty: traded }) => {
                vec![at, price(*of), qty(*traded), Cell::Flag(*taker == Side::Sell)]
            }
            (Self::BookTicker, Tick::Top { bid, ask }) => vec![at, price(bid.0), qty(bid.1), price(ask.0), qty(ask.1)],
            (Self::Levels, Tick::Level { side, price: of, qty: shown }) => {
                let side = if *side == Side::Buy { "bid" } else { "ask" };
                vec![at, Cell::Text(side.to_owned()), price(*of), qty(*shown)]
            }
            (Self::Marks, Tick::Mark(mark)) => vec![at, Cell::Decimal(i128::from(mark.units()), 8)],
            (Self::Funding, Tick::Funding(rate)) => vec![at, Cell::Decimal(i128::from(rate.ppm()), 6)],
            _ => return None,
        })
    }
}

/// Does it.
///
/// # Errors
/// A sentence with the file.
pub fn main(args: &TapeExportArgs) -> anyhow::Result<ExitCode> {
    let format = match args.out.extension().and_then(|end| end.to_str()) {
        Some("parquet") => Format::Parquet,
        Some("csv") => Format::Csv,
        _ => bail!("--out {}: its name must end in .parquet or .csv", args.out.display()),
    };
    let paths = tapes(&args.paths)?;
    let mut timeline = Timeline::open(&paths)?;
    let head = timeline.head().context("no tape is given")?;
    // It has its name only when it is whole.
    let mut part = args.out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let mut out = lines(format, file, args.kind.columns())?;
    let total = timeline.infos().iter().map(|info| info.bytes).sum();
    let bar = super::bar(total, &name_of(&args.out))?;
    let (mut rows, mut events) = (0_u64, 0_u64);
    let all: u64 = timeline.infos().iter().map(|i| i.levels + i.trades + i.tops + i.marks + i.fundings + i.candles).sum();
    while let Some((time, tick)) = timeline.next()? {
        events += 1;
        if events.is_multiple_of(1 << 16) {
            bar.set_position(total * events / all.max(1));
        }
        if let Some(row) = args.kind.row(time, &tick, head.price_scale, head.qty_scale) {
            out.row(&row)?;
            rows += 1;
        }
    }
    out.finish()?.sync_all()?;
    bar.finish_and_clear();
    if rows == 0 {
        std::fs::remove_file(&part)?;
        bail!("there is nothing of this kind on {}; plimsoll data list tells what there is", name_of(paths.first().context("no tape")?));
    }
    std::fs::rename(&part, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    crate::screen::say(&format!("{}: {rows} rows", args.out.display()));
    Ok(ExitCode::SUCCESS)
}
