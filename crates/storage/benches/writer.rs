//! Fills through the whole writer (queue, batch, totals with each batch, one transaction) against the same rows through bare
//! `insert_many`, side by side; and the writer beside a reader that holds a snapshot and asks for the largest page ten times a second.
//!
//! Prints rows a second and the median of the rounds' ratios, with the limits: at least 0.7 of bare inserts at 100 and at 1,000 rows a
//! transaction, at least 0.9 beside the reader. On SQLite, and on PostgreSQL too when `PLIMSOLL_TEST_POSTGRES` holds the url of a
//! database to play with. Bounded: some ten seconds on each.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use plimsoll_bounded::{Grant, Tasks};
use plimsoll_market::{Name, Record, Symbol, Totals};
use plimsoll_storage::limits::ROWS_MAX;
use plimsoll_storage::{Key, RawStoreConfig, RecordRefused, RowLimit, Store, StoreConfig, StoreGrants};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, TransactionTrait};
use std::time::{Duration, Instant};

#[path = "../examples/support/books.rs"]
#[expect(clippy::expect_used, reason = "made up of constants")]
mod books;

/// The bot's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 5;

/// The table of fills as a stranger would write to it.
mod fills {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "fills")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub account: String,
        pub symbol: String,
        pub trade_id: i64,
        pub order_id: String,
        pub client_id: Option<String>,
        pub side: String,
        pub price: i64,
        pub qty: i64,
        pub fee: String,
        pub fee_asset: String,
        pub reported: String,
        pub reported_asset: String,
        pub strategy: Option<i32>,
        pub level: Option<i32>,
        pub realized: String,
        pub slot_realized: String,
        pub maker: bool,
        pub time_ns: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        database("SQLite", async |name| format!("sqlite:{}", folder.path().join(name).display())).await;
        match std::env::var("PLIMSOLL_TEST_POSTGRES") {
            Ok(url) => database("PostgreSQL", async |name| schema(&url, name).await).await,
            Err(_) => println!("left out: PostgreSQL, because PLIMSOLL_TEST_POSTGRES is not set"),
        }
    });
}

/// An empty schema on the server.
async fn schema(url: &str, name: &str) -> String {
    let name = format!("bench_{name}");
    let server = Database::connect(url).await.unwrap();
    server.execute_unprepared(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).await.unwrap();
    server.close().await.unwrap();
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}options[search_path]={name}")
}

async fn database(kind: &str, url: impl AsyncFn(&str) -> String) {
    for (batch, rows) in [(100, 20_000), (1_000, 60_000)] {
        let (own, bare) = (url(&format!("own{batch}")).await, url(&format!("bare{batch}")).await);
        let mut writer = Writer::open(&own, batch).await;
        // Its schema is ours.
        Writer::open(&bare, batch).await.close().await;
        let stranger = connect(&bare).await;
        let (mut ratios, mut speeds) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS as u64 {
            let first = round * rows + 1;
            let ours = writer.write(first, rows).await;
            let theirs = insert(&stranger, first, rows, batch).await;
            // The first round warms up.
            if round > 0 {
                ratios.push(ours / theirs);
                speeds.push((ours, theirs));
            }
        }
        let (ours, theirs) = speeds.iter().fold((0.0, 0.0), |sum, speed| (sum.0 + speed.0, sum.1 + speed.1));
        let mean = |sum: f64| sum / ROUNDS as f64 / 1e3;
        verdict(
            &format!("{kind}, {batch} rows a transaction: writer {:.0} k rows/s, bare insert_many {:.0} k", mean(ours), mean(theirs)),
            &mut ratios,
            0.7,
        );
        stranger.close().await.unwrap();
        if batch == 100 {
            beside_a_reader(kind, &own, &mut writer, (ROUNDS as u64 + 1) * rows, rows).await;
        }
        writer.close().await;
    }
}

