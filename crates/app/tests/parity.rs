//! The program's loop and the simulation's treat the same events the same way: what a live run was told, told again by the
//! simulation's loop in made-up time, leads to the same orders.
//!
//! A live loop conflates market data before its engine sees it, so what is compared is what comes after that. The recording
//! says what happened outside. What the loop itself adds (wakes, echoes of what could not be done) the simulation must add
//! by its own rules at the same places. One of these runs has every kind of strategy in it, told candles of the past and of now.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_journal::{Answer, SegmentReader, Step, Steps, Told, show_action, show_event, utc};
use plimsoll_market::{Action, Event, Instrument, Price, Request, Time};
use plimsoll_strategy::{Choice, StrategyConfig};
use plimsoll_swarm::{Moment, Seat};
use shared::{KEY, Running, SECRET, free_port, get, until};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A wake may be late by as much: the processor is shared with everything else that is tested.
const LATE: Duration = Duration::from_secs(3);

/// A segment, read whole.
struct Segment {
    path: PathBuf,
    instrument: Instrument,
    strategy: StrategyConfig,
    steps: Vec<Step>,
}

impl Segment {
    fn read(path: &Path) -> Self {
        let (beginning, reader) = SegmentReader::open(BufReader::new(File::open(path).unwrap())).unwrap().unwrap();
        let mut steps = Steps::new(reader, beginning.head.began);
        let mut all = Vec::new();
        while let Some(step) = steps.next_step().unwrap() {
            all.push(step);
        }
        Self { path: path.to_owned(), instrument: beginning.head.instrument, strategy: beginning.head.strategy, steps: all }
    }

    fn seat(&self) -> Seat {
        let (beginning, _) = SegmentReader::open(BufReader::new(File::open(&self.path).unwrap())).unwrap().unwrap();
        Seat::new(self.instrument, beginning.engine)
    }
}

/// What was compared.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Compared {
    events: usize,
    wakes: usize,
    echoes: usize,
    orders: usize,
}

/// What concerns the exchange and the disk; a time in an alert is not an order.
fn is_order(action: &Action) -> bool {
    match action {
        Action::Cancel(_)
        | Action::Place(_)
        | Action::Query { .. }
        | Action::Resync { .. }
        | Action::Commit(_)
        | Action::Countdown { .. }
        | Action::History => true,
        Action::Record(_) | Action::Alert(_) => false,
    }
}

/// The echo that the recording has for an action: the loop tells it right after the event that caused the action.
fn echo_of(action: &Action, next: Option<&Step>) -> Option<Event> {
    let Some(Step { told: Told::Event(event), .. }) = next else { return None };
    let caused = match (action, event) {
        (Action::Place(place), Event::NotSent { id, .. }) => place.id == *id,
        (Action::Cancel(cancel), Event::NotSent { id, .. }) => cancel.id == *id,
        (Action::Query { id: asked }, Event::NotSent { id, .. }) => asked == id,
        (Action::Record(_), Event::RecordsFull(true)) => true,
        _ => false,
    };
    caused.then(|| event.clone())
}

/// Tells the simulation's seat what happened outside, and compares what it has done with what the live loop had done.
fn compare(segment: &Segment, seat: &mut Seat) -> Result<Compared, String> {
    let mut compared = Compared::default();
    let mut at = 0;
    while let Some(step) = segment.steps.get(at) {
        let Told::Event(event) = &step.told else { return Err("only engines that fail are halted".to_owned()) };
        let place =
            || format!("{}, event {}, {}: {}", utc(step.now), at + 1, segment.instrument.symbol, show_event(event, &segment.instrument));
        match event {
            Event::Wake if !seat.is_due(step.now) => return Err(format!("{}: nobody asked to be woken", place())),
            Event::Wake => compared.wakes += 1,
            Event::NotSent { .. } => return Err(format!("{}: an echo came late", place())),
            _ if seat.engine().wake_at().is_some_and(|due| due + LATE < step.now) => return Err(format!("{}: a wake is overdue", place())),
            _ => {}
        }
        let (mut told, mut echoes, mut done) = (0, 0, Vec::new());
        seat.tell(step.now, event, |_, moment| match moment {
            Moment::Told(_) => {
                told += 1;
                done.push(Vec::new());
                None
            }
            Moment::Answered(action) => {
                // Echoes are told in the order in which they came up.
                let echo = echo_of(&action, segment.steps.get(at + 1 + echoes));
                echoes += usize::from(echo.is_some());
                if is_order(&action)
                    && let Some(done) = done.last_mut()
                {
                    done.push(action);
                }
                echo
            }
        });
        for (echo, done) in done.iter().enumerate() {
            let Some(Step { answer: Answer::Actions(live), .. }) = segment.steps.get(at + echo) else {
                return Err(format!("{}: the live loop told nothing at this place", place()));
            };
            let live: Vec<&Action> = live.iter().filter(|action| is_order(action)).collect();
            if live != done.iter().collect::<Vec<_>>() {
                let show = |actions: &[&Action]| {
                    actions.iter().map(|a| format!("\n  {}", show_action(a, &segment.instrument))).collect::<String>()
                };
                return Err(format!("{}\nlive:{}\nsimulated:{}", place(), show(&live), show(&done.iter().collect::<Vec<_>>())));
            }
            compared.orders += live.len();
        }
        compared.events += told;
        compared.echoes += echoes;
        at += told;
    }
    Ok(compared)
}

