//! Takes a backup of a store that no server has. What stays true: nothing of the store is written, and what speaks against serving it
//! speaks against backing it up: `store export` gets out of such a store what can be read.

use std::io::Write;
use std::sync::Arc;

use super::BackupError;
use super::format::{Closing, Frames, Header, push_record};
use crate::domain::time::UnixMs;
use crate::store::damage::Reports;
use crate::store::error::StoreError;
use crate::store::layout::{FORMAT_VERSION, Tree};
use crate::store::settings::Settings;
use crate::store::trees::{Trees, value_of};
use crate::store::{master_keys, seal};

/// Bytes of rows in one frame.
const FRAME_BYTES: usize = 1 << 18;

/// Writes the backup of the store that lies where `settings` say. `now` is when it begins.
///
/// # Errors
/// Somebody has the store, it is not there, is not whole or has another format, or it cannot be written to `out`.
pub fn back_up_stopped(settings: &Settings, now: UnixMs, out: &mut impl Write) -> Result<(), BackupError> {
    let (trees, format, refusal) = Trees::open_to_look(settings, Arc::<Reports>::default())?;
    let done = match (refusal, format) {
        (Some(refusal), _) => Err(refusal.into()),
        (None, Some(FORMAT_VERSION)) => write(&trees, settings, now, out),
        (None, _) => Err(BackupError::Failed(format!(
            "the store in {} has another format than {FORMAT_VERSION}: bring it there first by `hookwheel store upgrade`",
            settings.path.display()
        ))),
    };
    // Nothing of it was written.
    let _ = trees.close();
    done
}

fn write(trees: &Trees, settings: &Settings, now: UnixMs, out: &mut impl Write) -> Result<(), BackupError> {
    let failed = |error: std::io::Error| BackupError::Failed(format!("it cannot be written: {error}"));
    let mut frames = Frames::default();
    out.write_all(&frames.header(&header(trees, settings, now)?).map_err(failed)?).map_err(failed)?;
    let (group, sum) = trees.last_group();
    let mut closing = Closing { records: 0, group, sum, unreadable: 0, put_aside: 0, differences: 0 };
    let mut records = Vec::new();
    trees.begin_to_add_up();
    for (tree, _) in Tree::ALL {
        for row in trees.all(tree).stored() {
            let (key, stored) = row?;
            trees.add_up(tree, &key, &stored);
            push_record(&mut records, tree, &key, Some(&stored));
            closing.records += 1;
            closing.put_aside += u64::from(tree == Tree::Quarantine);
            closing.unreadable += u64::from(value_of(tree, &key, stored).is_err());
            if records.len() >= FRAME_BYTES {
                out.write_all(&frames.records(&records).map_err(failed)?).map_err(failed)?;
                records.clear();
            }
        }
    }
    closing.differences = u64::from(trees.end_adding_up().is_some());
    let end = [frames.records(&records).map_err(failed)?, frames.closing(&closing).map_err(failed)?].concat();
    out.write_all(&end).map_err(failed)
}

fn header(trees: &Trees, settings: &Settings, now: UnixMs) -> Result<Header, StoreError> {
    let mut marks: Vec<_> = seal::in_use(trees)?.into_keys().collect();
    // Keys that cannot be read are not needed to copy what they seal.
    marks.extend(master_keys::read_what_is_there(settings).ok().map(|keys| keys.current()));
    marks.sort_unstable();
    marks.dedup();
    Ok(Header {
        version: env!("CARGO_PKG_VERSION").into(),
        format: FORMAT_VERSION,
        begun_at: now,
        master_keys: marks.into_iter().map(|mark| mark.to_string()).collect(),
    })
}
