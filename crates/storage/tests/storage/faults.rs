//! What goes wrong, and what is said about it.

use std::time::Duration;

use crate::common::{Place, all_fills, check_prefix, everywhere, health, key, open, record, records};
use plimsoll_market::{Price, Spacing, StateRecord, Time, Totals};
use plimsoll_storage::{ErrorClass, Holder, RawStoreConfig, RecordRefused, StoreError};

pub const STATE: StateRecord = StateRecord {
    version: 1,
    anchor: None,
    interval: Spacing::Even(Price::from_units(100)),
    baseline: None,
    paused: false,
    halted: false,
    lock: None,
    closing: false,
    idle: false,
    memo: plimsoll_market::Memo::NONE,
};

#[tokio::test]
async fn second_instance_is_refused_until_the_first_has_stopped() {
    everywhere("second_instance", async |place| {
        let first = place.open().await;
        let error = open(place.config()).await.unwrap_err();
        let StoreError::InUse { holder, .. } = &error else { panic!("{error}") };
        let id = std::process::id();
        match holder {
            Holder::Process(process) => assert_eq!(*process, id),
            Holder::Session(name) => assert!(name.contains(&format!("plimsoll, process {id}")), "{name}"),
            Holder::Unknown => panic!("{error}"),
        }
        assert!(error.to_string().contains("stop that one"), "{error}");
        assert_eq!(error.class(), ErrorClass::Fatal);
        first.commit(key("BTCUSDT"), STATE).await.unwrap();
        first.stop(Duration::from_secs(10)).await.unwrap();
        let second = place.open().await;
        assert_eq!(second.load(&key("BTCUSDT")).await.unwrap().state, Some(STATE));
        second.stop(Duration::from_secs(10)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn newer_schema_is_refused_and_left_alone() {
    everywhere("newer_schema", async |place| {
        place.open().await.stop(Duration::from_secs(10)).await.unwrap();
        place.meddle("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)").await;
        let error = open(place.config()).await.unwrap_err();
        let StoreError::SchemaNewer { found, known, .. } = &error else { panic!("{error}") };
        assert!(found == "m9999_future" && known.starts_with("m0"), "{error}");
        assert!(error.to_string().contains("start the newer version"), "{error}");
        place.meddle("DELETE FROM seaql_migrations WHERE version = 'm9999_future'").await;
        place.open().await.stop(Duration::from_secs(10)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn other_file_is_refused_and_left_alone() {
    let place = Place::file();
    let text = "this is a letter to my aunt, not a database; ".repeat(100);
    std::fs::write(place.path(), &text).unwrap();
    let error = open(place.config()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{}", error.chain());
    assert!(error.to_string().contains("restore a backup"), "{error}");
    assert_eq!(std::fs::read_to_string(place.path()).unwrap(), text);
}

#[tokio::test]
async fn folder_in_place_of_the_file_is_refused() {
    let place = Place::file();
    std::fs::create_dir(place.path()).unwrap();
    let error = open(place.config()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{}", error.chain());
    assert!(error.to_string().contains("it must be a file"), "{error}");
}

#[tokio::test]
async fn server_that_is_not_there_is_named_without_its_password() {
    // Port 1 of the loopback: nobody listens.
    let error = open(RawStoreConfig::new("postgres://me:hunter2@127.0.0.1:1/bot")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{}", error.chain());
    assert_eq!(error.class(), ErrorClass::Unavailable);
    assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    assert!(error.to_string().contains("127.0.0.1:1/bot"), "{error}");
}

#[tokio::test]
async fn refused_batch_is_kept_and_stored_once_the_database_takes_it() {
    let place = Place::file();
    let raw = RawStoreConfig { batch_size: 4, flush_interval_ms: 10, ..place.config() };
    let store = open(raw).await.unwrap();
    let key = key("BTCUSDT");
    place.meddle("CREATE TRIGGER refuse BEFORE INSERT ON fills BEGIN SELECT RAISE(ABORT, 'not today'); END").await;

    let mut recorder = store.recorder(key);
    let mut totals = Totals::EMPTY;
    for _ in 0..10 {
        let next = record(totals.fills + 1, &totals);
        recorder.record(next).unwrap();
        totals = next.totals;
    }
    let failing = health(&store, |health| health.failures >= 3).await;
    assert!(failing.failing.as_ref().is_some_and(|text| text.contains("not today")), "{failing:?}");
    assert!(store.flush().await.is_err(), "a flush that stores nothing says so");
    // State does not wait for records.
    store.commit(key, STATE).await.unwrap();
    assert_eq!(store.counts().records, 0);

    place.meddle("DROP TRIGGER refuse").await;
    health(&store, |health| health.failing.is_none()).await;
    let stored = check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await);
    assert_eq!((stored, store.counts().records), (10, 10));
    store.stop(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn full_queue_stops_opening_first_then_refuses_and_leaves_no_hole() {
    let place = Place::file();
    let raw = RawStoreConfig { batch_size: 2, flush_interval_ms: 10, ..place.config() };
    let store = open(raw).await.unwrap();
    let key = key("BTCUSDT");
    place.meddle("CREATE TRIGGER refuse BEFORE INSERT ON fills BEGIN SELECT RAISE(ABORT, 'not today'); END").await;

    let books = records(30);
    let mut recorder = store.recorder(key);
    // The writer does not run before the first await, so all of these wait: 18 places, of which 8 tenths are 14.4.
    for record in &books[..14] {
        recorder.record(*record).unwrap();
    }
    assert!(!store.health().get().records_full);
    recorder.record(books[14]).unwrap();
    assert!(store.health().get().records_full, "opening stops while there is room for what is open");
    for record in &books[15..18] {
        recorder.record(*record).unwrap();
    }
    assert_eq!(recorder.record(books[18]), Err(RecordRefused::Full));
    assert_eq!(recorder.record(books[19]), Err(RecordRefused::Behind));

    place.meddle("DROP TRIGGER refuse").await;
    health(&store, |health| !health.records_full && health.failing.is_none()).await;
    assert_eq!(recorder.record(books[19]), Err(RecordRefused::Behind), "room alone does not fill the hole");
    let stored = check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await);
    assert_eq!(stored, 18);
    recorder.resume();
    for record in &books[18..] {
        recorder.record(*record).unwrap();
    }
    assert_eq!(check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await), 30);
    store.stop(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn full_disk_is_said_and_nothing_confirmed_is_lost() {
    let place = Place::file();
    let small = RawStoreConfig { size_max_bytes: 1 << 20, ..place.config() };
    let store = open(small).await.unwrap();
    let key = key("BTCUSDT");
    let mut recorder = store.recorder(key);
    let (mut totals, mut confirmed) = (Totals::EMPTY, 0);
    let error = loop {
        for _ in 0..100 {
            let next = record(totals.fills + 1, &totals);
            recorder.record(next).unwrap();
            totals = next.totals;
        }
        match store.flush().await {
            Ok(()) => confirmed = totals.fills,
            Err(error) => break error,
        }
        assert!(confirmed < 20_000, "the limit of the file does not hold");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{}", error.chain());
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(error.class(), ErrorClass::Unavailable);
    assert!(store.stop(Duration::from_secs(30)).await.is_err(), "what is left is not passed over");
    assert!(store.sizes().await.unwrap().database <= 1 << 20);

    let store = place.open().await;
    let stored = check_prefix(&store.load(&key).await.unwrap(), &all_fills(&store, &key).await);
    assert!(confirmed > 0 && (confirmed..=totals.fills).contains(&stored), "{confirmed} confirmed, {stored} stored");
    store.stop(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn stopped_store_says_so() {
    let place = Place::file();
    let store = place.open().await;
    let mut recorder = store.recorder(key("BTCUSDT"));
    recorder.record(record(1, &Totals::EMPTY)).unwrap();
    store.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(recorder.record(record(1, &Totals::EMPTY)), Err(RecordRefused::Stopped));
    assert!(matches!(store.commit(key("BTCUSDT"), STATE).await, Err(StoreError::Stopped)));
    assert!(matches!(store.next_run(Time::ZERO).await, Err(StoreError::Stopped)));
    assert!(matches!(store.stop(Duration::from_secs(10)).await, Err(StoreError::Stopped)));
    let store = place.open().await;
    assert_eq!(store.load(&key("BTCUSDT")).await.unwrap().totals.map(|totals| totals.fills), Some(1), "stopping commits");
    store.stop(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn row_that_we_never_write_is_refused_by_name() {
    let place = Place::file();
    let store = place.open().await;
    let mut recorder = store.recorder(key("BTCUSDT"));
    recorder.record(record(1, &Totals::EMPTY)).unwrap();
    store.flush().await.unwrap();
    place.meddle("UPDATE totals SET fees = '1.5'").await;
    let error = store.load(&key("BTCUSDT")).await.unwrap_err();
    assert_eq!(error.to_string(), "a row of totals cannot be read: fees is \"1.5\"");
    store.stop(Duration::from_secs(10)).await.unwrap();
}
