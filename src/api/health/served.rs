//! What the API has served since the start: events taken, replies by status and by code.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::api::http::code::Code;
use crate::store::Accepted;
use crate::telemetry::histogram::SHORT;
use crate::telemetry::{Histogram, Page};

/// Counters.
#[derive(Debug)]
pub struct Served {
    pub accepted: AtomicU64,
    pub duplicates: AtomicU64,
    /// Replies by the first digit of their status.
    pub replies: [AtomicU64; 6],
    /// Error replies by code.
    pub refused: Mutex<BTreeMap<&'static str, u64>>,
    /// How long publishes took that were accepted.
    pub accept_times: Histogram,
}

impl Default for Served {
    fn default() -> Self {
        let (accepted, duplicates, replies, refused) = Default::default();
        Self { accepted, duplicates, replies, refused, accept_times: Histogram::new(&SHORT) }
    }
}

impl Served {
    /// Counts what a publish accepted. Says how many of them are new.
    pub fn count_accepted(&self, accepted: &[Accepted]) -> u64 {
        let duplicates = accepted.iter().filter(|one| one.duplicate).count() as u64;
        let new = accepted.len() as u64 - duplicates;
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        self.accepted.fetch_add(new, Ordering::Relaxed);
        new
    }

    pub fn count_reply(&self, status: u16, code: Option<Code>) {
        if let Some(class) = self.replies.get(usize::from(status / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(code) = code {
            *self.refused.lock().expect("no holder panics").entry(code.word()).or_default() += 1;
        }
    }

    /// Puts them onto the page.
    pub fn show(&self, page: &mut Page) {
        page.counter("hookwheel_events_accepted_total", "Events accepted.").one(self.accepted.load(Ordering::Relaxed));
        let help = "Events that had been accepted before.";
        page.counter("hookwheel_events_duplicate_total", help).one(self.duplicates.load(Ordering::Relaxed));
        let help = "Publishes, from when the body was there until the events were safe on disk.";
        page.histogram("hookwheel_accept_seconds", help, &self.accept_times);
        let replies = page.counter("hookwheel_http_replies_total", "HTTP replies by class of status.");
        for (class, count) in self.replies.iter().enumerate().skip(1) {
            replies.with(&[("class", &format!("{class}xx"))], count.load(Ordering::Relaxed));
        }
        let refused = page.counter("hookwheel_http_refused_total", "Error replies by code.");
        for (code, count) in self.refused.lock().expect("no holder panics").iter() {
            refused.with(&[("code", code)], *count);
        }
    }
}
