//! Days of quiet trading: whether anything grows.

use crate::bot::Ground;
use crate::check::{ACCOUNT, truth};
use crate::options::{Fault, Options};
use crate::world::World;
use core::time::Duration;
use plimsoll_position::invariants::agree;

/// How large everything is at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Made-up time since the start.
    pub passed: Duration,
    /// Changes of the best prices that the engine was told since then.
    pub ticks: u64,
    /// Executions since then.
    pub fills: u64,
    /// Slots that hold something.
    pub slots: usize,
    /// Orders that the books know.
    pub orders: usize,
    /// Open orders at the exchange.
    pub open: usize,
    /// Requests of the session that wait or are on their way.
    pub requests: u32,
    /// Messages, requests and timers on their way.
    pub on_the_way: usize,
    /// Records that wait for the disk.
    pub waiting: usize,
    /// Rows that the disk keeps for the next start.
    pub rows: usize,
    /// Bytes of the engine with its books.
    pub engine_bytes: usize,
}

/// Trades one symbol for so long, with about 20 changes of the best prices a second and nothing that goes wrong, and shows how
/// large everything is, again and again.
///
/// # Errors
/// Something is broken that must hold, the books differ from the exchange, or the world cannot be set up.
///
/// # Bounds
/// Memory: a world's. Time: see `tests/soak.rs`.
pub fn soak(span: Duration, every: Duration, mut look: impl FnMut(&Sizes)) -> anyhow::Result<()> {
    let options = Options {
        seed: 72,
        trouble: Duration::MAX,
        peace: Duration::ZERO,
        symbols: 1,
        speed_milli: 500,
        latency_us: 2_000,
        windows: (8, 8),
        wallet: 100_000,
        leverage: 10,
        funding_every: Duration::from_secs(8 * 3_600),
        weight: 2_400,
        exposure: 50_000,
        order: 250,
        left_open: 0,
        foreign: 0,
        killed_at: Duration::ZERO,
        stop_loss: 0,
        countdown: Duration::ZERO,
        burn_from: Duration::ZERO,
        short: false,
        layered: false,
        makers: false,
        rich: false,
        several: crate::options::Several::No,
        rates: [0; Fault::ALL.len()],
    };
    let mut world = World::on(&options, Ground::drawn(&options), false)?;
    let begun = world.now();
    world.begin(None);
    while world.now().since(begun) < span {
        world.live_until(world.now() + every)?;
        if let Some(broken) = world.broken() {
            anyhow::bail!("{broken}");
        }
        let bot = world.bot().ok_or_else(|| anyhow::anyhow!("nobody trades"))?;
        let seat = bot.seats.first().ok_or_else(|| anyhow::anyhow!("the session has not booted"))?;
        let view = seat.engine.position().view(world.now());
        let stats = bot.session.stats();
        let disk = world.disk(0);
        look(&Sizes {
            passed: world.now().since(begun),
            ticks: world.ticks(),
            fills: view.totals.fills,
            slots: view.slots.iter().filter(|slot| !slot.is_empty()).count(),
            orders: view.orders.iter().count(),
            open: world.venue().open_orders(ACCOUNT, None).map_or(0, |open| open.len()),
            requests: stats.requests_waiting + stats.requests_in_flight,
            on_the_way: world.on_its_way(),
            waiting: disk.map_or(0, |disk| disk.waiting()),
            rows: disk.map_or(0, |disk| disk.rows()),
            engine_bytes: seat.engine.bytes(),
        });
    }
    world.live_until(world.now() + Duration::from_secs(5))?;
    let bot = world.bot().ok_or_else(|| anyhow::anyhow!("nobody trades"))?;
    let seat = bot.seats.first().ok_or_else(|| anyhow::anyhow!("the session has not booted"))?;
    let baseline = world.began(0);
    let truth = truth(world.venue(), seat.instrument.symbol, baseline).ok_or_else(|| anyhow::anyhow!("no such symbol"))?;
    let totals = *seat.engine.position().view(world.now()).totals;
    // The exchange keeps only so many executions: then the position is left to compare.
    let compared =
        if truth.fills == totals.fills { agree(&totals, &truth) } else { plimsoll_position::invariants::position_agrees(&totals, &truth) };
    compared.map_err(|broken| anyhow::anyhow!("{broken}"))
}
