//! What a project of Convoy has: owners of endpoints are accounts, an endpoint with its subscriptions is a webhook, with its secrets;
//! and its event types. What stays true: an endpoint that got less than its event types say, since Convoy filtered or changed what it
//! sent, sends nothing here until somebody has seen to it; and what has no counterpart is named.

mod dialect;
mod webhook;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::webhook::{Wanted, webhook};
use super::entry::{Entry, Item, What};
use super::importer::Importer;
use super::theirs::{Paging, Theirs, text};
use crate::cli::error::CliError;
use crate::domain::account::NAME_CHARS_MAX;

/// Its lists.
const PAGING: Paging = Paging {
    query: &[("perPage", "100"), ("direction", "next")],
    cursor: "next_page_cursor",
    rows: "/data/content",
    next: "/data/pagination/next_page_cursor",
    goes_on: ("/data/pagination/has_next_page", true),
};
/// The dialects that are made of a project: of simple signatures, and of advanced ones.
const DIALECTS: [&str; 2] = ["convoy", "convoy_advanced"];

/// Hands over all that a project has.
pub async fn read(
    theirs: &Theirs,
    project: Option<&str>,
    dialect: Option<&str>,
    to: &mut Importer,
) -> Result<(), CliError> {
    let project = the_project(theirs, project).await?;
    let types = if to.wants(What::EventTypes) { event_types(theirs, text(&project, "uid")).await? } else { Vec::new() };
    let mut reading = Reading {
        theirs,
        id: text(&project, "uid"),
        project: &project,
        dialect,
        types,
        accounts: BTreeSet::new(),
        dialects: BTreeSet::new(),
    };
    let mut endpoints = theirs.list(&PAGING, &["projects", reading.id, "endpoints"], &[]);
    while let Some(endpoint) = endpoints.next().await? {
        reading.endpoint(&endpoint, to).await?;
    }
    to.left("Convoy", "events and their deliveries: publish here from now on, and let Convoy deliver what it has");
    to.left("Convoy", "sources, portal links, meta events, the circuit breaker and the project's own rate limit");
    Ok(())
}

/// The project that is meant: the one that is named, or the only one.
async fn the_project(theirs: &Theirs, named: Option<&str>) -> Result<Value, CliError> {
    let project = match named {
        Some(id) => theirs.must(&["projects", id], &[]).await?["data"].take(),
        None => {
            let mut all = theirs.must(&["projects"], &[]).await?["data"].take();
            let rows = all.as_array_mut().map(std::mem::take).unwrap_or_default();
            let names: Vec<String> =
                rows.iter().map(|one| format!("{} ({})", text(one, "uid"), text(one, "name"))).collect();
            match <[Value; 1]>::try_from(rows) {
                Ok([only]) => only,
                Err(_) => {
                    let names = if names.is_empty() { "none that this key shows".into() } else { names.join(", ") };
                    return Err(CliError::Usage(format!("name a project with --project; there are {names}")));
                }
            }
        }
    };
    match project["type"].as_str() {
        Some("incoming") => Err(CliError::Failed(format!(
            "the project {} of Convoy is for incoming webhooks, which Hookwheel does not receive",
            text(&project, "name")
        ))),
        _ => Ok(project),
    }
}

async fn event_types(theirs: &Theirs, project: &str) -> Result<Vec<Value>, CliError> {
    let reply = theirs.get(&["projects", project, "event-types"], &[]).await?.unwrap_or_default();
    // Older versions show them as an object around the list.
    let rows = reply["data"].as_array().or_else(|| reply["data"]["event_types"].as_array());
    let line = |known: &Value| {
        let schema = Some(&known["json_schema"]).filter(|schema| schema.as_object().is_some_and(|all| !all.is_empty()));
        json!({
            "type": known["name"], "description": known["description"], "schema": schema,
            "retired_at": Some(&known["deprecated_at"]).filter(|at| at.is_string()),
        })
    };
    // The one that stands for all is none.
    Ok(rows.into_iter().flatten().filter(|known| known["name"] != "*").map(line).collect())
}

