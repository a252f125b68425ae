//! A webhook's settings as the texts of a form, and back as the JSON that the API takes. What stays true: only what was changed on
//! the form is said, so what somebody else changed meanwhile stays; and what cannot be read is named by its field. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::known::{BY_PARTS, FIELDS, Kind, SECRETS, setting_of};
use super::written::{pairs, pairs_text, span_text, spans};
use crate::dashboard::posted::Fields;
use crate::domain::Invalid;

/// The texts of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet(BTreeMap<&'static str, String>);

impl Sheet {
    /// A form that nothing was written into, but the dialect that is meant.
    pub fn blank(dialect: &str) -> Self {
        let texts = [("mode", "push".to_owned()), ("dialect", dialect.to_owned())];
        Self(texts.into())
    }

    /// What a webhook's view says.
    pub fn of(view: &Map<String, Value>) -> Self {
        let mut sheet = Self::default();
        for (name, kind) in FIELDS {
            let value = match *name {
                "disable.is" => view.get("disable").map(|rule| json!(if rule.is_null() { "" } else { "own" })),
                "notices.on" => view.get("notices").map(|notices| json!(!notices.is_null())),
                _ => at(view, name).cloned(),
            };
            let text = value.map_or(String::new(), |value| text_of(*kind, &value));
            if !SECRETS.contains(name) {
                sheet.set(name, &text);
            }
        }
        sheet
    }

    /// What was posted; what the form did not have is as it was before. Types are ticked in a list (`event`), or written into lines
    /// beside it (`events`).
    pub fn read(fields: &Fields, before: &Self) -> Self {
        let mut sheet = Self::default();
        for (name, kind) in FIELDS {
            // Of a box that is not ticked nothing is posted.
            let absent = if *kind == Kind::Tick { "" } else { before.get(name) };
            sheet.set(name, fields.raw(name).unwrap_or(absent));
        }
        let types = [sheet.get("events"), "\n", &fields.all("event").collect::<Vec<_>>().join("\n")].concat();
        sheet.set("events", &types);
        sheet
    }

    /// What [`Self::to_json`] wrote; none if it is something else.
    pub fn from_json(text: &str) -> Option<Self> {
        let texts: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        let mut sheet = Self::default();
        for (name, _) in FIELDS {
            sheet.set(name, texts.get(*name).map_or("", String::as_str));
        }
        Some(sheet)
    }

