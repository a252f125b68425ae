//! An examination of a store that no server has: every row is looked at, and every index is held against its records. What stays
//! true: it changes nothing (but for what sled itself does whenever it opens its files), it says what is wrong instead of failing
//! for it, and it takes little memory however large the store is and however much is wrong.

mod counted;
mod form;
mod kind;
mod known;
mod noted;
mod pass;
mod relations;
mod repair;

use std::sync::Arc;

use zeroize::Zeroizing;

use super::damage::Reports;
use super::error::{OpenError, StoreError};
use super::layout::{FORMAT_COPIED, FORMAT_VERSION, META_LAST_ID, Tree};
use super::seal::{self, MasterKeys};
use super::settings::{MasterKeySource, Settings};
use super::trees::{Trees, create};
use super::{master_keys, migration, rows};
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::EventId;
use crate::domain::time::{self, UnixMs};
pub use counted::Grown;
pub(super) use form::fits;
use known::{Known, readable};
use noted::Noted;
pub use repair::{Repaired, repair};

const PUT_BACK: &str = "put back a whole copy of the data directory; `hookwheel store export --from-damaged` gets out what can be \
                        read, and `hookwheel store accept-loss` goes on with what is left";

const LOOK_AGAIN: &str =
    "look again once that is done; `hookwheel serve --check` says what it takes, and a repair wants it done before";

/// So far a clock may be behind the last id and nobody has to know: who sets clocks moves them by less.
const AHEAD_MS: u64 = 60_000;

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Rows that were looked at.
    pub rows: u64,
    /// The format of the store, if it has one that can be read.
    pub format: Option<u32>,
    /// How large it is, and how it became so; `None` where not all rows were met, or no event is there.
    pub grown: Option<Grown>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Looks at the store. `now`: by the wall clock.
///
/// # Errors
/// Somebody has it, or the directory cannot be read at all. All else is a finding.
pub fn examine(settings: &Settings, now: UnixMs) -> Result<Examined, OpenError> {
    settings.must_be_in_directory()?;
    match migration::refuse_half_restored(&settings.path) {
        Err(error @ OpenError::HalfRestored(_)) => {
            return Ok(Examined { rows: 0, format: None, grown: None, findings: vec![refused(&error)] });
        }
        refused => refused?,
    }
    let had_store = create::had_store(&settings.path).map_err(|error| OpenError::Io(settings.path.clone(), error))?;
    if !create::has_log(&settings.path) && !had_store {
        let what = "there is no store yet";
        let note = Finding::new(Severity::Note, "store", what, "the first start makes it; store.path says where");
        let findings = vec![note.at(settings.path.display().to_string())];
        return Ok(Examined { rows: 0, format: None, grown: None, findings });
    }
    let (keys, key_findings) = keys_of(settings);
    let mut examined = Examined { rows: 0, format: None, grown: None, findings: Vec::new() };
    match Trees::open_to_look(settings, Arc::<Reports>::default()) {
        Ok((trees, format, refusal)) => {
            examined.format = format;
            examined.findings.extend(refusal.map(|refusal| refused(&refusal)));
            examined.findings.extend(to_upgrade(settings, format));
            examined.findings.extend(key_findings);
            let looked = look(&trees, &keys, now, &mut examined);
            if let Err(error) = looked {
                examined.findings.push(Finding::new(Severity::Error, "pages", error.to_string(), PUT_BACK));
            }
            // Nothing of it was written: there is nothing that could fail to reach the disk.
            let _ = trees.close();
            Ok(examined)
        }
        Err(error @ (OpenError::InUse(_) | OpenError::Io(..))) => Err(error),
        Err(error) => {
            examined.findings.push(refused(&error));
            examined.findings.extend(key_findings);
            Ok(examined)
        }
    }
}

/// What keeps the store from being served.
fn refused(error: &OpenError) -> Finding {
    let remedy = match error {
        OpenError::Newer { .. } => "use the newer hookwheel that wrote it".to_owned(),
        OpenError::Older { found: FORMAT_COPIED, .. } => LOOK_AGAIN.to_owned(),
        OpenError::Older { .. } => {
            "use the build that wrote it, or name another data directory (store.path)".to_owned()
        }
        OpenError::HalfRestored(_) => "restore again".to_owned(),
        _ => PUT_BACK.to_owned(),
    };
    let is_upgraded = matches!(error, OpenError::Older { found: FORMAT_COPIED, .. });
    let severity = if is_upgraded { Severity::Note } else { Severity::Error };
    Finding::new(severity, "store", error.to_string(), remedy)
}

