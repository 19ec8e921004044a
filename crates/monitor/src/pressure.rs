//! What is given up, in which order, when memory runs short.

use std::time::Duration;

use plimsoll_market::Time;

use crate::room::{Room, Stall};

/// How far up the ladder the process is. Each rung keeps what the rungs below it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// There is room.
    #[default]
    Calm,
    /// Histories that only the pages show are emptied; their memory stays theirs, so this is a warning more than a relief.
    ShedViews,
    /// Caches are dropped that can be filled again, and free pages returned to the system.
    ShedCaches,
    /// Nothing is opened any more; closing, cancelling and reconciling go on.
    StopOpening,
    /// Orders are withdrawn (or kept, as configured), state is saved, the process ends by itself.
    Leave,
}

impl Rung {
    /// All rungs, from the ground up.
    pub const ALL: [Self; 5] = [Self::Calm, Self::ShedViews, Self::ShedCaches, Self::StopOpening, Self::Leave];

    /// Its number: 0 is calm, 4 is leaving.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Snake-case words for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::ShedViews => "shed_views",
            Self::ShedCaches => "shed_caches",
            Self::StopOpening => "stop_opening",
            Self::Leave => "leave",
        }
    }
}

/// When which rung is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LadderConfig {
    /// Shares of the tightest limit at which the four rungs are reached, rising, 0 to 1.
    pub at: [f64; 4],
    /// How long it must be calmer before a rung is left downwards.
    pub calm_for: Duration,
}

impl Default for LadderConfig {
    fn default() -> Self {
        Self { at: [0.80, 0.85, 0.90, 0.95], calm_for: Duration::from_secs(60) }
    }
}

/// A rung is left when the share is this much below the one that led to it.
const HYSTERESIS: f64 = 0.03;
/// Share of time in which every task waits for memory, from which caches are dropped.
const STALL_SHED: f64 = 0.10;
/// Share of time in which every task waits for memory, from which nothing is opened: decisions come too late.
const STALL_STOP: f64 = 0.40;

/// Climbs at once, comes down slowly, one rung after the other.
#[derive(Clone, Debug)]
pub struct Ladder {
    config: LadderConfig,
    rung: Rung,
    calm_since: Option<Time>,
}

impl Ladder {
    /// Stands on the ground.
    pub const fn new(config: LadderConfig) -> Self {
        Self { config, rung: Rung::Calm, calm_since: None }
    }

    /// Where it stands.
    pub const fn rung(&self) -> Rung {
        self.rung
    }

    /// Takes a look at the room and returns the rungs to be carried out, in order; none while nothing changes.
    ///
    /// Upwards it returns every rung in between, so that nothing is skipped however fast memory goes; downwards one at a time.
    /// Stalls alone never lead to the last rung: the process may not be the cause.
    pub fn look(&mut self, now: Time, room: Option<&Room>, stall: Option<Stall>) -> impl Iterator<Item = Rung> + use<> {
        let before = self.rung;
        let wanted = self.rung_at(room, stall, 0.0);
        if wanted > before {
            self.rung = wanted;
            self.calm_since = None;
        } else if self.rung_at(room, stall, HYSTERESIS) < before && before != Rung::Leave {
            let since = *self.calm_since.get_or_insert(now);
            if now.since(since) >= self.config.calm_for {
                self.rung = Rung::ALL[usize::from(before.number()) - 1];
                self.calm_since = Some(now);
            }
        } else {
            self.calm_since = None;
        }
        let after = self.rung;
        Rung::ALL.into_iter().filter(move |rung| (*rung > before && *rung <= after) || (after < before && *rung == after))
    }

    fn rung_at(&self, room: Option<&Room>, stall: Option<Stall>, margin: f64) -> Rung {
        let share = room.map_or(0.0, Room::ratio);
        let by_room = self.config.at.iter().filter(|at| share >= **at - margin).count();
        let by_stall = match stall {
            Some(stall) if stall.full >= STALL_STOP => Rung::StopOpening,
            Some(stall) if stall.full >= STALL_SHED => Rung::ShedCaches,
            _ => Rung::Calm,
        };
        Rung::ALL[by_room].max(by_stall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Limiter;

    fn ladder() -> Ladder {
        Ladder::new(LadderConfig::default())
    }

    fn at(ladder: &mut Ladder, seconds: u64, percent: u64) -> Vec<Rung> {
        let room = Room { limiter: Limiter::Cgroup, used_bytes: percent, limit_bytes: 100 };
        ladder.look(Time::from_millis(seconds * 1_000), Some(&room), None).collect()
    }

    #[test]
    fn climbs_through_every_rung_at_once() {
        let mut ladder = ladder();
        assert_eq!(at(&mut ladder, 1, 79), []);
        assert_eq!(at(&mut ladder, 2, 86), [Rung::ShedViews, Rung::ShedCaches]);
        assert_eq!(at(&mut ladder, 3, 99), [Rung::StopOpening, Rung::Leave]);
        assert_eq!(at(&mut ladder, 500, 1), [], "who leaves does not come back");
        assert_eq!(ladder.rung(), Rung::Leave);
    }

    #[test]
    fn comes_down_slowly_and_in_order() {
        let mut ladder = ladder();
        assert_eq!(at(&mut ladder, 0, 91).len(), 3);
        assert_eq!(at(&mut ladder, 10, 88), [], "within the margin");
        assert_eq!(at(&mut ladder, 20, 50), []);
        assert_eq!(at(&mut ladder, 79, 50), []);
        assert_eq!(at(&mut ladder, 80, 50), [Rung::ShedCaches]);
        assert_eq!(at(&mut ladder, 81, 50), []);
        assert_eq!(at(&mut ladder, 140, 50), [Rung::ShedViews]);
        assert_eq!(at(&mut ladder, 200, 50), [Rung::Calm]);
        assert_eq!(at(&mut ladder, 900, 50), []);
    }

    #[test]
    fn stalls_stop_opening_but_never_end_the_process() {
        let mut ladder = ladder();
        let steps: Vec<_> = ladder.look(Time::from_millis(1), None, Some(Stall { some: 1.0, full: 0.99 })).collect();
        assert_eq!(steps, [Rung::ShedViews, Rung::ShedCaches, Rung::StopOpening]);
    }

    #[test]
    fn nothing_known_is_calm() {
        assert_eq!(ladder().look(Time::from_millis(1), None, None).count(), 0);
    }
}
