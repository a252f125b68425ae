//! Reads the sources: the file, then the environment over it. What stays true: a mistake names where it is, the key as it
//! is spelt there, and what would be right.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};
use thiserror::Error;

use super::knobs::{KNOBS, Takes};
use super::{Config, SmtpTls};

/// What every variable of the environment that sets a knob begins with.
pub const ENVIRONMENT_PREFIX: &str = "HOOKWHEEL__";

/// Why a configuration was refused. The texts are for the person who wrote it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML. What stands in that line is not shown: it may be a secret.
    #[error("{path}:{line}: is not TOML: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What the reader says of it.
        message: String,
    },
    /// A source could not be read at all.
    #[error("cannot read the configuration: {0}")]
    Unread(#[from] config::ConfigError),
    /// A key that no knob has.
    #[error("{origin}: unknown key `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The file, or "the environment".
        origin: String,
        /// The key as it is written there.
        key: String,
        /// The nearest known one, written the same way.
        nearest: String,
    },
    /// A value that the knob does not take.
    #[error("{origin}: `{key}` must be {takes}, but is {found}")]
    Unfit {
        /// The file, or "the environment".
        origin: String,
        /// The key as it is written there.
        key: String,
        /// What the knob takes.
        takes: String,
        /// What was found.
        found: String,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

pub fn from_sources(file: Option<(&Path, &str)>, env: Option<Map<String, String>>) -> Result<Config, ConfigError> {
    let file_source = File::from_str(file.map_or("", |(_, text)| text), FileFormat::Toml);
    // An empty variable is an unset one, as compose files write it.
    let env_source = Environment::with_prefix("HOOKWHEEL").prefix_separator("__").separator("__").ignore_empty(true);
    let env_source = env_source.source(env);
    let mut has_secret = false;
    if let Some((path, text)) = file {
        text.parse::<toml::Table>().map_err(|error| malformed(path, text, &error))?;
        let leaves = check(&Origin::File(path), file_source.collect()?)?;
        has_secret = leaves.iter().any(|(key, _)| KNOBS.iter().any(|(knob, takes)| knob == key && takes.is_secret()));
    }
    check(&Origin::Environment, env_source.collect()?)?;
    let merged = config::Config::builder().add_source(file_source).add_source(env_source).build()?;
    let mut config: Config = merged.try_deserialize()?;
    check_together(&config)?;
    config.secrets_in = file.map(|(path, _)| path.to_path_buf()).filter(|_| has_secret);
    if let Some(folder) = file.and_then(|(path, _)| path.parent()) {
        config.deliver.dialects = folder.join(&config.deliver.dialects);
        config.store.master_key_file = config.store.master_key_file.map(|path| folder.join(path));
        let beside = [
            &mut config.server.tls_certificate,
            &mut config.server.tls_key,
            &mut config.smtp.ca_file,
            &mut config.smtp.password_file,
            &mut config.portal.logo,
            &mut config.oidc.client_secret_file,
        ];
        for path in beside.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    Ok(config)
}

fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let line = 1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count();
    ConfigError::Malformed { path: path.display().to_string(), line, message: error.message().into() }
}

fn check_together(config: &Config) -> Result<(), ConfigError> {
    if config.store.queue_bytes_max < config.server.body_bytes_max {
        return Err(ConfigError::Contradiction(
            "`store.queue_bytes_max` is below `server.body_bytes_max`: the largest body would never be accepted; raise the \
             one or lower the other",
        ));
    }
    if config.server.tls_certificate.is_some() != config.server.tls_key.is_some() {
        return Err(ConfigError::Contradiction(
            "`server.tls_certificate` and `server.tls_key` go together: set both to serve TLS, or none",
        ));
    }
    check_provider(config)?;
    let smtp = &config.smtp;
    if smtp.host.is_some() && smtp.from.is_none() {
        return Err(ConfigError::Contradiction("`smtp.host` needs `smtp.from`: mail has to come from somebody"));
    }
    if smtp.password.is_some() && smtp.password_file.is_some() {
        return Err(ConfigError::Contradiction("`smtp.password` and `smtp.password_file` are two passwords: set one"));
    }
    if smtp.username.is_some() != (smtp.password.is_some() || smtp.password_file.is_some()) {
        return Err(ConfigError::Contradiction(
            "`smtp.username` and `smtp.password` (or `smtp.password_file`) go together: set both to log in, or none",
        ));
    }
    let is_here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if smtp.tls == SmtpTls::None && smtp.username.is_some() && !smtp.host.as_deref().is_some_and(is_here) {
        return Err(ConfigError::Contradiction(
            "`smtp.tls` is \"none\" and there is a password: it would travel in the clear; encrypt, or do not log in",
        ));
    }
    Ok(())
}

fn check_provider(config: &Config) -> Result<(), ConfigError> {
    let oidc = &config.oidc;
    if oidc.issuer.is_some() != oidc.client_id.is_some() {
        return Err(ConfigError::Contradiction(
            "`oidc.issuer` and `oidc.client_id` go together: set both to let people log in by a provider, or none",
        ));
    }
    if oidc.issuer.is_some() && oidc.allowed.is_empty() {
        return Err(ConfigError::Contradiction(
            "`oidc.issuer` needs `oidc.allowed`: without a rule nobody is let in; name addresses, hosts or groups",
        ));
    }
    if oidc.client_secret.is_some() && oidc.client_secret_file.is_some() {
        return Err(ConfigError::Contradiction(
            "`oidc.client_secret` and `oidc.client_secret_file` are two secrets: set one",
        ));
    }
    Ok(())
}

/// Where a key was written, and so how it is spelt.
enum Origin<'a> {
    File(&'a Path),
    Environment,
}

impl Origin<'_> {
    fn spell(&self, key: &str) -> String {
        match self {
            Self::File(_) => key.to_owned(),
            Self::Environment => format!("{ENVIRONMENT_PREFIX}{}", key.replace('.', "__").to_uppercase()),
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("the environment"),
        }
    }
}