fn segments(folder: &Path) -> Vec<Segment> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| Segment::read(path)).collect()
}

fn all_agree(folder: &Path) -> Compared {
    let mut sum = Compared::default();
    for segment in segments(folder) {
        let compared = compare(&segment, &mut segment.seat()).unwrap_or_else(|why| panic!("{why}"));
        sum.events += compared.events;
        sum.wakes += compared.wakes;
        sum.echoes += compared.echoes;
        sum.orders += compared.orders;
    }
    eprintln!("{sum:?}");
    sum
}

fn symbols() -> &'static str {
    "trading:\n  symbols:\n    - { symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }\n    - { symbol: ETHUSDT, price_interval: 2.5, order_quantity: 100 }\n"
}

/// Trades on the local exchange, stops, and does so once more.
fn live(folder: &Path) -> PathBuf {
    let web = free_port();
    let (file, api) = (folder.join("plimsoll.yaml"), format!("127.0.0.1:{web}"));
    // The first grid's records find no room, which makes echoes. After the second start nothing is placed for six seconds: an
    // engine that waits asks to be woken.
    for (batch, fills) in [(1, 5), (100, 60)] {
        let text = format!(
            "exchange: local\nlocal: {{ speed: 20 }}\ndata_dir: {}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: error }}\n\
             storage: {{ batch_size: {batch} }}\n{}",
            folder.join("data").display(),
            symbols()
        );
        std::fs::write(&file, text).unwrap();
        let mut bot = Running::start(&["run", "--config", file.to_str().unwrap()], &[]);
        until(Duration::from_secs(120), "fills", || get(&api, "/api/status").is_some_and(|s| s["totals"]["fills"].as_u64() > Some(fills)));
        assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    }
    folder.join("data/journal")
}

#[test]
fn the_live_loop_and_the_simulations_lead_to_the_same_orders() {
    let folder = tempfile::tempdir().unwrap();
    let journal = live(folder.path());
    let sum = all_agree(&journal);
    assert!(sum.events > 1_000 && sum.orders > 60 && sum.wakes > 0 && sum.echoes > 0, "too little was compared: {sum:?}");

    // A loop that did anything otherwise would be found.
    let found = |what: &str, change: &dyn Fn(&mut Vec<Step>) -> bool| {
        let mut whys = Vec::new();
        for mut segment in segments(&journal) {
            if change(&mut segment.steps) {
                match compare(&segment, &mut segment.seat()) {
                    Ok(compared) => panic!("{what} was not found: {compared:?}"),
                    Err(why) => whys.push(why),
                }
            }
        }
        assert!(!whys.is_empty(), "{what} could not be tried");
    };
    let event = |step: &Step| match &step.told {
        Told::Event(event) => event.clone(),
        Told::Halted => Event::Wake,
    };
    let orders = |step: &Step| matches!(&step.answer, Answer::Actions(actions) if actions.iter().any(is_order));
    found("a wake that nobody asked for", &|steps| {
        let Some(first) = steps.first().cloned() else { return false };
        steps.insert(1, Step { now: first.now, told: Told::Event(Event::Wake), answer: Answer::Actions(Vec::new()) });
        true
    });
    // A trade of the market, which no engine acts upon.
    let trade = |steps: &[Step], at: usize| {
        let told = steps.iter().find(|step| matches!(event(step), Event::Trade(_))).map(|step| step.told.clone())?;
        Some(Step { now: steps.get(at)?.now, told, answer: Answer::Actions(Vec::new()) })
    };
    found("two events in the other order", &|steps| {
        let acted = |step: &Step| orders(step) && matches!(event(step), Event::Order(_) | Event::Top(_));
        let Some(at) = steps.iter().position(acted) else { return false };
        let Some(mut before) = trade(steps, at) else { return false };
        std::mem::swap(&mut before.told, &mut steps[at].told);
        steps.insert(at, before);
        true
    });
    found("an event that was told twice", &|steps| {
        let Some(at) = steps.iter().position(|s| orders(s) && matches!(event(s), Event::Committed { .. })) else { return false };
        let twice = steps[at].clone();
        steps.insert(at, twice);
        true
    });
    found("another top than the one acted upon", &|steps| {
        // The grid's level 0 follows from it.
        let commits = |step: &Step| matches!(&step.answer, Answer::Actions(a) if a.iter().any(|a| matches!(a, Action::Commit(_))));
        let Some(at) = steps.iter().position(commits) else { return false };
        for step in steps[..=at].iter_mut().rev() {
            if let Told::Event(Event::Top(top)) = &mut step.told {
                (top.bid, top.ask) = (Price::from_units(top.bid.units() / 2), Price::from_units(top.ask.units() / 2));
                return true;
            }
        }
        false
    });
    found("an order that was not sent", &|steps| {
        for step in steps {
            if let Answer::Actions(actions) = &mut step.answer
                && let Some(at) = actions.iter().position(|a| matches!(a, Action::Place(_)))
            {
                actions.remove(at);
                return true;
            }
        }
        false
    });
    let placed = |step: &Step| match &step.answer {
        Answer::Actions(actions) => actions.iter().find_map(|a| if let Action::Place(place) = a { Some(place.id) } else { None }),
        Answer::Failed(_) => None,
    };
    found("an echo that came late", &|steps| {
        let Some((at, id)) = steps.iter().enumerate().find_map(|(at, step)| Some((at, placed(step)?))) else { return false };
        let Some(between) = trade(steps, at) else { return false };
        let told = Told::Event(Event::NotSent { id, request: Request::Place });
        let echo = Step { told, ..between.clone() };
        steps.insert(at + 1, between);
        steps.insert(at + 2, echo);
        true
    });
}

