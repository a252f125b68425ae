//! What is there, counted as a pass meets it, against what was counted as it came and went.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::known::{Known, readable};
use super::noted::{Change, Wrong};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::stats::AccountTally;
use crate::domain::time::UnixMs;
use crate::store::error::StoreError;
use crate::store::layout::{self, META_LAST_ACCOUNT, META_LAST_ID, META_LAST_WEBHOOK, Tree};
use crate::store::trees::{Trees, bytes_of};
use crate::store::{record, rows};

/// The bits of an id that hold a number.
const NUMBER_BITS: u32 = 32;

/// What was met. It grows with webhooks and accounts.
#[derive(Debug, Default)]
pub struct Counted {
    /// Rows.
    pub rows: u64,
    /// Whether all were met: no page was in the way, and no key was none of its tree.
    pub is_whole: bool,
    event_bytes: u64,
    of_account: BTreeMap<AccountNumber, u64>,
    /// Open deliveries, and bytes of those that have ended with their attempts.
    of_webhook: BTreeMap<WebhookNumber, (u64, u64)>,
    greatest_id: u128,
    /// When the first and the last of the events were accepted.
    of_events: Option<(UnixMs, UnixMs)>,
}

/// How large a store is, and in which time it became so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grown {
    /// Bytes of its files.
    pub files_bytes: u64,
    /// Bytes of events, deliveries and attempts in them: what retention counts.
    pub kept_bytes: u64,
    /// Milliseconds between the first and the last of its events.
    pub over_ms: u64,
}

impl Counted {
    /// A row, whether or not it can be read.
    pub fn add(&mut self, tree: Tree, key: &[u8], stored: &[u8]) {
        self.rows += 1;
        let bytes = bytes_of(key, stored) as u64;
        if tree == Tree::Events {
            let at = EventId(layout::read_id(key)).time();
            let (first, last) = self.of_events.unwrap_or((at, at));
            self.of_events = Some((first.min(at), last.max(at)));
        }
        match tree {
            Tree::Events | Tree::Chunks => {
                self.event_bytes += bytes;
                *self.of_account.entry(layout::read_number(key)).or_default() += bytes;
            }
            Tree::Blocked | Tree::Fresh | Tree::Waiting => self.webhook(layout::read_number(key)).0 += 1,
            Tree::Closed => self.webhook(layout::read_number(key)).1 += bytes,
            Tree::Attempts => {
                let id = key.first_chunk().map(|id| DeliveryId::from_bytes(*id));
                id.into_iter().for_each(|id| self.webhook(id.webhook()).1 += bytes);
            }
            _ => {}
        }
        use Tree::{Audit, Blocked, Bodies, Closed, Events, Fresh, Jobs, Journal, Users, Waiting};
        if matches!(tree, Events | Bodies | Blocked | Fresh | Waiting | Closed | Audit | Jobs | Users | Journal) {
            self.greatest_id = self.greatest_id.max(layout::read_id(key));
        }
    }

    /// How large the store is; `None` where not all was met, or no event is there.
    pub fn grown(&self, trees: &Trees) -> Result<Option<Grown>, StoreError> {
        let Some((first, last)) = self.of_events.filter(|_| self.is_whole) else { return Ok(None) };
        let kept_bytes = self.event_bytes + self.of_webhook.values().map(|(_, bytes)| bytes).sum::<u64>();
        Ok(Some(Grown { files_bytes: trees.size_bytes()?, kept_bytes, over_ms: last - first }))
    }

    fn webhook(&mut self, number: WebhookNumber) -> &mut (u64, u64) {
        self.of_webhook.entry(number).or_default()
    }

    /// Where what is there is not what was counted.
    pub fn against(&self, trees: &Trees, known: &Known) -> Result<Vec<Wrong>, StoreError> {
        let mut wrong = self.numbers(trees)?;
        for account in known.counted() {
            let key = layout::number(account).to_vec();
            let Some(tally) = readable(rows::account_tally(trees, account))? else { continue };
            let there = self.of_account.get(&account).copied().unwrap_or(0);
            if tally.event_bytes != there {
                let why = format!("{there} are there, and {} were counted", tally.event_bytes);
                let mended = AccountTally { event_bytes: there, ..tally };
                let one = Wrong::of(Kind::AccountTally, Tree::AccountTallies, &key).since(why);
                wrong.push(one.mended_by([(Tree::AccountTallies, key, Some(record::encode(&mended)))]));
            }
        }
        for webhook in known.webhooks() {
            wrong.extend(self.tally(trees, webhook)?);
        }
        Ok(wrong)
    }

    fn tally(&self, trees: &Trees, webhook: WebhookNumber) -> Result<Option<Wrong>, StoreError> {
        let key = layout::number(webhook).to_vec();
        let Some(mut tally) = readable(rows::tally(trees, webhook))? else { return Ok(None) };
        let (open, bytes) = self.of_webhook.get(&webhook).copied().unwrap_or_default();
        if (tally.open(), tally.bytes) == (open, bytes) {
            return Ok(None);
        }
        let why = format!(
            "{open} open deliveries and {bytes} bytes of others are there, {} and {} were counted",
            tally.open(),
            tally.bytes
        );
        tally.bytes = bytes;
        tally.deliveries = open + tally.succeeded + tally.dead + tally.cancelled;
        let one = Wrong::of(Kind::Tally, Tree::Tallies, &key).since(why);
        Ok(Some(one.mended_by([(Tree::Tallies, key, Some(record::encode(&tally)))])))
    }

    /// The numbers in `meta`.
    fn numbers(&self, trees: &Trees) -> Result<Vec<Wrong>, StoreError> {
        let mut wrong = Vec::new();
        let last =
            trees.get(Tree::Meta, META_LAST_ID).and_then(|stored| stored.map(|one| rows::last(&one)).transpose());
        let last = readable(last)?.flatten();
        if let Some((id, bytes)) = last {
            let mend = || self.last_id(id);
            if bytes != self.event_bytes {
                let why = format!("{} are there, and {bytes} were counted", self.event_bytes);
                wrong.push(Wrong::of(Kind::EventBytes, Tree::Meta, META_LAST_ID).since(why).mended_by([mend()]));
            }
            // An id and those of its deliveries differ in their last bits alone.
            if id >> NUMBER_BITS < self.greatest_id >> NUMBER_BITS {
                wrong.push(Wrong::of(Kind::Number, Tree::Meta, META_LAST_ID).mended_by([mend()]));
            }
        }
        for counter in [META_LAST_WEBHOOK, META_LAST_ACCOUNT] {
            let greatest = rows::greatest_number(trees, counter)?;
            let Some(stored) = readable(trees.get(Tree::Meta, counter))? else { continue };
            let given =
                stored.as_deref().and_then(|given| given.first_chunk()).map_or(0, |one| u32::from_be_bytes(*one));
            if given < greatest {
                let put = (Tree::Meta, counter.to_vec(), Some(layout::number(greatest).to_vec()));
                wrong.push(Wrong::of(Kind::Number, Tree::Meta, counter).mended_by([put]));
            }
        }
        Ok(wrong)
    }

    /// The row of the greatest id as it should be; who writes adds to it what it knows of its groups.
    pub fn last_id(&self, given: u128) -> Change {
        let id = given.max(self.greatest_id);
        let row = [id.to_be_bytes().as_slice(), &self.event_bytes.to_be_bytes()].concat();
        (Tree::Meta, META_LAST_ID.to_vec(), Some(row))
    }
}
