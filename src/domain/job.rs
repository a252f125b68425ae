//! Bulk jobs: replaying or discarding many deliveries, deleting or purging many events, deleting webhooks or an account,
//! delivering an event to all who want it, or to many accounts; in small steps. What stays true: a job looks at each row of its
//! window once, in ascending order of their ids (open deliveries: in each of three parts), and its window ends at its own
//! id, so what is made after it (its own replays too) is no part of it, and it ends.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::delivery::DeliveryState;
use super::id::{AccountNumber, DeliveryId, EventId, JobId, WebhookId, WebhookNumber, first_id_at};
use super::selection::WebhookSelection;
use super::time::{DAY_MS, UnixMs};
use super::webhook::EventFilter;
use super::words::words;

/// Jobs of one account that may run at once.
pub const RUNNING_JOBS_MAX: usize = 100;
/// Dead letters, events or webhooks that one call may name by their ids.
pub const IDS_MAX: usize = 1000;
/// How long a job is kept after its end.
pub const KEPT_MS: u64 = 30 * DAY_MS;

/// What a bulk call does with what it selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// Delivers again, as new deliveries.
    Replay,
    /// Ends open deliveries; takes dead letters off the list.
    Discard,
    /// Removes events with all that belongs to them, webhooks, or an account.
    Delete,
    /// Takes the payload off events; what became of them stays.
    Purge,
    /// Publishes one event to many accounts.
    Broadcast,
}

words!(JobKind {
    Self::Replay => "replay",
    Self::Discard => "discard",
    Self::Delete => "delete",
    Self::Purge => "purge",
    Self::Broadcast => "broadcast",
});

/// Where a bulk call looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Dead letters that nobody has handled: the account's, or those of one webhook.
    DeadLetters {
        /// Only those of this one.
        webhook: Option<WebhookNumber>,
    },
    /// Of them these, ascending, at most [`IDS_MAX`]; what was looked at is taken out.
    TheseDeadLetters(Vec<DeliveryId>),
    /// Deliveries of a webhook that ended so.
    Ended {
        /// Whose.
        webhook: WebhookNumber,
        /// How they ended.
        state: DeliveryState,
    },
    /// Open deliveries of a webhook.
    Open {
        /// Whose.
        webhook: WebhookNumber,
    },
    /// Events that a webhook wants now and that have no delivery to it.
    Missing {
        /// Whose.
        webhook: WebhookNumber,
    },
    /// The account's events.
    Events,
    /// Of them these, ascending, at most [`IDS_MAX`]; what was looked at is taken out.
    TheseEvents(Vec<EventId>),
    /// All that there is of an account: another one than the job's own.
    Account {
        /// Its number.
        number: AccountNumber,
        /// Its id, to be shown once nothing else is left of it.
        id: String,
    },
    /// The account's webhooks: those that are selected.
    Webhooks(Box<WebhookSelection>),
    /// Of them these, ascending, at most [`IDS_MAX`]; what was looked at is taken out.
    TheseWebhooks(Vec<WebhookId>),
    /// The account's webhooks that want this event now.
    Audience {
        /// Which.
        event: EventId,
    },
    /// Accounts, to each of which an event is published.
    Accounts(Box<Broadcast>),
}

/// An event for many accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broadcast {
    /// The account that keeps the event from which each account gets its own; it gets none.
    pub home: AccountNumber,
    /// That event.
    pub event: EventId,
    /// The producer's own id of each account's event.
    pub name: Option<String>,
    /// A hash of what makes an event the same, where there is a `name`.
    pub fingerprint: Option<[u8; 32]>,
    /// Only accounts with this tag.
    pub tag: Option<String>,
    /// How many accounts there were when it was asked for.
    pub accounts: u64,
}

/// In how many parts an account goes.
pub const ACCOUNT_PARTS: u8 = 4;

words!(Source {
    Self::DeadLetters { .. } | Self::TheseDeadLetters(_) => "dead_letters",
    Self::Ended { state: DeliveryState::Succeeded, .. } => "succeeded",
    Self::Ended { state: DeliveryState::Cancelled, .. } => "cancelled",
    // Of what has ended, nothing else is left.
    Self::Ended { .. } => "dead",
    Self::Open { .. } => "open",
    Self::Missing { .. } => "missing",
    Self::Events | Self::TheseEvents(_) => "events",
    Self::Account { .. } => "account",
    Self::Webhooks(_) | Self::TheseWebhooks(_) => "webhooks",
    Self::Audience { .. } => "event",
    Self::Accounts(_) => "accounts",
});

