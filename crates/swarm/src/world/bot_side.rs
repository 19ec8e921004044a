//! The process of a world: its start and death, what it is told, and what it does.

use super::*;
use crate::limits::RECORDS_BATCH;

impl World {
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        self.run += 1;
        let run = self.run;
        self.say(|| format!("start, run {run}"));
        self.bot = Some(Box::new(Bot::new(&self.options, run, &self.disks)?));
        self.with_bot(|_, bot| bot.work.push_back(Work::Session(ToSession::Start)))
    }

    /// The process dies: what it knew is gone, what it sent is not.
    pub(super) fn crash(&mut self) {
        if self.bot.is_none() {
            return;
        }
        self.kill();
        let pause = self.up_to(Duration::from_secs(3));
        self.push(self.now + pause, Later::Start);
    }

    /// The same, and nobody starts it again.
    pub(crate) fn kill(&mut self) {
        let Some(bot) = self.bot.take() else { return };
        self.outcome.crashes += 1;
        self.say(|| "killed".to_owned());
        for stream in bot.wires.into_iter().flatten().filter_map(|wire| wire.stream) {
            self.counter.close(&stream);
        }
        for at in 0..self.disks.len() {
            let waiting = self.disks.get(at).map_or(0, Disk::waiting) as u64;
            let written = (self.random.next_u64() % (waiting + 1)) as usize;
            if let Some(disk) = self.disks.get_mut(at) {
                // A database that is stuck writes nothing more.
                disk.crash(if self.stuck { 0 } else { written });
            }
        }
        if self.goes_wrong(Fault::DiskLost) {
            self.say(|| "the database is lost".to_owned());
            self.disks.fill(Disk::default());
            self.levels.clear();
            self.compare = Compare::Position;
        }
    }

    /// An engine begins: with nothing stored its books begin anew.
    pub(super) fn begins(&mut self, at: usize, boot: &Boot) {
        if boot.books.totals.is_none()
            && let Some(began) = self.began.get_mut(at)
        {
            *began = boot.state.and_then(|state| state.baseline);
        }
    }

    /// Lets something happen to the bot, if it lives, and carries out all that follows before the next moment.
    pub(super) fn with_bot(&mut self, act: impl FnOnce(&mut Self, &mut Bot)) -> anyhow::Result<()> {
        let Some(mut bot) = self.bot.take() else { return Ok(()) };
        act(self, &mut bot);
        let mut killed = false;
        while let Some(work) = bot.work.pop_front() {
            match work {
                Work::Session(what) => killed |= self.tell_session(&mut bot, what)?,
                Work::Engine(at, event) => self.tell_engine(&mut bot, at, &event)?,
            }
            if killed {
                break;
            }
        }
        self.bot = Some(bot);
        if killed {
            self.crash();
        }
        self.carry_streams();
        Ok(())
    }

    /// Gives an input to the session and carries out its outputs; tells whether the process was killed meanwhile.
    pub(super) fn tell_session(&mut self, bot: &mut Bot, what: ToSession) -> anyhow::Result<bool> {
        let now = self.now;
        let Bot { session, outputs, .. } = bot;
        match &what {
            ToSession::Start => session.on_input(now, Input::Start, outputs),
            ToSession::Connected(conn) => session.on_input(now, Input::Connected { conn: *conn }, outputs),
            ToSession::Frame(conn, text) => {
                self.mark(text.len() as u64);
                if *conn == ConnId::USER {
                    self.say(|| format!("← {text}"));
                }
                session.on_input(now, Input::Frame { conn: *conn, bytes: text.as_bytes() }, outputs);
            }
            ToSession::Alive(conn) => session.on_input(now, Input::Alive { conn: *conn }, outputs),
            ToSession::Closed(conn, why) => {
                self.say(|| format!("connection {} ended: {why:?}", conn.0));
                session.on_input(now, Input::Closed { conn: *conn, why: *why }, outputs);
            }
            ToSession::Reply(request, answer) => {
                self.mark(request.0);
                let shown = answer.body.get(..300).unwrap_or(&answer.body).to_owned();
                self.say(|| format!("← {} {} {shown}", request.0, answer.status));
                let orders = answer.orders;
                let used = Used {
                    weight_1m: Some(answer.weight),
                    orders_10s: orders.map(|(ten_seconds, _)| ten_seconds),
                    orders_1m: orders.map(|(_, minute)| minute),
                };
                let retry_after = answer.retry_after_s.map(Duration::from_secs);
                let reply = Reply { status: answer.status, used, retry_after, body: answer.body.as_bytes() };
                session.on_input(now, Input::Reply { request: *request, reply }, outputs);
            }
            ToSession::Failed(request, sent) => {
                self.mark(request.0);
                self.say(|| format!("← {} failed, sent {sent:?}", request.0));
                session.on_input(now, Input::Failed { request: *request, sent: *sent }, outputs);
            }
            ToSession::Order(symbol, action) => session.on_input(now, Input::Order { symbol: *symbol, action }, outputs),
            ToSession::Wake => session.on_input(now, Input::Wake, outputs),
        }
        while let Some(output) = bot.outputs.pop() {
            match output {
                Output::Connect { conn, target } => {
                    self.generation += 1;
                    let (run, generation, at) = (self.run, self.generation, self.now + self.delay());
                    self.say(|| format!("connection {} is opened", conn.0));
                    *bot.wire(conn) = Some(Wire { generation, stream: None, free_at: at, deaf: false, held: None });
                    self.push(at, Later::Dial { run, conn, generation, target });
                }
                Output::Close { conn } => {
                    self.say(|| format!("connection {} is given up", conn.0));
                    if let Some(stream) = bot.wire(conn).take().and_then(|wire| wire.stream) {
                        self.counter.close(&stream);
                    }
                    let (run, at) = (self.run, self.now + self.delay());
                    self.push(at, Later::Session(run, ToSession::Closed(conn, Closed::Local)));
                }
                Output::Request(request) => {
                    if self.goes_wrong(Fault::CrashMidway) && !self.stopping {
                        return Ok(true);
                    }
                    self.send(request);
                }
                Output::Event { symbol, event } => bot.work.push_back(Work::Engine(symbol.usize(), event)),
                Output::Account(event) => self.account(bot, &AccountInput::Event(event)),
                // A damaged list of contracts hides one: people would start again.
                Output::Booted(report) if report.symbols.len() < self.options.symbols => return Ok(true),
                Output::Booted(report) => {
                    for symbol in &report.symbols {
                        let at = symbol.index.usize();
                        let boot = self.disks.get(at).map(Disk::boot).unwrap_or_default();
                        self.begins(at, &boot);
                        self.say(|| format!("{} begins with {:?}", symbol.instrument.symbol, boot.books));
                        let engine = engine(&self.options, &self.ground, symbol.instrument, symbol.index.0, self.run, 0, &boot)?;
                        bot.seats.push(Seat::new(symbol.instrument, engine));
                        if self.memory_short {
                            bot.work.push_back(Work::Engine(at, Event::MemoryShort(true)));
                        }
                    }
                    for balance in &report.balances {
                        self.account(bot, &AccountInput::Event(AccountEvent::Balance(*balance)));
                    }
                }
                Output::BootFailed { reason } => {
                    self.say(|| reason.to_string());
                    let run = self.run;
                    self.push(self.now + SECOND, Later::Boot(run));
                }
                Output::Stopped => {}
            }
        }
        Ok(false)
    }

    pub(super) fn account(&mut self, bot: &mut Bot, input: &AccountInput) {
        let work = &mut bot.work;
        let demand = self.script.as_ref().and_then(|script| script.demand);
        bot.account.on_input(self.now, input, |action| match action {
            AccountAction::Lease { symbol, lease } => {
                let lease = Lease { demand: demand.or(lease.demand), ..lease };
                work.push_back(Work::Engine(usize::from(symbol), Event::Lease(lease)));
            }
            // No rule of the account is on in these worlds.
            AccountAction::Alert(_) | AccountAction::Commit(_) => {}
        });
    }

    pub(super) fn tell_engine(&mut self, bot: &mut Bot, at: usize, event: &Event) -> anyhow::Result<()> {
        let Bot { seats, work, .. } = bot;
        // Before the boot nobody is there to hear.
        let Some(seat) = seats.get_mut(at) else { return Ok(()) };
        let (symbol, instrument) = (seat.instrument.symbol, seat.instrument);
        if matches!(event, Event::Top(_) | Event::Trade(_) | Event::Mark(_)) {
            seat.heard = self.now;
        }
        let heard = seat.heard;
        self.ticks += u64::from(matches!(event, Event::Top(_)));
        seat.tell(self.now, event, |engine, moment| match moment {
            Moment::Told(event) => {
                if !matches!(event, Event::Top(_) | Event::Trade(_) | Event::Mark(_) | Event::Candle(_)) {
                    self.say(|| format!("{symbol} {event:?}"));
                }
                self.mark(at as u64);
                None
            }
            Moment::Answered(action) => self.carry_out(work, at, &Desk { instrument, engine, heard }, action),
        });
        if self.outcome.events.is_multiple_of(16) {
            self.check_books(at, &seat.desk());
        }
        if let Some(began) = self.began.get_mut(at).filter(|began| began.is_none()) {
            *began = seat.engine.position().baseline();
        }
        if seat.engine.position().late_fills() > 0 && self.compare == Compare::All {
            self.compare = Compare::OutOfOrder;
        }
        Ok(())
    }

    /// Does what an engine wants done; what could not be done is told to it at once.
    fn carry_out(&mut self, work: &mut VecDeque<Work>, at: usize, desk: &Desk<'_>, action: Action) -> Option<Event> {
        let index = plimsoll_exchange::SymbolIndex(at as u16);
        let symbol = desk.instrument.symbol;
        match action {
            Action::Place(place) => {
                self.say(|| format!("{symbol} {place:?} {:?}", place.id));
                self.check_place(at, desk, &place);
                work.push_back(Work::Session(ToSession::Order(index, action)));
            }
            Action::Cancel(_) | Action::Query { .. } | Action::Resync { .. } | Action::Countdown { .. } | Action::History => {
                self.say(|| format!("{symbol} {action:?}"));
                work.push_back(Work::Session(ToSession::Order(index, action)));
            }
            Action::Commit(state) => {
                let version = state.version;
                if let Some(disk) = self.disks.get_mut(at).filter(|_| !self.stuck) {
                    disk.state = Some(*state);
                    let (run, due) = (self.run, self.now + Duration::from_millis(1 + self.random.next_u64() % 20));
                    self.push(due, Later::Committed { run, symbol: at, version });
                }
            }
            Action::Record(record) => {
                let (batch, stuck) = (self.ground.batch.unwrap_or(RECORDS_BATCH), self.stuck);
                let disk = self.disks.get_mut(at)?;
                // As the program's recorder does: only the first refusal is told.
                let told = disk.behind;
                if !disk.push(*record) && !told {
                    return Some(Event::RecordsFull(true));
                }
                if !stuck && disk.waiting() >= batch {
                    let all = disk.waiting();
                    disk.flush(all);
                }
            }
            Action::Alert(alert) => {
                self.say(|| format!("{symbol} alert {}: {}", alert.code.as_str(), alert.text));
                if let Some(script) = &mut self.script {
                    script.alerts.push((*alert).clone());
                }
                if alert.code == AlertCode::PositionMismatch {
                    self.mismatch(desk, &alert);
                }
            }
        }
        None
    }

    pub(crate) fn command(&mut self, symbol: usize, command: Command) -> anyhow::Result<()> {
        self.with_bot(|_, bot| bot.work.push_back(Work::Engine(symbol, Event::Command(command))))
    }

    pub(crate) fn stop(&mut self, mode: StopMode) {
        self.stopping = true;
        let stopped = self.with_bot(|_, bot| {
            for at in 0..bot.seats.len() {
                bot.work.push_back(Work::Engine(at, Event::Shutdown(mode)));
            }
        });
        debug_assert!(stopped.is_ok());
    }
}
