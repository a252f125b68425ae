//! Events to accept, and who wants them as far as it was asked ahead of the commit.

use super::changes::Version;
use super::fan_out::GROUP_MAX;
use super::message::{Accepted, NewEvent};
use super::request::Load;
use crate::domain::id::{AccountNumber, WebhookNumber};
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

impl Publish {
    /// How much it asks of the commit thread.
    pub(super) fn load(&self, account: AccountNumber) -> Load {
        let bytes = self.events.iter().map(NewEvent::bytes).sum();
        let wanting = self.asked.iter().flat_map(|asked| &asked.wanting);
        // Beyond a part of an event's deliveries, the others are made later.
        let deliveries = wanting.map(|one| one.webhooks.len()).sum::<usize>().min(GROUP_MAX);
        Load { account, bytes, deliveries: self.events.len().max(deliveries) }
    }

    /// The webhooks that get a delivery of an event, as far as is known.
    pub fn webhooks(&self, index: usize) -> &[WebhookNumber] {
        self.asked.as_ref().map_or(&[], |asked| &asked.wanting[index].webhooks)
    }
}
