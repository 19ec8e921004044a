//! What goes wrong beside the network, and what people do.

use super::*;

impl World {
    pub(super) fn second(&mut self) -> anyhow::Result<()> {
        self.seconds += 1;
        self.push(self.now + SECOND, Later::Second);
        self.check_orders();
        if self.options.burn_from == Duration::from_secs(self.seconds) {
            self.say(|| "the account pays its fees in the exchange's own coin from now on".to_owned());
            self.counter.by_hand(self.exchange_now(), |venue, _| venue.set_burn(ACCOUNT, true))?;
        }
        if self.seconds.is_multiple_of(5) && !self.stuck {
            for disk in &mut self.disks {
                let all = disk.waiting();
                disk.flush(all);
            }
        }
        self.recover_records()?;
        // In peace an operator sees to it that nothing stays paused.
        if !self.trouble && !self.stopping && self.seconds.is_multiple_of(10) {
            for symbol in 0..self.options.symbols {
                self.command(symbol, Command::Resume)?;
                self.command(symbol, Command::Rearm)?;
            }
        }
        self.with_bot(|world, bot| {
            for at in 0..bot.seats.len() {
                let Some(seat) = bot.seats.get(at) else { continue };
                let (books, totals) = (seat.engine.position(), seat.engine.position().view(world.now).totals);
                let (unrealized, booked) = (books.unrealized(), totals.realized - totals.fees + totals.funding);
                world.account(bot, &AccountInput::Figures { symbol: at as u16, unrealized, booked });
            }
            for at in 0..bot.wires.len() {
                let conn = ConnId(at as u8);
                let Some(wire) = bot.wires.get_mut(at).and_then(Option::as_mut).filter(|wire| wire.stream.is_some()) else { continue };
                // A message held back for the next one does not wait for ever.
                if let Some((text, _)) = wire.held.take() {
                    let (run, generation, due) = (world.run, wire.generation, world.now.max(wire.free_at));
                    world.push(due, Later::Frame { run, conn, generation, text });
                }
                if world.seconds.is_multiple_of(PING_EVERY) {
                    bot.work.push_back(Work::Session(ToSession::Alive(conn)));
                }
                if world.goes_wrong(Fault::HalfOpen) {
                    world.say(|| format!("connection {at} is half-open"));
                    wire.deaf = true;
                }
                if world.goes_wrong(Fault::Reset) {
                    let (run, generation, due) = (world.run, wire.generation, world.now + world.delay());
                    world.push(due, Later::Hung { run, conn, generation, why: Closed::Broken });
                }
            }
        })?;
        self.mischief()
    }

