//! The memory that the configuration allows requests to take, against what this process may have.

use crate::{
    cli::finding::Finding,
    config::{BackendKind, Bytes, Config},
};
use std::{fs, path::Path, thread::available_parallelism};

/// The most bytes for each pixel while a picture is decoded, cut and encoded: twice four for pixels, and a mask and a file.
const PIXEL: u64 = 12;

/// Pixels of the largest picture that any backend gets.
const MOST_PIXELS: u64 = 100_000_000;

/// For reading pictures before a metered backend is asked.
const READ_CHECK: u64 = 400_000_000;

/// The program itself, with its model, its caches and its connections.
const PROGRAM: u64 = 128 << 20;

pub(super) fn look(config: &Config) -> Option<Finding> {
    let cores = available_parallelism().map_or(1, usize::from);
    let (limit, whose) = limit(Path::new("/"))?;
    Some(judge(config, cores, limit, whose))
}

fn judge(config: &Config, cores: usize, limit: u64, whose: &str) -> Finding {
    let need = most(config, cores);
    let sum = need.iter().fold(0_u64, |so_far, (_, bytes)| so_far.saturating_add(*bytes));
    let says = format!("Requests may take up to {} of memory, and {whose} is {}.", rounded(sum), rounded(limit));
    if sum <= limit {
        return Finding::ok("memory", says);
    }
    let parts: Vec<_> = need.iter().map(|(what, bytes)| format!("{what} {}", rounded(*bytes))).collect();
    let cure = format!("Give it more memory, or lower one of: {}.", parts.join(", "));
    Finding::warn("memory", format!("{says} It may be killed when many large pictures come together."), cure)
}

/// What each setting may need, in bytes.
fn most(config: &Config, cores: usize) -> Vec<(&'static str, u64)> {
    let backend = &config.backend;
    let pixels = backend.pixel_limit().unwrap_or(MOST_PIXELS);
    let at_once = match backend.kind {
        BackendKind::Builtin => backend.concurrency,
        BackendKind::Rembg => cores.min(backend.concurrency.saturating_mul(backend.urls.len().max(1))),
        BackendKind::Rmbg => 0,
    };
    let pictures = (at_once as u64).saturating_mul(pixels).saturating_mul(PIXEL);
    let finishing = if config.dialects.removebg { config.limits.pixel_memory.0 } else { 0 };
    let parts = [
        ("backend.concurrency × backend.max_pixels", pictures),
        ("limits.pixel_memory", finishing),
        ("limits.memory_budget", config.limits.memory_budget.0),
        ("reading pictures before a metered backend", if backend.is_metered() { READ_CHECK } else { 0 }),
        ("the program", PROGRAM),
    ];
    parts.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
}

/// The least limit of the control groups that this process is in, or else the machine's memory; in bytes, with its name.
fn limit(root: &Path) -> Option<(u64, &'static str)> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let of_group = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        match controllers {
            "" => least(&root.join("sys/fs/cgroup"), path, "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                least(&root.join("sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    });
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    });
    // A group without a limit may say an impossibly large number.
    let group = of_group.min().filter(|group| machine.is_none_or(|machine| *group < machine));
    group.map(|bytes| (bytes, "the limit of its control group")).or(Some((machine?, "this machine's memory")))
}

/// The least limit of a group and the groups around it. In a container the path may lead to nowhere, and the mount is the
/// group itself.
fn least(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let own = mount.join(path);
    let around = own.ancestors().take_while(|folder| folder.starts_with(mount));
    around.filter_map(|folder| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()).min()
}

fn rounded(bytes: u64) -> String {
    Bytes(bytes.div_ceil(1 << 20).min(1 << 40) << 20).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::finding::Verdict;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_least_limit_counts_that_the_process_is_under() {
        let total = ("proc/meminfo", "MemTotal:        8000 kB\nMemFree: 1 kB\n");
        let v2 = ("proc/self/cgroup", "0::/a/b\n");
        for (files, bytes) in [
            (vec![total], 8_192_000),
            (vec![total, v2], 8_192_000),
            (vec![total, v2, ("sys/fs/cgroup/a/b/memory.max", "max\n")], 8_192_000),
            (
                vec![total, v2, ("sys/fs/cgroup/a/memory.max", "5000\n"), ("sys/fs/cgroup/a/b/memory.max", "7000\n")],
                5000,
            ),
            (vec![total, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "6000\n")], 6000),
            (
                vec![
                    total,
                    ("proc/self/cgroup", "5:cpu:/a\n4:memory,x:/docker/1\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4000\n"),
                ],
                4000,
            ),
            (
                vec![
                    total,
                    ("proc/self/cgroup", "4:memory:/\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                8_192_000,
            ),
        ] {
            assert_eq!(limit(machine(&files).path()).map(|(bytes, _)| bytes), Some(bytes), "{files:?}");
        }
        assert_eq!(limit(machine(&[]).path()), None);
    }

    #[test]
    fn too_little_memory_names_the_settings_that_need_it() {
        let mut config = Config::default();
        config.backend.concurrency = 2;
        let found = judge(&config, 8, 1 << 30, "the limit");
        assert_eq!(found.verdict, Verdict::Warn);
        let cure = found.cure.unwrap();
        assert!(cure.contains("backend.concurrency × backend.max_pixels 916 MiB"), "{cure}");
        assert!(cure.contains("limits.pixel_memory 1536 MiB, limits.memory_budget 256 MiB"), "{cure}");
        assert_eq!(judge(&config, 8, 4 << 30, "the limit").verdict, Verdict::Ok);
        config.backend.kind = BackendKind::Rmbg;
        config.dialects.removebg = false;
        assert_eq!(judge(&config, 8, 512 << 20, "the limit").verdict, Verdict::Ok, "it holds no pixels");
        config.backend.max_pixels = Some(u64::MAX);
        config.backend.kind = BackendKind::Builtin;
        assert_eq!(judge(&config, 8, 1 << 30, "the limit").verdict, Verdict::Warn, "no overflow");
    }
}
