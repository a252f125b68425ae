//! How an event goes: with its deliveries, their attempts, its replays, pieces and name, and not at all while anything of it
//! has not ended. One with many deliveries goes in steps, which a crash may repeat.

use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{AccountNumber, DeliveryId, EventId};
use crate::store::error::StoreError;
use crate::store::event_rows::{self, EventHead};
use crate::store::layout::{self, Key, Tree};
use crate::store::staging::Staging;

/// Deliveries of one event that one step looks at, or removes.
const STEP_DELIVERIES_MAX: usize = 256;

/// An event with more deliveries than one step takes. All are looked at before the first of them goes.
pub struct Wide {
    account: AccountNumber,
    key: Key,
    /// Which of its webhooks is next.
    from: usize,
    /// All were looked at, and have ended.
    is_ended: bool,
}

/// What became of an event.
pub enum Forgotten {
    /// So many keys went.
    Keys(usize),
    /// It takes several steps.
    Later,
}

impl Wide {
    /// Nothing of it is looked at yet.
    pub fn of(account: AccountNumber, key: Key) -> Self {
        Self { account, key, from: 0, is_ended: false }
    }
}

impl Staging<'_> {
    /// Removes an event and all that belongs to it, unless something of it has not ended.
    pub(super) fn forget_event(&mut self, account: AccountNumber, key: &Key) -> Result<Forgotten, StoreError> {
        let Some((value, head)) = self.event_to_forget(account, key)? else { return Ok(Forgotten::Keys(0)) };
        if head.webhooks.len() > STEP_DELIVERIES_MAX {
            return Ok(Forgotten::Later);
        }
        let replays = self.replays_of(head.id)?;
        let at_accept = head.webhooks.iter().map(|number| head.id.delivery_to(*number));
        let Some(ended) = self.if_ended(at_accept.chain(replays.iter().copied()))? else {
            return Ok(Forgotten::Keys(0));
        };
        Ok(Forgotten::Keys(self.forget_deliveries(account, &ended)? + self.forget_rest(key, &value, &head, replays)?))
    }

    /// Goes on with a wide event; nothing is left of the work where it is gone, or has not ended.
    pub(super) fn forget_some(&mut self, mut wide: Wide) -> Result<Option<Wide>, StoreError> {
        let account = wide.account;
        let Some((value, head)) = self.event_to_forget(account, &wide.key)? else { return Ok(None) };
        let webhooks = head.webhooks.get(wide.from..).unwrap_or_default();
        let some = &webhooks[..webhooks.len().min(STEP_DELIVERIES_MAX)];
        wide.from += some.len();
        let ended = self.if_ended(some.iter().map(|number| head.id.delivery_to(*number)))?;
        let Some(ended) = ended else { return Ok(None) };
        if wide.is_ended {
            self.forget_deliveries(account, &ended)?;
        }
        if wide.from < head.webhooks.len() {
            return Ok(Some(wide));
        }
        let replays = self.replays_of(head.id)?;
        let Some(ended) = self.if_ended(replays.iter().copied())? else { return Ok(None) };
        if !wide.is_ended {
            return Ok(Some(Wide { from: 0, is_ended: true, ..wide }));
        }
        self.forget_deliveries(account, &ended)?;
        self.forget_rest(&wide.key, &value, &head, replays)?;
        Ok(None)
    }

    /// Its row, and what that says, unless deliveries of it are to come.
    fn event_to_forget(
        &self,
        account: AccountNumber,
        key: &Key,
    ) -> Result<Option<(sled::IVec, EventHead)>, StoreError> {
        let Some(value) = self.get(Tree::Events, key)? else { return Ok(None) };
        if self.has_to_come(account, key)? {
            return Ok(None);
        }
        let head = event_rows::event_head(self.trees(), key, &value)?;
        Ok(Some((value, head)))
    }

    /// Those of the deliveries that are there, if all of them have ended.
    fn if_ended(&self, ids: impl Iterator<Item = DeliveryId>) -> Result<Option<Vec<Delivery>>, StoreError> {
        let mut ended = Vec::with_capacity(ids.size_hint().0);
        for id in ids {
            match self.delivery(id)? {
                Some(delivery) if delivery.state.is_open() => return Ok(None),
                Some(delivery) => ended.push(delivery),
                None => {}
            }
        }
        Ok(Some(ended))
    }

    fn forget_deliveries(&mut self, account: AccountNumber, ended: &[Delivery]) -> Result<usize, StoreError> {
        let mut removed = 0;
        for delivery in ended {
            removed += self.forget_delivery(account, delivery)?;
        }
        Ok(removed)
    }

    /// Removes an event whose deliveries are gone, with what else belongs to it.
    pub(super) fn forget_rest(
        &mut self,
        key: &Key,
        value: &[u8],
        head: &EventHead,
        replays: Vec<DeliveryId>,
    ) -> Result<usize, StoreError> {
        let mut removed = 1 + replays.len();
        for replay in replays {
            self.stage(Tree::Replays, layout::replay(head.id, replay), None);
        }
        if let Some(name) = &head.name {
            self.stage(Tree::Names, layout::name(head.account, name), None);
            removed += 1;
        }
        let pieces = event_rows::piece_keys(key, value, head)?;
        removed += pieces.len();
        let mut bytes = key.len() + value.len();
        for piece in pieces {
            bytes += self.bytes_at(Tree::Chunks, &piece)?;
            self.stage(Tree::Chunks, piece, None);
        }
        if let Some(body) = head.body {
            self.stage(Tree::Bodies, layout::body(head.account, body.id), None);
            removed += 1;
        }
        self.stage(Tree::Events, key.clone(), None);
        self.event_bytes_gone(head.account, bytes);
        Ok(removed)
    }

    pub(super) fn forget_delivery(&mut self, account: AccountNumber, delivery: &Delivery) -> Result<usize, StoreError> {
        let id = delivery.id;
        let mut gone = vec![(Tree::Closed, layout::delivery(id))];
        gone.extend((2..=delivery.attempts).map(|n| (Tree::Attempts, layout::attempt(id, n))));
        let mut bytes = 0;
        for (tree, key) in &gone {
            bytes += self.bytes_at(*tree, key)?;
        }
        let keys = gone.len();
        for (tree, key) in gone {
            self.stage(tree, key, None);
        }
        self.delivery_bytes_gone(id.webhook(), bytes);
        if delivery.state == DeliveryState::Dead {
            self.stage(Tree::Dead, layout::dead(account, id), None);
        }
        self.give_way(delivery)?;
        Ok(keys)
    }

    pub(super) fn replays_of(&self, id: EventId) -> Result<Vec<DeliveryId>, StoreError> {
        let prefix = id.to_bytes();
        let rows = self.trees().prefix(Tree::Replays, &prefix).keys();
        let stored = rows.map(|key| key.map(|key| layout::read_delivery(&key)));
        let staged = self.staged_keys(Tree::Replays, &prefix).map(|key| Ok(layout::read_delivery(key)));
        stored.chain(staged).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WebhookNumber;
    use crate::domain::retry::Next;
    use crate::domain::time::HOUR_MS;
    use crate::store::bench::{Bench, START, event, in_memory, settlement, webhook};
    use crate::store::message::NewEvent;
    use crate::store::settings::{Retention, Settings};

    impl Forgotten {
        fn keys(self) -> usize {
            if let Self::Keys(keys) = self { keys } else { panic!("it takes several steps") }
        }
    }

    #[test]
    fn an_event_goes_with_every_key_of_its_own() {
        let mut bench = Bench::new();
        let webhook = bench.webhook_with(|_| {});
        let young = bench.publish().delivery_to(webhook.number());
        bench.settle(young, 1, Next::Succeeded);
        let before = bench.store.kept_bytes();
        let long = vec![b'1'; 2 * layout::VALUE_BYTES_MAX];
        let id = bench.publish_as(NewEvent { name: Some("n".into()), data: long.into(), ..event() });
        let delivery = id.delivery_to(webhook.number());
        (1..=3).for_each(|n| bench.settle(delivery, n, Next::RetryAt(START + 1)));
        bench.settle(delivery, 4, Next::Succeeded);
        let replay = bench.now(move |staging| staging.replay(1, webhook, delivery));
        let forget = move |staging: &mut Staging<'_>| Ok(staging.forget_event(1, &layout::event(1, id))?.keys());
        assert_eq!(bench.now(forget), 0, "the replay has not ended");
        bench.settle(replay, 1, Next::Dead);
        let of_deliveries = (1 + 3) + 1;
        let (event, name, pieces, replays) = (1, 1, 2, 1);
        assert_eq!(bench.now(forget), event + name + pieces + replays + of_deliveries);
        for tree in [Tree::Chunks, Tree::Names, Tree::Attempts, Tree::Replays, Tree::Dead] {
            assert_eq!(bench.keys(tree).len(), 0, "{tree:?}");
        }
        assert_eq!((bench.events(1), bench.keys(Tree::Closed)), (1, vec![layout::delivery(young)]));
        assert_eq!(bench.store.kept_bytes(), before);
    }

    /// An event to more webhooks than one step takes, all of which but the last have got it.
    fn wide() -> (Bench, EventId, Vec<WebhookNumber>) {
        let mut bench =
            Bench::of(Settings { retention: Retention { bytes_max: Some(1), ..Retention::default() }, ..in_memory() });
        let webhooks: Vec<WebhookNumber> = bench.now(|staging| {
            let of = |staging: &mut Staging<'_>| Ok(staging.create_webhook(webhook(), None)?.number());
            (0..2 * STEP_DELIVERIES_MAX + 9).map(|_| of(staging)).collect()
        });
        let id = bench.publish();
        for webhook in &webhooks[1..] {
            bench.store.settle(settlement(id.delivery_to(*webhook), 1, START, Next::Succeeded));
        }
        bench.rest();
        (bench, id, webhooks)
    }

    #[test]
    fn a_wide_one_goes_in_steps_and_only_once_all_of_it_has_ended() {
        let (mut bench, id, webhooks) = wide();
        bench.turn(HOUR_MS);
        assert_eq!(bench.keys(Tree::Closed).len(), webhooks.len() - 1, "the first is open");
        bench.store.settle(settlement(id.delivery_to(webhooks[0]), 1, START, Next::Succeeded));
        let mut steps = Vec::new();
        loop {
            let before = bench.keys(Tree::Closed).len();
            let some = bench.committer.step();
            steps.push(before.saturating_sub(bench.keys(Tree::Closed).len()));
            if !some {
                break;
            }
        }
        steps.retain(|removed| *removed > 0);
        assert_eq!(steps, [STEP_DELIVERIES_MAX, STEP_DELIVERIES_MAX, 9]);
        assert_eq!((bench.events(1), bench.store.kept_bytes()), (0, 0));
    }

    #[test]
    fn a_crash_in_the_middle_leaves_nothing_behind() {
        let (mut bench, id, webhooks) = wide();
        bench.store.settle(settlement(id.delivery_to(webhooks[0]), 1, START, Next::Succeeded));
        bench.committer.step();
        while bench.keys(Tree::Closed).len() > STEP_DELIVERIES_MAX {
            assert!(bench.committer.step());
        }
        assert_eq!(bench.events(1), 1);
        bench.committer.let_go();
        bench.turn(HOUR_MS);
        assert_eq!((bench.events(1), bench.keys(Tree::Closed).len(), bench.store.kept_bytes()), (0, 0, 0));
    }
}
