//! Makes guessing slow: whoever was wrong waits, longer each time, and so does everybody when many are wrong.

use std::net::IpAddr;
use std::time::Duration;

use plimsoll_bounded::{Class, Grant, Line, Map, WhenFull};

use crate::limits::{
    ADDRESSES_MAX, LOCK_AFTER, LOCKED_FOR, OVERALL_FREE, OVERALL_LEAK, OVERALL_WAIT_MAX, STRIKES_FORGOTTEN_AFTER, STRIKES_FREE,
};

/// What an address has tried in vain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strikes {
    failures: u32,
    last_ms: u64,
    until_ms: u64,
}

/// Counts attempts by address, and all together.
pub(crate) struct Throttle {
    by_address: Map<[u8; 16], Strikes>,
    /// Failures that have not leaked away, and when they were last counted.
    level: u32,
    leaked_ms: u64,
    until_ms: u64,
}

impl Throttle {
    pub(crate) const fn line() -> Line<'static> {
        Map::<[u8; 16], Strikes>::line("web.login.addresses", ADDRESSES_MAX, WhenFull::DropOldest, Class::BestEffort)
    }

    pub(crate) fn new(grant: Grant) -> Self {
        Self { by_address: Map::new(grant), level: 0, leaked_ms: 0, until_ms: 0 }
    }

    /// Lets an attempt be made, which counts as failed until [`Throttle::succeeded`]: so many at once are many, too.
    ///
    /// Refused ones are told how long to wait, and do not count.
    pub(crate) fn attempt(&mut self, address: IpAddr, now_ms: u64) -> Result<(), Duration> {
        let key = key(address);
        let leak_ms = OVERALL_LEAK.as_millis() as u64;
        let leaked = now_ms.saturating_sub(self.leaked_ms) / leak_ms;
        self.level = self.level.saturating_sub(u32::try_from(leaked).unwrap_or(u32::MAX));
        self.leaked_ms = if leaked > 0 { now_ms } else { self.leaked_ms };
        let known = self.by_address.get(&key).copied();
        let known = known.filter(|strikes| now_ms.saturating_sub(strikes.last_ms) < STRIKES_FORGOTTEN_AFTER.as_millis() as u64);
        let mut until_ms = known.map_or(0, |strikes| strikes.until_ms);
        // Whoever sits at the machine is not kept out by what strangers do.
        if !address.is_loopback() {
            until_ms = until_ms.max(self.until_ms);
        }
        if until_ms > now_ms {
            return Err(Duration::from_millis(until_ms - now_ms));
        }
        let failures = known.map_or(0, |strikes| strikes.failures).saturating_add(1);
        let strikes = Strikes { failures, last_ms: now_ms, until_ms: now_ms + wait(failures).as_millis() as u64 };
        self.level = self.level.saturating_add(1);
        if let Some(beyond) = self.level.checked_sub(OVERALL_FREE).filter(|beyond| *beyond > 0) {
            let seconds = 1_u64.checked_shl(beyond.min(16)).unwrap_or(u64::MAX);
            self.until_ms = now_ms + Duration::from_secs(seconds).min(OVERALL_WAIT_MAX).as_millis() as u64;
        }
        if self.by_address.is_full() && !self.by_address.contains_key(&key) {
            // What waits longest for nothing goes; those who must still wait go last.
            let oldest = self.by_address.iter().min_by_key(|(_, strikes)| strikes.until_ms).map(|(key, _)| *key);
            oldest.map(|oldest| self.by_address.remove(&oldest));
        }
        // There is room: one has just left.
        self.by_address.insert(key, strikes).ok();
        Ok(())
    }

    /// The attempt was right, but only a part of what is wanted: it was none, and those before it still count.
    pub(crate) fn undo(&mut self, address: IpAddr) {
        let key = key(address);
        if let Some(strikes) = self.by_address.get_mut(&key) {
            strikes.failures = strikes.failures.saturating_sub(1);
            strikes.until_ms = strikes.last_ms + wait(strikes.failures).as_millis() as u64;
        }
        self.level = self.level.saturating_sub(1);
    }

    /// The attempt was right: the address begins anew, and the attempt was none.
    pub(crate) fn succeeded(&mut self, address: IpAddr) {
        self.by_address.remove(&key(address));
        self.level = self.level.saturating_sub(1);
        if self.level <= OVERALL_FREE {
            self.until_ms = 0;
        }
    }
}

