//! How many deliveries of one webhook may be out at once, for now, and whether they come back soon. Pure. A window begins
//! small, grows with each success that used it, and shrinks where the endpoint is strained: so an endpoint gets as many as it
//! takes well, and one that hangs holds few. What stays true: it is never below one.

use crate::domain::backoff::Strain;

/// Where a window begins: at a start, after a hold, and for a webhook that nobody has sent to yet.
pub const START: usize = 4;
/// A success adds so many to one that was never strained: an endpoint that is well has its load within few round trips.
const GROWTH_AT_FIRST: usize = 3;
/// A success adds to a window of which at least one of so many places was in use.
const USED: usize = 4;
/// What ends within so many milliseconds has ended soon.
pub const SOON_MS: u64 = 1_000;

/// Latest attempts that are looked back at.
const LOOKED_BACK: u32 = 16;
/// One of so many of them may have been slow.
const SLOW_SHARE: u32 = 8;

/// One webhook's window.
#[derive(Debug)]
pub struct Window {
    size: usize,
    /// It has never shrunk.
    untried: bool,
    /// Begins anew when the window was halved: what was out by then does not halve it again.
    round: u64,
    /// What a success takes here, smoothed, in milliseconds.
    usual_ms: Option<u32>,
    /// A bit for each of the latest attempts, the latest lowest: whether it was slow.
    slow: u16,
    seen: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: START, untried: true, round: 0, usual_ms: None, slow: 0, seen: 0 }
    }
}

impl Window {
    /// Deliveries out at once.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The round in which a delivery goes out now.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// Whether its webhook's attempts have lately ended soon. Nobody knows that of one that was not sent to; one that ended soon
    /// is enough, since whoever is given a place as quick and does not end soon loses it to the slow.
    pub fn is_quick(&self) -> bool {
        self.seen > 0 && self.slow.count_ones() * SLOW_SHARE <= self.seen
    }

    /// The endpoint is in trouble: one goes out after its pause.
    pub fn close(&mut self) {
        self.shrink_to(1);
    }

    /// A hold is over: it begins small.
    pub fn begin_again(&mut self) {
        self.size = START;
    }

    /// An attempt took longer than soon, and has not ended yet.
    pub fn drags_on(&mut self) {
        self.note_pace(true);
    }

    /// An attempt that went out in `round` has ended; with it `out` were out, of at most `max`.
    pub fn note(&mut self, strain: Strain, took_ms: u32, round: u64, out: usize, max: usize) {
        // One that dragged on was noted then.
        if u64::from(took_ms) <= SOON_MS {
            self.note_pace(false);
        }
        match strain {
            Strain::Well => self.note_success(took_ms, out, max),
            Strain::Down | Strain::Until(_) if round == self.round => {
                self.shrink_to(self.size.min(max) / 2);
                self.round += 1;
            }
            Strain::Down | Strain::Until(_) | Strain::Neutral => {}
        }
    }

    fn note_success(&mut self, took_ms: u32, out: usize, max: usize) {
        let usual = self.usual_ms.unwrap_or(took_ms);
        let is_slower = u64::from(took_ms) > SOON_MS.max(2 * u64::from(usual));
        self.usual_ms = Some(usual - usual / 8 + took_ms / 8);
        if is_slower {
            self.shrink_to(self.size - 1);
        } else if out * USED >= self.size {
            // What nobody uses says nothing about how many the endpoint takes. Some slack is for failures that come together.
            let more = if self.untried { GROWTH_AT_FIRST } else { 1 };
            self.size = (self.size + more).min(max.max(1));
        }
    }

    fn shrink_to(&mut self, size: usize) {
        (self.size, self.untried) = (size.max(1), false);
    }

    fn note_pace(&mut self, slow: bool) {
        self.slow = self.slow << 1 | u16::from(slow);
        self.seen = (self.seen + 1).min(LOOKED_BACK);
    }
}