/// A project that is being read.
struct Reading<'a> {
    theirs: &'a Theirs,
    id: &'a str,
    project: &'a Value,
    dialect: Option<&'a str>,
    types: Vec<Value>,
    /// Those that were handed over.
    accounts: BTreeSet<String>,
    dialects: BTreeSet<&'static str>,
}

impl Reading<'_> {
    async fn endpoint(&mut self, endpoint: &Value, to: &mut Importer) -> Result<(), CliError> {
        let (account, name) = self.account_of(endpoint);
        if !to.wants_of(&account) {
            return Ok(());
        }
        let is_advanced = endpoint["advanced_signatures"] == true;
        let dialect = match self.dialect {
            Some(dialect) => dialect,
            None => self.own_dialect(is_advanced, to).await?,
        };
        if self.accounts.insert(account.clone()) {
            let line = json!({"id": account, "name": name, "dialect": dialect});
            let place = format!("owner {name}");
            to.take(Entry { place, account: None, item: Item::Account(line), left: Vec::new() }).await?;
            for known in &self.types {
                let (place, item) = (format!("event type {}", text(known, "type")), Item::EventType(known.clone()));
                to.take(Entry { place, account: Some(account.clone()), item, left: Vec::new() }).await?;
            }
        }
        if !to.wants(What::Webhooks) {
            return Ok(());
        }
        let wanted = self.subscriptions(text(endpoint, "uid")).await?;
        let (line, left) = webhook(endpoint, dialect, wanted);
        let place = format!("endpoint {}", text(endpoint, "uid"));
        to.take(Entry { place, account: Some(account), item: Item::Webhook(line), left }).await
    }

    /// The account of an endpoint, and what it is called: its owner, else the project.
    fn account_of(&self, endpoint: &Value) -> (String, String) {
        let owner = Some(text(endpoint, "owner_id")).filter(|owner| !owner.is_empty());
        let name: String = owner.unwrap_or(text(self.project, "name")).chars().take(NAME_CHARS_MAX).collect();
        let id = account_id(owner.unwrap_or(self.id));
        let name = if name.is_empty() { id.clone() } else { name };
        (id, name)
    }

    /// The dialect that is made of the project, handed over before its first use.
    async fn own_dialect(&mut self, is_advanced: bool, to: &mut Importer) -> Result<&'static str, CliError> {
        let name = DIALECTS[usize::from(is_advanced)];
        if self.dialects.insert(name) {
            let (text, left) = dialect::text(&self.project["config"], is_advanced);
            let item = Item::Dialect(name.to_owned(), text);
            to.take(Entry { place: format!("project {}", self.id), account: None, item, left }).await?;
        }
        Ok(name)
    }

    async fn subscriptions(&self, endpoint: &str) -> Result<Wanted, CliError> {
        let mut wanted = Wanted::default();
        let path = ["projects", self.id, "subscriptions"];
        let mut rows = self.theirs.list(&PAGING, &path, &[("endpointId", endpoint)]);
        while let Some(row) = rows.next().await? {
            let uid = text(&row, "uid");
            let path = ["projects", self.id, "subscriptions", uid, "filters"];
            let filters = self.theirs.get(&path, &[]).await?.unwrap_or_default();
            wanted.add(&row, &filters["data"]);
        }
        Ok(wanted)
    }
}

fn account_id(owner: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=64).contains(&owner.len()) && owner.bytes().all(is_plain) {
        return owner.to_owned();
    }
    let hash = Sha256::digest(owner.as_bytes());
    hash.iter().take(8).fold("owner-".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_an_account_whatever_it_is_called() {
        assert_eq!(account_id("acme-7"), "acme-7");
        let (one, other) = (account_id("org:7"), account_id("org:8"));
        assert!(one != other && one.len() == 22 && one.starts_with("owner-"), "{one}");
    }
}
