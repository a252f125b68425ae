//! Takes one thing after the other into a server, wherever it comes from. What stays true: a thing that cannot be taken is told with
//! its place and holds up no other; and memory grows with the webhooks of one account, not with what is imported.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::entry::{Entry, Item, What};
use super::events::{self, Batch};
use super::index::Index;
use super::there::{Stop, There};
use super::told::{Done, Outcome, Told};
use super::{accounts, dialects, event_types, webhooks};
use crate::cli::error::CliError;
use crate::clock::Clock;
use crate::domain::endpoint::place_of;

/// What is asked of an import.
#[derive(Debug)]
pub struct Wanted {
    /// Which kinds of things are taken.
    pub what: Vec<What>,
    /// Whose things are taken; of all, where none is named.
    pub accounts: Vec<String>,
    /// Whether events are published.
    pub publishes: bool,
    /// Where files of dialects are written.
    pub dialects: Option<PathBuf>,
}

/// An import under way.
pub struct Importer {
    there: There,
    wanted: Wanted,
    told: Told,
    clock: Clock,
    /// The webhooks of the account whose turn it is.
    index: Option<Index>,
    batch: Batch,
    /// Accounts that a dry run would have made.
    to_come: BTreeSet<String>,
}

impl Importer {
    /// One that has done nothing yet.
    pub fn new(there: There, wanted: Wanted, told: Told) -> Self {
        let (index, batch, to_come) = (None, Batch::default(), BTreeSet::new());
        Self { there, wanted, told, clock: Clock::real(), index, batch, to_come }
    }

    /// Whether things of this kind are taken.
    pub fn wants(&self, what: What) -> bool {
        self.wanted.what.contains(&what)
    }

    /// Whether things of this account are taken.
    pub fn wants_of(&self, account: &str) -> bool {
        self.wanted.accounts.is_empty() || self.wanted.accounts.iter().any(|wanted| wanted == account)
    }

    /// Takes a thing, if it is wanted.
    pub async fn take(&mut self, entry: Entry) -> Result<(), CliError> {
        let what = entry.item.what();
        let of = match &entry.item {
            Item::Dialect(..) => None,
            Item::Account(line) => line["id"].as_str(),
            _ => Some(entry.account.as_deref().unwrap_or(&self.there.account)),
        };
        if !self.wants(what) || of.is_some_and(|account| !self.wants_of(account)) {
            return Ok(());
        }
        if let Item::Event(line) = &entry.item {
            return self.event(&entry, line).await;
        }
        self.publish().await?;
        entry.left.iter().for_each(|left| self.told.left(&entry.place, left));
        let done = match self.place(&entry).await {
            Ok(done) => entry.left.iter().fold(done, |done, left| done.with(format!("not carried over: {left}"))),
            Err(Stop::Line(why)) => Done::refused(why),
            Err(Stop::All(error)) => return Err(error),
        };
        self.told.one(&entry.place, what.kind(), &self.name(&entry), &done)
    }

    /// Tells of a line that is nothing to import.
    pub fn refuse(&mut self, place: &str, why: String) -> Result<(), CliError> {
        self.told.one(place, "line", "", &Done::refused(why))
    }

    /// Notes what is not carried over, of no thing in particular.
    pub fn left(&mut self, place: &str, what: &str) {
        self.told.left(place, what);
    }

    /// Notes a line of history.
    pub fn history(&mut self, kind: String) {
        self.told.history(kind);
    }

    /// Ends it; an error, if something is not there or needs a hand.
    pub async fn end(mut self) -> Result<(), CliError> {
        self.publish().await?;
        self.told.end()
    }

    async fn place(&mut self, entry: &Entry) -> Result<Done, Stop> {
        let is_dry = self.told.is_dry();
        match &entry.item {
            Item::Dialect(name, text) => {
                dialects::place(&self.there, (name, text), self.wanted.dialects.as_deref(), is_dry).await
            }
            Item::Account(line) => {
                let done = accounts::place(&self.there, line, is_dry).await?;
                if is_dry && done.outcome == Outcome::Made {
                    self.to_come.extend(line["id"].as_str().map(str::to_owned));
                }
                Ok(done)
            }
            Item::EventType(line) => {
                let account = self.account(entry)?;
                if self.to_come.contains(&account) {
                    return Ok(Done::of(Outcome::Made));
                }
                event_types::place(&self.there, &account, line, is_dry).await
            }
            Item::Webhook(line) => {
                let account = self.account(entry)?;
                if self.index.as_ref().is_none_or(|index| index.account != account) {
                    let is_there = !self.to_come.contains(&account);
                    self.index = Some(Index::of(&self.there, &account, is_there).await?);
                }
                let index = self.index.get_or_insert_default();
                webhooks::place(&self.there, index, line, (is_dry, self.clock.wall())).await
            }
            Item::Event(_) => Ok(Done::of(Outcome::Skipped)),
        }
    }

    /// Whose a thing is, where the key may act for them.
    fn account(&self, entry: &Entry) -> Result<String, Stop> {
        match &entry.account {
            None => Ok(self.there.account.clone()),
            Some(account) if self.there.is_admin || *account == self.there.account => Ok(account.clone()),
            Some(account) => Err(Stop::Line(format!(
                "account: is {account:?}, and this key acts for {:?} alone: import with an admin key, or with one of that account",
                self.there.account
            ))),
        }
    }

    async fn event(&mut self, entry: &Entry, line: &str) -> Result<(), CliError> {
        let kind = What::Events.kind();
        let event = match events::read(&entry.place, line) {
            Ok(event) => event,
            Err(not) => return self.told.one(&entry.place, kind, &not.0, &not.1),
        };
        if !self.wanted.publishes || self.told.is_dry() {
            let outcome = if self.wanted.publishes { Outcome::Made } else { Outcome::Skipped };
            return self.told.one(&entry.place, kind, &event.id, &Done::of(outcome));
        }
        let account = match self.account(entry) {
            Ok(account) => account,
            Err(Stop::Line(why)) => return self.told.one(&entry.place, kind, &event.id, &Done::refused(why)),
            Err(Stop::All(error)) => return Err(error),
        };
        if !self.batch.has_room(&account, &event) {
            self.publish().await?;
        }
        self.batch.add(&account, event);
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), CliError> {
        match self.batch.publish(&self.there).await {
            Ok(all) => {
                let kind = What::Events.kind();
                all.into_iter().try_for_each(|(event, done)| self.told.one(&event.place, kind, &event.id, &done))
            }
            Err(Stop::Line(why)) => Err(CliError::Failed(why)),
            Err(Stop::All(error)) => Err(error),
        }
    }

    /// What people call it.
    fn name(&self, entry: &Entry) -> String {
        let text = |line: &Value, names: &[&str]| {
            names.iter().find_map(|name| line[*name].as_str()).unwrap_or("without a name").to_owned()
        };
        let account = entry.account.as_deref().unwrap_or(&self.there.account);
        match &entry.item {
            Item::Dialect(name, _) => name.clone(),
            Item::Account(line) => text(line, &["id"]),
            Item::EventType(line) => format!("{account}/{}", text(line, &["type"])),
            Item::Webhook(line) => {
                let names = ["uid", "id"].iter().find_map(|name| line[*name].as_str());
                // What stands behind the host may be a secret.
                let name = names.map(str::to_owned).or_else(|| line["url"].as_str().map(place_of));
                format!("{account}/{}", name.as_deref().unwrap_or("without a name"))
            }
            Item::Event(_) => String::new(),
        }
    }
}
