use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What may happen next.
#[derive(Clone, Debug)]
enum Move {
    Place(bool),
    Cancel(u8),
    Query(u8),
    Resync(bool),
    /// Answers the n-th request on its way with one of the answers.
    Answer(u8, u8),
    /// Answers a request that does not exist.
    Stray(u64),
    Connected(u8),
    Closed(u8),
    Alive(u8),
    Dropped(u8),
    Frame(u8, u8),
    /// A frame with a byte changed.
    Corrupt(u8, u8, u16, u8),
    Wait(u32),
    Start,
    Stop,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        8 => any::<bool>().prop_map(Move::Place),
        4 => any::<u8>().prop_map(Move::Cancel),
        3 => any::<u8>().prop_map(Move::Query),
        2 => any::<bool>().prop_map(Move::Resync),
        16 => (any::<u8>(), any::<u8>()).prop_map(|(n, kind)| Move::Answer(n, kind)),
        1 => any::<u64>().prop_map(Move::Stray),
        4 => (0_u8..4).prop_map(Move::Connected),
        2 => (0_u8..4).prop_map(Move::Closed),
        1 => (0_u8..4).prop_map(Move::Alive),
        1 => (0_u8..4).prop_map(Move::Dropped),
        6 => (0_u8..4, any::<u8>()).prop_map(|(conn, kind)| Move::Frame(conn, kind)),
        3 => (0_u8..4, any::<u8>(), any::<u16>(), any::<u8>()).prop_map(|(c, k, at, byte)| Move::Corrupt(c, k, at, byte)),
        6 => (0_u32..20_000).prop_map(Move::Wait),
        1 => Just(Move::Start),
        // Seldom, or hardly anything would ever run.
        1 => (0_u8..30).prop_map(|n| if n == 0 { Move::Stop } else { Move::Start }),
    ]
}

fn frame(kind: u8, n: u64) -> String {
    match kind % 8 {
        0 => depth_json("BTCUSDT", n * 10, n * 10 + 9, n * 10 - 1, "1.500"),
        1 => depth_json("ETHUSDT", n * 7, n * 7 + 3, n * 7 - 1, "0"),
        2 => ticker_json("BTCUSDT", n * 10 + 9, "1.500"),
        3 => ticker_json("ETHUSDT", n, "0.001"),
        4 => r#"{"e":"listenKeyExpired","E":1,"listenKey":"listenkey1"}"#.into(),
        5 => r#"{"e":"ACCOUNT_UPDATE","E":5,"T":5,"a":{"m":"FUNDING_FEE","B":[{"a":"USDT","wb":"1","cw":"1","bc":"1"}]}}"#.into(),
        6 => r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"100.05","i":"100.01","P":"100.0","r":"0.0001","T":9000}"#.into(),
        _ => format!("{n}"),
    }
}

