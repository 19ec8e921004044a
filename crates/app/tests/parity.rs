//! The program's loop and the simulation's treat the same events the same way: what a live run was told, told again by the
//! simulation's loop in made-up time, leads to the same orders.
//!
//! A live loop conflates market data before its engine sees it, so what is compared is what comes after that. The recording
//! says what happened outside. What the loop itself adds (wakes, echoes of what could not be done) the simulation must add
//! by its own rules at the same places.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_journal::{Answer, SegmentReader, Step, Steps, Told, show_action, show_event, utc};
use plimsoll_market::{Action, Event, Instrument, Price, Request};
use plimsoll_swarm::{Moment, Seat};
use shared::{KEY, Running, SECRET, free_port, get, until};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A wake may be late by as much: the processor is shared with everything else that is tested.
const LATE: Duration = Duration::from_secs(3);

/// A segment, read whole.
struct Segment {
    path: PathBuf,
    instrument: Instrument,
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
        Self { path: path.to_owned(), instrument: beginning.head.instrument, steps: all }
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
        | Action::Countdown { .. } => true,
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
