//! What goes out: an attempt takes off when the engine hands it out, is answered by the mood of its endpoint, and lands. Some
//! come back unsent, and over some their sender panics.

use std::cmp::Reverse;
use std::sync::Arc;

use hookwheel::deliver::book::Unsent;
use hookwheel::deliver::schedule::Claim;
use hookwheel::deliver::verdict::{Made, asked_until};
use hookwheel::deliver::wheel::TICK_MS;
use hookwheel::dialect::Dialect;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::id::{DeliveryId, WebhookNumber};
use hookwheel::domain::time::UnixMs;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::consumers::LEASE;
use crate::spared::Said;
use crate::world::World;

/// The commit thread syncs outcomes after so long.
const SYNC_DELAY_MS: u64 = 50;
/// The longest pause that an endpoint here asks for.
pub const RETRY_AFTER_MAX: u64 = 30_000;

/// An endpoint behaves by its mood, which changes with the hours.
#[derive(Clone, Copy)]
pub enum Mood {
    Well,
    Flaky,
    Down,
    Hanging,
    Busy,
    Gone,
}

/// What is under way, and what becomes of it.
pub struct Flight {
    claim: Claim,
    took_off_at: UnixMs,
    fate: Fate,
}

impl Flight {
    /// What was handed out.
    pub fn into_claim(self) -> Claim {
        self.claim
    }
}

#[derive(Debug)]
enum Fate {
    Answered(Outcome),
    /// The endpoint asks for so long a pause, in one of two forms.
    Busy(u64, Form),
    Unsent,
    Untaken,
    BrokenOff,
    Panic,
}

#[derive(Debug)]
enum Form {
    Seconds,
    Date,
}

impl World {
    pub fn take_off(&mut self, claim: Claim, now: UnixMs) {
        let id = claim.delivery.id;
        let webhook = self.webhook(id.webhook());
        let out = self.oracle.spared[&id.webhook()].out.len();
        let is_probe = webhook.status.probe_at().is_some_and(|at| now >= at && out == 0);
        assert!(webhook.is_active() || is_probe, "nothing is sent to a webhook that is not active");
        self.learn_ends(self.oracle.before(id));
        self.oracle.check_order(id);
        let seen = self.oracle.seen.get_mut(&id).expect("nothing is sent that was not accepted");
        assert!(!seen.ended, "nothing is sent after its end");
        assert!(!seen.out, "a delivery is out once at a time");
        assert_eq!(claim.delivery.attempts, seen.recorded, "nothing goes out again whose attempt was recorded");
        assert!(now >= seen.not_before, "never early: {now} < {}", seen.not_before);
        let late = now - seen.not_before;
        let spared = self.oracle.spared.get_mut(&id.webhook()).unwrap();
        assert!(now >= spared.until || is_probe, "nothing is sent while the endpoint is spared");
        spared.out.insert(id);
        spared.check_window();
        if self.plan.roomy && seen.not_before > spared.crowded_at && !spared.ever {
            assert!(late <= 2 * TICK_MS, "{late} ms late");
            self.timely += 1;
        }
        (seen.out, seen.probe, seen.said) = (true, is_probe, None);
        let (fate, took) = self.fate(&claim);
        self.flight_number += 1;
        self.ends.push(Reverse((now + took, self.flight_number)));
        self.flights.insert(self.flight_number, Flight { claim, took_off_at: now, fate });
    }

    /// Senders are told to break off what is out of a webhook. It may be too late for that.
    pub fn break_off(&mut self, number: WebhookNumber) {
        if self.throw(4) == 0 {
            return;
        }
        for flight in self.flights.values_mut().filter(|flight| flight.claim.webhook.number() == number) {
            flight.fate = Fate::BrokenOff;
        }
    }

    /// What comes of it, and how long that takes.
    fn fate(&mut self, claim: &Claim) -> (Fate, u64) {
        // In steps, so that answers arrive together, as they do under load.
        let took = 25 * (1 + self.throw(8) as u64);
        if self.plan.has_trouble {
            match self.throw(40) {
                0 | 1 => return (Fate::Unsent, took),
                2 => return (Fate::Panic, took),
                _ => {}
            }
        }
        if self.has_database_ended && self.core.store.event(1, claim.delivery.event).is_err() {
            return (Fate::Unsent, took);
        }
        if !self.has_event(claim) {
            return (Fate::Answered(Outcome::Unsendable("its event cannot be read".into())), took);
        }
        let webhook = claim.webhook.number();
        if claim.webhook.is_pulled() {
            return match self.consumed(webhook) {
                Some(Outcome::LeaseRanOut) => (Fate::Answered(Outcome::LeaseRanOut), LEASE.as_millis() as u64),
                Some(outcome) => (Fate::Answered(outcome), took),
                None => (Fate::Untaken, took),
            };
        }
        let outcome = match (self.moods[&webhook], self.throw(4)) {
            (Mood::Well, _) | (Mood::Flaky, 0 | 1) => Outcome::Status(200),
            (Mood::Flaky, 2) => Outcome::Status(500),
            (Mood::Flaky, _) => Outcome::Broken("reset".into()),
            (Mood::Down, _) => Outcome::Connect("refused".into()),
            (Mood::Hanging, _) => return (Fate::Answered(Outcome::TimedOut), self.timeout(claim)),
            (Mood::Busy, 0) => Outcome::Status(200),
            (Mood::Busy, 1) => Outcome::Status(503),
            (Mood::Busy, _) => {
                let form = if self.throw(2) == 0 { Form::Seconds } else { Form::Date };
                return (Fate::Busy(self.dice.bits() % RETRY_AFTER_MAX / 1000, form), took);
            }
            (Mood::Gone, _) => Outcome::Status(410),
        };
        (Fate::Answered(outcome), took)
    }

