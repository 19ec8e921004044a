//! What the control group allows and has used.

use std::path::{Path, PathBuf};

use crate::limits::CGROUP_DEPTH_MAX;
use crate::room::Stall;

/// Memory of the control group that this process is in, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgroupSample {
    /// What the group has in RAM, page cache included.
    pub current_bytes: u64,
    /// What counts against the tightest limit, without the page cache that the kernel takes back before it kills: the group's own
    /// use, or that of the group further up whose limit it is.
    pub working_bytes: u64,
    /// The tightest limit of the group and those around it; `None` when there is none. Of version 2 that is `memory.max`, where
    /// the kernel kills, or `memory.high`, where it slows the group down until it can hardly go on.
    pub limit_bytes: Option<u64>,
    /// How long its tasks waited for memory; the machine's where the group has no such figure; `None` without any.
    pub stall: Option<Stall>,
}

/// Where the figures of this process's control group are. Found once, read often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    version: Version,
    /// The controller's root and the group in it.
    mount: PathBuf,
    group: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    const fn used_file(self) -> &'static str {
        match self {
            Self::One => "memory.usage_in_bytes",
            Self::Two => "memory.current",
        }
    }

    /// What must not be crossed. The soft limit of version 1 is none: it acts only when the machine is short itself.
    const fn limit_files(self) -> &'static [&'static str] {
        match self {
            Self::One => &["memory.limit_in_bytes"],
            Self::Two => &["memory.max", "memory.high"],
        }
    }

    /// Names of the page cache's two parts in `memory.stat`; the group's and its children's together.
    const fn cache(self) -> [&'static str; 2] {
        match self {
            Self::One => ["total_inactive_file ", "total_active_file "],
            Self::Two => ["inactive_file ", "active_file "],
        }
    }
}

/// Version 1 writes "no limit" as the largest multiple of a page; nothing real is within a page of it.
const UNLIMITED: u64 = i64::MAX as u64 - 65_536;

