//! Frames and connections: books, trades, marks, candles, gaps.

use super::answers::Answer;
use super::backoff::Backoff;
use super::conns::{ConnState, Due, Role};
use super::core::{Fetch, Phase, Session, SymbolState};
use super::io::{ConnId, Dropped, Output, Outputs};
use super::jobs::Job;
use super::limits::BOOK_STABLE;
use super::user::ListenKey;
use crate::SymbolIndex;
use crate::binance::book_sync::BookStep;
use crate::binance::decode::{self, BookTicker, DepthUpdate, Message};
use crate::instruments::Scales;
use plimsoll_market::{AccountEvent, Event, Feed, Link, Time, Top};

impl Session {
    // Connections ----------------------------------------------------------------------------------------------------

    /// Has a connection opened, if it can be.
    pub(super) fn connect(&mut self, now: Time, n: usize, out: &mut Outputs) {
        if self.phase != Phase::Running {
            return;
        }
        let Some(role) = self.conns.get(n).map(|c| c.role) else { return };
        let target = self.stream_target(role);
        let Some(conn) = self.conns.get_mut(n) else { return };
        match target {
            Some(target) => {
                conn.opening(now);
                out.push(Output::Connect { conn: ConnId(n as u8), target });
            }
            // The user stream is opened when its key comes.
            None => {
                conn.state = ConnState::Down(None);
                if self.listen == ListenKey::None {
                    self.listen = ListenKey::Wanted(now);
                }
            }
        }
        self.dirty = true;
    }

    pub(super) fn connected(&mut self, now: Time, id: ConnId, out: &mut Outputs) {
        let Some(conn) = self.conns.get_mut(id.usize()) else { return };
        if !matches!(conn.state, ConnState::Opening(_)) {
            // One that was given up meanwhile; its end was asked for already, or is asked for now.
            if !conn.is_open() && !matches!(conn.state, ConnState::Closing(_)) {
                out.push(Output::Close { conn: id });
            }
            return;
        }
        conn.opened(now, &mut self.random);
        let role = conn.role;
        self.dirty = true;
        self.stats.connects += 1;
        match role.shard() {
            None => {
                self.link(Feed::Account, true, out);
                // What was paid while nobody listened.
                if !self.user_seen && !self.config.funded_to.is_empty() {
                    self.funding.hint(now);
                }
                if self.user_seen {
                    // What happened meanwhile: balances, and funding that nobody hinted at.
                    self.balances_at = Some(now);
                    self.funding.hint(now);
                }
                self.user_seen = true;
            }
            Some(shard) => {
                if role.has_books() {
                    for n in self.shard(shard) {
                        if let Some(state) = self.symbols.get_mut(n) {
                            state.forget_book();
                        }
                    }
                }
                let whole = self.conns.iter().filter(|c| c.role.shard() == Some(shard)).all(|c| c.is_open());
                if whole {
                    self.market_link(now, shard, true, out);
                }
            }
        }
    }

    /// Tells a shard's symbols that their market data comes or does not.
    fn market_link(&mut self, now: Time, shard: u8, up: bool, out: &mut Outputs) {
        let link = Link { feed: Feed::Market, up };
        let mut changed = false;
        for n in self.shard(shard) {
            let wanted = up && self.past_of(SymbolIndex(n as u16)).is_some();
            if let Some(state) = self.symbols.get_mut(n)
                && state.market_up != up
            {
                state.market_up = up;
                changed = true;
                if up {
                    state.past.begin(now, wanted);
                }
                out.event(SymbolIndex(n as u16), Event::Link(link));
            }
        }
        if changed {
            // The account's feed of market data is up when every symbol's is.
            let all = self.symbols.iter().all(|s| s.market_up);
            out.push(Output::Account(AccountEvent::Link(Link { feed: Feed::Market, up: all })));
        }
    }

    /// What came over a connection, or may have come, is lost.
    fn lost(&mut self, role: Role, out: &mut Outputs) {
        match role.shard() {
            None => {
                for n in 0..self.symbols.len() {
                    out.event(SymbolIndex(n as u16), Event::Gap(Feed::Account));
                }
            }
            Some(shard) => {
                for n in self.shard(shard) {
                    if let Some(state) = self.symbols.get_mut(n) {
                        if role.has_books() {
                            state.forget_book();
                        }
                        out.event(SymbolIndex(n as u16), Event::Gap(Feed::Market));
                    }
                }
            }
        }
        self.dirty = true;
    }

