//! What is exported, as NDJSON: a line for each thing, which is what the API shows of it. What stays true: what a server exports
//! of itself and what is got out of a store that none opens are the same lines, so that whatever reads the one reads the other.

use std::sync::Arc;

use serde::Serialize;

use super::accounts::view::account_view;
use super::event_types::view::own;
use super::events::view::row;
use super::http::problem::Problem;
use super::webhooks::view::{Onlooker, WebhookView, view};
use crate::domain::tally::Tally;
use crate::domain::time;
use crate::domain::webhook::Webhook;
use crate::store::Saved;

/// A webhook, with its secrets if they are asked for.
#[derive(Serialize)]
struct WebhookLine<'a> {
    #[serde(flatten)]
    webhook: WebhookView,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<Vec<SecretLine<'a>>>,
}

#[derive(Serialize)]
struct SecretLine<'a> {
    secret: &'a str,
    until: Option<String>,
}

/// Writes an object as a line of its own, with its kind in front. What was published may hold line breaks between its values,
/// and never in them.
///
/// # Errors
/// It cannot be written as JSON.
pub fn line(out: &mut Vec<u8>, kind: &str, object: &impl Serialize) -> Result<(), Problem> {
    begun(out, &format!("{{\"kind\":\"{kind}\","), object)
}

/// A webhook as it is shown, with its secrets if they are asked for.
///
/// # Errors
/// As [`line()`].
pub fn webhook_line(
    out: &mut Vec<u8>,
    shown: WebhookView,
    webhook: &Webhook,
    with_secrets: bool,
) -> Result<(), Problem> {
    let until = |until: Option<_>| until.map(time::rfc3339);
    let secrets = webhook.secrets.iter().map(|one| SecretLine { secret: one.secret.reveal(), until: until(one.until) });
    let secrets = with_secrets.then(|| secrets.collect());
    line(out, "webhook", &WebhookLine { webhook: shown, secrets })
}

/// What was got out of a store that no server has. Counters are not: they follow from deliveries, which are not got out either.
///
/// # Errors
/// What is there of it is no JSON.
pub fn saved_line(saved: &Saved<'_>, with_secrets: bool) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    match saved {
        Saved::Account(account) => line(&mut out, "account", &account_view(account))?,
        Saved::Webhook(webhook, account) => {
            let by = Onlooker { account: (*account).to_owned(), may_manage: true, dialects: Arc::default() };
            webhook_line(&mut out, view(webhook, &by, &Tally::default(), |at| at), webhook, with_secrets)?;
        }
        Saved::EventType(known, account) => begun(&mut out, &of_account("event_type", account), &own(known)?)?,
        Saved::Event(head, event, account) => {
            let shown = row((*head).clone()).with_payload(Some(event))?;
            begun(&mut out, &of_account("event", account), &shown)?;
        }
    }
    Ok(out)
}

/// The start of a line of what does not say whose it is.
fn of_account(kind: &str, account: &str) -> String {
    format!("{{\"kind\":\"{kind}\",\"account\":{},", serde_json::Value::from(account))
}

fn begun(out: &mut Vec<u8>, start: &str, object: &impl Serialize) -> Result<(), Problem> {
    let object = serde_json::to_vec(object).map_err(Problem::internal)?;
    out.extend_from_slice(start.as_bytes());
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    out.extend(object[1..].iter().map(|byte| if is_break(byte) { b' ' } else { *byte }));
    out.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn what_was_published_over_several_lines_is_one() {
        let data = RawValue::from_string("{\n  \"a\":\r\n [1.0,\t\"x\\n\"]\n}".into()).unwrap();
        let mut out = b"before\n".to_vec();
        line(&mut out, "event", &serde_json::json!({"n": 1})).unwrap();
        #[derive(Serialize)]
        struct Row<'a> {
            data: &'a RawValue,
        }
        line(&mut out, "event", &Row { data: &data }).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["before", r#"{"kind":"event","n":1}"#]);
        assert_eq!(lines[2], "{\"kind\":\"event\",\"data\":{   \"a\":   [1.0,\t\"x\\n\"] }}");
        assert_eq!(lines.len(), 3);
    }
}
