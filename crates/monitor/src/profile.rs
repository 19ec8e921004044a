//! Profiles in pprof's format: who holds memory, and who uses the processor.

use std::time::Duration;

use thiserror::Error;

/// Why there is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// This build, system or start has no such profiler.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Another profile is being taken.
    #[error("another profile is being taken; try again when it is done")]
    Busy,
    /// The profiler failed.
    #[error("the profiler failed: {0}")]
    Failed(String),
}

/// Switches sampling of allocations on or off. It must have been on for a while for a heap profile to tell something.
///
/// # Errors
/// Without the feature `jemalloc`, or when the process was not started with `prof:true`.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
pub fn sample_heap(on: bool) -> Result<(), ProfileError> {
    with_heap(|control| {
        if control.activated() == on {
            return Ok(());
        }
        let switched = if on { control.activate() } else { control.deactivate() };
        switched.map_err(|error| ProfileError::Failed(error.to_string()))
    })
}

/// Takes a heap profile, gzipped: the memory in use that was allocated since sampling was switched on.
///
/// Names are looked up in the program's table of symbols, which stays in memory afterwards: some megabytes in a release build,
/// 150 MB in a debug build, whose tables are larger. Blocks for up to a second.
///
/// # Errors
/// Without the feature `jemalloc`, when the process was not started with `prof:true`, when sampling is off, or when another
/// one is being taken.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
pub fn heap_profile() -> Result<Vec<u8>, ProfileError> {
    with_heap(|control| {
        if !control.activated() {
            return Err(ProfileError::Unavailable("sampling of allocations is off"));
        }
        control.dump_pprof().map_err(|error| ProfileError::Failed(error.to_string()))
    })
}

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
fn with_heap<R>(act: impl FnOnce(&mut jemalloc_pprof::JemallocProfCtl) -> Result<R, ProfileError>) -> Result<R, ProfileError> {
    const OFF: &str = "the process was started without jemalloc's option prof:true";
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or(ProfileError::Unavailable(OFF))?;
    act(&mut *control.try_lock().map_err(|_| ProfileError::Busy)?)
}

/// Switches sampling of allocations on or off.
///
/// # Errors
/// Always in this build, which has no jemalloc.
#[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
pub fn sample_heap(_on: bool) -> Result<(), ProfileError> {
    Err(ProfileError::Unavailable(NO_JEMALLOC))
}

/// Takes a heap profile.
///
/// # Errors
/// Always in this build, which has no jemalloc.
#[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
pub fn heap_profile() -> Result<Vec<u8>, ProfileError> {
    Err(ProfileError::Unavailable(NO_JEMALLOC))
}

#[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
const NO_JEMALLOC: &str = "this build has no jemalloc";

/// Samples what all threads do, 99 times a second, until dropped or finished.
#[cfg(all(feature = "profile", target_os = "linux"))]
pub struct CpuProfiler {
    guard: pprof::ProfilerGuard<'static>,
}

#[cfg(all(feature = "profile", target_os = "linux"))]
impl CpuProfiler {
    /// Begins.
    ///
    /// # Errors
    /// When one is running already.
    pub fn start() -> Result<Self, ProfileError> {
        // The signal must not land in the unwinder's own locks.
        let blocked = ["libc", "libgcc", "pthread", "vdso"];
        let built = pprof::ProfilerGuardBuilder::default().frequency(HZ).blocklist(&blocked).build();
        built.map(|guard| Self { guard }).map_err(|error| match error {
            pprof::Error::Running => ProfileError::Busy,
            other => ProfileError::Failed(other.to_string()),
        })
    }

    /// Ends and returns the profile, gzipped: nanoseconds of processor time by stack.
    ///
    /// # Errors
    /// When the profiler failed.
    pub fn finish(self) -> Result<Vec<u8>, ProfileError> {
        let report = self.guard.report().build_unresolved().map_err(|error| ProfileError::Failed(error.to_string()))?;
        let mut profile = pprof_util::StackProfile::default();
        for mapping in mappings::MAPPINGS.as_deref().unwrap_or_default() {
            profile.push_mapping(mapping.clone());
        }
        let nanos = 1e9 / f64::from(HZ);
        for (stack, count) in &report.data {
            // The outermost frame first; where the unwinder lost its way it says zero.
            let addrs = stack.frames.iter().rev().map(|frame| frame.ip).filter(|addr| *addr > 1).collect();
            profile.push_stack(pprof_util::WeightedStack { addrs, weight: *count as f64 * nanos }, None);
        }
        Ok(profile.to_pprof(("cpu", "nanoseconds"), ("cpu", "nanoseconds"), None))
    }
}

#[cfg(all(feature = "profile", target_os = "linux"))]
const HZ: i32 = 99;

/// The longest and shortest stretch that a profile of the processor may cover.
pub const CPU_PROFILE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
