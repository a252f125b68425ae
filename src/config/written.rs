//! Where things are written in a file: the line of each key, and of what is no TOML at all. What stays true: no content of the
//! file gets out of here but its keys, since any line may hold a secret.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use super::ConfigError;

/// The line, from 1, of each key of a file, such as `server.listen`, and of each section.
///
/// # Errors
/// The text is no TOML.
pub fn lines_of(path: &Path, text: &str) -> Result<BTreeMap<String, usize>, ConfigError> {
    text.parse::<toml::Table>().map_err(|error| malformed(path, text, &error))?;
    let table = DeTable::parse(text).map_err(|error| malformed(path, text, &error))?;
    let mut lines = BTreeMap::new();
    enter("", table.get_ref(), text, &mut lines);
    Ok(lines)
}

fn enter(prefix: &str, table: &DeTable<'_>, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        if let Some(inner) = value.get_ref().as_table() {
            enter(&key, inner, text, lines);
        }
        lines.insert(key, line(text, name.span().start));
    }
}

fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = line(text, error.span().map_or(0, |span| span.start));
    ConfigError::Malformed { path: path.display().to_string(), line, message: error.message().into() }
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}
