//! The contract that a project of Convoy is: how it signs and when it tries again, as a dialect file. What stays true: receivers
//! verify what is signed by it as they verified what Convoy signed.

use std::fmt::Write;

use serde_json::Value;

use crate::domain::retry::{DELAY_SECONDS_MAX, RETRIES_MAX};

/// The longest wait of Convoy's exponential schedule, in seconds.
const EXPONENTIAL_SECONDS_MAX: u64 = 7200;
/// Where an endpoint has none of its own: as long as `standard` waits.
const TIMEOUT_SECONDS: u64 = 20;
/// What is meant where a project says nothing.
const HEADER: &str = "X-Convoy-Signature";

/// The file of a project's dialect, of simple signatures or of advanced ones; and what it does not say.
pub fn text(config: &Value, is_advanced: bool) -> (String, Vec<String>) {
    let mut left = Vec::new();
    let versions = config["signature"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let newest = versions.last().unwrap_or(&Value::Null);
    if is_advanced && versions.len() > 1 {
        left.push(format!("its signatures v1 to v{}: the newest, v{}, is sent", versions.len() - 1, versions.len()));
    }
    let header = config["signature"]["header"].as_str().filter(|header| !header.is_empty()).unwrap_or(HEADER);
    let algorithm = if newest["hash"] == "SHA512" { "sha512" } else { "sha256" };
    let encoding = if newest["encoding"] == "base64" { "base64" } else { "hex" };
    let delays: Vec<String> = delays(&config["strategy"], &mut left).iter().map(u64::to_string).collect();
    let mut text = format!(
        "# Made of the settings of a project of Convoy: receivers verify what is signed by this as they verified what Convoy signed.\n\
         title = \"Convoy look-alike\"\n\
         description = \"For receivers that were written for webhooks sent through Convoy: its signature, the data as the body.\"\n\
         event_types = \"examples\"\n\
         timeout_seconds = {TIMEOUT_SECONDS}\n\
         envelope = \"{{event.data}}\"\n\n\
         [retry]\ndelays = [{}]\njitter_percent = 10\n\n\
         [secrets]\nkey = \"utf8\"\nbytes_min = 1\nbytes_max = 256\nwarn_below_bytes = 16\n\n",
        delays.join(", ")
    );
    if config["add_event_id_trace_headers"] == true {
        text += "[headers]\nX-Convoy-Event-ID = \"{event.id}\"\nX-Convoy-EventDelivery-ID = \"{delivery.id}\"\n\n";
    }
    let (signed, value) = match is_advanced {
        true => ("{attempt.unix},{body}", format!("v{}={{signature}}", versions.len().max(1))),
        false => ("{body}", "{signature}".to_owned()),
    };
    let header = Value::from(header);
    let _ = write!(
        text,
        "[[signature]]\nheader = {header}\nalgorithm = \"{algorithm}\"\nencoding = \"{encoding}\"\nsigned = \"{signed}\"\n\
         value = \"{value}\"\n"
    );
    if is_advanced {
        text += "before = \"t={attempt.unix},\"\nseveral = \",\"\n";
    }
    text += "\n[[event]]\ntype = \"test.ping\"\ndescription = \"Sent by hand to see that an endpoint works.\"\n\
             sample = '{\"message\": \"Hello\"}'\n";
    (text, left)
}

fn delays(strategy: &Value, left: &mut Vec<String>) -> Vec<u64> {
    let mut bounded = |name: &str, usual: u64, most: u64| {
        let said = strategy[name].as_u64().unwrap_or(usual);
        left.extend((said > most).then(|| format!("{name} {said} of its retries: {most} is the most")));
        said.min(most)
    };
    let first = bounded("duration", 100, DELAY_SECONDS_MAX).max(1);
    let retries = bounded("retry_count", 10, RETRIES_MAX as u64);
    let nth = |n: u64| match strategy["type"] == "exponential" {
        true => first.saturating_mul(1 << n).min(EXPONENTIAL_SECONDS_MAX.max(first)),
        false => first,
    };
    (0..retries).map(nth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use serde_json::json;

    #[test]
    fn what_is_made_of_a_project_is_a_dialect() {
        let config = json!({
            "signature": {"header": "X-Acme-Signature", "versions": [
                {"hash": "SHA256", "encoding": "hex"}, {"hash": "SHA512", "encoding": "base64"},
            ]},
            "strategy": {"type": "exponential", "duration": 1000, "retry_count": 5}, "add_event_id_trace_headers": true,
        });
        for is_advanced in [false, true] {
            let (text, left) = text(&config, is_advanced);
            Dialect::parse("convoy.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert!(
                text.contains("header = \"X-Acme-Signature\"\nalgorithm = \"sha512\"\nencoding = \"base64\""),
                "{text}"
            );
            assert!(text.contains("delays = [1000, 2000, 4000, 7200, 7200]"), "{text}");
            assert_eq!(
                (text.contains("v2={signature}"), left.len()),
                (is_advanced, usize::from(is_advanced)),
                "{text}"
            );
        }
        let (most, left) = text(&json!({"strategy": {"duration": 9_000_000_u64, "retry_count": 51}}), false);
        let read = Dialect::parse("convoy.toml", &most).unwrap_or_else(|error| panic!("{error}\n{most}"));
        assert_eq!((read.retry.delay_seconds.len(), left.len()), (50, 2), "{left:?}");
        let (plain, _) = text(&json!({}), false);
        Dialect::parse("convoy.toml", &plain).unwrap_or_else(|error| panic!("{error}\n{plain}"));
        assert!(
            plain.contains("header = \"X-Convoy-Signature\"\nalgorithm = \"sha256\"\nencoding = \"hex\""),
            "{plain}"
        );
    }
}
