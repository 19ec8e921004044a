//! What a world is like: drawn from its seed, shown, and reduced when a failing world is made smaller.

use core::fmt;
use core::time::Duration;
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A thing that can go wrong, and how often.
///
/// The unit of a rate is stated for each; all are in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Fault {
    /// A request never leaves.
    NotSent,
    /// A request leaves and never arrives.
    Lost,
    /// A request is carried out and its answer never comes.
    AnswerLost,
    /// A request or answer takes up to seconds.
    Slow,
    /// A request takes longer than its timeout and is carried out after it.
    TooSlow,
    /// 503: the outcome is unknown, and it was carried out.
    BusyAccepted,
    /// 503: it was not carried out.
    BusyRefused,
    /// 503 with -1007: carried out, says the exchange, it knows not what.
    TimeoutAccepted,
    /// An answer lacks a field, or is cut off.
    AnswerMangled,
    /// A connection breaks, a second of its life.
    Reset,
    /// A connection stays open and brings nothing but pings, a second of its life.
    HalfOpen,
    /// The user stream brings an event twice.
    Twice,
    /// Two events of the user stream change places.
    Swapped,
    /// A change of a book never comes.
    BookGap,
    /// A message of a stream lacks a field.
    FrameMangled,
    /// The listen key ends before its time, a second.
    ListenKey,
    /// All requests are answered 429 for a while, a second.
    RateLimited,
    /// All requests are answered 418 for a while, a second.
    Banned,
    /// The exchange's clock steps ahead by up to three seconds, a second.
    ClockStep,
    /// Somebody places an order by hand, a second.
    HandOrder,
    /// Somebody trades at market by hand, a second.
    HandTrade,
    /// The process is killed between two steps, a step.
    Crash,
    /// The process is killed between two requests of one decision, a request.
    CrashMidway,
    /// The database takes nothing for a while, a second.
    DiskStuck,
    /// An operator gives an order, a second.
    Command,
    /// Memory is short for a while, a second.
    MemoryShort,
    /// The database is lost with a crash, a crash.
    DiskLost,
    /// One kind of request is answered with an error for a while, a second.
    Endpoint,
    /// A symbol's engine fails and is built anew from what is stored, a second.
    Rebuilt,
    /// The exchange closes all of the account by force, a second.
    Liquidated,
    /// The exchange takes a part of a position over, a second.
    Deleveraged,
    /// -2019: an order is refused for want of margin; this and all below by order placed, and nothing is done.
    NoMargin,
    /// -5022: a post-only order would have taken.
    WouldTake,
    /// -2022: a reduce-only order has nothing to reduce.
    NothingToReduce,
    /// -1111 or -4164: an order breaks a filter that nobody told of.
    Filter,
    /// -2025: too many orders are open.
    TooManyOrders,
    /// -1015: too many orders were sent.
    TooFast,
    /// -4140: the symbol opens no positions now.
    NotOpen,
    /// -2023 or -2027: the account may not.
    Restricted,
    /// -4116: an order came through, and once more: of the second, told is that its id is taken.
    Duplicate,
    /// -2015: the key lacks a permission for a moment.
    NoPermission,
    /// -1021: the stamp is refused.
    Stamp,
    /// -4411: something that no table knows.
    Odd,
}

/// How the exchange refuses an order: the fault, and the codes that it comes with, each with its status.
pub(crate) const REFUSALS: [(Fault, &[(u16, i32)]); 12] = [
    (Fault::NoMargin, &[(400, -2019)]),
    (Fault::WouldTake, &[(400, -5022)]),
    (Fault::NothingToReduce, &[(400, -2022)]),
    (Fault::Filter, &[(400, -1111), (400, -4164)]),
    (Fault::TooManyOrders, &[(400, -2025)]),
    (Fault::TooFast, &[(429, -1015), (400, -1015)]),
    (Fault::NotOpen, &[(400, -4140)]),
    (Fault::Restricted, &[(400, -2023), (400, -2027)]),
    (Fault::Duplicate, &[(400, -4116)]),
    (Fault::NoPermission, &[(401, -2015)]),
    (Fault::Stamp, &[(400, -1021)]),
    (Fault::Odd, &[(400, -4411)]),
];

