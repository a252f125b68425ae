//! What the commit thread does on the side: duties that go forward in small steps, each in a group of its own or with
//! others, so that nobody waits long and memory stays flat. A crash repeats a step at most.

mod audit;
mod bodies;
mod deleted;
mod ended;
mod ending;
mod eventless;
mod fan_out;
mod holds;
mod idempotency;
mod jobs;
mod keeping;
mod quarantine;
mod quiet_times;
mod reseal;
mod resuming;
mod retention;
mod scrub;
mod set_back;
mod stats;
mod sweep;
mod unheld;

use std::sync::Arc;
use std::time::Duration;

use super::damage::Reports;
use super::duty::Duty;
use super::error::StoreError;
use super::registry::Registry;
use super::seal::Seals;
use super::settings::Retention;
use super::staging::Staging;
use super::trees::{Trees, Writes};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::time::UnixMs;
use audit::OldEntries;
use bodies::Ownerless;
use deleted::{Deleted, Forgettable};
use ended::{EndedSessions, EndedTickets};
use eventless::Eventless;
use fan_out::FanOut;
use holds::Holds;
use idempotency::OldKeys;
use jobs::{Jobs, OldJobs};
use keeping::KeepTime;
use quarantine::Quarantine;
use quiet_times::QuietTimes;
use reseal::Reseal;
use resuming::Resuming;
use retention::OldEvents;
use scrub::Scrub;
use set_back::SetBack;
use stats::OldStats;
use sweep::Sweep;
use unheld::Unheld;

/// How long a duty rests that needs a page which cannot be read.
const BROKEN_REST_MS: u64 = 600_000;

/// Keys that the duties of one group write, or as many more as one step does: whoever publishes meanwhile waits for them.
const GROUP_KEYS_MAX: usize = 512;

/// What is left to do.
pub struct Upkeep {
    duties: Vec<Entry>,
    /// With which the next group begins.
    next: usize,
    /// Which one is the next that has a group of its own, to find who needs a page that cannot be read.
    tried: Option<usize>,
    /// Who wrote in the last group.
    wrote: Wrote,
}

/// Whose writes a group has. A page that cannot be read may show only when they are written.
#[derive(Clone, Copy)]
enum Wrote {
    /// Nobody's, or who cannot go on rests already.
    Nobody,
    /// Of this one alone, and nothing else is in the group.
    One(usize),
    /// Of one or several beside other things.
    Some,
}

impl Upkeep {
    /// After a start or a reopening.
    pub fn at_start(
        trees: &Trees,
        now: UnixMs,
        registry: &Registry,
        retention: &Retention,
        seals: Arc<Seals>,
        reports: Arc<Reports>,
    ) -> Self {
        reports.begin_scrub();
        let duties: Vec<Box<dyn Duty>> = vec![
            Box::new(KeepTime::default()),
            Box::new(SetBack::at_start(trees, registry, now)),
            Box::new(FanOut::at_start()),
            Box::new(Ownerless::at_start()),
            Box::new(Deleted::at_start(registry)),
            Box::new(Sweep::of(Forgettable)),
            Box::new(Unheld::at_start(trees, registry)),
            Box::new(QuietTimes::at_start(trees)),
            Box::new(Resuming::at_start(registry)),
            Box::new(Jobs::at_start(registry)),
            Box::new(Sweep::of(OldJobs)),
            Box::new(Sweep::of(OldKeys)),
            Box::new(Sweep::of(EndedSessions)),
            Box::new(Sweep::of(EndedTickets)),
            Box::new(Sweep::of(OldStats)),
            Box::new(Sweep::of(Holds::new(retention))),
            Box::new(OldEvents::new(retention)),
            Box::new(Eventless::new(retention)),
            Box::new(Sweep::of(OldEntries::new(retention))),
            Box::new(Reseal::new(seals)),
            Box::new(if trees.are_scrubbed() { Scrub::at_start() } else { Scrub::none() }),
            // The last one: it puts aside what the others met.
            Box::new(Quarantine::new(reports)),
        ];
        Self::of(duties.into_iter().map(|duty| Entry { duty, rests_until: 0 }).collect())
    }