fn answer(world: &World, request: &HttpRequest, kind: u8) -> Answer {
    match kind % 16 {
        0 => Answer::Failed(Sent::No),
        1 => Answer::Failed(Sent::Maybe),
        2 => error(-1021),
        3 => error(-2011),
        4 => error(-2013),
        5 => Answer::Later(429, r#"{"code":-1003}"#.into(), 1),
        6 => Answer::Status(503, r#"{"code":-1007,"msg":""}"#.into()),
        7 => ok("{}"),
        8 => ok("[{]"),
        9 => error(-1125),
        _ => world.ordinary(request),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: no panic, no endless wakes, and exactly one answer to each order.
    #[test]
    fn every_order_is_answered_once(script in proptest::collection::vec(moves(), 1..250), boot in any::<bool>()) {
        let mut world = World::new(&["BTCUSDT", "ETHUSDT"], Routing::Routed);
        let mut placed: BTreeMap<u64, u32> = BTreeMap::new();
        let mut open: Vec<HttpRequest> = Vec::new();
        if boot {
            world.input(Input::Start);
            prop_assert_eq!(world.reports.len(), 1);
        }
        let mut stopped = false;
        let end = [Move::Stop, Move::Wait(30_000)];
        for (n, step) in script.iter().chain(&end).enumerate() {
            let n = n as u64 + 1;
            let send = |world: &mut World, input: Input<'_>| world.session.on_input(world.now, input, &mut world.out);
            match step.clone() {
                Move::Place(reduce_only) => {
                    placed.insert(n, 0);
                    let action = if reduce_only { reduce(n) } else { place(n) };
                    send(&mut world, Input::Order { symbol: SymbolIndex((n % 2) as u16), action: &action });
                }
                Move::Cancel(back) => send(&mut world, Input::Order { symbol: SymbolIndex(0), action: &cancel(n.saturating_sub(u64::from(back % 16))) }),
                Move::Query(back) => send(&mut world, Input::Order { symbol: SymbolIndex(0), action: &query(n.saturating_sub(u64::from(back % 16))) }),
                Move::Resync(all) => send(&mut world, Input::Order { symbol: SymbolIndex((n % 3) as u16), action: &resync((!all).then_some(n)) }),
                Move::Answer(at, kind) => {
                    if !open.is_empty() {
                        let request = open.remove(usize::from(at) % open.len());
                        let answer = answer(&world, &request, kind);
                        world.reply(request.id, &answer);
                    }
                }
                Move::Stray(id) => send(&mut world, Input::Failed { request: RequestId(id | 1 << 63), sent: Sent::Maybe }),
                Move::Connected(conn) => send(&mut world, Input::Connected { conn: ConnId(conn) }),
                Move::Closed(conn) => send(&mut world, Input::Closed { conn: ConnId(conn), why: Closed::Broken }),
                Move::Alive(conn) => send(&mut world, Input::Alive { conn: ConnId(conn) }),
                Move::Dropped(conn) => send(&mut world, Input::Dropped { conn: ConnId(conn), why: Dropped::Malformed }),
                Move::Frame(conn, kind) => send(&mut world, Input::Frame { conn: ConnId(conn), bytes: frame(kind, n).as_bytes() }),
                Move::Corrupt(conn, kind, at, byte) => {
                    let mut bytes = frame(kind, n).into_bytes();
                    let at = usize::from(at) % bytes.len();
                    bytes[at] = byte;
                    send(&mut world, Input::Frame { conn: ConnId(conn), bytes: &bytes });
                }
                Move::Wait(ms) => {
                    let end = world.now + Duration::from_millis(u64::from(ms));
                    let mut wakes = 0;
                    while let Some(at) = world.session.wake_at().filter(|at| *at <= end) {
                        world.now = world.now.max(at);
                        send(&mut world, Input::Wake);
                        drain(&mut world, &mut open, &mut placed, &mut stopped);
                        wakes += 1;
                        prop_assert!(wakes < 2_000, "it wakes for ever");
                    }
                    world.now = end;
                }
                Move::Start => send(&mut world, Input::Start),
                Move::Stop => send(&mut world, Input::Stop),
            }
            drain(&mut world, &mut open, &mut placed, &mut stopped);
            prop_assert!(open.len() <= limits::REQUESTS_MAX + 64, "answers that come too late pile up only in this test");
        }
        prop_assert!(stopped);
        for (n, answers) in placed {
            prop_assert_eq!(answers, 1, "order {}", n);
        }
    }
}

fn drain(world: &mut World, open: &mut Vec<HttpRequest>, placed: &mut BTreeMap<u64, u32>, stopped: &mut bool) {
    while let Some(output) = world.out.pop() {
        assert!(
            !*stopped || matches!(output, Output::Event { event: Event::NotSent { .. } | Event::ResyncFailed, .. }),
            "{output:?} after the end"
        );
        match output {
            Output::Request(request) => {
                if open.len() > limits::REQUESTS_MAX + 32 {
                    open.remove(0);
                }
                open.push(request);
            }
            Output::Stopped => *stopped = true,
            Output::Event { event, .. } => {
                use plimsoll_market::{Request, Source};
                let answered = match &event {
                    Event::Order(report) if report.source == Source::Reply && report.status.as_str() == "new" => report.id,
                    Event::Rejected { id, request: Request::Place, .. }
                    | Event::Unknown { id, request: Request::Place }
                    | Event::NotSent { id, request: Request::Place } => Some(*id),
                    _ => None,
                };
                if let Some(count) = answered.and_then(|id| placed.get_mut(&id.generation())) {
                    *count += 1;
                }
            }
            Output::Connect { .. } | Output::Close { .. } | Output::Account(_) | Output::Booted(_) | Output::BootFailed { .. } => {}
        }
    }
}