    /// For a field that nobody sees.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("texts are JSON")
    }

    /// The text of a field.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether a box is ticked.
    pub fn is_on(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    /// Whether something is in one of the fields of this setting.
    pub fn says(&self, setting: &str) -> bool {
        self.0.iter().any(|(name, text)| setting_of(name) == setting && !text.is_empty())
    }

    /// It is of this contract, whatever was written.
    pub fn speak(&mut self, dialect: &str) {
        self.set("dialect", dialect);
    }

    /// Without what must not be shown again.
    pub fn without_secrets(self) -> Self {
        self.without(&SECRETS)
    }

    /// With nothing in these fields.
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(name));
        self
    }

    /// What this says that `before` did not, as the API takes it; null is what was taken away.
    pub fn changes(&self, before: &Self) -> Result<Map<String, Value>, Invalid> {
        let mut said = Map::new();
        let differs = |name: &str| self.get(name) != before.get(name);
        for setting in FIELDS.iter().map(|(name, _)| setting_of(name)) {
            let mut parts = FIELDS.iter().filter(|(name, _)| setting_of(name) == setting);
            if !said.contains_key(setting) && parts.any(|(name, _)| differs(name)) {
                said.insert(setting.to_owned(), self.value(setting, before)?);
            }
        }
        Ok(said)
    }

    /// A setting in JSON.
    fn value(&self, setting: &str, before: &Self) -> Result<Value, Invalid> {
        if let Some((_, kind)) = FIELDS.iter().find(|(name, _)| *name == setting) {
            return value_of(setting, *kind, self.get(setting));
        }
        let is_there = match setting {
            "disable" => self.get("disable.is") == "own",
            "notices" => self.is_on("notices.on"),
            "auth" => self.is_on("auth.type"),
            // A jitter alone is no schedule.
            "retry" => self.is_on("retry.delays"),
            _ => self.says(setting) || BY_PARTS.contains(&setting),
        };
        if !is_there {
            return Ok(Value::Null);
        }
        let mut whole = Map::new();
        for (name, kind) in FIELDS.iter().filter(|(name, _)| setting_of(name) == setting) {
            let (_, part) = name.split_once('.').unwrap_or_default();
            let text = self.get(name);
            let is_meant = match BY_PARTS.contains(&setting) {
                // A key goes with its certificate.
                true if *name == "tls.client_key" && text.is_empty() => {
                    !self.is_on("tls.client_certificate") && before.is_on("tls.client_certificate")
                }
                true => text != before.get(name),
                false => !text.is_empty() && self.belongs(name),
            };
            if is_meant {
                whole.insert(part.to_owned(), value_of(name, *kind, text)?);
            }
        }
        Ok(whole.into())
    }

    /// Whether a part counts where others say what the setting is.
    fn belongs(&self, name: &str) -> bool {
        let of_auth: &[&str] = match self.get("auth.type") {
            "basic" => &["auth.username", "auth.password"],
            "bearer" => &["auth.token"],
            "header" => &["auth.name", "auth.value"],
            _ => &[
                "auth.token_url",
                "auth.client_id",
                "auth.client_secret",
                "auth.scope",
                "auth.audience",
                "auth.client_auth",
                "auth.extra",
            ],
        };
        match setting_of(name) {
            "auth" => name == "auth.type" || of_auth.contains(&name),
            _ => !name.ends_with(".is") && !name.ends_with(".on"),
        }
    }

    fn set(&mut self, name: &'static str, text: &str) {
        let kind = FIELDS.iter().find(|(known, _)| *known == name).map_or(Kind::Text, |(_, kind)| *kind);
        let text = text.replace("\r\n", "\n");
        let text = match kind {
            Kind::Lines => lines(&text).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n"),
            Kind::Tick => {
                if text.is_empty() {
                    String::new()
                } else {
                    "on".to_owned()
                }
            }
            _ => text.trim().to_owned(),
        };
        match text.is_empty() {
            true => drop(self.0.remove(name)),
            false => drop(self.0.insert(name, text)),
        }
    }
}

/// What a view says at the path of a field.
fn at<'v>(view: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let mut parts = name.split('.');
    let whole = view.get(parts.next()?)?;
    parts.try_fold(whole, |at, part| at.get(part))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn value_of(name: &str, kind: Kind, text: &str) -> Result<Value, Invalid> {
    if kind == Kind::Tick {
        return Ok(json!(!text.is_empty()));
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let number = || text.parse::<u64>().map_err(|_| Invalid::new(name, "must be a whole number"));
    Ok(match kind {
        Kind::Text | Kind::Tick => json!(text),
        Kind::Lines => json!(lines(text)),
        Kind::Number => json!(number()?),
        Kind::Spans => json!(spans(name, text)?),
        Kind::Span => match spans(name, text)?.as_slice() {
            [one] => json!(one),
            _ => return Err(Invalid::new(name, "must be one length of time, such as 30m")),
        },
        Kind::Pairs => pairs(name, text)?.into(),
        Kind::Json => {
            serde_json::from_str(text).map_err(|error| Invalid::new(name, format!("is not JSON: {error}")))?
        }
    })
}

fn text_of(kind: Kind, value: &Value) -> String {
    let texts = || value.as_array().into_iter().flatten();
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (Kind::Text, Value::String(text)) => text.clone(),
        (Kind::Number, Value::Number(number)) => number.to_string(),
        (Kind::Tick, Value::Bool(true)) => "on".into(),
        (Kind::Lines, _) => texts().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        (Kind::Spans, _) => texts().filter_map(Value::as_u64).map(span_text).collect::<Vec<_>>().join(", "),
        (Kind::Span, _) => value.as_u64().map_or(String::new(), span_text),
        (Kind::Pairs, Value::Object(pairs)) => pairs_text(pairs),
        (Kind::Json, _) => serde_json::to_string_pretty(value).unwrap_or_default(),
        // Of a secret it is shown that there is one.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
