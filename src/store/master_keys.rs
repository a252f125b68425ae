//! Where the master keys come from: a text, a file, a credential, or a file of the store's own in the data directory, which is made if it
//! is not there and no store either. What stays true: a new key has reached the disk before anything is sealed with it, and no file of keys is
//! ever written over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hkdf::Hkdf;
use rustix::process::geteuid;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key_mark::KeyMark;
use super::migration;
use super::seal::MasterKeys;
use super::settings::{MasterKeySource, OWN_MASTER_KEYS, Settings};
use super::trees::create::{self, make_directory};
use super::trees::mark::MARK;
use crate::clock::Dice;
use crate::domain::secret::Secret;

/// What seeds are derived for.
const NODE_TO_NODE: &[u8] = b"hookwheel node to node";

/// Reads the master keys; makes one where the store has its own and is new, and takes from others the right to read them. An error
/// is a sentence about the source.
pub(super) fn read(settings: &Settings) -> Result<MasterKeys, String> {
    if matches!(settings.master_keys, MasterKeySource::Own) && settings.is_in_directory() {
        make_own(&settings.path)?;
    }
    if let Some(path) = exposed(settings) {
        close(&path);
    }
    read_what_is_there(settings)
}

/// The file of the master keys, if others than its owner can read it.
pub(super) fn exposed(settings: &Settings) -> Option<PathBuf> {
    let path = match &settings.master_keys {
        MasterKeySource::Own if settings.is_in_directory() => settings.path.join(OWN_MASTER_KEYS),
        MasterKeySource::File(path) => path.clone(),
        _ => return None,
    };
    let is_open = fs::metadata(&path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    is_open.then_some(path)
}

/// Takes from others the right to read a file of keys, where it is ours to take.
fn close(path: &Path) {
    let is_ours = fs::metadata(path).is_ok_and(|found| found.uid() == geteuid().as_raw());
    let is_mended = is_ours && fs::set_permissions(path, fs::Permissions::from_mode(0o600)).is_ok();
    match is_mended {
        true => tracing::warn!(path = %path.display(), "others could read the master keys: their mode is 600 now"),
        false => tracing::warn!(path = %path.display(), "others can read the master keys; set its mode to 600"),
    }
}

/// 32 bytes by which nodes know each other, and the name of the master key that they are made of.
pub type NodeSeed = (KeyMark, Zeroizing<[u8; 32]>);

/// By what nodes that have the same master keys know each other, for each of their keys, the one that seals first: 32 bytes that tell
/// nothing of the key that they are made of.
///
/// # Errors
/// A sentence about the source.
pub fn node_seeds(settings: &Settings) -> Result<Vec<NodeSeed>, String> {
    let seed = |key: Zeroizing<[u8; 32]>| {
        let mut seed = Zeroizing::new([0; 32]);
        let derived = Hkdf::<Sha256>::new(None, &*key).expand(NODE_TO_NODE, &mut *seed);
        derived.expect("one block is not too long");
        (KeyMark::of(&key), seed)
    };
    Ok(keys(settings)?.into_iter().map(seed).collect())
}

/// Reads the master keys; makes none, and changes nothing.
pub(super) fn read_what_is_there(settings: &Settings) -> Result<MasterKeys, String> {
    MasterKeys::new(&keys(settings)?).ok_or_else(|| "there is no key; `hookwheel master-key` prints a new one".into())
}

/// The bytes of each.
fn keys(settings: &Settings) -> Result<Vec<Zeroizing<[u8; 32]>>, String> {
    let source = &settings.master_keys;
    let text = match source {
        // Nothing of it outlives the process.
        MasterKeySource::Own if settings.memory.is_some() => Zeroizing::new(BASE64_STANDARD.encode([0; 32])),
        MasterKeySource::Own if settings.database.is_some() => {
            return Err("nodes that share a database need the same keys, and keep no files: set store.master_key_file or \
                        store.master_key on each of them"
                .into());
        }
        MasterKeySource::Own => own(&settings.path)?,
        MasterKeySource::File(path) => text_of(path).map_err(|error| {
            format!(
                "{error}; let the user that runs hookwheel read it, or set another HOOKWHEEL__STORE__MASTER_KEY_FILE"
            )
        })?,
        // systemd lets the service's user in by an access list, which shows as a group's right: its mode says nothing.
        MasterKeySource::Credential(path) => text_of(path).map_err(|error| {
            format!(
                "{error}; no other key is made, since the service has credentials: give it this one \
                 (LoadCredential={}:FILE in its unit; `hookwheel master-key` prints a key for FILE), or name a file with \
                 store.master_key_file",
                path.file_name().unwrap_or_default().display()
            )
        })?,
        MasterKeySource::Text(text) => Zeroizing::new(text.reveal().to_string()),
    };
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(str::split_whitespace).map(key).collect()
}

/// Whether a start could read the master keys, or would make them. Changes nothing.
///
/// # Errors
/// A sentence about the source.
pub fn vet_master_keys(settings: &Settings) -> Result<(), String> {
    let is_made = matches!(settings.master_keys, MasterKeySource::Own)
        && settings.is_in_directory()
        && !settings.path.join(OWN_MASTER_KEYS).exists()
        && !has_store(&settings.path);
    if is_made { Ok(()) } else { read_what_is_there(settings).map(drop) }
}

fn key(text: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let bytes = BASE64_STANDARD.decode(text).ok().map(Zeroizing::new);
    let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    key.map(Zeroizing::new)
        .ok_or_else(|| "each key must be 32 bytes in base64; `hookwheel master-key` prints a new one".into())
}

fn text_of(path: &Path) -> io::Result<Zeroizing<String>> {
    fs::read_to_string(path).map(Zeroizing::new)
}

/// The text of the store's own file.
fn own(directory: &Path) -> Result<Zeroizing<String>, String> {
    let path = directory.join(OWN_MASTER_KEYS);
    text_of(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => lost(&path),
        _ => error.to_string(),
    })
}

