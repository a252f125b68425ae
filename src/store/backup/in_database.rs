//! A backup in a database. What stays true: a store that is not whole yet is marked as such, and nobody serves it.

use std::sync::Arc;

use sled::IVec;

use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{META_FORMAT, META_LAST_ID, META_RESTORING, Tree};
use crate::store::settings::Settings;
use crate::store::trees::{Trees, Writes};

/// Rows that are removed together before a restore begins anew.
const REMOVED_TOGETHER: usize = 1000;

/// Fills a database in which there is no store, and what was broken off goes first. It is served once all is there, and not before.
pub(super) fn into_database<T, E: From<OpenError>>(
    settings: &Settings,
    fill: impl FnOnce(&Trees) -> Result<T, E>,
) -> Result<T, E> {
    let failed = |error| OpenError::of(&settings.path, error);
    let trees = Trees::open(settings, Arc::default())?;
    let kept = trees.keep_lease();
    let filling = || -> Result<T, E> {
        let is_begun = is_being_restored(&trees).map_err(failed)?;
        if !is_begun && !is_empty(&trees).map_err(failed)? {
            return Err(OpenError::IsThere(settings.path.display().to_string()).into());
        }
        mark_restoring(&trees, true).and_then(|()| remove_rows(&trees)).map_err(failed)?;
        let filled = fill(&trees)?;
        mark_restoring(&trees, false).map_err(failed)?;
        Ok(filled)
    };
    let filled = filling();
    drop(kept);
    // Who fails here leaves the lease to its end.
    let closed = trees.close().map_err(failed);
    let filled = filled?;
    closed?;
    Ok(filled)
}

/// Whether a restore into a database is under way, or was broken off.
pub fn is_being_restored(trees: &Trees) -> Result<bool, StoreError> {
    Ok(trees.get_stored(Tree::Meta, META_RESTORING)?.is_some())
}

fn mark_restoring(trees: &Trees, is_on: bool) -> Result<(), StoreError> {
    let mut writes = Writes::default();
    writes.push(Tree::Meta, META_RESTORING.to_vec(), is_on.then(|| vec![1]));
    trees.write(&writes)?;
    trees.sync()
}

/// Whether nobody has served it yet.
fn is_empty(trees: &Trees) -> Result<bool, StoreError> {
    for (tree, _) in Tree::ALL.into_iter().filter(|(tree, _)| *tree != Tree::Meta) {
        if trees.all(tree).keys().next().transpose()?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes all rows but those that say what the store is.
fn remove_rows(trees: &Trees) -> Result<(), StoreError> {
    for (tree, _) in Tree::ALL {
        loop {
            let is_kept =
                |key: &IVec| tree == Tree::Meta && [META_FORMAT, META_LAST_ID, META_RESTORING].contains(&&**key);
            let keys = trees.all(tree).keys().filter(|key| !key.as_ref().is_ok_and(is_kept)).take(REMOVED_TOGETHER);
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                break;
            }
            let mut writes = Writes::default();
            keys.into_iter().for_each(|key| writes.push(tree, key.to_vec(), None));
            trees.write(&writes)?;
        }
    }
    Ok(())
}
