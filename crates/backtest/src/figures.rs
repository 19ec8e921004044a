//! What a backtest came to: sums that are kept while it runs, and the statistics made of them.

use crate::curve::{Curve, Mark, Marks};
use crate::import::show_time;
use crate::limits::{MONTHS_MAX, TRIPS_KEPT};
use crate::returns::Returns;
use crate::run::{Observer, Sample};
use core::time::Duration;
use plimsoll_market::{Action, Booked, Instrument, Leg, OrderType, Record, Time, Totals};
use plimsoll_position::limits::CLOSING_STRATEGY;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

/// A year, for everything that is annualised: 365 days, for markets that never close.
pub const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Profit of a leg since it last held nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    profit: i128,
    fees: i128,
    fills: u32,
}

/// A month's worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Month {
    year: i64,
    month: i64,
    begin: i128,
    end: i128,
}

/// Watches a backtest and sums up.
///
/// # Bounds
/// Fixed, whatever the length: curves and marks join what they hold, months end at [`MONTHS_MAX`].
pub struct Figures {
    instrument: Instrument,
    first: Option<Sample>,
    /// The first price that was known.
    price: i64,
    last: Option<Sample>,
    peak: i128,
    peak_at: Time,
    /// Deepest fall of all, in money with the peak it fell from.
    fall: (i128, i128),
    /// Deepest fall in parts of its peak.
    fall_share: f64,
    /// Longest time below a peak.
    under: Duration,
    trough: i128,
    minutes: Returns,
    hours: Returns,
    days: Returns,
    months: Vec<Month>, // tidy: bounded by MONTHS_MAX
    month_until: u64,
    held: Duration,
    exposure: f64,
    exposure_max: f64,
    inventory: u64,
    inventory_value: i128,
    distance: Option<f64>,
    legs: BTreeMap<u32, Open>, // tidy: bounded by the slots of the books: legs that hold or have an order
    closing: Open,
    trips: u64,
    won: u64,
    gains: i128,
    losses: i128,
    best: i128,
    worst: i128,
    traded: i128,
    placed: u64,
    placed_value: i128,
    cancels: u64,
    fills: u64,
    makers: u64,
    touched: u64,
    liquidations: u32,
    totals: Totals,
    curve: Curve,
    fill_marks: Marks,
    order_marks: Marks,
    csv: Option<Box<dyn Write + Send>>,
    csv_failed: Option<std::io::Error>,
    /// What each round trip came to, when that is asked for.
    results: Option<Vec<i128>>, // tidy: bounded by TRIPS_KEPT
}

impl Figures {
    /// Nothing has happened yet. Every execution is written to `csv` as a line, when there is one.
    pub fn new(instrument: Instrument, csv: Option<Box<dyn Write + Send>>) -> Self {
        let mut new = Self {
            instrument,
            first: None,
            price: 0,
            last: None,
            peak: 0,
            peak_at: Time::ZERO,
            fall: (0, 0),
            fall_share: 0.0,
            under: Duration::ZERO,
            trough: i128::MAX,
            minutes: Returns::new(Duration::from_secs(60)),
            hours: Returns::new(Duration::from_secs(3_600)),
            days: Returns::new(Duration::from_secs(86_400)),
            months: Vec::new(),
            month_until: 0,
            held: Duration::ZERO,
            exposure: 0.0,
            exposure_max: 0.0,
            inventory: 0,
            inventory_value: 0,
            distance: None,
            legs: BTreeMap::new(),
            closing: Open::default(),
            trips: 0,
            won: 0,
            gains: 0,
            losses: 0,
            best: 0,
            worst: 0,
            traded: 0,
            placed: 0,
            placed_value: 0,
            cancels: 0,
            fills: 0,
            makers: 0,
            touched: 0,
            liquidations: 0,
            totals: Totals::EMPTY,
            curve: Curve::new(),
            fill_marks: Marks::default(),
            order_marks: Marks::default(),
            csv,
            csv_failed: None,
            results: None,
        };
        new.line(format_args!("time,trade_id,side,price,quantity,maker,fee,realized,slot_realized,level\n"));
        new
    }

