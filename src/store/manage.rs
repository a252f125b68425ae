//! Webhooks, accounts and keys: what people change. The registry changes with them.

use serde_json::json;

use super::duty::{STEP_ROWS_MAX, keys_from};
use super::error::{Refusal, StoreError};
use super::layout::{self, Tree};
use super::registry::KeyHash;
use super::staging::Staging;
use crate::domain::Invalid;
use crate::domain::account::{Account, ApiKey};
use crate::domain::id::{AccountNumber, KeyId, WebhookId, WebhookNumber};
use crate::domain::notice::HEARERS_MAX;
use crate::domain::stats::{Counts, Series};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::{Status, Webhook};

/// In place of a webhook's number: the sum of the counters of those that are forgotten.
const FORGOTTEN: WebhookNumber = 0;
/// Different order keys among the webhooks of an account.
pub(super) const ORDER_PATHS_MAX: usize = 64;

impl Staging<'_> {
    /// Adds a webhook; its number and id are given here. `limit`: how many of its dialect the account may have.
    pub fn create_webhook(&mut self, mut webhook: Webhook, limit: Option<u32>) -> Result<Webhook, Refusal> {
        if let Some(limit) = limit
            && self.registry().count_of_dialect(webhook.account, &webhook.dialect) >= limit as usize
        {
            return Err(Refusal::WebhookLimit { limit });
        }
        self.refuse_too_many_orders(&webhook)?;
        self.refuse_taken_uid(&webhook)?;
        self.refuse_too_many_hearers(&webhook, 0)?;
        let number = self.next_number(layout::META_LAST_WEBHOOK)?;
        webhook.id = WebhookId(self.next_id(number));
        webhook.created_at = self.now();
        webhook.updated_at = self.now();
        self.put_webhook(webhook.clone());
        Ok(webhook)
    }

    /// What an event says at each path is asked once for all webhooks of its account, and kept beside its deliveries.
    fn refuse_too_many_orders(&self, webhook: &Webhook) -> Result<(), Refusal> {
        let Some(path) = webhook.order.as_ref().and_then(|order| order.key.as_ref()) else { return Ok(()) };
        let registry = self.registry();
        let mut known = registry.order_paths(webhook.account);
        if known.any(|known| known == path) || registry.order_paths(webhook.account).count() < ORDER_PATHS_MAX {
            return Ok(());
        }
        Err(too_many_orders())
    }

    pub(super) fn refuse_taken_uid(&self, webhook: &Webhook) -> Result<(), Refusal> {
        let registry = self.registry();
        let holder = webhook.uid.as_ref().and_then(|uid| registry.webhook_of_uid(webhook.account, uid));
        if holder.is_some_and(|holder| holder.id != webhook.id) { Err(Refusal::UidTaken) } else { Ok(()) }
    }

    /// One failure is told to each of them in the commit that records it. `beside`: those that are about to hear them, too.
    pub(super) fn refuse_too_many_hearers(&self, webhook: &Webhook, beside: usize) -> Result<(), Refusal> {
        if webhook.notices.is_none() || webhook.is_deleted() {
            return Ok(());
        }
        let registry = self.registry();
        let as_it_is = registry.webhook_of(webhook.account, webhook.id);
        let others =
            registry.count_of_hearers(webhook.account) - usize::from(as_it_is.is_some_and(|one| one.notices.is_some()));
        if others + beside < HEARERS_MAX {
            return Ok(());
        }
        let message =
            format!("at most {HEARERS_MAX} webhooks of an account hear notices; let one of them tell the others");
        Err(Invalid::new("notices", message).into())
    }

    /// Changes a webhook.
    pub fn update_webhook(
        &mut self,
        account: AccountNumber,
        id: WebhookId,
        change: impl FnOnce(&mut Webhook, UnixMs) -> Result<(), Refusal>,
    ) -> Result<Webhook, Refusal> {
        let mut webhook = self.webhook_of(account, id)?;
        let (was_active, before) = (webhook.is_active(), webhook.status.clone());
        change(&mut webhook, self.now())?;
        if !matches!(webhook.status, Status::Paused { .. }) {
            webhook.resumes_at = None;
        }
        self.refuse_too_many_orders(&webhook)?;
        self.refuse_taken_uid(&webhook)?;
        self.refuse_too_many_hearers(&webhook, 0)?;
        if webhook.is_active() && !was_active {
            // Who lets deliveries out again says that the endpoint is well.
            let now = self.now();
            let was_failing = self.tally(webhook.number()).failing_since.is_some();
            if let (Status::Disabled { since, .. }, true) = (&before, was_failing) {
                let facts = json!({"disabled_since": time::rfc3339(*since), "by": "request"});
                self.notice_of(&webhook, "webhook.recovered", facts)?;
            }
            self.tally(webhook.number()).forgive(now);
        }
        webhook.updated_at = self.now();
        self.put_webhook(webhook.clone());
        Ok(webhook)
    }

    /// Deletes a webhook: at once for everybody; upkeep cancels its open deliveries in small steps.
    pub fn delete_webhook(&mut self, account: AccountNumber, id: WebhookId) -> Result<(), Refusal> {
        let now = self.now();
        self.update_webhook(account, id, |webhook, _| {
            webhook.status = Status::Deleted { since: now };
            webhook.secrets.clear();
            webhook.headers.clear();
            webhook.allow.clear();
            (webhook.tls, webhook.description, webhook.condition) = (None, None, None);
            (webhook.uid, webhook.channels, webhook.auth, webhook.shape) = (None, Vec::new(), None, None);
            webhook.tags.clear();
            webhook.metadata.clear();
            Ok(())
        })?;
        Ok(())
    }

    /// Removes all that is known of a deleted webhook, or some of it where that is much; at another time if its last minute
    /// is yet to be added to its account's statistics. Says how many keys went.
    pub(super) fn forget_webhook(&mut self, number: WebhookNumber) -> Result<usize, StoreError> {
        let banked = self.finished.len();
        let tally = self.tally(number).clone();
        if self.finished.len() > banked || tally.minute.counts != Counts::default() {
            return Ok(0);
        }
        self.forget_webhook_now(number)
    }

    /// The same where nobody's statistics wait for its last minute: its account goes, too.
    pub(super) fn forget_webhook_now(&mut self, number: WebhookNumber) -> Result<usize, StoreError> {
        let tally = self.tally(number).clone();
        self.finished.retain(|(series, _)| *series != Series::Webhook(number));
        let rows = layout::stats_of(Series::Webhook(number));
        let (rows, complete) = keys_from(self, Tree::Stats, &rows, &layout::after_prefix(&rows), STEP_ROWS_MAX)?;
        let removed = rows.len();
        for row in rows {
            self.stage(Tree::Stats, row, None);
        }
        if !complete {
            return Ok(removed);
        }
        let quiet = self.keys_that_begin(Tree::Quiet, &layout::number(number))?;
        quiet.into_iter().for_each(|key| self.stage(Tree::Quiet, key, None));
        self.tally(FORGOTTEN).add(&tally);
        self.forget_tally(number);
        for tree in [Tree::Tallies, Tree::Webhooks] {
            self.stage(tree, layout::number(number).to_vec(), None);
        }
        self.registry_mut().remove_webhook(number);
        Ok(removed + 2)
    }

    /// Changes an account, but for its number and id. Gives it as it was and as it is.
    pub fn update_account(
        &mut self,
        number: AccountNumber,
        change: impl FnOnce(&mut Account) -> Result<(), Refusal>,
    ) -> Result<(Account, Account), Refusal> {
        let before = self.registry().account(number).map(|account| (**account).clone());
        let before = before.filter(|account| account.deleted_at.is_none());
        let before = before.ok_or(Refusal::NotFound("account"))?;
        let mut account = before.clone();
        change(&mut account)?;
        debug_assert_eq!((account.number, &account.id), (number, &before.id));
        self.put(Tree::Accounts, layout::number(number).to_vec(), &account);
        if account.limits.events_per_day != before.limits.events_per_day {
            // That the one before was reached says nothing of this one.
            self.account_tally(number).day_told_on = 0;
        }
        self.registry_mut().put_account(account.clone());
        Ok((before, account))
    }

    /// Adds an account; its number is given here.
    pub fn create_account(&mut self, mut account: Account) -> Result<Account, Refusal> {
        if self.registry().account_by_id(&account.id).is_some() {
            return Err(Refusal::AccountExists);
        }
        if self.registry().is_leaving(&account.id) {
            return Err(Refusal::AccountLeaving);
        }
        account.number = self.next_number(layout::META_LAST_ACCOUNT)?;
        account.created_at = self.now();
        self.put(Tree::Accounts, layout::number(account.number).to_vec(), &account);
        self.registry_mut().put_account(account.clone());
        Ok(account)
    }

    /// Adds a key; its id is given here.
    pub fn create_key(&mut self, hash: KeyHash, mut key: ApiKey) -> Result<ApiKey, Refusal> {
        if !self.registry().is_served(key.account) {
            return Err(Refusal::NotFound("account"));
        }
        key.id = KeyId(self.next_id(0));
        key.created_at = self.now();
        self.put(Tree::Keys, hash.to_vec(), &key);
        self.registry_mut().put_key(hash, key.clone());
        Ok(key)
    }

    /// Asserts that the account may have another webhook; 0: any number.
    pub fn vet_webhook_quota(&self, account: AccountNumber, limit: usize) -> Result<(), Refusal> {
        self.vet_webhook_quota_beside(account, limit, 0)
    }

    /// The same beside so many that are about to be made.
    pub(super) fn vet_webhook_quota_beside(
        &self,
        account: AccountNumber,
        limit: usize,
        beside: usize,
    ) -> Result<(), Refusal> {
        let (what, setting) = ("webhooks", "limits.webhooks_max");
        let quota = Refusal::OverQuota { what, limit, setting, remedy: "delete one, or let the operator raise it" };
        within(limit, self.registry().count_of_webhooks(account) + beside, quota)
    }

    /// Asserts that the account may have another key; 0: any number.
    pub fn vet_key_quota(&self, account: AccountNumber, limit: usize) -> Result<(), Refusal> {
        let (what, setting) = ("keys", "limits.keys_max");
        let quota = Refusal::OverQuota { what, limit, setting, remedy: "revoke one, or let the operator raise it" };
        within(limit, self.registry().count_of_keys(account), quota)
    }

    /// Removes a key of the account; it is refused from now on.
    pub fn revoke_key(&mut self, account: AccountNumber, id: KeyId) -> Result<(), Refusal> {
        let hash = self.registry().hash_of_key(account, id).ok_or(Refusal::NotFound("key"))?;
        self.stage(Tree::Keys, hash.to_vec(), None);
        self.registry_mut().remove_key(&hash);
        Ok(())
    }

    /// Writes down when the key of this hash was used. One that was revoked meanwhile stays gone.
    pub fn touch_key(&mut self, hash: KeyHash, at: UnixMs) {
        let Some(known) = self.registry().key(&hash).cloned() else { return };
        if known.last_used_at.is_some_and(|last| last >= at) {
            return;
        }
        let key = ApiKey { last_used_at: Some(at), ..(*known).clone() };
        self.put(Tree::Keys, hash.to_vec(), &key);
        self.registry_mut().put_key(hash, key);
    }

    pub(super) fn webhook_of(&self, account: AccountNumber, id: WebhookId) -> Result<Webhook, Refusal> {
        let webhook = self.registry().webhook_of(account, id);
        webhook.map(|webhook| (*webhook).clone()).ok_or(Refusal::NotFound("webhook"))
    }

    pub(super) fn put_webhook(&mut self, mut webhook: Webhook) {
        webhook.attempts_key.get_or_insert_with(|| self.new_key());
        self.seal(Tree::Webhooks, layout::number(webhook.number()).to_vec(), &webhook);
        self.notice.changed.push(webhook.number());
        self.registry_mut().put_webhook(webhook);
    }
}

