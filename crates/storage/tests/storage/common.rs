//! A bot's bookkeeping in small, and databases to keep it in.

use plimsoll_bounded::{Grant, Tasks};
use plimsoll_market::{Booked, Name, Order, Record, SlotRow, Symbol, Totals};
use plimsoll_storage::limits::ROWS_MAX;
use plimsoll_storage::{Health, Key, RawStoreConfig, RowLimit, Store, StoreConfig, StoreError, StoreGrants};
use sea_orm::ConnectionTrait;

pub use crate::books::record;

pub fn key(symbol: &str) -> Key {
    Key { account: Name::new("main").unwrap(), symbol: Symbol::new(symbol).unwrap() }
}

pub fn tasks() -> Tasks {
    Tasks::new(Grant::detached(Tasks::line("test.tasks", 4, 1_024)))
}

pub async fn open(raw: RawStoreConfig) -> Result<Store, StoreError> {
    let config = StoreConfig::try_from(raw).unwrap();
    let grants = StoreGrants::detached(&config);
    Store::open(config, grants, &tasks()).await
}

/// A database of its own for one test; gone with it.
pub struct Place {
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    pub fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("bot.db").display());
        Self { url, _folder: Some(folder) }
    }

    /// A file in a folder that is not this place's own.
    pub fn within(folder: &std::path::Path) -> Self {
        Self { url: format!("sqlite:{}", folder.join("bot.db").display()), _folder: None }
    }

    /// A database of a server that is not this place's own.
    pub fn at(url: String) -> Self {
        Self { url, _folder: None }
    }

    /// An empty schema on the server, if there is a server.
    pub async fn schema(name: &str) -> Option<Self> {
        let Ok(url) = std::env::var("PLIMSOLL_TEST_POSTGRES") else {
            eprintln!("left out: {name} on PostgreSQL, because PLIMSOLL_TEST_POSTGRES is not set");
            return None;
        };
        let server = sea_orm::Database::connect(&url).await.unwrap();
        server.execute_unprepared(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).await.unwrap();
        server.close().await.unwrap();
        let sign = if url.contains('?') { '&' } else { '?' };
        Some(Self { url: format!("{url}{sign}options[search_path]={name}"), _folder: None })
    }

    pub fn config(&self) -> RawStoreConfig {
        RawStoreConfig::new(&self.url)
    }

    pub async fn open(&self) -> Store {
        open(self.config()).await.unwrap()
    }

    /// Runs statements behind the store's back.
    pub async fn meddle(&self, sql: &str) {
        let back = sea_orm::Database::connect(&self.url).await.unwrap();
        back.execute_unprepared(sql).await.unwrap();
        back.close().await.unwrap();
    }

    /// Reads one number, after some statements on the same connection.
    pub async fn number(&self, before: &[&str], sql: &str) -> i64 {
        let mut options = sea_orm::ConnectOptions::new(&self.url);
        options.max_connections(1);
        let back = sea_orm::Database::connect(options).await.unwrap();
        for statement in before {
            back.execute_unprepared(statement).await.unwrap();
        }
        let statement = sea_orm::Statement::from_string(back.get_database_backend(), sql);
        let number = back.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        back.close().await.unwrap();
        number
    }

    pub fn is_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.url.strip_prefix("sqlite:").unwrap().into()
    }
}

/// Runs a test on every database there is.
pub async fn everywhere(name: &str, test: impl AsyncFn(&Place)) {
    test(&Place::file()).await;
    if let Some(place) = Place::schema(name).await {
        test(&place).await;
    }
}

/// A symbol's loop in small: records fill after fill, and after a refusal goes on behind what is stored, as an engine does.
pub struct Loop {
    pub recorder: plimsoll_storage::Recorder,
    pub totals: Totals,
}

impl Loop {
    pub fn new(store: &Store) -> Self {
        Self { recorder: store.recorder(key("BTCUSDT")), totals: Totals::EMPTY }
    }

    /// Records so many fills; tells whether all were taken.
    pub fn record(&mut self, number: u64) -> bool {
        for _ in 0..number {
            let next = record(self.totals.fills + 1, &self.totals);
            if self.recorder.record(next).is_err() {
                return false;
            }
            self.totals = next.totals;
        }
        true
    }

    /// Asserts that everything confirmed is stored, once, and goes on behind it.
    pub async fn resume(&mut self, store: &Store, confirmed: u64) {
        let key = key("BTCUSDT");
        let loaded = store.load(&key).await.unwrap();
        let stored = check_prefix(&loaded, &all_fills(store, &key).await);
        assert!((confirmed..=self.totals.fills).contains(&stored), "{stored} stored, {confirmed} confirmed");
        self.totals = loaded.totals.unwrap_or(Totals::EMPTY);
        self.recorder.resume();
    }
}

/// Waits until storage says so.
pub async fn health(store: &Store, wanted: impl Fn(&Health) -> bool) -> Health {
    let mut health = store.health();
    loop {
        let now = health.get();
        if wanted(&now) {
            return now;
        }
        health.changed().await.unwrap();
    }
}

/// What an engine books from its first fill on.
pub fn records(number: u64) -> Vec<Record> {
    let mut totals = Totals::EMPTY;
    let book = |number| {
        let record = record(number, &totals);
        totals = record.totals;
        record
    };
    (1..=number).map(book).collect()
}

/// Asserts that what is stored is exactly the first fills, each once, and everything that follows from them; returns how many.
#[track_caller]
pub fn check_prefix(stored: &plimsoll_storage::Stored, fills: &[Booked]) -> u64 {
    let number = stored.totals.map_or(0, |totals| totals.fills);
    let books = records(number);
    let booked: Vec<Booked> = books.iter().filter_map(|record| record.fill).collect();
    assert_eq!(fills, booked, "fills are not the first {number}, each once");
    assert_eq!(stored.totals, books.last().map(|record| record.totals), "totals are not those of the last fill");
    let mut slots: Vec<SlotRow> = Vec::new();
    let mut open: Vec<Order> = Vec::new();
    for Record { order, slot, .. } in &books {
        let slot = slot.unwrap();
        slots.retain(|other| other.leg != slot.leg);
        slots.extend((!slot.held.is_zero()).then_some(slot));
        open.extend(order.filter(|order| !order.status.is_final()));
    }
    slots.sort_by_key(|slot| slot.leg);
    open.reverse();
    assert_eq!(stored.slots, slots);
    assert_eq!(stored.open_orders, open.into_iter().take(stored.open_orders.len().max(1_000)).collect::<Vec<_>>());
    number
}

/// Reads all fills, the oldest first, a page at a time.
pub async fn all_fills(store: &Store, key: &Key) -> Vec<Booked> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = store.reader().fills(key, before, RowLimit::new(ROWS_MAX).unwrap()).await.unwrap();
        all.extend(page.rows);
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    all.reverse();
    all
}