impl Source {
    /// In how many parts its rows come, one after the other.
    pub fn parts(&self) -> u8 {
        match self {
            Self::Open { .. } => 3,
            Self::Account { .. } => ACCOUNT_PARTS,
            _ => 1,
        }
    }

    /// The one webhook that it looks at, if it is one.
    pub fn webhook(&self) -> Option<WebhookNumber> {
        match self {
            Self::DeadLetters { webhook } => *webhook,
            Self::Ended { webhook, .. } | Self::Open { webhook } | Self::Missing { webhook } => Some(*webhook),
            Self::TheseDeadLetters(_) | Self::Events | Self::TheseEvents(_) | Self::Account { .. } => None,
            Self::Webhooks(_) | Self::TheseWebhooks(_) | Self::Audience { .. } | Self::Accounts(_) => None,
        }
    }
}

/// What a bulk call asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    /// Whose.
    pub account: AccountNumber,
    /// What to do.
    pub kind: JobKind,
    /// With what.
    pub source: Source,
    /// Only events of these types.
    pub event_type: Option<EventFilter>,
    /// Only what was made at this time or later (an event: accepted).
    pub from: Option<UnixMs>,
    /// Only what was made before.
    pub to: Option<UnixMs>,
}

impl Bulk {
    /// The ids that come into question, of those above `after` and below `end`. Empty where it starts at or after its
    /// end.
    pub fn window(&self, after: Option<u128>, end: u128) -> Range<u128> {
        let start = self.from.map_or(0, first_id_at).max(after.map_or(0, |after| after + 1));
        start..self.to.map_or(end, |to| first_id_at(to).min(end))
    }

    /// Whether events of this type are asked for; of an event that is gone nobody knows the type.
    pub fn asks_for(&self, event_type: Option<&str>) -> bool {
        self.event_type.as_ref().is_none_or(|filter| event_type.is_some_and(|known| filter.matches(known)))
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// It goes on.
    Running,
    /// It has looked at everything.
    Done,
    /// It was stopped before: by a person, or because its webhook was deleted, or the event that it broadcasts.
    Cancelled,
}

words!(JobState {
    Self::Running => "running",
    Self::Done => "done",
    Self::Cancelled => "cancelled",
});

/// What came of looking at one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It was not asked for.
    Passed,
    /// What the job does was done with it.
    Done,
    /// It was asked for, and could not be: its event is no longer kept, or its webhook was deleted.
    Skipped,
}

/// A bulk job, and how far it is. It grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Given by the commit thread; greater than the ids of all that the job covers.
    pub id: JobId,
    /// What it does.
    pub bulk: Bulk,
    /// Where it stands.
    pub state: JobState,
    /// Everything up to this id has been looked at, in this part.
    pub after: Option<u128>,
    /// Rows that were looked at.
    pub examined: u64,
    /// Deliveries that were replayed, made or discarded; events or webhooks that were deleted, events that were purged;
    /// accounts that got the event.
    pub done: u64,
    /// What was asked for and could not be done.
    pub skipped: u64,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// In which part of its source it is, from 0.
    pub part: u8,
    /// Of this event, which takes several steps, all up to that delivery is done.
    pub within: Option<(EventId, DeliveryId)>,
}

impl Job {
    /// A job that has not begun.
    pub fn new(id: JobId, bulk: Bulk, now: UnixMs) -> Self {
        let state = JobState::Running;
        Self {
            id,
            bulk,
            state,
            after: None,
            examined: 0,
            done: 0,
            skipped: 0,
            created_at: now,
            ended_at: None,
            part: 0,
            within: None,
        }
    }

    /// Up to which delivery this event is done, if it is the one that takes several steps.
    pub fn within(&self, event: EventId) -> Option<DeliveryId> {
        self.within.filter(|(within, _)| *within == event).map(|(_, delivery)| delivery)
    }

    /// The ids that it has still to look at.
    pub fn window(&self) -> Range<u128> {
        self.bulk.window(self.after, self.id.0)
    }

