//! What the API has served since the start: events taken, replies by status and by code.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::prometheus::{family, sample};
use crate::api::http::code::Code;
use crate::store::Accepted;

/// Counters.
#[derive(Debug, Default)]
pub struct Served {
    pub accepted: AtomicU64,
    pub duplicates: AtomicU64,
    /// Replies by the first digit of their status.
    pub replies: [AtomicU64; 6],
    /// Error replies by code.
    pub refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Served {
    /// Counts what a publish accepted.
    pub fn count_accepted(&self, accepted: &[Accepted]) {
        let duplicates = accepted.iter().filter(|one| one.duplicate).count() as u64;
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        self.accepted.fetch_add(accepted.len() as u64 - duplicates, Ordering::Relaxed);
    }

    pub fn count_reply(&self, status: u16, code: Option<Code>) {
        if let Some(class) = self.replies.get(usize::from(status / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(code) = code {
            *self.refused.lock().expect("no holder panics").entry(code.word()).or_default() += 1;
        }
    }

    /// Writes them in the Prometheus text format.
    pub fn write(&self, out: &mut String) {
        family(out, "hookwheel_events_accepted_total", "counter", "Events accepted.");
        sample(out, "hookwheel_events_accepted_total", "", self.accepted.load(Ordering::Relaxed));
        family(out, "hookwheel_events_duplicate_total", "counter", "Events that had been accepted before.");
        sample(out, "hookwheel_events_duplicate_total", "", self.duplicates.load(Ordering::Relaxed));
        family(out, "hookwheel_http_replies_total", "counter", "HTTP replies by class of status.");
        for (class, count) in self.replies.iter().enumerate().skip(1) {
            let label = format!("{{class=\"{class}xx\"}}");
            sample(out, "hookwheel_http_replies_total", &label, count.load(Ordering::Relaxed));
        }
        family(out, "hookwheel_http_refused_total", "counter", "Error replies by code.");
        for (code, count) in self.refused.lock().expect("no holder panics").iter() {
            sample(out, "hookwheel_http_refused_total", &format!("{{code=\"{code}\"}}"), *count);
        }
    }
}