    /// Keeps what each round trip and each period came to, for [`Figures::trips`] and [`Figures::returns`].
    ///
    /// # Bounds
    /// The first [`TRIPS_KEPT`] of each.
    #[must_use]
    pub fn keeping_trips(mut self) -> Self {
        self.results = Some(Vec::new());
        (self.minutes.kept, self.hours.kept) = (Some(Vec::new()), Some(Vec::new()));
        self
    }

    /// What each round trip came to after fees, in their order, units of 1e-8 of the quote asset; empty when they are not kept.
    pub fn trips(&self) -> &[i128] {
        self.results.as_deref().unwrap_or_default()
    }

    /// The returns of the hours, of less than two days those of the minutes, and which of them; empty when they are not kept.
    pub fn returns(&self) -> (&'static str, &[f64]) {
        let span = self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last.time.since(first.time));
        let (name, returns) = if span < Duration::from_secs(2 * 86_400) { ("minutes", &self.minutes) } else { ("hours", &self.hours) };
        (name, returns.kept.as_deref().unwrap_or_default())
    }

    /// The curve of worth and price.
    pub const fn curve(&self) -> &Curve {
        &self.curve
    }

    /// Executions in the chart.
    pub const fn fill_marks(&self) -> &Marks {
        &self.fill_marks
    }

    /// Orders placed, in the chart.
    pub const fn order_marks(&self) -> &Marks {
        &self.order_marks
    }

    fn line(&mut self, text: core::fmt::Arguments<'_>) {
        let Some(csv) = &mut self.csv else { return };
        if let Err(error) = csv.write_fmt(text) {
            self.csv_failed.get_or_insert(error);
            self.csv = None;
        }
    }

    fn money(&self, notional: plimsoll_market::Notional) -> i128 {
        self.instrument.amount(notional, plimsoll_market::Round::Nearest).map_or(0, |a| a.units)
    }

    fn end_trip(&mut self, open: Open) {
        if open.fills == 0 {
            return;
        }
        let net = open.profit - open.fees;
        self.trips += 1;
        if let Some(results) = self.results.as_mut().filter(|results| results.len() < TRIPS_KEPT) {
            results.push(net);
        }
        self.won += u64::from(net > 0);
        if net > 0 {
            self.gains += net;
        } else {
            self.losses -= net;
        }
        (self.best, self.worst) = (self.best.max(net), self.worst.min(net));
    }

    fn fill(&mut self, now: Time, booked: &Booked, first_of_order: bool) {
        let fill = &booked.fill;
        let value = self.money(fill.price * fill.qty);
        self.fills += 1;
        self.makers += u64::from(fill.maker);
        self.touched += u64::from(first_of_order);
        self.traded += value;
        self.fill_marks.push(Mark { time: now, price: fill.price, qty: fill.qty, side: fill.side });
        let of_slot = booked.leg.filter(|leg| leg.strategy() != CLOSING_STRATEGY);
        match of_slot {
            Some(leg) => {
                let open = self.legs.entry(key(leg)).or_default();
                open.profit += booked.slot_realized;
                open.fees += fill.fee.units;
                open.fills += 1;
            }
            None => {
                self.closing.profit += if booked.slot_realized == 0 { booked.realized } else { booked.slot_realized };
                self.closing.fees += fill.fee.units;
                self.closing.fills += 1;
            }
        }
        let (price, qty) = (self.instrument.show_price(fill.price).to_string(), self.instrument.show_qty(fill.qty).to_string());
        let show = |units| plimsoll_market::format_units(units, 8).to_string();
        let level = of_slot.map(|leg| leg.index().to_string()).unwrap_or_default();
        let (id, side, maker) = (fill.trade_id.0, fill.side.as_str(), fill.maker);
        let (fee, realized, slot) = (show(fill.fee.units), show(booked.realized), show(booked.slot_realized));
        self.line(format_args!("{},{id},{side},{price},{qty},{maker},{fee},{realized},{slot},{level}\n", show_time(fill.time)));
    }

    fn end_closing(&mut self) {
        let open = core::mem::take(&mut self.closing);
        self.end_trip(open);
    }

    /// The month table: year, month, return of the month.
    fn month_table(&self) -> Vec<MonthRow> {
        let row = |m: &Month| MonthRow { year: m.year, month: m.month, percent: share(m.end - m.begin, m.begin).map(|s| s * 100.0) };
        self.months.iter().map(row).collect()
    }

    fn note_month(&mut self, sample: &Sample) {
        if sample.time.nanos() >= self.month_until {
            let (year, month, _) = crate::import::date(sample.time);
            let begin = self.months.last().map_or(sample.equity, |m| m.end);
            if self.months.len() < MONTHS_MAX {
                self.months.push(Month { year, month, begin, end: sample.equity });
            }
            // The next midnight: most days no month begins.
            self.month_until = (sample.time.nanos() / 86_400_000_000_000 + 1) * 86_400_000_000_000;
            let same = |m: &Month| (m.year, m.month) == (year, month);
            if let [.., before, last] = self.months.as_mut_slice()
                && same(before)
                && same(last)
            {
                self.months.pop();
            }
        }
        if let Some(month) = self.months.last_mut() {
            month.end = sample.equity;
        }
    }

    /// The statistics of what was seen.
    ///
    /// # Errors
    /// The executions could not be written.
    pub fn summary(mut self) -> std::io::Result<(Summary, Self)> {
        self.end_closing();
        if let Some(mut csv) = self.csv.take()
            && let Err(error) = csv.flush()
        {
            self.csv_failed.get_or_insert(error);
        }
        if let Some(error) = self.csv_failed.take() {
            return Err(error);
        }
        let (first, last) = match (self.first, self.last) {
            (Some(first), Some(last)) => (first, last),
            _ => return Ok((Summary::default(), self)),
        };
        let span = last.time.since(first.time);
        let years = span.as_secs_f64() / YEAR.as_secs_f64();
        let total = share(last.equity - first.equity, first.equity);
        let annual = total.filter(|_| span >= Duration::from_secs(86_400)).map(|total| (1.0 + total).max(0.0).powf(1.0 / years) - 1.0);
        let (returns, period) = match span.as_secs() / 86_400 {
            0..2 => (&self.minutes, "minute"),
            2..30 => (&self.hours, "hour"),
            _ => (&self.days, "day"),
        };
        let drawdown = self.fall_share;
        let quote = |units: i128| units as f64 / 1e8;
        let under = self.under.max(if last.equity < self.peak { last.time.since(self.peak_at) } else { Duration::ZERO });
        let percent = |share: f64| share * 100.0;
        let ratio = |a: u64, b: u64| (b > 0).then(|| percent(a as f64 / b as f64));
        let totals = &self.totals;
        let summary = Summary {
            symbol: self.instrument.symbol.to_string(),
            quote: self.instrument.quote.to_string(),
            begin: show_time(first.time),
            end: show_time(last.time),
            days: span.as_secs_f64() / 86_400.0,
            equity_begin: quote(first.equity),
            equity_end: quote(last.equity),
            wallet_end: quote(last.wallet),
            profit: quote(last.equity - first.equity),
            return_percent: total.map(percent),
            annual_percent: annual.map(percent),
            hold_percent: share(i128::from(last.price.units() - self.price), i128::from(self.price)).map(percent),
            realized: quote(totals.realized),
            unrealized: quote(last.equity - last.wallet),
            fees: quote(totals.fees + totals.other_fees),
            funding: quote(totals.funding),
            drawdown_percent: percent(drawdown),
            drawdown: quote(self.fall.0),
            drawdown_days: under.as_secs_f64() / 86_400.0,
            period: period.to_owned(),
            periods: returns.count,
            sharpe: returns.sharpe(),
            skewness: returns.skewness(),
            kurtosis: returns.kurtosis(),
            sortino: returns.sortino(),
            calmar: annual.filter(|_| drawdown > 0.0).map(|annual| annual / drawdown),
            round_trips: self.trips,
            win_rate_percent: ratio(self.won, self.trips),
            profit_factor: (self.losses > 0).then(|| self.gains as f64 / self.losses as f64),
            expectancy: (self.trips > 0).then(|| quote(self.gains - self.losses) / self.trips as f64),
            best_trip: quote(self.best),
            worst_trip: quote(self.worst),
            orders: self.placed,
            cancels: self.cancels,
            fills: self.fills,
            maker_percent: ratio(self.makers, self.fills),
            fill_ratio_percent: ratio(self.touched, self.placed),
            traded: quote(self.traded),
            turnover: share(self.traded, first.equity),
            time_in_market_percent: (!span.is_zero()).then(|| percent(self.held.as_secs_f64() / span.as_secs_f64())),
            exposure_percent: (!span.is_zero()).then(|| percent(self.exposure / span.as_secs_f64())),
            exposure_max_percent: percent(self.exposure_max),
            inventory_max: self.inventory as f64 / 10_f64.powi(i32::from(self.instrument.qty_scale)),
            inventory_max_value: quote(self.inventory_value),
            liquidation_distance_percent: self.distance.map(percent),
            liquidations: self.liquidations,
            months: self.month_table(),
        };
        Ok((summary, self))
    }
}

