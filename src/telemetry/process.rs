//! What the process uses, as Linux tells it in `/proc`, under the names that Prometheus's own clients give it. Where nobody
//! tells it, a family is not there.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::page::Page;

/// Puts it onto the page, with what was built.
pub fn show(page: &mut Page) {
    let version = env!("CARGO_PKG_VERSION");
    let labels = [("version", version), ("os", std::env::consts::OS), ("arch", std::env::consts::ARCH)];
    page.gauge("hookwheel_build_info", "What runs: always 1.").with(&labels, 1_u64);
    if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::read) {
        page.counter("process_cpu_seconds_total", "CPU time, user and system.").one(stat.cpu_seconds());
        page.gauge("process_resident_memory_bytes", "Resident memory.").one(stat.pages * page_size() as u64);
        page.gauge("process_virtual_memory_bytes", "Virtual memory.").one(stat.virtual_bytes);
        page.gauge("process_threads", "Threads.").one(stat.threads);
        if let Some(boot) = read("/proc/stat").as_deref().and_then(boot_seconds) {
            let started = boot as f64 + seconds(stat.started_ticks);
            page.gauge("process_start_time_seconds", "When it was started, since the Unix epoch.").one(started);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the look itself.
        page.gauge("process_open_fds", "Open descriptors.").one(open.count().saturating_sub(1));
    }
    if let Some(max) = getrlimit(Resource::Nofile).current {
        page.gauge("process_max_fds", "Descriptors that may be open.").one(max);
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second() as f64
}

fn boot_seconds(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Some fields of `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    /// Since the machine was started.
    started_ticks: u64,
    virtual_bytes: u64,
    pages: u64,
}

impl Stat {
    /// Reads it: fields count from the third, behind the name, which may hold anything.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            started_ticks: field(22)?,
            virtual_bytes: field(23)?,
            pages: field(24)?,
        })
    }

    fn cpu_seconds(&self) -> f64 {
        seconds(self.cpu_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::page::Format;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 900 4096000 12 1";
        let read = Stat { cpu_ticks: 300, threads: 4, started_ticks: 900, virtual_bytes: 4_096_000, pages: 12 };
        assert_eq!((Stat::read(stat), Stat::read("7 (a")), (Some(read), None));
        assert_eq!(boot_seconds("cpu 1\nbtime 1700000000\nprocesses 4"), Some(1_700_000_000));
    }

    #[test]
    fn this_process_has_used_something_and_was_started_before_now() {
        let mut page = Page::default();
        show(&mut page);
        let text = page.written(Format::Classic);
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("{name} in\n{text}")).parse::<f64>().expect("a number")
        };
        assert!(of("process_resident_memory_bytes") > 1e6 && of("process_open_fds") >= 1.0);
        assert!(of("process_max_fds") >= of("process_open_fds"));
        let now = crate::clock::Clock::real().wall() as f64 / 1000.0;
        let age = now - of("process_start_time_seconds");
        assert!((-2.0..86_400.0).contains(&age), "it was started {age} s ago");
    }
}
