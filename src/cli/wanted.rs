//! How many webhooks wanted what was sent, and where none did, what is nearest to it. What stays true: it is told on standard
//! error after the event was accepted, and nothing of it can make a sending fail.

use serde_json::Value;

use super::terminal::note;
use crate::client::{Client, Error};
use crate::dialect::nearest;

/// Webhooks that are looked at for the nearest pattern.
const WEBHOOKS_MAX: usize = 1000;

/// What the receipts of many events come to.
#[derive(Default)]
pub struct Sum {
    deliveries: u64,
    unwanted: u64,
}

impl Sum {
    /// With the receipts of one more request.
    pub fn add(&mut self, receipts: &Value) {
        for wanting in receipts.as_array().into_iter().flatten().filter_map(|one| one["deliveries"].as_u64()) {
            self.deliveries += wanting;
            self.unwanted += u64::from(wanting == 0);
        }
    }

    /// Tells it, where something was counted.
    pub fn tell(&self) {
        if self.deliveries + self.unwanted > 0 {
            note(format_args!(
                "hookwheel: {} deliveries; no webhook wanted {} of the events",
                self.deliveries, self.unwanted
            ));
        }
    }
}

/// Tells of one event.
pub async fn tell_of_one(client: &Client, account: Option<&str>, event_type: &str, receipt: &Value) {
    let Some(wanting) = receipt["deliveries"].as_u64() else { return };
    match wanting {
        0 => {
            let client = account.map_or_else(|| client.clone(), |account| client.acting_for(account));
            let client = client.with_patience(std::time::Duration::ZERO);
            // A key that may only publish may not read who wants what.
            let hint = patterns(&client).await.map_or_else(|_| String::new(), |known| hint(event_type, &known));
            note(format_args!("hookwheel: no webhook wants {event_type}{hint}"));
        }
        1 => note("hookwheel: 1 webhook wants it"),
        many => note(format_args!("hookwheel: {many} webhooks want it")),
    }
}

/// What webhooks want.
async fn patterns(client: &Client) -> Result<Vec<String>, Error> {
    let (mut patterns, mut webhooks, mut looked_at) = (Vec::new(), client.webhooks().list(&[("limit", "250")]), 0);
    while looked_at < WEBHOOKS_MAX
        && let Some(webhook) = webhooks.next().await?
    {
        looked_at += 1;
        patterns
            .extend(webhook["events"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    Ok(patterns)
}

fn hint(event_type: &str, known: &[String]) -> String {
    if known.is_empty() {
        return ": there are no webhooks; `hookwheel webhooks create URL --events '*'` makes one".into();
    }
    let covers = |pattern: &String| {
        pattern == event_type || pattern.strip_suffix('*').is_some_and(|start| event_type.starts_with(start))
    };
    if known.iter().any(covers) {
        return " as it is now, though some name its type: `hookwheel events audience ID` says why not".into();
    }
    match nearest(event_type, known.iter().map(String::as_str)) {
        Some(pattern) => format!("; the nearest that one wants is {pattern}"),
        None => "; `hookwheel webhooks list` shows what is wanted".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_pattern_is_named() {
        let known = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            hint("task.craeted", &known(&["task.created", "user.*"])),
            "; the nearest that one wants is task.created"
        );
        assert!(hint("task.created", &known(&["task.*"])).contains("events audience"));
        assert!(hint("task.created", &[]).contains("no webhooks"));
        assert!(hint("zzz", &known(&["invoice.paid"])).contains("webhooks list"));
    }
}