/// What is said where a store is there and its own key is not.
fn lost(path: &Path) -> String {
    format!(
        "{} is missing, and there is a store beside it whose webhooks and users are sealed with the key that was in it. No \
         other key opens them, so none is made. Put the copy of it back, or name where it is with store.master_key_file. \
         Without any copy, `hookwheel store export --from-damaged` gets out what is not sealed",
        path.display()
    )
}

/// Makes the store's own file, unless it is there; refuses to where there is a store already. Of two processes that find none,
/// one makes it.
fn make_own(directory: &Path) -> Result<(), String> {
    let path = directory.join(OWN_MASTER_KEYS);
    // In this order: who makes both makes the key first.
    let is_store_there = has_store(directory);
    match path.exists() {
        true => Ok(()),
        false if is_store_there => Err(lost(&path)),
        false => make(directory, &path).map_err(|error| {
            format!(
                "{}: {error}; let the user that runs hookwheel own it and write there, or set another HOOKWHEEL__STORE__PATH",
                directory.display()
            )
        }),
    }
}

/// Whether a store lies there, or is about to be moved in.
fn has_store(directory: &Path) -> bool {
    create::has_log(directory) || directory.join(MARK).exists() || migration::is_moving(directory)
}

fn make(directory: &Path, path: &Path) -> io::Result<()> {
    make_directory(directory)?;
    // A name that no other process has, not one in another container either.
    let mut dice = Dice::from_system();
    let making = directory.join(format!("{OWN_MASTER_KEYS}.{:016x}", dice.bits()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&making)?;
    let mut random = Zeroizing::new([0; 32]);
    dice.fill(&mut *random);
    writeln!(file, "{}", Secret::master_key(&random).reveal())?;
    file.sync_all()?;
    match fs::hard_link(&making, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::remove_file(&making)?,
    }
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trees::in_memory::Memory;

    fn marks(source: MasterKeySource, path: &Path) -> Result<Vec<String>, String> {
        let settings = Settings { master_keys: source, ..Settings::at(path) };
        read(&settings).map(|keys| keys.marks().map(|mark| mark.to_string()).collect())
    }

    #[test]
    fn its_own_file_is_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let made = marks(MasterKeySource::Own, &data).unwrap();
        assert_eq!(marks(MasterKeySource::Own, &data).unwrap(), made);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(OWN_MASTER_KEYS))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing else is left");
        let together = dir.path().join("together");
        let starts: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| marks(MasterKeySource::Own, &together))).collect();
            starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
        });
        let on_disk = marks(MasterKeySource::Own, &together).unwrap();
        assert!(starts.iter().all(|read| *read == on_disk), "who starts together reads what stays");
        let other = dir.path().join("other");
        assert_ne!(marks(MasterKeySource::Own, &other).unwrap(), made);
    }

    #[test]
    fn who_only_asks_changes_nothing_and_hears_what_a_start_would_say() {
        let dir = tempfile::tempdir().unwrap();
        let own = |path: &Path| vet_master_keys(&Settings { master_keys: MasterKeySource::Own, ..Settings::at(path) });
        let data = dir.path().join("data");
        own(&data).unwrap();
        assert!(!data.exists(), "a start would make it");
        marks(MasterKeySource::Own, &data).unwrap();
        let key = data.join(OWN_MASTER_KEYS);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        own(&data).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o644);
        marks(MasterKeySource::Own, &data).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "a start mends it");
        fs::remove_file(&key).unwrap();
        fs::write(data.join("db"), "x").unwrap();
        assert!(own(&data).unwrap_err().contains("master.key is missing"), "it was lost");
    }

    #[test]
    fn no_key_is_made_beside_a_store() {
        let dir = tempfile::tempdir().unwrap();
        for there in ["db", "mark"] {
            fs::write(dir.path().join(there), "x").unwrap();
            let refused = marks(MasterKeySource::Own, dir.path()).unwrap_err();
            assert!(refused.contains("master.key is missing") && refused.contains("Put the copy"), "{refused}");
            assert!(!dir.path().join(OWN_MASTER_KEYS).exists());
            fs::remove_file(dir.path().join(there)).unwrap();
        }
        fs::create_dir(dir.path().join("migrated")).unwrap();
        assert!(marks(MasterKeySource::Own, dir.path()).is_err(), "a restored one is about to be moved in");
        fs::remove_dir(dir.path().join("migrated")).unwrap();
        fs::write(dir.path().join("db"), "").unwrap();
        assert!(marks(MasterKeySource::Own, dir.path()).is_ok(), "a log without a byte is none");
        fs::write(dir.path().join("db"), "x").unwrap();
        assert!(marks(MasterKeySource::Own, dir.path()).is_ok(), "the key is there");
    }

    #[test]
    fn a_text_or_file_holds_several_keys_and_comments() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Secret::master_key(&[1; 32]), Secret::master_key(&[2; 32]));
        let text = format!("# new\n{}\n\n# old\n{}\n", one.reveal(), two.reveal());
        let of_text = |text: &str| marks(MasterKeySource::Text(Secret::new(text)), dir.path());
        let both = of_text(&text).unwrap();
        assert_eq!(both, [of_text(one.reveal()).unwrap(), of_text(two.reveal()).unwrap()].concat());
        let file = dir.path().join("keys");
        fs::write(&file, &text).unwrap();
        assert_eq!(marks(MasterKeySource::File(file), dir.path()).unwrap(), both);
        for bad in ["", "# only a comment", "short", "YWJj", &"A".repeat(50)] {
            assert!(of_text(bad).is_err(), "{bad:?}");
        }
        assert!(marks(MasterKeySource::File(dir.path().join("none")), dir.path()).is_err());
    }

    #[test]
    fn a_store_in_memory_makes_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let settings = Settings { memory: Some(Memory::default()), ..Settings::at(&path) };
        assert!(read(&settings).is_ok() && !path.exists());
    }
}
