//! Why a dialect file was refused: always with its file, line and key, and with what would be right.

use thiserror::Error;
use toml::de::{DeTable, DeValue};

use crate::domain::Invalid;

/// A mistake in a dialect file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {key}: {message}")]
pub struct DialectError {
    /// The file, as it was named to us.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The key with its path, such as `retry.delays[2]`; `(file)` where no key is meant.
    pub key: String,
    /// What is wrong and what would be right, one sentence.
    pub message: String,
}

impl DialectError {
    /// A mistake that is not about one key.
    pub(super) fn whole(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 1, key: "(file)".into(), message: message.into() }
    }

    /// A mistake that the TOML reader found: it knows the place, we find the key.
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        let mut key = DeTable::parse(text).ok().and_then(|root| {
            let is_root = span == root.span();
            if is_root { None } else { key_at_in(root.get_ref(), span.start) }
        });
        if let Some(missing) = error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            key = Some(key.map_or(missing.to_string(), |table| format!("{table}.{missing}")));
        }
        Self {
            file: file.into(),
            line: line_at(text, span.start),
            key: key.unwrap_or("(file)".into()),
            message: helpful(error.message()),
        }
    }

    /// A mistake that our own checks found: they know the key, we find the line.
    pub(super) fn from_check(file: &str, text: &str, invalid: Invalid) -> Self {
        let offset = DeTable::parse(text).ok().and_then(|root| offset_of(root.get_ref(), &invalid.field)).unwrap_or(0);
        Self { file: file.into(), line: line_at(text, offset), key: invalid.field, message: invalid.message }
    }
}

/// The known word that looks most like `word`, for "did you mean".
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let score = |candidate: &str| (strsim::jaro_winkler(word, candidate) * 1000.0) as u32;
    known.into_iter().max_by_key(|candidate| score(candidate)).filter(|candidate| score(candidate) > 600)
}

/// Adds the nearest known name to the reader's list of all names.
fn helpful(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    match names.next() {
        Some(unknown) if message.starts_with("unknown") => match nearest(unknown, names) {
            Some(near) => format!("{message}; the nearest is `{near}`"),
            None => message.to_string(),
        },
        _ => message.to_string(),
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn key_at_in(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| match key_at(value.get_ref(), offset) {
        Some(rest) if rest.starts_with('[') => Some(format!("{}{rest}", key.get_ref())),
        Some(rest) => Some(format!("{}.{rest}", key.get_ref())),
        None => {
            let here = key.span().contains(&offset) || value.span().contains(&offset);
            here.then(|| key.get_ref().to_string())
        }
    })
}

/// The path below `value` of the key or item at `offset`.
fn key_at(value: &DeValue<'_>, offset: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => key_at_in(table, offset),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(n, item)| match key_at(item.get_ref(), offset) {
            Some(rest) if rest.starts_with('[') => Some(format!("[{n}]{rest}")),
            Some(rest) => Some(format!("[{n}].{rest}")),
            None => item.span().contains(&offset).then(|| format!("[{n}]")),
        }),
        _ => None,
    }
}

/// Where the key `path` stands, or the deepest part of it that is there.
fn offset_of(root: &DeTable<'_>, path: &str) -> Option<usize> {
    let mut found = None;
    let mut table = Some(root);
    let mut items = None;
    for step in path.split(['.', '[']) {
        let value = match step.strip_suffix(']').map(str::parse::<usize>) {
            Some(Ok(n)) => items.take().and_then(|items: &toml::de::DeArray<'_>| items.get(n)).inspect(|value| {
                found = Some(value.span().start);
            }),
            _ => table.take().and_then(|table| table.iter().find(|(key, _)| key.get_ref() == step)).map(
                |(key, value)| {
                    found = Some(key.span().start);
                    value
                },
            ),
        };
        let Some(value) = value else { break };
        table = value.get_ref().as_table();
        items = value.get_ref().as_array();
    }
    found
}
