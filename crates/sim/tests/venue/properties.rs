//! Random commands: the rules hold after each, rows rebuild the same venue, and equal calls make equal events.

use core::time::Duration;
use proptest::prelude::*;

use crate::world::{START, USDT, World, btc, config, eth, market, order};
use plimsoll_market::{OrderType, Price, Side};
use plimsoll_sim::generator::GeneratorSpec;
use plimsoll_sim::rows::Row;
use plimsoll_sim::venue::{AccountId, OrderRef, Page, SelfTrade, SourceSpec, Tif, Venue, VenueConfig, VenueEvent};

#[derive(Clone, Debug)]
enum Command {
    Place { account: u16, sell: bool, tif: u8, qty: u64, offset: i64, market: bool, reduce: bool, stp: u8 },
    Cancel { account: u16, id: u64 },
    Amend { account: u16, id: u64, qty: u64, offset: i64 },
    All { account: u16 },
    Leverage { account: u16, leverage: u16 },
    Wait { ms: u64 },
}

fn command() -> impl Strategy<Value = Command> {
    let place = (0_u16..3, any::<bool>(), 0_u8..5, 1_u64..60, -30_i64..30, 0_u8..8, any::<bool>(), 0_u8..4).prop_map(
        |(account, sell, tif, qty, offset, market, reduce, stp)| Command::Place {
            account,
            sell,
            tif,
            qty,
            offset,
            market: market == 0,
            reduce,
            stp,
        },
    );
    prop_oneof![
        8 => place,
        2 => (0_u16..3, 1_u64..60).prop_map(|(account, id)| Command::Cancel { account, id }),
        2 => (0_u16..3, 1_u64..60, 1_u64..60, -30_i64..30).prop_map(|(account, id, qty, offset)| Command::Amend { account, id, qty, offset }),
        1 => (0_u16..3).prop_map(|account| Command::All { account }),
        1 => (0_u16..3, 1_u16..126).prop_map(|(account, leverage)| Command::Leverage { account, leverage }),
        3 => (1_u64..1_500).prop_map(|ms| Command::Wait { ms }),
    ]
}

fn apply(world: &mut World, command: &Command) {
    let symbol = btc().symbol;
    let heard = &mut world.heard;
    let mut out = |event: VenueEvent<'_>| heard.take(event);
    // Prices lie around the market, so that about half of the orders take.
    let middle = match world.venue.top(symbol).unwrap() {
        Some((_, top)) => top.mid().units(),
        None => 6_000_000,
    };
    let at = |offset: i64| Price::from_units((middle / 10 + offset * 4) * 10);
    let now = world.now;
    match *command {
        Command::Place { account, sell, tif, qty, offset, market, reduce, stp } => {
            let side = if sell { Side::Sell } else { Side::Buy };
            let until = now + Duration::from_secs(700);
            let tif = [Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtx, Tif::Gtd(until)][usize::from(tif)];
            let mut new = order(side, tif, qty, 1, "x");
            new.client_id = None;
            new.price = at(offset);
            if market {
                (new.kind, new.price) = (OrderType::Market, Price::ZERO);
            }
            new.reduce_only = reduce;
            new.self_trade = [SelfTrade::None, SelfTrade::ExpireTaker, SelfTrade::ExpireMaker, SelfTrade::ExpireBoth][usize::from(stp)];
            let _outcome = world.venue.place(now, AccountId(account), new, &mut out);
        }
        Command::Cancel { account, id } => {
            let _outcome = world.venue.cancel(now, AccountId(account), symbol, OrderRef::Id(id), &mut out);
        }
        Command::Amend { account, id, qty, offset } => {
            let qty = plimsoll_market::Qty::from_units(qty);
            let _outcome = world.venue.amend(now, AccountId(account), symbol, OrderRef::Id(id), at(offset), qty, &mut out);
        }
        Command::All { account } => {
            let _outcome = world.venue.cancel_all(now, AccountId(account), symbol, &mut out);
        }
        Command::Leverage { account, leverage } => {
            let _outcome = world.venue.set_leverage(now, AccountId(account), symbol, leverage, &mut out);
        }
        Command::Wait { ms } => {
            world.advance(Duration::from_millis(ms));
            return;
        }
    }
    world.check();
}

fn generated(seed: u64, wallet: i128) -> VenueConfig {
    let spec = |start_price| GeneratorSpec { seed, start_price: Price::from_units(start_price), speed_milli: 2_000, history: 0 };
    let markets = vec![market(btc(), SourceSpec::Generator(spec(6_000_000))), market(eth(), SourceSpec::Generator(spec(270_000)))];
    VenueConfig { funding_interval: Duration::from_secs(5), ..config(markets, wallet) }
}