    /// A sender reads the event first.
    fn has_event(&self, claim: &Claim) -> bool {
        let (event, id) = (self.core.store.event(1, claim.delivery.event), claim.delivery.event);
        let is_there = matches!(event, Ok(Some(_)));
        assert!(is_there || self.damaged.events.contains(&id), "the event of an open delivery is there: {event:?}");
        is_there
    }

    fn dialect(&self, claim: &Claim) -> Arc<Dialect> {
        self.dialects.now().get(&claim.webhook.dialect).unwrap().clone()
    }

    fn timeout(&self, claim: &Claim) -> u64 {
        u64::from(self.dialect(claim).timeout_seconds) * 1000
    }

    pub fn land_flights(&mut self) {
        while let Some(Reverse((at, number))) = self.ends.peek().copied()
            && at <= self.clock.now()
        {
            self.ends.pop();
            let flight = self.flights.remove(&number).unwrap();
            self.land(flight);
        }
        self.commit();
        self.sync_at = (!self.is_synced()).then_some(self.clock.now() + SYNC_DELAY_MS);
        self.cut_power_if_due();
    }

    fn land(&mut self, Flight { claim, took_off_at, fate }: Flight) {
        let id = claim.delivery.id;
        let (outcome, said, retry_after) = match fate {
            Fate::Unsent | Fate::Untaken | Fate::BrokenOff => {
                self.oracle.handed_back(id);
                let unsent = match fate {
                    Fate::Untaken => Unsent::Untaken,
                    Fate::BrokenOff => Unsent::BrokenOff,
                    _ => Unsent::Ours("no descriptor is left".into()),
                };
                return self.core.enter(&claim, Some(Err(unsent)));
            }
            Fate::Panic => {
                self.is_landing(id, Said::Nothing);
                return self.core.enter(&claim, None);
            }
            Fate::Answered(outcome) => (outcome.clone(), said(&outcome), None),
            Fate::Busy(seconds, form) => {
                let (text, wait) = self.retry_after(seconds, form);
                let said = if wait == 0 { Said::No } else { Said::Later(self.clock.now() + wait) };
                (Outcome::Status(429), said, asked_until(&text, self.clock.now(), self.clock.wall()))
            }
        };
        self.is_landing(id, said);
        let duration_ms = (self.clock.now() - took_off_at) as u32;
        let number = claim.delivery.attempts + 1;
        let summary = AttemptSummary { number, started_at: took_off_at, duration_ms, outcome };
        let (request_headers, response_body) = Default::default();
        let attempt = Attempt {
            summary,
            url: String::new(),
            request_headers,
            response_body,
            resent: false,
            trace: Default::default(),
        };
        let dialect = self.dialect(&claim);
        self.core.enter(&claim, Some(Ok((Made { attempt, retry_after, named: None, by: None }, dialect))));
    }

    /// A `Retry-After`, and how long a pause it asks for. A date is of the wall clock and has no parts of a second.
    fn retry_after(&self, seconds: u64, form: Form) -> (String, u64) {
        let wall = self.clock.wall();
        match form {
            Form::Seconds => (seconds.to_string(), seconds * 1000),
            Form::Date => {
                let at = (wall / 1000 + seconds) * 1000;
                let date = Timestamp::from_millisecond(at as i64).unwrap();
                (DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap(), at.saturating_sub(wall))
            }
        }
    }

    /// What is not kept any more says nothing, and what was cancelled decides nothing.
    fn is_landing(&mut self, id: DeliveryId, said: Said) {
        let stored = self.stored(id);
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        seen.probe &= stored.as_ref().is_some_and(|delivery| delivery.state.is_open());
        seen.said = Some(if stored.is_some() { said } else { Said::Nothing });
    }
}

/// What an answer of an endpoint here says of it.
fn said(outcome: &Outcome) -> Said {
    match outcome {
        Outcome::Status(200) | Outcome::Acked => Said::Yes,
        Outcome::Nacked(_) | Outcome::LeaseRanOut => Said::Nothing,
        Outcome::Status(503) | Outcome::Connect(_) | Outcome::TimedOut => Said::No,
        Outcome::Status(500 | 410) | Outcome::Broken(_) | Outcome::Unsendable(_) => Said::Nothing,
        other => panic!("no endpoint here answers {other:?}"),
    }
}
