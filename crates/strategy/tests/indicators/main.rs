//! Every indicator against what independent libraries make of the same bars (`reference.py` wrote `reference.csv`).
#![allow(clippy::unwrap_used, reason = "tests")]

use plimsoll_strategy::indicators::*;

const REFERENCE: &str = include_str!("reference.csv");

/// The columns by name; an empty field is `None`.
struct Table {
    names: Vec<&'static str>,
    rows: Vec<Vec<Option<f64>>>,
}

impl Table {
    fn read() -> Self {
        let mut lines = REFERENCE.lines().filter(|line| !line.starts_with('#'));
        let names = lines.next().unwrap().split(',').collect();
        let rows = lines.map(|line| line.split(',').map(|field| field.parse().ok()).collect()).collect();
        Self { names, rows }
    }

    fn column(&self, name: &str) -> Vec<Option<f64>> {
        let at = self.names.iter().position(|other| *other == name).unwrap();
        self.rows.iter().map(|row| row[at]).collect()
    }

    fn bars(&self) -> Vec<Bar> {
        let [high, low, close, volume] = ["high", "low", "close", "volume"].map(|name| self.column(name));
        let of = |n: usize| Bar { high: high[n].unwrap(), low: low[n].unwrap(), close: close[n].unwrap(), volume: volume[n].unwrap() };
        (0..self.rows.len()).map(of).collect()
    }
}

/// A column's name and the figure that is compared with it.
type Figure<'a, T> = (&'a str, &'a dyn Fn(&T) -> f64);

/// Compares from the warm-up on, and that there is nothing before it.
#[track_caller]
fn check<I: Indicator>(mut indicator: I, input: impl Fn(&Bar) -> I::Input, figures: &[Figure<'_, I::Output>]) {
    let table = Table::read();
    let columns: Vec<_> = figures.iter().map(|(name, _)| table.column(name)).collect();
    let mut compared = 0;
    for (n, bar) in table.bars().iter().enumerate() {
        let told = indicator.update(input(bar));
        assert_eq!(told.is_some(), n + 1 >= indicator.warm_up(), "bar {n}: warm after {}", indicator.warm_up());
        let Some(told) = told else { continue };
        for ((name, figure), column) in figures.iter().zip(&columns) {
            let Some(theirs) = column[n] else {
                assert!(name.starts_with("st_") && n < 60, "{name} has nothing for bar {n}");
                continue;
            };
            let ours = figure(&told);
            let most = 1e-9 * theirs.abs().max(1.0);
            assert!((ours - theirs).abs() <= most, "{name} of bar {n}: {ours}, theirs {theirs}");
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

fn close(bar: &Bar) -> f64 {
    bar.close
}

fn whole(bar: &Bar) -> Bar {
    *bar
}

#[test]
fn averages_agree() {
    check(Sma::new(20).unwrap(), close, &[("sma20", &|x| *x)]);
    check(Ema::new(20).unwrap(), close, &[("ema20", &|x| *x)]);
    check(Wma::new(20).unwrap(), close, &[("wma20", &|x| *x)]);
}

#[test]
fn oscillators_agree() {
    check(Rsi::new(14).unwrap(), close, &[("rsi14", &|x| *x)]);
    check(Macd::new(12, 26, 9).unwrap(), close, &[("macd", &|x| x.macd), ("macd_signal", &|x| x.signal)]);
    check(Stochastic::new(14, 3, 3).unwrap(), whole, &[("stoch_k", &|x| x.k), ("stoch_d", &|x| x.d)]);
    check(Cci::new(20).unwrap(), whole, &[("cci20", &|x| *x)]);
}

#[test]
fn bands_agree() {
    let upper: &dyn Fn(&Band) -> f64 = &|x| x.upper;
    let middle: &dyn Fn(&Band) -> f64 = &|x| x.middle;
    let lower: &dyn Fn(&Band) -> f64 = &|x| x.lower;
    check(Bollinger::new(20, 2.0).unwrap(), close, &[("bb_upper", upper), ("bb_middle", middle), ("bb_lower", lower)]);
    check(Keltner::new(20, 10, 2.0).unwrap(), whole, &[("kc_upper", upper), ("kc_middle", middle)]);
    check(Donchian::new(20).unwrap(), whole, &[("dc_upper", upper), ("dc_lower", lower)]);
    check(ZScore::new(20).unwrap(), close, &[("z20", &|x| *x)]);
    check(RealizedVolatility::new(20, 365).unwrap(), close, &[("vol20", &|x| *x)]);
}

#[test]
fn trends_agree() {
    check(Atr::new(14).unwrap(), whole, &[("atr14", &|x| *x)]);
    check(Adx::new(14).unwrap(), whole, &[("adx14", &|x| x.adx), ("plus14", &|x| x.plus), ("minus14", &|x| x.minus)]);
    check(SuperTrend::new(10, 3.0).unwrap(), whole, &[("st_line", &|x| x.line), ("st_up", &|x| if x.up { 1.0 } else { -1.0 })]);
}

#[test]
fn volumes_agree() {
    check(Obv::new(), whole, &[("obv", &|x| *x)]);
    check(Vwap::new(14).unwrap(), whole, &[("vwap14", &|x| *x)]);
}
