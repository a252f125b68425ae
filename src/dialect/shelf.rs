//! The dialects in force, shared by all rooms. A reload swaps all of them at once: who has begun with the old ones ends
//! with them, so no request and no delivery sees half of a change.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::{ArcSwap, Guard};

use super::{DialectError, Dialects};

/// The dialects in force.
#[derive(Debug)]
pub struct Shelf {
    dialects: ArcSwap<Dialects>,
    /// Held by who changes them.
    changing: Mutex<()>,
}

impl Shelf {
    /// A shelf with these.
    pub fn new(dialects: Dialects) -> Self {
        Self { dialects: ArcSwap::from_pointee(dialects), changing: Mutex::new(()) }
    }

    /// Those in force now, for a moment: do not hold it across an await.
    pub fn now(&self) -> Guard<Arc<Dialects>> {
        self.dialects.load()
    }

    /// Reads the files in `dir` again. A broken file leaves its dialect as it was; all that is wrong is handed back.
    pub fn reload(&self, dir: &Path) -> Vec<DialectError> {
        let _alone = self.change();
        let (dialects, errors) = self.now().read_again(dir);
        self.dialects.store(Arc::new(dialects));
        errors
    }

    /// Mounts of those that are compiled in only these.
    pub fn mount_only(&self, names: BTreeSet<String>) {
        let _alone = self.change();
        let mut dialects = Dialects::clone(&self.now());
        dialects.want(Some(names));
        self.dialects.store(Arc::new(dialects));
    }

    /// Mounts this one too, from now on.
    pub fn mount(&self, name: &str) {
        let _alone = self.change();
        if let Some(dialects) = self.now().with(name) {
            self.dialects.store(Arc::new(dialects));
            tracing::info!(dialect = name, "a contract is mounted: it came into use");
        }
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().expect("no holder panics")
    }
}
