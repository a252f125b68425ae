//! Opening a store: its keys, its trees, and what is held in memory about them. Nothing is served before every master key
//! that has sealed something is there.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::backup::in_database;
use super::backup::spool::Spool;
use super::commit::Committer;
use super::damage::Reports;
use super::error::OpenError;
use super::fare::Fare;
use super::foreseen::Foreseen;
use super::handed::Handed;
use super::handle::Store;
use super::inner::{Commits, InForce, Inner};
use super::journal::{Journal, Rows};
use super::keeping::Keeping;
use super::queue::{Bounds, Queue};
use super::registry::Registry;
use super::seal::{self, MasterKeys, Seals};
use super::settings::{MasterKeySource, OWN_MASTER_KEYS, Settings};
use super::trees::Trees;
use super::turns::Turns;
use super::{kept, master_keys, migration};
use crate::clock::{Clock, Dice};
use crate::domain::byte_budget::ByteBudget;
use crate::pulse::Pulse;

/// Opens the store; the committer needs a thread of its own.
pub fn open(settings: Settings, clock: Clock, dice: Dice) -> Result<(Store, Committer), OpenError> {
    let member = settings.database.clone();
    open_now(settings, clock, dice).map_err(|error| match member {
        Some(member) => member.excuse(error),
        None => error,
    })
}

fn open_now(settings: Settings, clock: Clock, mut dice: Dice) -> Result<(Store, Committer), OpenError> {
    let path = settings.path.clone();
    let bounds = Bounds {
        requests_max: settings.queue_events_max,
        bytes_max: settings.queue_bytes_max,
        group_operations_max: settings.group_events_max,
        group_bytes_max: settings.group_bytes_max,
    };
    if settings.is_in_directory() {
        migration::refuse_half_restored(&path)?;
    }
    let keys = master_keys::read(&settings);
    let keys = keys.map_err(|why| OpenError::MasterKeys(settings.master_keys.to_string(), why))?;
    let reports = Arc::new(Reports::default());
    let trees = migration::open(&settings, &keys, &mut dice, reports.clone())?;
    if settings.database.is_some()
        && in_database::is_being_restored(&trees).map_err(|error| OpenError::of(&path, error))?
    {
        // Nobody need wait until the lease ends.
        let _ = trees.close();
        return Err(OpenError::RestoredInPart(path.display().to_string()));
    }
    // A large store is read for longer than a lease lasts.
    let _kept = trees.keep_lease();
    fail::fail_point!("store.read");
    trees.set_clock(&clock);
    check_master_keys(&settings, &trees, &keys)?;
    let keeping = Keeping::at_start(&trees, &clock).map_err(|error| OpenError::Store(path.clone(), error))?;
    keeping.warn(clock.now());
    let now = clock.now();
    let rows = Rows::read(&trees, now).map_err(|error| OpenError::of(&path, error))?;
    let registry = Arc::<RwLock<Registry>>::default();
    let open_trees = Arc::new(ArcSwapOption::empty());
    let in_force = InForce { retention: settings.retention.clone(), events_per_day: settings.events_per_day };
    let inner = Arc::new(Inner {
        in_force: ArcSwap::from_pointee(in_force),
        settings,
        clock,
        trees: open_trees.clone(),
        registry: registry.clone(),
        queue: Queue::new(bounds),
        foreseen: Arc::new(Foreseen::over(open_trees, registry)),
        turns: Arc::new(Turns::new(cores().div_ceil(2), bounds.bytes_max)),
        readers: Arc::new(Turns::new(cores().max(2), 0)),
        shapers: Arc::new(Turns::new(cores().div_ceil(2), 0)),
        ahead: ByteBudget::new(bounds.bytes_max),
        listener: OnceLock::new(),
        handed: Handed::default(),
        space_low: AtomicBool::new(false),
        sums: Mutex::default(),
        to_come: AtomicU64::new(0),
        seals: Arc::new(Seals::new(keys)),
        commits: Commits::default(),
        fare: Fare::default(),
        sizes: Mutex::default(),
        reports,
        journal: Journal::at_start(&rows, now),
        pulse: Pulse::of("commit"),
        keeping,
        spool: Spool::default(),
    });
    let failed = |error| OpenError::of(&path, error);
    kept::count_events(&trees).map_err(failed)?;
    inner.load(&trees).and_then(|()| inner.find_late(&trees)).map_err(failed)?;
    inner.watch_space(&trees);
    inner.look_at_size(&trees);
    inner.trees.store(Some(Arc::new(trees)));
    let committer = Committer::new(inner.clone(), dice, rows).map_err(failed)?;
    Ok((Store(inner), committer))
}