    /// A connection that was open is so no more.
    fn down(&mut self, now: Time, role: Role, out: &mut Outputs) {
        self.stats.disconnects += 1;
        self.lost(role, out);
        match role.shard() {
            None => self.link(Feed::Account, false, out),
            Some(shard) => self.market_link(now, shard, false, out),
        }
    }

    pub(super) fn dropped(&mut self, now: Time, id: ConnId, why: Dropped, out: &mut Outputs) {
        let Some(conn) = self.conns.get_mut(id.usize()).filter(|c| c.is_open()) else { return };
        conn.seen(now);
        let role = conn.role;
        match why {
            Dropped::Oversized => self.stats.frames_oversized += 1,
            Dropped::Malformed => self.stats.frames_malformed += 1,
        }
        self.lost(role, out);
    }

    pub(super) fn closed(&mut self, now: Time, id: ConnId, out: &mut Outputs) {
        let Some(conn) = self.conns.get_mut(id.usize()) else { return };
        let (role, before) = (conn.role, conn.state);
        self.dirty = true;
        let retry_at = match before {
            // The end of one that is counted as ended already.
            ConnState::Down(_) => return,
            ConnState::Closing(at) => at,
            // Whatever the reason is: it was not asked for, so it is lost.
            ConnState::Open | ConnState::Opening(_) => conn.retry_at(now, &mut self.random),
        };
        conn.state = ConnState::Down(None);
        if before == ConnState::Open {
            self.down(now, role, out);
        } else if matches!(before, ConnState::Opening(_)) {
            self.stats.disconnects += 1;
        }
        self.reopen_at(now, id, retry_at, out);
    }

    /// Plans the next opening of a connection that is gone. The user stream goes by a key that was just given or extended.
    fn reopen_at(&mut self, now: Time, id: ConnId, at: Time, out: &mut Outputs) {
        if self.phase != Phase::Running {
            return;
        }
        let Some(conn) = self.conns.get_mut(id.usize()) else { return };
        if conn.role == Role::User {
            match self.listen {
                // Asked for already, maybe with a wait of its own.
                ListenKey::Asking | ListenKey::Wanted(_) => {}
                ListenKey::None | ListenKey::Held { .. } => self.listen = ListenKey::Wanted(at),
            }
        } else if at <= now {
            // Its end took longer than the pause: no timer would come for what is due already.
            self.connect(now, id.usize(), out);
        } else {
            conn.state = ConnState::Down(Some(at));
        }
    }

    /// Ends a connection from our side; it is opened again once it is gone.
    pub(super) fn give_up_conn(&mut self, now: Time, id: ConnId, out: &mut Outputs) {
        let Some(conn) = self.conns.get_mut(id.usize()) else { return };
        let (role, was_open) = (conn.role, conn.is_open());
        // One that is only old is replaced at once.
        let at = if conn.is_old(now) { now } else { conn.retry_at(now, &mut self.random) };
        conn.state = ConnState::Closing(at);
        out.push(Output::Close { conn: id });
        if was_open {
            self.down(now, role, out);
        }
        if role == Role::User && !matches!(self.listen, ListenKey::Wanted(_) | ListenKey::Asking) {
            self.listen = ListenKey::Wanted(at);
        }
        self.dirty = true;
    }

    pub(super) fn conn_timers(&mut self, now: Time, out: &mut Outputs) {
        for n in 0..self.conns.len() {
            match self.conns.get(n).and_then(|c| c.due(now)) {
                Some(Due::Connect) => {
                    if matches!(self.phase, Phase::Stopping(_)) {
                        if let Some(conn) = self.conns.get_mut(n) {
                            conn.state = ConnState::Down(None);
                        }
                    } else {
                        self.connect(now, n, out);
                    }
                }
                Some(Due::GiveUp) if self.phase == Phase::Running => self.give_up_conn(now, ConnId(n as u8), out),
                Some(Due::GiveUp) | None => {}
            }
        }
    }

