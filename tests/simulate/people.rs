//! What people do: they make webhooks, publish, pause and enable, replay dead letters, and change their minds.

use hookwheel::domain::delivery::{Delivery, DeliveryState};
use hookwheel::domain::disable::{After, DisableRule};
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{EventId, WebhookId, WebhookNumber};
use hookwheel::domain::order::{KeyPath, OnDead, Order};
use hookwheel::domain::retry::RetrySchedule;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::webhook::{EventFilter, Mode, Status, Webhook};
use hookwheel::store::{Accepted, NewEvent, Refusal};

use crate::flights::Mood;
use crate::world::World;

const TYPES: [&str; 4] = ["task.created", "task.updated", "comment.created", "ping"];
const FILTERS: [&str; 5] = ["task.created", "task.*", "comment.created", "*", "nothing.at.all"];

impl World {
    pub fn some_webhook(&mut self, n: usize) -> Webhook {
        let dialect = if n.is_multiple_of(2) { "standard" } else { "taskflow" };
        let filter = match self.plan.narrow() {
            true => format!("kind{}.*", n / 2),
            false => FILTERS[self.throw(FILTERS.len())].to_string(),
        };
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let retry = RetrySchedule { delay_seconds: vec![1, 60, 3600], jitter_percent: 50 };
        let order = self.some_order();
        let mode = if self.throw(4) == 0 { Mode::Pull } else { Mode::Push };
        Webhook {
            mode,
            max_in_flight: Some(if self.plan.roomy { 100_000 } else { 1 + self.throw(3) as u32 }),
            // One that dies after days, with hundreds behind it, would take a run through years.
            retry: (order.is_some() || self.throw(3) == 0).then_some(retry),
            order,
            disable: self.some_rule(),
            ..Webhook::new(1, dialect, url, vec![EventFilter::parse(&filter).unwrap()])
        }
    }

    fn some_order(&mut self) -> Option<Order> {
        let on_dead = if self.throw(2) == 0 { OnDead::Skip } else { OnDead::Hold };
        match self.throw(6) {
            0 => Some(Order { key: None, on_dead }),
            1 | 2 => Some(Order { key: Some(KeyPath::parse("data.k").unwrap()), on_dead }),
            _ => None,
        }
    }

    fn some_rule(&mut self) -> Option<DisableRule> {
        let rule = DisableRule {
            gone: self.throw(2) == 0,
            after: if self.throw(3) == 0 { After::Deliveries } else { After::Never },
            consecutive_failures: (self.throw(2) == 0).then(|| 3 + self.throw(20) as u32),
            failing_seconds: (self.throw(2) == 0).then(|| 600 + self.throw(7200) as u64),
            probe_after_seconds: (self.throw(2) == 0).then(|| 60 + self.throw(3600) as u64),
        };
        (self.throw(2) == 0).then_some(rule)
    }

    pub fn publish(&mut self) {
        let mut keys = Vec::new();
        let mut events = Vec::new();
        for _ in 0..self.plan.batch {
            let key = (self.throw(5) > 0).then(|| self.throw(3) as u64);
            keys.push(key);
            events.push(self.some_event(key));
        }
        let accepted = self.post(events);
        for (accepted, key) in accepted.into_iter().zip(keys) {
            self.keys.extend(key.map(|key| (accepted.id, key)));
            self.oracle.events.insert(accepted.id);
            let Some(event) = self.core.store.event(1, accepted.id).unwrap() else {
                assert!(accepted.deliveries == 0 && self.may_be_gone(), "an accepted event is there");
                continue;
            };
            assert_eq!(event.webhooks.len(), accepted.deliveries);
            let shown = self.clock.wall();
            assert!(
                event.created_at.abs_diff(shown) <= self.longest_write_ms(),
                "it is dated {}, and it is {shown}",
                event.created_at
            );
            for id in event.deliveries() {
                let place = self.key_of(id.webhook(), event.id).map(|key| (key, id));
                self.oracle.made(id, event.id, true, place);
            }
        }
    }

    /// As a producer does. Whoever is told that the store failed posts again.
    fn post(&mut self, events: Vec<NewEvent>) -> Vec<Accepted> {
        if self.plan.is_ahead() && self.throw(4) == 0 {
            self.begin_to_post(events.clone());
        }
        let mut going = self.core.publish(events.clone());
        loop {
            match going.poll() {
                Some(Err(Refusal::Failed(_))) => {
                    // It is opened again first.
                    self.commit();
                    going = self.core.publish(events.clone());
                }
                Some(published) => return published.unwrap(),
                None => self.commit(),
            }
        }
    }

