//! How an account leaves: from the commit that says so on nothing of it is served or sent, and nothing is written for it any
//! more; then a job removes all that there is of it, some rows a step: its webhooks, its events with what belongs to them, what
//! is left of its webhooks, all other rows, and last the account itself. Only then its id is free again. What stays true: each
//! step finds what is left by looking, so a crash repeats a step and leaves out nothing.

use super::duty::{STEP_ROWS_MAX, STEP_STEPS_MAX, keys_from};
use super::error::{Refusal, StoreError};
use super::layout::{self, Key, OPEN, Tree, end_of};
use super::leaving::{Left, STEP_KEYS_MAX};
use super::staging::Staging;
use crate::domain::account::{DEFAULT_ACCOUNT, OPERATOR_ACCOUNT};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::job::{Bulk, Job, JobKind, JobState, Looked, Source};
use crate::domain::stats::Series;

/// What lies there by the number of its account, once its events and webhooks are gone.
const OF_ACCOUNT: [Tree; 13] = [
    Tree::Events,
    Tree::Chunks,
    Tree::Bodies,
    Tree::Names,
    Tree::Idempotency,
    Tree::FanOut,
    Tree::Dead,
    Tree::Jobs,
    Tree::Audit,
    Tree::EventTypes,
    Tree::Users,
    Tree::Sessions,
    Tree::Tickets,
];
/// What lies there by the number of its webhook, once its deliveries are gone.
const OF_WEBHOOK: [Tree; 3] = [Tree::Due, Tree::Ordered, Tree::Quiet];

