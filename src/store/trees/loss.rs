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
    settings.must_be_in_directory()?;
    let path = &settings.path;
    let cannot = |error: io::Error| OpenError::Io(path.clone(), error);
    if !path.join(LOG).exists() && !path.join(MARK).exists() {
        return Err(OpenError::Nothing(path.clone()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::{META_LAST_ID, Tree};
    use crate::store::trees::{Trees, Writes};
    use std::path::Path;
    use std::sync::Arc;

    fn store(path: &Path) -> Trees {
        loop {
            match Trees::open(&Settings::at(path), Arc::default()) {
                // sled lets go of its files some moments after its last handle.
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    #[test]
    fn what_is_left_is_gone_on_with_and_where_nothing_ever_was_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        std::fs::create_dir(&path).unwrap();
        let settings = Settings::at(&path);
        assert!(matches!(accept_loss(&settings), Err(OpenError::Nothing(_))));

        let trees = store(&path);
        for key in 0..3 {
            let mut writes = Writes::default();
            writes.push(Tree::Names, vec![key], Some(vec![1]));
            writes.push(Tree::Meta, META_LAST_ID.to_vec(), Some(vec![0; 24]));
            trees.write(&writes).unwrap();
        }
        trees.sync().unwrap();
        trees.close().unwrap();
        let (log, mark) = (path.join(LOG), path.join(MARK));
        let groups = Some(4);
        assert_eq!(accept_loss(&settings).unwrap(), Loss { marked: groups, left: groups });
        std::fs::remove_file(&mark).unwrap();
        assert_eq!(accept_loss(&settings).unwrap(), Loss { marked: None, left: groups });
        std::fs::remove_file(&log).unwrap();
        assert_eq!(accept_loss(&settings).unwrap(), Loss { marked: groups, left: None });
        assert!(!mark.exists());
    }
}
