//! The timer wheel turns webhooks, not deliveries: one live entry a webhook, for when its earliest work is due. So its
//! memory grows with webhooks and not with the backlog. It has no clock: it is turned by the time that is passed in.

use std::collections::HashMap;
use std::time::Duration;

use hierarchical_hash_wheel_timer::wheels::{Skip, quad_wheel::QuadWheelWithOverflow};

use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;

/// One tick. An entry comes out at the first tick at or after its time: never early, less than a tick late.
pub const TICK_MS: u64 = 4;
/// No entry is put further ahead. One that is due later comes out here, is looked at, and is put in again; so entries
/// that were overtaken by earlier ones do not pile up for hours.
const HORIZON_TICKS: u64 = 60_000 / TICK_MS;

/// The wheel.
pub struct Wheel {
    wheel: QuadWheelWithOverflow<Entry>,
    /// The live entry of each webhook. An entry in the wheel that is not named here was overtaken.
    armed: HashMap<WebhookNumber, u64>,
    /// Ticks turned so far, since the Unix epoch.
    tick: u64,
}

#[derive(Debug)]
struct Entry {
    webhook: WebhookNumber,
    tick: u64,
}

impl Wheel {
    /// An empty wheel that stands at `now`.
    pub fn new(now: UnixMs) -> Self {
        Self { wheel: QuadWheelWithOverflow::default(), armed: HashMap::new(), tick: now / TICK_MS }
    }

    /// Wakes the webhook at `at`, unless it is woken earlier anyway.
    pub fn arm(&mut self, webhook: WebhookNumber, at: UnixMs) {
        let due = at.div_ceil(TICK_MS).max(self.tick + 1);
        let tick = due.min(self.tick + HORIZON_TICKS);
        if self.armed.get(&webhook).is_some_and(|armed| *armed <= tick) {
            return;
        }
        let delay = Duration::from_millis(tick - self.tick);
        self.wheel.insert_with_delay(Entry { webhook, tick }, delay).expect("the delay is at least one tick");
        self.armed.insert(webhook, tick);
    }

    /// Turns to `now` and hands out the webhooks that are due, each with when that was.
    pub fn turn(&mut self, now: UnixMs, mut due: impl FnMut(WebhookNumber, UnixMs)) {
        let target = now / TICK_MS;
        while self.tick < target {
            let left = u32::try_from(target - self.tick).unwrap_or(u32::MAX);
            let skipped = match self.wheel.can_skip() {
                Skip::Empty => left,
                Skip::Millis(can) => can.min(left),
                Skip::None => 0,
            };
            if skipped > 0 {
                self.wheel.skip(skipped);
                self.tick += u64::from(skipped);
                continue;
            }
            self.tick += 1;
            for entry in self.wheel.tick() {
                if self.armed.get(&entry.webhook) == Some(&entry.tick) {
                    self.armed.remove(&entry.webhook);
                    due(entry.webhook, entry.tick * TICK_MS);
                }
            }
        }
    }

    /// When to turn it next; `None` while it is empty.
    pub fn next_turn(&self) -> Option<UnixMs> {
        let ticks = match self.wheel.can_skip() {
            Skip::Empty => return None,
            Skip::Millis(can) => u64::from(can) + 1,
            Skip::None => 1,
        };
        Some((self.tick + ticks) * TICK_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(wheel: &mut Wheel, from: UnixMs, to: UnixMs) -> Vec<(WebhookNumber, UnixMs)> {
        let mut woken = Vec::new();
        let mut now = from;
        while let Some(next) = wheel.next_turn().filter(|next| *next <= to) {
            assert!(next > now, "the wheel makes headway");
            now = next;
            wheel.turn(now, |webhook, due| {
                assert!(due <= now, "never early");
                woken.push((webhook, now));
            });
        }
        woken
    }

    #[test]
    fn an_earlier_time_overtakes_and_a_later_one_is_ignored() {
        let mut wheel = Wheel::new(1_000_000);
        wheel.arm(1, 1_005_000);
        wheel.arm(1, 1_002_000);
        wheel.arm(1, 1_009_000);
        assert_eq!(run(&mut wheel, 1_000_000, 1_020_000), [(1, 1_002_000)]);
    }

    #[test]
    fn an_empty_wheel_turns_no_further_than_to_now() {
        let mut wheel = Wheel::new(1_000_000);
        wheel.turn(1_002_000, |_, _| panic!("nobody is due"));
        wheel.arm(1, 1_003_000);
        assert_eq!(run(&mut wheel, 1_002_000, 1_020_000), [(1, 1_003_000)]);
    }

    #[test]
    fn what_is_far_ahead_is_looked_at_on_the_way() {
        let mut wheel = Wheel::new(0);
        let due = 6 * 60 * 60 * 1000;
        wheel.arm(1, due);
        let mut now = 0;
        loop {
            let woken = run(&mut wheel, now, due + 1000);
            let (_, at) = woken[0];
            assert!(at <= due);
            if at == due {
                break;
            }
            now = at;
            wheel.arm(1, due);
        }
    }

    proptest! {
        #[test]
        fn every_webhook_is_woken_once_never_early_and_within_a_tick(
            start in 0..1u64 << 42, delays in prop::collection::vec(0..50_000u64, 1..50),
        ) {
            let mut wheel = Wheel::new(start);
            for (webhook, delay) in delays.iter().enumerate() {
                wheel.arm(webhook as u32, start + delay);
            }
            let mut woken = run(&mut wheel, start, start + 60_000);
            woken.sort_unstable();
            prop_assert_eq!(woken.len(), delays.len());
            for (webhook, at) in woken {
                let due = start + delays[webhook as usize];
                prop_assert!(at >= due && at <= due.max(start) + 2 * TICK_MS, "due {} woken {}", due, at);
            }
        }
    }
}