    /// Goes away, or the core dies, before all of it is written.
    fn begin_to_post(&mut self, events: Vec<NewEvent>) {
        let mut going = self.core.publish(events);
        assert!(going.poll().is_none(), "the first of it is to be written");
        if self.throw(2) == 0 {
            self.step();
        }
        // Not often: what is out then comes back late, and nothing is said of when it goes out again.
        if self.throw(16) == 0 {
            self.restart();
        }
    }

    pub fn some_event(&mut self, key: Option<u64>) -> NewEvent {
        let event_type = match self.plan.narrow() {
            true => format!("kind{}.done", self.throw(self.plan.webhooks / 2)),
            false => TYPES[self.throw(TYPES.len())].to_string(),
        };
        NewEvent {
            name: None,
            event_type,
            created_at: None,
            data: key.map_or(r#"{"n":1}"#.into(), |key| format!(r#"{{"k":"{key}"}}"#)).into(),
            actor: None,
            metadata: None,
            test: false,
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        }
    }

    /// The order key of an event at a webhook.
    pub fn key_of(&self, webhook: WebhookNumber, event: EventId) -> Option<u64> {
        let order = self.webhook(webhook).order.clone()?;
        if order.key.is_none() { Some(0) } else { self.keys.get(&event).copied() }
    }

    pub fn change_mood(&mut self) {
        let webhook = self.some_id().number();
        let moods = [Mood::Well, Mood::Well, Mood::Flaky, Mood::Down, Mood::Hanging, Mood::Busy, Mood::Gone];
        let mood = moods[self.throw(moods.len())];
        self.moods.insert(webhook, mood);
    }

    pub fn pause(&mut self) {
        let id = self.some_id();
        self.change(id, |webhook, now| webhook.status = Status::Paused { since: now });
        self.oracle.decided(id.number());
    }

    pub fn enable_all(&mut self) {
        for id in self.webhooks.clone() {
            let is_gone = matches!(self.moods[&id.number()], Mood::Gone);
            if !self.webhook(id.number()).is_active() && !is_gone {
                self.change(id, |webhook, _| webhook.status = Status::Active);
                // Somebody says that it is well again.
                self.oracle.spared.get_mut(&id.number()).unwrap().forgiven();
                self.oracle.decided(id.number());
            }
        }
    }

    /// Somebody replays a dead letter, unless a job may be at it.
    pub fn replay(&mut self) {
        if self.oracle.job.is_some() {
            return;
        }
        let id = self.some_id();
        let dead: Vec<_> = self.core.all_deliveries(id.number());
        let dead: Vec<_> =
            dead.into_iter().filter(|one| one.state == DeliveryState::Dead && self.can_be_replayed(one)).collect();
        if dead.is_empty() {
            return;
        }
        let old = dead[self.throw(dead.len())].clone();
        let of = old.id;
        let Ok(new) = self.ask(move |staging| staging.replay(1, id, of)) else {
            // The store failed first, and what was seen of it was lost, or it was taken before it was asked again.
            return assert_ne!(self.stored(of), Some(old), "it can be replayed");
        };
        let new = self.stored(new).expect("it was just made");
        self.made_again(&new);
    }

    /// Somebody lets go on what waits behind a dead letter.
    pub fn unhold(&mut self) {
        let id = self.some_id();
        self.change(id, |webhook, _| {
            if let Some(order) = &mut webhook.order {
                order.on_dead = OnDead::Skip;
            }
        });
        if self.webhook(id.number()).order.is_some() {
            self.oracle.nothing_holds(id.number());
        }
    }

    pub fn change(&mut self, id: WebhookId, change: impl FnOnce(&mut Webhook, UnixMs) + Clone + Send + 'static) {
        self.now(move |staging| {
            staging.update_webhook(1, id, |webhook, now| {
                change(webhook, now);
                Ok(())
            })
        });
        self.oracle.spared.get_mut(&id.number()).unwrap().ever = true;
    }

    /// Whether its event is there.
    fn can_be_replayed(&self, delivery: &Delivery) -> bool {
        !self.damaged.events.contains(&delivery.event)
    }
}
