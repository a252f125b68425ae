//! Guesses at passwords and codes: whoever tries many waits longer and longer before the next is looked at. What stays true: a
//! guess counts from its beginning, so many at once are no way round; memory is bounded, whoever asks; and somebody who guesses
//! at another's password from elsewhere holds that one up by a minute at most.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Mutex;

use crate::api::door::peers::Peer;
use crate::api::http::problem::Problem;
use crate::domain::id::UserId;
use crate::domain::time::{HOUR_MS, UnixMs};

/// Whom a guess counts against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Guessed<'a> {
    /// This address of a user, from there.
    PasswordFrom(&'a str, Peer),
    /// This address of a user, from anywhere.
    Password(&'a str),
    /// Anybody, from there.
    From(Peer),
    /// A code of this user, whose password was right.
    Code(UserId),
}

/// So many are looked at at once, then the first wait; each further one is twice as long, up to the longest.
struct Patience {
    free: u32,
    wait_ms_max: u64,
}

const WAIT_MS_MIN: u64 = 1_000;
/// What was guessed is forgotten so long after the last guess.
const FORGET_MS: u64 = HOUR_MS;
/// What is kept in mind; beyond, what was guessed longest ago is forgotten.
const KEPT_MAX: usize = 8_192;

impl Guessed<'_> {
    fn patience(&self) -> Patience {
        const MINUTE_MS: u64 = 60_000;
        match self {
            Self::PasswordFrom(..) | Self::Code(_) => Patience { free: 5, wait_ms_max: 15 * MINUTE_MS },
            Self::Password(_) => Patience { free: 50, wait_ms_max: MINUTE_MS },
            Self::From(_) => Patience { free: 30, wait_ms_max: 15 * MINUTE_MS },
        }
    }
}

/// Recent guesses.
#[derive(Debug, Default)]
pub struct Guesses {
    all: Mutex<HashMap<u64, Recent>>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Recent {
    count: u32,
    last: UnixMs,
    /// No other is looked at before.
    until: UnixMs,
}

impl Guesses {
    /// A guess begins, and counts against all of these; refused with the time to come back where one of them is to wait. Gives how
    /// many guesses each of them has seen of late.
    pub fn begin(&self, guessed: &[Guessed<'_>], now: UnixMs) -> Result<Vec<u32>, Problem> {
        let mut all = self.all.lock().expect("no holder of the lock panics");
        let recent = |all: &HashMap<u64, Recent>, key| {
            all.get(&key).copied().filter(|recent: &Recent| now < recent.last.saturating_add(FORGET_MS))
        };
        let keys: Vec<u64> = guessed.iter().map(|one| self.hasher.hash_one(one)).collect();
        let until = keys.iter().filter_map(|key| recent(&all, *key)).map(|recent| recent.until).max().unwrap_or(0);
        if until > now {
            let message = "too many wrong passwords or codes; what is sent before the time is over is not looked at";
            return Err(Problem::rate_limited(message, until - now));
        }
        let mut counts = Vec::with_capacity(guessed.len());
        for (key, one) in keys.into_iter().zip(guessed) {
            let count = recent(&all, key).map_or(0, |recent| recent.count).saturating_add(1);
            let wait = wait_ms(count, &one.patience());
            make_room(&mut all, key);
            all.insert(key, Recent { count, last: now, until: now.saturating_add(wait) });
            counts.push(count);
        }
        Ok(counts)
    }

    /// It was right: what counts against these users is forgotten, and against the place this one guess. Else many who log in
    /// from one place would be held up like one who guesses.
    pub fn was_right(&self, guessed: &[Guessed<'_>]) {
        let mut all = self.all.lock().expect("no holder of the lock panics");
        for one in guessed {
            let key = self.hasher.hash_one(one);
            if let (Guessed::From(_), Some(recent)) = (one, all.get_mut(&key)) {
                recent.count = recent.count.saturating_sub(1);
                if recent.count < one.patience().free {
                    recent.until = 0;
                }
                continue;
            }
            all.remove(&key);
        }
    }
}

fn make_room(all: &mut HashMap<u64, Recent>, key: u64) {
    if all.len() < KEPT_MAX || all.contains_key(&key) {
        return;
    }
    if let Some(oldest) = all.iter().min_by_key(|(_, recent)| recent.last).map(|(key, _)| *key) {
        all.remove(&oldest);
    }
}

fn wait_ms(count: u32, patience: &Patience) -> u64 {
    let beyond = count.checked_sub(patience.free);
    beyond.map_or(0, |beyond| (WAIT_MS_MIN << beyond.min(20)).min(patience.wait_ms_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const NOW: UnixMs = 1_800_000_000_000;

    fn peer(n: u32) -> Peer {
        Peer::from(IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[test]
    fn after_some_each_waits_twice_as_long_up_to_a_bound_and_is_forgotten() {
        let guesses = Guesses::default();
        let one = [Guessed::PasswordFrom("ada@x.y", peer(1))];
        let mut now = NOW;
        let waits: Vec<u64> = (0..16)
            .map(|_| {
                guesses.begin(&one, now).unwrap();
                let mut wait = 0;
                while guesses.is_waiting(&one, now + wait) {
                    wait += 1_000;
                }
                now += wait;
                wait / 1_000
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert!(
            guesses.begin(&[Guessed::PasswordFrom("ada@x.y", peer(2))], NOW).is_ok(),
            "from elsewhere is another matter"
        );
        assert!(guesses.begin(&one, now + FORGET_MS).is_ok() && guesses.begin(&one, now + FORGET_MS).is_ok());
    }

    #[test]
    fn a_right_one_forgets_and_a_refused_one_counts_not() {
        let guesses = Guesses::default();
        let both = [Guessed::PasswordFrom("ada@x.y", peer(1)), Guessed::From(peer(1))];
        for _ in 0..5 {
            guesses.begin(&both, NOW).unwrap();
        }
        assert!(guesses.begin(&both, NOW).is_err() && guesses.begin(&both, NOW).is_err());
        guesses.was_right(&both);
        assert_eq!(guesses.begin(&both, NOW).ok(), Some(vec![1, 5]), "the place keeps all but the right one");
        for _ in 0..100 {
            guesses.was_right(&both);
            assert!(guesses.begin(&both, NOW).is_ok(), "many may log in from one place");
        }
    }

    #[test]
    fn what_is_kept_in_mind_is_bounded_and_the_newest_stay() {
        let guesses = Guesses::default();
        for n in 0..KEPT_MAX as u32 + 10 {
            guesses.begin(&[Guessed::From(peer(n))], NOW + u64::from(n)).unwrap();
        }
        assert_eq!(guesses.all.lock().unwrap().len(), KEPT_MAX);
        let last = [Guessed::From(peer(KEPT_MAX as u32 + 9))];
        assert_eq!(guesses.begin(&last, NOW + 20_000).ok(), Some(vec![2]));
    }

    impl Guesses {
        fn is_waiting(&self, guessed: &[Guessed<'_>], now: UnixMs) -> bool {
            let all = self.all.lock().unwrap();
            guessed.iter().any(|one| all.get(&self.hasher.hash_one(one)).is_some_and(|recent| recent.until > now))
        }
    }
}
