//! Whether what is stored can be: the file, every value, and what must follow from what.
//!
//! One pass over every table that the database has, by its own catalogue, [`COPY_ROWS`] rows at a time; what later versions add is
//! checked by the names of its columns.

use std::fmt;

use plimsoll_market::{Asset, ClientId, Leg, Name, OrderStatus, Rule, Severity, Symbol, Time};
use sea_orm::{ConnectionTrait, Statement};

use crate::config::StoreConfig;
use crate::limits::{BOOKS_MAX, COPY_ROWS, FINDING_TEXT_MAX, FINDINGS_MAX, RECENT_FILLS_MAX, RETENTION_ROWS};

use super::catalogue::{Cell, Table, tables};
use super::copy::Rows;
use super::files::{self, TableRows};
use super::{Source, ToolError};

mod books;

use books::{Books, Sums};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// This cannot be: something must be done.
    Wrong,
    /// Unusual, and possible: rows that retention removed, a position that was taken over.
    Note,
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Book the exchange's history anew.
    Rebuild,
    /// Go back to a backup.
    Restore,
    /// The next start mends it.
    Start,
    /// Have it made anew by the verb that brings databases up to date.
    Migrate,
    /// Nothing needs it to go on.
    Harmless,
    /// Nothing is to be done.
    Nothing,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rebuild => "stop the bot and run `plimsoll rebuild --write`",
            Self::Restore => "stop the bot and go back to a backup with `plimsoll restore FILE`",
            Self::Migrate => "stop the bot and run `plimsoll db migrate`",
            Self::Start => "the next start mends it",
            Self::Harmless => "trading does not need it; the row can be deleted",
            Self::Nothing => "nothing is to be done",
        })
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table; empty for the database as a whole.
    pub table: String,
    /// Which row, by its key or by account and symbol.
    pub key: String,
    /// What it is, with the figures; at most [`FINDING_TEXT_MAX`] characters.
    pub what: String,
    /// How bad it is.
    pub weight: Weight,
    /// What to do.
    pub advice: Advice,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first [`FINDINGS_MAX`].
    pub list: Vec<Finding>, // tidy: bounded by FINDINGS_MAX
    /// How many cannot be; more than are listed, perhaps.
    pub wrong: u64,
    /// How many are unusual; more than are listed, perhaps.
    pub notes: u64,
    /// Rows that were looked at, of each table.
    pub rows: Vec<TableRows>, // tidy: bounded by TABLES_MAX
}

impl Findings {
    fn add(&mut self, weight: Weight, advice: Advice, table: &str, key: impl fmt::Display, what: impl fmt::Display) {
        match weight {
            Weight::Wrong => self.wrong += 1,
            Weight::Note => self.notes += 1,
        }
        if self.list.len() < FINDINGS_MAX {
            let cut = |text: String| text.chars().take(FINDING_TEXT_MAX).collect();
            let (key, what) = (cut(key.to_string()), cut(what.to_string()));
            self.list.push(Finding { table: table.to_owned(), key, what, weight, advice });
        }
    }
}

/// Checks everything that is stored, as it was at one instant. A bot may be running; nothing is changed.
///
/// # Errors
/// When there is no such database, it is of a newer version, or it cannot be read at all.
///
/// # Bounds
/// [`COPY_ROWS`] rows and sums of [`BOOKS_MAX`] symbols at a time. SQLite sorts orders on the disk.
///
/// # Cancel safety
/// Safe.
pub async fn check(config: &StoreConfig) -> Result<Findings, ToolError> {
    let source = Source::open(config).await?;
    let done = all(&source, config).await;
    source.close().await;
    done
}

