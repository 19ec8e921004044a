//! Events and actions as people read them: prices and quantities with their points, times in UTC.

use plimsoll_market::{Action, Candle, Event, Fill, Instrument, OrderReport, Record, Side, Time, format_units, limits::MONEY_SCALE};
use time::OffsetDateTime;

/// An instant, to the nanosecond: `2026-01-31T12:00:00.000000001Z`.
pub fn utc(time: Time) -> String {
    parts(time, |t, date| format!("{date}T{:02}:{:02}:{:02}.{:09}Z", t.hour(), t.minute(), t.second(), t.nanosecond()))
}

/// An instant as part of a file's name, in the order of time: `20260131T120000.000`.
pub fn utc_compact(time: Time) -> String {
    parts(time, |t, date| format!("{}T{:02}{:02}{:02}.{:03}", date.replace('-', ""), t.hour(), t.minute(), t.second(), t.millisecond()))
}

fn parts(time: Time, write: impl FnOnce(OffsetDateTime, String) -> String) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.nanos())) {
        Ok(t) => write(t, format!("{:04}-{:02}-{:02}", t.year(), u8::from(t.month()), t.day())),
        // Cannot be: every time fits into the year 2554.
        Err(_) => time.nanos().to_string(),
    }
}

fn candle(candle: &Candle, i: &Instrument) -> String {
    format!(
        "candle from {}: {} {} {} {}, volume {}",
        utc(candle.open_time),
        i.show_price(candle.open),
        i.show_price(candle.high),
        i.show_price(candle.low),
        i.show_price(candle.close),
        i.show_qty(candle.volume)
    )
}

/// An event in a line; lists take a line for each entry.
pub fn show_event(event: &Event, i: &Instrument) -> String {
    match event {
        Event::Top(top) => {
            format!("top {} × {} / {} × {}", i.show_price(top.bid), i.show_qty(top.bid_qty), i.show_price(top.ask), i.show_qty(top.ask_qty))
        }
        Event::Trade(trade) => {
            format!("trade {} {} × {} by a {}", trade.id, i.show_price(trade.price), i.show_qty(trade.qty), trade.taker.as_str())
        }
        Event::Candle(bar) => candle(bar, i),
        Event::Past(past) => format!("of the past, {} s long: {}", past.interval.as_secs(), candle(&past.candle, i)),
        Event::Mark(mark) => format!("mark {}, index {}", mark.mark, mark.index),
        Event::Gap(feed) => format!("gap in the feed {feed:?}"),
        Event::Link(link) => format!("feed {:?} is {}", link.feed, if link.up { "up" } else { "down" }),
        Event::Order(report) => order(report, i),
        Event::Rejected { id, request, reason } => format!("{request:?} of {id:?} refused: {reason:?}"),
        Event::CancelFailed { id, reason } => format!("cancel of {id:?} failed: {reason:?}"),
        Event::Unknown { id, request } => format!("{request:?} of {id:?}: outcome unknown"),
        Event::NotFound { id } => format!("the exchange has never seen {id:?}"),
        Event::NotSent { id, request } => format!("{request:?} of {id:?} was not sent"),
        Event::Fills(page) => {
            let mut text = format!(
                "{} executions, asked for at {}, {}",
                page.fills.len(),
                utc(page.asked_at),
                if page.last { "the last page" } else { "more to come" }
            );
            push(&mut text, page.fills.iter().map(|fill| self::fill(fill, i)));
            text
        }
        Event::Snapshot(snapshot) => {
            let mut text = format!(
                "snapshot asked for at {}: position {} at {}, {} open orders",
                utc(snapshot.asked_at),
                i.show_holding(snapshot.position.holding),
                snapshot.position.entry,
                snapshot.open.len()
            );
            push(&mut text, snapshot.open.iter().map(|report| order(report, i)));
            text
        }
        Event::ResyncFailed => "a catch-up failed".to_owned(),
        Event::Funding(payment) => format!("funding {}", payment.amount),
        Event::Rate(rate) => format!("one {} is {} {}", rate.asset, rate.rate, rate.quote),
        Event::Lease(lease) => format!(
            "lease of {} and {} orders in 10 s until {}",
            format_units(lease.exposure_max, MONEY_SCALE),
            lease.orders_per_10s,
            utc(lease.until)
        ),
        Event::Committed { version } => format!("state {version} is on disk"),
        Event::RecordsFull(full) => format!("records {}", if *full { "are full" } else { "have room again" }),
        Event::MemoryShort(short) => format!("memory {}", if *short { "is short" } else { "is enough again" }),
        Event::Wake => "wake".to_owned(),
        other @ (Event::Instrument(_) | Event::Command(_) | Event::Shutdown(_)) => format!("{other:?}"),
    }
}

