//! What a bulk call selects: which rows come into question, and whether one of them is asked for. The steps of a job, the
//! count of a dry run and the list of dead letters all ask here, so they cannot disagree.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use super::asking::{self, CONDITION_STEPS_MAX};
use super::error::StoreError;
use super::event_rows::{self, EventHead, Get};
use super::handle::Store;
use super::layout::{self, OPEN, Tree};
use super::parsed::Parsed;
use super::rows;
use super::trees::Trees;
use crate::domain::condition::{Steps, TooCostly};
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookId, WebhookNumber};
use crate::domain::job::{Bulk, JobKind, Source};
use crate::domain::webhook::Webhook;

/// Rows that the count of a dry run looks at.
pub const COUNT_ROWS_EXAMINED_MAX: u64 = 1_000_000;
/// Steps that it spends on reading events and asking conditions of them: about a second.
const COUNT_STEPS_MAX: u64 = 1 << 27;
/// Rows that a glance looks at: what can be told while somebody waits for a page.
const GLANCE_ROWS_EXAMINED_MAX: u64 = 2_000;
/// Steps that it spends: some tens of milliseconds.
const GLANCE_STEPS_MAX: u64 = 1 << 22;
/// Rows that it reads at once.
const COUNT_ROWS_AT_ONCE: usize = 1_000;

/// What a dry run found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// What would be done.
    pub count: u64,
    /// What is asked for and could not be done.
    pub skipped: u64,
    /// Rows that were looked at.
    pub examined: u64,
    /// Whether those were all: else there may be more.
    pub complete: bool,
}

/// What was found at a row.
pub(super) enum Found {
    /// It is not asked for.
    Nothing,
    /// It is asked for, and cannot be done.
    Unable,
    /// A delivery to be replayed or discarded.
    Delivery(Box<Delivery>),
    /// An event to be deleted or purged.
    Event(EventId),
    /// An event that the webhook never got.
    Missed(EventId),
    /// The same, and asking the webhook's filter takes longer than it may.
    TooCostly(EventId),
    /// A webhook to be deleted.
    Webhook(WebhookId),
    /// A webhook that wants the event now; whether asking its filter takes longer than it may.
    Hearer(WebhookNumber, bool),
    /// That is not known yet.
    Later,
}

/// Whether an event is there that a webhook's condition holds for.
pub(super) enum Held {
    Yes,
    No,
    /// To tell takes longer than it may.
    TooCostly,
    /// It is being asked.
    Later,
}

impl From<Result<bool, TooCostly>> for Held {
    fn from(answer: Result<bool, TooCostly>) -> Self {
        match answer {
            Ok(true) => Self::Yes,
            Ok(false) => Self::No,
            Err(TooCostly) => Self::TooCostly,
        }
    }
}

/// The ids of so many webhooks of the account in a window, ascending.
pub(super) type WebhookIds<'a> = &'a dyn Fn(AccountNumber, Range<u128>, usize) -> Vec<u128>;

/// Up to `limit` ids of a part in `window` that come into question, ascending. Open deliveries come in parts, one a tree:
/// those behind another first, so that ending that one sets none of them free; a delivery moves forward only, so none is
/// left out.
pub(super) fn ids(
    (trees, webhooks): (&Trees, WebhookIds<'_>),
    bulk: &Bulk,
    part: u8,
    window: Range<u128>,
    limit: usize,
) -> Result<Vec<u128>, StoreError> {
    let rows = |tree, number: u32| -> Result<Vec<u128>, StoreError> {
        if window.is_empty() {
            return Ok(Vec::new());
        }
        let range = layout::numbered(number, window.start)..layout::numbered(number, window.end);
        trees.first(tree, range, limit).keys().take(limit).map(|key| Ok(layout::read_id(&key?))).collect()
    };
    match &bulk.source {
        Source::DeadLetters { .. } => rows(Tree::Dead, bulk.account),
        Source::TheseDeadLetters(ids) => {
            Ok(ids.iter().map(|id| id.0).filter(|id| window.contains(id)).take(limit).collect())
        }
        Source::Ended { webhook, .. } => rows(Tree::Closed, *webhook),
        Source::TheseEvents(ids) => {
            Ok(ids.iter().map(|id| id.0).filter(|id| window.contains(id)).take(limit).collect())
        }
        Source::TheseWebhooks(ids) => {
            Ok(ids.iter().map(|id| id.0).filter(|id| window.contains(id)).take(limit).collect())
        }
        Source::Webhooks(_) | Source::Audience { .. } => Ok(webhooks(bulk.account, window, limit)),
        Source::Missing { .. } | Source::Events => rows(Tree::Events, bulk.account),
        // They have steps of their own.
        Source::Account { .. } | Source::Accounts(_) => Ok(Vec::new()),
        Source::Open { webhook } => OPEN.get(usize::from(part)).map_or(Ok(Vec::new()), |tree| rows(*tree, *webhook)),
    }
}

/// The store as it was committed, or with what a group has staged.
pub(super) struct View<'a> {
    /// Where ranges are read: nothing that a group stages belongs to what its jobs look at.
    pub trees: &'a Trees,
    /// Reads a key.
    pub get: Get<'a>,
    /// The webhook of this number, also if it was deleted.
    pub webhook: &'a dyn Fn(WebhookNumber) -> Option<Arc<Webhook>>,
    /// Whether that webhook's condition holds for an event of the account.
    pub holds: &'a dyn Fn(AccountNumber, WebhookNumber, EventId) -> Result<Held, StoreError>,
}

