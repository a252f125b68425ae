//! Answers to ownership checks: what an endpoint says that wants deliveries, and whether it has said so. Both are made of the
//! same envelope, so `receive` says what a server takes.

use serde_json::{Map, Value};

use super::challenge::{AnswerSignature, Challenge, ChallengeRule};
use super::envelope::{Envelope, Member};
use super::mac::SigningKey;
use super::placeholder::Placeholder;
use super::template::Template;
use crate::domain::probe::Method;

/// A request that may be a question.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// How it came.
    pub method: Method,
    /// What its URL has behind the `?`, decoded.
    pub query: &'a [(String, String)],
    /// The exact bytes.
    pub body: &'a [u8],
}

impl ChallengeRule {
    /// What an endpoint answers to a question of this form, with the secret that it has; `None` if `asked` is none.
    pub fn answer(&self, asked: Asked<'_>, key: Option<&SigningKey>) -> Option<String> {
        let mut random = None;
        let value = |name: &str| asked.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let in_query = |(name, template): &(String, Template), random: &mut Option<String>| {
            value(name).is_some_and(|value| is_of_form(template, value, random))
        };
        if asked.method != self.method || !self.query.iter().all(|stated| in_query(stated, &mut random)) {
            return None;
        }
        if let Some(send) = &self.send {
            let found = serde_json::from_slice(asked.body).ok()?;
            if !same_form(send, &found, &mut random) {
                return None;
            }
        }
        let answers = self.answers(key.map_or(&[], std::slice::from_ref), &random.unwrap_or_default());
        let text = |answer: &Value| answer.as_str().map_or_else(|| answer.to_string(), String::from);
        Some(answers.first().map_or(String::new(), text))
    }

    /// What the answer may be: one for each key where it is signed.
    pub(super) fn answers(&self, keys: &[SigningKey], random: &str) -> Vec<Value> {
        let Some(expect) = &self.expect else { return Vec::new() };
        let Some(AnswerSignature { algorithm, encoding }) = self.signature else {
            return vec![filled(expect, random, "")];
        };
        let signed = |key: &SigningKey| key.sign(algorithm, |hear| hear(random.as_bytes()), |mac| encoding.encode(mac));
        keys.iter().map(|key| filled(expect, random, &signed(key))).collect()
    }
}

impl Challenge {
    /// What an endpoint that wants deliveries answers; `None` where any answer will do.
    pub fn expected(&self) -> Option<&Value> {
        self.expected.first()
    }

    /// Whether this is the answer; if not, why, in one sentence.
    pub fn check(&self, answer: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(answer);
        let mut checked = self.expected.iter().map(|expected| check(expected, &text));
        match checked.next() {
            Some(Err(why)) if !checked.any(|other| other.is_ok()) => Err(why),
            _ => Ok(()),
        }
    }
}

fn check(expected: &Value, text: &str) -> Result<(), String> {
    match expected {
        Value::Object(expected) => match serde_json::from_str::<Map<String, Value>>(text) {
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

fn names(expected: &Map<String, Value>) -> String {
    expected.keys().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ")
}

/// The JSON of an answer.
fn filled(expect: &Envelope, random: &str, signature: &str) -> Value {
    match expect {
        Envelope::Text(template) => {
            let mut text = String::new();
            template.write(&mut text, |slot, out| {
                out.push_str(if *slot == Placeholder::Signature { signature } else { random })
            });
            Value::String(text)
        }
        Envelope::Constant(text) => constant(text),
        Envelope::Array(items) => items.iter().map(|item| filled(item, random, signature)).collect(),
        Envelope::Object(members) => {
            let fields = members.iter().filter_map(|member| match member {
                Member::Field(key, value) => Some((key.clone(), filled(value, random, signature))),
                Member::Spread(_) => None,
            });
            Value::Object(fields.collect())
        }
    }
}

fn constant(text: &str) -> Value {
    serde_json::from_str(text).expect("a constant is JSON")
}

/// Whether `found` is `asked` with some text in the place of the random one, which is left in `random`.
fn same_form(asked: &Envelope, found: &Value, random: &mut Option<String>) -> bool {
    match (asked, found) {
        (Envelope::Text(template), Value::String(found)) => is_of_form(template, found, random),
        // A fact that is a number, such as a time.
        (Envelope::Text(template), Value::Number(_)) => template.alone().is_some(),
        (Envelope::Constant(text), found) => constant(text) == *found,
        (Envelope::Array(asked), Value::Array(found)) => {
            asked.len() == found.len() && asked.iter().zip(found).all(|(asked, found)| same_form(asked, found, random))
        }
        (Envelope::Object(asked), Value::Object(found)) => asked.iter().all(|member| match member {
            Member::Field(key, asked) => found.get(key).is_some_and(|found| same_form(asked, found, random)),
            Member::Spread(_) => true,
        }),
        _ => false,
    }
}

fn is_of_form(template: &Template, found: &str, random: &mut Option<String>) -> bool {
    if let Some(constant) = template.constant() {
        return constant == found;
    }
    let Some(captured) = template.capture(found) else { return false };
    if let Some((_, value)) = captured.iter().find(|(slot, _)| **slot == Placeholder::Challenge) {
        *random = Some((*value).to_string());
    }
    true
}
