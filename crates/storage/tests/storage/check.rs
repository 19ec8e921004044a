//! What a check finds, and that it finds nothing where nothing is wrong.

use crate::common::{Place, everywhere};
use crate::tool::{config, fill};
use plimsoll_storage::tool::{self, Advice, Findings, Replace, Weight};

async fn look(place: &Place) -> Findings {
    tool::check(&config(place)).await.unwrap()
}

/// Spoils a database that is in order and asserts what is found: of which table, in which words, and what to do.
async fn check(good: &Place, place: &Place, sql: &str, expected: (&str, &str, Advice)) {
    tool::copy(&config(good), &config(place), Replace::Yes, &mut |_| {}).await.unwrap();
    place.meddle(sql).await;
    let findings = look(place).await;
    let (table, text, advice) = expected;
    let found = findings.list.iter().any(|f| f.table == table && f.what.contains(text) && f.advice == advice && f.weight == Weight::Wrong);
    assert!(found && findings.wrong > 0, "{sql}: {:?}", findings.list);
}

#[tokio::test]
async fn everything_that_cannot_be_is_found_with_its_table_and_what_to_do() {
    let good = Place::file();
    fill(&good).await;
    everywhere("checked", async |place| {
        let rebuild = |table, text| (table, text, Advice::Rebuild);
        let restore = |table, text| (table, text, Advice::Restore);
        let since = "UPDATE runs SET started_ns = 1900000000000000000; ";
        for (sql, expected) in [
            ("UPDATE totals SET fills = fills - 1", rebuild("totals", "fills are counted")),
            ("UPDATE totals SET bought = bought + 1", rebuild("totals", "bought is")),
            ("UPDATE totals SET sold = sold + 1", rebuild("totals", "sold is")),
            ("UPDATE totals SET realized = '1'", rebuild("totals", "realized is 1, and")),
            ("UPDATE totals SET fees = '9'", rebuild("totals", "fees is 9, and")),
            ("UPDATE totals SET fees = '+3'", rebuild("totals", "not a whole number in its plain form")),
            ("UPDATE totals SET watermark = 1", rebuild("fills", "are above the watermark")),
            ("UPDATE totals SET watermark = NULL", rebuild("totals", "no watermark")),
            ("DELETE FROM totals WHERE symbol = 'ETHUSDT'", rebuild("totals", "no totals")),
            ("UPDATE fills SET price = -1 WHERE trade_id = 7", rebuild("fills", "price is \"-1\": negative")),
            ("UPDATE fills SET fee = '07' WHERE trade_id = 700", rebuild("fills", "fee is \"07\"")),
            ("UPDATE fills SET time_ns = 5 WHERE trade_id = 7", rebuild("fills", "not a time of trading")),
            ("UPDATE fills SET qty = qty * 2 WHERE trade_id = 9", rebuild("fills", "are stored for an order of")),
            ("UPDATE fills SET level = 99999999 WHERE trade_id = 9", rebuild("fills", "there is no level")),
            ("UPDATE slots SET held = held * 3", rebuild("slots", "are in slots, and only")),
            // As short ones they would be held the other way than the account does.
            ("UPDATE slots SET strategy = 32", rebuild("slots", "units are in slots, and only")),
            ("UPDATE orders SET filled = qty + 1", restore("orders", "filled, and")),
            ("UPDATE orders SET side = 'long'", restore("orders", "not a side")),
            ("UPDATE state SET lock_rule = 'nonsense'", restore("state", "not a rule")),
            ("UPDATE account_state SET peak = '1.5'", restore("account_state", "peak is \"1.5\"")),
            ("UPDATE events SET severity = 'awful' WHERE id = 3", ("events", "not a severity", Advice::Harmless)),
            ("UPDATE equity SET wallet = '' WHERE id = 3", ("equity", "wallet is \"\"", Advice::Harmless)),
        ] {
            check(&good, place, sql, expected).await;
        }
        // A bot that began lately has not removed anything for its age.
        let lost = format!("{since}DELETE FROM fills WHERE trade_id = 500");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos().to_string();
        let lost = lost.replace("1900000000000000000", &now);
        check(&good, place, &lost, rebuild("fills", "none is old enough to have gone")).await;
        tool::copy(&config(&good), &config(place), Replace::Yes, &mut |_| {}).await.unwrap();
        place.meddle("DELETE FROM fills WHERE trade_id < 500").await;
        let findings = look(place).await;
        assert_eq!((findings.wrong, findings.notes > 0), (0, true), "{:?}", findings.list);
        let twice = "DROP INDEX fills_trade_id; INSERT INTO fills (account, symbol, trade_id, order_id, client_id, side, price, qty, fee, \
                     fee_asset, reported, reported_asset, strategy, level, realized, slot_realized, maker, time_ns) SELECT account, symbol, \
                     trade_id, order_id, client_id, side, price, qty, fee, fee_asset, reported, reported_asset, strategy, level, realized, \
                     slot_realized, maker, time_ns FROM fills WHERE trade_id = 600";
        check(&good, place, twice, rebuild("fills", "is stored 2 times")).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_wrong_even_beside_a_bot() {
    everywhere("check_good", async |place| {
        fill(place).await;
        let before = look(place).await;
        assert_eq!((before.wrong, before.notes, before.list.len()), (0, 0, 0), "{:?}", before.list);
        assert_eq!(before.rows.iter().find(|table| table.table == "fills").map(|table| table.rows), Some(1_206));
        let store = place.open().await;
        assert_eq!(look(place).await.list, []);
        store.stop(std::time::Duration::from_secs(10)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn damaged_pages_and_texts_in_place_of_numbers_are_found() {
    let good = Place::file();
    fill(&good).await;
    let place = Place::file();
    check(&good, &place, "UPDATE fills SET qty = 'much' WHERE trade_id = 3", ("fills", "cannot be read", Advice::Rebuild)).await;
    tool::copy(&config(&good), &config(&place), Replace::Yes, &mut |_| {}).await.unwrap();
    let mut bytes = std::fs::read(place.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xa5);
    std::fs::write(place.path(), bytes).unwrap();
    let findings = tool::check(&config(&place)).await;
    // What cannot be opened at all says so; else the file's own complaints come first.
    match findings {
        Ok(findings) => assert!(findings.list.iter().any(|f| f.table.is_empty() && f.advice == Advice::Restore), "{:?}", findings.list),
        Err(error) => assert!(error.to_string().contains("damaged"), "{error}"),
    }
}
