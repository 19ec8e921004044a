//! Catch-ups: executions after a watermark, then position and open orders.

use super::answers::{Answer, Trouble};
use super::core::{BatchStage, Session};
use super::io::Outputs;
use super::jobs::{Job, Pending};
use super::limits::{RESYNC_ATTEMPTS, RESYNCS_ACTIVE, SNAPSHOTS_SINGLE_MAX, TRADES_PAGE};
use super::resync_state::{Lookup, Page, Stage};
use crate::SymbolIndex;
use crate::binance::decode::{self, OrderReply, PositionInfo};
use plimsoll_market::limits::{FILL_PAGE_MAX, SNAPSHOT_ORDERS_MAX};
use plimsoll_market::{
    ClientId, Event, Fill, FillPage, Holding, OrderId, OrderReport, PositionReport, PositionSide, RefPrice, Snapshot, Source, Time, TradeId,
};

impl Session {
    /// Begins a catch-up, or has it begin again when the one under way is done.
    pub(super) fn begin_resync(&mut self, symbol: SymbolIndex, after: Option<TradeId>) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        let resync = &mut state.resync;
        match resync.stage {
            Stage::Idle | Stage::Queued => {
                resync.after = after;
                resync.enter(Stage::Queued);
            }
            Stage::Baseline | Stage::Trades(_) | Stage::Lookup | Stage::Due | Stage::Position | Stage::Orders | Stage::Batch => {
                resync.again = Some(after)
            }
        }
    }

    /// What the catch-ups ask for next.
    pub(super) fn next_resync(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        if self.batch.stage != BatchStage::None && !self.batch.in_flight && self.batch.not_before <= now {
            let job = if self.batch.stage == BatchStage::Positions { Job::AllPositions } else { Job::AllOpenOrders };
            return Some((job, SymbolIndex::ANY));
        }
        let (mut fetching, mut busy, mut queued, mut due) = (0, 0, None, 0);
        let mut ready = None;
        for (n, state) in self.symbols.iter().enumerate() {
            let resync = &state.resync;
            if resync.stage == Stage::Idle {
                continue;
            }
            let symbol = SymbolIndex(n as u16);
            fetching += usize::from(resync.is_fetching());
            // One that waits after a failure does not hold up the others.
            busy += usize::from(resync.is_fetching() && (resync.in_flight || resync.not_before <= now));
            due += usize::from(resync.stage == Stage::Due);
            if resync.in_flight || resync.not_before > now {
                continue;
            }
            let job = match resync.stage {
                Stage::Idle | Stage::Batch => None,
                Stage::Queued => {
                    queued = queued.or(Some((symbol, resync.after)));
                    None
                }
                Stage::Baseline => Some(Job::Baseline),
                Stage::Trades(after) => Some(Job::Trades(TradeId(after.0.saturating_add(1)))),
                Stage::Lookup => self.lookup_job(symbol),
                Stage::Position => Some(Job::Position),
                Stage::Orders => Some(Job::OpenOrders),
                Stage::Due => None,
            };
            ready = ready.or(job.map(|job| (job, symbol)));
        }
        if ready.is_some() {
            return ready;
        }
        // A page of executions for each that fetches: so many and no more.
        if let (Some((symbol, after)), true) = (queued, fetching < RESYNCS_ACTIVE) {
            return Some((after.map_or(Job::Baseline, |after| Job::Trades(TradeId(after.0.saturating_add(1)))), symbol));
        }
        let batch_free = self.batch.stage == BatchStage::None;
        if due > SNAPSHOTS_SINGLE_MAX {
            return batch_free.then_some((Job::AllPositions, SymbolIndex::ANY));
        }
        // Few are due: waits for those still fetching, since they may become many.
        if due > 0 && queued.is_none() && busy == 0 {
            let n = self.symbols.iter().position(|s| s.resync.stage == Stage::Due)?;
            return Some((Job::Position, SymbolIndex(n as u16)));
        }
        None
    }

    fn lookup_job(&self, symbol: SymbolIndex) -> Option<Job> {
        let page = self.pages.iter().find(|p| p.symbol == symbol)?;
        Some(match page.next_lookup()? {
            Lookup::From(order) => Job::OrdersFrom(order),
            Lookup::One(order) => Job::OrderById(order),
        })
    }

    /// Notes that a request of a catch-up is on its way.
    pub(super) fn resync_started(&mut self, job: Job, symbol: SymbolIndex, now: Time) {
        if matches!(job, Job::AllPositions | Job::AllOpenOrders) {
            if self.batch.stage == BatchStage::None {
                self.batch.stage = BatchStage::Positions;
                self.batch.backoff.reset();
                self.batch.asked_at = now;
                for state in self.symbols.iter_mut().filter(|s| s.resync.stage == Stage::Due) {
                    state.resync.enter(Stage::Batch);
                    state.resync.position = None;
                }
            }
            self.batch.in_flight = true;
            return;
        }
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        let resync = &mut state.resync;
        if matches!(job, Job::Trades(_) | Job::Baseline) {
            resync.page_asked_at = now;
        }
        match (resync.stage, job) {
            (Stage::Queued, Job::Trades(_)) => resync.enter(Stage::Trades(resync.after.unwrap_or_default())),
            (Stage::Queued, _) => resync.enter(Stage::Baseline),
            (Stage::Due, _) => {
                resync.enter(Stage::Position);
                resync.asked_at = now;
            }
            _ => {}
        }
        resync.in_flight = true;
    }

    pub(super) fn resync_answered(&mut self, now: Time, pending: &Pending, answer: Answer<'_>, out: &mut Outputs) {
        let symbol = pending.symbol;
        // Attempts without an answer are limited by their own count: a bad line must not make executions nobody's.
        let answered = matches!(answer, Ok(_) | Err(Trouble::Refused(_)));
        if answered
            && matches!(pending.job, Job::OrdersFrom(_) | Job::OrderById(_))
            && let Some(page) = self.pages.iter_mut().find(|p| p.symbol == symbol)
        {
            page.asked();
        }
        let done = match (pending.job, answer) {
            (Job::OrderById(order), Err(Trouble::Refused(error))) if error.is_no_such_order() => {
                // The exchange forgets orders after days: whose it was cannot be learned any more.
                self.learned(symbol, &[(order, None)]);
                self.page_done(symbol, out);
                Ok(())
            }
            (_, Err(trouble)) => Err(trouble),
            (job, Ok(body)) => self.resync_read(now, job, symbol, body, out),
        };
        if let Err(trouble) = done {
            if matches!(trouble, Trouble::Malformed) {
                self.stats.replies_malformed += 1;
            }
            self.resync_trouble(now, pending.job, symbol, &trouble, out);
        }
    }

    fn resync_read(&mut self, now: Time, job: Job, symbol: SymbolIndex, body: &[u8], out: &mut Outputs) -> Result<(), Trouble> {
        fn read<T, E>(result: Result<T, E>) -> Result<T, Trouble> {
            result.map_err(|_| Trouble::Malformed)
        }
        match job {
            Job::Baseline => {
                let trades = read(decode::user_trades(body, &self.instruments))?;
                let baseline = trades.items.iter().map(|t| t.fill.trade_id).max();
                let asked_at = self.page_asked_at(symbol);
                out.event(symbol, Event::Fills(Box::new(FillPage { fills: Vec::new(), baseline, last: true, asked_at })));
                self.enter(symbol, Stage::Due);
            }
            Job::Trades(from) => {
                let trades = read(decode::user_trades(body, &self.instruments))?;
                let last = trades.items.len() < usize::from(TRADES_PAGE);
                let fills = trades.items.iter().filter(|t| t.symbol == symbol && t.fill.trade_id >= from).map(|t| t.fill);
                let fills: Vec<Fill> = fills.take(usize::from(TRADES_PAGE)).collect();
                // A full page without anything new would be asked for for ever.
                let page = Page::new(symbol, fills, last || !trades.items.iter().any(|t| t.fill.trade_id >= from));
                self.open_page(page, out);
            }
            Job::OrdersFrom(from) => {
                let orders = read(decode::orders(body, &self.instruments))?;
                let full = orders.items.len() >= usize::from(TRADES_PAGE);
                let mut newest = from;
                let mut learned = Vec::with_capacity(orders.items.len());
                for order in orders.items {
                    newest = newest.max(order.report.order_id);
                    let report = self.own(order.symbol, order.report);
                    learned.push((report.order_id, report.id));
                }
                self.learned(symbol, &learned);
                let below = if full { OrderId(newest.0.saturating_add(1)) } else { OrderId(u128::MAX) };
                if let Some(page) = self.pages.iter_mut().find(|p| p.symbol == symbol) {
                    page.listed_below(below);
                }
                self.page_done(symbol, out);
            }
            Job::OrderById(asked) => {
                let order = read(decode::order(body, &self.instruments, Source::Query))?;
                let report = self.own(order.symbol, order.report);
                if report.order_id != asked {
                    return Err(Trouble::Malformed);
                }
                self.learned(symbol, &[(asked, report.id)]);
                self.page_done(symbol, out);
            }
            Job::Position => {
                let positions = read(decode::positions(body, &self.instruments))?;
                let position = self.position_of(symbol, &positions.items);
                if let Some(state) = self.symbols.get_mut(symbol.usize()) {
                    state.resync.position = Some(position);
                }
                self.enter(symbol, Stage::Orders);
            }
            Job::OpenOrders => {
                let orders = read(decode::orders(body, &self.instruments))?;
                let asked_at = self.symbols.get(symbol.usize()).map_or(now, |s| s.resync.asked_at);
                self.snapshot(symbol, asked_at, &orders.items, out);
            }
            Job::AllPositions => {
                let positions = read(decode::positions(body, &self.instruments))?;
                for n in 0..self.symbols.len() {
                    let position = self.position_of(SymbolIndex(n as u16), &positions.items);
                    if let Some(state) = self.symbols.get_mut(n).filter(|s| s.resync.stage == Stage::Batch) {
                        state.resync.position = Some(position);
                    }
                }
                self.batch.stage = BatchStage::Orders;
                self.batch.in_flight = false;
                self.batch.backoff.reset();
            }
            Job::AllOpenOrders => {
                let mut orders = read(decode::orders(body, &self.instruments))?.items;
                orders.sort_by_key(|o| o.symbol);
                let asked_at = self.batch.asked_at;
                for n in 0..self.symbols.len() {
                    let symbol = SymbolIndex(n as u16);
                    if self.symbols.get(n).is_some_and(|s| s.resync.stage == Stage::Batch) {
                        let start = orders.partition_point(|o| o.symbol < symbol);
                        let end = orders.partition_point(|o| o.symbol <= symbol);
                        self.snapshot(symbol, asked_at, orders.get(start..end).unwrap_or_default(), out);
                    }
                }
                self.batch.stage = BatchStage::None;
                self.batch.in_flight = false;
            }
            _ => return Err(Trouble::Malformed),
        }
        Ok(())
    }

    fn enter(&mut self, symbol: SymbolIndex, stage: Stage) {
        if let Some(state) = self.symbols.get_mut(symbol.usize()) {
            state.resync.enter(stage);
        }
    }

    /// Takes a page of executions; whose they are is known, or asked for next.
    fn open_page(&mut self, mut page: Page, out: &mut Outputs) {
        let symbol = page.symbol;
        let unknown: Vec<OrderId> = page.unknown().collect();
        for order in unknown {
            if let Some(id) = self.order_ids.get(&(symbol, order)) {
                page.learn(order, *id);
            }
        }
        self.pages.retain(|p| p.symbol != symbol);
        let pushed = self.pages.push(page).is_ok();
        assert!(pushed, "more catch-ups fetch executions than may");
        self.enter(symbol, Stage::Lookup);
        self.page_done(symbol, out);
    }

    fn learned(&mut self, symbol: SymbolIndex, orders: &[(OrderId, Option<ClientId>)]) {
        if let Some(page) = self.pages.iter_mut().find(|p| p.symbol == symbol) {
            for (order, id) in orders {
                page.learn(*order, *id);
            }
        }
    }

    /// Hands a page on once all is known of it, or nothing more can be learned.
    fn page_done(&mut self, symbol: SymbolIndex, out: &mut Outputs) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        state.resync.in_flight = false;
        let Some(at) = self.pages.iter().position(|p| p.symbol == symbol) else { return };
        if self.pages.get(at).is_some_and(|p| p.next_lookup().is_some()) {
            return;
        }
        let Some(mut page) = self.pages.swap_remove(at) else { return };
        page.keep_known();
        self.stats.fills_unattributed += page.unknown().count() as u64;
        let Page { fills, last, .. } = page;
        let newest = fills.last().map(|f| f.trade_id);
        let asked_at = self.page_asked_at(symbol);
        for fill in &fills {
            self.fee_paid(asked_at, symbol, fill.fee);
        }
        let mut chunks = fills.chunks(FILL_PAGE_MAX).peekable();
        if chunks.peek().is_none() {
            out.event(symbol, Event::Fills(Box::new(FillPage { fills: Vec::new(), baseline: None, last, asked_at })));
        }
        while let Some(chunk) = chunks.next() {
            let last = last && chunks.peek().is_none();
            out.event(symbol, Event::Fills(Box::new(FillPage { fills: chunk.to_vec(), baseline: None, last, asked_at })));
        }
        match (last, newest) {
            (false, Some(newest)) => self.enter(symbol, Stage::Trades(newest)),
            _ => self.enter(symbol, Stage::Due),
        }
    }

    fn page_asked_at(&self, symbol: SymbolIndex) -> Time {
        self.symbols.get(symbol.usize()).map_or(Time::ZERO, |s| s.resync.page_asked_at)
    }

    /// The position of a symbol; flat when the exchange does not list it.
    fn position_of(&self, symbol: SymbolIndex, positions: &[PositionInfo]) -> PositionReport {
        let leverage = self.symbols.get(symbol.usize()).map_or(0, |s| s.leverage);
        let flat = PositionReport {
            side: PositionSide::Both,
            holding: Holding::FLAT,
            entry: RefPrice::ZERO,
            liquidation: RefPrice::ZERO,
            leverage,
        };
        let mut of_symbol = positions.iter().filter(|p| p.symbol == symbol).map(|p| p.report);
        let first = of_symbol.next();
        // In hedge mode, which is refused before trading, there may be several: the one that holds something.
        let report = first.into_iter().chain(of_symbol).find(|p| !p.holding.is_flat()).or(first).unwrap_or(flat);
        PositionReport { leverage: if report.leverage == 0 { leverage } else { report.leverage }, ..report }
    }

    fn snapshot(&mut self, symbol: SymbolIndex, asked_at: Time, orders: &[OrderReply], out: &mut Outputs) {
        let mut open: Vec<OrderReport> = orders.iter().filter(|o| o.symbol == symbol).map(|o| o.report).collect();
        for report in &mut open {
            *report = self.own(symbol, *report);
        }
        if open.len() > SNAPSHOT_ORDERS_MAX {
            // Ours first: of the others only the number matters.
            open.sort_by_key(|o| o.id.is_none());
            self.stats.open_orders_cut += (open.len() - SNAPSHOT_ORDERS_MAX) as u64;
            open.truncate(SNAPSHOT_ORDERS_MAX);
        }
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        let resync = &mut state.resync;
        let Some(position) = resync.position.take() else { return };
        resync.enter(Stage::Idle);
        self.stats.resyncs += 1;
        let again = resync.again.take();
        out.event(symbol, Event::Snapshot(Box::new(Snapshot { asked_at, position, open })));
        if let Some(after) = again {
            self.begin_resync(symbol, after);
        }
    }

    /// Tries a request again, or gives the catch-up up.
    fn resync_trouble(&mut self, now: Time, job: Job, symbol: SymbolIndex, trouble: &Trouble, out: &mut Outputs) {
        let clock = matches!(trouble, Trouble::Refused(error) if error.is_clock());
        let retry = trouble.is_retry() || clock;
        if matches!(job, Job::AllPositions | Job::AllOpenOrders) {
            self.batch.in_flight = false;
            if retry && self.batch.backoff.failures() + 1 < RESYNC_ATTEMPTS {
                self.batch.not_before = now + self.batch.backoff.next(&mut self.random);
                return;
            }
            self.batch.stage = BatchStage::None;
            for n in 0..self.symbols.len() {
                if self.symbols.get(n).is_some_and(|s| s.resync.stage == Stage::Batch) {
                    self.resync_failed(SymbolIndex(n as u16), out);
                }
            }
            return;
        }
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        let resync = &mut state.resync;
        resync.in_flight = false;
        if retry && resync.backoff.failures() + 1 < RESYNC_ATTEMPTS {
            resync.not_before = now + resync.backoff.next(&mut self.random);
            return;
        }
        self.resync_failed(symbol, out);
    }

    fn resync_failed(&mut self, symbol: SymbolIndex, out: &mut Outputs) {
        self.pages.retain(|p| p.symbol != symbol);
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        state.resync.enter(Stage::Idle);
        state.resync.position = None;
        let again = state.resync.again.take();
        self.stats.resyncs_failed += 1;
        match again {
            // Asked for again meanwhile: that one answers.
            Some(after) => self.begin_resync(symbol, after),
            None => out.event(symbol, Event::ResyncFailed),
        }
    }
}
