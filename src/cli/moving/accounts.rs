//! Accounts that are imported. What stays true: one that is there is changed only where it differs, and keeps what a line does not say.

use serde_json::{Map, Value, json};

use super::there::{Stop, There};
use super::told::{Done, Outcome};
use super::wish::differing;

/// What a line can say of an account beside its id.
const FIELDS: [&str; 6] = ["name", "dialect", "limits", "tags", "validation", "portal"];

/// Makes or changes an account.
pub async fn place(there: &There, line: &Value, is_dry: bool) -> Result<Done, Stop> {
    let Some(id) = line["id"].as_str() else { return Ok(Done::refused("id: is missing")) };
    if !there.is_admin {
        return Ok(Done::of(Outcome::Skipped).with("only an admin key makes and changes accounts"));
    }
    let mut said: Map<String, Value> = Map::new();
    said.extend(FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), line.get(*name)?.clone()))));
    match there.look(&there.account, "accounts.get", &[("id", id)]).await? {
        None => {
            said.retain(|_, value| !value.is_null());
            said.insert("id".into(), json!(id));
            if !is_dry {
                there.post(&there.account, "/api/v1/accounts", &said.into()).await?;
            }
            Ok(Done::of(Outcome::Made))
        }
        Some(known) => {
            let changes = differing(said, &known);
            if changes.is_empty() {
                return Ok(Done::of(Outcome::Same));
            }
            let names: Vec<&str> = changes.keys().map(String::as_str).collect();
            let done = Done::of(Outcome::Changed).with(names.join(", "));
            if !is_dry {
                there.change(&there.account, "accounts.change", &[("id", id)], &changes.into()).await?;
            }
            Ok(done)
        }
    }
}
