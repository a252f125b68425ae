//! What can still be read of a store that is damaged: accounts, webhooks, event types and events, one by one. What stays true: it
//! changes nothing, it goes on behind whatever cannot be read, from the other end of a tree where a page is in the way, and counts
//! what it left out; and what is sealed comes along only where the key is there that it is sealed with.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::damage::{Damage, Reports};
use super::error::{OpenError, StoreError};
use super::event_rows::{self, EventHead};
use super::layout::{self, Key, Tree};
use super::seal::MasterKeys;
use super::settings::Settings;
use super::trees::{Row, Trees, value_of};
use super::{examine, master_keys, record};
use crate::domain::account::Account;
use crate::domain::event::Event;
use crate::domain::event_type::OwnType;
use crate::domain::finding::PLACES_MAX;
use crate::domain::id::AccountNumber;
use crate::domain::webhook::Webhook;

/// One thing that was got out; with the id of its account, where that can be read.
pub enum Saved<'a> {
    /// An account.
    Account(&'a Account),
    /// A webhook.
    Webhook(&'a Webhook, &'a str),
    /// An event type that an account has written down.
    EventType(&'a OwnType, &'a str),
    /// An event.
    Event(&'a EventHead, &'a Event, &'a str),
}

/// What was got out, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Accounts.
    pub accounts: u64,
    /// Webhooks.
    pub webhooks: u64,
    /// Event types.
    pub event_types: u64,
    /// Events.
    pub events: u64,
    /// Rows, or pages with many, that could not be read.
    pub lost: u64,
    /// Where the first of them are, and why.
    pub places: Vec<String>,
}

/// Makes a line of what was got out; why there is none, in words.
type Told<'a> = &'a dyn Fn(&Saved<'_>) -> Result<Vec<u8>, String>;
/// Takes a line.
type Line<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// Gives what can be read to `line`, as `told` says it.
///
/// # Errors
/// Somebody has the store, it cannot be opened at all, or a line is not taken.
pub fn rescue(settings: &Settings, told: Told<'_>, line: Line<'_>) -> Result<Rescued, OpenError> {
    let keys = master_keys::read_what_is_there(settings).unwrap_or_else(|_| {
        // It opens nothing: what is sealed is left out, and counted.
        MasterKeys::new(&[Zeroizing::new([0; 32])]).expect("there is one")
    });
    let (trees, ..) = Trees::open_to_look(settings, Arc::<Reports>::default())?;
    let mut rescue = Rescue { trees: &trees, keys, told, line, names: BTreeMap::new(), done: Rescued::default() };
    let written = rescue.all();
    let done = rescue.done;
    // Nothing of it was written.
    let _ = trees.close();
    written.map(|()| done).map_err(|error| OpenError::Io(settings.path.clone(), error))
}

struct Rescue<'a> {
    trees: &'a Trees,
    keys: MasterKeys,
    told: Told<'a>,
    line: Line<'a>,
    /// The ids of the accounts.
    names: BTreeMap<AccountNumber, String>,
    done: Rescued,
}

/// Makes a line of a row; `None`: none is made of this one.
type Make<'a> = fn(&mut Rescue<'a>, &Row) -> Result<Option<Vec<u8>>, StoreError>;

impl<'a> Rescue<'a> {
    fn all(&mut self) -> io::Result<()> {
        self.each(Tree::Accounts, Self::account)?;
        self.each(Tree::Webhooks, Self::webhook)?;
        self.each(Tree::EventTypes, Self::event_type)?;
        self.each(Tree::Events, Self::event)
    }

    fn account(&mut self, (key, value): &Row) -> Result<Option<Vec<u8>>, StoreError> {
        let account: Account = record::read_grown(Tree::Accounts, key, value)?;
        let line = self.tell(Tree::Accounts, key, &Saved::Account(&account))?;
        self.done.accounts += 1;
        self.names.insert(account.number, account.id);
        Ok(Some(line))
    }

    fn webhook(&mut self, (key, value): &Row) -> Result<Option<Vec<u8>>, StoreError> {
        let webhook: Webhook = self.keys.open(Tree::Webhooks, key, value)?;
        if webhook.is_deleted() {
            return Ok(None);
        }
        let line = self.tell(Tree::Webhooks, key, &Saved::Webhook(&webhook, &self.name(webhook.account)))?;
        self.done.webhooks += 1;
        Ok(Some(line))
    }

    fn event_type(&mut self, (key, value): &Row) -> Result<Option<Vec<u8>>, StoreError> {
        let known: OwnType = record::read_grown(Tree::EventTypes, key, value)?;
        let name = self.name(layout::read_number(key));
        let line = self.tell(Tree::EventTypes, key, &Saved::EventType(&known, &name))?;
        self.done.event_types += 1;
        Ok(Some(line))
    }

    fn event(&mut self, (key, value): &Row) -> Result<Option<Vec<u8>>, StoreError> {
        let head = event_rows::event_head(self.trees, key, value)?;
        let event = event_rows::whole_event(&|tree, key| self.trees.get(tree, key), key, value)?;
        // Nothing is left of one that was purged, and what the server has told is news no more.
        let Some(event) = event.filter(|_| !head.notice) else { return Ok(None) };
        let line = self.tell(Tree::Events, key, &Saved::Event(&head, &event, &self.name(event.account)))?;
        self.done.events += 1;
        Ok(Some(line))
    }

    fn name(&self, account: AccountNumber) -> String {
        self.names.get(&account).cloned().unwrap_or_else(|| format!("#{account}"))
    }

    fn tell(&self, tree: Tree, key: &[u8], saved: &Saved<'_>) -> Result<Vec<u8>, StoreError> {
        (self.told)(saved).map_err(|why| Damage::at(tree, key, why).into())
    }

    /// Each row of a tree that can be read, made a line.
    fn each(&mut self, tree: Tree, make: Make<'a>) -> io::Result<()> {
        let mut last: Option<Key> = None;
        let mut rows = self.trees.written(tree, ..).stored();
        let stopped = loop {
            match rows.next() {
                None => return Ok(()),
                Some(Err(error)) => break error,
                Some(Ok(row)) => {
                    last = Some(row.0.to_vec());
                    self.one(tree, row, make)?;
                }
            }
        };
        self.lose(format!("{}: {stopped}; what is on that page is left out", tree.name()));
        // sled goes from page to page: what is behind this one can be met from the other end alone.
        let from = last.map_or_else(Key::new, |last| layout::just_after(&last));
        for row in self.trees.written(tree, from..).stored_back() {
            match row {
                Err(_) => break,
                Ok(row) => self.one(tree, row, make)?,
            }
        }
        Ok(())
    }

    fn one(&mut self, tree: Tree, (key, stored): Row, make: Make<'a>) -> io::Result<()> {
        if !examine::fits(tree, &key) {
            self.lose(Damage::at(tree, &key, "its key is none").to_string());
            return Ok(());
        }
        match value_of(tree, &key, stored).and_then(|value| make(self, &(key, value))) {
            Ok(None) => Ok(()),
            Ok(Some(made)) => (self.line)(&made),
            Err(error) => {
                self.lose(error.to_string());
                Ok(())
            }
        }
    }

    fn lose(&mut self, place: String) {
        self.done.lost += 1;
        if self.done.places.len() < PLACES_MAX {
            self.done.places.push(place);
        }
    }
}
