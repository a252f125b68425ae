//! A contract that an argument names: a file, a dialect that there is, or standard input.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::dialect::{Dialect, DialectError, Dialects};

/// The longest file that is read.
const BYTES_MAX: u64 = 64 << 20;

/// The dialect of this name among those that are compiled in and those in `dir`, or in this file: what has a dot or a slash
/// in it is a file, and `-` is standard input. Why it cannot be read, in words.
pub fn dialect(named: &str, dir: &Path) -> Result<Arc<Dialect>, String> {
    let in_lines = |errors: Vec<DialectError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    if named != "-" && !named.contains(['/', '.']) {
        let dialects = Dialects::load(Some(dir)).map_err(in_lines)?;
        return dialects.get(named).cloned().ok_or_else(|| {
            let names: Vec<_> = dialects.names().collect();
            format!("there is no dialect {named:?}; there are {}; a file is named with its .toml", names.join(", "))
        });
    }
    // What the file is called says nothing of the contract: an old one lies anywhere.
    let read = Dialect::parse("contract.toml", &text(named)?);
    read.map(Arc::new).map_err(|error| DialectError { file: named.into(), ..error }.to_string())
}

/// The text of a file, or of standard input.
pub fn text(named: &str) -> Result<String, String> {
    let read = || {
        let mut text = String::new();
        match named {
            "-" => std::io::stdin().take(BYTES_MAX + 1).read_to_string(&mut text)?,
            path => fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?,
        };
        Ok::<_, std::io::Error>(text)
    };
    let text = read().map_err(|error| format!("{named}: {error}"))?;
    match text.len() as u64 > BYTES_MAX {
        true => Err(format!("{named}: is longer than {} MiB", BYTES_MAX >> 20)),
        false => Ok(text),
    }
}