/// Refuses what no knob takes; gives back what is set.
fn check(origin: &Origin<'_>, source: Map<String, Value>) -> Result<Vec<(String, ValueKind)>, ConfigError> {
    let mut leaves = Vec::new();
    flatten("", source, &mut leaves);
    leaves.sort_by(|a, b| a.0.cmp(&b.0));
    let knobs: HashMap<&str, Takes> = KNOBS.iter().copied().collect();
    for (key, value) in &leaves {
        let is_section = KNOBS.iter().any(|(knob, _)| knob.split_once('.').is_some_and(|(section, _)| section == key));
        let knob = knobs.get(key.as_str()).copied();
        let takes = match knob {
            Some(takes) if !takes.accept(value) => takes.to_string(),
            Some(_) => continue,
            None if !is_section => return Err(unknown(origin, key)),
            None if matches!(value, ValueKind::Table(_)) => continue,
            None => format!("a section: write its keys under [{key}]"),
        };
        return Err(ConfigError::Unfit {
            origin: origin.to_string(),
            key: origin.spell(key),
            takes,
            found: match knob {
                Some(takes) if takes.is_secret() => "another text".into(),
                Some(_) => found(value),
                None => kind(value).into(),
            },
        });
    }
    Ok(leaves)
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

fn unknown(origin: &Origin<'_>, key: &str) -> ConfigError {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    // A right name under the wrong section is nearer than any spelling.
    let distance = |known: &str| {
        let whole = strsim::damerau_levenshtein(known, key);
        if last(known) == last(key) { whole.min(1) } else { whole }
    };
    let nearest = KNOBS.iter().map(|(known, _)| *known).min_by_key(|known| distance(known)).unwrap_or_default();
    ConfigError::UnknownKey { origin: origin.to_string(), key: origin.spell(key), nearest: origin.spell(nearest) }
}

/// What stands in the place of a section: not itself, since it may be one of its secrets.
fn kind(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::String(_) => "a text",
        ValueKind::Array(_) => "a list",
        _ => "a single value",
    }
}

fn found(value: &ValueKind) -> String {
    match value {
        ValueKind::String(text) => format!("\"{text}\""),
        ValueKind::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| found(&item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_) => "a table".into(),
        other => other.to_string(),
    }
}