    fn of(duties: Vec<Entry>) -> Self {
        Self { duties, next: 0, tried: None, wrote: Wrote::Nobody }
    }

    /// Whether the next group is for one of them alone.
    pub fn is_tried(&self) -> bool {
        self.tried.is_some()
    }

    /// How long until there is something to do.
    pub fn wait(&self, now: UnixMs, kept: u64) -> Duration {
        if self.is_tried() {
            return Duration::ZERO;
        }
        let due = self.duties.iter().filter_map(|entry| entry.due_at(kept)).min();
        due.map_or(Duration::MAX, |at| Duration::from_millis(at.saturating_sub(now)))
    }

    /// Whether there is something to do.
    pub fn is_due(&self, now: UnixMs, kept: u64) -> bool {
        self.wait(now, kept).is_zero()
    }

    /// So many bytes are kept of this account, which is more than may be.
    pub fn keeps_too_much(&mut self, account: AccountNumber, kept: u64) {
        self.duties.iter_mut().for_each(|entry| entry.duty.keeps_too_much(account, kept));
    }

    /// These webhooks changed.
    pub fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        self.duties.iter_mut().for_each(|entry| entry.duty.look_at(changed, registry));
    }

    /// These writes come next.
    pub fn see(&mut self, writes: &Writes, trees: &Trees) -> Result<(), StoreError> {
        self.duties.iter_mut().try_for_each(|entry| entry.duty.see(writes, trees))
    }

    /// They could not be written, since a page that they need cannot be read, and are not there. Unless it is clear whose they
    /// were, each duty gets a group of its own; who cannot have that written rests.
    pub fn not_written(&mut self, now: UnixMs) {
        match self.wrote {
            Wrote::Nobody => {}
            Wrote::One(at) => self.duties[at].rest(now),
            Wrote::Some => self.tried = Some(0),
        }
        self.duties.iter_mut().for_each(|entry| entry.duty.not_written());
    }

    /// One step of each duty that is due, or of as many as one group has room for: the next one goes on behind them. One that
    /// needs a page which cannot be read has the group left out; it rests then, so that the next group is for the others.
    pub fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        self.wrote = Wrote::Nobody;
        if let Some(from) = self.tried.take() {
            return self.try_one(staging, from);
        }
        let (before, first, count) = (staging.keys(), self.next, self.duties.len());
        for at in (first..first + count).map(|at| at % count) {
            if staging.keys() - before >= GROUP_KEYS_MAX {
                self.next = at;
                break;
            }
            if self.duties[at].is_due(staging) {
                self.duties[at].step(staging)?;
            }
        }
        if staging.keys() > before {
            self.wrote = Wrote::Some;
        }
        Ok(())
    }

    /// A step of the first that is due from this one on, and nothing else.
    fn try_one(&mut self, staging: &mut Staging<'_>, from: usize) -> Result<(), StoreError> {
        let Some(at) = (from..self.duties.len()).find(|at| self.duties[*at].is_due(staging)) else { return Ok(()) };
        self.tried = Some(at + 1);
        self.duties[at].step(staging)?;
        self.wrote = Wrote::One(at);
        Ok(())
    }
}

/// A duty, and until when it is left alone.
struct Entry {
    duty: Box<dyn Duty>,
    rests_until: UnixMs,
}

impl Entry {
    fn due_at(&self, kept: u64) -> Option<UnixMs> {
        self.duty.due_at(kept).map(|at| at.max(self.rests_until))
    }

    fn is_due(&self, staging: &Staging<'_>) -> bool {
        self.due_at(staging.kept()).is_some_and(|at| at <= staging.now())
    }

