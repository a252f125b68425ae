//! The dialects in force, shared by all rooms. A reload swaps all of them at once: who has begun with the old ones ends
//! with them, so no request and no delivery sees half of a change.

use std::path::Path;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{DialectError, Dialects};

/// The dialects in force.
#[derive(Debug)]
pub struct Shelf(ArcSwap<Dialects>);

impl Shelf {
    /// A shelf with these.
    pub fn new(dialects: Dialects) -> Self {
        Self(ArcSwap::from_pointee(dialects))
    }

    /// Those in force now, for a moment: do not hold it across an await.
    pub fn now(&self) -> Guard<Arc<Dialects>> {
        self.0.load()
    }

    /// Reads the files in `dir` again. A broken file leaves its dialect as it was; all that is wrong is handed back.
    pub fn reload(&self, dir: &Path) -> Vec<DialectError> {
        let (dialects, errors) = self.now().read_again(dir);
        self.0.store(Arc::new(dialects));
        errors
    }
}
