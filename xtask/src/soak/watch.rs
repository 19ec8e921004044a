//! What is read while it runs: memory from the kernel, lengths and counts from the bot itself.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::http::bot_json;

/// Clock ticks of a second in `/proc`: the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// One look at the bot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Real time since it trades.
    pub(crate) real: Duration,
    /// Simulated days since it trades.
    pub(crate) days: f64,
    /// Its memory.
    pub(crate) memory: Memory,
    /// What its ledger and status say; asked less often.
    pub(crate) told: Option<Told>,
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Bytes in RAM.
    pub(crate) resident: u64,
    /// Bytes in RAM that belong to no file.
    pub(crate) anonymous: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Processor time, seconds.
    pub(crate) cpu: f64,
}

/// What the bot says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Told {
    /// Bytes that the items there now take at worst.
    pub(crate) used: u64,
    /// Bytes that all lines take at worst.
    pub(crate) planned: u64,
    /// Times that a limit acted.
    pub(crate) overflows: u64,
    /// Orders placed.
    pub(crate) orders: u64,
    /// Executions booked.
    pub(crate) fills: u64,
    /// Symbols that trade and may open, 0 while any feed is down.
    pub(crate) trading: usize,
}

/// Asks the kernel.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the kernel does not tell of the process")?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the kernel does not tell of the process")?;
    parse_memory(&status, &stat).context("the kernel tells of the process in other words")
}

fn parse_memory(status: &str, stat: &str) -> Option<Memory> {
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    // The name in parentheses may have spaces; what follows has none.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
    Some(Memory {
        resident: number("VmRSS:")? * 1_024,
        anonymous: number("RssAnon:")? * 1_024,
        threads: number("Threads:")?,
        cpu: (ticks(11)? + ticks(12)?) / TICKS,
    })
}

/// How the lines of the ledger stood against their capacities, over all readings.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Readings of the whole ledger.
    pub(crate) readings: u64,
    /// Lines in the latest.
    pub(crate) lines: usize,
    /// Lines found above their capacity, the first time each.
    pub(crate) above: Vec<String>,
    /// The fullest line and how full it ever was.
    pub(crate) fullest: Option<(String, f64)>,
    /// Overflows by line, of the latest reading, where there are any.
    pub(crate) overflows: Vec<(String, u64)>,
}

impl Lines {
    /// Checks one answer of `/api/ledger`; returns bytes used, planned and overflows.
    pub(crate) fn check(&mut self, ledger: &Value) -> Result<(u64, u64, u64)> {
        let sum = |key: &str| ledger.get(key).and_then(Value::as_u64).with_context(|| format!("the ledger has no {key}"));
        let lines = ledger.get("lines").and_then(Value::as_array).context("the ledger has no lines")?;
        (self.lines, self.readings) = (lines.len(), self.readings + 1);
        self.overflows.clear();
        let mut fullest = self.fullest.as_ref().map_or(0.0, |(_, full)| *full);
        for line in lines {
            let name = line.get("name").and_then(Value::as_str).context("a line of the ledger has no name")?;
            let number = |key: &str| line.get(key).and_then(Value::as_u64).with_context(|| format!("line {name} has no {key}"));
            let (capacity, len, high) = (number("capacity")?, number("len")?, number("high_water")?);
            let most = len.max(high);
            if most > capacity && self.above.iter().all(|said| !said.starts_with(&format!("{name} "))) {
                self.above.push(format!("{name} held {most} of {capacity}"));
            }
            let full = most as f64 / capacity.max(1) as f64;
            // What others allocate has no length of its own: it is put down as full.
            if full > fullest && line.get("class").is_none_or(|class| class != "external") {
                fullest = full;
                self.fullest = Some((name.to_owned(), full));
            }
            match number("overflows")? {
                0 => {}
                overflows => self.overflows.push((name.to_owned(), overflows)),
            }
        }
        Ok((sum("used_bytes")?, sum("planned_bytes")?, sum("overflows")?))
    }
}

/// Asks the bot for its ledger and its status.
pub(crate) fn told(dashboard: SocketAddr, lines: &mut Lines) -> Result<Told> {
    let (used, planned, overflows) = lines.check(&bot_json(dashboard, "/api/ledger")?)?;
    let status = bot_json(dashboard, "/api/status")?;
    let total = |key: &str| {
        let value = status.pointer(&format!("/totals/{key}")).and_then(Value::as_u64);
        value.with_context(|| format!("the status has no {key}"))
    };
    Ok(Told { used, planned, overflows, orders: total("orders_placed")?, fills: total("fills")?, trading: trades(&status) })
}