async fn all(source: &Source, config: &StoreConfig) -> Result<Findings, ToolError> {
    let mut findings = Findings::default();
    for line in files::self_check(source).await? {
        findings.add(Weight::Wrong, Advice::Restore, "", "file", line);
    }
    if files::is_rigid(source).await? {
        let what = "was made by an older version and never becomes smaller, whatever is deleted";
        findings.add(Weight::Note, Advice::Migrate, "", "file", what);
    }
    let mut tables = tables(&source.at, &source.db).await?;
    // The watermarks first: of each fill it is asked whether it is above.
    tables.sort_by_key(|table| !matches!(table.name.as_str(), "totals" | "state" | "instruments"));
    let mut books = Books::default();
    for table in &tables {
        let mut seen = 0;
        let mut rows = Rows::new(&source.at, &source.db, table);
        loop {
            let batch = match rows.next().await {
                Ok(batch) => batch,
                // A text in the place of a number, or a page that cannot be read: the other tables can tell more.
                Err(error) => {
                    let key = format!("after row {seen}");
                    findings.add(Weight::Wrong, advice(&table.name), &table.name, key, format_args!("cannot be read: {}", chain(&error)));
                    break;
                }
            };
            for row in &batch {
                seen += 1;
                let row = Row { table, cells: row };
                values(&row, files::now(), &mut findings);
                if !books.add(&row) {
                    let what = format_args!("more than {BOOKS_MAX} symbols: those beyond are not compared");
                    findings.add(Weight::Note, Advice::Nothing, &table.name, row.key(), what);
                }
            }
            if (batch.len() as u64) < COPY_ROWS {
                break;
            }
        }
        findings.rows.push(TableRows { table: table.name.clone(), rows: seen });
    }
    findings.rows.sort_by(|a, b| a.table.cmp(&b.table));
    let fills = findings.rows.iter().find(|table| table.table == "fills").map_or(0, |table| table.rows);
    let keep = config.retention().fills;
    let began_ns = books.began_ns();
    let age_days = (i128::from(files::now().nanos()) - i128::from(began_ns)) / (86_400 * 1_000_000_000);
    let may_have_gone = fills + RETENTION_ROWS >= keep.rows || age_days >= i128::from(keep.days).min(books::RUNS_TELL_DAYS);
    for (name, sums) in books.iter() {
        compare(name, sums, may_have_gone, &mut findings);
    }
    twice(source, &mut findings).await?;
    orders(source, &mut findings).await?;
    findings.list.sort_by_key(|finding| finding.weight);
    Ok(findings)
}