    /// What somebody else does.
    pub(super) fn mischief(&mut self) -> anyhow::Result<()> {
        if self.goes_wrong(Fault::ListenKey) {
            let at = self.exchange_now();
            self.say(|| "the listen key ends".to_owned());
            self.counter.expire_listen_keys(at);
            self.carry_streams();
        }
        for (fault, status, most) in [(Fault::RateLimited, 429, 10), (Fault::Banned, 418, 30)] {
            if self.goes_wrong(fault) {
                let until = self.now + SECOND + self.up_to(Duration::from_secs(most));
                self.refusing = Some((until, status));
            }
        }
        if self.goes_wrong(Fault::ClockStep) {
            let step = self.up_to(Duration::from_secs(3));
            self.ahead += step;
        }
        if self.goes_wrong(Fault::HandOrder) {
            self.by_hand(OrderType::Limit);
        }
        if self.goes_wrong(Fault::HandTrade) {
            self.by_hand(OrderType::Market);
        }
        if self.goes_wrong(Fault::Liquidated) {
            let at = self.exchange_now();
            let done = self.counter.by_hand(at, |venue, sink| venue.liquidate_now(at, ACCOUNT, sink));
            self.say(|| format!("liquidated: {done:?}"));
            // Everybody's orders are withdrawn with it.
            self.hands.clear();
            self.others = true;
            self.carry_streams();
        }
        if self.goes_wrong(Fault::Deleveraged) {
            let all = symbols(&self.options);
            let symbol = all[(self.random.next_u64() % all.len() as u64) as usize];
            let held = self.counter.venue().position(ACCOUNT, symbol).map_or(0, |position| position.holding.qty().units());
            let (at, qty) = (self.exchange_now(), Qty::from_units(self.random.next_u64() % (held + 1)));
            let done = self.counter.by_hand(at, |venue, sink| venue.deleverage(at, ACCOUNT, symbol, qty, sink));
            self.say(|| format!("{symbol}: {qty:?} of {held} deleveraged: {done:?}"));
            self.others = true;
            self.carry_streams();
        }
        if self.goes_wrong(Fault::Endpoint) {
            const PATHS: [&str; 6] = [
                "/fapi/v3/positionRisk",
                "/fapi/v1/openOrders",
                "/fapi/v1/userTrades",
                "/fapi/v1/order?",
                "/fapi/v1/listenKey",
                "/fapi/v1/depth",
            ];
            let path = PATHS[(self.random.next_u64() % PATHS.len() as u64) as usize];
            let until = self.now + SECOND + self.up_to(Duration::from_secs(30));
            self.say(|| format!("{path} fails"));
            self.failing = Some((until, path));
        }
        if self.goes_wrong(Fault::Rebuilt) && !self.stuck {
            let at = (self.random.next_u64() % self.options.symbols as u64) as usize;
            self.say(|| format!("the engine of symbol {at} is built anew"));
            if let Some(disk) = self.disks.get_mut(at) {
                disk.behind = true;
            }
            self.recover_records()?;
        }
        if self.goes_wrong(Fault::DiskStuck) && !self.stuck {
            self.stuck = true;
            let until = self.now + self.up_to(Duration::from_secs(20));
            self.push(until, Later::Over(Fault::DiskStuck));
        }
        if self.goes_wrong(Fault::MemoryShort) && !self.memory_short {
            self.set_memory(true)?;
            let until = self.now + self.up_to(Duration::from_secs(20));
            self.push(until, Later::Over(Fault::MemoryShort));
        }
        if self.goes_wrong(Fault::Command) {
            let commands = [Command::Pause, Command::CancelAll, Command::Flatten, Command::CleanupSlots, Command::Resync, Command::Resume];
            let command = commands[(self.random.next_u64() % 6) as usize];
            let symbol = (self.random.next_u64() % self.options.symbols as u64) as usize;
            self.command(symbol, command)?;
            let until = self.now + self.up_to(Duration::from_secs(20));
            self.push(until, Later::Resume(symbol));
        }
        Ok(())
    }

    /// Opens what is open before the bot first starts.
    pub(super) fn open_before(&mut self) -> anyhow::Result<()> {
        let all = symbols(&self.options);
        // A market that has just opened has no prices.
        for _ in 0..20 {
            self.now = self.now + Duration::from_millis(100);
            let at = self.exchange_now();
            self.counter.step(at);
        }
        // With something open a lower leverage is refused: whoever opened it has set ours.
        let leverage = self.options.leverage;
        for symbol in all.iter().copied().filter(|_| self.options.foreign + self.options.left_open > 0) {
            let at = self.exchange_now();
            self.counter.by_hand(at, |venue, sink| venue.set_leverage(at, ACCOUNT, symbol, leverage, sink))?;
        }
        for _ in 0..self.options.foreign {
            self.by_hand(OrderType::Limit);
        }
        for n in 0..self.options.left_open {
            // An earlier life of ours had a grid whose place nobody knows any more.
            self.run = 1;
            self.compare = Compare::Position;
            let symbol = all[usize::from(n) % all.len()];
            let Ok(Some((_, top))) = self.counter.venue().top(symbol) else { anyhow::bail!("{symbol} has no price") };
            let instrument = *self.counter.venue().instrument(symbol)?;
            let level = i32::from(n) + 1;
            let (number, side, way) = if self.options.short { (Leg::SHORT, Side::Sell, 1) } else { (0, Side::Buy, -1) };
            let Some(leg) = Leg::new(number, -level) else { continue };
            let away = i64::from(level) * self.ground.interval(symbol).units() + instrument.tick.units();
            let away = top.bid.units() + way * away;
            let text = ClientId::new(TAG, self.run, leg, side, u64::from(n) + 1).text();
            // One in three has filled.
            let market = n % 3 == 2;
            let order = NewOrder {
                symbol,
                client_id: ClientText::from(&text).ok(),
                side,
                kind: if market { OrderType::Market } else { OrderType::Limit },
                tif: Tif::Gtc,
                price: if market { Price::ZERO } else { Price::from_units(away) },
                qty: instrument.qty_for(self.ground.order_quote, top.bid),
                reduce_only: false,
                self_trade: SelfTrade::ExpireMaker,
            };
            let at = self.exchange_now();
            let placed = self.counter.by_hand(at, |venue, sink| venue.place(at, ACCOUNT, order, sink));
            self.say(|| format!("open before: {order:?}: {placed:?}"));
        }
        Ok(())
    }

