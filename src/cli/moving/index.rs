//! The webhooks that an account has, by what a line can name them by. What stays true: a webhook is meant by one line of an import at
//! most, and of each only its names are held.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::there::{Stop, There};
use crate::domain::labels;

/// The names of an account's webhooks.
#[derive(Debug, Default)]
pub struct Index {
    /// Whose they are.
    pub account: String,
    ids: BTreeSet<String>,
    /// Ids by own ids.
    uids: BTreeMap<String, String>,
    /// Ids of those without an own id, by URL.
    urls: BTreeMap<String, BTreeSet<String>>,
    /// Ids of those that a line meant.
    taken: BTreeSet<String>,
    /// URLs of lines that name a webhook by nothing else.
    nameless: BTreeSet<String>,
}

impl Index {
    /// Reads them; none of an account that is still to be made.
    pub async fn of(there: &There, account: &str, is_there: bool) -> Result<Self, Stop> {
        let mut index = Self { account: account.to_owned(), ..Self::default() };
        if !is_there {
            return Ok(index);
        }
        let client = there.acting(account);
        let mut rows = client.webhooks().list(&[("limit", "250")]);
        while let Some(row) = rows.next().await? {
            index.add(&row);
        }
        Ok(index)
    }

    fn add(&mut self, row: &Value) {
        let Some(id) = row["id"].as_str() else { return };
        self.ids.insert(id.to_owned());
        match (row["uid"].as_str(), row["url"].as_str()) {
            (Some(uid), _) => drop(self.uids.insert(uid.to_owned(), id.to_owned())),
            (None, Some(url)) => drop(self.urls.entry(url.to_owned()).or_default().insert(id.to_owned())),
            (None, None) => {}
        }
    }

    /// The id of the webhook that a line means, which no other line means from now on: by its own id, by the id that it has where it
    /// comes from, or as the only one with its URL that has no own id. Why it is refused, where the next import would make it again.
    pub fn take(&mut self, line: &Value) -> Result<Option<String>, String> {
        let own_id = own_id(line);
        if own_id.is_none() {
            self.check_nameless(line)?;
        }
        let is_free = |id: &&String| !self.taken.contains(*id);
        let by_uid = own_id.and_then(|uid| self.uids.get(&uid)).filter(is_free);
        let by_id = || line["id"].as_str().and_then(|id| self.ids.get(id)).filter(is_free);
        let by_url = || {
            let mut of_url = self.urls.get(line["url"].as_str()?)?.iter().filter(is_free);
            // Which of two is meant nobody knows.
            of_url.next().filter(|_| of_url.next().is_none())
        };
        let found = by_uid.or_else(by_id).or_else(by_url).cloned();
        self.taken.extend(found.clone());
        Ok(found)
    }

    /// Whether a line without an id can be known by its URL, this time and the next one.
    fn check_nameless(&mut self, line: &Value) -> Result<(), String> {
        let Some(url) = line["url"].as_str() else {
            return Err("uid: is missing, and it has no URL to know it by the next time: give it one".to_owned());
        };
        let is_first = self.nameless.insert(url.to_owned());
        if is_first && self.urls.get(url).is_none_or(|ids| ids.len() < 2) {
            return Ok(());
        }
        let why = "uid: is missing, and several webhooks have this URL: give each line a `uid`, and the `id` of the webhook that it means, \
                   if that is there";
        Err(why.to_owned())
    }
}

/// The own id that a webhook gets: what the line says, be it right or wrong, else the id that it has where it comes from, which no other webhook gets.
pub fn own_id(line: &Value) -> Option<String> {
    let id = line["id"].as_str();
    let derived = id.map(|id| if labels::check_uid(id).is_ok() { id.to_owned() } else { format!("was-{id}") });
    line["uid"].as_str().map(str::to_owned).or(derived.filter(|uid| labels::check_uid(uid).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OURS: &str = "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

    #[test]
    fn a_webhook_without_an_own_id_gets_the_one_that_it_had() {
        let own = |line: Value| own_id(&line);
        assert_eq!(own(json!({"id": OURS, "uid": "crm"})).as_deref(), Some("crm"));
        assert_eq!(own(json!({"id": OURS, "uid": null})), Some(format!("was-{OURS}")));
        assert_eq!(own(json!({"id": "ep_2abc"})).as_deref(), Some("ep_2abc"));
        assert_eq!(own(json!({"url": "https://a.example"})), None);
        // The server says what is wrong with it.
        assert_eq!(own(json!({"id": "ep_2abc", "uid": "a b"})).as_deref(), Some("a b"));
    }

    #[test]
    fn a_webhook_is_meant_by_one_line_at_most() {
        let index = || {
            let mut index = Index::default();
            index.add(&json!({"id": "1", "uid": "crm", "url": "https://a.example"}));
            index.add(&json!({"id": "2", "uid": null, "url": "https://a.example"}));
            index.add(&json!({"id": "3", "uid": null, "url": "https://b.example"}));
            index.add(&json!({"id": "4", "uid": null, "url": "https://b.example"}));
            index
        };
        let mut first = index();
        let take = |index: &mut Index, line: Value| index.take(&line).expect("it can be known");
        let meant = take(&mut first, json!({"id": "x", "uid": "crm", "url": "https://c.example"}));
        assert_eq!(meant.as_deref(), Some("1"));
        assert_eq!(take(&mut first, json!({"id": "x", "uid": "crm"})), None);
        assert_eq!(take(&mut first, json!({"id": "y", "url": "https://a.example"})).as_deref(), Some("2"));
        assert_eq!(take(&mut first, json!({"id": "z", "url": "https://a.example"})), None);
        assert_eq!(take(&mut index(), json!({"id": "y", "url": "https://b.example"})), None);
        assert_eq!(take(&mut index(), json!({"id": "4", "url": "https://c.example"})).as_deref(), Some("4"));

        // What nothing names would be made once more by each import.
        let mut index = index();
        assert_eq!(take(&mut index, json!({"url": "https://a.example"})).as_deref(), Some("2"));
        assert_eq!(take(&mut index, json!({"url": "https://c.example"})), None);
        for line in [json!({"url": "https://b.example"}), json!({"url": "https://c.example"}), json!({"mode": "pull"})]
        {
            assert!(index.take(&line).is_err_and(|why| why.starts_with("uid: is missing")), "{line}");
        }
    }
}
