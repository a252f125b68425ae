//! One pass over all rows, tree by tree and key by key. What stays true: it holds one row at a time, and whatever it meets, it
//! goes on behind it.

use super::counted::Counted;
use super::form;
use super::kind::Kind;
use super::known::Known;
use super::noted::Wrong;
use super::relations::Relations;
use crate::store::check::check;
use crate::store::error::StoreError;
use crate::store::layout::{self, Tree};
use crate::store::rows;
use crate::store::seal::MasterKeys;
use crate::store::trees::late::LATE;
use crate::store::trees::{Trees, value_of};

/// Meets all rows, and gives each thing that is wrong to `met`. Says how many there are, and where what was counted differs.
pub fn pass(
    trees: &Trees,
    keys: &MasterKeys,
    known: &Known,
    mut met: impl FnMut(Wrong) -> Result<(), StoreError>,
) -> Result<Counted, StoreError> {
    let mut counted = Counted::default();
    let relations = Relations { trees, known };
    let mut is_whole = true;
    for (key, stored) in trees.late().range(..) {
        counted.add(LATE, &key, &stored);
    }
    trees.begin_to_add_up();
    for (tree, _) in Tree::ALL {
        for row in trees.written(tree, ..).stored() {
            let (key, stored) = match row {
                Ok(row) => row,
                Err(error) => {
                    // What comes behind it in the tree cannot be met: sled goes from page to page.
                    is_whole = false;
                    met(Wrong::of(Kind::Page, tree, &[]).since(error.to_string()))?;
                    continue;
                }
            };
            trees.add_up(tree, &key, &stored);
            if !form::fits(tree, &key) {
                // Who counts reads keys from either end of a tree.
                is_whole = false;
                let aside = (Tree::Quarantine, layout::quarantined(tree, &key), Some(stored.to_vec()));
                met(Wrong::of(Kind::Key, tree, &key).mended_by([aside, (tree, key.to_vec(), None)]))?;
                continue;
            }
            counted.add(tree, &key, &stored);
            if tree == Tree::Quarantine {
                met(Wrong::of(Kind::PutAside, tree, &key).since(layout::read_quarantined(&key)))?;
                continue;
            }
            let looked = value_of(tree, &key, stored).and_then(|value| {
                check(trees, keys, tree, &key, &value)?;
                relations.of(tree, &key, &value)
            });
            match looked {
                Ok(wrong) => wrong.into_iter().try_for_each(&mut met)?,
                Err(StoreError::Damaged(damage)) => met(unreadable(tree, &key, damage.why))?,
                Err(error) => {
                    is_whole = false;
                    met(Wrong::of(Kind::Page, tree, &key).since(error.to_string()))?;
                }
            }
        }
    }
    counted.is_whole = is_whole;
    if is_whole {
        counted.against(trees, known)?.into_iter().try_for_each(met)?;
    }
    Ok(counted)
}

/// A row that cannot be read. One that says nothing is written again, or goes, where the rows that it orders are there.
fn unreadable(tree: Tree, key: &[u8], why: String) -> Wrong {
    match tree {
        // What it leads to is not there: that is told as what it is.
        Tree::Due if why == rows::NOT_WAITED_FOR => {
            Wrong::of(Kind::DueOfNothing, tree, key).mended_by([(tree, key.to_vec(), None)])
        }
        Tree::Due | Tree::Dead | Tree::Replays => {
            Wrong::of(Kind::Row, tree, key).since(why).mended_by([(tree, key.to_vec(), Some(Vec::new()))])
        }
        _ => Wrong::of(Kind::Row, tree, key).since(why),
    }
}
