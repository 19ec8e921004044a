//! The figures that dashboards of the original know by name.

use crate::manager::ManagerFigures;
use crate::sample::Sample;

/// The ten figures of the original, with the meaning they have here, in its order.
///
/// Megabytes are 10^6 bytes here, and the dashboard shows them so; sizes in the configuration, and texts that hold something
/// against them, count 2^20 (MiB). A figure that cannot be known (no `/proc`, an allocator without
/// statistics) is `None`, never 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SystemMetrics {
    /// Memory allocated and not given back.
    pub alloc_mb: Option<f64>,
    /// The same: here everything allocated is heap.
    pub heap_alloc_mb: Option<f64>,
    /// Memory of the process in RAM.
    pub sys_mb: Option<f64>,
    /// Address space that the allocator has mapped.
    pub heap_sys_mb: Option<f64>,
    /// Pages in use by allocations.
    pub heap_inuse_mb: Option<f64>,
    /// Mapped and not in use.
    pub heap_idle_mb: Option<f64>,
    /// Purges done: free pages returned to the system.
    pub num_gc: u64,
    /// The resident size at which the next purge comes early.
    pub next_gc_mb: f64,
    /// The memory manager's share of the process's processor time, 0 to 1; `None` while that is not known.
    pub gc_cpu_fraction: Option<f64>,
    /// Live tasks.
    pub goroutines: u64,
}

impl SystemMetrics {
    /// Derives the figures from a sample and what the memory manager says of itself.
    pub fn of(sample: &Sample, manager: &ManagerFigures) -> Self {
        let allocator = sample.allocator;
        let allocated = allocator.map(|figures| mb(figures.allocated));
        Self {
            alloc_mb: allocated,
            heap_alloc_mb: allocated,
            sys_mb: sample.process.map(|process| mb(process.resident_bytes)),
            heap_sys_mb: allocator.map(|figures| mb(figures.mapped)),
            heap_inuse_mb: allocator.map(|figures| mb(figures.active)),
            heap_idle_mb: allocator.map(|figures| mb(figures.mapped.saturating_sub(figures.active))),
            num_gc: manager.purges,
            next_gc_mb: mb(manager.next_purge_bytes),
            gc_cpu_fraction: manager.cpu_share,
            goroutines: sample.tasks.live as u64,
        }
    }

    /// Lists the figures by their names, as the API writes them; what is unknown is `None`.
    pub fn fields(&self) -> [(&'static str, Option<f64>); 10] {
        [
            ("alloc_mb", self.alloc_mb),
            ("heap_alloc_mb", self.heap_alloc_mb),
            ("sys_mb", self.sys_mb),
            ("heap_sys_mb", self.heap_sys_mb),
            ("heap_inuse_mb", self.heap_inuse_mb),
            ("heap_idle_mb", self.heap_idle_mb),
            ("num_gc", Some(self.num_gc as f64)),
            ("next_gc_mb", Some(self.next_gc_mb)),
            ("gc_cpu_fraction", self.gc_cpu_fraction),
            ("goroutines", Some(self.goroutines as f64)),
        ]
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
