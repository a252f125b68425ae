//! Profiles: servers and keys that `hookwheel login`, or a server for development, has kept, so that no command need be told them again. What stays true:
//! the file is its owner's alone, is replaced whole or not at all, and is not read where others may read it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Why profiles cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A file, and what became of it.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// What stands there is of no use, or there is no place for it.
    #[error("{0}")]
    Unfit(String),
    /// Somebody names one that is not there.
    #[error("{0}")]
    Absent(String),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> ProfileError {
    let what = what.into();
    |error| ProfileError::Io(what, error)
}

/// What a profile is called that nobody has named.
pub const DEFAULT: &str = "default";
/// The one of a server for development.
pub const DEV: &str = "hookwheel-dev";
/// The longest file that is one of profiles.
const BYTES_MAX: u64 = 1 << 20;
/// Bits of a file's mode that let others in.
const OTHERS: u32 = 0o077;

/// A server, and the key to talk to it with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where it is.
    pub url: String,
    /// The key.
    pub key: String,
    /// The authorities that its certificate may be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// All of them, as the file holds them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// The one that is meant where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Each by its name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// The profile of this name, or the one that is meant where none is named; `None` where nobody has logged in.
pub fn chosen(name: Option<&str>) -> Result<Option<Profile>, ProfileError> {
    // Who has no home has no profiles.
    let Some(path) = path() else {
        return match name {
            Some(_) => Err(homeless()),
            None => Ok(None),
        };
    };
    let mut all = Profiles::read(&path)?;
    let Some(name) = name else {
        return Ok(all.current.and_then(|current| all.profiles.remove(&current)));
    };
    all.profiles.remove(name).map(Some).ok_or_else(|| absent(name, &all))
}

/// Why there is no such profile.
pub fn absent(name: &str, all: &Profiles) -> ProfileError {
    let names: Vec<_> = all.profiles.keys().map(String::as_str).collect();
    let there = if names.is_empty() { "there are none".into() } else { format!("there are {}", names.join(", ")) };
    ProfileError::Absent(format!("there is no profile {name:?}; {there}; `hookwheel login --profile {name}` makes it"))
}

/// Where the file lies, whether it is there or not.
pub fn place() -> Result<PathBuf, ProfileError> {
    path().ok_or_else(homeless)
}

fn homeless() -> ProfileError {
    ProfileError::Unfit("there is no place for profiles: set HOME or XDG_CONFIG_HOME to a directory".into())
}

fn path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join("hookwheel").join("profiles.toml"))
}

impl Profiles {
    /// Reads them; none where there is no file.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let named = path.display();
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            read => read.map_err(io(named.to_string()))?,
        };
        if metadata.permissions().mode() & OTHERS != 0 {
            let remedy = format!("run `chmod 600 {named}`, and make new keys if others may have read these");
            return Err(ProfileError::Unfit(format!("{named} holds keys, and others may read it: {remedy}")));
        }
        if metadata.len() > BYTES_MAX {
            return Err(ProfileError::Unfit(format!(
                "{named} is longer than {BYTES_MAX} bytes: it is no file of profiles"
            )));
        }
        let text = fs::read_to_string(path).map_err(io(named.to_string()))?;
        // What stands there may be a key, so only where the error is is told.
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ProfileError::Unfit(format!(
                "{named}, line {line}: is no profile; mend it, or remove the file and log in again"
            ))
        })
    }

    /// Writes them, for their owner alone.
    pub fn write(&self, path: &Path) -> Result<(), ProfileError> {
        let failed = |what: &Path| io(what.display().to_string());
        let dir = path.parent().expect("it lies in a directory");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
        let text = toml::to_string(self).expect("it is plain data");
        let written = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&written)
            .map_err(failed(&written))?;
        let whole =
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&written, path));
        if whole.is_err() {
            // What is left of it is of no use; that it cannot be removed adds nothing to why.
            let _ = fs::remove_file(&written);
        }
        whole.map_err(failed(path))
    }
}