/// How long to wait after so many failures in a row.
fn wait(failures: u32) -> Duration {
    match failures.checked_sub(STRIKES_FREE) {
        None | Some(0) => Duration::ZERO,
        _ if failures >= LOCK_AFTER => LOCKED_FOR,
        Some(beyond) => Duration::from_secs(1 << (beyond - 1)),
    }
}
const _: () = assert!(LOCK_AFTER - STRIKES_FREE < 16);

/// One household of IPv6 is one address.
fn key(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            if !v6.is_loopback() {
                octets.iter_mut().skip(8).for_each(|octet| *octet = 0);
            }
            octets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(Grant::detached(Throttle::line()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn waits_grow_and_end_in_a_lock() {
        let (mut throttle, address) = (throttle(), ip("192.0.2.1"));
        let (mut now, mut waits) = (1_000_000, Vec::new());
        for _ in 0..LOCK_AFTER + 1 {
            if let Err(wait) = throttle.attempt(address, now) {
                waits.push(wait.as_secs());
                assert!(throttle.attempt(address, now + wait.as_millis() as u64 - 1).is_err());
                now += wait.as_millis() as u64;
                throttle.attempt(address, now).unwrap();
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 900, 900][..waits.len()]);
        assert!(waits.contains(&900), "{waits:?}");
        // Another address is not concerned, and silence is forgiven.
        throttle.attempt(ip("192.0.2.2"), now).unwrap();
        throttle.attempt(address, now + STRIKES_FORGOTTEN_AFTER.as_millis() as u64).unwrap();
    }

    #[test]
    fn who_was_right_begins_anew() {
        let (mut throttle, address) = (throttle(), ip("192.0.2.1"));
        for now in 0..100 {
            throttle.attempt(address, now).unwrap();
            throttle.succeeded(address);
        }
    }

    #[test]
    fn who_was_half_right_is_forgiven_nothing() {
        let (mut throttle, address) = (throttle(), ip("192.0.2.1"));
        // A wrong code, and the right password alone to be forgiven it, again and again.
        let (mut now, mut guesses) = (1_000_000, 0);
        let end = now + 3_600_000;
        while now < end {
            for half_right in [false, true] {
                if let Err(wait) = throttle.attempt(address, now) {
                    now += wait.as_millis() as u64;
                    throttle.attempt(address, now).unwrap();
                }
                if half_right { throttle.undo(address) } else { guesses += 1 }
            }
        }
        assert!(guesses < 20, "{guesses} codes were guessed in an hour");
        // Half right alone never waits.
        let other = ip("192.0.2.2");
        for n in 0..100 {
            throttle.attempt(other, now + n).unwrap();
            throttle.undo(other);
        }
    }

    #[test]
    fn many_addresses_together_are_slowed_but_not_who_sits_at_the_machine() {
        let mut throttle = throttle();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let let_in = (0..1_000).filter(|n| throttle.attempt(address(0x0A00_0000 + n), 5_000).is_ok()).count();
        assert_eq!(let_in as u32, OVERALL_FREE + 1);
        throttle.attempt(ip("127.0.0.1"), 5_000).unwrap();
        let later = 5_000 + OVERALL_WAIT_MAX.as_millis() as u64;
        throttle.attempt(ip("198.51.100.1"), later).unwrap();
        // It leaks away.
        let much_later = later + 100 * OVERALL_LEAK.as_millis() as u64;
        for n in 0..OVERALL_FREE {
            throttle.attempt(address(0x0B00_0000 + n), much_later).unwrap();
        }
    }

    #[test]
    fn addresses_are_bounded_and_those_who_wait_stay() {
        let mut throttle = throttle();
        let villain = ip("127.0.0.2");
        let mut now = 0;
        while throttle.attempt(villain, now).is_ok() {
            now += 1;
        }
        for n in 0..2 * ADDRESSES_MAX as u32 {
            throttle.attempt(IpAddr::from((0x7F01_0000 + n).to_be_bytes()), now).unwrap();
        }
        assert_eq!(throttle.by_address.len(), ADDRESSES_MAX);
        assert!(throttle.attempt(villain, now).is_err());
    }

    #[test]
    fn a_household_is_one_address() {
        assert_eq!(key(ip("2001:db8::1")), key(ip("2001:db8::ffff:2")));
        assert_ne!(key(ip("2001:db8::1")), key(ip("2001:db8:0:1::1")));
        assert_eq!(key(ip("::ffff:192.0.2.1")), key(ip("192.0.2.1")));
    }
}