/// How many symbols of the status trade and may open; none while a feed is down.
fn trades(status: &Value) -> usize {
    let list = |key: &str| status.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list("links").is_empty() || list("links").iter().any(|link| link.get("up") != Some(&Value::Bool(true))) {
        return 0;
    }
    let open =
        |symbol: &&Value| symbol.get("phase").is_some_and(|phase| phase == "trading") && symbol.get("closed").is_some_and(Value::is_null);
    list("symbols").iter().filter(open).count()
}

/// The head of the table.
pub(crate) const CSV_HEAD: &str = "real_s,simulated_days,resident_bytes,anonymous_bytes,threads,cpu_s,ledger_used_bytes,ledger_planned_bytes,overflows,orders,fills,trading";

impl Reading {
    /// A row of the table; what was not asked this time stays empty.
    pub(crate) fn csv(&self) -> String {
        let Self { real, days, memory: Memory { resident, anonymous, threads, cpu }, told } = self;
        let mut row = format!("{:.1},{days:.4},{resident},{anonymous},{threads},{cpu:.2},", real.as_secs_f64());
        let written = match told {
            Some(Told { used, planned, overflows, orders, fills, trading }) => {
                write!(row, "{used},{planned},{overflows},{orders},{fills},{}", trading)
            }
            None => write!(row, ",,,,,"),
        };
        // Writing to a String cannot fail.
        written.unwrap_or_default();
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = "Name:\tplimsoll\nVmRSS:\t   27340 kB\nRssAnon:\t    9468 kB\nThreads:\t6\n";
        let stat = "4242 (a (b) c) S 1 4242 4242 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 6 0 100 1 1";
        let memory = parse_memory(status, stat).unwrap();
        assert_eq!(memory, Memory { resident: 27_340 * 1_024, anonymous: 9_468 * 1_024, threads: 6, cpu: 2.0 });
        assert_eq!(parse_memory("Name:\tx\n", stat), None);
        assert_eq!(parse_memory(status, "4242 x"), None);
    }

    #[test]
    fn finds_itself_in_the_real_kernel() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.resident >= memory.anonymous && memory.anonymous > 0 && memory.threads >= 1);
    }

    fn ledger(len: u64, high: u64, capacity: u64) -> Value {
        json!({"used_bytes": 5, "planned_bytes": 9, "overflows": 1, "lines": [
            {"name": "code", "len": 7, "high_water": 7, "capacity": 7, "overflows": 0, "class": "external"},
            {"name": "a/x", "len": 0, "high_water": 1, "capacity": 4, "overflows": 0},
            {"name": "b/x", "len": len, "high_water": high, "capacity": capacity, "overflows": 1},
        ]})
    }

    #[test]
    fn a_line_above_its_capacity_is_told_once() {
        let mut lines = Lines::default();
        assert_eq!(lines.check(&ledger(3, 4, 4)).unwrap(), (5, 9, 1));
        assert!(lines.above.is_empty());
        assert_eq!(lines.fullest, Some(("b/x".to_owned(), 1.0)));
        lines.check(&ledger(5, 5, 4)).unwrap();
        lines.check(&ledger(2, 5, 4)).unwrap();
        assert_eq!(lines.above, ["b/x held 5 of 4"]);
        assert_eq!((lines.lines, lines.readings), (3, 3));
        assert_eq!(lines.overflows, [("b/x".to_owned(), 1)]);
        assert!(lines.check(&json!({"lines": []})).is_err());
    }

    #[test]
    fn only_open_symbols_count_and_only_while_all_feeds_deliver() {
        let status = |phase: &str, closed: Value, up: bool| json!({"symbols": [{"phase": phase, "closed": closed}], "links": [{"up": up}]});
        assert_eq!(trades(&status("trading", Value::Null, true)), 1);
        assert_eq!(trades(&status("booting", Value::Null, true)), 0);
        assert_eq!(trades(&status("trading", json!("stale"), true)), 0);
        assert_eq!(trades(&status("trading", Value::Null, false)), 0);
        assert_eq!(trades(&json!({"symbols": [{"phase": "trading", "closed": null}], "links": []})), 0);
    }

    #[test]
    fn rows_have_as_many_cells_as_the_head() {
        let told = Told { used: 1, planned: 2, overflows: 3, orders: 4, fills: 5, trading: 2 };
        let mut reading = Reading { real: Duration::from_millis(1_500), days: 0.25, memory: Memory::default(), told: Some(told) };
        assert_eq!(reading.csv(), "1.5,0.2500,0,0,0,0.00,1,2,3,4,5,2");
        reading.told = None;
        assert_eq!(reading.csv().matches(',').count(), CSV_HEAD.matches(',').count());
    }
}