#[cfg(test)]
impl Window {
    /// One that has grown to this size.
    pub fn of(size: usize) -> Self {
        Self { size, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 64;

    /// As many as may be out, of which each ends so.
    fn rounds(window: &mut Window, strain: Strain, took_ms: u32, count: usize) {
        for _ in 0..count {
            for out in (1..=window.size()).rev() {
                window.note(strain, took_ms, window.round(), out, MAX);
            }
        }
    }

    #[test]
    fn it_grows_with_successes_that_use_it_up_to_what_is_allowed() {
        let mut window = Window::default();
        rounds(&mut window, Strain::Well, 20, 12);
        assert_eq!(window.size(), MAX);
        let mut idle = Window::default();
        (0..100).for_each(|_| idle.note(Strain::Well, 20, 0, 1, MAX));
        assert_eq!(idle.size(), START + GROWTH_AT_FIRST, "one at a time shows nothing of more");
        (0..100).for_each(|_| idle.note(Strain::Well, 20, 0, 2, MAX));
        assert_eq!(idle.size(), START + 2 * GROWTH_AT_FIRST);
    }

    #[test]
    fn one_that_was_never_strained_grows_sooner() {
        let grown = |window: &mut Window| {
            window.note(Strain::Well, 20, window.round(), window.size(), MAX);
            window.size()
        };
        let mut window = Window::default();
        assert_eq!(grown(&mut window), START + GROWTH_AT_FIRST);
        window.note(Strain::Down, 20, window.round(), 1, MAX);
        assert_eq!(window.size(), (START + GROWTH_AT_FIRST) / 2);
        assert_eq!(grown(&mut window), (START + GROWTH_AT_FIRST) / 2 + 1);
        let mut closed = Window::default();
        closed.close();
        assert_eq!(grown(&mut closed), 2);
    }

    #[test]
    fn an_endpoint_that_always_takes_long_gets_as_many_and_one_that_becomes_slower_gets_fewer() {
        let mut window = Window::default();
        rounds(&mut window, Strain::Well, 5_000, 12);
        assert_eq!(window.size(), MAX);
        (0..5).for_each(|_| window.note(Strain::Well, 40_000, 0, window.size(), MAX));
        assert_eq!(window.size(), MAX - 5);
        rounds(&mut window, Strain::Well, 40_000, 2);
        assert_eq!(window.size(), MAX, "until that is usual");
        let mut soon = Window::default();
        rounds(&mut soon, Strain::Well, 10, 12);
        rounds(&mut soon, Strain::Well, 900, 1);
        assert_eq!(soon.size(), MAX, "what ends soon is never too slow");
    }

    #[test]
    fn a_strain_halves_it_once_for_what_was_out_together() {
        let mut window = Window::default();
        rounds(&mut window, Strain::Well, 20, 12);
        let round = window.round();
        [Strain::Down, Strain::Until(5), Strain::Down]
            .into_iter()
            .for_each(|strain| window.note(strain, 20, round, 9, MAX));
        assert_eq!(window.size(), MAX / 2);
        for _ in 0..10 {
            window.note(Strain::Down, 20, window.round(), 1, MAX);
        }
        assert_eq!(window.size(), 1);
        window.note(Strain::Neutral, 20, window.round(), 1, MAX);
        assert_eq!(window.size(), 1);
        window.note(Strain::Well, 20, 0, 1, MAX);
        assert_eq!(window.size(), 2);
    }

    #[test]
    fn quick_is_whose_latest_attempts_ended_soon_whatever_came_of_them() {
        let mut window = Window::default();
        let quick = |window: &mut Window| {
            window.note(Strain::Neutral, SOON_MS as u32, 0, 1, MAX);
            window.is_quick()
        };
        assert!(!window.is_quick(), "nothing is known yet");
        assert!(quick(&mut window), "one that ended soon is enough");
        let slow = |window: &mut Window| {
            window.drags_on();
            window.note(Strain::Well, 3_000, 0, 1, MAX);
            window.is_quick()
        };
        assert!(!slow(&mut window), "one of two is too many");
        assert_eq!((1..).find(|_| quick(&mut window)), Some(6), "one of eight is not");
        assert!((0..LOOKED_BACK).all(|_| quick(&mut window)));
        assert_eq!([slow(&mut window), slow(&mut window), slow(&mut window)], [true, true, false]);
        let again = (1..).find(|_| quick(&mut window));
        assert_eq!(again, Some(14), "when a slow one is out of sight");
    }
}