impl Fault {
    /// All of them, in the order of their discriminants, each with its word and the rate that a world draws up to.
    pub const ALL: [(Self, &'static str, u32); Self::Odd as usize + 1] = [
        (Self::NotSent, "not-sent", 20_000),
        (Self::Lost, "lost", 20_000),
        (Self::AnswerLost, "answer-lost", 30_000),
        (Self::Slow, "slow", 50_000),
        (Self::TooSlow, "too-slow", 10_000),
        (Self::BusyAccepted, "busy-accepted", 20_000),
        (Self::BusyRefused, "busy-refused", 20_000),
        (Self::TimeoutAccepted, "timeout-accepted", 20_000),
        (Self::AnswerMangled, "answer-mangled", 10_000),
        (Self::Reset, "reset", 100_000),
        (Self::HalfOpen, "half-open", 30_000),
        (Self::Twice, "twice", 200_000),
        (Self::Swapped, "swapped", 300_000),
        (Self::BookGap, "book-gap", 10_000),
        (Self::FrameMangled, "frame-mangled", 1_000),
        (Self::ListenKey, "listen-key", 50_000),
        (Self::RateLimited, "rate-limited", 20_000),
        (Self::Banned, "banned", 5_000),
        (Self::ClockStep, "clock-step", 30_000),
        (Self::HandOrder, "hand-order", 100_000),
        (Self::HandTrade, "hand-trade", 50_000),
        (Self::Crash, "crash", 300),
        (Self::CrashMidway, "crash-midway", 10_000),
        (Self::DiskStuck, "disk-stuck", 30_000),
        (Self::Command, "command", 100_000),
        (Self::MemoryShort, "memory-short", 30_000),
        (Self::DiskLost, "disk-lost", 100_000),
        (Self::Endpoint, "endpoint", 80_000),
        (Self::Rebuilt, "rebuilt", 30_000),
        (Self::Liquidated, "liquidated", 10_000),
        (Self::Deleveraged, "deleveraged", 50_000),
        (Self::NoMargin, "no-margin", 50_000),
        (Self::WouldTake, "would-take", 50_000),
        (Self::NothingToReduce, "nothing-to-reduce", 50_000),
        (Self::Filter, "filter", 50_000),
        (Self::TooManyOrders, "too-many-orders", 50_000),
        (Self::TooFast, "too-fast", 10_000),
        (Self::NotOpen, "not-open", 50_000),
        (Self::Restricted, "restricted", 50_000),
        (Self::Duplicate, "duplicate", 50_000),
        (Self::NoPermission, "no-permission", 20_000),
        (Self::Stamp, "stamp", 50_000),
        (Self::Odd, "odd", 20_000),
    ];

    /// The word of it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.get(self as usize).map_or("", |(_, word, _)| word)
    }

    /// The fault of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == word).map(|(fault, ..)| *fault)
    }
}

/// Strategies on one symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Several {
    /// One.
    No,
    /// A grid, a martingale the other way and momentum both ways, by what the market does, with one capital.
    Combo,
    /// A grid of which three spacings are to be chosen from.
    Spacings,
}

/// What a world is like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// How long faults happen.
    pub trouble: Duration,
    /// How long they have been over when the books are compared.
    pub peace: Duration,
    /// Symbols traded, 1 to 3.
    pub symbols: usize,
    /// Speed of the market, in thousandths.
    pub speed_milli: u32,
    /// Least time on the way, each way, in microseconds.
    pub latency_us: u32,
    /// Buy and sell levels kept.
    pub windows: (u8, u8),
    /// What an account begins with, USDT.
    pub wallet: u32,
    /// Leverage.
    pub leverage: u16,
    /// Time between fundings.
    pub funding_every: Duration,
    /// Request weight a minute that the exchange grants.
    pub weight: u32,
    /// The most that holding and opening orders of all symbols may be worth, USDT.
    pub exposure: u32,
    /// What a buy may cost, USDT.
    pub order: u32,
    /// Orders that are open when the bot first starts: those of an earlier life of ours, of which nothing is stored.
    pub left_open: u8,
    /// Orders of somebody else that are open when the bot first starts.
    pub foreign: u8,
    /// When the process is killed for the first time, before anything but state is on disk; zero when it is not.
    pub killed_at: Duration,
    /// Stop-loss of each symbol, in millionths; zero when there is none. In peace an operator re-arms what it has latched.
    pub stop_loss: u32,
    /// Time after which the exchange withdraws the orders of a bot that is silent; zero for never. Only where nobody else has
    /// orders, since it takes those too.
    pub countdown: Duration,
    /// When the account begins to pay its fees in the exchange's own coin; zero for never.
    pub burn_from: Duration,
    /// Whether the strategies are short: grids sell above the price and buy back below.
    pub short: bool,
    /// Whether they hold one position of layers each instead of a grid: entered at the close of a minute, with orders that take.
    pub layered: bool,
    /// Whether market makers quote both sides, whatever the other two say.
    pub makers: bool,
    /// Whether grids have all that a grid can have: levels a ratio apart, bounds that follow the price, orders that grow and shrink.
    pub rich: bool,
    /// Whether there is more than one strategy on a symbol.
    pub several: Several,
    /// Rates in millionths, by the number of the fault.
    pub rates: [u32; Fault::ALL.len()],
}