/// A row, and what its places are called.
struct Row<'a> {
    table: &'a Table,
    cells: &'a [Cell],
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<&Cell> {
        let at = self.table.columns.iter().position(|column| column.name == name)?;
        self.cells.get(at)
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.cell(name) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.cell(name) {
            Some(Cell::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The row's key, for people: client and trade ids rather than numbers that the database gave out.
    fn key(&self) -> String {
        let named = ["account", "symbol", "client_id", "trade_id"]
            .into_iter()
            .filter(|_| self.cell("trade_id").is_some() || self.cell("client_id").is_some());
        let named: Vec<String> = named.filter_map(|name| Some(show(self.cell(name)?)).filter(|text| text != "nothing")).collect();
        if !named.is_empty() {
            return named.join(" ");
        }
        let key: Vec<String> = self.table.key.iter().filter_map(|at| self.cells.get(*at)).map(show).collect();
        key.join(" ")
    }
}

fn show(cell: &Cell) -> String {
    match cell {
        Cell::Null => "nothing".to_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Flag(flag) => flag.to_string(),
    }
}

fn chain(error: &ToolError) -> String {
    match error {
        ToolError::Store(error) => error.chain(),
        error => error.to_string(),
    }
}

/// What mends a table.
fn advice(table: &str) -> Advice {
    match table {
        "fills" | "totals" | "slots" => Advice::Rebuild,
        "state" | "account_state" | "instruments" | "runs" | "orders" => Advice::Restore,
        _ => Advice::Harmless,
    }
}

/// Before there were perpetual futures.
const FIRST_NS: i64 = 1_262_304_000_000_000_000;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// Checks every value of a row by what its column is called.
fn values(row: &Row<'_>, now: Time, findings: &mut Findings) {
    let table = row.table.name.as_str();
    let latest = i64::try_from(now.nanos()).unwrap_or(i64::MAX).saturating_add(DAY_NS);
    for (column, cell) in row.table.columns.iter().zip(row.cells) {
        let name = column.name.as_str();
        let good = match (name, cell) {
            (_, Cell::Null | Cell::Flag(_)) => Ok(()),
            // Never before the first payment; until when a lock holds may lie ahead.
            ("funded_ns", Cell::Number(0)) | ("lock_until_ns", Cell::Number(_)) => Ok(()),
            (_, Cell::Number(time)) if name.ends_with("_ns") => ok((FIRST_NS..=latest).contains(time), "not a time of trading"),
            (
                "anchor" | "price" | "grid_interval" | "grid_ratio" | "qty" | "filled" | "held" | "bought" | "sold" | "fills"
                | "foreign_fees" | "waiting_fills" | "samples",
                Cell::Number(number),
            ) => ok(*number >= 0, "negative"),
            (_, Cell::Number(_)) => Ok(()),
            (_, Cell::Text(text)) => word(name, text),
        };
        if let Err(why) = good {
            let what = format_args!("{name} is {:?}: {why}", show(cell));
            findings.add(Weight::Wrong, advice(table), table, row.key(), what);
        }
    }
    if let (Some(strategy), Some(level)) = (row.number("strategy"), row.number("level")) {
        let leg = u8::try_from(strategy).ok().zip(i32::try_from(level).ok()).and_then(|(strategy, level)| Leg::new(strategy, level));
        if leg.is_none() {
            findings.add(Weight::Wrong, advice(table), table, row.key(), format_args!("there is no level {level} of strategy {strategy}"));
        }
    }
    if table == "orders" {
        let (qty, filled) = (row.number("qty").unwrap_or(0), row.number("filled").unwrap_or(0));
        let full = row.text("status") == Some(OrderStatus::Filled.as_str());
        if filled > qty || full && filled != qty {
            let status = row.text("status").unwrap_or_default();
            findings.add(Weight::Wrong, advice(table), table, row.key(), format_args!("{filled} of {qty} units filled, and {status}"));
        }
    }
    if table == "slots" && row.number("held") == Some(0) {
        findings.add(Weight::Note, Advice::Start, table, row.key(), "holds nothing and has a row");
    }
}

fn ok(good: bool, why: &'static str) -> Result<(), &'static str> {
    if good { Ok(()) } else { Err(why) }
}

/// Checks a text by what its column is called.
fn word(name: &str, text: &str) -> Result<(), &'static str> {
    use OrderStatus as S;
    match name {
        "peak" | "day_start" | "basis" | "fee" | "reported" | "realized" | "slot_realized" | "cost" | "fees" | "other_fees"
        | "waiting_fees" | "funding" | "wallet" | "unrealized" | "equity" => canonical::<i128>(text),
        _ if name.ends_with("_sum") => canonical::<u128>(text),
        "order_id" => canonical::<u128>(text),
        "account" => ok(Name::new(text).is_ok(), "not an account's name"),
        "symbol" => ok(Symbol::new(text).is_ok(), "not a symbol"),
        "base" | "quote" | "fee_asset" | "reported_asset" | "waiting_asset" => ok(Asset::new(text).is_ok(), "not an asset"),
        "client_id" => ok(ClientId::parse(text).is_ok(), "not an id of ours"),
        "side" => ok(matches!(text, "buy" | "sell"), "not a side"),
        "status" => {
            let known = [S::New, S::PartiallyFilled, S::Filled, S::Canceled, S::Expired, S::Rejected];
            ok(known.iter().any(|status| status.as_str() == text), "not a status")
        }
        "severity" => ok([Severity::Info, Severity::Warning, Severity::Critical].iter().any(|s| s.as_str() == text), "not a severity"),
        "lock_rule" | "latched" => ok(Rule::parse(text).is_some(), "not a rule"),
        _ => Ok(()),
    }
}

/// Whether a text is a number, written as we write it.
fn canonical<N: std::str::FromStr + fmt::Display>(text: &str) -> Result<(), &'static str> {
    ok(text.parse::<N>().is_ok_and(|number| number.to_string() == text), "not a whole number in its plain form")
}

/// Compares what must follow from the fills of a symbol with what is stored of it.
fn compare(name: &(String, String), sums: &Sums, may_have_gone: bool, findings: &mut Findings) {
    let key = format!("{} {}", name.0, name.1);
    let mut wrong = |table: &str, what: String| findings.add(Weight::Wrong, Advice::Rebuild, table, &key, what);
    let Some(totals) = &sums.totals else {
        if sums.fills > 0 || sums.slots > 0 {
            wrong("totals", format!("there are {} fills and {} units in slots, and no totals", sums.fills, sums.held));
        }
        return;
    };
    if totals.watermark.is_none() && sums.fills > 0 {
        wrong("totals", format!("there are {} fills and no watermark", sums.fills));
    }
    if sums.above > RECENT_FILLS_MAX {
        wrong("fills", format!("{} are above the watermark, more than can be told apart from new ones", sums.above));
    }
    if sums.fills > totals.fills {
        wrong("totals", format!("{} fills are counted, {} are stored", totals.fills, sums.fills));
    } else if sums.fills == totals.fills {
        let figures = [
            ("bought", i128::from(totals.bought), sums.bought),
            ("sold", i128::from(totals.sold), sums.sold),
            ("realized", totals.realized, sums.realized),
        ];
        // Fees in an asset that is not known to be the quote asset are not in the sum.
        let fees = sums.fees_in_quote().map(|fees| ("fees", totals.fees, fees));
        for (what, stored, by_fills) in figures.into_iter().chain(fees) {
            if stored != by_fills {
                wrong("totals", format!("{what} is {stored}, and {by_fills} by the fills"));
            }
        }
    } else if !may_have_gone {
        wrong("fills", format!("{} are stored of {} that were booked, and none is old enough to have gone", sums.fills, totals.fills));
    }
    // Slots hold as much as the account does, or less of it; never more, and never the other way.
    let (slots, held) = (sums.held, i128::from(totals.holding));
    if slots > held.max(0) || slots < held.min(0) {
        wrong("slots", format!("{slots} units are in slots, and only {held} are held"));
    }
    let mut note = |table: &str, what: String| findings.add(Weight::Note, Advice::Nothing, table, &key, what);
    if sums.fills < totals.fills && may_have_gone {
        note("fills", format!("{} are stored of {} that were booked: older ones went by their age or number", sums.fills, totals.fills));
    }
    if slots.abs() < held.abs() {
        note("slots", format!("{slots} units are in slots, {held} are held: the rest was not opened by a slot"));
    }
    let net = i128::from(totals.bought) - i128::from(totals.sold);
    if net != i128::from(totals.holding) {
        note("totals", format!("{} units are held, {net} by what was bought and sold: a position was taken over", totals.holding));
    }
}

/// Executions that are stored twice: their index makes that impossible, unless it is gone.
async fn twice(source: &Source, findings: &mut Findings) -> Result<(), ToolError> {
    let sql = format!(
        "SELECT account, symbol, CAST(trade_id AS BIGINT), CAST(COUNT(*) AS BIGINT) FROM fills GROUP BY account, symbol, trade_id \
         HAVING COUNT(*) > 1 LIMIT {FINDINGS_MAX}"
    );
    let lift = |error| ToolError::from(source.db.error(error));
    for row in source.at.query_all_raw(Statement::from_string(source.at.get_database_backend(), sql)).await.map_err(lift)? {
        let (account, symbol): (String, String) = (row.try_get_by_index(0).map_err(lift)?, row.try_get_by_index(1).map_err(lift)?);
        let (trade, times): (i64, i64) = (row.try_get_by_index(2).map_err(lift)?, row.try_get_by_index(3).map_err(lift)?);
        let (key, what) = (format!("{account} {symbol} {trade}"), format!("is stored {times} times"));
        findings.add(Weight::Wrong, Advice::Rebuild, "fills", key, what);
    }
    Ok(())
}

/// Orders of which more or less is filled than their fills say.
async fn orders(source: &Source, findings: &mut Findings) -> Result<(), ToolError> {
    let sql = format!(
        "SELECT o.account, o.symbol, o.client_id, CAST(o.qty AS BIGINT), CAST(o.filled AS BIGINT), f.told FROM \
         (SELECT account, symbol, client_id, CAST(SUM(qty) AS BIGINT) AS told FROM fills WHERE client_id IS NOT NULL \
         GROUP BY account, symbol, client_id) f JOIN orders o \
         ON o.account = f.account AND o.symbol = f.symbol AND o.client_id = f.client_id WHERE f.told <> o.filled LIMIT {FINDINGS_MAX}"
    );
    let lift = |error| ToolError::from(source.db.error(error));
    for row in source.at.query_all_raw(Statement::from_string(source.at.get_database_backend(), sql)).await.map_err(lift)? {
        let text = |at| row.try_get_by_index::<String>(at).map_err(lift);
        let number = |at| row.try_get_by_index::<i64>(at).map_err(lift);
        let key = format!("{} {} {}", text(0)?, text(1)?, text(2)?);
        let (qty, filled, told) = (number(3)?, number(4)?, number(5)?);
        if told > qty {
            let what = format!("fills of {told} units are stored for an order of {qty}");
            findings.add(Weight::Wrong, Advice::Rebuild, "fills", key, what);
        } else if told > filled {
            // What was filled while the bot was dead is booked from the history, which tells nothing of the order.
            findings.add(Weight::Note, Advice::Nothing, "orders", key, format!("{filled} units are filled, {told} by its fills"));
        } else {
            let what = format!("{filled} units are filled, {told} by its fills: some are older than what is stored");
            findings.add(Weight::Note, Advice::Nothing, "orders", key, what);
        }
    }
    Ok(())
}
