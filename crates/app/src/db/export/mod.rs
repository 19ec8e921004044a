//! `plimsoll export`: fills, orders, round trips, equity and funding in files for tax and analysis.

mod columns;
mod csv;
mod parquet;
mod trips;

use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::run::{PART_TIMEOUT, store_config};
use crate::screen::say;
use crate::threads::edge;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use columns::MONEY_DIGITS;

use plimsoll_market::{Asset, Symbol, Time};
use plimsoll_storage::tool::{EquitySample, Export, FillLine, FundingLine, OrderLine};
use plimsoll_storage::{Key, StoredScales};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use trips::{Other, Trip, Trips};

pub use columns::{Cell, Column, Kind, column, help as columns_help};

/// What is exported, and where to.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// What to export; --help tells what the columns mean.
    what: What,
    /// The file's format.
    #[arg(long, default_value = "csv")]
    format: Format,
    /// The first moment, UTC: `2026-01-01` or `2026-01-01T12:00:00`; without it from the beginning.
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// The moment before which it ends, UTC; without it everything.
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
    /// The file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Digits after the point of a symbol's prices and quantities, and its quote asset: `BTCUSDT=2,3,USDT`. Only for symbols that no
    /// bot of this version has traded: otherwise it is stored.
    #[arg(long, value_name = "SYMBOL=PRICE,QTY,QUOTE")]
    digits: Vec<Digits>, // tidy: bounded by the command line
    #[command(flatten)]
    file: ConfigArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Every execution.
    Fills,
    /// Every order in its last state.
    Orders,
    /// Round trips: what a slot bought and sold again.
    Trades,
    /// What accounts were worth.
    Equity,
    /// Every funding payment.
    Funding,
}

/// A form of files.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// Text for spreadsheets.
    Csv,
    /// Typed columns for analysis.
    Parquet,
}

/// A moment of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment(Time);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write a moment as 2026-01-01 or 2026-01-01T12:00:00, in UTC";
        let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
        let numbers = |text: &str, by: char| -> Option<[u16; 3]> {
            let parts: Vec<u16> = text.split(by).map(|part| part.parse().ok()).collect::<Option<_>>()?;
            parts.try_into().ok()
        };
        let part = |number: u16| u8::try_from(number).map_err(|_| WRONG);
        let [year, month, day] = numbers(date, '-').ok_or(WRONG)?;
        let [hour, minute, second] = numbers(clock.trim_end_matches('Z'), ':').ok_or(WRONG)?;
        let month = time::Month::try_from(part(month)?).map_err(|_| WRONG)?;
        let date = time::Date::from_calendar_date(i32::from(year), month, part(day)?).map_err(|_| WRONG)?;
        let at = date.with_hms(part(hour)?, part(minute)?, part(second)?).map_err(|_| WRONG)?.assume_utc();
        u64::try_from(at.unix_timestamp_nanos()).map(|nanos| Self(Time::from_nanos(nanos))).map_err(|_| WRONG)
    }
}

/// What a symbol's numbers mean, by the command line.
#[derive(Clone, Copy, Debug)]
struct Digits {
    symbol: Symbol,
    scales: StoredScales,
}

impl FromStr for Digits {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write it as BTCUSDT=2,3,USDT: digits of prices and of quantities, 0 to 12, and the quote asset";
        let (symbol, rest) = text.split_once('=').ok_or(WRONG)?;
        let [price, qty, quote] = rest.split(',').collect::<Vec<_>>().try_into().map_err(|_| WRONG)?;
        let scale = |text: &str| text.parse::<u8>().ok().filter(|scale| *scale <= 12).ok_or(WRONG);
        let quote = Asset::new(quote).map_err(|_| WRONG)?;
        let scales = StoredScales { base: quote, quote, price_scale: scale(price)?, qty_scale: scale(qty)? };
        Ok(Self { symbol: Symbol::new(symbol).map_err(|_| WRONG)?, scales })
    }
}

