//! What a request says of itself: the facts that its signatures cover, read back from where the contract tells them. What stays
//! true: a header comes before the body, and what is missing or no time is named.

use serde_json::Value;

use super::Dialect;
use super::envelope::Step;
use super::form::{self, BodyFormat};
use super::headers::{HeaderKey, METHOD};
use super::placeholder::{Moment, Placeholder};
use super::refusal::VerifyError;
use super::signature::SignatureRule;
use super::template::Template;
use crate::domain::time::{self, TimeForm};

/// A request as it arrived.
#[derive(Clone, Copy)]
pub struct Received<'r> {
    /// The value of a header, its name in any case.
    pub header: &'r dyn Fn(&str) -> Option<String>,
    /// The URL that it was sent to, as the sender knows it; only some contracts need it.
    pub url: Option<&'r str>,
    /// The exact bytes.
    pub body: &'r [u8],
}

/// What a request says of itself.
pub(super) type Facts = Vec<(Placeholder, String)>;

impl Dialect {
    /// Whether a request can be verified only by who knows its URL.
    pub fn signs_url(&self) -> bool {
        self.needs().any(|slot| *slot == Placeholder::WebhookUrl)
    }

    /// All facts that signatures cover.
    fn needs(&self) -> impl Iterator<Item = &Placeholder> {
        self.signature.iter().flat_map(|rule| rule.signed.slots())
    }

    /// Reads the facts back that a signature covers: from headers, else from the body.
    pub(super) fn received_facts(&self, received: Received<'_>) -> Result<Facts, VerifyError> {
        let mut facts = Facts::new();
        let header = |key: &HeaderKey| {
            (received.header)(&key.spelled).ok_or_else(|| VerifyError::MissingHeader(key.spelled.clone()))
        };
        for rule in self.headers.iter().filter(|rule| self.covers(&rule.value)) {
            let text = header(&rule.key)?;
            let found = rule.value.capture(&text).ok_or_else(|| wrong_form(&rule.key, &rule.value))?;
            for (slot, value) in found {
                if is_time(slot, self.times, value) == Some(false) {
                    return Err(wrong_form(&rule.key, &rule.value));
                }
                facts.push((slot.clone(), value.to_string()));
            }
        }
        for slot in self.needs() {
            match slot {
                Placeholder::Header(named) => facts.push((slot.clone(), header(&self.headers[named.place].key)?)),
                Placeholder::WebhookUrl => {
                    facts.push((slot.clone(), received.url.ok_or(VerifyError::NoUrl)?.to_string()));
                }
                Placeholder::AttemptMethod => facts.push((slot.clone(), METHOD.to_string())),
                _ => {}
            }
        }
        self.add_facts_of_body(received.body, &mut facts)?;
        Ok(facts)
    }

    /// Adds what is told by the body alone.
    fn add_facts_of_body(&self, body: &[u8], facts: &mut Facts) -> Result<(), VerifyError> {
        let told = |slot: &Placeholder, facts: &Facts| {
            let own = self.signature.iter().any(|rule| rule.own_slots().any(|own| own == slot));
            let is_body = matches!(slot, Placeholder::Body | Placeholder::BodySorted);
            is_body || own || facts.iter().any(|(known, _)| known == slot)
        };
        let in_body = self.signature.iter().any(|rule| rule.header.is_none()).then_some(&Placeholder::Signature);
        let missing: Vec<&Placeholder> = self.needs().filter(|slot| !told(slot, facts)).chain(in_body).collect();
        for slot in missing.into_iter().chain(self.time_in_body().as_ref()) {
            let Some(path) = self.envelope.path_of(slot) else { continue };
            let text = self.field(body, &path).ok_or_else(|| VerifyError::MissingField(spelled(&path)))?;
            if is_time(slot, self.times, &text) == Some(false) {
                return Err(VerifyError::MissingField(format!("time in {}", spelled(&path))));
            }
            facts.push((slot.clone(), text));
        }
        Ok(())
    }

    /// The attempt's time, where no header tells it but a body that is signed.
    pub fn time_in_body(&self) -> Option<Placeholder> {
        let is_time = |slot: &&Placeholder| slot.moment().is_some_and(|(moment, _)| moment == Moment::Attempt);
        let signs_time = self.needs().any(|slot| is_time(&slot));
        if signs_time || !self.signature.iter().any(SignatureRule::signs_body) {
            return None;
        }
        let slots = self.envelope.templates().into_iter().filter_map(Template::only);
        slots.filter(is_time).find(|slot| self.envelope.path_of(slot).is_some()).cloned()
    }

    /// The text at a place in a body.
    fn field(&self, body: &[u8], path: &[Step]) -> Option<String> {
        if self.body.format == BodyFormat::Form {
            return match path {
                [Step::Key(name)] => form::parameter(body, name),
                _ => None,
            };
        }
        let whole: Value = serde_json::from_slice(body).ok()?;
        let found = path.iter().try_fold(&whole, |value, step| match step {
            Step::Key(name) => value.get(name),
            Step::Item(n) => value.get(n),
        })?;
        match found {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn covers(&self, header: &Template) -> bool {
        header.slots().any(|slot| self.needs().any(|needed| needed == slot))
    }
}

/// Whether a fact that is a time reads as one; `None` if it is no time.
fn is_time(slot: &Placeholder, times: TimeForm, text: &str) -> Option<bool> {
    let (_, form) = slot.moment()?;
    Some(time::read(text, form.unwrap_or(times)).is_some())
}

fn spelled(path: &[Step]) -> String {
    path.iter().fold(String::new(), |text, step| match step {
        Step::Key(name) if text.is_empty() => name.clone(),
        Step::Key(name) => format!("{text}.{name}"),
        Step::Item(n) => format!("{text}[{n}]"),
    })
}

fn wrong_form(key: &HeaderKey, template: &Template) -> VerifyError {
    VerifyError::WrongForm { header: format!("the header {}", key.spelled), expected: template.to_string() }
}
