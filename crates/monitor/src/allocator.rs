//! What the allocator knows.

/// jemalloc's figures at one moment, in bytes. Each is at least the one before it, up to `mapped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocatorSample {
    /// What the program has asked for and not given back.
    pub allocated: u64,
    /// Pages with at least one such piece.
    pub active: u64,
    /// Pages that are in RAM: active ones, free ones not returned yet, the allocator's own.
    pub resident: u64,
    /// Address space in use.
    pub mapped: u64,
    /// Address space kept for later; it takes no RAM.
    pub retained: u64,
}

impl AllocatorSample {
    /// Reads the figures after having jemalloc refresh them; `None` without the feature `jemalloc`.
    #[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
    pub fn read() -> Option<Self> {
        use tikv_jemalloc_ctl::{epoch, stats};
        // jemalloc answers from a copy that is as old as the epoch.
        epoch::advance().ok()?;
        Some(Self {
            allocated: stats::allocated::read().ok()? as u64,
            active: stats::active::read().ok()? as u64,
            resident: stats::resident::read().ok()? as u64,
            mapped: stats::mapped::read().ok()? as u64,
            retained: stats::retained::read().ok()? as u64,
        })
    }

    /// Has jemalloc return all free pages to the system; `false` when it cannot, or without the feature `jemalloc`.
    ///
    /// Takes up to some milliseconds when there is much to return. Never on a thread that trades.
    #[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
    #[expect(unsafe_code, reason = "the safe wrapper has no call without a value")]
    pub fn purge() -> bool {
        // 4096 stands for all arenas (MALLCTL_ARENAS_ALL).
        let name = c"arena.4096.purge";
        let none = core::ptr::null_mut();
        // SAFETY: the name is a constant that jemalloc documents as taking and giving no value; null pointers say so.
        unsafe { tikv_jemalloc_sys::mallctl(name.as_ptr(), none, core::ptr::null_mut(), none, 0) == 0 }
    }

    /// Has jemalloc return all free pages to the system; `false` when it cannot, or without the feature `jemalloc`.
    #[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
    pub fn purge() -> bool {
        false
    }

    /// Reads the figures after having jemalloc refresh them; `None` without the feature `jemalloc`.
    #[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
    pub fn read() -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_in_order_or_not_there() {
        let sample = AllocatorSample::read();
        assert_eq!(sample.is_some(), cfg!(feature = "jemalloc"));
        if let Some(AllocatorSample { allocated, active, mapped, .. }) = sample {
            assert!(allocated <= active && active <= mapped && mapped > 0, "{allocated} {active} {mapped}");
        }
    }
}