impl Options {
    /// Draws a world. Each fault is on in about half of the worlds, so that some worlds show one alone.
    pub fn draw(seed: u64, trouble: Duration) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed ^ 0x5eed_0f40_ace5);
        let mut up_to = |most: u64| random.next_u64() % (most + 1);
        let rates = Fault::ALL.map(|(_, _, most)| match up_to(3) {
            0 | 1 => 0,
            2 => (up_to(u64::from(most)) / 8) as u32,
            _ => up_to(u64::from(most)) as u32,
        });
        let drawn = Self {
            seed,
            trouble,
            peace: Duration::from_secs(60),
            symbols: 1 + up_to(1) as usize,
            speed_milli: [1_000, 5_000, 20_000, 40_000][up_to(3) as usize],
            latency_us: [200, 2_000, 20_000, 150_000][up_to(3) as usize],
            windows: [(1, 1), (3, 3), (8, 8), (20, 20), (32, 32)][up_to(4) as usize],
            wallet: [100_000, 100_000, 3_000, 600][up_to(3) as usize],
            leverage: [1, 10, 50][up_to(2) as usize],
            funding_every: Duration::from_secs([60, 300, 28_800][up_to(2) as usize]),
            weight: [2_400, 2_400, 400][up_to(2) as usize],
            exposure: [50_000, 50_000, 8][up_to(2) as usize],
            // The larger they are, the more executions each has.
            order: [250, 5_000, 60_000][up_to(2) as usize],
            left_open: [0, 0, 0, 12][up_to(3) as usize],
            foreign: [0, 0, 0, 5][up_to(3) as usize],
            killed_at: Duration::from_millis([0, 0, 1, 1][up_to(3) as usize] * (4_000 + up_to(6_000))),
            stop_loss: [0, 0, 1][up_to(2) as usize] * (3_000 + up_to(17_000) as u32),
            countdown: Duration::from_secs([0, 15][up_to(1) as usize]),
            burn_from: Duration::from_secs([0, 0, 1, 20][up_to(3) as usize]),
            short: false,
            layered: false,
            makers: false,
            rich: false,
            several: Several::No,
            rates,
        };
        // Of its own, so that the worlds of all seeds stay what they were but for this.
        let kind = Pcg64Mcg::seed_from_u64(seed ^ 0x5407_0001).next_u64() % 12;
        let (short, layered, makers) = (kind % 3 == 0, kind > 8, kind == 7);
        // Orders that a grid has left are of slots that no layered strategy would close: a start with them is refused.
        // A maker needs some minutes until it knows how much the market moves.
        let trouble = if makers { trouble.max(Duration::from_secs(300)) } else { trouble };
        let kind = Pcg64Mcg::seed_from_u64(seed ^ 0xc0b0_0002).next_u64() % 8;
        let (rich, several) = match kind {
            0 | 1 if !layered && !makers => (true, Several::No),
            2 | 3 if !makers => (false, Several::Combo),
            4 if !makers => (false, Several::Spacings),
            _ => (false, Several::No),
        };
        // Those that go by bars need some minutes until they know what the market does.
        let trouble = match several {
            Several::No => trouble,
            Several::Combo if seed.is_multiple_of(3) => trouble.max(Duration::from_secs(300)),
            Several::Combo => trouble.max(Duration::from_secs(150)),
            Several::Spacings => trouble.max(Duration::from_secs(270)),
        };
        let layered = layered && several == Several::No;
        let left_open = if layered || makers || rich || several != Several::No { 0 } else { drawn.left_open };
        let drawn = Self { short, layered, makers, rich, several, trouble, left_open, ..drawn };
        // What the account cannot pay for is no order; exposure is worth some orders where it is short, and more where it is not.
        let order = if drawn.order * 10 > drawn.wallet * u32::from(drawn.leverage) { 250 } else { drawn.order };
        let exposure = if drawn.exposure < 100 { drawn.exposure * order } else { drawn.exposure.max(40 * order) };
        let alone = drawn.foreign == 0 && drawn.rate(Fault::HandOrder) == 0;
        let countdown = if alone { drawn.countdown } else { Duration::ZERO };
        Self { order, exposure, countdown, ..drawn }
    }

    /// How often something goes wrong, in millionths.
    pub fn rate(&self, fault: Fault) -> u32 {
        self.rates.get(fault as usize).copied().unwrap_or(0)
    }

    /// The same world with a fault at another rate.
    #[must_use]
    pub fn with(&self, fault: Fault, rate: u32) -> Self {
        let mut changed = self.clone();
        if let Some(place) = changed.rates.get_mut(fault as usize) {
            *place = rate;
        }
        changed
    }

    /// The faults that are on.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u32)> + '_ {
        Fault::ALL.iter().map(|(fault, ..)| (*fault, self.rate(*fault))).filter(|(_, rate)| *rate > 0)
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, trouble, peace, symbols, speed_milli, latency_us, windows, wallet, leverage, .. } = self;
        write!(
            f,
            "seed {seed}: {} s of trouble, {} s of peace, {symbols} symbols at speed {}, latency {latency_us} µs, windows {}+{}, {wallet} USDT at leverage {leverage}, ",
            trouble.as_secs_f32(),
            peace.as_secs(),
            f64::from(*speed_milli) / 1_000.0,
            windows.0,
            windows.1,
        )?;
        let Self { funding_every, weight, exposure, order, left_open, foreign, killed_at, stop_loss, countdown, burn_from, .. } = self;
        match (self.short, self.layered) {
            _ if self.makers => f.write_str("market makers, ")?,
            _ if self.several == Several::Combo => f.write_str("several strategies, ")?,
            _ if self.several == Several::Spacings => f.write_str("grids of several spacings, ")?,
            (false, false) => {}
            (true, false) => f.write_str("short grids, ")?,
            (false, true) => f.write_str("long layers, ")?,
            (true, true) => f.write_str("short layers, ")?,
        }
        f.write_str(if self.rich { "all options of a grid, " } else { "" })?;
        f.write_str(if self.short && self.several != Several::No { "short, " } else { "" })?;
        write!(
            f,
            "exposure {exposure}, orders of {order}, {left_open} orders of ours and {foreign} of others open before, killed at {} s, stop-loss {stop_loss} ppm, countdown {} s, fees in coin from {} s, funding every {} s, weight {weight}:",
            killed_at.as_secs_f32(),
            countdown.as_secs(),
            burn_from.as_secs(),
            funding_every.as_secs()
        )?;
        self.faults().try_for_each(|(fault, rate)| write!(f, " {}={:.6}", fault.as_str(), f64::from(rate) / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_in_order() {
        for (at, (fault, word, most)) in Fault::ALL.into_iter().enumerate() {
            assert_eq!((fault as usize, Fault::parse(word), most > 0), (at, Some(fault), true));
        }
        assert_eq!(Fault::parse("none"), None);
    }

    #[test]
    fn a_seed_draws_the_same_world_and_worlds_differ() {
        let draw = |seed| Options::draw(seed, Duration::from_secs(60));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7).rates, draw(8).rates);
        let on = (0..200).map(|seed| draw(seed).faults().count()).sum::<usize>();
        assert!((200 * Fault::ALL.len() * 4 / 10..200 * Fault::ALL.len() * 6 / 10).contains(&on), "{on}");
    }
}
