//! How an endpoint in trouble must be spared, in the words of the guide: five failures in a row or half of the last
//! twenty begin a pause, each further failure a longer one, a success ends the trouble; an endpoint that asks for a pause
//! gets it. And how many may be out at once. It is told what was answered and knows nothing of counters or lanes.

use std::collections::{BTreeSet, VecDeque};

use hookwheel::deliver::window::START;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::time::UnixMs;

/// What an answer says of the endpoint as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Yes,
    /// Something that is about one delivery, or that nobody recorded.
    Nothing,
    /// It is not there, or has too much to do.
    No,
    Later(UnixMs),
}

/// How an endpoint is spared.
#[derive(Clone, Default)]
pub struct Spared {
    /// It was in trouble, held, or the core was down, so that retries may come late.
    pub ever: bool,
    /// When last as many were out as any window may begin with, so that a retry may have had to wait.
    pub crowded_at: UnixMs,
    /// Nothing may go out before.
    pub until: UnixMs,
    began: UnixMs,
    /// Pauses since it last said yes.
    pub pauses: u32,
    /// What it said lately, the latest first: whether it was a no.
    noes: VecDeque<bool>,
    /// So many may be out at once, as far as that is known.
    window: Option<usize>,
    pub out: BTreeSet<DeliveryId>,
    /// Those that were out when the last pause began.
    stale: BTreeSet<DeliveryId>,
    /// Those that were out when the window was last halved.
    halved: BTreeSet<DeliveryId>,
}

impl Spared {
    /// Begins anew: somebody says that it is well.
    pub fn forgiven(&mut self) {
        *self = Self { ever: true, out: std::mem::take(&mut self.out), ..Self::default() };
    }

    /// The core died: nobody knows any more how many may be out.
    pub fn crashed(&mut self) {
        (self.ever, self.window) = (true, None);
        [&mut self.out, &mut self.stale, &mut self.halved].into_iter().for_each(BTreeSet::clear);
    }

    /// It came back unsent.
    pub fn handed_back(&mut self, id: DeliveryId) {
        self.ever = true;
        for ids in [&mut self.out, &mut self.stale, &mut self.halved] {
            ids.remove(&id);
        }
    }

    /// What was recorded since is lost; what is out `now` stays out, and nobody knows any more how many may be.
    pub fn go_back_from(&mut self, now: Self) {
        self.stale.retain(|id| now.out.contains(id));
        (self.ever, self.window, self.out) = (true, None, now.out);
        self.halved.clear();
    }

    /// The clock was set back to `now`: what is left of a pause is no longer than it was.
    pub fn set_back(&mut self, now: UnixMs) {
        self.until = self.until.min(now + self.until.saturating_sub(self.began));
    }

    pub fn check_window(&self) {
        let Some(window) = self.window else { return };
        assert!(self.out.len() <= window, "{} are out, {window} may be", self.out.len());
    }

    /// One of its deliveries came back at `now` and was answered so. Holds `told`, until when nothing is to be sent,
    /// against the rule.
    pub fn heard(&mut self, id: DeliveryId, said: Said, now: UnixMs, told: UnixMs, max: usize) {
        if self.out.len() >= START {
            self.crowded_at = now;
        }
        self.out.remove(&id);
        let (is_stale, was_halved) = (self.stale.remove(&id), self.halved.remove(&id));
        self.ever |= matches!(said, Said::No | Said::Later(_));
        let makes_trouble = !is_stale && self.noted(said);
        let pause = match said {
            Said::Later(until) => Some((until, until)),
            Said::No if makes_trouble => {
                let least = 60_000.min(1_000 << self.pauses.min(10));
                Some((now + least, now + least * 5 / 4))
            }
            Said::No | Said::Yes | Said::Nothing => None,
        };
        if let Some((earliest, latest)) = pause {
            let (earliest, latest) = (earliest.max(self.until), latest.max(self.until));
            assert!((earliest..=latest).contains(&told), "{told} is not from {earliest} to {latest}: {said:?}");
            self.pauses += u32::from(!is_stale);
            self.stale = self.out.clone();
            self.began = now;
            self.noes.clear();
        } else {
            // A pause that is over may still be told of.
            assert!(told <= self.until.max(now), "a pause until {told} for {said:?}, after {:?}", self.noes);
        }
        let shrinks = matches!(said, Said::No | Said::Later(_)) && !was_halved;
        if shrinks {
            self.halved = self.out.clone();
        }
        match said {
            _ if told > self.until => (self.until, self.window) = (told, Some(1)),
            Said::Yes => self.window = self.window.map(|window| window + 1),
            _ if shrinks => self.window = Some((self.window.unwrap_or(max).min(max) / 2).max(1)),
            _ => {}
        }
    }

    /// Notes a yes or no. Says whether that makes trouble, or goes on with it.
    fn noted(&mut self, said: Said) -> bool {
        match said {
            Said::No if self.pauses > 0 => true,
            Said::Yes if self.pauses > 0 => {
                (self.until, self.pauses) = (0, 0);
                false
            }
            Said::Yes | Said::No => {
                self.noes.push_front(said == Said::No);
                self.noes.truncate(20);
                let count = self.noes.iter().filter(|no| **no).count();
                let in_a_row = self.noes.iter().take_while(|no| **no).count();
                in_a_row == 5 || (self.noes.len() >= 10 && count * 2 >= self.noes.len())
            }
            Said::Nothing | Said::Later(_) => false,
        }
    }
}