/// Whether the master keys that these settings give are all that a store needs which was sealed with the keys of these names. No
/// file is made.
///
/// # Errors
/// They cannot be read, or one is not among them.
pub fn check_keys(settings: &Settings, sealed_with: &[String]) -> Result<(), OpenError> {
    let origin = settings.master_keys.to_string();
    let unreadable = |why: String| OpenError::MasterKeys(origin.clone(), why);
    if matches!(settings.master_keys, MasterKeySource::Own) && !settings.path.join(OWN_MASTER_KEYS).exists() {
        return Err(unreadable("the file is not there, and a new key would open nothing".into()));
    }
    let keys = master_keys::read(settings).map_err(unreadable)?;
    let known: Vec<String> = keys.marks().map(|mark| mark.to_string()).collect();
    match sealed_with.iter().find(|mark| !known.contains(mark)) {
        Some(missing) => Err(OpenError::MasterKeys(
            origin.clone(),
            format!(
                "the store is sealed with the master key {missing}, which is not among them; put it back, as a further line"
            ),
        )),
        None => Ok(()),
    }
}

/// What takes long ahead of the commit has half of them, and so has what takes long to shape, so that the others serve whoever asks for little.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Every key that has sealed something must be there.
pub(super) fn check_master_keys(settings: &Settings, trees: &Trees, keys: &MasterKeys) -> Result<(), OpenError> {
    let in_use = seal::in_use(trees).map_err(|error| OpenError::of(&settings.path, error))?;
    match in_use.into_keys().find(|mark| !keys.marks().any(|known| known == *mark)) {
        Some(missing) => {
            let origin = settings.master_keys.to_string();
            Err(OpenError::MasterKeyMissing { path: settings.path.clone(), missing, origin })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;
    use crate::store::bench::{Bench, START, in_memory};

    #[test]
    fn without_a_key_that_has_sealed_something_nothing_is_opened() {
        let settings = |keys: &[u8]| {
            let lines: Vec<_> = keys.iter().map(|key| Secret::master_key(&[*key; 32]).reveal().to_owned()).collect();
            MasterKeySource::Text(Secret::new(lines.join("\n")))
        };
        let of = |keys| Settings { master_keys: settings(keys), ..in_memory() };
        let first = of(&[1]);
        let memory = first.memory.clone();
        Bench::of(first).webhook();
        let keys = master_keys::read(&of(&[1])).expect("it is a key");
        let sealed_with: Vec<String> = keys.marks().map(|mark| mark.to_string()).collect();
        assert!(check_keys(&of(&[2, 1]), &sealed_with).is_ok());
        let refused = check_keys(&of(&[2]), &sealed_with);
        assert!(matches!(refused, Err(OpenError::MasterKeys(_, why)) if why.contains(&sealed_with[0])));
        let again = |keys| {
            let settings = Settings { memory: memory.clone(), ..of(keys) };
            open(settings, Clock::standing_at(START), Dice::seeded(2)).err()
        };
        assert!(matches!(again(&[2]), Some(OpenError::MasterKeyMissing { .. })));
        assert!(again(&[2, 1]).is_none());
    }
}
