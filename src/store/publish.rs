//! Events to accept, and who wants them as far as it was asked ahead of the commit.

use super::changes::Version;
use super::message::{Accepted, NewEvent};
use crate::domain::id::WebhookNumber;
use crate::domain::order::OrderKeys;

/// Events to accept, all of one account.
#[derive(Debug, Clone)]
pub struct Publish {
    /// All of them or none are accepted.
    pub events: Vec<NewEvent>,
    pub(super) asked: Option<Asked>,
}

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

/// What became of [`Publish`].
#[derive(Debug)]
pub enum Published {
    /// All of them are accepted.
    Accepted(Vec<Accepted>),
    /// Nothing is: webhooks changed since it was asked who wants them, and to ask those again takes longer than the commit
    /// thread has.
    AskAgain(Vec<NewEvent>),
}

impl Asked {
    /// How many deliveries those events make that were asked about.
    pub fn deliveries(&self) -> usize {
        self.wanting.iter().map(|one| one.webhooks.len()).sum()
    }
}

impl Publish {
    /// Bytes of its events.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(NewEvent::bytes).sum()
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
