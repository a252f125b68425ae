//! What can still be read of a store that is damaged: accounts, webhooks and events, one by one. What stays true: it changes nothing,
//! it goes on behind whatever cannot be read, from the other end of a tree where a page is in the way, and counts what it left out;
//! secrets come along only where somebody asks for them, and where the key is there that they are sealed with.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::damage::{Damage, Reports};
use super::error::{OpenError, StoreError};
use super::layout::{self, Key, Tree};
use super::seal::MasterKeys;
use super::settings::Settings;
use super::trees::{Row, Trees, value_of};
use super::{event_rows, examine, master_keys, record};
use crate::domain::account::Account;
use crate::domain::event::Event;
use crate::domain::finding::PLACES_MAX;
use crate::domain::id::AccountNumber;
use crate::domain::time;
use crate::domain::webhook::Webhook;

/// What was got out, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Accounts.
    pub accounts: u64,
    /// Webhooks.
    pub webhooks: u64,
    /// Events.
    pub events: u64,
    /// Rows, or pages with many, that could not be read.
    pub lost: u64,
    /// Where the first of them are, and why.
    pub places: Vec<String>,
}

/// Gives what can be read to `line`, a JSON object each.
///
/// # Errors
/// Somebody has the store, it cannot be opened at all, or a line cannot be written.
pub fn rescue(
    settings: &Settings,
    secrets: bool,
    mut line: impl FnMut(&str) -> io::Result<()>,
) -> Result<Rescued, OpenError> {
    let keys = master_keys::read_what_is_there(settings).unwrap_or_else(|_| {
        // It opens nothing: what is sealed is left out, and counted.
        MasterKeys::new(&[Zeroizing::new([0; 32])]).expect("there is one")
    });
    let (trees, ..) = Trees::open_to_look(settings, Arc::<Reports>::default())?;
    let mut rescue = Rescue { trees: &trees, keys, secrets, done: Rescued::default() };
    let written = rescue.all(&mut line);
    let done = rescue.done;
    // Nothing of it was written.
    let _ = trees.close();
    written.map(|()| done).map_err(|error| OpenError::Io(settings.path.clone(), error))
}

struct Rescue<'a> {
    trees: &'a Trees,
    keys: MasterKeys,
    secrets: bool,
    done: Rescued,
}

/// Makes a line of a row; `None`: none is made of this one.
type Make<'a, R> = dyn FnMut(&mut R, Row) -> Result<Option<String>, StoreError> + 'a;

type Line<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

impl Rescue<'_> {
    fn all(&mut self, line: Line<'_>) -> io::Result<()> {
        let mut names = BTreeMap::new();
        let mut account = |rescue: &mut Self, (key, value): Row| {
            let account: Account = record::read_grown(Tree::Accounts, &key, &value)?;
            rescue.done.accounts += 1;
            let told = of_account(&account);
            names.insert(account.number, account.id);
            Ok(Some(told))
        };
        self.each(Tree::Accounts, &mut account, line)?;
        let name = |number: AccountNumber| names.get(&number).cloned().unwrap_or_else(|| format!("#{number}"));
        let mut webhook = |rescue: &mut Self, (key, value): Row| {
            let webhook: Webhook = rescue.keys.open(Tree::Webhooks, &key, &value)?;
            if webhook.is_deleted() {
                return Ok(None);
            }
            rescue.done.webhooks += 1;
            Ok(Some(of_webhook(&webhook, &name(webhook.account), rescue.secrets)))
        };
        self.each(Tree::Webhooks, &mut webhook, line)?;
        let mut event = |rescue: &mut Self, (key, value): Row| {
            let event = event_rows::whole_event(&|tree, key| rescue.trees.get(tree, key), &key, &value)?;
            let Some(event) = event else { return Ok(None) };
            let told = of_event(&event, &name(event.account)).map_err(|why| Damage::at(Tree::Events, &key, why))?;
            rescue.done.events += 1;
            Ok(Some(told))
        };
        self.each(Tree::Events, &mut event, line)
    }

    /// Each row of a tree that can be read, made a line.
    fn each(&mut self, tree: Tree, make: &mut Make<'_, Self>, line: Line<'_>) -> io::Result<()> {
        let mut last: Option<Key> = None;
        let mut rows = self.trees.written(tree, ..).stored();
        let stopped = loop {
            match rows.next() {
                None => return Ok(()),
                Some(Err(error)) => break error,
                Some(Ok(row)) => {
                    last = Some(row.0.to_vec());
                    self.one(tree, row, make, line)?;
                }
            }
        };
        self.lose(format!("{}: {stopped}; what is on that page is left out", tree.name()));
        // sled goes from page to page: what is behind this one can be met from the other end alone.
        let from = last.map_or_else(Key::new, |last| layout::just_after(&last));
        for row in self.trees.written(tree, from..).stored_back() {
            match row {
                Err(_) => break,
                Ok(row) => self.one(tree, row, make, line)?,
            }
        }
        Ok(())
    }

    fn one(&mut self, tree: Tree, (key, stored): Row, make: &mut Make<'_, Self>, line: Line<'_>) -> io::Result<()> {
        if !examine::fits(tree, &key) {
            self.lose(Damage::at(tree, &key, "its key is none").to_string());
            return Ok(());
        }
        match value_of(tree, &key, stored).and_then(|value| make(self, (key, value))) {
            Ok(None) => Ok(()),
            Ok(Some(made)) => line(&made),
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

fn of_account(account: &Account) -> String {
    let Account { id, name, dialect, created_at, tags, .. } = account;
    let created_at = time::rfc3339(*created_at);
    json!({"kind": "account", "id": id, "name": name, "dialect": dialect, "created_at": created_at, "tags": tags})
        .to_string()
}

fn of_webhook(webhook: &Webhook, account: &str, secrets: bool) -> String {
    let events: Vec<_> = webhook.events.iter().map(ToString::to_string).collect();
    let mut told = json!({
        "kind": "webhook", "account": account, "id": webhook.id.to_string(), "uid": webhook.uid, "name": webhook.name,
        "description": webhook.description, "dialect": webhook.dialect, "url": webhook.url.as_str(), "events": events,
        "channels": webhook.channels, "tags": webhook.tags, "metadata": webhook.metadata,
        "created_at": time::rfc3339(webhook.created_at),
    });
    if secrets {
        told["secrets"] = webhook.secrets.iter().map(|one| Value::from(one.secret.reveal())).collect();
        told["headers"] = json!(webhook.headers);
    }
    told.to_string()
}

/// The producer's bytes stay as they are.
fn of_event(event: &Event, account: &str) -> Result<String, String> {
    let raw = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?;
        RawValue::from_string(text).map_err(|error| error.to_string())
    };
    let some = |part: &Option<bytes::Bytes>| part.as_ref().map(|part| raw(part)).transpose();
    let line = EventLine {
        kind: "event",
        account,
        id: event.public_id(),
        event_type: &event.event_type,
        created_at: time::rfc3339(event.created_at),
        test: event.test,
        channels: &event.channels,
        data: raw(&event.data)?,
        actor: some(&event.actor)?,
        metadata: some(&event.metadata)?,
    };
    serde_json::to_string(&line).map_err(|error| error.to_string())
}

#[derive(serde::Serialize)]
struct EventLine<'a> {
    kind: &'static str,
    account: &'a str,
    id: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    created_at: String,
    test: bool,
    channels: &'a [String],
    data: Box<RawValue>,
    actor: Option<Box<RawValue>>,
    metadata: Option<Box<RawValue>>,
}
