//! What the server takes: memory, file descriptors, disk. Printed now and then, and compared over time.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use hookwheel::clock::Stopwatch;

use crate::ledger::Ledger;
use crate::support::{Server, say};

/// Lines that a soak prints.
const LINES: f64 = 40.0;
/// The seconds between two of them, at least.
const BETWEEN_MIN: f64 = 1.0;
/// What a server with a cache of 16 MiB and a quota of a few MiB never comes near.
const RSS_MAX: u64 = 512 << 20;
const DISK_MAX: u64 = 1 << 30;
/// How much more the last quarter may take than the second: half, and what two lives differ by.
const MORE_BYTES: u64 = 32 << 20;

/// One look.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    rss: u64,
    disk: u64,
}

/// Looks at the server now and then.
pub struct Gauge {
    data: PathBuf,
    seconds: f64,
    samples: Vec<Sample>,
}

impl Gauge {
    /// For a soak of so many seconds over that data directory.
    pub fn new(data: &Path, seconds: f64) -> Self {
        Self { data: data.into(), seconds, samples: Vec::new() }
    }

    /// Looks, if it is time to.
    pub fn take(&mut self, server: &Server, watch: &Stopwatch, ledger: &Ledger) {
        let between = (self.seconds / LINES).max(BETWEEN_MIN);
        let last = self.samples.last().map_or(0.0, |sample| sample.seconds);
        if watch.elapsed().as_secs_f64() >= last + between {
            self.take_last(server, watch, ledger);
        }
    }

    /// Looks.
    pub fn take_last(&mut self, server: &Server, watch: &Stopwatch, ledger: &Ledger) {
        let (seconds, rss, disk) = (watch.elapsed().as_secs_f64(), rss(server), size_of(&self.data));
        let (events, requests) = ledger.counts();
        say(&format!(
            "{seconds:.1} s: {events} events, {requests} requests, RSS {} MiB, {} file descriptors, {} MiB on disk",
            rss >> 20,
            descriptors(server),
            disk >> 20
        ));
        self.samples.push(Sample { seconds, rss, disk });
    }

    /// Nothing has grown without bound; in a long soak, nothing has grown since its second quarter.
    pub fn check(&self, long: bool) {
        for (what, bound) in [("RSS", RSS_MAX), ("disk", DISK_MAX)] {
            let most = |from: f64, to: f64| {
                let within = |sample: &&Sample| (from..to).contains(&(sample.seconds / self.seconds));
                let bytes = |sample: &Sample| if what == "RSS" { sample.rss } else { sample.disk };
                self.samples.iter().filter(within).map(bytes).max().unwrap_or(0)
            };
            let (all, second, last) = (most(0.0, f64::MAX), most(0.25, 0.5), most(0.75, f64::MAX));
            say(&format!("{what}: at most {} MiB in the second quarter, {} in the last", second >> 20, last >> 20));
            assert!(all <= bound, "{what}: {all} bytes");
            assert!(!long || last <= second * 3 / 2 + MORE_BYTES, "{what} grows: from {second} to {last} bytes");
        }
    }
}

/// Open file descriptors.
pub fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.process.child.id())).expect("it runs").count()
}

/// Open file descriptors that are connections to an endpoint, and all others by name. The client of the senders closes
/// a connection that was idle for long only when it next makes a request to the same endpoint.
pub fn descriptors_apart(server: &Server, endpoint: u16) -> (usize, Vec<String>) {
    let pid = server.process.child.id();
    let tcp = fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("it runs");
    let to_endpoint: HashSet<String> = tcp
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row.get(2).is_some_and(|remote| remote.ends_with(&format!(":{endpoint:04X}"))))
        .filter_map(|row| row.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let names = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let (pooled, others): (Vec<_>, Vec<_>) =
        names.map(|path| path.display().to_string()).partition(|name| to_endpoint.contains(name));
    (pooled.len(), others)
}

fn rss(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a running process has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// Bytes of the files below; what vanishes meanwhile counts for nothing.
fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
