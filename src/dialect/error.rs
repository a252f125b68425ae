//! Why a dialect file was refused: always with its file, line and key, and with what would be right.

use thiserror::Error;
use toml::de::{DeTable, DeValue};

use super::wording::helpful;
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
        let offset = error.span().map_or(0, |span| span.start);
        let line = line_at(text, offset);
        let Ok(root) = DeTable::parse(text) else {
            let key = key_in_line(text, line).unwrap_or("(file)".into());
            let message = match error.message() {
                "duplicate key" => "is there twice".into(),
                other => format!("is not TOML: {other}"),
            };
            return Self { file: file.into(), line, key, message };
        };
        if let Some(mistake) = list_of_one(file, text, root.get_ref()) {
            return mistake;
        }
        let is_root = error.span().is_none_or(|span| span == root.span());
        let mut key = if is_root { None } else { key_at_in(root.get_ref(), offset) };
        if let Some(missing) = error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            key = Some(key.map_or(missing.to_string(), |table| format!("{table}.{missing}")));
        }
        let key = key.unwrap_or("(file)".into());
        let message = helpful(&key, error.message());
        Self { file: file.into(), line, key, message }
    }

    /// A mistake that our own checks found: they know the key, we find the line.
    pub(super) fn from_check(file: &str, text: &str, invalid: Invalid) -> Self {
        let offset = DeTable::parse(text).ok().and_then(|root| offset_of(root.get_ref(), &invalid.field)).unwrap_or(0);
        Self { file: file.into(), line: line_at(text, offset), key: invalid.field, message: invalid.message }
    }
}

/// A part of which there is one, written as a list: `[[retry]]`.
fn list_of_one(file: &str, text: &str, root: &DeTable<'_>) -> Option<DialectError> {
    let single = [
        "retry",
        "rate_limit",
        "disable",
        "limits",
        "secrets",
        "challenge",
        "ids",
        "shape",
        "body",
        "headers",
        "face",
        "sample_actor",
    ];
    let (key, _) = root.iter().find(|(key, value)| single.contains(&&**key.get_ref()) && value.get_ref().is_array())?;
    let name = key.get_ref().to_string();
    let message = format!("is there once, so it is no list; write [{name}]");
    Some(DialectError { file: file.into(), line: line_at(text, key.span().start), key: name, message })
}

/// The key that a line of broken TOML seems to be about, below the last table that begins above it.
fn key_in_line(text: &str, line: usize) -> Option<String> {
    let plain =
        |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.\"' ".contains(&b));
    let table = |line: &str| {
        let name = line.strip_prefix('[')?.trim_matches(|c| "[] ".contains(c)).to_string();
        plain(&name).then_some(name)
    };
    let lines: Vec<&str> = text.lines().take(line).map(str::trim).collect();
    let (last, above) = lines.split_last()?;
    if last.starts_with('[') {
        return table(last);
    }
    let key = last.split(['=', ':']).next().map(str::trim).filter(|key| plain(key))?;
    let table = above.iter().rev().find_map(|line| table(line));
    Some(table.map_or(key.to_string(), |table| format!("{table}.{key}")))
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn key_at_in(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| match key_at(value.get_ref(), offset) {
        Some(rest) if rest.starts_with('[') => Some(format!("{}{rest}", written(key.get_ref()))),
        Some(rest) => Some(format!("{}.{rest}", written(key.get_ref()))),
        None => {
            let here = key.span().contains(&offset) || value.span().contains(&offset);
            here.then(|| written(key.get_ref()))
        }
    })
}

/// A key as TOML writes it.
fn written(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_string() } else { format!("{key:?}") }
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
