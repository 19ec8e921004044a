#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use proptest::prelude::*;

fn head() -> TapeHead {
    TapeHead::new(&Instrument::example_btcusdt(), 60)
}

fn tick() -> impl Strategy<Value = Tick> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let price = (2_000_i64..1 << 40).prop_map(Price::from_units);
    let qty = prop_oneof![0_u64..300, 0..=i64::MAX as u64].prop_map(Qty::from_units);
    prop_oneof![
        (side.clone(), price.clone(), qty.clone()).prop_map(|(side, price, qty)| Tick::Level { side, price, qty }),
        (side, price.clone(), qty.clone()).prop_map(|(taker, price, qty)| Tick::Trade { taker, price, qty }),
        (price.clone(), qty.clone(), price.clone(), qty.clone()).prop_map(|(b, bq, a, aq)| Tick::Top { bid: (b, bq), ask: (a, aq) }),
        any::<i64>().prop_map(|units| Tick::Mark(RefPrice::from_units(units))),
        any::<i32>().prop_map(|ppm| Tick::Funding(Bps::from_ppm(ppm))),
        (price, 0_i64..1000, 0_i64..1000, 0_i64..1000, qty).prop_map(|(open, up, down, close, volume)| {
            let low = Price::from_units(open.units() - down);
            let high = Price::from_units(open.units() + up);
            let close = Price::from_units((low.units() + close).min(high.units()));
            Tick::Candle(Bar { open, high, low, close, volume })
        }),
        Just(Tick::Reset),
    ]
}

fn write(path: &std::path::Path, events: &[(Time, Tick)]) {
    let mut writer = TapeWriter::create(path, &head()).unwrap();
    for (time, tick) in events {
        writer.push(*time, tick).unwrap();
    }
    writer.finish().unwrap();
}

fn read(path: &std::path::Path) -> Result<Vec<(Time, Tick)>, TapeError> {
    let mut reader = TapeReader::open(path)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next()? {
        events.push(event);
    }
    Ok(events)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(steps in proptest::collection::vec((prop_oneof![Just(0), 0_u64..1 << 40], tick()), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let mut now = 1_700_000_000_000_000_000;
        let events: Vec<(Time, Tick)> = steps.into_iter().map(|(since, tick)| { now += since; (Time::from_nanos(now), tick) }).collect();
        write(&path, &events);
        prop_assert_eq!(read(&path).unwrap(), events);
    }

    #[test]
    fn a_damaged_byte_is_found(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let level = |i: u64| (Time::from_millis(i), Tick::Level { side: Side::Buy, price: Price::from_units(i as i64), qty: Qty::from_units(i) });
        write(&path, &(1..200).map(level).collect::<Vec<_>>());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(read(&path).is_err());
    }
}

#[test]
fn several_blocks_and_the_summary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let trade = |i: u64| {
        (
            Time::from_millis(i),
            Tick::Trade { taker: Side::Sell, price: Price::from_units(6_000_000 + i as i64 % 7), qty: Qty::from_units(i) },
        )
    };
    let events: Vec<(Time, Tick)> = (1..50_000).map(trade).collect();
    write(&path, &events);
    assert_eq!(read(&path).unwrap(), events);
    let info = inspect(&path).unwrap();
    assert_eq!((info.trades, info.events(), info.first, info.last), (49_999, 49_999, Time::from_millis(1), Time::from_millis(49_999)));
    assert!(info.bytes < 49_999 * 10, "{} bytes", info.bytes);
    assert_eq!(info.head, head());
}

#[test]
fn a_tape_that_breaks_off_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    write(&path, &[(Time::from_millis(5), Tick::Reset)]);
    let bytes = std::fs::read(&path).unwrap();
    for len in [HEAD_BYTES + 3, HEAD_BYTES + BLOCK_HEAD_BYTES + 1, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        assert!(matches!(read(&path), Err(TapeError::CutShort { .. })), "{len}");
        assert!(inspect(&path).is_err(), "{len}");
    }
    std::fs::write(&path, &bytes[..10]).unwrap();
    assert!(matches!(read(&path), Err(TapeError::Foreign { .. })));
}

#[test]
fn time_never_goes_back_and_an_unfinished_tape_has_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let mut writer = TapeWriter::create(&path, &head()).unwrap();
    writer.push(Time::from_millis(5), &Tick::Reset).unwrap();
    let error = writer.push(Time::from_millis(4), &Tick::Reset).unwrap_err();
    assert!(matches!(error, TapeError::Backwards { .. }), "{error}");
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