#[test]
fn on_a_recorded_market_both_loops_lead_to_the_same_orders() {
    let Some(recorded) = shared::shared("data/market/hftbacktest/usdm/btcusdt_20240808.gz") else { return };
    let folder = tempfile::tempdir().unwrap();
    let account = format!("{KEY}:{SECRET}:100000");
    let replay = recorded.display().to_string();
    let args = ["testnet", "--listen", "127.0.0.1:0", "--account", &account, "--speed", "20", "--replay", &replay];
    let mut exchange = Running::start(&args, &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let web = free_port();
    let file = folder.path().join("plimsoll.yaml");
    let text = format!(
        "exchange: binance\ndata_dir: {}\nbinance: {{ rest_url: \"http://{address}\", websocket_url: \"ws://{address}\" }}\n\
         web: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: error }}\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 26, order_quantity: 250 }}\n",
        folder.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let keys = [("PLIMSOLL_BINANCE_API_KEY", KEY), ("PLIMSOLL_BINANCE_API_SECRET", SECRET)];
    let mut bot = Running::start(&["run", "--config", file.to_str().unwrap()], &keys);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(60), "fills", || get(&api, "/api/status").is_some_and(|s| s["totals"]["fills"].as_u64() > Some(8)));
    assert_eq!(bot.stop(Duration::from_secs(40)).code(), Some(0));
    exchange.stop(Duration::from_secs(10));
    let sum = all_agree(&folder.path().join("journal"));
    assert!(sum.events > 1_000 && sum.orders > 20, "too little was compared: {sum:?}");
}

/// A relay before the exchange's REST side that answers for the candles of the past, because a new exchange has none.
fn with_past(exchange: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let exchange = exchange.to_owned();
    // Ends with the test's process; what it holds are the connections of bots that have ended by then.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let exchange = exchange.clone();
            std::thread::spawn(move || relay(client, &exchange).unwrap_or_default());
        }
    });
    address
}

