//! After warm-up the busy messages are decoded, and orders written and signed, without a single allocation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests may panic, and say what they leave out")]
#![allow(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]

#[path = "shared/messages.rs"]
mod fixtures;
mod shared;

use plimsoll_bounded::Ledger;
use plimsoll_exchange::binance::book_sync::BookSync;
use plimsoll_exchange::binance::decode::{Message, decode};
use plimsoll_exchange::binance::encode::{OrderRef, ResponseType, cancel_order, place_order};
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_market::{ClientId, Instrument, Leg, OrderType, Place, Price, Qty, Side, Tag, Time, TimeInForce};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[track_caller]
fn none(what: &str, mut work: impl FnMut()) {
    work();
    let before = COUNT.with(Cell::get);
    work();
    let after = COUNT.with(Cell::get);
    assert_eq!(after - before, 0, "{what} allocated");
}

#[test]
fn busy_messages_allocate_nothing() {
    let ledger = Ledger::open(4 << 20);
    let instruments = shared::instruments(&ledger, &[("BTCUSDT", 2, 3)]);
    let mut buffer = shared::depth_buffer(&ledger);
    let mut sync = BookSync::new(
        ledger.grant(BookSync::levels_line("test.levels", 64)).unwrap(),
        ledger.grant(BookSync::pending_line("test.pending")).unwrap(),
        ledger.grant(BookSync::changes_line("test.changes")).unwrap(),
    );
    for name in ["depthUpdate", "bookTicker", "aggTrade", "trade", "markPriceUpdate"] {
        let raw = fixtures::EVENTS.iter().find(|(n, _)| *n == name).unwrap().1.to_owned();
        let wrapped = format!(r#"{{"stream":"btcusdt@x","data":{raw}}}"#);
        for frame in [raw, wrapped] {
            none(name, || {
                if let Message::Depth(update) = decode(frame.as_bytes(), &instruments, &mut buffer).unwrap() {
                    let _step = sync.on_update(update);
                }
            });
        }
    }
}

#[test]
fn orders_are_written_and_signed_without_allocating() {
    let btc = Instrument::example_btcusdt();
    let id = ClientId::new(Tag(1), 1_700_000_000, Leg::new(0, 5).unwrap(), Side::Sell, 1);
    let place = Place {
        id,
        price: Price::from_units(6_180_010),
        qty: Qty::from_units(2),
        kind: OrderType::Limit,
        tif: TimeInForce::Gtx,
        reduce_only: false,
    };
    let signer = Signer::new(Secret::new("key".to_owned()).unwrap(), &Secret::new("secret".to_owned()).unwrap());
    let mut query = String::new();
    none("placing", || {
        place_order(&mut query, &btc, &place, ResponseType::Result);
        signer.sign(&mut query, Time::from_millis(1_700_000_000_000), 5_000);
    });
    none("cancelling", || {
        cancel_order(&mut query, &btc.symbol, OrderRef::Client(id));
        signer.sign(&mut query, Time::from_millis(1_700_000_000_000), 5_000);
    });
}
