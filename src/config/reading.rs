//! Reads the sources: the file, then the environment over it. What stays true: all mistakes are told at once, and each names
//! where it is, the key as it is spelt there, and what would be right.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::knobs::{KNOBS, Takes};
use super::named::{ENVIRONMENT_PREFIX, nearest, variable};
use super::together::contradictions;
use super::written::lines_of;
use super::{Config, ConfigError};

/// A variable of the environment that begins so is ours, or nearly.
const NEAR_PREFIX: &str = "HOOKWHEEL_";
/// A variable that differs from one of ours by so many letters, underscores aside, was meant to be that.
const NEAR: usize = 2;

pub fn from_sources(file: Option<(&Path, &str)>, env: Option<Map<String, String>>) -> Result<Config, ConfigError> {
    let (env, mut mistakes) = env.map_or_else(|| environment(std::env::vars_os()), |env| (env, Vec::new()));
    mistakes.extend(misnamed(&env));
    let file_source = File::from_str(file.map_or("", |(_, text)| text), FileFormat::Toml);
    // An empty variable is an unset one, as compose files write it.
    let env_source = Environment::with_prefix("HOOKWHEEL").prefix_separator("__").separator("__").ignore_empty(true);
    let env_source = env_source.source(Some(env));
    let mut set_in = BTreeMap::new();
    let mut has_secret = false;
    if let Some((path, text)) = file {
        match lines_of(path, text) {
            Ok(lines) => {
                let leaves = check(&Origin::File(path, &lines), file_source.collect()?, &mut mistakes, &mut set_in);
                let is_secret = |key: &str| KNOBS.iter().any(|(knob, takes)| *knob == key && takes.is_secret());
                has_secret = leaves.iter().any(|(key, _)| is_secret(key));
            }
            Err(malformed) => mistakes.push(malformed),
        }
    }
    check(&Origin::Environment, env_source.collect()?, &mut mistakes, &mut set_in);
    ConfigError::of(mistakes)?;
    let merged = config::Config::builder().add_source(file_source).add_source(env_source).build()?;
    let mut config: Config = merged.try_deserialize()?;
    ConfigError::of(contradictions(&config).into_iter().map(ConfigError::Contradiction).collect())?;
    config.secrets_in = file.map(|(path, _)| path.to_path_buf()).filter(|_| has_secret);
    config.set_in = set_in;
    if let Some(folder) = file.and_then(|(path, _)| path.parent()) {
        put_beside(&mut config, folder);
    }
    Ok(config)
}

/// Relative paths of a file count from where it lies, those of the environment from the working directory.
fn put_beside(config: &mut Config, folder: &Path) {
    let beside = [
        ("deliver.dialects", Some(&mut config.deliver.dialects)),
        ("store.master_key_file", config.store.master_key_file.as_mut()),
        ("store.password_file", config.store.password_file.as_mut()),
        ("server.tls_certificate", config.server.tls_certificate.as_mut()),
        ("server.tls_key", config.server.tls_key.as_mut()),
        ("smtp.ca_file", config.smtp.ca_file.as_mut()),
        ("smtp.password_file", config.smtp.password_file.as_mut()),
        ("portal.logo", config.portal.logo.as_mut()),
        ("oidc.client_secret_file", config.oidc.client_secret_file.as_mut()),
    ];
    for (knob, path) in beside {
        if let Some(path) = path.filter(|_| config.set_in.get(knob) != Some(&variable(knob))) {
            *path = folder.join(&*path);
        }
    }
}

/// Of the process's own variables those that are text, and what is wrong with ours that are not: the rest is nobody's here.
pub fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> (Map<String, String>, Vec<ConfigError>) {
    let (mut texts, mut mistakes) = (Map::new(), Vec::new());
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(texts.insert(name, value)),
            (Ok(key), Err(_)) if key.to_uppercase().starts_with(ENVIRONMENT_PREFIX) => {
                let (takes, found) = ("text in UTF-8".into(), "none".into());
                mistakes.push(ConfigError::Unfit { origin: "the environment".into(), key, takes, found });
            }
            _ => {}
        }
    }
    (texts, mistakes)
}

