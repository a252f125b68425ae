//! Events to accept, and who wants them as far as it was asked ahead of the commit.

use std::collections::BTreeMap;

use super::changes::Version;
use super::event_rows::BodyAt;
use super::message::{Accepted, NewEvent};
use crate::domain::id::WebhookNumber;
use crate::domain::order::OrderKeys;

/// Events to accept, all of one account.
#[derive(Debug, Clone)]
pub struct Publish {
    /// All of them or none are accepted.
    pub events: Vec<NewEvent>,
    pub(super) asked: Option<Asked>,
    /// What of them is written ahead.
    pub(super) bodies: Bodies,
}

/// The bodies of a publish that lie ahead, by the index of their event; none of one that was taken for an equal of an earlier
/// event.
pub type Bodies = BTreeMap<usize, Option<BodyAt>>;

/// What was asked ahead of the commit, by the registry as it was then.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Of the registry.
    pub version: Version,
    /// Of each event.
    pub wanting: Vec<Wanting>,
}

/// Who wants an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanting {
    /// The webhooks that get a delivery, ascending.
    pub webhooks: Vec<WebhookNumber>,
    /// Those among them of whom it is not known whether they want it, ascending.
    pub too_costly: Vec<WebhookNumber>,
    /// What it says at the paths of the account's order keys.
    pub order_keys: OrderKeys,
}

/// On which terms the commit thread takes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// Whether the caller can ask again who wants the events.
    pub may_ask_again: bool,
    /// New events that an account may publish in a day, where nothing else is set for it; `None`: any number.
    pub events_per_day: Option<u64>,
}

/// What became of [`Publish`].
#[derive(Debug)]
pub enum Published {
    /// All of them are accepted.
    Accepted(Vec<Accepted>),
    /// Nothing is: webhooks changed since it was asked who wants them, and to ask those again takes longer than the commit
    /// thread has.
    AskAgain(Vec<NewEvent>),
    /// Nothing is: what was to lie ahead of it is not there, or not any more.
    WriteAgain(Publish),
}

impl Asked {
    /// How many deliveries those events make that were asked about.
    pub fn deliveries(&self) -> usize {
        self.wanting.iter().map(|one| one.webhooks.len()).sum()
    }
}

impl Publish {
    /// Of these events, about which nobody asked yet.
    pub(super) fn unasked(events: Vec<NewEvent>) -> Self {
        Self { events, asked: None, bodies: Bodies::new() }
    }

    /// The same once it was asked about them.
    pub(super) fn asked(events: Vec<NewEvent>, asked: Asked) -> Self {
        Self { asked: Some(asked), ..Self::unasked(events) }
    }

    /// Bytes of its events.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(NewEvent::bytes).sum()
    }

    /// The same without what is written ahead.
    pub(super) fn bytes_left(&self) -> usize {
        let ahead = self.bodies.values().flatten().map(BodyAt::bytes).sum();
        self.bytes().saturating_sub(ahead)
    }

    /// How many deliveries it makes, as far as is known.
    pub(super) fn deliveries(&self) -> usize {
        self.asked.as_ref().map_or(0, Asked::deliveries)
    }

    /// The webhooks that get a delivery of an event, as far as is known.
    pub fn webhooks(&self, index: usize) -> &[WebhookNumber] {
        self.asked.as_ref().map_or(&[], |asked| &asked.wanting[index].webhooks)
    }
}
