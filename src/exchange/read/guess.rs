//! What fields and headers of other people's documents mean, by their names. A guess is told as such; a name that says
//! nothing gives none.

use serde_json::{Map, Value};

use crate::domain::time;

/// Names without hyphens and underscores, in lower case, and what they mean.
const FIELDS: [(&[&str], &str); 11] = [
    (&["id", "eventid", "uid", "messageid"], "{event.id}"),
    (&["type", "event", "eventtype", "eventname", "topic", "subscriptiontype"], "{event.type}"),
    (&["data", "payload", "object", "resource", "body", "content"], "{event.data}"),
    (&["metadata", "meta"], "{event.metadata}"),
    (&["actor", "sender", "triggeredby"], "{event.actor}"),
    (&["accountid", "account", "organizationid", "teamid", "tenantid", "workspaceid", "merchantid"], "{account.id}"),
    (&["webhookid", "subscriptionid", "hookid", "endpointid"], "{webhook.id}"),
    (&["deliveryid", "notificationid", "deliveryuuid"], "{delivery.id}"),
    (&["attempt", "attemptnumber", "attempts"], "{attempt.number}"),
    (&["sentat", "senttime", "deliveredat", "webhooktimestamp"], "{attempt.time}"),
    (
        &["created", "createdat", "timestamp", "time", "occurredat", "eventtime", "happenedat", "date", "eventts"],
        "{event.time}",
    ),
];

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// The template of a field; those deeper than the second level are taken for none.
pub(super) fn field(
    name: &str,
    schema: &Map<String, Value>,
    example: Option<&Value>,
    event: &str,
    depth: usize,
) -> Option<String> {
    let kind = schema.get("type").and_then(Value::as_str);
    let is_object = kind == Some("object") || schema.contains_key("properties");
    if depth > 2 {
        return None;
    }
    if example.and_then(Value::as_str) == Some(event) {
        return Some("{event.type}".into());
    }
    let name = plain(name);
    let (_, meant) = FIELDS.iter().find(|(names, _)| names.contains(&name.as_str()))?;
    let fits = match *meant {
        "{event.data}" => is_object || kind.is_none(),
        "{event.metadata}" | "{event.actor}" => is_object,
        "{attempt.number}" => kind == Some("integer"),
        _ => !is_object && kind != Some("array"),
    };
    // An object's own id inside of the data is not the event's.
    let outer = depth == 1 || !matches!(*meant, "{event.id}" | "{event.data}" | "{event.time}");
    if !fits || !outer {
        return None;
    }
    Some(match meant.strip_suffix(".time}") {
        Some(moment) => timed(moment, kind, example),
        None => (*meant).to_string(),
    })
}

/// A time in the form that the example has.
fn timed(moment: &str, kind: Option<&str>, example: Option<&Value>) -> String {
    let number = example.and_then(Value::as_u64);
    let form = match (kind, number) {
        // More seconds than that are the year 5138.
        (_, Some(n)) if n > 99_999_999_999 => "unix_ms",
        (Some("integer" | "number"), _) | (_, Some(_)) => "unix",
        _ => match example.and_then(Value::as_str) {
            Some(text) if time::parse(text).is_none() && time::retry_after(text, 0).is_some() => "http",
            Some(text) => {
                match text.split_once('.').map(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count()) {
                    Some(4..) => "micros",
                    Some(_) => "millis",
                    None => "seconds",
                }
            }
            None => "seconds",
        },
    };
    format!("{moment}.time:{form}}}")
}

/// What a header is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// HTTP sets it.
    Transport,
    /// It proves who sends.
    Signature,
    /// It has this template.
    Template(String),
    /// Nothing tells.
    Unknown,
}

/// What a header of other people's documents means.
pub(super) fn header(name: &str, example: Option<&str>, event: &str) -> Meaning {
    let plain = plain(name);
    let template = |text: &str| Meaning::Template(text.into());
    match plain.as_str() {
        "contenttype" | "contentlength" | "host" | "accept" | "connection" | "useragent" | "acceptencoding"
        | "transferencoding" | "upgrade" => Meaning::Transport,
        "authorization" => Meaning::Unknown,
        name if name.contains("signature") || name.contains("hmac") => Meaning::Signature,
        name if name.contains("timestamp") => template("{attempt.unix}"),
        _ if example == Some(event) => template("{event.type}"),
        name if name.contains("delivery") => template("{delivery.uuid}"),
        name if name.contains("hookid") && name != "webhookid" => template("{webhook.uuid}"),
        name if name.ends_with("event") || name.contains("topic") || name.contains("eventtype") => {
            template("{event.type}")
        }
        name if name.ends_with("eventid") || name.ends_with("messageid") || name == "webhookid" => {
            template("{event.id}")
        }
        name if name.contains("retry") => template("{attempt.retry}"),
        name if name.contains("attempt") => template("{attempt.number}"),
        _ => Meaning::Unknown,
    }
}

/// How a signature is made that is only named: what its name, its words and its example tell, and what is usual.
pub(super) fn signature(
    name: &str,
    words: &str,
    example: Option<&str>,
    is_standard: bool,
) -> Vec<(&'static str, String)> {
    if is_standard {
        // Standard Webhooks 1.0 says all of it.
        return [
            ("algorithm", "sha256"),
            ("encoding", "base64"),
            ("signed", "{event.id}.{attempt.unix}.{body}"),
            ("value", "v1,{signature}"),
            ("several", " "),
        ]
        .map(|(key, value)| (key, value.to_string()))
        .into();
    }
    let said = format!("{name} {words} {}", example.unwrap_or_default()).to_ascii_lowercase().replace('-', "");
    let algorithm = ["sha512", "sha256", "sha1"].into_iter().find(|algorithm| said.contains(algorithm));
    let algorithm = algorithm.unwrap_or("sha256");
    let (before, digits) = example
        .and_then(|example| example.rsplit_once('=').filter(|(_, rest)| !rest.is_empty()))
        .map_or((String::new(), example), |(before, rest)| (format!("{before}="), Some(rest)));
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let encoding = match digits {
        Some(digits) if is_hex(digits) => "hex",
        Some(_) => "base64",
        None if said.contains("base64") => "base64",
        None => "hex",
    };
    let before = if before.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'=') { before } else { String::new() };
    vec![
        ("algorithm", algorithm.to_string()),
        ("encoding", encoding.to_string()),
        ("signed", "{body}".to_string()),
        ("value", format!("{before}{{signature}}")),
    ]
}