/// An account has no room for another order key.
pub(super) fn too_many_orders() -> Refusal {
    let message = format!("the webhooks of an account have at most {ORDER_PATHS_MAX} different ones; use one of those");
    Invalid::new("order_key", message).into()
}

fn within(limit: usize, count: usize, quota: Refusal) -> Result<(), Refusal> {
    if limit > 0 && count >= limit { Err(quota) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::AccountLimits;
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, START};
    use crate::store::record;

    #[test]
    fn an_account_that_was_written_before_it_had_limits_has_none() {
        let mut bench = Bench::new();
        let before = (1_u32, "default", "Default", "standard", START);
        bench.put(Tree::Accounts, layout::number(1).to_vec(), record::encode(&before));
        bench.committer.let_go();
        bench.rest();
        let account = bench.store.registry().account(1).cloned().unwrap();
        assert_eq!((account.created_at, account.limits), (START, AccountLimits::default()));
        let keys_max = Some(3);
        bench.now(move |staging| {
            staging.update_account(1, |account| {
                account.limits.keys_max = keys_max;
                Ok(())
            })
        });
        bench.committer.let_go();
        bench.rest();
        assert_eq!(bench.store.registry().account(1).unwrap().limits, AccountLimits { keys_max, ..account.limits });
    }

    #[test]
    fn nothing_that_people_wrote_stays_of_a_webhook_that_is_deleted() {
        let mut bench = Bench::new();
        let id = bench.webhook_with(|webhook| {
            webhook.shape = Some(r#"{"keep":["data.a"]}"#.into());
            webhook.description = Some("of what it is".into());
            webhook.headers = vec![("x-key".into(), "secret".into())];
            webhook.tags = vec!["tag".into()];
        });
        bench.now(move |staging| staging.delete_webhook(1, id));
        let deleted = bench.store.registry().webhook(id.number()).unwrap();
        let of_filters = deleted.events.iter().map(|filter| filter.to_string().len() + 2).sum::<usize>();
        assert_eq!(deleted.texts_bytes(), deleted.url.as_str().len() + of_filters);
    }

    #[test]
    fn whoever_lets_deliveries_out_again_says_that_the_endpoint_is_well() {
        let mut bench = Bench::new();
        let id = bench.webhook_with(|_| {});
        let delivery = bench.publish().delivery_to(id.number());
        bench.settle(delivery, 1, Next::Dead);
        let failures = |bench: &Bench| bench.store.tally(id.number()).unwrap().consecutive_failures;
        bench.change(id, |webhook| webhook.name = Some("a name says nothing".into()));
        assert_eq!(failures(&bench), 1);
        bench.change(id, |webhook| webhook.status = Status::Paused { since: START });
        assert_eq!(failures(&bench), 1);
        bench.change(id, |webhook| webhook.status = Status::Active);
        assert_eq!(failures(&bench), 0);
    }

    #[test]
    fn a_webhook_that_is_forgotten_costs_two_keys_and_those_of_its_statistics() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        bench.publish();
        let forget = |staging: &mut Staging<'_>, number| Ok(staging.forget_webhook(number)?);
        assert_eq!(bench.now(move |staging| forget(staging, webhook)), 0, "its minute is not over");
        bench.turn(60_000);
        assert_eq!(bench.now(move |staging| forget(staging, webhook)), 0, "nor told");
        assert_eq!(bench.now(move |staging| forget(staging, webhook)), 3 + 2, "its minute, hour and day");
        let fresh = bench.webhook();
        assert_eq!(bench.now(move |staging| forget(staging, fresh)), 2);
    }
}
