//! What a start would find, and what it would do about it, without doing it: the format of a store that no server has, whether the
//! master keys that it needs are there, and the copy that is made before another format. What stays true: nothing is written but
//! what sled itself writes whenever it opens its log: a snapshot of it.

use std::io;

use super::error::OpenError;
use super::layout::FORMAT_VERSION;
use super::settings::{MasterKeySource, Settings};
use super::trees::{copies, create, files, opened};
use super::{kept, master_keys, migration};

/// What a start would find and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// The format of the store; `None`: there is no store yet.
    pub found: Option<u32>,
    /// The format that this build writes.
    pub needed: u32,
    /// Bytes that a copy of it takes; 0 where none would be made.
    pub copy_bytes: u64,
    /// Bytes that are free there; 0 where the directory is not there yet.
    pub free_bytes: u64,
}

impl Upgrade {
    /// Whether there is room for what would be copied.
    pub fn has_room(&self) -> bool {
        self.copy_bytes == 0 || self.free_bytes >= self.copy_bytes + copies::SPARE_BYTES
    }
}

/// Looks at what a start would find.
///
/// # Errors
/// Somebody has the store, its format is none that this build can read or bring to its own, it lacks what was there before, a master
/// key is missing, or it cannot be opened.
pub fn foresee(settings: &Settings) -> Result<Upgrade, OpenError> {
    settings.must_be_in_directory()?;
    let path = settings.path.as_path();
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    let is_there = create::has_log(path);
    if !is_there && create::had_store(path).map_err(cannot)? {
        return Err(OpenError::Gone(path.into()));
    }
    migration::refuse_half_restored(path)?;
    let free_bytes = if path.exists() { files::free_bytes_at(path).unwrap_or(0) } else { 0 };
    let mut upgrade = Upgrade { found: None, needed: FORMAT_VERSION, copy_bytes: 0, free_bytes };
    // A new store makes its own key.
    if is_there || !matches!(settings.master_keys, MasterKeySource::Own) {
        let keys = master_keys::read_what_is_there(settings);
        let keys = keys.map_err(|why| OpenError::MasterKeys(settings.master_keys.to_string(), why))?;
        if is_there {
            opened::refuse_short(path)?;
            upgrade.found = opened::look_at_format(settings, |db| {
                opened::refuse_incomplete(db, path)?;
                migration::refuse_without_keys(db, settings, &keys)
            })?;
        }
    }
    if upgrade.found.is_some_and(|found| found < FORMAT_VERSION) && settings.upgrade_copy {
        upgrade.copy_bytes = copies::bytes(path).map_err(cannot)?;
    }
    Ok(upgrade)
}

/// Brings a store that no server has to the present format.
///
/// # Errors
/// As [`foresee`]; or there is no room for the copy.
pub fn upgrade(settings: &Settings) -> Result<Upgrade, OpenError> {
    let foreseen = foresee(settings)?;
    if foreseen.found.is_some_and(|found| found < FORMAT_VERSION) {
        let keys = master_keys::read(settings);
        let keys = keys.map_err(|why| OpenError::MasterKeys(settings.master_keys.to_string(), why))?;
        let trees = migration::open(settings, &keys, &mut crate::clock::Dice::from_system(), Default::default())?;
        let counted = kept::count_events(&trees);
        counted.and_then(|()| trees.close()).map_err(|error| OpenError::of(&settings.path, error))?;
    }
    Ok(foreseen)
}
