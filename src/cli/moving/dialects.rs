//! Dialects that are imported: files, which no API writes. What stays true: no file is overwritten, and a name in a line leads to no
//! other folder.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::there::{Stop, There};
use super::told::{Done, Outcome};
use crate::cli::error::CliError;
use crate::dialect::Dialect;

/// Sees whether the server has a dialect, or writes its file into `folder`.
pub async fn place(
    there: &There,
    (name, text): (&str, &str),
    folder: Option<&Path>,
    is_dry: bool,
) -> Result<Done, Stop> {
    match Dialect::parse(&format!("{name}.toml"), text) {
        Ok(read) if read.name == name => {}
        Ok(_) => return Ok(Done::refused("name: is no name of a dialect")),
        Err(error) => return Ok(Done::refused(error.to_string())),
    }
    if let Some(folder) = folder {
        return Ok(write(folder, name, text, is_dry)?);
    }
    let known = there.dialect(name).await?;
    Ok(match known.map(|known| known["source"].clone()) {
        Some(source) if source == json!(text) => Done::of(Outcome::Same),
        Some(source) if source.is_null() => Done::of(Outcome::Skipped)
            .with("the server has one of this name; only an admin key sees whether it is the same"),
        Some(_) => Done::refused("the server has another one of this name: compare them by `hookwheel dialect diff`"),
        None => Done::refused(
            "the server has none of this name: import with --dialects DIR, where DIR is its deliver.dialects, let it read them \
             again (SIGHUP), and import once more",
        ),
    })
}

fn write(folder: &Path, name: &str, text: &str, is_dry: bool) -> Result<Done, CliError> {
    let path = folder.join(format!("{name}.toml"));
    let shown = path.display().to_string();
    match fs::read_to_string(&path) {
        Ok(there) if there == text => return Ok(Done::of(Outcome::Same)),
        Ok(_) => return Ok(Done::refused(format!("{shown} is another one: compare them by `hookwheel dialect diff`"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(CliError::Io(shown, error)),
    }
    if !is_dry {
        // Whatever ends this leaves no half a dialect that a server would read.
        let partial = folder.join(format!(".{name}.partial"));
        let written = fs::File::create(&partial).and_then(|mut file| {
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&partial, &path))
        });
        written.map_err(|error| CliError::Io(shown.clone(), error))?;
    }
    Ok(Done::of(Outcome::Made).with(format!("{shown}; the server reads it once it gets SIGHUP")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_never_over_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcome = |text, is_dry| write(folder.path(), "own", text, is_dry).expect("written").outcome;
        assert_eq!(outcome("a", true), Outcome::Made);
        assert!(!folder.path().join("own.toml").exists());
        assert_eq!(
            [outcome("a", false), outcome("a", false), outcome("b", false)],
            [Outcome::Made, Outcome::Same, Outcome::Refused]
        );
        assert_eq!(fs::read_to_string(folder.path().join("own.toml")).expect("it is there"), "a");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