fn key(leg: Leg) -> u32 {
    u32::from(leg.strategy()) << 24 | (leg.index() as u32 & 0x00FF_FFFF)
}

/// A part of a whole; `None` of nothing.
fn share(part: i128, whole: i128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Observer for Figures {
    fn asked(&mut self, now: Time, action: &Action) {
        match action {
            Action::Place(place) => {
                self.placed += 1;
                if place.kind == OrderType::Limit {
                    self.placed_value += self.money(place.price * place.qty);
                    self.order_marks.push(Mark { time: now, price: place.price, qty: place.qty, side: place.id.side() });
                }
            }
            Action::Cancel(_) => self.cancels += 1,
            Action::Query { .. }
            | Action::Resync { .. }
            | Action::Commit(_)
            | Action::Record(_)
            | Action::Alert(_)
            | Action::Countdown { .. }
            | Action::History => {}
        }
    }

    fn booked(&mut self, now: Time, record: &Record) {
        self.totals = record.totals;
        if let Some(booked) = &record.fill {
            self.end_closing();
            let first = record.order.is_some_and(|order| order.filled == booked.fill.qty);
            self.fill(now, booked, first);
        }
        if let Some(slot) = record.slot.filter(|slot| slot.held.is_zero())
            && let Some(open) = self.legs.remove(&key(slot.leg))
        {
            // Slots that a closing empties are parts of it: one round trip ends.
            if record.fill.is_none() && self.closing.fills > 0 {
                self.closing.profit += open.profit;
                self.closing.fees += open.fees;
            } else {
                self.end_trip(open);
            }
        }
    }

    fn liquidated(&mut self, _: Time) {
        self.liquidations += 1;
    }

    fn sample(&mut self, sample: &Sample) {
        let equity = sample.equity;
        if self.price == 0 {
            self.price = sample.price.units();
        }
        let Some(last) = self.last else {
            (self.first, self.last) = (Some(*sample), Some(*sample));
            (self.peak, self.peak_at, self.trough) = (equity, sample.time, equity);
            for returns in [&mut self.minutes, &mut self.hours, &mut self.days] {
                returns.push(sample.time.nanos(), equity, equity);
            }
            self.note_month(sample);
            self.curve.push(sample, equity);
            return;
        };
        let since = sample.time.since(last.time);
        if last.holding != 0 {
            self.held += since;
            let exposure = if last.equity > 0 { last.notional.unsigned_abs() as f64 / last.equity as f64 } else { 0.0 };
            self.exposure += exposure * since.as_secs_f64();
        }
        if sample.holding != 0 {
            if sample.holding.unsigned_abs() > self.inventory {
                (self.inventory, self.inventory_value) = (sample.holding.unsigned_abs(), sample.notional.abs());
            }
            let exposure = if equity > 0 { sample.notional.unsigned_abs() as f64 / equity as f64 } else { 0.0 };
            self.exposure_max = self.exposure_max.max(exposure);
            let (price, ruin) = (sample.price.units(), sample.liquidation.units());
            if price > 0 && ruin > 0 {
                let distance = (price - ruin).unsigned_abs() as f64 / price as f64;
                self.distance = Some(self.distance.map_or(distance, |least| least.min(distance)));
            }
        }
        if equity > self.peak {
            self.under = self.under.max(if self.trough < self.peak { sample.time.since(self.peak_at) } else { Duration::ZERO });
            (self.peak, self.peak_at, self.trough) = (equity, sample.time, equity);
        } else if equity < self.trough {
            self.trough = equity;
            let fall = self.peak - equity;
            if fall > self.fall.0 {
                self.fall = (fall, self.peak);
            }
            self.fall_share = self.fall_share.max(share(fall, self.peak).unwrap_or(0.0));
        } else if equity == self.peak && self.trough == self.peak {
            self.peak_at = sample.time;
        }
        for returns in [&mut self.minutes, &mut self.hours, &mut self.days] {
            returns.push(sample.time.nanos(), equity, last.equity);
        }
        self.note_month(sample);
        self.curve.push(sample, self.peak);
        self.last = Some(*sample);
    }
}

/// What a month came to.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct MonthRow {
    /// The year.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: i64,
    /// Change of the worth in percent of its beginning.
    pub percent: Option<f64>,
}