    /// What it cannot read must not stop the others.
    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let step = self.duty.step(staging);
        if matches!(step, Err(StoreError::Broken(_))) {
            self.rest(staging.now());
        }
        staging.trees().readable(step).map(drop)
    }

    fn rest(&mut self, now: UnixMs) {
        let until = now + BROKEN_REST_MS;
        if !self.duty.leave_alone(until) {
            self.rests_until = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::{Bench, START};
    use crate::store::layout::Tree;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What a duty was told.
    #[derive(Default)]
    struct Heard {
        seen: AtomicUsize,
        not_written: AtomicUsize,
        looked_at: AtomicUsize,
    }

    /// A duty that needs a page which cannot be read.
    struct Torn(Arc<Heard>);

    impl Duty for Torn {
        fn due_at(&self, _kept: u64) -> Option<UnixMs> {
            Some(0)
        }

        fn step(&mut self, _staging: &mut Staging<'_>) -> Result<(), StoreError> {
            Err(StoreError::Broken("torn".into()))
        }

        fn see(&mut self, _writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
            self.0.seen.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn not_written(&mut self) {
            self.0.not_written.fetch_add(1, Ordering::Relaxed);
        }

        fn look_at(&mut self, changed: &[WebhookNumber], _registry: &Registry) {
            self.0.looked_at.fetch_add(changed.len(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_duty_that_needs_a_page_which_cannot_be_read_rests() {
        let mut bench = Bench::new();
        let duties = vec![Entry { duty: Box::new(Torn(Arc::default())), rests_until: 0 }];
        let mut upkeep = Upkeep::of(duties);
        assert!(upkeep.is_due(START, 0));
        let upkeep = bench.now(|staging| {
            assert!(matches!(upkeep.step(staging), Err(StoreError::Broken(_))));
            assert_eq!(upkeep.step(staging), Ok(()));
            Ok(upkeep)
        });
        assert_eq!(upkeep.wait(START, 0), Duration::from_millis(BROKEN_REST_MS));
        assert!(!upkeep.is_due(START + BROKEN_REST_MS - 1, 0) && upkeep.is_due(START + BROKEN_REST_MS, 0));
    }

    /// A duty that writes so many keys a step.
    struct Writing(u8, usize, Arc<std::sync::Mutex<Vec<u8>>>);

    impl Duty for Writing {
        fn due_at(&self, _kept: u64) -> Option<UnixMs> {
            Some(0)
        }

        fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
            self.2.lock().unwrap().push(self.0);
            (0..self.1).for_each(|n| staging.stage(Tree::Dead, vec![0, 0, 0, self.0, (n >> 8) as u8, n as u8], None));
            Ok(())
        }
    }

    #[test]
    fn those_that_write_much_take_turns_and_leave_nobody_out() {
        let steps = Arc::default();
        let duty = |name, keys| Entry { duty: Box::new(Writing(name, keys, Arc::clone(&steps))), rests_until: 0 };
        let duties = vec![duty(0, GROUP_KEYS_MAX), duty(1, 1), duty(2, GROUP_KEYS_MAX - 1), duty(3, 5)];
        let (mut upkeep, mut bench) = (Upkeep::of(duties), Bench::new());
        let mut groups: Vec<Vec<u8>> = Vec::new();
        for _ in 0..3 {
            upkeep = bench.now(|staging| {
                upkeep.step(staging).unwrap();
                Ok(upkeep)
            });
            groups.push(std::mem::take(&mut *steps.lock().unwrap()));
        }
        assert_eq!(groups, [vec![0], vec![1, 2], vec![3, 0]]);
    }

    #[test]
    fn each_duty_hears_of_what_is_written_and_changed_and_of_what_could_not_be_written() {
        let bench = Bench::new();
        let heard = Arc::new(Heard::default());
        let duties = (0..2).map(|_| Entry { duty: Box::new(Torn(heard.clone())), rests_until: 0 }).collect();
        let mut upkeep = Upkeep::of(duties);
        upkeep.see(&Writes::default(), &bench.trees()).unwrap();
        upkeep.look_at(&[1, 2, 3], &Registry::default());
        upkeep.not_written(START);
        upkeep.not_written(START);
        let heard = [&heard.seen, &heard.looked_at, &heard.not_written].map(|heard| heard.load(Ordering::Relaxed));
        assert_eq!(heard, [2, 6, 4]);
    }
}
