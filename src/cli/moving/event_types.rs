//! Event types that are imported. What stays true: what a contract documents is not written down a second time by itself, one that
//! is there is changed only where it differs, and retired stays retired.

use serde_json::{Map, Value, json};

use super::there::{Stop, There};
use super::told::{Done, Outcome};
use super::wish::differing;

/// What a line can say of a type beside its name.
const FIELDS: [&str; 4] = ["description", "sample", "schema", "validation"];

/// Writes down or changes an event type of an account.
pub async fn place(there: &There, account: &str, line: &Value, is_dry: bool) -> Result<Done, Stop> {
    let Some(name) = line["type"].as_str() else { return Ok(Done::refused("type: is missing")) };
    let known = there.look(account, "event_types.get", &[("name", name)]).await?;
    // One that a contract documents has none of the account's own.
    let known = known.filter(|known| known["dialect"].is_null());
    let mut said: Map<String, Value> = Map::new();
    said.extend(FIELDS.iter().filter_map(|field| Some(((*field).to_owned(), line.get(*field)?.clone()))));
    let is_retired = !line["retired_at"].is_null();
    let (outcome, mut changes) = match &known {
        None => {
            said.retain(|_, value| !value.is_null());
            said.insert("type".into(), json!(name));
            if !is_dry {
                there.post(account, "/api/v1/event-types", &said.into()).await?;
            }
            (Outcome::Made, Map::new())
        }
        Some(known) => (Outcome::Changed, differing(said, known)),
    };
    if is_retired != known.is_some_and(|known| !known["retired_at"].is_null()) {
        changes.insert("retired".into(), json!(is_retired));
    }
    if changes.is_empty() {
        return Ok(Done::of(if outcome == Outcome::Made { outcome } else { Outcome::Same }));
    }
    if !is_dry {
        there.change(account, "event_types.change", &[("name", name)], &changes.into()).await?;
    }
    Ok(Done::of(outcome))
}
