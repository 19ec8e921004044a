//! Profiles on request, and the heap profiles that a leak alarm leaves behind.

use async_trait::async_trait;
use plimsoll_bounded::{Pool, reply};
use plimsoll_market::Time;
use plimsoll_monitor::Room;
use plimsoll_monitor::profile::{self, ProfileError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Profiles kept; the oldest goes.
const FILES_MAX: usize = 8;
/// A profile larger than this is not kept.
const FILE_BYTES_MAX: usize = 16 << 20;
/// How long allocations are sampled after an alarm before they are written down: the second one shows what has grown since.
const AFTER: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];
/// Memory that must be left: the table of names takes 35 MB of it.
const ROOM: u64 = 64 << 20;
/// Name of every file, so that nothing else in the folder is touched.
const PREFIX: &str = "leak-";

/// Keeps heap profiles of leak alarms in a folder.
///
/// # Bounds
/// [`FILES_MAX`] files of [`FILE_BYTES_MAX`].
pub struct LeakProfiles {
    folder: PathBuf,
    /// Still to be written, the next first.
    due: [Option<Time>; AFTER.len()],
    workers: Pool,
    sampling: Option<Arc<Sampling>>,
}

/// Allocations are sampled while somebody holds one of these.
struct Sampling;

/// Who wants allocations sampled.
static SAMPLERS: Mutex<usize> = Mutex::new(0);

impl Sampling {
    fn start() -> Result<Self, ProfileError> {
        let mut samplers = SAMPLERS.lock().unwrap_or_else(PoisonError::into_inner);
        if *samplers == 0 {
            profile::sample_heap(true)?;
        }
        *samplers += 1;
        Ok(Self)
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        let mut samplers = SAMPLERS.lock().unwrap_or_else(PoisonError::into_inner);
        *samplers -= 1;
        if *samplers == 0
            && let Err(error) = profile::sample_heap(false)
        {
            tracing::warn!(%error, "sampling of allocations goes on");
        }
    }
}

impl LeakProfiles {
    /// Keeps them in this folder, which is made when the first is written.
    pub fn new(folder: PathBuf, workers: Pool) -> Self {
        Self { folder, due: [None; AFTER.len()], workers, sampling: None }
    }

    /// An alarm: from now on allocations are sampled, and written down after a while.
    pub fn alarm(&mut self, now: Time) {
        if self.due.iter().any(Option::is_some) {
            return;
        }
        match Sampling::start() {
            Ok(sampling) => {
                self.sampling = Some(Arc::new(sampling));
                self.due = AFTER.map(|after| Some(now + after));
            }
            Err(error) => tracing::warn!(%error, "no heap profile of the suspected leak"),
        }
    }

    /// Has the workers write what is due, where the tightest limit leaves [`ROOM`]; the last one ends the sampling.
    pub fn look(&mut self, now: Time, room: Option<Room>) {
        let left = room.map_or(u64::MAX, |room| room.limit_bytes.saturating_sub(room.used_bytes));
        for i in 0..self.due.len() {
            if self.due[i].is_none_or(|due| due > now) {
                continue;
            }
            if left < ROOM {
                tracing::warn!(left, "too little memory is left for a heap profile: looking up names takes some of it");
            } else {
                let (folder, sampling) = (self.folder.clone(), self.sampling.clone());
                let job = move || {
                    match write(&folder, now) {
                        Ok(path) => tracing::warn!(path = %path.display(), "heap profile written; look at it with go tool pprof"),
                        Err(error) => tracing::warn!(%error, "heap profile could not be kept"),
                    }
                    drop(sampling);
                };
                if self.workers.submit_blocking(job).is_err() {
                    // All workers are busy: at the next look.
                    continue;
                }
            }
            self.due[i] = None;
            if self.due.iter().all(Option::is_none) {
                self.sampling = None;
            }
        }
    }
}

fn write(folder: &Path, now: Time) -> anyhow::Result<PathBuf> {
    let profile = profile::heap_profile()?;
    anyhow::ensure!(profile.len() <= FILE_BYTES_MAX, "the profile has {} bytes, more than {FILE_BYTES_MAX}", profile.len());
    std::fs::create_dir_all(folder)?;
    make_room(folder)?;
    let path = folder.join(format!("{PREFIX}{}.heap.pb.gz", now.millis()));
    std::fs::write(&path, profile)?;
    Ok(path)
}

fn make_room(folder: &Path) -> std::io::Result<()> {
    let files = ours(folder)?;
    let too_many = (files.len() + 1).saturating_sub(FILES_MAX);
    files.iter().take(too_many).try_for_each(std::fs::remove_file)
}

/// Removes all profiles but the newest `kept`, because the disk is short; tells how many.
///
/// # Errors
/// When the folder cannot be read or a file not be removed.
pub fn thin(folder: &Path, kept: usize) -> std::io::Result<usize> {
    let files = match ours(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let gone = files.len().saturating_sub(kept);
    files.iter().take(gone).try_for_each(std::fs::remove_file)?;
    Ok(gone)
}

/// Our files of the folder, the oldest first.
fn ours(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_ours = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| is_ours(p)).collect();
    // Their names begin with the time in milliseconds, of the same length for centuries.
    files.sort();
    Ok(files)
}

/// How long allocations are sampled for a heap profile that somebody asks for.
const HEAP_SAMPLED: Duration = Duration::from_secs(10);
/// How long a profile may take to be written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

/// Takes profiles for the web server; what blocks is done by the workers.
pub struct Profiles {
    /// The workers.
    pub workers: Pool,
}

impl Profiles {
    async fn blocking(
        &self,
        job: impl FnOnce() -> Result<Vec<u8>, ProfileError> + Send + 'static,
    ) -> Result<Vec<u8>, plimsoll_web::ProfileRefused> {
        let (answer, asked) = reply();
        // Whoever asked may have gone.
        let job = move || drop(answer.send(job()));
        self.workers.submit_blocking(job).map_err(|_| refused(ProfileError::Busy))?;
        match asked.wait(WRITTEN_WITHIN).await {
            Ok(done) => done.map_err(refused),
            Err(_) => Err(refused(ProfileError::Failed("it took too long".to_owned()))),
        }
    }
}

fn refused(error: ProfileError) -> plimsoll_web::ProfileRefused {
    match error {
        ProfileError::Busy => plimsoll_web::ProfileRefused::Busy,
        other => plimsoll_web::ProfileRefused::Failed(other.to_string()),
    }
}

#[async_trait]
impl plimsoll_web::Profiler for Profiles {
    async fn heap(&self) -> Result<Vec<u8>, plimsoll_web::ProfileRefused> {
        // It shows what is allocated from now on, or since a leak was suspected.
        let sampling = Sampling::start().map_err(refused)?;
        tokio::time::sleep(HEAP_SAMPLED).await;
        let profile = self.blocking(profile::heap_profile).await;
        drop(sampling);
        profile
    }

    #[cfg(all(feature = "profile", target_os = "linux"))]
    async fn cpu(&self, duration: Duration) -> Result<Vec<u8>, plimsoll_web::ProfileRefused> {
        let profiler = profile::CpuProfiler::start().map_err(refused)?;
        tokio::time::sleep(duration).await;
        self.blocking(|| profiler.finish()).await
    }

    #[cfg(not(all(feature = "profile", target_os = "linux")))]
    async fn cpu(&self, _duration: Duration) -> Result<Vec<u8>, plimsoll_web::ProfileRefused> {
        Err(refused(ProfileError::Unavailable("this build takes no profiles of the processor")))
    }
}
