//! Events that are imported: published again, where somebody asks for that. What stays true: each has the id that it had, so it is
//! accepted once however often it is imported; its data is the producer's to the byte; and one that is refused holds up no other.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::there::{Stop, There};
use super::told::{Done, Outcome};

const PATH: &str = "/api/v1/events";
/// Events that are published at once …
const BATCH_MAX: usize = 100;
/// … and their bytes; a longer one goes alone.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What of a line is published.
#[derive(Deserialize, Serialize)]
struct Published<'a> {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    created_at: String,
    #[serde(default)]
    test: bool,
    #[serde(default)]
    channels: Vec<String>,
    // A line of its own has no line breaks in it.
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default, skip_serializing_if = "is_null")]
    actor: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "is_null")]
    metadata: Option<&'a RawValue>,
}

fn is_null(value: &Option<&RawValue>) -> bool {
    value.is_none_or(|value| value.get() == "null")
}

/// An event that waits for its batch.
#[derive(Debug)]
pub struct Waiting {
    /// Where it stood.
    pub place: String,
    /// Its id.
    pub id: String,
    body: String,
}

/// Events of one account that wait.
#[derive(Debug, Default)]
pub struct Batch {
    /// Whose they are.
    pub account: String,
    waiting: Vec<Waiting>,
    bytes: usize,
}

/// Makes what is published of a line; what became of it, where that is nothing.
pub fn read(place: &str, line: &str) -> Result<Waiting, Box<(String, Done)>> {
    let read: Published<'_> = match serde_json::from_str(line) {
        Ok(read) => read,
        Err(error) => {
            let id = serde_json::from_str::<Value>(line).ok().and_then(|line| line["id"].as_str().map(str::to_owned));
            return Err(Box::new((
                id.unwrap_or_default(),
                Done::refused(format!("is no event of an export: {error}")),
            )));
        }
    };
    if read.data.get() == "null" && line.contains("\"purged_at\":\"") {
        return Err(Box::new((read.id, Done::of(Outcome::Skipped).with("its payload was purged"))));
    }
    let body = serde_json::to_string(&read).unwrap_or_default();
    Ok(Waiting { place: place.to_owned(), id: read.id, body })
}

impl Batch {
    /// Whether an event of this account and length goes into it.
    pub fn has_room(&self, account: &str, event: &Waiting) -> bool {
        let fits = self.waiting.len() < BATCH_MAX && self.bytes + event.body.len() <= BATCH_BYTES_MAX;
        self.waiting.is_empty() || self.account == account && fits
    }

    /// Puts an event into it.
    pub fn add(&mut self, account: &str, event: Waiting) {
        account.clone_into(&mut self.account);
        self.bytes += event.body.len();
        self.waiting.push(event);
    }

    /// Publishes all that wait; what became of each.
    pub async fn publish(&mut self, there: &There) -> Result<Vec<(Waiting, Done)>, Stop> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let bodies: Vec<&str> = waiting.iter().map(|event| event.body.as_str()).collect();
        match post(there, &self.account, &bodies).await {
            Ok(done) => return Ok(waiting.into_iter().zip(done).collect()),
            Err(Stop::Line(_)) => {}
            Err(stop) => return Err(stop),
        }
        // One of them spoils it for all.
        let mut all = Vec::with_capacity(waiting.len());
        for event in waiting {
            let done = match post(there, &self.account, &[&event.body]).await {
                Ok(mut done) => done.pop().unwrap_or_else(|| Done::of(Outcome::Made)),
                Err(Stop::Line(why)) => Done::refused(why.strip_prefix("[0].").unwrap_or(&why)),
                Err(stop) => return Err(stop),
            };
            all.push((event, done));
        }
        Ok(all)
    }
}

async fn post(there: &There, account: &str, bodies: &[&str]) -> Result<Vec<Done>, Stop> {
    let receipts = there.post_text(account, PATH, Some(format!("[{}]", bodies.join(",")))).await?;
    let outcome = |receipt: &Value| if receipt["duplicate"] == true { Outcome::Same } else { Outcome::Made };
    Ok(receipts.as_array().into_iter().flatten().map(|receipt| Done::of(outcome(receipt))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(data: &str) -> String {
        format!(
            r#"{{"kind":"event","account":"acme","id":"e1","type":"a.b","created_at":"2026-01-15T00:00:00.000Z","accepted_at":"x","test":false,"channels":["c"],"purged_at":null,"data":{data},"actor":null,"metadata":{{"k": 1.0}}}}"#
        )
    }

    #[test]
    fn what_is_published_is_what_was_to_the_byte() {
        let event = read("line 1", &line(r#"{"n": 1.0, "big": 123456789012345678901234567890}"#)).expect("an event");
        let expected = r#"{"id":"e1","type":"a.b","created_at":"2026-01-15T00:00:00.000Z","test":false,"channels":["c"],"data":{"n": 1.0, "big": 123456789012345678901234567890},"metadata":{"k": 1.0}}"#;
        assert_eq!((event.id.as_str(), event.body.as_str()), ("e1", expected));
    }

    #[test]
    fn what_was_purged_is_skipped_and_what_is_no_event_refused() {
        let purged = line("null").replace("\"purged_at\":null", "\"purged_at\":\"2026-02-01T00:00:00.000Z\"");
        let of = |line: &str| read("line 1", line).expect_err("nothing to publish");
        assert_eq!(of(&purged).1.outcome, Outcome::Skipped);
        let (id, done) = *of(r#"{"kind":"event","id":"e2"}"#);
        assert_eq!((id.as_str(), done.outcome), ("e2", Outcome::Refused));
        // Null is data like any other.
        assert!(read("line 1", &line("null")).is_ok());
    }

    #[test]
    fn a_batch_is_of_one_account_and_ends_before_it_gets_too_long() {
        let event = || read("line 1", &line("1")).expect("an event");
        let long = read("line 1", &line(&"1".repeat(BATCH_BYTES_MAX))).expect("an event");
        let mut batch = Batch::default();
        assert!(batch.has_room("acme", &long));
        batch.add("acme", event());
        assert!(
            batch.has_room("acme", &event()) && !batch.has_room("other", &event()) && !batch.has_room("acme", &long)
        );
        (1..BATCH_MAX).for_each(|_| batch.add("acme", event()));
        assert!(!batch.has_room("acme", &event()));
    }
}