/// Who writes rows to a file.
pub trait Lines {
    fn row(&mut self, cells: &[Cell]) -> anyhow::Result<()>;

    /// Writes what is left, and returns the file.
    fn finish(self: Box<Self>) -> anyhow::Result<File>;
}

/// Exports.
///
/// # Errors
/// Whatever stands against it; no file is left then.
pub fn main(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let config = store_config(&Config::load(&args.file.config)?)?;
    crate::log::begin("warn");
    let (from, to) = (args.from.map_or(Time::ZERO, |m| m.0), args.to.map_or(Time::from_nanos(u64::MAX), |m| m.0));
    if from >= to {
        bail!("--from must be before --to");
    }
    if args.out.exists() {
        bail!("{} is there already: give another name, or move it away", args.out.display());
    }
    let runtime = edge().context("cannot start threads")?;
    let mut part = args.out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let done = runtime.block_on(async {
        let source = Export::open(&config).await?;
        let done = write(args, &source, &part, from, to).await;
        source.close().await;
        done
    });
    runtime.shutdown_timeout(PART_TIMEOUT);
    let done = done.and_then(|done| {
        std::fs::rename(&part, &args.out).with_context(|| format!("cannot rename {}", part.display()))?;
        Ok(done)
    });
    let (rows, unmatched) = match done {
        Ok(done) => done,
        Err(error) => {
            if let Err(error) = std::fs::remove_file(&part) {
                tracing::debug!(%error, "nothing was left to remove");
            }
            return Err(if is_full(&error) {
                error.context(format!(
                    "there is no room for {}: free some space on its disk, or give a place on another one; nothing is left of it",
                    args.out.display()
                ))
            } else {
                error
            });
        }
    };
    say(&format!("{} has {rows} rows", args.out.display()));
    if unmatched > 0 {
        say(&format!("{unmatched} sells are left out, whole or in part: what they sold was bought by no stored execution of their slot"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the disk that is written to is full. What is read is read only.
fn is_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull))
}

async fn write(args: &ExportArgs, source: &Export, part: &Path, from: Time, to: Time) -> anyhow::Result<(u64, u64)> {
    let file = File::create(part).with_context(|| format!("cannot write {}", part.display()))?;
    let columns = match args.what {
        What::Fills => columns::FILLS,
        What::Orders => columns::ORDERS,
        What::Trades => columns::TRADES,
        What::Equity => columns::EQUITY,
        What::Funding => columns::FUNDING,
    };
    let mut out = Out { lines: lines(args.format, file, columns)?, source, digits: &args.digits, rows: 0 };
    let mut unmatched = 0;
    match args.what {
        What::Fills => out.fills(from, to).await?,
        What::Orders => out.orders(from, to).await?,
        What::Trades => unmatched = out.trades(from, to).await?,
        What::Equity => out.equity(from, to).await?,
        What::Funding => out.funding(from, to).await?,
    }
    let rows = out.rows;
    let file = out.lines.finish()?;
    file.sync_all().with_context(|| format!("cannot write {}", part.display()))?;
    Ok((rows, unmatched))
}

/// Begins a file of rows.
///
/// # Errors
/// It cannot be written.
pub fn lines(format: Format, file: File, columns: &'static [Column]) -> anyhow::Result<Box<dyn Lines>> {
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::new(file, columns)?),
        Format::Parquet => Box::new(parquet::Parquet::new(file, columns)?),
    })
}

struct Out<'a> {
    lines: Box<dyn Lines>,
    source: &'a Export,
    digits: &'a [Digits],
    rows: u64,
}

