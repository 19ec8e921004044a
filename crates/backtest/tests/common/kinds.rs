//! Every kind of strategy, so that what is compared is compared for all of them.

use plimsoll_market::{Instrument, Price, Round, Side};
use plimsoll_strategy::{
    AdjusterConfig, Average, CapitalConfig, Child, ChildConfig, Choice, ComboConfig, DcaConfig, Direction, Entry, GridConfig, GridOptions,
    MarketMakerConfig, MartingaleConfig, MeanReversionConfig, MomentumConfig, Regime, Regimes, Size, StrategyConfig, TradeConfig, Trailing,
    TrendConfig, TrendFollowingConfig,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const USDT: i128 = 100_000_000;

/// The kinds that there are: a new variant does not compile here until it has a number, and then needs a configuration below.
fn number(cfg: &StrategyConfig) -> usize {
    match cfg {
        StrategyConfig::Grid(_) => 0,
        StrategyConfig::GridWith(..) => 1,
        StrategyConfig::Momentum(..) => 2,
        StrategyConfig::MeanReversion(..) => 3,
        StrategyConfig::TrendFollowing(..) => 4,
        StrategyConfig::Martingale(..) => 5,
        StrategyConfig::DcaEnhanced(..) => 6,
        StrategyConfig::MarketMaker(_) => 7,
        StrategyConfig::Combo(combo) => match combo.choice {
            Choice::All => 8,
            Choice::Trend(_) => 9,
            Choice::Spacing(_) => 10,
        },
    }
}

const KINDS: usize = 11;

/// Configurations of all kinds for one-minute bars, whose levels and layers are about `step` millionths of a price apart, 100 or more,
/// and whose orders are worth about 300.
pub fn kinds(btc: &Instrument, price: Price, step: u32) -> Vec<(&'static str, StrategyConfig)> {
    let share = |millionths: u32| Price::from_units(price.units() * i64::from(millionths) / 1_000_000);
    let interval = btc.round_price(share(step), Round::Up).unwrap();
    let grid = GridConfig { interval, order_quote: 300 * USDT, buy_window: 6, sell_window: 6 };
    let trade = |direction, entry| TradeConfig {
        direction,
        bar: MINUTE,
        entry,
        slippage: 1_000,
        stop_loss: step * 6,
        trailing_from: step * 2,
        trailing: step,
        cooldown: MINUTE,
    };
    let (taker, maker) = (trade(Direction::Both, Entry::Taker), trade(Direction::Both, Entry::Maker));
    let momentum = MomentumConfig { amount: 300 * USDT, period: 3, oversold: 400_000, overbought: 600_000, take_profit: step * 2 };
    let reversion = MeanReversionConfig { amount: 300 * USDT, period: 5, enter_milli: 1_000, leave_milli: 300, take_profit: step * 2 };
    let following = TrendFollowingConfig { amount: 300 * USDT, short: 2, long: 5, average: Average::Exponential, take_profit: 0 };
    let martingale = MartingaleConfig {
        direction: Direction::Long,
        amount: 200 * USDT,
        multiplier: 1_500_000,
        layers: 4,
        step,
        decay: 900_000,
        multiplier_min: 1_000_000,
        take_profit: step,
        reverse: false,
        trend: 0,
    };
    let dca = DcaConfig {
        direction: Direction::Short,
        amount: 200 * USDT,
        safety_amount: 200 * USDT,
        safety_orders: 4,
        atr: 3,
        atr_multiplier: 500_000,
        step_min: step,
        step_max: step * 4,
        amount_scale: 1_200_000,
        step_scale: 1_100_000,
        take_first: step,
        take_last: step / 2,
        take_total: step,
        cascade: None,
        trend: 0,
    };
    let making =
        MarketMakerConfig { amount: 300 * USDT, layers: 4, half_spread: step / 2, risk: 20, volatility: 3, bar: MINUTE, requote: step / 4 };
    let rich = GridOptions {
        lower: Some(price.offset(-3 * interval.units()).unwrap()),
        upper: Some(price.offset(3 * interval.units()).unwrap()),
        trailing: Trailing::Both,
        compound: 1_000_000,
        compound_max: 5_000_000,
        skew: 500_000,
        skew_layers: 3,
        ..GridOptions::LONG
    };
    let watching = GridOptions {
        trigger: Some(price.offset(interval.units()).unwrap()),
        stop: Some(price.offset(-9 * interval.units()).unwrap()),
        take_profit: Some(price.offset(12 * interval.units()).unwrap()),
        ..GridOptions::LONG
    };
    let child = |strategy, when| Some(Child { strategy, when, weight: 300_000 });
    let capital = CapitalConfig { amount: 20_000 * USDT, period: MINUTE * 5, window: 3, floor: 100_000, ceiling: 500_000, step: 50_000 };
    let trend = TrendConfig {
        bar: MINUTE,
        adx: 3,
        trend_from: 45_000,
        trend_until: 35_000,
        mean: 3,
        volatility: 3,
        volatile_from: 0,
        volatile_until: 0,
        confirm: 1,
    };
    let adjuster = AdjusterConfig { bar: MINUTE, volatility: 3, deviations: 2_000, spacings: 3, margin: 0, size: Size::Scaled };
    let calm = Regimes::NONE.with(Regime::Ranging);
    let trends = Regimes::NONE.with(Regime::Up).with(Regime::Down);
    let children = |when: [Regimes; 3]| {
        [
            child(ChildConfig::Grid(grid, GridOptions::LONG), when[0]),
            child(ChildConfig::Momentum(taker, momentum), when[1]),
            child(
                ChildConfig::Martingale(
                    trade(Direction::Short, Entry::Maker),
                    MartingaleConfig { direction: Direction::Short, ..martingale },
                ),
                when[2],
            ),
            None,
        ]
    };
    let all = vec![
        ("grid", StrategyConfig::Grid(grid)),
        ("short grid", StrategyConfig::GridWith(grid, GridOptions::SHORT)),
        ("rich grid", StrategyConfig::GridWith(grid, rich)),
        ("grid with trigger, stop and target", StrategyConfig::GridWith(grid, watching)),
        ("grid a ratio apart", StrategyConfig::GridWith(grid, GridOptions { ratio: step, opening: Side::Buy, ..GridOptions::LONG })),
        ("momentum", StrategyConfig::Momentum(taker, momentum)),
        ("mean_reversion", StrategyConfig::MeanReversion(maker, reversion)),
        ("trend_following", StrategyConfig::TrendFollowing(taker, following)),
        ("martingale", StrategyConfig::Martingale(trade(Direction::Long, Entry::Taker), martingale)),
        ("dca_enhanced", StrategyConfig::DcaEnhanced(trade(Direction::Short, Entry::Maker), dca)),
        ("market_maker", StrategyConfig::MarketMaker(making)),
        (
            "combo",
            StrategyConfig::Combo(ComboConfig { children: children([Regimes::ALL; 3]), choice: Choice::All, capital: Some(capital) }),
        ),
        (
            "trend_detector",
            StrategyConfig::Combo(ComboConfig {
                children: children([calm, Regimes::ALL, trends]),
                choice: Choice::Trend(trend),
                capital: None,
            }),
        ),
        ("dynamic_adjuster", StrategyConfig::Combo(ComboConfig::adjusted(ChildConfig::Grid(grid, GridOptions::LONG), adjuster))),
    ];
    let mut covered = [false; KINDS];
    all.iter().for_each(|(_, cfg)| covered[number(cfg)] = true);
    assert_eq!(covered, [true; KINDS], "a kind of strategy has no configuration here");
    all
}

/// How the levels of a strategy lie, or of one without any as the program has it.
pub fn spacing(btc: &Instrument, trades: &StrategyConfig) -> plimsoll_market::Spacing {
    trades.interval().unwrap_or(plimsoll_market::Spacing::Even(btc.tick))
}