/// What an account sees of itself, without what depends on the market's price.
fn face(venue: &Venue) -> Vec<String> {
    let symbol = btc().symbol;
    let mut face = Vec::new();
    for account in (0..3).map(AccountId) {
        face.push(format!("{:?}", venue.open_orders(account, None).unwrap()));
        face.push(format!("{:?}", venue.all_orders(account, symbol, Page::latest(1_500)).unwrap()));
        face.push(format!("{:?}", venue.user_trades(account, symbol, None, Page::latest(1_500)).unwrap()));
        face.push(format!("{:?}", venue.income(account, None, None, Page::latest(1_500)).unwrap()));
        face.push(venue.balance(account).unwrap().wallet.to_string());
        for p in venue.positions(account).unwrap() {
            face.push(format!("{:?}", (p.symbol, p.holding, p.cost, p.entry, p.realized, p.leverage, p.margin, p.updated)));
        }
    }
    face
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rules_hold_after_every_command(seed: u64, rich: bool, commands in proptest::collection::vec(command(), 1..120)) {
        // The poor ones run into their margin and are liquidated now and then.
        let mut world = World::of(generated(seed, if rich { 100_000 } else { 120 } * USDT));
        for command in &commands {
            apply(&mut world, command);
        }
    }

    #[test]
    fn rules_hold_without_outside_liquidity(commands in proptest::collection::vec(command(), 1..200)) {
        let mut world = World::of(config(vec![market(btc(), SourceSpec::Empty)], 3_000 * USDT));
        for command in &commands {
            apply(&mut world, command);
        }
    }

    #[test]
    fn rows_rebuild_the_venue(seed: u64, commands in proptest::collection::vec(command(), 1..80), cut in 0.0_f64..1.0) {
        let mut world = World::of(generated(seed, 2_000 * USDT));
        let mut faces = vec![(0, face(&world.venue))];
        for command in &commands {
            apply(&mut world, command);
            faces.push((world.heard.rows.len(), face(&world.venue)));
        }
        // All rows give the same accounts back, through text, and no id is used again.
        let texts: Vec<String> = world.heard.rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
        let rows: Vec<Row> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let mut back = Venue::new(generated(seed, 2_000 * USDT)).unwrap();
        back.restore(rows.clone()).unwrap();
        prop_assert_eq!(face(&back), face(&world.venue));
        let mut again = World { venue: back, now: world.now, heard: Default::default() };
        again.advance(Duration::from_secs(1));
        let used = world.venue.all_orders(AccountId(0), btc().symbol, Page::latest(9)).unwrap().last().map_or(0, |o| o.order_id);
        if let Ok(row) = again.place(0, order(Side::Buy, Tif::Gtc, 10, 58_000, "new")) {
            prop_assert!(row.order_id > used);
        }
        if let (Some(old), Some(new)) = (world.heard.trades.last(), again.heard.trades.first()) {
            prop_assert!(new.id > old.id);
        }

        // So does the short form of the journal.
        let mut short = Vec::new();
        world.venue.snapshot(&mut |row| short.push(row.clone()));
        let mut back = Venue::new(generated(seed, 2_000 * USDT)).unwrap();
        back.restore(short).unwrap();
        prop_assert_eq!(face(&back), face(&world.venue));

        // Cut anywhere, the rows give a consistent account: restore checks it, and it is one that there was.
        let cut = (rows.len() as f64 * cut) as usize;
        let mut back = Venue::new(generated(seed, 2_000 * USDT)).unwrap();
        back.restore(rows.iter().take(cut).cloned()).unwrap();
        if let Some((_, then)) = faces.iter().find(|(len, _)| *len == cut) {
            prop_assert_eq!(&face(&back), then);
        }
    }

    #[test]
    fn equal_calls_make_equal_events(seed: u64, commands in proptest::collection::vec(command(), 1..40)) {
        let run = |wake: bool| {
            let mut world = World::of(generated(seed, 2_000 * USDT));
            for command in &commands {
                if let (true, Command::Wait { ms }) = (wake, command) {
                    // How often the caller looks in makes no difference.
                    let end = world.now + Duration::from_millis(*ms);
                    while let Some(at) = world.venue.wake_at().filter(|at| *at <= end) {
                        let heard = &mut world.heard;
                        world.venue.advance(at, &mut |event| heard.take(event));
                    }
                    let heard = &mut world.heard;
                    world.venue.advance(end, &mut |event| heard.take(event));
                    world.now = end;
                } else {
                    apply(&mut world, command);
                }
            }
            (world.heard.hash, world.heard.rows.len())
        };
        prop_assert_eq!(run(false), run(false));
        prop_assert_eq!(run(false), run(true));
    }
}

#[test]
fn rows_that_contradict_are_refused() {
    let mut world = World::new();
    for line in ["a buy 10 @ 60000 a1", "b sell 10 @ 60000 b1"] {
        world.line(line);
    }
    let fresh = || Venue::new(config(vec![market(btc(), SourceSpec::Empty)], 100_000 * USDT)).unwrap();
    let change = |change: &dyn Fn(&mut Row)| {
        let mut rows = world.heard.rows.clone();
        rows.iter_mut().for_each(change);
        fresh().restore(rows).map_err(|e| e.to_string())
    };
    assert_eq!(change(&|_| {}), Ok(()));
    let wallet = change(&|row| {
        if let Row::Account(a) = row {
            a.wallet = "1".into()
        }
    });
    assert!(wallet.unwrap_err().contains("inconsistent"));
    let holding = change(&|row| {
        if let Row::Position(p) = row {
            p.holding += 1
        }
    });
    assert!(holding.unwrap_err().contains("inconsistent"));
    let word = change(&|row| {
        if let Row::Order(o) = row {
            o.side = "up".into()
        }
    });
    assert_eq!(word, Err("row has a bad side: up".to_owned()));
    let mut begun = fresh();
    begun.advance(START, &mut |_| {});
    assert!(begun.restore(Vec::new()).is_err());
}