/// The same beside somebody who holds a snapshot all the while, and asks for the largest page ten times a second.
async fn beside_a_reader(kind: &str, url: &str, writer: &mut Writer, written: u64, rows: u64) {
    let foreign = connect(url).await;
    let mut ratios = Vec::new();
    let mut first = written + 1;
    for _ in 0..ROUNDS {
        let alone = writer.write(first, rows).await;
        first += rows;
        let snapshot = foreign.begin().await.unwrap();
        assert!(fills::Entity::find_by_id(1).one(&snapshot).await.unwrap().is_some());
        let (reader, key) = (writer.store.reader(), writer.key);
        let asking = async {
            loop {
                assert_eq!(reader.fills(&key, None, RowLimit::new(ROWS_MAX).unwrap()).await.unwrap().rows.len(), ROWS_MAX as usize);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let beside = tokio::select! {
            speed = writer.write(first, rows) => speed,
            () = asking => unreachable!(),
        };
        first += rows;
        snapshot.rollback().await.unwrap();
        ratios.push(beside / alone);
    }
    foreign.close().await.unwrap();
    verdict(&format!("{kind}, the writer beside a slow reader"), &mut ratios, 0.9);
}

fn verdict(what: &str, ratios: &mut [f64], least: f64) {
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let word = if median >= least { "ok" } else { "TOO SLOW" };
    println!("{what}; ratio {median:.2} ({:.2} to {:.2}), at least {least}: {word}", ratios[0], ratios[ratios.len() - 1]);
}

struct Writer {
    store: Store,
    key: Key,
    totals: Totals,
}

impl Writer {
    async fn open(url: &str, batch_size: usize) -> Self {
        let raw = RawStoreConfig { batch_size, flush_interval_ms: 60_000, ..RawStoreConfig::new(url) };
        let config = StoreConfig::try_from(raw).unwrap();
        let grants = StoreGrants::detached(&config);
        let tasks = Tasks::new(Grant::detached(Tasks::line("bench.tasks", 2, 1_024)));
        let store = Store::open(config, grants, &tasks).await.unwrap();
        Self { store, key: Key { account: Name::new("main").unwrap(), symbol: Symbol::new("BTCUSDT").unwrap() }, totals: Totals::EMPTY }
    }

    /// Rows a second from the first record to the last commit.
    async fn write(&mut self, first: u64, rows: u64) -> f64 {
        let mut recorder = self.store.recorder(self.key);
        let begun = Instant::now();
        for number in first..first + rows {
            let record = books::record(number, &self.totals);
            self.totals = record.totals;
            let record = Record { order: None, slot: None, ..record };
            while let Err(refused) = recorder.record(record) {
                assert!(refused != RecordRefused::Stopped);
                // An engine never waits; a benchmark must.
                tokio::time::sleep(Duration::from_micros(200)).await;
                recorder.resume();
            }
        }
        self.store.flush().await.unwrap();
        rows as f64 / begun.elapsed().as_secs_f64()
    }

    async fn close(self) {
        self.store.stop(Duration::from_secs(30)).await.unwrap();
    }
}

/// A connection of a stranger's, as fast as the writer's: with its log, synced as seldom.
async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    if url.starts_with("sqlite:") {
        db.execute_unprepared("PRAGMA synchronous = NORMAL").await.unwrap();
    }
    db
}

async fn insert(db: &DatabaseConnection, first: u64, rows: u64, batch: usize) -> f64 {
    let begun = Instant::now();
    let (mut number, end, mut totals) = (first, first + rows, Totals::EMPTY);
    while number < end {
        let mut models = Vec::with_capacity(batch);
        while models.len() < batch && number < end {
            let record = books::record(number, &totals);
            totals = record.totals;
            let booked = record.fill.unwrap();
            let fill = booked.fill;
            models.push(fills::ActiveModel {
                id: NotSet,
                account: Set("main".to_owned()),
                symbol: Set("BTCUSDT".to_owned()),
                trade_id: Set(fill.trade_id.0 as i64),
                order_id: Set(fill.order_id.0.to_string()),
                client_id: Set(fill.id.map(|id| id.text().to_string())),
                side: Set(fill.side.as_str().to_owned()),
                price: Set(fill.price.units()),
                qty: Set(fill.qty.units() as i64),
                fee: Set(fill.fee.units.to_string()),
                fee_asset: Set(fill.fee.asset.to_string()),
                reported: Set(fill.realized.units.to_string()),
                reported_asset: Set(fill.realized.asset.to_string()),
                strategy: Set(booked.leg.map(|leg| i32::from(leg.strategy()))),
                level: Set(booked.leg.map(|leg| leg.index())),
                realized: Set(booked.realized.to_string()),
                slot_realized: Set(booked.slot_realized.to_string()),
                maker: Set(fill.maker),
                time_ns: Set(fill.time.nanos() as i64),
            });
            number += 1;
        }
        let transaction = db.begin().await.unwrap();
        fills::Entity::insert_many(models).exec_without_returning(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}