/// What a start, or an upgrade by hand, changes.
fn to_upgrade(settings: &Settings, format: Option<u32>) -> Option<Finding> {
    let found = format.filter(|found| *found < FORMAT_VERSION)?;
    let what = OpenError::Older { path: settings.path.clone(), found }.to_string();
    Some(Finding::new(Severity::Note, "store", what, LOOK_AGAIN))
}

/// The master keys that are there, or one that opens nothing; and what is wrong with them.
fn keys_of(settings: &Settings) -> (MasterKeys, Option<Finding>) {
    match master_keys::read_what_is_there(settings) {
        Ok(keys) => (keys, None),
        Err(why) => {
            let none = MasterKeys::new(&[Zeroizing::new([0; 32])]).expect("there is one");
            let remedy = "put the copy of the key back: without it no webhook can be read, and none is sent";
            (none, Some(Finding::new(Severity::Error, "master_key", why, remedy).at(settings.master_keys.to_string())))
        }
    }
}

fn look(trees: &Trees, keys: &MasterKeys, now: UnixMs, examined: &mut Examined) -> Result<(), StoreError> {
    examined.findings.extend(missing_keys(trees, keys)?);
    let known = Known::read(trees, keys)?.of_format(examined.format);
    known.find_late(trees)?;
    let mut noted = Noted::default();
    let counted = pass::pass(trees, keys, &known, |wrong| {
        noted.note(&wrong);
        Ok(())
    });
    examined.findings.extend(noted.findings());
    let counted = counted?;
    (examined.rows, examined.grown) = (counted.rows, counted.grown(trees)?);
    let is_read = !examined.findings.iter().any(|finding| finding.check == "pages");
    if is_read && let Some(why) = trees.end_adding_up() {
        let remedy = "rows are missing or are others than were written: put back a whole copy of the data directory, or go on with \
                      what is there by `hookwheel doctor --repair`";
        examined.findings.push(Finding::new(Severity::Error, "sum", why, remedy));
    }
    examined.findings.extend(ahead_of(trees, now)?);
    Ok(())
}

/// Keys that have sealed something and are not there.
fn missing_keys(trees: &Trees, keys: &MasterKeys) -> Result<Vec<Finding>, StoreError> {
    let in_use = seal::in_use(trees)?;
    let missing = in_use.into_iter().filter(|(mark, _)| !keys.marks().any(|known| known == *mark));
    let told = missing.map(|(mark, count)| {
        let what = format!("webhooks and users are sealed with the master key {mark}, which is not there");
        let remedy = "put that key back, as a further line; the server does not start without it";
        Finding { count: count as u64, ..Finding::new(Severity::Error, "master_key", what, remedy) }
    });
    Ok(told.collect())
}

/// Ids hold the time at which they were given: one that is to come tells of a clock that was wrong, or is.
fn ahead_of(trees: &Trees, now: UnixMs) -> Result<Option<Finding>, StoreError> {
    let last = trees.get(Tree::Meta, META_LAST_ID).and_then(|stored| stored.map(|one| rows::last(&one)).transpose());
    let Some((id, _)) = readable(last)?.flatten() else { return Ok(None) };
    let given_at = EventId(id).time();
    let ahead = given_at > now.saturating_add(AHEAD_MS);
    Ok(ahead.then(|| {
        let (given_at, now) = (time::rfc3339(given_at), time::rfc3339(now));
        let what = format!("the machine's clock shows {now}, and the last id was given at {given_at}");
        Finding::new(
            Severity::Warning,
            "clock",
            what,
            "set the machine's clock; ids go on from the last one until it is reached",
        )
    }))
}

/// What to know of where the keys are: whether others can read them, and that a copy should be kept elsewhere where they lie beside
/// what they seal.
pub fn advice(settings: &Settings) -> Vec<Finding> {
    let open = master_keys::exposed(settings).map(|path| {
        let what = "others on this machine can read the master keys";
        Finding::new(Severity::Warning, "files", what, "set its mode to 600").at(path.display().to_string())
    });
    let path = settings.path.join(super::settings::OWN_MASTER_KEYS);
    let beside = (matches!(settings.master_keys, MasterKeySource::Own) && path.exists()).then(|| {
        let what = "the master key lies beside what it seals: whoever copies the directory has both, and a lost disk loses both";
        Finding::new(Severity::Note, "master_key", what, "keep a copy elsewhere").at(path.display().to_string())
    });
    open.into_iter().chain(beside).collect()
}