/// The statistics of a backtest. Money is in the quote asset; `null` where a figure means nothing.
///
/// Worth is the wallet and the unrealised profit at the valuation together: net of fees and funding. It is looked at once a second
/// of the data, of candles at each of the four prices.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Summary {
    /// The contract.
    pub symbol: String,
    /// What money is counted in.
    pub quote: String,
    /// First look, UTC.
    pub begin: String,
    /// Last look, UTC.
    pub end: String,
    /// Days between them.
    pub days: f64,
    /// Worth at the first look.
    pub equity_begin: f64,
    /// Worth at the last look.
    pub equity_end: f64,
    /// Wallet at the last look.
    pub wallet_end: f64,
    /// Change of the worth.
    pub profit: f64,
    /// Change of the worth in percent of its beginning.
    pub return_percent: Option<f64>,
    /// That return compounded to 365 days; of less than a day it means nothing.
    pub annual_percent: Option<f64>,
    /// Change of the price in percent: what holding without leverage would have come to.
    pub hold_percent: Option<f64>,
    /// Profit realised against the average entry, before fees.
    pub realized: f64,
    /// Unrealised profit at the last look.
    pub unrealized: f64,
    /// Fees paid.
    pub fees: f64,
    /// Funding received; negative is paid.
    pub funding: f64,
    /// Largest fall of the worth in percent of the highest worth before it.
    pub drawdown_percent: f64,
    /// Largest fall of the worth in money.
    pub drawdown: f64,
    /// Longest time from a highest worth until a higher one, or the end, in days.
    pub drawdown_days: f64,
    /// Whose returns Sharpe and Sortino are made of: the days' of 30 days and more, the hours' of two days and more, else the
    /// minutes'. They begin at whole ones, UTC; the last one, which is not over, does not count.
    pub period: String,
    /// How many there were.
    pub periods: u64,
    /// Mean of the periods' returns by their standard deviation (of a sample: n − 1), times the root of the periods in 365 days;
    /// of fewer than twenty periods it means nothing.
    pub sharpe: Option<f64>,
    /// Skewness of the periods' returns; 0 of a normal distribution.
    pub skewness: Option<f64>,
    /// Kurtosis of the periods' returns; 3 of a normal distribution.
    pub kurtosis: Option<f64>,
    /// Mean of the periods' returns by the root of the mean square of the negative ones (of all n), times the same root.
    pub sortino: Option<f64>,
    /// Annual return by the largest fall in percent.
    pub calmar: Option<f64>,
    /// Round trips: from the first execution of a level that held nothing until it holds nothing again, or all that one closing ends.
    pub round_trips: u64,
    /// Round trips that earned more than their fees, in percent of all.
    pub win_rate_percent: Option<f64>,
    /// What the winning ones earned by what the others lost, after fees.
    pub profit_factor: Option<f64>,
    /// Mean profit of a round trip after fees.
    pub expectancy: Option<f64>,
    /// Profit of the best round trip after fees; zero when none earned.
    pub best_trip: f64,
    /// Loss of the worst round trip after fees, negative; zero when none lost.
    pub worst_trip: f64,
    /// Orders placed.
    pub orders: u64,
    /// Withdrawals asked for.
    pub cancels: u64,
    /// Executions.
    pub fills: u64,
    /// Executions of resting orders in percent of all.
    pub maker_percent: Option<f64>,
    /// Orders that were executed at least in part, in percent of those placed.
    pub fill_ratio_percent: Option<f64>,
    /// Value of all executions.
    pub traded: f64,
    /// That value in multiples of the worth at the beginning.
    pub turnover: Option<f64>,
    /// Time with a position in percent of all.
    pub time_in_market_percent: Option<f64>,
    /// Mean over time of the position's value in percent of the worth.
    pub exposure_percent: Option<f64>,
    /// Largest value of the position in percent of the worth.
    pub exposure_max_percent: f64,
    /// Largest position, base quantity.
    pub inventory_max: f64,
    /// Its value when it was first that large.
    pub inventory_max_value: f64,
    /// Least distance of the price from liquidation in percent of the price; `null` when nothing could be liquidated.
    pub liquidation_distance_percent: Option<f64>,
    /// How often the exchange closed the position by force.
    pub liquidations: u32,
    /// What each month came to, by its last look before the next one.
    pub months: Vec<MonthRow>, // tidy: bounded by MONTHS_MAX
}

