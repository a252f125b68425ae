//! What the oracle knows of each delivery and each endpoint, and what must hold when a delivery goes out. It is told
//! what happens and knows nothing of lanes or trees.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hookwheel::domain::id::{DeliveryId, EventId, WebhookNumber};
use hookwheel::domain::time::UnixMs;

use crate::jobs::Running;
use crate::spared::{Said, Spared};

/// By so much an attempt can end later than now without anybody having set the clock back.
const SKEW_MS: u64 = 1_000;

/// One delivery.
#[derive(Clone)]
pub struct Seen {
    pub event: EventId,
    /// It was made when its event was accepted.
    pub is_first: bool,
    /// Its making was lost, and nobody was told of it.
    pub is_lost: bool,
    pub out: bool,
    /// It is out to see whether the endpoint of a disabled webhook is well.
    pub probe: bool,
    /// What its endpoint answered last, until that is recorded.
    pub said: Option<Said>,
    pub ended: bool,
    /// Attempts that are recorded.
    pub recorded: u16,
    pub not_before: UnixMs,
    /// When its last attempt ended that is to be followed by another.
    pub failed_at: UnixMs,
    /// It was out when what came before it was lost: its turn had come, and that is being sent again.
    pub had_its_turn: bool,
    /// Its order key and place there: its own, or that of the dead one that it stands in for.
    pub place: Option<(u64, DeliveryId)>,
}

impl Seen {
    fn new(event: EventId, is_first: bool, place: Option<(u64, DeliveryId)>) -> Self {
        Self {
            event,
            is_first,
            is_lost: false,
            out: false,
            probe: false,
            said: None,
            ended: false,
            recorded: 0,
            not_before: 0,
            failed_at: 0,
            had_its_turn: false,
            place,
        }
    }
}

/// Where a place in an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Open,
    /// It used up its retries and holds up what is behind it.
    Holding,
    Past,
}

#[derive(Clone, Default)]
pub struct Oracle {
    pub seen: BTreeMap<DeliveryId, Seen>,
    pub spared: HashMap<WebhookNumber, Spared>,
    /// The places of each order key, in order.
    pub orders: HashMap<(WebhookNumber, u64), BTreeMap<DeliveryId, Turn>>,
    pub events: BTreeSet<EventId>,
    /// Dead ones that somebody has replayed or discarded.
    pub handled: BTreeSet<DeliveryId>,
    pub discarded: BTreeSet<DeliveryId>,
    pub job: Option<Running>,
}

impl Oracle {
    /// A delivery was made.
    pub fn made(&mut self, id: DeliveryId, event: EventId, is_first: bool, place: Option<(u64, DeliveryId)>) {
        if let Some((key, place)) = place {
            self.orders.entry((id.webhook(), key)).or_default().insert(place, Turn::Open);
        }
        self.seen.insert(id, Seen::new(event, is_first, place));
    }

    /// Its turn in its order is over, or it holds up others.
    pub fn turn_is(&mut self, id: DeliveryId, turn: Turn) {
        if let Some((key, place)) = self.seen[&id].place {
            self.orders.get_mut(&(id.webhook(), key)).unwrap().insert(place, turn);
        }
    }

    /// It does not hold up others any more.
    pub fn let_go(&mut self, id: DeliveryId) {
        let Some((key, place)) = self.seen[&id].place else { return };
        let turn = self.orders.get_mut(&(id.webhook(), key)).unwrap().get_mut(&place).unwrap();
        if *turn == Turn::Holding {
            *turn = Turn::Past;
        }
    }

    /// What held up others does not any more.
    pub fn nothing_holds(&mut self, webhook: WebhookNumber) {
        for ((of, _), places) in &mut self.orders {
            if *of == webhook {
                places.values_mut().filter(|turn| **turn == Turn::Holding).for_each(|turn| *turn = Turn::Past);
            }
        }
    }

    /// All before it in its order must be past.
    pub fn check_order(&self, id: DeliveryId) {
        let Some((key, place)) = self.seen[&id].place.filter(|_| !self.seen[&id].had_its_turn) else { return };
        let mut before = self.orders[&(id.webhook(), key)].range(..place);
        let open = before.find(|(_, turn)| **turn != Turn::Past);
        assert!(open.is_none(), "{id} goes out before its turn: {open:?} is before it");
    }