impl View<'_> {
    /// What is at one of [`ids`].
    pub fn look(&self, bulk: &Bulk, id: u128) -> Result<Found, StoreError> {
        let delivery = DeliveryId(id);
        match &bulk.source {
            Source::DeadLetters { webhook: Some(webhook) } if delivery.webhook() != *webhook => Ok(Found::Nothing),
            Source::DeadLetters { .. } => self.dead_letter(bulk, delivery, Found::Nothing),
            // It was named: that somebody handled it meanwhile is worth a word.
            Source::TheseDeadLetters(_) => self.dead_letter(bulk, delivery, Found::Unable),
            Source::Ended { state, .. } => match self.delivery(delivery)? {
                Some(delivery) if delivery.state == *state => self.judge(bulk, delivery),
                _ => Ok(Found::Nothing),
            },
            Source::Open { .. } => match self.delivery(delivery)? {
                Some(delivery) if delivery.state.is_open() => self.judge(bulk, delivery),
                _ => Ok(Found::Nothing),
            },
            Source::Missing { webhook } => self.missing(bulk, EventId(id), *webhook),
            Source::Events => self.leaving(bulk, EventId(id)),
            Source::TheseEvents(_) => {
                let is_there = self.event(bulk.account, EventId(id))?.is_some();
                Ok(if is_there { Found::Event(EventId(id)) } else { Found::Unable })
            }
            Source::Webhooks(selection) => {
                let wants = |webhook: &Arc<Webhook>| selection.wants(webhook, webhook.shown_url());
                let webhook = self.webhook_of(bulk, WebhookId(id)).filter(wants);
                Ok(webhook.map_or(Found::Nothing, |webhook| Found::Webhook(webhook.id)))
            }
            Source::TheseWebhooks(_) => {
                Ok(self.webhook_of(bulk, WebhookId(id)).map_or(Found::Unable, |webhook| Found::Webhook(webhook.id)))
            }
            Source::Audience { event } => match self.event(bulk.account, *event)? {
                Some(event) => self.hearer(bulk, &event, WebhookId(id)),
                None => Ok(Found::Unable),
            },
            Source::Account { .. } | Source::Accounts(_) => Ok(Found::Nothing),
        }
    }

    /// One of the account's, unless it was deleted.
    fn webhook_of(&self, bulk: &Bulk, id: WebhookId) -> Option<Arc<Webhook>> {
        let webhook = (self.webhook)(id.number());
        webhook.filter(|webhook| webhook.id == id && webhook.account == bulk.account && !webhook.is_deleted())
    }

    /// Whether a webhook wants the event now. One for which it is still open gets no other: that one goes out anyway.
    pub fn hearer(&self, bulk: &Bulk, event: &EventHead, id: WebhookId) -> Result<Found, StoreError> {
        if event.purged_at.is_some() {
            return Ok(Found::Unable);
        }
        // A notice is told when it happens, and to no other later.
        let hears =
            |webhook: &Arc<Webhook>| !event.notice && webhook.hears_of(&event.event_type, &event.channels, event.test);
        let Some(webhook) = self.webhook_of(bulk, id).filter(hears) else { return Ok(Found::Nothing) };
        let number = webhook.number();
        let had = event.webhooks.binary_search(&number).is_ok();
        let first = if had { self.delivery(event.id.delivery_to(number))? } else { None };
        if first.is_some_and(|first| first.state.is_open()) || (!had && self.is_another_webhooks_test(event)?) {
            return Ok(Found::Nothing);
        }
        Ok(match (self.holds)(bulk.account, number, event.id)? {
            Held::Yes => Found::Hearer(number, false),
            Held::No => Found::Nothing,
            Held::TooCostly => Found::Hearer(number, true),
            Held::Later => Found::Later,
        })
    }

    /// Whether an event is asked for; what was purged need not be once more.
    fn leaving(&self, bulk: &Bulk, id: EventId) -> Result<Found, StoreError> {
        let event = self.event(bulk.account, id)?.filter(|event| bulk.asks_for(Some(&event.event_type)));
        let event = event.filter(|event| bulk.kind != JobKind::Purge || event.purged_at.is_none());
        Ok(event.map_or(Found::Nothing, |event| Found::Event(event.id)))
    }

    fn dead_letter(&self, bulk: &Bulk, id: DeliveryId, handled: Found) -> Result<Found, StoreError> {
        if (self.get)(Tree::Dead, &layout::dead(bulk.account, id))?.is_none() {
            return Ok(handled);
        }
        self.delivery(id)?.map_or(Ok(handled), |delivery| self.judge(bulk, delivery))
    }

    /// A delivery that is where it should be: whether its event is asked for, and there to be delivered again.
    fn judge(&self, bulk: &Bulk, delivery: Delivery) -> Result<Found, StoreError> {
        if bulk.kind == JobKind::Discard && bulk.event_type.is_none() {
            return Ok(Found::Delivery(Box::new(delivery)));
        }
        let event = self.event(bulk.account, delivery.event)?;
        if !bulk.asks_for(event.as_ref().map(|event| event.event_type.as_str())) {
            return Ok(Found::Nothing);
        }
        let has_webhook = || (self.webhook)(delivery.id.webhook()).is_some_and(|webhook| !webhook.is_deleted());
        let can_be_sent = event.is_some_and(|event| event.purged_at.is_none());
        let can_be_done = bulk.kind == JobKind::Discard || (can_be_sent && has_webhook());
        Ok(if can_be_done { Found::Delivery(Box::new(delivery)) } else { Found::Unable })
    }

    fn missing(&self, bulk: &Bulk, id: EventId, number: WebhookNumber) -> Result<Found, StoreError> {
        let Some(event) = self.event(bulk.account, id)? else { return Ok(Found::Nothing) };
        let hears = |webhook: &Webhook| webhook.hears_of(&event.event_type, &event.channels, event.test);
        // What only webhooks hear that ask for notices is told them when it happens, and to no other later.
        let wanted = event.purged_at.is_none()
            && !event.notice
            && bulk.asks_for(Some(&event.event_type))
            && (self.webhook)(number).is_some_and(|webhook| hears(&webhook));
        if !wanted || event.webhooks.contains(&number) || self.is_another_webhooks_test(&event)? {
            return Ok(Found::Nothing);
        }
        for key in self.trees.prefix(Tree::Replays, &id.to_bytes()).keys() {
            if layout::read_delivery(&key?).webhook() == number {
                return Ok(Found::Nothing);
            }
        }
        Ok(match (self.holds)(bulk.account, number, id)? {
            Held::Yes => Found::Missed(id),
            Held::No => Found::Nothing,
            Held::TooCostly => Found::TooCostly(id),
            Held::Later => Found::Later,
        })
    }

    /// What a `test` call made goes to its webhook alone; what was published as a test goes to all in test mode.
    fn is_another_webhooks_test(&self, event: &EventHead) -> Result<bool, StoreError> {
        let [only] = event.webhooks[..] else { return Ok(false) };
        let its = if event.test { self.delivery(event.id.delivery_to(only))? } else { None };
        // What a call made has none until it was sent; what was published has one from the start.
        Ok(event.test && its.is_none_or(|delivery| delivery.cause == Cause::Test))
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        rows::delivery_by(self.get, id)
    }

    fn event(&self, account: AccountNumber, id: EventId) -> Result<Option<EventHead>, StoreError> {
        let key = layout::event(account, id);
        let head = (self.get)(Tree::Events, &key)?;
        head.map(|head| event_rows::event_head(self.trees, &key, &head)).transpose()
    }
}

