//! Going on with what is left of a store: its mark is written anew, so that it counts as whole.

use std::io;

use super::create;
use super::files::LOG;
use super::mark::{self, MARK};
use super::on_sled::OnSled;
use crate::store::error::OpenError;
use crate::store::settings::Settings;

/// What was lost, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Group commits that the mark knew of, if there was one.
    pub marked: Option<u64>,
    /// Group commits that are left; `None`: nothing at all.
    pub left: Option<u64>,
}

/// Makes what is left in the data directory count as whole. Nobody may have it open.
pub fn accept_loss(settings: &Settings) -> Result<Loss, OpenError> {
    let path = &settings.path;
    let cannot = |error: io::Error| OpenError::Io(path.clone(), error);
    if !path.join(LOG).exists() && !path.join(MARK).exists() {
        return Err(cannot(io::ErrorKind::NotFound.into()));
    }
    let marked = mark::read(path).map_err(cannot)?.map(|marked| marked.group.number);
    if !create::has_log(path) {
        create::remove_rest(path).map_err(cannot)?;
        return Ok(Loss { marked, left: None });
    }
    let store = OnSled::open_if(settings, None)?;
    let left = store.groups();
    store.close().map_err(|error| OpenError::of(path, error))?;
    Ok(Loss { marked, left: Some(left) })
}
