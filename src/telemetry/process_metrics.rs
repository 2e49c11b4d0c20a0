//! What the kernel says of this process, under the names that all of Prometheus's clients use.
//!
//! The client library has a collector for this too, but it compiles twenty seconds' worth of crates to read four files.

use prometheus::{
    Counter, IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rustix::param::{clock_ticks_per_second, page_size};
use std::{
    fs,
    sync::{Mutex, PoisonError},
};

/// The metrics of this process, read anew for each scrape. What cannot be read is left as it was.
pub(super) struct ProcessMetrics {
    cpu: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    started: IntGauge,
    threads: IntGauge,
    /// Held while the numbers are read: two scrapes at once must not both add the same CPU time.
    reading: Mutex<()>,
}

impl ProcessMetrics {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")?,
            open_fds: IntGauge::new("process_open_fds", "Number of open file descriptors.")?,
            max_fds: IntGauge::new("process_max_fds", "Maximum number of open file descriptors.")?,
            virtual_memory: IntGauge::new("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            resident_memory: IntGauge::new("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            started: IntGauge::new(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
            threads: IntGauge::new("process_threads", "Number of OS threads in the process.")?,
            reading: Mutex::default(),
        })
    }

    fn all(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory,
            &self.resident_memory,
            &self.started,
            &self.threads,
        ]
    }

    fn read(&self) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            let per_second = clock_ticks_per_second();
            // Sums are rounded, and a counter cannot shrink.
            self.cpu.inc_by((seconds(stat.cpu, per_second) - self.cpu.get()).max(0.0));
            self.threads.set(whole(stat.threads));
            self.virtual_memory.set(whole(stat.virtual_bytes));
            self.resident_memory.set(whole(stat.resident_pages * page_size() as u64));
            if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time) {
                self.started.set(whole(boot + stat.started / per_second));
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is for this folder.
            self.open_fds.set(whole(open.count() as u64) - 1);
        }
        if let Some(most) = fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(most_files) {
            self.max_fds.set(whole(most));
        }
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}

/// What `/proc/self/stat` says, in the kernel's units: clock ticks and pages.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu: u64,
    threads: u64,
    started: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may contain blanks and parentheses.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu: number(14)? + number(15)?,
            threads: number(20)?,
            started: number(22)?,
            virtual_bytes: number(23)?,
            resident_pages: number(24)?,
        })
    }
}

/// When the machine was started, from `/proc/stat`.
fn boot_time(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The soft limit on open files, from `/proc/self/limits`; none if it is unlimited.
fn most_files(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_ascii_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ticks are three million years")]
fn seconds(ticks: u64, per_second: u64) -> f64 {
    ticks as f64 / per_second as f64
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 7 0 360000 1000000 2560 1844 1";

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_move_the_fields() {
        let stat = Stat { cpu: 300, threads: 7, started: 360_000, virtual_bytes: 1_000_000, resident_pages: 2560 };
        assert_eq!(Stat::parse(STAT), Some(stat));
        assert_eq!(Stat::parse("4242 (a) S 1"), None);
    }

    #[test]
    fn the_limit_and_the_start_are_found_in_their_lines() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(most_files(limits), Some(1024));
        assert_eq!(most_files("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(boot_time("cpu  1 2\nbtime 1795848000\nprocesses 9"), Some(1_795_848_000));
    }

    #[test]
    fn every_number_is_read_from_this_machine() {
        let process = ProcessMetrics::new().unwrap();
        let families = process.collect();
        assert_eq!(families.len(), process.desc().len());
        for family in families.iter().filter(|family| family.name() != "process_cpu_seconds_total") {
            assert!(family.get_metric()[0].get_gauge().get_value() >= 1.0, "{}", family.name());
        }
    }
}