/// Keeps the key of a server for development at `url`, if it has just been made, so that whoever tries it need copy none. It is the one
/// that is meant where none is named, unless somebody has logged in elsewhere. Gives the flags that a command needs to mean it, which
/// are none or one; `None` where no key is kept that the server `takes`.
pub fn keep_dev(
    url: &str,
    first_key: Option<&str>,
    takes: impl Fn(&str) -> bool,
) -> Result<Option<&'static str>, ProfileError> {
    match path() {
        Some(path) => keep_dev_in(&path, url, first_key, takes),
        None => Ok(None),
    }
}

fn keep_dev_in(
    path: &Path,
    url: &str,
    first_key: Option<&str>,
    takes: impl Fn(&str) -> bool,
) -> Result<Option<&'static str>, ProfileError> {
    let mut all = Profiles::read(path)?;
    if let Some(key) = first_key {
        let dev = Profile { url: url.to_owned(), key: key.to_owned(), ca: None };
        all.profiles.insert(DEV.into(), dev);
        all.current.get_or_insert_with(|| DEV.into());
        all.write(path)?;
    }
    // A server with another data directory may have listened there before.
    let is_kept = all.profiles.get(DEV).is_some_and(|dev| dev.url == url && takes(&dev.key));
    let is_meant = all.current.as_deref() == Some(DEV);
    Ok(is_kept.then_some(if is_meant { "" } else { " --profile hookwheel-dev" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_the_owners_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("deep/hookwheel/profiles.toml");
        assert!(Profiles::read(&path).expect("there is none").profiles.is_empty());
        let one = Profile { url: "https://h.example".into(), key: "hw_x".into(), ca: Some("/ca.pem".into()) };
        let all = Profiles { current: Some("a".into()), profiles: [("a".into(), one)].into() };
        all.write(&path).expect("written");
        let read = Profiles::read(&path).expect("read");
        assert_eq!((read.current.as_deref(), read.profiles["a"].key.as_str()), (Some("a"), "hw_x"));
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let error = Profiles::read(&path).expect_err("others may read it").to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_broken_file_tells_its_line_and_no_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("profiles.toml");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).expect("a file");
        file.write_all(b"[profiles.a]\nurl = \"http://h\"\nkey = hw_secret\n").expect("written");
        let error = Profiles::read(&path).expect_err("no TOML").to_string();
        assert!(error.contains("line 3") && !error.contains("hw_secret"), "{error}");
    }

    #[test]
    fn a_development_server_is_meant_unless_somebody_has_logged_in_elsewhere() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("hookwheel/profiles.toml");
        let keep = |url: &str, key| keep_dev_in(&path, url, key, |_| true).expect("kept");
        assert_eq!(keep("http://a", None), None, "nobody has its key");
        assert_eq!(keep("http://a", Some("hw_1")), Some(""));
        assert_eq!(
            (keep("http://a", None), keep("http://b", None)),
            (Some(""), None),
            "a later start of it, and of another"
        );
        assert_eq!(keep("http://b", Some("hw_2")), Some(""), "the last one counts");
        let mut all = Profiles::read(&path).expect("read");
        all.profiles.insert("mine".into(), Profile { url: "http://c".into(), key: "hw_3".into(), ca: None });
        all.current = Some("mine".into());
        all.write(&path).expect("written");
        assert_eq!(keep("http://a", Some("hw_4")), Some(" --profile hookwheel-dev"));
        assert_eq!(
            keep_dev_in(&path, "http://a", None, |key| key != "hw_4").expect("read"),
            None,
            "it is of another store"
        );
        let all = Profiles::read(&path).expect("read");
        assert_eq!((all.current.as_deref(), all.profiles["mine"].key.as_str()), (Some("mine"), "hw_3"));
        assert_eq!(all.profiles[DEV].key, "hw_4");
    }
}