impl Out<'_> {
    fn row(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        self.rows += 1;
        self.lines.row(cells)
    }

    fn scales(&self, key: &Key) -> anyhow::Result<StoredScales> {
        let told = self.digits.iter().find(|digits| digits.symbol == key.symbol).map(|digits| digits.scales);
        self.source.scales(key).or(told).with_context(|| {
            format!(
                "it is not stored how many digits the prices of {} have: start the bot once with this version, or say --digits {}=PRICE,QTY,QUOTE",
                key.symbol, key.symbol
            )
        })
    }

    async fn fills(&mut self, from: Time, to: Time) -> anyhow::Result<()> {
        let mut last: Option<FillLine> = None;
        loop {
            let batch = self.source.fills(from, to, last.as_ref()).await?;
            let Some(end) = batch.last() else { return Ok(()) };
            last = Some(*end);
            for line in &batch {
                let scales = self.scales(&line.key)?;
                self.row(&fill(line, &scales))?;
            }
        }
    }

    async fn orders(&mut self, from: Time, to: Time) -> anyhow::Result<()> {
        let mut last: Option<OrderLine> = None;
        loop {
            let batch = self.source.orders(from, to, last.as_ref()).await?;
            let Some(end) = batch.last() else { return Ok(()) };
            last = Some(*end);
            for line in &batch {
                let scales = self.scales(&line.key)?;
                self.row(&order(line, &scales))?;
            }
        }
    }

    async fn equity(&mut self, from: Time, to: Time) -> anyhow::Result<()> {
        let mut last: Option<EquitySample> = None;
        loop {
            let batch = self.source.equity(from, to, last.as_ref()).await?;
            let Some(end) = batch.last() else { return Ok(()) };
            last = Some(*end);
            for EquitySample { point, .. } in &batch {
                let money = |units| Cell::Decimal(units, MONEY_DIGITS);
                let (wallet, unrealized, equity) = (money(point.wallet), money(point.unrealized), money(point.equity()));
                self.row(&[Cell::Time(point.time), Cell::Text(point.account.to_string()), wallet, unrealized, equity])?;
            }
        }
    }

    async fn funding(&mut self, from: Time, to: Time) -> anyhow::Result<()> {
        let mut last: Option<FundingLine> = None;
        loop {
            let batch = self.source.funding(from, to, last.as_ref()).await?;
            let Some(end) = batch.last() else { return Ok(()) };
            last = Some(*end);
            for FundingLine { key, payment } in &batch {
                let (amount, asset) = (Cell::Decimal(payment.amount.units, MONEY_DIGITS), Cell::Text(payment.amount.asset.to_string()));
                self.row(&[
                    Cell::Time(payment.time),
                    Cell::Text(key.account.to_string()),
                    Cell::Text(key.symbol.to_string()),
                    amount,
                    asset,
                ])?;
            }
        }
    }

    /// Returns how many sells had nothing to sell.
    async fn trades(&mut self, from: Time, to: Time) -> anyhow::Result<u64> {
        let mut trips = Trips::default();
        let mut last: Option<FillLine> = None;
        loop {
            let batch = self.source.fills_by_symbol(to, last.as_ref()).await?;
            let Some(end) = batch.last() else { return Ok(trips.unmatched) };
            last = Some(*end);
            for line in &batch {
                let scales = self.scales(&line.key)?;
                trips.take(line, scales.quote, |trip| {
                    if trip.closed < from {
                        return Ok(());
                    }
                    self.row(&trade(&trip, &scales))
                })?;
            }
        }
    }
}

fn fill(line: &FillLine, scales: &StoredScales) -> [Cell; columns::FILLS.len()] {
    let (fill, booked) = (&line.booked.fill, &line.booked);
    [
        Cell::Time(fill.time),
        Cell::Text(line.key.account.to_string()),
        Cell::Text(line.key.symbol.to_string()),
        Cell::Number(fill.trade_id.0),
        Cell::Text(fill.order_id.to_string()),
        fill.id.map(|id| id.text().to_string()).into(),
        Cell::Text(fill.side.as_str().to_owned()),
        Cell::Decimal(fill.price.units().into(), scales.price_scale),
        Cell::Decimal(fill.qty.units().into(), scales.qty_scale),
        Cell::Decimal((fill.price * fill.qty).units(), scales.price_scale + scales.qty_scale),
        Cell::Text(scales.quote.to_string()),
        Cell::Decimal(fill.fee.units, MONEY_DIGITS),
        Cell::Text(fill.fee.asset.to_string()),
        Cell::Flag(fill.maker),
        Cell::Decimal(booked.realized, MONEY_DIGITS),
        Cell::Decimal(booked.slot_realized, MONEY_DIGITS),
        booked.leg.map_or(Cell::Nothing, |leg| Cell::Number(leg.strategy().into())),
        booked.leg.map_or(Cell::Nothing, |leg| Cell::Signed(leg.index().into())),
    ]
}