/// Relays requests of one connection, one after the other; ends with it.
fn relay(mut client: TcpStream, exchange: &str) -> std::io::Result<()> {
    let mut server = TcpStream::connect(exchange)?;
    while let Some(request) = message(&mut client)? {
        let target = request.split(|b| *b == b' ').nth(1).map(|target| String::from_utf8_lossy(target).into_owned()).unwrap_or_default();
        if target.starts_with("/fapi/v1/klines") {
            let body = past(&target);
            write!(client, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
            continue;
        }
        server.write_all(&request)?;
        match message(&mut server)? {
            Some(answer) => client.write_all(&answer)?,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Head and body of a message as they are; `None` at the end.
fn message(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        all.extend(byte);
    }
    let head = String::from_utf8_lossy(&all).to_ascii_lowercase();
    assert!(!head.contains("transfer-encoding"), "the local exchange says how long its answers are");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    all.extend(body);
    Ok(Some(all))
}

/// Candles until now in the length asked for, the last one not over: they rise to a hundredth above where the local exchange's prices
/// begin, so that the first of its own is a fall, which everybody has something to say of.
fn past(target: &str) -> String {
    let field = |name: &str| target.split(['?', '&']).find_map(|part| part.strip_prefix(&format!("{name}=")));
    let minutes: u64 = match field("interval") {
        Some("1m") => 1,
        Some("5m") => 5,
        Some("1h") => 60,
        other => panic!("nobody here has such bars: {other:?}"),
    };
    let price = if field("symbol") == Some("BTCUSDT") { 61_600.0 } else { 2_680.0 };
    let (length, count) = (minutes * 60_000, field("limit").and_then(|limit| limit.parse().ok()).unwrap_or(500_u64));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 / length;
    let row = |n: u64| {
        let at = |n: u64| price * (1.01 - 0.000_5 * (now + 1 - n) as f64);
        let (open, close) = (at(n), at(n + 1));
        let (high, low) = (close * 1.000_1, open * 0.999_9);
        let (begins, ends) = (n * length, (n + 1) * length - 1);
        format!("[{begins},\"{open:.2}\",\"{high:.2}\",\"{low:.2}\",\"{close:.2}\",\"5\",{ends},\"1000\",7,\"2\",\"400\",\"0\"]")
    };
    format!("[{}]", (now + 1 - count..=now).map(row).collect::<Vec<_>>().join(","))
}

/// The kinds that there are: a new variant does not compile here until it has a number, and then needs a symbol below.
const fn number(strategy: &StrategyConfig) -> usize {
    match strategy {
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

/// What each symbol of each bot trades by; `I` stands for a distance of a thousandth of its price.
const TRADES: [[&str; 2]; 6] = [
    [
        "strategy: grid, price_interval: I, buy_window_size: 5, sell_window_size: 5",
        "strategy: grid, price_interval: I, buy_window_size: 5, sell_window_size: 5, grid: { direction: short }",
    ],
    [
        "strategy: momentum, momentum: { period: 2, oversold: 49.9, overbought: 50.1 }, trade: { bar: 1m, direction: both }",
        "strategy: mean_reversion, mean_reversion: { period: 4, deviations: 0.3, exit_deviations: 0.1 }, trade: { bar: 1m, direction: both, entry: maker }",
    ],
    [
        "strategy: trend_following, trend_following: { short_period: 2, long_period: 4 }, trade: { bar: 1m, direction: both }",
        "strategy: martingale, martingale: { trend_period: 0, max_levels: 4, price_step_percent: 0.05 }, trade: { bar: 1m, direction: long, take_profit_percent: 0.1 }",
    ],
    [
        "strategy: dca_enhanced, dca_enhanced: { trend_period: 0, atr_period: 3, max_safety_orders: 4, min_step_percent: 0.05, max_step_percent: 0.2 }, trade: { bar: 1m, direction: short }",
        "strategy: market_maker, market_maker: { half_spread_percent: 0.05, requote_percent: 0.01, volatility_period: 5, bar: 1m }",
    ],
    [
        "strategy: combo, combo: { capital: 5000, children: [{ strategy: grid, price_interval: I }, { strategy: martingale, martingale: { trend_period: 0, max_levels: 4 }, trade: { bar: 1m, direction: long } }] }",
        "strategy: momentum, trend_detector: { when: [ranging, up, down], bar: 1m, adx_period: 3, mean_period: 3, volatility_period: 3, confirm_bars: 1 }, momentum: { period: 2, oversold: 49.9, overbought: 50.1 }, trade: { bar: 1m }",
    ],
    [
        "strategy: grid, price_interval: I, buy_window_size: 5, sell_window_size: 5, dynamic_adjuster: { bar: 1m, volatility_period: 5, spacings: 2, margin_percent: 0 }",
        "strategy: mean_reversion, mean_reversion: { period: 4, deviations: 0.3, exit_deviations: 0.1 }, trade: { bar: 5m, direction: long }",
    ],
];

#[test]
fn every_strategy_decides_the_same_in_both_loops_by_candles_of_the_past_and_of_now() {
    // Unoptimised code puts engines of several strategies on the stack many times while it reads a journal; a program's first thread
    // has room for that, a test's has not.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(every_strategy_in_both_loops).unwrap();
    thread.join().unwrap();
}

fn every_strategy_in_both_loops() {
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<(String, String)> = (0..TRADES.len()).map(|n| (format!("{KEY}{n}"), format!("{SECRET}{n}"))).collect();
    let accounts: Vec<String> = keys.iter().map(|(key, secret)| format!("{key}:{secret}:100000")).collect();
    let mut args = vec!["testnet", "--listen", "127.0.0.1:0", "--speed", "20"];
    accounts.iter().for_each(|account| args.extend(["--account", account]));
    let mut exchange = Running::start(&args, &[]);
    let address = exchange.first_line.trim_start_matches("http://").to_owned();
    let rest = with_past(&address);
    let mut bots = Vec::new();
    for (n, trades) in TRADES.iter().enumerate() {
        let (web, data) = (free_port(), folder.path().join(n.to_string()));
        let symbols: String = [("BTCUSDT", "60"), ("ETHUSDT", "2.5")]
            .iter()
            .zip(trades)
            .map(|((symbol, interval), trades)| {
                format!(
                    "    - {{ symbol: {symbol}, order_quantity: 300, {} }}\n",
                    trades.replace("price_interval: I", &format!("price_interval: {interval}"))
                )
            })
            .collect();
        let text = format!(
            "exchange: binance\ndata_dir: {}\nbinance: {{ rest_url: \"http://{rest}\", websocket_url: \"ws://{address}\" }}\n\
             web: {{ listen: \"127.0.0.1:{web}\" }}\nlog: {{ level: error }}\ntrading:\n  symbols:\n{symbols}",
            data.display()
        );
        std::fs::create_dir_all(&data).unwrap();
        let file = data.join("plimsoll.yaml");
        std::fs::write(&file, text).unwrap();
        let (key, secret) = &keys[n];
        let keys = [("PLIMSOLL_BINANCE_API_KEY", key.as_str()), ("PLIMSOLL_BINANCE_API_SECRET", secret.as_str())];
        bots.push((Running::start(&["run", "--config", file.to_str().unwrap()], &keys), format!("127.0.0.1:{web}")));
    }
    for (_, api) in &bots {
        let trading =
            |status: serde_json::Value| status["symbols"].as_array().is_some_and(|all| all.iter().all(|s| s["phase"] == "trading"));
        until(Duration::from_secs(60), "trading", || get(api, "/api/status").is_some_and(trading));
    }
    // The minute that runs is the first whose candle was not told of before; what comes of it takes some seconds.
    let minute = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60;
    let began = minute();
    let first_live = Time::from_millis(began * 60_000);
    until(Duration::from_secs(70), "the next minute", || minute() > began);
    let told = SystemTime::now();
    until(Duration::from_secs(20), "what comes of it", || told.elapsed().is_ok_and(|since| since > Duration::from_secs(10)));
    for (bot, _) in &mut bots {
        assert_eq!(bot.stop(Duration::from_secs(60)).code(), Some(0));
    }
    exchange.stop(Duration::from_secs(10));

    let (mut covered, mut traded) = ([false; KINDS], [false; KINDS]);
    for n in 0..TRADES.len() {
        let journal = folder.path().join(n.to_string()).join("journal");
        all_agree(&journal);
        for segment in segments(&journal) {
            let (kind, name) = (number(&segment.strategy), segment.strategy.name());
            let told = |what: &dyn Fn(&Event) -> bool| {
                segment.steps.iter().filter(|step| matches!(&step.told, Told::Event(event) if what(event))).count()
            };
            // Those of the past are told of in the length of the bars, but the last ones, which are minutes as those of now.
            let longer = told(&|event| matches!(event, Event::Past(_)));
            let minutes = told(&|event| matches!(event, Event::Candle(_)));
            let live = told(&|event| matches!(event, Event::Candle(candle) if candle.open_time >= first_live));
            let places = |step: &Step| matches!(&step.answer, Answer::Actions(a) if a.iter().any(|a| matches!(a, Action::Place(_))));
            let placed = segment.steps.iter().filter(|step| places(step)).count();
            let symbol = segment.instrument.symbol;
            eprintln!("{name} on {symbol}: {longer} longer candles, {minutes} minutes, {live} of now, {placed} times orders");
            if let Some(bar) = segment.strategy.bar() {
                assert!(live > 0 && minutes > live, "{name}: {minutes} minutes, {live} of now");
                assert!(bar == Duration::from_secs(60) || longer > 0, "{name} was told nothing of its own bars");
            }
            covered[kind] = true;
            traded[kind] |= placed > 0;
        }
    }
    assert_eq!(covered, [true; KINDS], "a kind of strategy is not traded here");
    // By one candle not everybody finds a reason to enter: grids and quotes are placed whatever the market does.
    assert!(traded.iter().filter(|traded| **traded).count() >= 4, "{traded:?}");
}
