use super::super::depth_stream::depth as depth_in_full;
use super::super::market_stream::{agg_trade as agg_in_full, book_ticker as ticker_in_full, trade as trade_in_full};
use super::*;
use plimsoll_bounded::Ledger;
use plimsoll_market::{Instrument, LevelChange};
use proptest::prelude::*;

struct Bench {
    instruments: Instruments,
    quick: DepthUpdate,
    full: DepthUpdate,
}

impl Bench {
    fn new() -> Self {
        let ledger = Ledger::open(1 << 20);
        let mut instruments = Instruments::new(ledger.grant(Instruments::line("test.instruments", 2)).unwrap());
        instruments.put(Instrument::example_btcusdt()).unwrap();
        let buffer = |name| DepthUpdate::new(ledger.grant(DepthUpdate::line(name)).unwrap());
        Self { instruments, quick: buffer("test.quick"), full: buffer("test.full") }
    }

    /// Whether any scan took the text; where one does, the full reading must say the same.
    fn compare(&mut self, text: &[u8]) -> bool {
        let Self { instruments, quick, full } = self;
        let show = String::from_utf8_lossy(text);
        let mut taken = false;
        if let Some(ticker) = book_ticker(text, instruments) {
            taken = true;
            assert_eq!(ticker_in_full(text, instruments).unwrap(), Ok(ticker), "{show}");
        }
        if let Some(found) = trade(text, instruments) {
            taken = true;
            assert_eq!(trade_in_full(text, instruments).unwrap(), Ok(found), "{show}");
        }
        if let Some(found) = agg_trade(text, instruments) {
            taken = true;
            assert_eq!(agg_in_full(text, instruments).unwrap(), Ok(found), "{show}");
        }
        if depth(text, instruments, quick).is_some() {
            taken = true;
            assert_eq!(depth_in_full(text, instruments, full).unwrap(), Ok(()), "{show}");
            assert_eq!(quick, full, "{show}");
        }
        taken
    }
}

fn messages(price: &str, qty: &str, id: u64, levels: &str) -> [String; 4] {
    [
        format!(
            r#"{{"e":"bookTicker","u":{id},"s":"BTCUSDT","ps":"BTCUSDT","b":"{price}","B":"{qty}","a":"{price}","A":"1","T":5,"E":6,"st":1}}"#
        ),
        format!(r#"{{"e":"trade","E":6,"T":5,"s":"BTCUSDT","t":{id},"p":"{price}","q":"{qty}","X":"MARKET","m":true}}"#),
        format!(r#"{{"e":"aggTrade","E":6,"a":{id},"s":"BTCUSDT","p":"{price}","q":"{qty}","f":1,"l":2,"T":5,"m":false}}"#),
        format!(r#"{{"e":"depthUpdate","E":6,"T":5,"s":"BTCUSDT","U":{id},"u":{id},"pu":3,"b":[{levels}],"a":[["{price}","{qty}"]]}}"#),
    ]
}

proptest! {
    #[test]
    fn scans_take_what_the_exchange_writes(units in 0_u32..1_000_000_000, qty in 0_u32..1_000_000_000, id in 0_u64..1_000_000_000_000_000,
                                           pairs in proptest::collection::vec((0_u32..10_000_000, 0_u32..10_000_000), 0..40)) {
        let number = |n: u32, power: u32, width: usize| format!("{}.{:0width$}", n / power, n % power);
        let levels: Vec<String> =
            pairs.iter().map(|(p, q)| format!(r#"["{}","{}"]"#, number(*p, 100, 2), number(*q, 1_000, 3))).collect();
        let mut bench = Bench::new();
        for text in messages(&number(units, 100, 2), &number(qty, 1_000, 3), id, &levels.join(",")) {
            prop_assert!(bench.compare(text.as_bytes()), "{}", text);
            // Every way to cut it is left to the full reading.
            prop_assert!(!bench.compare(&text.as_bytes()[..text.len() - 1]));
        }
        prop_assert_eq!(bench.quick.changes().len(), pairs.len() + 1);
    }

    #[test]
    fn scans_say_what_the_full_reading_says(price in "-?[0-9]{0,18}\\.?[0-9]{0,5}", qty in "[0-9]{0,6}\\.?[0-9]{0,5}", id: u64,
                                            which in 0_usize..4, at in 0_usize..200, byte: u8, insert: bool) {
        let mut bench = Bench::new();
        let mut text = messages(&price, &qty, id, r#"["1.00","2.000"],["3","4"]"#)[which].clone().into_bytes();
        bench.compare(&text);
        let at = at % text.len();
        if insert { text.insert(at, byte) } else { text[at] = byte }
        bench.compare(&text);
    }
}

#[test]
fn scans_give_up_at_everything_else() {
    let mut bench = Bench::new();
    let whole = messages("61800.20", "0.125", 7, r#"["1.00","2.000"]"#);
    let changes: &[(&str, &str)] = &[
        ("\"s\":", " \"s\":"),
        ("BTCUSDT\"", "OTHER\""),
        ("61800.20", "61800.201"),
        ("61800.20", "6180\\u0030.20"),
        ("\"E\":6", "\"E\":\"6\""),
        ("\"E\":6", "\"E\":6.0"),
        ("\"E\":6", "\"E\":06"),
        ("\"E\":6", "\"E\":6,\"E\":6"),
        ("\"E\":6", "\"E\":6,"),
        ("\"E\":6", "\"E\":6,\"x\":{}"),
        ("\"E\":6", "\"E\":6,\"x\":[]"),
        ("{\"e\"", "{,\"e\""),
    ];
    for text in whole {
        assert!(bench.compare(text.as_bytes()), "{text}");
        for (from, to) in changes {
            assert!(text.contains(from), "{from} in {text}");
            let changed = text.replacen(from, to, 1);
            assert!(!bench.compare(changed.as_bytes()), "{changed}");
        }
        assert!(!bench.compare(format!("{text} ").as_bytes()));
    }
    for text in ["", "{", "{}", "[]", "{\"b\":[]}"] {
        assert!(!bench.compare(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_scan_stops_at_the_most_changes() {
    let mut bench = Bench::new();
    let full = messages("1", "1", 7, &vec![r#"["1.00","2.000"]"#; crate::limits::DEPTH_CHANGES_MAX].join(","));
    assert!(depth(full[3].as_bytes(), &bench.instruments, &mut bench.quick).is_none());
    let most = messages("1", "1", 7, &vec![r#"["1.00","2.000"]"#; crate::limits::DEPTH_CHANGES_MAX - 1].join(","));
    assert!(bench.compare(most[3].as_bytes()));
    let last: Option<&LevelChange> = bench.quick.changes().last();
    assert_eq!(last.map(|c| c.side), Some(Side::Sell));
}