impl Staging<'_> {
    /// Deletes an account: for everybody at once, and all that is kept of it in steps, as a job of the account that exists
    /// from the start.
    pub fn delete_account(&mut self, number: AccountNumber) -> Result<Job, Refusal> {
        let account = self.registry().account(number).filter(|account| account.deleted_at.is_none()).cloned();
        let mut account = (*account.ok_or(Refusal::NotFound("account"))?).clone();
        if [DEFAULT_ACCOUNT, OPERATOR_ACCOUNT].contains(&account.id.as_str()) {
            return Err(Refusal::AccountStays(account.id));
        }
        let owner = self.registry().account_by_id(DEFAULT_ACCOUNT).map(|owner| owner.number);
        let owner = owner.ok_or(Refusal::NotFound("account"))?;
        let source = Source::Account { number, id: account.id.clone() };
        let (event_type, from, to) = (None, None, None);
        let job = self.create_job(Bulk { account: owner, kind: JobKind::Delete, source, event_type, from, to })?;
        account.deleted_at = Some(self.now());
        self.put(Tree::Accounts, layout::number(number).to_vec(), &account);
        self.registry_mut().put_account(account);
        Ok(job)
    }

    /// One step of the job that removes an account. Says whether it did anything.
    pub(super) fn step_out(&mut self, job: &mut Job, account: AccountNumber) -> Result<bool, StoreError> {
        let is_over = match job.part {
            0 => self.delete_webhooks_of(job, account)?,
            1 if self.has_to_come_before(account, u128::MAX)? => return Ok(false),
            1 => self.delete_events_of(job, account)?,
            2 => self.forget_webhooks_of(job, account)?,
            _ => self.remove_rows_of(account)?,
        };
        if is_over && !job.next_part() {
            self.forget_account(account);
            job.end(JobState::Done, self.now());
        }
        Ok(true)
    }

    /// Its webhooks from there on, some.
    fn some_webhooks_of(&self, job: &Job, account: AccountNumber) -> Vec<WebhookNumber> {
        let is_next = |number: &WebhookNumber| job.after.is_none_or(|after| u128::from(*number) > after);
        self.registry().webhooks_ever_of(account).filter(is_next).take(STEP_ROWS_MAX).collect()
    }

    /// They send nothing more already; from here on they want nothing either, and upkeep ends what is open of them.
    fn delete_webhooks_of(&mut self, job: &mut Job, account: AccountNumber) -> Result<bool, StoreError> {
        let numbers = self.some_webhooks_of(job, account);
        for number in &numbers {
            let webhook = self.registry().webhook(*number).filter(|webhook| !webhook.is_deleted());
            if let Some(webhook) = webhook
                && let Err(Refusal::Failed(error)) = self.delete_webhook(account, webhook.id)
            {
                return Err(error);
            }
            job.after = Some((*number).into());
        }
        Ok(numbers.len() < STEP_ROWS_MAX)
    }

    fn delete_events_of(&mut self, job: &mut Job, account: AccountNumber) -> Result<bool, StoreError> {
        let from = job.after.map_or(layout::number(account).to_vec(), |after| layout::numbered(account, after + 1));
        let (keys, complete) = keys_from(self, Tree::Events, &from, &end_of(account), STEP_ROWS_MAX)?;
        let (before, steps_before) = (self.keys(), self.steps.get());
        for key in keys {
            let room = STEP_KEYS_MAX.saturating_sub(self.keys() - before);
            if room == 0 || self.steps.get() - steps_before >= STEP_STEPS_MAX {
                return Ok(false);
            }
            let id = layout::read_event(&key);
            let left = self.leave_some(JobKind::Delete, account, id, job.within(id), room);
            match self.trees().readable(left)? {
                Some(Left::Whole) => job.count(id.0, Looked::Done),
                Some(Left::Until(at)) => {
                    job.within = Some((id, at));
                    return Ok(false);
                }
                Some(Left::Waits) => return Ok(false),
                // Its row goes with all others.
                None => job.count(id.0, Looked::Skipped),
            }
        }
        Ok(complete)
    }

    fn forget_webhooks_of(&mut self, job: &mut Job, account: AccountNumber) -> Result<bool, StoreError> {
        let numbers = self.some_webhooks_of(job, account);
        let before = self.keys();
        for number in &numbers {
            if self.keys() - before >= STEP_KEYS_MAX || !self.forget_webhook_whole(account, *number)? {
                return Ok(false);
            }
            job.count((*number).into(), Looked::Done);
        }
        Ok(numbers.len() < STEP_ROWS_MAX)
    }

    /// Removes what no event led to of a webhook, some of it; then the webhook. Says whether that is done.
    fn forget_webhook_whole(&mut self, account: AccountNumber, number: WebhookNumber) -> Result<bool, StoreError> {
        let start = layout::number(number).to_vec();
        for tree in OPEN.into_iter().chain([Tree::Closed]) {
            let (keys, _) = keys_from(self, tree, &start, &end_of(number), STEP_ROWS_MAX)?;
            if keys.is_empty() {
                continue;
            }
            let before = self.keys();
            for key in keys {
                let left = self.leave_delivery(JobKind::Delete, account, layout::read_delivery(&key));
                if self.trees().readable(left)?.is_none() {
                    self.remove_unreadable(tree, key, number)?;
                }
                // Each may have further attempts.
                if self.keys() - before >= STEP_KEYS_MAX {
                    break;
                }
            }
            return Ok(false);
        }
        let aside = OPEN.into_iter().chain([Tree::Closed, Tree::Webhooks, Tree::Tallies]).chain(OF_WEBHOOK);
        let aside = aside.map(|tree| (Tree::Quarantine, layout::quarantined(tree, &start)));
        let rows = OF_WEBHOOK.into_iter().map(|tree| (tree, start.clone())).chain(aside);
        if self.remove_some(account, rows)? {
            return Ok(false);
        }
        self.forget_webhook_now(number)?;
        Ok(self.registry().account_of_webhook(number).is_none())
    }

    /// A delivery of which nothing can be told but that it was there, with its attempts.
    fn remove_unreadable(&mut self, tree: Tree, key: Key, webhook: WebhookNumber) -> Result<(), StoreError> {
        let mut bytes = 0;
        match tree {
            Tree::Closed => bytes += self.bytes_at(tree, &key)?,
            _ => self.tally(webhook).count_end(DeliveryState::Cancelled),
        }
        for attempt in self.keys_that_begin(Tree::Attempts, &layout::read_delivery(&key).to_bytes())? {
            bytes += self.bytes_at(Tree::Attempts, &attempt)?;
            self.stage(Tree::Attempts, attempt, None);
        }
        self.delivery_bytes_gone(webhook, bytes);
        self.stage(tree, key, None);
        Ok(())
    }

    /// Removes some of all other rows. Says whether none was left.
    fn remove_rows_of(&mut self, account: AccountNumber) -> Result<bool, StoreError> {
        let start = layout::number(account).to_vec();
        let aside = OF_ACCOUNT.into_iter().chain([Tree::Accounts, Tree::AccountTallies]);
        let aside = aside.map(|tree| (Tree::Quarantine, layout::quarantined(tree, &start)));
        let stats = (Tree::Stats, layout::stats_of(Series::Account(account)));
        let rows = OF_ACCOUNT.into_iter().map(|tree| (tree, start.clone())).chain(aside).chain([stats]);
        if self.remove_some(account, rows)? {
            return Ok(false);
        }
        let hashes = self.registry().hashes_of_keys(account, STEP_ROWS_MAX);
        for hash in &hashes {
            self.stage(Tree::Keys, hash.to_vec(), None);
            self.registry_mut().remove_key(hash);
        }
        Ok(hashes.is_empty())
    }

    /// Removes some rows of the first of these trees that has any which begin so. Says whether there were any.
    fn remove_some(
        &mut self,
        account: AccountNumber,
        rows: impl Iterator<Item = (Tree, Key)>,
    ) -> Result<bool, StoreError> {
        for (tree, prefix) in rows {
            let (keys, _) = keys_from(self, tree, &prefix, &layout::after_prefix(&prefix), STEP_ROWS_MAX)?;
            if keys.is_empty() {
                continue;
            }
            for key in keys {
                self.remove_replays(tree, &key)?;
                match tree {
                    Tree::Events | Tree::Chunks => {
                        let bytes = self.bytes_at(tree, &key)?;
                        self.event_bytes_gone(account, bytes);
                    }
                    Tree::Jobs => self.registry_mut().forget_job(account, layout::read_id(&key)),
                    Tree::Users => self.registry_mut().people_mut().remove(layout::read_user(&key)),
                    Tree::Quarantine => self.count_forgotten(&key),
                    _ => {}
                }
                self.stage(tree, key, None);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Those of an event whose row could not be read.
    fn remove_replays(&mut self, tree: Tree, row: &[u8]) -> Result<(), StoreError> {
        let event = match tree {
            Tree::Events => Some(row),
            Tree::Quarantine => layout::read_quarantined_of(Tree::Events, row),
            _ => None,
        };
        let Some(event) = event else { return Ok(()) };
        for replay in self.keys_that_begin(Tree::Replays, &layout::read_event(event).to_bytes())? {
            self.stage(Tree::Replays, replay, None);
        }
        Ok(())
    }

    fn count_forgotten(&self, row: &[u8]) {
        let of = layout::read_quarantined(row);
        let tree = Tree::ALL.iter().find(|(_, name)| *name == of);
        tree.into_iter().for_each(|(tree, _)| self.trees().reports().count_forgotten(*tree));
    }

    /// The last of it.
    fn forget_account(&mut self, account: AccountNumber) {
        self.forget_account_tally(account);
        for tree in [Tree::AccountTallies, Tree::Accounts] {
            self.stage(tree, layout::number(account).to_vec(), None);
        }
        let event_types = self.registry_mut().remove_account(account);
        drop(event_types);
    }
}

#[cfg(test)]
mod tests;
