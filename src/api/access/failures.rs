//! Keys that are not known are answered later and later, so that guessing is slow. What stays true: a right key is never
//! kept waiting, whoever shares its address; and memory is bounded, whoever asks.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::api::door::peers::Peer;
use crate::domain::time::UnixMs;

/// So many are answered at once: people mistype.
const FREE: u32 = 5;
/// The first that is slowed waits so long, each further one twice as long …
const WAIT_MIN: Duration = Duration::from_millis(50);
/// … up to this.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// An address is forgotten this long after its last wrong key.
const FORGET_MS: u64 = 60_000;
/// Addresses that are kept in mind; all others count as one.
const PEERS_MAX: usize = 4096;

/// Recent wrong keys.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Peer, Recent>>);

#[derive(Debug)]
struct Recent {
    count: u32,
    last: UnixMs,
}

impl Failures {
    /// Another wrong key: how many there were of late, and how long to keep its sender waiting.
    pub fn note(&self, peer: Peer, now: UnixMs) -> (u32, Duration) {
        let mut all = self.0.lock().expect("no holder of the lock panics");
        let is_old = |recent: &Recent| now >= recent.last + FORGET_MS;
        if all.len() >= PEERS_MAX && !all.contains_key(&peer) {
            all.retain(|_, recent| !is_old(recent));
        }
        let peer = if all.len() >= PEERS_MAX && !all.contains_key(&peer) { Peer::OTHERS } else { peer };
        let recent = all.entry(peer).or_insert(Recent { count: 0, last: now });
        let before = if is_old(recent) { 0 } else { recent.count };
        *recent = Recent { count: before.saturating_add(1), last: now };
        (recent.count, wait(recent.count))
    }
}

fn wait(count: u32) -> Duration {
    match count.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(slowed) => WAIT_MIN.saturating_mul(1 << slowed.min(10)).min(WAIT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const NOW: UnixMs = 1_700_000_000_000;

    fn peer(n: u32) -> Peer {
        Peer::from(IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[test]
    fn the_first_are_free_then_waits_double_up_to_a_bound_and_are_forgotten() {
        let failures = Failures::default();
        let waits: Vec<u64> = (0..14).map(|_| failures.note(peer(1), NOW).1.as_millis() as u64).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(failures.note(peer(2), NOW), (1, Duration::ZERO), "another address is another matter");
        assert_eq!(failures.note(peer(1), NOW + FORGET_MS - 1).0, 15);
        assert_eq!(failures.note(peer(1), NOW + 2 * FORGET_MS).0, 1);
    }

    #[test]
    fn more_addresses_than_are_kept_in_mind_count_as_one() {
        let failures = Failures::default();
        for n in 0..2 * PEERS_MAX as u32 {
            failures.note(peer(n), NOW);
        }
        assert_eq!(failures.0.lock().expect("it is free").len(), PEERS_MAX + 1);
        assert_eq!(failures.note(peer(u32::MAX), NOW).1, WAIT_MAX);
        failures.note(peer(u32::MAX), NOW + FORGET_MS);
        assert_eq!(failures.0.lock().expect("it is free").len(), 1);
    }
}