impl Cgroup {
    /// Finds the group of this process; `None` where there are none.
    pub fn find() -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::find_in(&own, Path::new("/sys/fs/cgroup"))
    }

    /// Finds a group by the text of a `/proc/PID/cgroup`, under the folder where the controllers are mounted.
    ///
    /// On a machine with both versions the memory controller belongs to one of them: that one is taken.
    fn find_in(own: &str, root: &Path) -> Option<Self> {
        let groups = own.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let (version, mount) = match controllers {
                "" => (Version::Two, root.to_owned()),
                list if list.split(',').any(|controller| controller == "memory") => (Version::One, root.join("memory")),
                _ => return None,
            };
            Some((version, mount, path.trim_start_matches('/').to_owned()))
        });
        for (version, mount, path) in groups {
            // Inside a container the path may be the one outside; then the mount itself is our group.
            for group in [mount.join(&path), mount.clone()] {
                let found = Self { version, mount: mount.clone(), group };
                if found.read().is_some() {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Reads only what it uses, page cache included; `None` when the group has gone.
    pub fn used(&self) -> Option<u64> {
        std::fs::read_to_string(self.group.join(self.version.used_file())).ok()?.trim().parse().ok()
    }

    /// Reads the figures; `None` when the group has gone.
    ///
    /// # Bounds
    /// Walks up at most [`CGROUP_DEPTH_MAX`] groups.
    pub fn read(&self) -> Option<CgroupSample> {
        let (current, limits) = (self.version.used_file(), self.version.limit_files());
        let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let current_bytes = number(self.group.join(current))?;
        let working = |group: &Path| {
            let stat = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
            let figure = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            let cache: u64 = self.version.cache().iter().filter_map(|name| figure(name)).sum();
            number(group.join(current)).map(|used| used.saturating_sub(cache))
        };
        let own = working(&self.group)?;
        let around = self.group.ancestors().take(CGROUP_DEPTH_MAX).take_while(|group| group.starts_with(&self.mount));
        // "max" is no number, and so no limit. A limit further up counts what all groups below it use.
        let limits = around.filter_map(|group| {
            let limit = limits.iter().filter_map(|file| number(group.join(file))).filter(|limit| *limit < UNLIMITED).min()?;
            Some((working(group).unwrap_or(own).max(own), limit))
        });
        let share = |(used, limit): &(u64, u64)| *used as f64 / (*limit).max(1) as f64;
        let tightest = limits.max_by(|a, b| share(a).total_cmp(&share(b)));
        let (working_bytes, limit_bytes) = tightest.map_or((own, None), |(used, limit)| (used, Some(limit)));
        let stall = Stall::read(&self.group.join("memory.pressure")).or_else(|| Stall::read(Path::new("/proc/pressure/memory")));
        Some(CgroupSample { current_bytes, working_bytes, limit_bytes, stall })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[track_caller]
    fn check(own: &str, files: &[(&str, &str)], expected: Option<(u64, Option<u64>)>) {
        let root = tree(files);
        let sample = Cgroup::find_in(own, root.path()).and_then(|group| group.read());
        assert_eq!(sample.map(|sample| (sample.current_bytes, sample.limit_bytes)), expected);
    }

    #[test]
    fn version_two_takes_the_least_limit_on_the_way_up() {
        let own = "0::/system.slice/bot.service\n";
        let files = [
            ("system.slice/bot.service/memory.current", "1000\n"),
            ("system.slice/bot.service/memory.max", "max\n"),
            ("system.slice/memory.max", "5000\n"),
        ];
        check(own, &files, Some((1_000, Some(5_000))));
        check(own, &files[..2], Some((1_000, None)));
    }

    #[test]
    fn what_throttles_is_a_limit_like_what_kills() {
        let own = "0::/slice/bot\n";
        let bot = ("slice/bot/memory.current", "40\n");
        // In one group the lower of the two counts, whichever it is.
        check(own, &[bot, ("slice/bot/memory.max", "100\n"), ("slice/bot/memory.high", "80\n")], Some((40, Some(80))));
        check(own, &[bot, ("slice/bot/memory.max", "70\n"), ("slice/bot/memory.high", "80\n")], Some((40, Some(70))));
        check(own, &[bot, ("slice/bot/memory.max", "100\n"), ("slice/bot/memory.high", "max\n")], Some((40, Some(100))));
        check(own, &[bot, ("slice/bot/memory.max", "max\n"), ("slice/bot/memory.high", "80\n")], Some((40, Some(80))));
        // Further up it counts what the siblings use, too: 150 of 160 is nearer than 40 of 100.
        let around = [("slice/memory.current", "150\n"), ("slice/memory.max", "400\n"), ("slice/memory.high", "160\n")];
        let files = [&[bot, ("slice/bot/memory.max", "100\n")][..], &around[..]].concat();
        let root = tree(&files);
        let sample = Cgroup::find_in(own, root.path()).and_then(|group| group.read()).unwrap();
        assert_eq!((sample.working_bytes, sample.limit_bytes), (150, Some(160)));
        let room = crate::Room::tightest(None, Some(&sample), None).unwrap();
        assert!(room.ratio() > 0.9, "{room:?}");
    }

    #[test]
    fn version_one_knows_its_own_infinity() {
        let own = "9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/\n";
        let usage = ("memory/a/b/memory.usage_in_bytes", "42\n");
        check(own, &[usage, ("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n")], Some((42, None)));
        check(own, &[usage, ("memory/a/b/memory.limit_in_bytes", "4096\n")], Some((42, Some(4_096))));
    }

    #[test]
    fn a_limit_further_up_counts_what_siblings_use() {
        let files = [
            ("slice/bot/memory.current", "40\n"),
            ("slice/bot/memory.max", "100\n"),
            ("slice/memory.current", "490\n"),
            ("slice/memory.max", "500\n"),
        ];
        let root = tree(&files);
        let sample = Cgroup::find_in("0::/slice/bot\n", root.path()).and_then(|group| group.read()).unwrap();
        assert_eq!((sample.current_bytes, sample.working_bytes, sample.limit_bytes), (40, 490, Some(500)));
    }

    /// The same code on version 2: a group that fills climbs the ladder in order.
    #[test]
    fn a_filling_group_of_version_two_climbs_every_rung() {
        let root = tree(&[("bot/memory.current", "70\n"), ("bot/memory.max", "100\n")]);
        let group = Cgroup::find_in("0::/bot\n", root.path()).unwrap();
        let mut ladder = crate::Ladder::new(crate::LadderConfig::default());
        let mut rungs = Vec::new();
        for used in 70..=97_u64 {
            std::fs::write(root.path().join("bot/memory.current"), format!("{used}\n")).unwrap();
            let sample = group.read().unwrap();
            let room = crate::Room::tightest(None, Some(&sample), None);
            rungs.extend(ladder.look(plimsoll_market::Time::from_millis(used * 1_000), room.as_ref(), None));
        }
        use crate::Rung;
        assert_eq!(rungs, [Rung::ShedViews, Rung::ShedCaches, Rung::StopOpening, Rung::Leave]);
    }

    #[test]
    fn page_cache_does_not_count_as_work() {
        let files = [
            ("a/memory.current", "1000\n"),
            ("a/memory.max", "2000\n"),
            ("a/memory.stat", "anon 600\nfile 350\ninactive_file 300\nactive_file 50\n"),
            ("a/memory.pressure", "some avg10=50.00 avg60=0 avg300=0 total=1\nfull avg10=10.00 avg60=0 avg300=0 total=1\n"),
        ];
        let root = tree(&files);
        let sample = Cgroup::find_in("0::/a\n", root.path()).and_then(|group| group.read()).unwrap();
        assert_eq!((sample.working_bytes, sample.stall), (650, Some(Stall { some: 0.5, full: 0.1 })));

        let files = [
            ("memory/a/memory.usage_in_bytes", "1000\n"),
            ("memory/a/memory.stat", "cache 9\ninactive_file 5\ntotal_inactive_file 300\ntotal_active_file 50\n"),
        ];
        let root = tree(&files);
        let sample = Cgroup::find_in("4:memory:/a\n", root.path()).and_then(|group| group.read()).unwrap();
        assert_eq!(sample.working_bytes, 650);
    }

    #[test]
    fn path_of_outside_the_container_falls_back_to_the_mount() {
        let own = "0::/../docker/abc\n";
        check(own, &[("memory.current", "7"), ("memory.max", "8")], Some((7, Some(8))));
    }

    #[test]
    fn no_groups_or_nonsense_is_nothing() {
        check("", &[("memory.current", "7")], None);
        check("nonsense\n1:2\n", &[("memory.current", "7")], None);
        check("0::/a\n", &[], None);
        check("0::/a\n", &[("a/memory.current", "many")], None);
    }
}