    // Frames ---------------------------------------------------------------------------------------------------------

    pub(super) fn frame(&mut self, now: Time, id: ConnId, bytes: &[u8], out: &mut Outputs) {
        let Some(conn) = self.conns.get_mut(id.usize()).filter(|c| c.is_open()) else {
            // Read before the other side knew of the end.
            return;
        };
        conn.seen(now);
        let role = conn.role;
        self.stats.frames += 1;
        // Taken out so that the message may borrow it while the session acts on it.
        let Some(mut buffer) = self.depth.take() else { return };
        match decode::decode(bytes, &self.instruments, &mut buffer) {
            Ok(message) => self.message(now, message, out),
            Err(_) => {
                self.stats.frames_malformed += 1;
                self.lost(role, out);
            }
        }
        self.depth = Some(buffer);
    }

    fn message(&mut self, now: Time, message: Message<'_>, out: &mut Outputs) {
        match message {
            Message::BookTicker(ticker) => self.book_ticker(now, &ticker, out),
            Message::Depth(update) => self.depth_update(now, update, out),
            Message::AggTrade(trade) => out.event(trade.symbol, Event::Trade(trade.trade)),
            Message::Mark(mark) => out.event(mark.symbol, Event::Mark(mark.price)),
            Message::Kline(kline) => {
                if kline.closed && &kline.interval == "1m" {
                    self.candle(now, kline.symbol, kline.candle, out);
                }
            }
            Message::OrderUpdate(update) => self.order_update(now, &update, out),
            Message::AccountUpdate(update) => self.account_update(now, &update, out),
            Message::AccountConfig(config) => self.account_config(config, out),
            Message::MarginCall(_) => out.push(Output::Account(AccountEvent::MarginCall)),
            Message::ListenKeyExpired(expired) => {
                // A late word about a key that was replaced is no news.
                let ours = match (&self.listen, expired.key) {
                    (ListenKey::Held { key, .. }, Some(gone)) => key.as_str() == gone.as_str(),
                    (_, None) => true,
                    (ListenKey::None | ListenKey::Wanted(_) | ListenKey::Asking, Some(_)) => false,
                };
                if ours {
                    self.listen_key_lost(now, out);
                }
            }
            // Several events of one frame: none that we subscribe to comes so.
            Message::Batch(_)
            | Message::Trade(_)
            | Message::Ticker(_)
            | Message::MiniTicker(_)
            | Message::ForceOrder(_)
            | Message::TradeLite(_)
            | Message::AlgoUpdate(_)
            | Message::TriggerReject(_)
            | Message::Reply(_)
            | Message::Ignored { .. }
            | Message::Unlisted { .. } => self.stats.frames_ignored += 1,
        }
    }

    /// The fast word about the best prices: believed when it is newer than what the book said.
    fn book_ticker(&mut self, now: Time, ticker: &BookTicker, out: &mut Outputs) {
        let Some(state) = self.symbols.get_mut(ticker.symbol.usize()) else { return };
        if state.book.last_id() == Some(ticker.update_id) && state.book.top().is_some_and(|top| !same(&top, &ticker.top)) {
            state.book.reset();
            self.stats.book_mismatches += 1;
            self.book_gap(now, ticker.symbol, out);
            return;
        }
        if let Some(top) = state.newer_top(ticker.update_id, ticker.top) {
            out.event(ticker.symbol, Event::Top(top));
        }
    }

    fn depth_update(&mut self, now: Time, update: &DepthUpdate, out: &mut Outputs) {
        let symbol = update.symbol;
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        match state.book.on_update(update) {
            BookStep::Applied => self.book_moved(now, symbol, out),
            BookStep::Dropped => {}
            BookStep::Waiting => {
                if state.book_fetch == Fetch::None && state.book.wants_snapshot() {
                    state.book_fetch = Fetch::Wanted(now);
                }
                self.dirty |= matches!(state.book_fetch, Fetch::Wanted(at) if at <= now);
            }
            BookStep::Gap(_) => self.book_gap(now, symbol, out),
        }
    }