/// Variables that are nearly ours, and would be ignored.
fn misnamed(env: &Map<String, String>) -> Vec<ConfigError> {
    let squashed = |name: &str| name.to_uppercase().replace(['_', '.'], "");
    let meant = |name: &str| {
        let upper = name.to_uppercase();
        let rest = squashed(upper.strip_prefix(NEAR_PREFIX).filter(|_| !upper.starts_with(ENVIRONMENT_PREFIX))?);
        let distance = |knob: &str| strsim::damerau_levenshtein(&squashed(knob), &rest);
        KNOBS.iter().map(|(knob, _)| *knob).min_by_key(|knob| distance(knob)).filter(|knob| distance(knob) <= NEAR)
    };
    let mut names: Vec<&String> = env.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name).collect();
    names.sort_unstable();
    let wrong = |name: &String| {
        let (origin, nearest) = ("the environment".into(), variable(meant(name)?));
        Some(ConfigError::UnknownKey { origin, key: name.clone(), nearest })
    };
    names.into_iter().filter_map(wrong).collect()
}

/// Where a key was written, and so how it is spelt.
enum Origin<'a> {
    /// With the line of each key.
    File(&'a Path, &'a BTreeMap<String, usize>),
    Environment,
}

impl Origin<'_> {
    fn spell(&self, key: &str) -> String {
        match self {
            Self::File(..) => key.to_owned(),
            Self::Environment => variable(key),
        }
    }

    /// Where the key is.
    fn of(&self, key: &str) -> String {
        match self {
            Self::File(path, lines) => match lines.get(key) {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            },
            Self::Environment => "the environment".into(),
        }
    }
}

/// Enters what no knob takes as a mistake, and where knobs were set; gives back what is set.
fn check(
    origin: &Origin<'_>,
    source: Map<String, Value>,
    mistakes: &mut Vec<ConfigError>,
    set_in: &mut BTreeMap<String, String>,
) -> Vec<(String, ValueKind)> {
    let mut leaves = Vec::new();
    flatten("", source, &mut leaves);
    leaves.sort_by(|a, b| a.0.cmp(&b.0));
    let knobs: HashMap<&str, Takes> = KNOBS.iter().copied().collect();
    for (key, value) in &leaves {
        let knob = knobs.get(key.as_str()).copied();
        mistakes.extend(mistake(origin, key, value, knob));
        if knob.is_some() {
            let place = match origin {
                Origin::File(..) => origin.of(key),
                Origin::Environment => origin.spell(key),
            };
            set_in.insert(key.clone(), place);
        }
    }
    leaves
}

fn mistake(origin: &Origin<'_>, key: &str, value: &ValueKind, knob: Option<Takes>) -> Option<ConfigError> {
    let is_section = KNOBS.iter().any(|(knob, _)| knob.split_once('.').is_some_and(|(section, _)| section == key));
    let (takes, found) = match knob {
        Some(takes) if takes.accept(value) => return None,
        Some(takes) if takes.is_secret() => (takes.to_string(), "another text".into()),
        Some(takes) => (takes.to_string(), found(value) + &takes.hint(value)),
        None if !is_section => {
            let (origin_of, nearest) = (origin.of(key), origin.spell(nearest(key)));
            return Some(ConfigError::UnknownKey { origin: origin_of, key: origin.spell(key), nearest });
        }
        None if matches!(value, ValueKind::Table(_)) => return None,
        None => (format!("a section: write its keys under [{key}]"), kind(value).into()),
    };
    Some(ConfigError::Unfit { origin: origin.of(key), key: origin.spell(key), takes, found })
}

/// Turns tables into dotted keys; an empty table stays, so that a mistyped empty section is seen.
fn flatten(prefix: &str, table: Map<String, Value>, leaves: &mut Vec<(String, ValueKind)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => flatten(&key, inner, leaves),
            kind => leaves.push((key, kind)),
        }
    }
}

/// What stands in the place of a section: not itself, since it may be one of its secrets.
fn kind(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::String(_) => "a text",
        ValueKind::Array(_) => "a list",
        _ => "a single value",
    }
}

/// A text without who it lets in: an address may have a name and a password in it, also where it may not.
fn without_user(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((user, rest)) if user.contains(':') => {
            let scheme = user.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
            format!("{scheme}…@{rest}")
        }
        _ => text.to_owned(),
    }
}

fn found(value: &ValueKind) -> String {
    match value {
        ValueKind::String(text) => format!("\"{}\"", without_user(text)),
        ValueKind::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| found(&item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_) => "a table".into(),
        other => other.to_string(),
    }
}