    /// Counts a row; rows come in ascending order.
    pub fn count(&mut self, id: u128, looked: Looked) {
        debug_assert!(self.after.is_none_or(|after| after < id), "a row is looked at once");
        (self.after, self.within) = (Some(id), None);
        self.examined += 1;
        self.done += u64::from(looked == Looked::Done);
        self.skipped += u64::from(looked == Looked::Skipped);
    }

    /// Counts what was named and is not there, so that it cannot be looked at.
    pub fn miss(&mut self, missing: u64) {
        self.examined += missing;
        self.skipped += missing;
    }

    /// Goes on to the next part of its source; says whether there is one.
    pub fn next_part(&mut self) -> bool {
        let is_last = self.part + 1 == self.bulk.source.parts();
        if !is_last {
            (self.part, self.after) = (self.part + 1, None);
        }
        !is_last
    }

    /// Takes out of its record what it need not look at again.
    pub fn forget_looked_at(&mut self) {
        let Some(after) = self.after else { return };
        match &mut self.bulk.source {
            Source::TheseDeadLetters(ids) => ids.retain(|id| id.0 > after),
            Source::TheseEvents(ids) => ids.retain(|id| id.0 > after),
            Source::TheseWebhooks(ids) => ids.retain(|id| id.0 > after),
            _ => {}
        }
    }

    /// How many ids it was given, where it was.
    pub fn ids(&self) -> Option<u64> {
        match &self.bulk.source {
            Source::TheseDeadLetters(left) => Some(self.examined + left.len() as u64),
            Source::TheseEvents(left) => Some(self.examined + left.len() as u64),
            Source::TheseWebhooks(left) => Some(self.examined + left.len() as u64),
            _ => None,
        }
    }

    /// Whether it goes on.
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running
    }

    /// Ends it.
    pub fn end(&mut self, state: JobState, now: UnixMs) {
        self.state = state;
        self.ended_at = Some(now);
    }

    /// Whether it ended long enough ago to be forgotten.
    pub fn is_old(&self, now: UnixMs) -> bool {
        self.ended_at.is_some_and(|at| now >= at + KEPT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(from: Option<UnixMs>, to: Option<UnixMs>) -> Bulk {
        let source = Source::DeadLetters { webhook: None };
        Bulk { account: 1, kind: JobKind::Replay, source, event_type: None, from, to }
    }

    #[test]
    fn a_window_is_what_is_left_between_the_bounds() {
        let at = first_id_at;
        let table = [
            (bulk(None, None), None, at(9), 0..at(9)),
            (bulk(Some(3), Some(5)), None, at(9), at(3)..at(5)),
            (bulk(Some(3), Some(15)), None, at(9), at(3)..at(9)),
            (bulk(Some(3), None), Some(at(4)), at(9), at(4) + 1..at(9)),
            (bulk(Some(3), None), Some(at(2)), at(9), at(3)..at(9)),
        ];
        for (bulk, after, end, window) in table {
            assert_eq!(bulk.window(after, end), window);
        }
        assert!(bulk(Some(9), Some(4)).window(None, at(20)).is_empty());
    }

    #[test]
    fn a_job_counts_and_forgets_what_it_has_looked_at() {
        let ids = [3, 5, 8].map(DeliveryId).to_vec();
        let mut job = Job::new(JobId(20), Bulk { source: Source::TheseDeadLetters(ids), ..bulk(None, None) }, 100);
        job.miss(1);
        job.count(3, Looked::Done);
        job.count(5, Looked::Skipped);
        job.forget_looked_at();
        assert_eq!(job.bulk.source, Source::TheseDeadLetters(vec![DeliveryId(8)]));
        assert_eq!((job.ids(), job.examined, job.done, job.skipped), (Some(4), 3, 1, 2));
        assert_eq!(job.window(), 6..20);
        job.end(JobState::Done, 200);
        assert!(!job.is_running() && !job.is_old(199 + KEPT_MS) && job.is_old(200 + KEPT_MS));
    }

    #[test]
    fn an_event_that_is_gone_has_no_type() {
        let all = bulk(None, None);
        let some = Bulk { event_type: Some(EventFilter::parse("task.*").unwrap()), ..all.clone() };
        assert!(all.asks_for(None) && all.asks_for(Some("a")));
        assert!(!some.asks_for(None) && !some.asks_for(Some("a")) && some.asks_for(Some("task.done")));
    }
}
