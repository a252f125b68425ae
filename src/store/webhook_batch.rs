//! Several webhooks made or changed in one group, all or none. What stays true: each is decided, and all of them beside each other,
//! before the first is staged; from there on none is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::Refusal;
use super::manage::{ORDER_PATHS_MAX, too_many_orders};
use super::staging::Staging;
use crate::domain::Invalid;
use crate::domain::id::{AccountNumber, WebhookId};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;

/// Bytes of the texts of all webhooks that are put there together: they are written in one step, and others wait for it.
pub const WHOLE_BYTES_MAX: usize = 512 * 1024;

/// A change of a webhook, made where it is as it is.
pub type WebhookEdit = Box<dyn FnOnce(&mut Webhook, UnixMs) -> Result<(), Refusal> + Send>;

/// A webhook to be put there.
pub enum WebhookPut {
    /// A new one, and how many of its dialect the account may have.
    Create(Box<Webhook>, Option<u32>),
    /// A change of one.
    Change(WebhookId, WebhookEdit),
}

/// One that was put there: as it was, if it was there, and as it is.
pub type WebhookThere = (Option<Arc<Webhook>>, Webhook);

/// What is to be staged.
enum Decided {
    Create(Box<Webhook>, Option<u32>),
    Change(Arc<Webhook>, Box<Webhook>),
}

impl Decided {
    fn webhook(&self) -> &Webhook {
        match self {
            Self::Create(webhook, _) | Self::Change(_, webhook) => webhook,
        }
    }
}

