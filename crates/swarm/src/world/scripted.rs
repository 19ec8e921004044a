//! What a script does to a world, and what it is told.

use super::*;
use plimsoll_sim::venue::{Sink, Venue};

impl World {
    /// Lets everything happen until a time.
    pub(crate) fn live_until(&mut self, until: Time) -> anyhow::Result<()> {
        while self.due().is_some_and(|due| due.next <= until) {
            self.step()?;
        }
        self.now = self.now.max(until);
        self.steps_at_once = 0;
        Ok(())
    }

    /// Starts the bot and the world's own seconds.
    pub(crate) fn begin(&mut self, ordered: Option<Ordered>) {
        self.script = ordered.map(Box::new);
        self.push(self.now, Later::Start);
        self.push(self.now + SECOND, Later::Second);
    }

    /// What a script wants of a request, and a note of it.
    pub(super) fn ordered(&mut self, request: &HttpRequest) -> Option<Requests> {
        let at = self.now;
        let script = self.script.as_mut()?;
        let line = format!("{} {}", request.method.as_str(), request.target);
        let rule = script.requests.iter_mut().find(|rule| rule.left > 0 && line.contains(rule.with));
        let what = rule.map(|rule| {
            rule.left -= 1;
            rule.what
        });
        script.asked.push(Asked { at, line });
        what
    }

    /// What a script wants of a message of the user stream.
    pub(super) fn ordered_frame(&mut self, user: bool, text: &str) -> Option<Frames> {
        let script = self.script.as_mut().filter(|_| user)?;
        let rule = script.frames.iter_mut().find(|rule| rule.left > 0 && rule.with.iter().all(|with| text.contains(with)))?;
        rule.left -= 1;
        Some(rule.what)
    }

    pub(crate) fn script(&mut self) -> Option<&mut Ordered> {
        self.script.as_deref_mut()
    }

    pub(crate) fn told(&self) -> Option<&Ordered> {
        self.script.as_deref()
    }

    pub(crate) const fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn bot(&self) -> Option<&Bot> {
        self.bot.as_deref()
    }

    pub(crate) fn venue(&self) -> &Venue {
        self.counter.venue()
    }

    pub(crate) fn disk(&self, at: usize) -> Option<&Disk> {
        self.disks.get(at)
    }

    pub(crate) fn began(&self, at: usize) -> Option<TradeId> {
        self.began.get(at).copied().flatten()
    }

    pub(crate) const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// What is on its way, in numbers.
    pub(crate) fn on_its_way(&self) -> usize {
        self.queue.len()
    }

    pub(crate) const fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.trace.iter().flatten().map(String::as_str)
    }

    /// Does something at the venue and tells it to the streams.
    pub(crate) fn at_venue<T>(&mut self, act: impl FnOnce(Time, &mut Venue, &mut Sink<'_>) -> T) -> T {
        let at = self.exchange_now();
        let done = self.counter.by_hand(at, |venue, sink| act(at, venue, sink));
        self.carry_streams();
        done
    }

    /// Connections stay open and bring nothing any more.
    pub(crate) fn deafen(&mut self, conns: &[usize]) {
        let Some(bot) = &mut self.bot else { return };
        for (_, wire) in bot.wires.iter_mut().enumerate().filter(|(at, _)| conns.contains(at)) {
            wire.iter_mut().for_each(|wire| wire.deaf = true);
        }
    }

    pub(crate) fn end_listen_key(&mut self) {
        let at = self.exchange_now();
        self.counter.expire_listen_keys(at);
        self.carry_streams();
    }

    /// Whatever waits for the disk is written.
    pub(crate) fn write(&mut self) {
        for disk in &mut self.disks {
            let all = disk.waiting();
            disk.flush(all);
        }
    }
}