    /// The book is up to date with an update or snapshot.
    fn book_moved(&mut self, now: Time, symbol: SymbolIndex, out: &mut Outputs) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        if state.book_synced_at.is_none() {
            state.book_synced_at = Some(now);
        }
        let (Some(id), Some(top)) = (state.book.last_id(), state.book.top()) else { return };
        if state.top_id == id && state.top.is_some_and(|known| !same(&known, &top)) {
            state.book.reset();
            self.stats.book_mismatches += 1;
            self.book_gap(now, symbol, out);
            return;
        }
        if let Some(top) = state.newer_top(id, top) {
            out.event(symbol, Event::Top(top));
        }
    }

    /// A book is worthless: tells it, and plans a snapshot, at once after a long time of peace and later and later otherwise.
    fn book_gap(&mut self, now: Time, symbol: SymbolIndex, out: &mut Outputs) {
        let Some(state) = self.symbols.get_mut(symbol.usize()) else { return };
        if state.book_synced_at.is_some_and(|at| now.since(at) >= BOOK_STABLE) {
            state.book_backoff.reset();
        }
        let first = state.book_backoff == Backoff::default();
        let wait = state.book_backoff.next(&mut self.random);
        if state.book_fetch != Fetch::InFlight {
            state.book_fetch = Fetch::Wanted(if first { now } else { now + wait });
        }
        state.book_synced_at = None;
        state.top = None;
        state.top_id = 0;
        self.dirty = true;
        self.stats.book_gaps += 1;
        out.event(symbol, Event::Gap(Feed::Market));
    }

    /// The next book that needs a snapshot.
    pub(super) fn next_book(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        let wants = |state: &SymbolState| matches!(state.book_fetch, Fetch::Wanted(at) if at <= now) && state.book.wants_snapshot();
        let n = self.symbols.iter().position(wants)?;
        Some((Job::BookSnapshot, SymbolIndex(n as u16)))
    }

    pub(super) fn book_answered(&mut self, now: Time, symbol: SymbolIndex, answer: Answer<'_>, out: &mut Outputs) {
        let scales = self.instruments.get(symbol).map(|i| Scales { index: symbol, price: i.price_scale, qty: i.qty_scale, quote: i.quote });
        let (Some(scales), Some(state)) = (scales, self.symbols.get_mut(symbol.usize())) else { return };
        let snapshot = match answer.map(|body| decode::depth_snapshot(body, &scales)) {
            Ok(Ok(snapshot)) => snapshot,
            failed => {
                if matches!(failed, Ok(Err(_))) {
                    self.stats.replies_malformed += 1;
                }
                state.book_fetch = Fetch::Wanted(now + state.book_backoff.next(&mut self.random));
                return;
            }
        };
        self.stats.book_snapshots += 1;
        state.book_fetch = Fetch::None;
        match state.book.on_snapshot(&snapshot) {
            BookStep::Applied => self.book_moved(now, symbol, out),
            BookStep::Waiting | BookStep::Dropped => {}
            BookStep::Gap(_) => {
                // Nobody has used this book: it only takes another snapshot.
                state.book_fetch = Fetch::Wanted(now + state.book_backoff.next(&mut self.random));
            }
        }
    }
}

impl SymbolState {
    /// Forgets book and top; the next update asks for a snapshot.
    fn forget_book(&mut self) {
        self.book.reset();
        self.top = None;
        self.top_id = 0;
        self.book_synced_at = None;
        if self.book_fetch != Fetch::InFlight {
            self.book_fetch = Fetch::None;
        }
    }

    /// Takes the best prices at an update of the book; returns them when they are newer and differ.
    fn newer_top(&mut self, id: u64, top: Top) -> Option<Top> {
        // An empty side is told as zero: then there is no top.
        let whole = !top.bid.is_zero() && top.bid < top.ask;
        if id <= self.top_id || !whole {
            return None;
        }
        self.top_id = id;
        let changed = self.top.is_none_or(|known| !same(&known, &top));
        self.top = Some(top);
        changed.then_some(top)
    }
}

/// Whether two tops differ in nothing but their time.
fn same(a: &Top, b: &Top) -> bool {
    (a.bid, a.bid_qty, a.ask, a.ask_qty) == (b.bid, b.bid_qty, b.ask, b.ask_qty)
}