impl Staging<'_> {
    /// Makes or changes webhooks of the account, all or none: the index of the first that is refused, and why. `quota`: webhooks
    /// that it may have, 0: any number.
    pub fn put_webhooks(
        &mut self,
        account: AccountNumber,
        puts: Vec<WebhookPut>,
        quota: usize,
    ) -> Result<Result<Vec<WebhookThere>, (usize, Refusal)>, Refusal> {
        let mut decided = Vec::with_capacity(puts.len());
        for (index, put) in puts.into_iter().enumerate() {
            match self.decide(account, put) {
                Ok(one) => decided.push(one),
                Err(refusal) => return Ok(Err((index, refusal))),
            }
        }
        if let Err(refused) = self.vet_together(account, &decided, quota) {
            return Ok(Err(refused));
        }
        let bytes: usize = decided.iter().map(|one| one.webhook().texts_bytes()).sum();
        if decided.len() > 1 && bytes > WHOLE_BYTES_MAX {
            let message = format!(
                "all or nothing is done of webhooks whose texts have {WHOLE_BYTES_MAX} bytes together, what they have already \
                 included, and these would have {bytes}; send several batches, or take mode=each"
            );
            return Err(Invalid::new("mode", message).into());
        }
        let put = |one| match one {
            Decided::Create(webhook, _) => self.create_webhook(*webhook, None).map(|webhook| (None, webhook)),
            Decided::Change(before, after) => {
                let change = |webhook: &mut Webhook, _: UnixMs| {
                    *webhook = *after;
                    Ok(())
                };
                self.update_webhook(account, before.id, change).map(|webhook| (Some(before), webhook))
            }
        };
        decided.into_iter().map(put).collect::<Result<Vec<_>, _>>().map(Ok)
    }

    fn decide(&self, account: AccountNumber, put: WebhookPut) -> Result<Decided, Refusal> {
        match put {
            WebhookPut::Create(webhook, limit) => Ok(Decided::Create(webhook, limit)),
            WebhookPut::Change(id, edit) => {
                let before = self.registry().webhook_of(account, id);
                let before = before.ok_or(Refusal::NotFound("webhook"))?;
                let mut after = (*before).clone();
                edit(&mut after, self.now())?;
                Ok(Decided::Change(before, Box::new(after)))
            }
        }
    }

    /// What one by one would find as those before it have left it. An own id or an order key that one of them gives up is not
    /// free for another.
    fn vet_together(&self, account: AccountNumber, all: &[Decided], quota: usize) -> Result<(), (usize, Refusal)> {
        let (mut made, mut hearing, mut of_dialect) = (0, 0, BTreeMap::<&str, usize>::new());
        let mut uids = BTreeSet::new();
        let mut orders: BTreeSet<_> = self.registry().order_paths(account).cloned().collect();
        for (index, one) in all.iter().enumerate() {
            let (webhook, refused) = (one.webhook(), |refusal| (index, refusal));
            if let Decided::Create(webhook, limit) = one {
                self.vet_webhook_quota_beside(account, quota, made).map_err(refused)?;
                let beside = of_dialect.entry(&webhook.dialect).or_default();
                let count = self.registry().count_of_dialect(account, &webhook.dialect) + *beside;
                if let Some(limit) = limit.filter(|limit| count >= *limit as usize) {
                    return Err(refused(Refusal::WebhookLimit { limit }));
                }
                (made, *beside) = (made + 1, *beside + 1);
            }
            self.refuse_taken_uid(webhook).map_err(refused)?;
            if webhook.uid.as_ref().is_some_and(|uid| !uids.insert(uid)) {
                return Err(refused(Refusal::UidTaken));
            }
            self.refuse_too_many_hearers(webhook, hearing).map_err(refused)?;
            let heard = matches!(one, Decided::Change(before, _) if before.notices.is_some());
            hearing += usize::from(webhook.notices.is_some() && !heard);
            let path = webhook.order.as_ref().and_then(|order| order.key.as_ref());
            if let Some(path) = path.filter(|path| !orders.contains(path)) {
                if orders.len() >= ORDER_PATHS_MAX {
                    return Err(refused(too_many_orders()));
                }
                orders.insert(path.clone());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::{HEARERS_MAX, Notices};
    use crate::domain::order::{KeyPath, OnDead, Order};
    use crate::store::bench::{Bench, webhook};

    fn put(bench: &mut Bench, puts: Vec<WebhookPut>, quota: usize) -> Result<usize, (usize, Refusal)> {
        bench.now(move |staging| staging.put_webhooks(1, puts, quota)).map(|there| there.len())
    }

    fn new(set: impl FnOnce(&mut Webhook)) -> WebhookPut {
        let mut webhook = webhook();
        set(&mut webhook);
        WebhookPut::Create(Box::new(webhook), None)
    }

    fn named(uid: &str) -> WebhookPut {
        new(|webhook| webhook.uid = Some(uid.into()))
    }

    fn change(id: WebhookId, edit: impl FnOnce(&mut Webhook) + Send + 'static) -> WebhookPut {
        let edit = move |webhook: &mut Webhook, _: UnixMs| {
            edit(webhook);
            Ok(())
        };
        WebhookPut::Change(id, Box::new(edit))
    }

    #[test]
    fn where_one_is_refused_nothing_is_there_and_nothing_has_changed() {
        let mut bench = Bench::new();
        let id = bench.webhook_with(|webhook| webhook.uid = Some("known".into()));
        let before = bench.store.registry().webhook_of(1, id).unwrap();
        let groups = bench.store.meters().groups.load(std::sync::atomic::Ordering::Relaxed);
        let renamed = || change(id, |webhook| webhook.name = Some("x".into()));
        let no = WebhookPut::Change(id, Box::new(|_, _| Err(Refusal::NotFound("reason"))));
        let limited = |limit| WebhookPut::Create(Box::new(webhook()), Some(limit));
        let gone = change(WebhookId(7), |_| {});
        let table = [
            (vec![renamed(), named("a"), no], 0, 2, Refusal::NotFound("reason")),
            (vec![named("a"), renamed(), named("a")], 0, 2, Refusal::UidTaken),
            (vec![renamed(), named("known")], 0, 1, Refusal::UidTaken),
            (vec![limited(2), limited(2)], 0, 1, Refusal::WebhookLimit { limit: 2 }),
            (vec![named("a"), gone], 0, 1, Refusal::NotFound("webhook")),
        ];
        for (puts, quota, index, refusal) in table {
            assert_eq!(put(&mut bench, puts, quota), Err((index, refusal)));
        }
        let over = put(&mut bench, vec![named("a"), named("b"), named("c")], 3);
        assert!(matches!(over, Err((2, Refusal::OverQuota { limit: 3, .. }))), "{over:?}");
        assert_eq!(bench.store.registry().count_of_webhooks(1), 1);
        assert_eq!(bench.store.registry().webhook_of(1, id), Some(before.clone()));
        assert_eq!(
            bench.store.meters().groups.load(std::sync::atomic::Ordering::Relaxed),
            groups,
            "nothing was written"
        );
        assert_eq!(put(&mut bench, vec![named("a"), renamed(), named("b")], 3), Ok(3));
        assert_eq!(bench.store.registry().webhook_of(1, id).unwrap().name.as_deref(), Some("x"));
        assert_eq!(bench.scrub(), [""; 0]);
    }

    #[test]
    fn those_of_one_batch_have_so_many_bytes_however_little_is_said_of_them() {
        let mut bench = Bench::new();
        let long = |n: usize| {
            new(|webhook| {
                webhook.uid = Some(n.to_string());
                webhook.headers = vec![("x-long".into(), "x".repeat(15_000))];
            })
        };
        for from in [0, 30] {
            assert_eq!(put(&mut bench, (from..from + 30).map(long).collect(), 0), Ok(30));
        }
        let ids: Vec<WebhookId> = bench.store.registry().webhooks_of(1).map(|webhook| webhook.id).collect();
        let renamed = |ids: &[WebhookId]| -> Vec<WebhookPut> {
            ids.iter().map(|id| change(*id, |webhook| webhook.name = Some("x".into()))).collect()
        };
        let puts = renamed(&ids[..40]);
        let mut answer = bench.store.submit(move |staging| staging.put_webhooks(1, puts, 0)).unwrap();
        bench.rest();
        let refused = answer.try_recv().unwrap().map(|there| there.is_ok());
        assert!(matches!(refused, Err(Refusal::Invalid(ref invalid)) if invalid.field == "mode"), "{refused:?}");
        assert!(bench.store.registry().webhooks_of(1).all(|webhook| webhook.name.is_none()));
        assert_eq!(put(&mut bench, renamed(&ids[..30]), 0), Ok(30));
    }

    #[test]
    fn no_more_of_one_batch_hear_notices_than_one_by_one() {
        let mut bench = Bench::new();
        let hears = |webhook: &mut Webhook| webhook.notices = Some(Notices::default());
        let known = bench.webhook_with(hears);
        let many =
            |count: usize| (0..count).map(|_| new(hears)).chain([change(known, |one| one.name = Some("x".into()))]);
        let refused = put(&mut bench, many(HEARERS_MAX).collect(), 0);
        assert!(matches!(refused, Err((index, Refusal::Invalid(_))) if index == HEARERS_MAX - 1), "{refused:?}");
        assert_eq!(bench.store.registry().count_of_webhooks(1), 1);
        assert_eq!(put(&mut bench, many(HEARERS_MAX - 1).collect(), 0), Ok(HEARERS_MAX));
    }

    #[test]
    fn those_of_one_batch_have_so_many_order_keys_as_one_by_one() {
        let mut bench = Bench::new();
        let ordered = |n: usize| {
            let key = KeyPath::parse(&format!("data.k{n}")).ok();
            new(|webhook| webhook.order = Some(Order { key, on_dead: OnDead::Skip }))
        };
        let refused = put(&mut bench, (0..=ORDER_PATHS_MAX).map(ordered).collect(), 0);
        assert!(matches!(refused, Err((ORDER_PATHS_MAX, Refusal::Invalid(_)))), "{refused:?}");
        assert_eq!(put(&mut bench, (0..ORDER_PATHS_MAX).map(ordered).collect(), 0), Ok(ORDER_PATHS_MAX));
        assert_eq!(put(&mut bench, vec![ordered(0)], 0), Ok(1));
    }
}
