//! Deliveries whose event could not be read and was put aside. They can never go out: so those that are open are cancelled, in
//! words, as soon as the event is put aside. All of them go, with what is left of the event, once retention would have
//! taken it: nothing but the row in quarantine leads to them.

use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::time::{HOUR_MS, UnixMs};
use crate::store::duty::{Duty, keys_from};
use crate::store::error::StoreError;
use crate::store::event_rows;
use crate::store::layout::{self, Key, Tree};
use crate::store::settings::Retention;
use crate::store::staging::Staging;
use crate::store::trees::{Trees, Writes};

/// Webhooks whose delivery one step looks for.
const STEP_WEBHOOKS_MAX: usize = 64;
/// Between passes, if nothing is put aside.
const EVERY_MS: u64 = HOUR_MS;
/// Why they are cancelled.
const REASON: &str = "its event could not be read and was put aside";

/// The pass over the events in quarantine.
pub struct Eventless {
    retention: Retention,
    /// Where it goes on; `None` between passes.
    place: Option<Place>,
    /// When the next one begins.
    at: UnixMs,
}

/// At a row of quarantine, with a webhook.
#[derive(Default)]
struct Place {
    row: Key,
    webhook: WebhookNumber,
    /// Some of the event's deliveries were open: they are to be seen before they go.
    had_open: bool,
}

impl Place {
    /// The next row from there on.
    fn from(row: Key) -> Self {
        Self { row, ..Self::default() }
    }

    fn start() -> Self {
        Self::from(layout::quarantined(Tree::Events, &[]))
    }
}

impl Eventless {
    /// A pass that begins at once.
    pub fn new(retention: &Retention) -> Self {
        Self { retention: retention.clone(), place: None, at: 0 }
    }
}

impl Duty for Eventless {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        Some(if self.place.is_some() { 0 } else { self.at })
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let place = self.place.take().unwrap_or_else(Place::start);
        let end = layout::after_prefix(&Place::start().row);
        let (rows, _) = keys_from(staging, Tree::Quarantine, &place.row, &end, 1)?;
        let Some(row) = rows.into_iter().next() else {
            self.at = staging.now() + EVERY_MS;
            return Ok(());
        };
        let place = if place.row == row { place } else { Place::from(row) };
        self.place = Some(staging.end_eventless(place, &self.retention)?);
        Ok(())
    }

    /// An event that is put aside is looked at soon.
    fn see(&mut self, writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        let mut aside = writes.by_tree().get(Tree::Quarantine as usize).into_iter().flatten();
        let is_event = |row: &Key| layout::read_quarantined_of(Tree::Events, row).is_some();
        if aside.any(|(row, value)| value.is_some() && is_event(row)) {
            self.place = Some(Place::start());
        }
        Ok(())
    }
}

impl Staging<'_> {
    /// Ends some deliveries of the event whose row lies there; gives where to go on.
    fn end_eventless(&mut self, place: Place, retention: &Retention) -> Result<Place, StoreError> {
        let key = layout::read_quarantined_of(Tree::Events, &place.row).unwrap_or_default().to_vec();
        let (account, event) = (layout::read_number(&key), layout::read_event(&key));
        let age = retention.age(self.registry().account(account).map(AsRef::as_ref));
        let is_old = age.is_some_and(|ms| event.time() + ms <= self.keeping());
        let webhooks: Vec<WebhookNumber> = {
            let registry = self.registry();
            registry.webhooks_ever_of_from(account, place.webhook).take(STEP_WEBHOOKS_MAX).collect()
        };
        let is_last = webhooks.len() < STEP_WEBHOOKS_MAX;
        let mut ids: Vec<DeliveryId> = webhooks.iter().map(|number| event.delivery_to(*number)).collect();
        if is_last {
            ids.extend(self.replays_of(event)?);
        }
        let mut had_open = place.had_open;
        for id in ids {
            had_open |= self.end_one_eventless(account, id, is_old)?;
        }
        match webhooks.last() {
            Some(last) if !is_last => return Ok(Place { row: place.row, webhook: last + 1, had_open }),
            _ if is_old && !had_open => self.forget_aside(&key, event)?,
            _ => {}
        }
        Ok(Place::from(layout::just_after(&place.row)))
    }

    /// Cancels a delivery if it is open, which it says; forgets it if it has ended and is old.
    fn end_one_eventless(&mut self, account: AccountNumber, id: DeliveryId, is_old: bool) -> Result<bool, StoreError> {
        let delivery = self.delivery(id);
        let Some(delivery) = self.trees().readable(delivery)?.flatten() else { return Ok(false) };
        if delivery.state.is_open() {
            self.cancel(delivery, REASON)?;
            // Whoever has read it ahead reads again.
            self.notice.changed.push(id.webhook());
            return Ok(true);
        }
        if is_old {
            self.forget_delivery(account, &delivery)?;
        }
        Ok(false)
    }

    /// What is left of the event goes.
    fn forget_aside(&mut self, key: &[u8], event: EventId) -> Result<(), StoreError> {
        for replay in self.replays_of(event)? {
            self.stage(Tree::Replays, layout::replay(event, replay), None);
        }
        // What is left of its row may still tell of its body.
        let stored = self.trees().get(Tree::Quarantine, &layout::quarantined(Tree::Events, key)).ok().flatten();
        let head = stored.and_then(|stored| event_rows::event_head(self.trees(), key, &stored).ok());
        let body = head.and_then(|head| Some(layout::body(head.account, head.body?.id)));
        let own = [(Tree::Events, key), (Tree::Chunks, key)];
        let of_body = body.iter().flat_map(|key| [(Tree::Chunks, key.as_slice()), (Tree::Bodies, key)]);
        for (tree, key) in own.into_iter().chain(of_body) {
            for row in self.keys_that_begin(Tree::Quarantine, &layout::quarantined(tree, key))? {
                self.stage(Tree::Quarantine, row, None);
                self.trees().reports().count_forgotten(tree);
            }
        }
        Ok(())
    }
}
