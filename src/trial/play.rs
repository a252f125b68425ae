//! A product that a receiver can be written against: which events it sends, when, and what goes wrong with them on their way. What
//! stays true: all of it follows from the contract, the dice and the time that is told; and what is sent is made as cases are.

use std::collections::VecDeque;

use super::subject::Subject;
use super::vary::varied;
use crate::clock::Dice;
use crate::domain::event::Event;
use crate::domain::id::{EventId, IdSource};
use crate::domain::probe::Probe;
use crate::domain::rate_limit::{Bucket, RateLimit};
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;

/// Between two events that happen at times of their own.
const APART_MS: u64 = 1000;
/// Deliveries that may wait for their next attempt; of more, the failed ones are given up.
const WAITING_MAX: usize = 10_000;

/// How often something goes wrong, each from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Odds {
    /// A delivery comes once more, as if its answer had been lost.
    pub duplicates: f64,
    /// An event comes behind the one that happened after it.
    pub late: f64,
    /// A delivery is signed by somebody else.
    pub forged: f64,
}

/// What is special about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// Nothing.
    None,
    /// It was there before.
    Duplicate,
    /// An event that happened later was there before.
    Late,
    /// It is signed by somebody else, so it must be refused.
    Forged,
}

/// An attempt to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// What is delivered.
    pub event: Event,
    /// What is special about it.
    pub trick: Trick,
    /// From 1.
    pub attempt: u16,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// This is sent now.
    Send(Box<Play>),
    /// Nothing before then.
    Wait(UnixMs),
    /// That was all.
    End,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// It was taken.
    Taken,
    /// It comes again then.
    Again(UnixMs),
    /// It was not taken, and does not come again.
    NotTaken,
    /// It was forged and refused, as it should be.
    Refused,
    /// It was forged and taken all the same.
    Fooled,
}

/// How it is played.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What goes wrong.
    pub odds: Odds,
    /// First attempts: so many, one at a time.
    pub rate: RateLimit,
    /// So many times as fast as the contract says, failed ones come again; none: never.
    pub retry_speed: Option<u32>,
    /// Events in all; none: without an end.
    pub count: Option<u64>,
    /// When the first event happened, the others a second apart; none: when they are sent.
    pub starts: Option<UnixMs>,
}

/// Plays a product: [`Player::next`] says what to do, and [`Player::ended`] is told what came of it.
#[derive(Debug)]
pub struct Player<'s> {
    subject: &'s Subject,
    rules: Rules,
    dice: Dice,
    /// Of its own: when attempts end is no matter of what is played.
    jitter: Dice,
    ids: IdSource,
    made: u64,
    pace: Bucket,
    /// What goes out before there is another event.
    queue: VecDeque<Play>,
    /// What comes again, and when.
    again: Vec<(UnixMs, Play)>,
}

impl<'s> Player<'s> {
    /// One that has sent nothing yet.
    pub fn new(subject: &'s Subject, rules: Rules, mut dice: Dice) -> Self {
        let (ids, pace, jitter) = (IdSource::after(0), Bucket::default(), Dice::seeded(dice.bits()));
        Self { subject, rules, dice, jitter, ids, made: 0, pace, queue: VecDeque::new(), again: Vec::new() }
    }

    /// What is to be done at `now`, which never goes back. What comes again goes first, and beside the rate.
    pub fn next(&mut self, now: UnixMs) -> Move {
        let first = self.again.iter().enumerate().min_by_key(|(_, (due, _))| *due).map(|(at, (due, _))| (at, *due));
        if let Some((at, due)) = first
            && due <= now
        {
            return Move::Send(Box::new(self.again.swap_remove(at).1));
        }
        let due = first.map(|(_, due)| due);
        if self.queue.is_empty() && self.is_all_made() {
            return due.map_or(Move::End, Move::Wait);
        }
        match self.pace.take(self.rules.rate, now) {
            Err(free) => Move::Wait(due.map_or(free, |due| due.min(free))),
            Ok(()) => Move::Send(Box::new(self.first_attempt(now))),
        }
    }

    /// The request of an attempt that is made at `now`, by the clock on the wall.
    pub fn request(&self, play: &Play, now: UnixMs) -> Probe {
        self.subject.played(play.event.clone(), play.attempt, now, play.trick == Trick::Forged)
    }

    /// What came of an attempt that ended at `now` with this status; none: without an answer.
    pub fn ended(&mut self, play: Play, status: Option<u16>, now: UnixMs) -> Score {
        let dialect = &self.subject.dialect;
        let is_taken = status.is_some_and(|status| dialect.success.accepts(status));
        if play.trick == Trick::Forged {
            return if is_taken { Score::Fooled } else { Score::Refused };
        }
        let next = dialect.retry.after(play.attempt, is_taken, now, self.jitter.fraction());
        match (next, self.rules.retry_speed) {
            (Next::Succeeded, _) => Score::Taken,
            (Next::RetryAt(due), Some(speed)) if self.again.len() < WAITING_MAX => {
                let due = now + (due - now) / u64::from(speed.max(1));
                self.again.push((due, Play { attempt: play.attempt + 1, ..play }));
                Score::Again(due)
            }
            _ => Score::NotTaken,
        }
    }

    fn is_all_made(&self) -> bool {
        self.rules.count.is_some_and(|count| self.made >= count)
    }

    /// What waits; else a new event, with what goes wrong with it.
    fn first_attempt(&mut self, now: UnixMs) -> Play {
        if let Some(play) = self.queue.pop_front() {
            return play;
        }
        let Odds { duplicates, late, forged } = self.rules.odds;
        let play = Play { event: self.make(now), trick: Trick::None, attempt: 1 };
        let [is_forged, is_late, is_doubled] = [forged, late, duplicates].map(|odds| self.dice.fraction() < odds);
        if is_forged {
            return Play { trick: Trick::Forged, ..play };
        }
        if is_late && !self.is_all_made() {
            self.queue.push_back(Play { trick: Trick::Late, ..play });
            return Play { event: self.make(now), trick: Trick::None, attempt: 1 };
        }
        if is_doubled {
            self.queue.push_back(Play { trick: Trick::Duplicate, attempt: 2, ..play.clone() });
        }
        play
    }

    /// The next documented event: each type in its turn.
    fn make(&mut self, now: UnixMs) -> Event {
        let at = self.rules.starts.map_or(now, |starts| starts + self.made * APART_MS);
        let chosen = (self.made % self.subject.events.len() as u64) as usize;
        let event = self.subject.event_of(EventId(self.ids.next(at, 0, || self.dice.bits())), chosen);
        let data = varied(&String::from_utf8_lossy(&event.data), at, &mut self.dice);
        self.made += 1;
        Event { created_at: at, data: data.into(), ..event }
    }
}
