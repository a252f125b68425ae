//! The ownership check: before an endpoint gets deliveries it is asked a question that only somebody who wants them
//! answers. A dialect states the question and the answer; `{challenge}` stands for random text, and no other placeholder
//! is known there.

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use std::fmt;

use super::placeholder::Plain;
use super::wording::nearest;
use crate::domain::webhook::TIMEOUT_SECONDS_MAX;

/// What stands for the random text.
const SLOT: &str = "{challenge}";
/// The type of a check whose question names none.
const USUAL_TYPE: &str = "webhook.verification";

/// An ownership check.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRule {
    /// The JSON that is sent.
    #[serde(deserialize_with = "question")]
    pub send: Value,
    /// What the answer must be: an object whose fields the answer's JSON must hold, or the answer's text.
    #[serde(deserialize_with = "answer")]
    pub expect: Value,
    /// The deadline, 1–120 seconds.
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    pub timeout_seconds: u32,
}

/// A question on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenge {
    /// What is sent: compact JSON.
    pub body: Vec<u8>,
    /// Its type, for headers that name one.
    pub event_type: String,
    expected: Value,
}

impl Default for ChallengeRule {
    /// What a webhook is asked whose dialect says nothing of it.
    fn default() -> Self {
        Self {
            send: json!({ "type": USUAL_TYPE, "challenge": SLOT }),
            expect: json!({ "challenge": SLOT }),
            timeout_seconds: default_timeout(),
        }
    }
}

impl ChallengeRule {
    /// The question with this random text.
    pub fn ask(&self, random: &str) -> Challenge {
        let send = filled(&self.send, random);
        let event_type = send["type"].as_str().filter(|name| crate::domain::event::check_type(name).is_ok());
        Challenge {
            event_type: event_type.unwrap_or(USUAL_TYPE).to_string(),
            body: send.to_string().into_bytes(),
            expected: filled(&self.expect, random),
        }
    }
}

impl ChallengeRule {
    /// What an endpoint answers to a question of this form; `None` if `body` is none.
    pub fn answer(&self, body: &[u8]) -> Option<String> {
        let mut random = None;
        let found = serde_json::from_slice(body).ok()?;
        if !same_form(&self.send, &found, &mut random) {
            return None;
        }
        let answer = filled(&self.expect, &random?);
        Some(answer.as_str().map_or_else(|| answer.to_string(), String::from))
    }
}

impl Challenge {
    /// Whether this is the answer; if not, why, in one sentence.
    pub fn check(&self, answer: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(answer);
        match &self.expected {
            Value::Object(expected) => match serde_json::from_str::<Map<String, Value>>(&text) {
                Ok(found) => match expected.iter().find(|(key, value)| found.get(*key) != Some(value)) {
                    None => Ok(()),
                    Some((key, _)) => Err(format!("the endpoint's answer has not the expected {key:?}")),
                },
                Err(_) => Err(format!("the endpoint's answer must be JSON with {}", names(expected))),
            },
            expected => match expected.as_str() == Some(text.trim()) {
                true => Ok(()),
                false => Err("the endpoint's answer must be the challenge, as plain text".into()),
            },
        }
    }
}

fn names(expected: &Map<String, Value>) -> String {
    expected.keys().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ")
}

/// The same JSON with the random text in its strings.
fn filled(value: &Value, random: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(SLOT, random)),
        Value::Array(items) => items.iter().map(|item| filled(item, random)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), filled(value, random))).collect(),
        constant => constant.clone(),
    }
}

/// Whether `found` is `asked` with some text in the place of the random one, which is left in `random`.
fn same_form(asked: &Value, found: &Value, random: &mut Option<String>) -> bool {
    match (asked, found) {
        (Value::String(asked), Value::String(found)) => match asked.split_once(SLOT) {
            Some((before, after)) => {
                *random = found.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).map(String::from);
                random.is_some()
            }
            None => asked == found,
        },
        (Value::Array(asked), Value::Array(found)) => {
            asked.len() == found.len() && asked.iter().zip(found).all(|(asked, found)| same_form(asked, found, random))
        }
        (Value::Object(asked), Value::Object(found)) => {
            asked.iter().all(|(key, asked)| found.get(key).is_some_and(|found| same_form(asked, found, random)))
        }
        (asked, found) => asked == found,
    }
}