fn order(line: &OrderLine, scales: &StoredScales) -> [Cell; columns::ORDERS.len()] {
    let order = &line.order;
    [
        Cell::Time(order.time),
        Cell::Text(line.key.account.to_string()),
        Cell::Text(line.key.symbol.to_string()),
        Cell::Text(order.id.text().to_string()),
        order.order_id.map(|id| id.to_string()).into(),
        Cell::Text(order.id.side().as_str().to_owned()),
        Cell::Decimal(order.price.units().into(), scales.price_scale),
        Cell::Decimal(order.qty.units().into(), scales.qty_scale),
        Cell::Decimal(order.filled.units().into(), scales.qty_scale),
        Cell::Text(order.status.as_str().to_owned()),
        Cell::Flag(order.reduce_only),
    ]
}

fn trade(trip: &Trip, scales: &StoredScales) -> [Cell; columns::TRADES.len()] {
    let value = |units| Cell::Decimal(units, scales.price_scale + scales.qty_scale);
    let money = |units| Cell::Decimal(units, MONEY_DIGITS);
    let profit = trip.profit(scales);
    let net = profit.filter(|_| trip.other == Other::None).map(|profit| profit - trip.fees);
    let (other, asset) = match trip.other {
        Other::None => (Cell::Nothing, Cell::Nothing),
        Other::In(asset, units) => (money(units), Cell::Text(asset.to_string())),
        Other::Mixed => (Cell::Nothing, Cell::Text("MIXED".to_owned())),
    };
    [
        Cell::Time(trip.closed),
        Cell::Time(trip.opened),
        Cell::Text(trip.key.account.to_string()),
        Cell::Text(trip.key.symbol.to_string()),
        Cell::Number(trip.leg.strategy().into()),
        Cell::Signed(trip.leg.index().into()),
        Cell::Decimal(trip.qty.units().into(), scales.qty_scale),
        value(trip.buy_value),
        value(trip.sell_value),
        Cell::Text(scales.quote.to_string()),
        profit.map_or(Cell::Nothing, money),
        money(trip.fees),
        net.map_or(Cell::Nothing, money),
        other,
        asset,
        Cell::Number(trip.openings),
        Cell::Number(trip.close_trade_id),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_or_seconds() {
        let at = |text: &str| text.parse::<Moment>().map(|moment| csv::rfc3339(moment.0));
        assert_eq!(at("2026-01-31").as_deref(), Ok("2026-01-31T00:00:00.000000000Z"));
        assert_eq!(at("2024-02-29T23:59:59Z").as_deref(), Ok("2024-02-29T23:59:59.000000000Z"));
        for wrong in ["", "2026", "2026-02-30", "2026-01-01T24:00:00", "1969-12-31", "yesterday", "2026-01-01T1:2", "2026-01-01+01:00"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digits_are_those_of_an_instrument() {
        let good = "BTCUSDT=2,3,USDT".parse::<Digits>().unwrap();
        assert_eq!((good.scales.price_scale, good.scales.qty_scale, good.scales.quote.as_str()), (2, 3, "USDT"));
        for wrong in ["BTCUSDT", "BTCUSDT=2,3", "BTCUSDT=13,3,USDT", "BTCUSDT=2,-1,USDT", "=1,1,USDT"] {
            assert!(wrong.parse::<Digits>().is_err(), "{wrong}");
        }
    }
}
