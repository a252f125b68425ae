//! Events that were accepted a moment ago, handed over in memory to whoever sends them, so that what was just written need not be read
//! again. What stays true: an event is here only after the commit that has it, and not after one that took the payload of any; it is
//! taken once; and if there are too many, those that came last are read from the disk, since the first are sent first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId};
use crate::domain::time::UnixMs;

/// All that are here, in bytes.
const BYTES_MAX: usize = 8 << 20;
/// Nobody has sent it since: it waits for longer, and makes room.
const HELD_MS: u64 = 5_000;
/// What an event takes beside its payload, about.
const OWN_BYTES: usize = 512;

/// Events that are handed over.
#[derive(Debug, Default)]
pub struct Handed(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    events: HashMap<EventId, Arc<Event>>,
    /// When each came; some have gone meanwhile.
    came: VecDeque<(UnixMs, EventId)>,
    bytes: usize,
}

impl Handed {
    /// These were committed, in this order.
    pub fn put(&self, events: Vec<Arc<Event>>, now: UnixMs) {
        if events.is_empty() {
            return;
        }
        let mut held = self.held();
        held.make_room(now);
        for event in events {
            let bytes = bytes_of(&event);
            if held.bytes + bytes > BYTES_MAX {
                break;
            }
            held.bytes += bytes;
            held.came.push_back((now, event.id));
            held.events.insert(event.id, event);
        }
    }

    /// The event of this account, which is sent once and so taken.
    pub fn take(&self, account: AccountNumber, id: EventId) -> Option<Arc<Event>> {
        let mut held = self.held();
        let event = held.remove(id)?;
        (event.account == account).then_some(event)
    }

    /// The payload of one of them may be gone.
    pub fn forget_all(&self) {
        *self.held() = Held::default();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl Held {
    fn remove(&mut self, id: EventId) -> Option<Arc<Event>> {
        let event = self.events.remove(&id)?;
        self.bytes -= bytes_of(&event);
        Some(event)
    }

    /// Lets go of what nobody has sent for long; also what came in a time that is still to come, by a clock that was ahead.
    fn make_room(&mut self, now: UnixMs) {
        while let Some((came, id)) = self.came.front().copied() {
            if self.events.contains_key(&id) && now.abs_diff(came) < HELD_MS {
                break;
            }
            self.came.pop_front();
            self.remove(id);
        }
        // One that is not sent would keep the places of all that came after it.
        if self.came.len() > 2 * self.events.len() + 1024 {
            self.came.retain(|(_, id)| self.events.contains_key(id));
        }
    }
}

fn bytes_of(event: &Event) -> usize {
    let len = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
    OWN_BYTES + event.data.len() + len(&event.actor) + len(&event.metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;
    use crate::store::layout::{self, Tree};

    fn event(id: u128, bytes: usize) -> Arc<Event> {
        Arc::new(Event {
            id: EventId(id),
            account: 1,
            name: None,
            event_type: "a".into(),
            created_at: 0,
            test: false,
            webhooks: vec![1],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
            data: vec![b'1'; bytes].into(),
            actor: None,
            metadata: None,
        })
    }

    fn left(handed: &Handed) -> (usize, usize, usize) {
        let held = handed.held();
        (held.events.len(), held.came.len(), held.bytes)
    }

    #[test]
    fn an_event_is_handed_over_once_and_to_its_account() {
        let handed = Handed::default();
        handed.put((1..=3).map(|id| event(id, 10)).collect(), 0);
        assert_eq!(handed.take(1, EventId(2)).map(|event| event.id), Some(EventId(2)));
        assert_eq!(handed.take(1, EventId(2)), None);
        assert_eq!(handed.take(2, EventId(3)), None);
        handed.forget_all();
        assert_eq!((handed.take(1, EventId(1)), left(&handed)), (None, (0, 0, 0)));
    }

    #[test]
    fn too_many_are_not_kept_and_the_first_are() {
        let handed = Handed::default();
        let each = BYTES_MAX / 4 - OWN_BYTES;
        handed.put((1..=5).map(|id| event(id, each)).collect(), 0);
        assert_eq!(left(&handed), (4, 4, BYTES_MAX));
        assert_eq!(handed.take(1, EventId(5)), None);
        assert!(handed.take(1, EventId(1)).is_some());
        handed.put(vec![event(6, each)], 0);
        assert!(handed.take(1, EventId(6)).is_some());
    }

    #[test]
    fn what_nobody_sends_goes_after_a_while_whatever_the_clock_does() {
        for later in [HELD_MS, 2 * HELD_MS] {
            let handed = Handed::default();
            handed.put(vec![event(1, 1)], HELD_MS);
            handed.put(vec![event(2, 1)], if later == HELD_MS { 2 * HELD_MS } else { 0 });
            assert_eq!((left(&handed).0, handed.take(1, EventId(1))), (1, None));
        }
    }

    #[test]
    fn one_that_stays_keeps_no_place_of_others() {
        let handed = Handed::default();
        handed.put(vec![event(1, 1)], 0);
        for id in 2..10_000 {
            handed.put(vec![event(id, 1)], 0);
            assert!(handed.take(1, EventId(id)).is_some());
        }
        let (events, came, bytes) = left(&handed);
        assert!(events == 1 && came < 1100 && bytes == OWN_BYTES + 1, "{came}");
    }

    #[test]
    fn an_event_with_one_webhook_is_handed_over_as_it_is_stored() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let [id, other] = [(); 2].map(|()| bench.publish());
        let stored = bench.store.event(1, id).unwrap();
        bench.damage(Tree::Events, &layout::event(1, id));
        assert_eq!(bench.store.event_to_send(1, id).unwrap(), stored, "it was not read");
        assert!(bench.store.event_to_send(1, id).is_err(), "it is handed over once");
        assert_eq!(stored.unwrap().webhooks, [webhook]);
        bench.webhook();
        let several = bench.publish();
        bench.damage(Tree::Events, &layout::event(1, several));
        assert!(bench.store.event_to_send(1, several).is_err());
        assert!(bench.store.event_to_send(1, other).unwrap().is_some());
    }
}