impl Store {
    /// Counts what `bulk` would do now, as far as [`COUNT_ROWS_EXAMINED_MAX`] rows tell, and what can be asked in about a second.
    pub fn count(&self, bulk: &Bulk) -> Result<Count, StoreError> {
        Ok(self.count_within(bulk, COUNT_ROWS_EXAMINED_MAX, COUNT_STEPS_MAX)?.0)
    }

    /// The same at a glance, in some tens of milliseconds: as far as some thousand rows tell.
    pub fn glance(&self, bulk: &Bulk) -> Result<Count, StoreError> {
        Ok(self.count_within(bulk, GLANCE_ROWS_EXAMINED_MAX, GLANCE_STEPS_MAX)?.0)
    }

    /// With the steps that it took.
    fn count_within(&self, bulk: &Bulk, rows_max: u64, steps_max: u64) -> Result<(Count, u64), StoreError> {
        let webhooks = |account, window, limit| self.registry().webhook_ids(account, window, limit);
        self.viewed(|trees, view| {
            // It is one for all rows, and long where it went to many.
            let event = match &bulk.source {
                Source::Audience { event } => view.event(bulk.account, *event)?,
                _ => None,
            };
            // And read once for all conditions.
            let whole = event.as_ref().map(|event| event_rows::event_by(view.get, bulk.account, event.id));
            let whole = trees.readable(whole.transpose())?.flatten().flatten();
            let steps = Cell::new(whole.as_ref().map_or(0, |whole| asking::reading(Parsed::of_stored(whole).bytes())));
            let parsed = RefCell::new(whole.as_ref().map(Parsed::of_stored));
            let holds = |account, number, id| {
                let condition = self.registry().condition(number).cloned();
                let Some(condition) = condition else { return Ok(Held::Yes) };
                let most = Steps::new(CONDITION_STEPS_MAX);
                let (answer, taken) = match &mut *parsed.borrow_mut() {
                    Some(event) => asking::holds_for(&condition, event, most),
                    None => match event_rows::event_by(view.get, account, id)? {
                        Some(event) => asking::holds(&condition, &event, most),
                        None => return Ok(Held::No),
                    },
                };
                steps.set(steps.get() + taken);
                Ok(answer.into())
            };
            let view = View { holds: &holds, ..*view };
            let look = |id| match &event {
                Some(event) => view.hearer(bulk, event, WebhookId(id)),
                None => view.look(bulk, id),
            };
            let (mut count, mut after, mut part) = (Count::default(), None, 0);
            loop {
                let window = bulk.window(after, u128::MAX);
                let ids = ids((trees, &webhooks), bulk, part, window, COUNT_ROWS_AT_ONCE)?;
                for id in &ids {
                    if count.examined == rows_max || steps.get() >= steps_max {
                        return Ok((count, steps.get()));
                    }
                    count.examined += 1;
                    match trees.readable(look(*id))?.unwrap_or(Found::Unable) {
                        Found::Nothing | Found::Later => {}
                        Found::Unable => count.skipped += 1,
                        Found::Delivery(_) | Found::Event(_) | Found::Missed(_) | Found::TooCostly(_) => {
                            count.count += 1
                        }
                        Found::Webhook(_) | Found::Hearer(..) => count.count += 1,
                    }
                }
                after = ids.last().copied();
                if ids.len() < COUNT_ROWS_AT_ONCE {
                    (after, part) = (None, part + 1);
                    if part == bulk.source.parts() {
                        return Ok((Count { complete: true, ..count }, steps.get()));
                    }
                }
            }
        })
    }