impl Summary {
    /// The Sharpe ratio of one period, not annualised.
    pub fn sharpe_of_period(&self) -> Option<f64> {
        let secs = match self.period.as_str() {
            "minute" => 60.0,
            "hour" => 3_600.0,
            _ => 86_400.0,
        };
        self.sharpe.map(|sharpe| sharpe / (YEAR.as_secs_f64() / secs).sqrt())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;
    use plimsoll_market::RefPrice;

    const DAY: u64 = 86_400_000;

    fn sample(ms: u64, equity: i128, holding: i64, notional: i128) -> Sample {
        Sample {
            time: Time::from_millis(1_704_067_200_000 + ms),
            price: RefPrice::from_units(50_000 * 100_000_000),
            equity: equity * 100_000_000,
            wallet: equity * 100_000_000,
            notional: notional * 100_000_000,
            holding,
            liquidation: if holding == 0 { RefPrice::ZERO } else { RefPrice::from_units(40_000 * 100_000_000) },
        }
    }

    fn summary(samples: &[Sample]) -> Summary {
        let mut figures = Figures::new(Instrument::example_btcusdt(), None);
        samples.iter().for_each(|s| figures.sample(s));
        figures.summary().unwrap().0
    }

    #[track_caller]
    fn near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?} is not {expected}");
    }

    /// 100 → 110 → 99 → 108.9 at the ends of three days: returns +10 %, −10 %, +10 %.
    #[test]
    fn ratios_of_daily_returns() {
        let mut samples = vec![sample(0, 1_000, 0, 0)];
        let mut worth = 1_000_i128;
        // Thirty-one days, +10 % and −10 % in turn: fifteen pairs and the day that is not over.
        for day in 1..=31_u64 {
            worth = if day % 2 == 1 { worth * 11 / 10 } else { worth * 9 / 10 };
            samples.push(sample(day * DAY - 1, worth, 0, 0));
        }
        samples.push(sample(31 * DAY, worth, 0, 0));
        let found = summary(&samples);
        assert_eq!(found.period, "day");
        // 31 returns, 16 of about +0.1 and 15 of about −0.1 (whole dollars are cut off): by their own definition.
        let mut returns = Vec::new();
        let mut before = 1_000_i128;
        for s in &samples[1..32] {
            let now = s.equity / 100_000_000;
            returns.push(now as f64 / before as f64 - 1.0);
            before = now;
        }
        let mean = returns.iter().sum::<f64>() / 31.0;
        let deviation = (returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 30.0).sqrt();
        near(found.sharpe, mean / deviation * 365_f64.sqrt());
        let down = (returns.iter().filter(|r| **r < 0.0).map(|r| r * r).sum::<f64>() / 31.0).sqrt();
        near(found.sortino, mean / down * 365_f64.sqrt());
        // And the higher moments, of all n.
        let moment = |k: i32| returns.iter().map(|r| (r - mean).powi(k)).sum::<f64>() / 31.0;
        near(found.skewness, moment(3) / moment(2).powf(1.5));
        near(found.kurtosis, moment(4) / moment(2).powi(2));
        near(found.sharpe_of_period(), mean / deviation);
        assert_eq!(found.periods, 31);
    }

    /// Ten hours flat, five hours with 500 of 1,000, five hours with 250: 50 % in the market, exposure a quarter of 0.5 and of 0.25.
    #[test]
    fn exposure_is_weighed_by_time() {
        let hour = 3_600_000;
        let found = summary(&[
            sample(0, 1_000, 0, 0),
            sample(10 * hour, 1_000, 10, 500),
            sample(15 * hour, 1_000, 5, 250),
            sample(20 * hour, 1_000, 0, 0),
        ]);
        near(found.time_in_market_percent, 50.0);
        near(found.exposure_percent, 25.0 * 0.5 + 25.0 * 0.25);
        near(Some(found.exposure_max_percent), 50.0);
        near(Some(found.inventory_max), 0.010);
        near(Some(found.inventory_max_value), 500.0);
        // (50,000 − 40,000) / 50,000
        near(found.liquidation_distance_percent, 20.0);
        assert_eq!((found.sharpe, found.return_percent), (None, Some(0.0)));
    }

    /// Peaks 1,000 and 1,200; falls of 100 (10 %) and 240 (20 %); the second is not made good by the end, eight days on.
    #[test]
    fn drawdown_in_money_percent_and_days() {
        let found = summary(&[
            sample(0, 1_000, 0, 0),
            sample(DAY, 900, 0, 0),
            sample(3 * DAY, 1_200, 0, 0),
            sample(5 * DAY, 960, 0, 0),
            sample(11 * DAY, 1_080, 0, 0),
        ]);
        near(Some(found.drawdown_percent), 20.0);
        near(Some(found.drawdown), 240.0);
        near(Some(found.drawdown_days), 8.0);
        near(found.return_percent, 8.0);
        let annual = 1.08_f64.powf(365.0 / 11.0) - 1.0;
        near(found.annual_percent, annual * 100.0);
        near(found.calmar, annual / 0.2);
    }

    #[test]
    fn months_follow_each_other() {
        let found = summary(&[
            sample(0, 1_000, 0, 0),
            sample(20 * DAY, 1_100, 0, 0),
            sample(31 * DAY, 1_100, 0, 0),
            sample(45 * DAY, 880, 0, 0),
            sample(61 * DAY, 968, 0, 0),
        ]);
        let rows: Vec<(i64, i64, i64)> = found.months.iter().map(|m| (m.year, m.month, m.percent.unwrap().round() as i64)).collect();
        assert_eq!(rows, [(2024, 1, 10), (2024, 2, -20), (2024, 3, 10)]);
    }
}