    pub(super) fn by_hand(&mut self, kind: OrderType) {
        if self.hands.len() >= HANDS_MAX {
            return;
        }
        let all = symbols(&self.options);
        let symbol = all[(self.random.next_u64() % all.len() as u64) as usize];
        let Ok(Some((_, top))) = self.counter.venue().top(symbol) else { return };
        let side = if self.one_in(500_000) { Side::Buy } else { Side::Sell };
        let percent = 1 + (self.random.next_u64() % 20) as i64;
        let away = top.bid.units() / 2_000 * percent;
        let price = Price::from_units(top.bid.units() + if side == Side::Buy { -away } else { away });
        let price = self.counter.venue().instrument(symbol).ok().and_then(|btc| btc.round_price(price, plimsoll_market::Round::Down));
        let (Some(price), Ok(instrument)) = (price, self.counter.venue().instrument(symbol)) else { return };
        let qty = instrument.qty_for(200 * 100_000_000, top.bid).max(Qty::from_units(1));
        // Of the same form as ours, as those of another installation are.
        let level = (self.random.next_u64() % 20) as i32 - 10;
        let Some(leg) = Leg::new(0, level) else { return };
        let text = ClientId::new(Tag(8), 1, leg, side, self.hands.len() as u64 + 1).text();
        let market = kind == OrderType::Market;
        let order = NewOrder {
            symbol,
            client_id: ClientText::from(&text).ok(),
            side,
            kind,
            tif: Tif::Gtc,
            price: if market { Price::ZERO } else { price },
            qty,
            reduce_only: false,
            self_trade: SelfTrade::ExpireMaker,
        };
        let at = self.exchange_now();
        let placed = self.counter.by_hand(at, |venue, sink| venue.place(at, ACCOUNT, order, sink));
        self.say(|| format!("by hand: {order:?}: {placed:?}"));
        if let Ok(row) = placed {
            self.hands.push((symbol, row.order_id));
            self.others = true;
        }
        self.carry_streams();
    }

    pub(super) fn set_memory(&mut self, short: bool) -> anyhow::Result<()> {
        self.memory_short = short;
        self.with_bot(|_, bot| {
            for at in 0..bot.seats.len() {
                bot.work.push_back(Work::Engine(at, Event::MemoryShort(short)));
            }
        })
    }

    pub(super) fn over(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::DiskStuck => {
                self.stuck = false;
                for disk in &mut self.disks {
                    let all = disk.waiting();
                    disk.flush(all);
                }
                // What was to be committed meanwhile is committed now.
                self.recommit()
            }
            Fault::MemoryShort => self.set_memory(false),
            _ => Ok(()),
        }
    }

    /// A database that took nothing takes again: the engines that waited for a commit are built anew, as after a restart of theirs.
    pub(super) fn recommit(&mut self) -> anyhow::Result<()> {
        for disk in &mut self.disks {
            disk.behind = true;
        }
        self.recover_records()
    }

    /// Records have room again: what was refused is fetched from the exchange, by an engine built anew from what is stored.
    pub(super) fn recover_records(&mut self) -> anyhow::Result<()> {
        if self.stuck {
            return Ok(());
        }
        for at in 0..self.disks.len() {
            let Some(disk) = self.disks.get_mut(at).filter(|disk| disk.behind) else { continue };
            disk.behind = false;
            let all = disk.waiting();
            disk.flush(all);
            let boot = disk.boot();
            self.begins(at, &boot);
            let (run, options, ground) = (self.run, self.options.clone(), self.ground.clone());
            let Some(bot) = self.bot.as_mut() else { continue };
            let up = bot.session.stats().conns_open > 0 && bot.wire(ConnId::USER).is_some();
            let Some(seat) = bot.seats.get_mut(at) else { continue };
            let placed_before = seat.engine.position().placed_in_run();
            seat.engine = engine(&options, &ground, seat.instrument, at as u16, run, placed_before, &boot)?;
            let short = self.memory_short;
            self.with_bot(|_, bot| {
                if up {
                    bot.work.push_back(Work::Engine(at, Event::Link(Link { feed: Feed::Account, up: true })));
                }
                if short {
                    bot.work.push_back(Work::Engine(at, Event::MemoryShort(true)));
                }
            })?;
        }
        Ok(())
    }

    /// What goes wrong stops going wrong; what it left behind must heal by itself.
    pub(super) fn make_peace(&mut self) {
        self.say(|| "peace".to_owned());
        self.trouble = false;
        self.refusing = None;
        self.failing = None;
    }
}
