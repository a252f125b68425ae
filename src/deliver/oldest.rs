//! Which delivery has been open for longest, without a look at every webhook for each answer. What stays true: of each webhook
//! that may have open deliveries a time is known before which it has none, and those times only grow, since ids do; so only
//! the least of them is looked at, again and again until it is what the store says. The first answers after a start look at all
//! webhooks, some of them each time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;
use crate::store::StoreError;

/// Webhooks that are looked at for one answer, some ten microseconds each.
const LOOKS_MAX: usize = 1024;

/// What is known.
#[derive(Debug, Default)]
pub struct Oldest {
    known: Mutex<Known>,
    /// Who asks, one after the other: what one takes out to look at it, another would not find.
    asks: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// Webhooks that may have open deliveries, of which nothing more is known.
    unknown: HashSet<WebhookNumber>,
    /// Before these times the others have none.
    none_before: HashMap<WebhookNumber, UnixMs>,
    /// The same by time.
    by_time: BTreeSet<(UnixMs, WebhookNumber)>,
}

impl Oldest {
    /// The webhook may have open deliveries.
    pub fn may_have(&self, webhook: WebhookNumber) {
        let mut known = self.known();
        if !known.none_before.contains_key(&webhook) {
            known.unknown.insert(webhook);
        }
    }

    /// A delivery of the webhook was made then.
    pub fn is_made(&self, webhook: WebhookNumber, at: UnixMs) {
        let mut known = self.known();
        if !known.unknown.contains(&webhook) && !known.none_before.contains_key(&webhook) {
            known.put(webhook, at);
        }
    }

    /// When the oldest open delivery was made; `None` if there is none. `look` says it of one webhook.
    pub fn of_all(
        &self,
        look: impl Fn(WebhookNumber) -> Result<Option<UnixMs>, StoreError>,
    ) -> Result<Option<UnixMs>, StoreError> {
        let _turn = self.asks.lock().expect("no holder panics");
        for _ in 0..LOOKS_MAX {
            // Taken out first: what is made while it is looked at then stands there, and not only what the look has seen.
            let Some((webhook, none_before)) = self.known().take_next() else { return Ok(None) };
            let found = look(webhook);
            let mut known = self.known();
            match found {
                Ok(Some(at)) => known.put(webhook, at),
                Ok(None) => {}
                Err(error) => {
                    known.put_back(webhook, none_before);
                    return Err(error);
                }
            }
            if found == Ok(none_before) && none_before.is_some() {
                return Ok(none_before);
            }
        }
        Ok(self.known().by_time.first().map(|(at, _)| *at))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no holder panics")
    }
}

impl Known {
    fn put(&mut self, webhook: WebhookNumber, at: UnixMs) {
        let at = self.none_before.get(&webhook).map_or(at, |before| at.min(*before));
        self.remove(webhook);
        self.none_before.insert(webhook, at);
        self.by_time.insert((at, webhook));
    }

    fn put_back(&mut self, webhook: WebhookNumber, none_before: Option<UnixMs>) {
        match none_before {
            Some(at) => self.put(webhook, at),
            None => {
                self.remove(webhook);
                self.unknown.insert(webhook);
            }
        }
    }

    fn remove(&mut self, webhook: WebhookNumber) {
        if let Some(at) = self.none_before.remove(&webhook) {
            self.by_time.remove(&(at, webhook));
        }
    }

    /// One of which nothing is known, else the one that may have the oldest.
    fn take_next(&mut self) -> Option<(WebhookNumber, Option<UnixMs>)> {
        if let Some(webhook) = self.unknown.iter().next().copied() {
            self.unknown.remove(&webhook);
            return Some((webhook, None));
        }
        let (at, webhook) = *self.by_time.first()?;
        self.remove(webhook);
        Some((webhook, Some(at)))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// What the store says, and how often it was asked.
    #[derive(Default)]
    struct Said(RefCell<HashMap<WebhookNumber, UnixMs>>, Cell<usize>);

    impl Said {
        fn ask(&self, oldest: &Oldest) -> Option<UnixMs> {
            self.1.set(0);
            let answer = oldest.of_all(|webhook| {
                self.1.set(self.1.get() + 1);
                Ok(self.0.borrow().get(&webhook).copied())
            });
            answer.expect("it can be asked")
        }

        fn is(&self, webhook: WebhookNumber, at: Option<UnixMs>) {
            match at {
                Some(at) => drop(self.0.borrow_mut().insert(webhook, at)),
                None => drop(self.0.borrow_mut().remove(&webhook)),
            }
        }
    }

    #[test]
    fn the_oldest_is_found_and_followed_by_looks_at_the_least_only() {
        let (oldest, store) = (Oldest::default(), Said::default());
        assert_eq!(store.ask(&oldest), None);
        (1..=100).for_each(|webhook| oldest.may_have(webhook));
        (1..=50).for_each(|webhook| store.is(webhook, Some(1000 + UnixMs::from(webhook))));
        assert_eq!(store.ask(&oldest), Some(1001));
        assert!(store.1.get() >= 100, "nothing was known");
        assert_eq!((store.ask(&oldest), store.1.get()), (Some(1001), 1));
        // The first two have ended, one of them has others.
        store.is(1, None);
        store.is(2, Some(2000));
        assert_eq!((store.ask(&oldest), store.1.get()), (Some(1003), 3));
        oldest.is_made(1, 3000);
        store.is(1, Some(3000));
        (2..=50).for_each(|webhook| store.is(webhook, None));
        assert_eq!(store.ask(&oldest), Some(3000), "one that had none has one again");
        store.is(1, None);
        assert_eq!((store.ask(&oldest), store.ask(&oldest), store.1.get()), (None, None, 0));
    }

    #[test]
    fn what_is_made_while_a_webhook_is_looked_at_is_not_forgotten() {
        let oldest = Oldest::default();
        oldest.may_have(1);
        let first = oldest.of_all(|webhook| {
            // The look was before it.
            oldest.is_made(webhook, 500);
            Ok(None)
        });
        assert!(matches!(first, Ok(None | Some(500))), "{first:?}");
        assert_eq!(oldest.of_all(|_| Ok(Some(500))), Ok(Some(500)));
    }

    #[test]
    fn a_store_that_is_away_is_asked_again() {
        let oldest = Oldest::default();
        oldest.may_have(1);
        assert_eq!(oldest.of_all(|_| Err(StoreError::Unavailable)), Err(StoreError::Unavailable));
        assert_eq!(oldest.of_all(|_| Ok(Some(7))), Ok(Some(7)));
        assert_eq!(oldest.of_all(|_| Err(StoreError::Unavailable)), Err(StoreError::Unavailable));
        assert_eq!(oldest.of_all(|_| Ok(Some(7))), Ok(Some(7)));
    }

    #[test]
    fn one_answer_looks_at_so_many_and_no_more() {
        let (oldest, store) = (Oldest::default(), Said::default());
        let all = 2 * LOOKS_MAX as WebhookNumber;
        (1..=all).for_each(|webhook| oldest.may_have(webhook));
        store.is(all, Some(5));
        store.is(1, Some(9));
        store.ask(&oldest);
        assert_eq!(store.1.get(), LOOKS_MAX);
        store.ask(&oldest);
        assert_eq!(store.ask(&oldest), Some(5));
    }
}
