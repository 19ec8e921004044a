//! The result as files: JSON, CSV, and one page of HTML that needs nothing else.

use crate::curve::{CurvePoint, Mark, Marks};
use crate::figures::{Figures, Summary};
use plimsoll_market::{Instrument, Side};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What is told of a backtest beside its figures.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct About {
    /// What was traded how: settings with their values, in the order they are shown.
    pub settings: Vec<(String, String)>, // tidy: bounded by its maker, lives as long as one page is made
    /// What the reader should know before believing it.
    pub notes: Vec<String>, // tidy: bounded by its maker, lives as long as one page is made
    /// Events of the history.
    pub events: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// The files of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// The page.
    pub html: PathBuf,
    /// Figures, settings and curve.
    pub json: PathBuf,
    /// The curve.
    pub equity: PathBuf,
}

#[derive(Serialize)]
struct Json<'a> {
    summary: &'a Summary,
    about: &'a About,
}

/// Writes the report into a folder, which is made.
///
/// # Errors
/// The disk says no.
pub fn write(folder: &Path, summary: &Summary, about: &About, figures: &Figures, instrument: &Instrument) -> std::io::Result<Files> {
    std::fs::create_dir_all(folder)?;
    let files = Files { html: folder.join("report.html"), json: folder.join("report.json"), equity: folder.join("equity.csv") };
    let json = serde_json::to_string_pretty(&Json { summary, about }).map_err(std::io::Error::other)?;
    std::fs::write(&files.json, json)?;
    let mut csv = std::io::BufWriter::new(std::fs::File::create(&files.equity)?);
    writeln!(csv, "time,equity,equity_min,equity_max,price,price_min,price_max,position")?;
    for p in figures.curve().points() {
        let money = |units: i128| plimsoll_market::format_units(units, 8).to_string();
        let price = |units: i64| plimsoll_market::format_units(i128::from(units), 8).to_string();
        writeln!(
            csv,
            "{},{},{},{},{},{},{},{}",
            crate::import::show_time(p.time),
            money(p.equity),
            money(p.equity_min),
            money(p.equity_max),
            price(p.price),
            price(p.price_min),
            price(p.price_max),
            plimsoll_market::format_units(i128::from(p.holding), instrument.qty_scale)
        )?;
    }
    csv.flush()?;
    std::fs::write(&files.html, page(summary, about, figures, instrument).map_err(std::io::Error::other)?)?;
    Ok(files)
}

/// The page as text.
///
/// # Errors
/// The figures cannot be written as JSON.
pub fn page(summary: &Summary, about: &About, figures: &Figures, instrument: &Instrument) -> Result<String, serde_json::Error> {
    let mut data = String::from("{\"curve\":[");
    for (at, p) in figures.curve().points().iter().enumerate() {
        point(&mut data, at, p, instrument);
    }
    data.push_str("],\"fills\":[");
    marks(&mut data, figures.fill_marks(), instrument);
    data.push_str("],\"orders\":[");
    marks(&mut data, figures.order_marks(), instrument);
    let json = serde_json::to_string(&Json { summary, about })?;
    // Nothing in it may end the script that it stands in.
    let json = json.replace('<', "\\u003c");
    let every = (figures.fill_marks().every(), figures.order_marks().every());
    let _written = write!(data, "],\"fillsEvery\":{},\"ordersEvery\":{},\"report\":{json}}}", every.0, every.1);
    let title = escape(&format!("{} backtest, {} to {}", summary.symbol, day(&summary.begin), day(&summary.end)));
    Ok(fill(TEMPLATE, &title, &data))
}

/// Makes a page of a template: puts the common style and script, a title that is already escaped, and data into it.
///
/// Data are JSON in which no `<` stands: nothing in them may end the script that they stand in.
pub fn fill(template: &str, title: &str, data: &str) -> String {
    // What comes from outside comes last, so that nothing in it is taken for a place to be filled.
    template.replace("{{style}}", STYLE).replace("{{script}}", SCRIPT).replace("{{title}}", title).replace("{{data}}", data)
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

/// A text as it may stand in HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Numbers in order: milliseconds, worth (last, lowest, highest), price (last, lowest, highest), position, fall in percent.
fn point(out: &mut String, at: usize, p: &CurvePoint, instrument: &Instrument) {
    let money = |units: i128| units as f64 / 1e8;
    let price = |units: i64| units as f64 / 1e8;
    let fall = if p.peak > 0 { p.fall as f64 / p.peak as f64 * 100.0 } else { 0.0 };
    let holding = p.holding as f64 / 10_f64.powi(i32::from(instrument.qty_scale));
    let comma = if at == 0 { "" } else { "," };
    // Writing to a string cannot fail.
    let _written = write!(
        out,
        "{comma}[{},{:.4},{:.4},{:.4},{},{},{},{holding},{fall:.4}]",
        p.time.millis(),
        money(p.equity),
        money(p.equity_min),
        money(p.equity_max),
        price(p.price),
        price(p.price_min),
        price(p.price_max)
    );
}

fn marks(out: &mut String, marks: &Marks, instrument: &Instrument) {
    for (at, Mark { time, price, qty, side }) in marks.as_slice().iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let side = u8::from(*side == Side::Buy);
        let _written = write!(out, "{comma}[{},{},{},{side}]", time.millis(), instrument.show_price(*price), instrument.show_qty(*qty));
    }
}

const TEMPLATE: &str = include_str!("report.html");
/// The look of all pages.
const STYLE: &str = include_str!("report.css");
/// What the scripts of all pages need: numbers as text, elements, tables, axes.
const SCRIPT: &str = include_str!("report.js");