/// An action in a line.
pub fn show_action(action: &Action, i: &Instrument) -> String {
    match action {
        Action::Place(place) => format!(
            "place {:?} {} {} at {}, {:?} {:?}{}",
            place.id,
            place.id.side().as_str(),
            i.show_qty(place.qty),
            i.show_price(place.price),
            place.kind,
            place.tif,
            if place.reduce_only { ", only to reduce" } else { "" }
        ),
        Action::Cancel(cancel) => format!("cancel {:?}", cancel.id),
        Action::Query { id } => format!("query {id:?}"),
        Action::Resync { after: Some(after) } => format!("catch up after trade {after}"),
        Action::Resync { after: None } => "catch up from the beginning".to_owned(),
        Action::Commit(state) => format!("commit {state:?}"),
        Action::Record(record) => self::record(record, i),
        Action::History => "tell the candles of the past again".to_owned(),
        Action::Countdown { after } if after.is_zero() => "disarm the exchange's switch".to_owned(),
        Action::Countdown { after } => format!("the exchange withdraws all orders unless told again within {} s", after.as_secs()),
        Action::Alert(alert) => format!("alert {} {}: {}", alert.severity.as_str(), alert.code.as_str(), alert.text),
    }
}

fn order(report: &OrderReport, i: &Instrument) -> String {
    let id = report.id.map_or_else(|| format!("foreign order {}", report.order_id), |id| format!("order {id:?}"));
    let mut text = format!(
        "{id} {} {} of {} at {}, {}, by {:?}",
        report.status.as_str(),
        i.show_qty(report.filled),
        i.show_qty(report.qty),
        i.show_price(report.price),
        report.side.as_str(),
        report.source
    );
    push(&mut text, report.fill.iter().map(|fill| self::fill(fill, i)));
    text
}

fn fill(fill: &Fill, i: &Instrument) -> String {
    let side = match fill.side {
        Side::Buy => "bought",
        Side::Sell => "sold",
    };
    format!("execution {} {side} {} at {}, fee {}", fill.trade_id, i.show_qty(fill.qty), i.show_price(fill.price), fill.fee)
}

fn record(record: &Record, i: &Instrument) -> String {
    let mut text = "record".to_owned();
    if let Some(order) = &record.order {
        text.push_str(&format!(" order {:?} {} {}", order.id, order.status.as_str(), i.show_qty(order.filled)));
    }
    if let Some(booked) = &record.fill {
        text.push_str(&format!(" {}", self::fill(&booked.fill, i)));
    }
    if let Some(slot) = &record.slot {
        text.push_str(&format!(" slot {} holds {}", slot.leg.index(), i.show_qty(slot.held)));
    }
    let watermark = record.totals.watermark.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
    text.push_str(&format!("; holding {}, booked up to {watermark}", i.show_holding(record.totals.holding)));
    text
}

fn push(text: &mut String, lines: impl Iterator<Item = String>) {
    for line in lines {
        text.push_str("\n      ");
        text.push_str(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let time = Time::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(utc(time), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(utc_compact(time), "20231114T221320.123");
        assert!(utc(Time::from_nanos(u64::MAX)).starts_with("2554-"));
    }

    #[test]
    fn numbers_have_their_points() {
        let btc = Instrument::example_btcusdt();
        let top = plimsoll_market::Top {
            bid: plimsoll_market::Price::from_units(6_000_010),
            bid_qty: plimsoll_market::Qty::from_units(1_500),
            ask: plimsoll_market::Price::from_units(6_000_020),
            ask_qty: plimsoll_market::Qty::from_units(7),
            time: Time::ZERO,
        };
        assert_eq!(show_event(&Event::Top(top), &btc), "top 60000.10 × 1.500 / 60000.20 × 0.007");
    }
}