    /// What stands at the places before it in its order that are not past: deliveries, and replays in their places.
    pub fn before(&self, id: DeliveryId) -> Vec<DeliveryId> {
        let Some((key, place)) = self.seen[&id].place else { return Vec::new() };
        let before = self.orders[&(id.webhook(), key)].range(..place);
        let places: BTreeSet<_> = before.filter(|(_, turn)| **turn != Turn::Past).map(|(place, _)| *place).collect();
        if places.is_empty() {
            return Vec::new();
        }
        let stands_there = |seen: &Seen| seen.place.is_some_and(|(of, place)| of == key && places.contains(&place));
        let of_webhook = self.seen.iter().filter(|(other, _)| other.webhook() == id.webhook());
        of_webhook.filter(|(_, seen)| stands_there(seen)).map(|(other, _)| *other).collect()
    }

    /// It ended without being sent, or is not kept any more: its turn is over, unless another stands in its place.
    pub fn ended_unsent(&mut self, id: DeliveryId) {
        let seen = self.seen.get_mut(&id).unwrap();
        seen.ended = true;
        let Some(place) = seen.place else { return };
        let later = self.seen.range(id..).skip(1);
        let mut stand_ins = later.filter(|(other, seen)| other.webhook() == id.webhook() && seen.place == Some(place));
        if stand_ins.all(|(_, seen)| seen.ended) {
            self.turn_is(id, Turn::Past);
        }
    }

    /// Whether something before it holds it up.
    pub fn is_held_up(&self, id: DeliveryId) -> bool {
        let Some((key, place)) = self.seen[&id].place else { return false };
        self.orders[&(id.webhook(), key)].range(..place).any(|(_, turn)| *turn == Turn::Holding)
    }

    /// The core died: what was out is forgotten.
    pub fn crashed(&mut self) {
        self.seen.values_mut().for_each(|seen| seen.out = false);
        self.spared.values_mut().for_each(Spared::crashed);
    }

    /// A claim came back unsent: nothing happened to it.
    pub fn handed_back(&mut self, id: DeliveryId) {
        let seen = self.seen.get_mut(&id).unwrap();
        (seen.out, seen.probe) = (false, false);
        self.spared.get_mut(&id.webhook()).unwrap().handed_back(id);
    }

    /// What was recorded since `past` is lost. What is out stays out.
    pub fn go_back(&mut self, past: Self) {
        let now = std::mem::replace(self, past);
        for (id, seen) in now.seen {
            let then = self.seen.entry(id).or_insert_with(|| {
                assert!(!seen.is_first, "what somebody was told of is never lost");
                // What a job has made it makes again, as others.
                Seen { is_lost: true, ended: true, ..Seen::new(seen.event, false, None) }
            });
            (then.out, then.probe, then.said) = (seen.out, seen.probe, seen.said);
            then.had_its_turn |= seen.out;
        }
        for (webhook, spared) in now.spared {
            self.spared.get_mut(&webhook).unwrap().go_back_from(spared);
        }
    }

    /// A person decides about the webhook: what is out decides nothing any more.
    pub fn decided(&mut self, webhook: WebhookNumber) {
        let of_webhook = self.seen.iter_mut().filter(|(id, _)| id.webhook() == webhook);
        of_webhook.for_each(|(_, seen)| seen.probe = false);
    }

    /// The clock was set back to `now`: what follows an attempt that is yet to come keeps its delay, seen from now. No other
    /// retry may be due more than `ahead` after it.
    pub fn set_back(&mut self, now: UnixMs, ahead: impl Fn(WebhookNumber) -> u64) {
        for (id, seen) in &mut self.seen {
            let ahead = match seen.failed_at > now + SKEW_MS {
                true => seen.not_before.checked_sub(seen.failed_at).filter(|delay| *delay > 0),
                false => Some(ahead(id.webhook())),
            };
            seen.not_before = ahead.map_or(seen.not_before, |ahead| seen.not_before.min(now + ahead));
        }
        self.spared.values_mut().for_each(|spared| spared.set_back(now));
    }
}