    /// What was committed. No lock is held between two rows.
    pub(super) fn viewed<T>(
        &self,
        see: impl FnOnce(&Trees, &View<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let webhook = |number| self.registry().webhook(number);
        self.look(|trees| {
            let get: Get<'_> = &|tree, key| trees.get(tree, key);
            let holds = |account, number, id| {
                let condition = self.registry().condition(number).cloned();
                let Some(condition) = condition else { return Ok(Held::Yes) };
                let Some(event) = event_rows::event_by(get, account, id)? else { return Ok(Held::No) };
                Ok(asking::holds(&condition, &event, Steps::new(CONDITION_STEPS_MAX)).0.into())
            };
            see(trees, &View { trees, get, webhook: &webhook, holds: &holds })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{Job, JobState};
    use crate::domain::retry::Next;
    use crate::domain::walk::Walk;
    use crate::domain::webhook::EventFilter;
    use crate::store::bench::{Bench, START, event, settlement};
    use crate::store::message::NewEvent;

    /// A store with webhook 1 and as many dead letters of it, and their events.
    fn with_dead(count: usize) -> (Bench, Vec<EventId>) {
        let mut bench = Bench::new();
        bench.webhook();
        let events = bench.now(move |staging| staging.accept(1, vec![event(); count], None));
        let events: Vec<EventId> = events.iter().map(|event| event.id).collect();
        events.iter().for_each(|event| bench.store.settle(settlement(event.delivery_to(1), 1, START, Next::Dead)));
        bench.rest();
        (bench, events)
    }

    fn all(kind: JobKind) -> Bulk {
        let source = Source::DeadLetters { webhook: None };
        Bulk { account: 1, kind, source, event_type: None, from: None, to: None }
    }

    fn run(bench: &mut Bench, bulk: Bulk) -> Job {
        let job = bench.now(|staging| staging.create_job(bulk));
        bench.store.job(1, job.id).unwrap().unwrap()
    }

    #[test]
    fn a_count_that_looked_at_enough_says_so() {
        let (bench, _) = with_dead(5);
        let count = |rows_max| bench.store.count_within(&all(JobKind::Replay), rows_max, u64::MAX).unwrap().0;
        assert_eq!(count(3), Count { count: 3, skipped: 0, examined: 3, complete: false });
        assert_eq!(count(5), Count { count: 5, skipped: 0, examined: 5, complete: true });
    }

    #[test]
    fn a_count_reads_an_event_once_for_all_webhooks_and_says_so_where_it_asked_enough() {
        let mut bench = Bench::new();
        let long = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(400_000));
        let reading = asking::reading(long.len());
        let event = bench.publish_as(NewEvent { data: long.into(), ..event() });
        for n in 0..40 {
            bench.webhook_with(|webhook| webhook.condition = Some(format!("@.data.a == {}", n % 2)));
        }
        let bulk = Bulk { source: Source::Audience { event }, ..all(JobKind::Replay) };
        let (count, steps) = bench.store.count_within(&bulk, u64::MAX, u64::MAX).unwrap();
        assert_eq!(count, Count { count: 20, skipped: 0, examined: 40, complete: true });
        assert!((reading..2 * reading).contains(&steps), "{steps} steps, of which {reading} to read it once");
        let (count, _) = bench.store.count_within(&bulk, u64::MAX, reading + 1).unwrap();
        assert_eq!((count.examined, count.complete), (1, false));
    }

    #[test]
    fn a_count_goes_on_after_what_it_reads_at_once() {
        let (bench, _) = with_dead(COUNT_ROWS_AT_ONCE + 1);
        let count = bench.store.count(&all(JobKind::Replay)).unwrap();
        assert_eq!((count.count, count.complete), (COUNT_ROWS_AT_ONCE as u64 + 1, true));
    }

    #[test]
    fn an_event_that_is_no_longer_kept_is_skipped_and_can_be_discarded() {
        let (mut bench, events) = with_dead(3);
        let gone = events[1];
        bench.now(move |staging| {
            staging.stage(Tree::Events, layout::event(1, gone), None);
            Ok(())
        });
        let count = Count { count: 2, skipped: 1, examined: 3, complete: true };
        assert_eq!(bench.store.count(&all(JobKind::Replay)).unwrap(), count);
        let typed = Bulk { event_type: Some(EventFilter::All), ..all(JobKind::Discard) };
        assert_eq!(bench.store.count(&typed).unwrap().count, 2, "nobody knows its type");
        let job = run(&mut bench, all(JobKind::Replay));
        assert_eq!((job.state, job.done, job.skipped), (JobState::Done, 2, 1));
        let counted = |bulk: &Bulk| bench.store.dead_letters_counted(bulk, Walk::newest(10)).unwrap().rows.len();
        let of_another = Bulk { source: Source::DeadLetters { webhook: Some(2) }, ..all(JobKind::Discard) };
        let [every, other] = [all(JobKind::Discard), of_another].map(|bulk| counted(&bulk));
        assert_eq!((every, other, counted(&typed)), (1, 0, 0), "what is counted is what is listed");
        let left = bench.store.dead_letters(&all(JobKind::Discard), Walk::newest(10)).unwrap().rows;
        assert_eq!(left.iter().map(|one| one.event).collect::<Vec<_>>(), [gone]);
        assert_eq!(run(&mut bench, all(JobKind::Discard)).done, 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_stops_no_job() {
        let (mut bench, events) = with_dead(3);
        let damaged = events[1].delivery_to(1);
        bench.now(move |staging| {
            staging.stage(Tree::Closed, layout::delivery(damaged), Some(vec![9]));
            Ok(())
        });
        let job = run(&mut bench, all(JobKind::Replay));
        assert_eq!((job.state, job.done, job.skipped), (JobState::Done, 2, 1));
    }
}