fn has_slot(value: &Value) -> bool {
    filled(value, "") != *value
}

fn default_timeout() -> u32 {
    5
}

/// JSON of a dialect file whose texts may hold `{challenge}`.
struct Asking(Value);

impl<'de> Deserialize<'de> for Asking {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyAsking).map(Self)
    }
}

struct AnyAsking;

impl<'de> Visitor<'de> for AnyAsking {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false, a list or a table")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        check_slots(text).map(|()| Value::from(text)).map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("is no JSON number"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Asking(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(Plain(key)) = map.next_key()? {
            if key == "$__toml_private_datetime" {
                return Err(de::Error::custom("is a date; write it as text"));
            }
            fields.insert(key, map.next_value::<Asking>()?.0);
        }
        Ok(Value::Object(fields))
    }
}

/// Refuses every placeholder but the one that there is.
fn check_slots(text: &str) -> Result<(), String> {
    let known = SLOT.trim_matches(['{', '}']);
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("has a { without its }")?;
        if name != known {
            let near = nearest(name, [known]).map_or(String::new(), |near| format!("; the nearest is {{{near}}}"));
            return Err(format!("{{{name}}} is not known{near}; there is: {known}, which stands for random text"));
        }
        rest = after;
    }
    Ok(())
}

fn question<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let Asking(value) = Asking::deserialize(deserializer)?;
    match value.is_object() && has_slot(&value) {
        true => Ok(value),
        false => Err(de::Error::custom("must be a table with {challenge} in one of its texts")),
    }
}

fn answer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let Asking(value) = Asking::deserialize(deserializer)?;
    match (value.is_object() || value.is_string()) && has_slot(&value) {
        true => Ok(value),
        false => Err(de::Error::custom("must be a table or a text with {challenge} in it, else any answer would do")),
    }
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(deserializer)?;
    match (1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        true => Ok(seconds),
        false => Err(de::Error::custom(format!("must be between 1 and {TIMEOUT_SECONDS_MAX}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_written_in_order_and_the_answer_must_hold_what_is_expected() {
        let asked = ChallengeRule::default().ask("xyz");
        assert_eq!(asked.body, br#"{"type":"webhook.verification","challenge":"xyz"}"#);
        assert_eq!(asked.check(br#" {"challenge": "xyz", "more": 1} "#), Ok(()));
        let answer = ChallengeRule::default().answer(&asked.body).unwrap();
        assert_eq!((answer.as_str(), asked.check(answer.as_bytes())), (r#"{"challenge":"xyz"}"#, Ok(())));
        for event in [&br#"{"type":"task.created","challenge":"xyz"}"#[..], b"", b"[]", br#"{"challenge":1}"#] {
            assert_eq!(ChallengeRule::default().answer(event), None);
        }
        for wrong in ["", "xyz", "{}", r#"{"challenge":"xy"}"#, r#"["xyz"]"#, r#"{"challenge":null}"#] {
            let why = asked.check(wrong.as_bytes()).unwrap_err();
            assert!(why.contains("challenge"), "{why}");
        }
    }

    #[test]
    fn the_answer_may_be_plain_text() {
        let text = "send = { type = \"url_verification\", challenge = \"{challenge}\" }\nexpect = \"{challenge}\"";
        let rule = toml::from_str::<ChallengeRule>(text).unwrap();
        let asked = rule.ask("xyz");
        assert_eq!((asked.event_type.as_str(), asked.check(b"xyz\n")), ("url_verification", Ok(())));
        assert!(asked.check(b"xy").is_err());
        assert_eq!(rule.answer(&asked.body).as_deref(), Some("xyz"));
    }
}
