//! Which rows of a list are asked for: between two ids, in which order, how many. Ids are given in the order of time, so that
//! is also the order of a list, and a page can go on from any id. Pure.

use super::words::words;

/// Which rows of a list come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum First {
    /// What was made last.
    #[default]
    Newest,
    /// What was made first.
    Oldest,
}

words!(First {
    Self::Newest => "newest",
    Self::Oldest => "oldest",
});

/// A walk along a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// From which end.
    pub first: First,
    /// From this id on.
    pub from: u128,
    /// Before this id.
    pub to: u128,
    /// At most so many rows.
    pub limit: usize,
}

impl Walk {
    /// Along all of a list from this end on.
    pub fn from_the(first: First, limit: usize) -> Self {
        Self { first, from: 0, to: u128::MAX, limit }
    }

    /// The newest rows of a list.
    pub fn newest(limit: usize) -> Self {
        Self::from_the(First::Newest, limit)
    }

    /// Only what comes behind this id, in the order of the walk.
    pub fn past(self, id: Option<impl Into<u128>>) -> Self {
        match (id.map(Into::into), self.first) {
            (None, _) => self,
            (Some(id), First::Newest) => self.within(None, Some(id)),
            (Some(id), First::Oldest) => self.within(id.checked_add(1), None),
        }
    }

    /// Only what has no smaller id than `from` and a smaller one than `to`.
    pub fn within(self, from: Option<u128>, to: Option<u128>) -> Self {
        Self { from: self.from.max(from.unwrap_or(0)), to: self.to.min(to.unwrap_or(u128::MAX)), ..self }
    }

    /// Whether no id lies in it.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// Whether this id lies in it.
    pub fn has(&self, id: u128) -> bool {
        (self.from..self.to).contains(&id)
    }

    /// The rows in the order of the walk, which come in the order of their ids.
    pub fn along<I: DoubleEndedIterator>(self, mut rows: I) -> impl Iterator<Item = I::Item> {
        std::iter::from_fn(move || match self.first {
            First::Newest => rows.next_back(),
            First::Oldest => rows.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(walk: Walk) -> Vec<u128> {
        walk.along(1..=9_u128).filter(|id| walk.has(*id)).take(walk.limit).collect()
    }

    #[test]
    fn a_walk_goes_from_either_end_and_on_behind_any_id() {
        let (newest, oldest) = (Walk::newest(3), Walk::from_the(First::Oldest, 3));
        assert_eq!((walked(newest), walked(oldest)), (vec![9, 8, 7], vec![1, 2, 3]));
        assert_eq!(
            (walked(newest.past(Some(7_u128))), walked(oldest.past(Some(3_u128)))),
            (vec![6, 5, 4], vec![4, 5, 6])
        );
        assert_eq!(walked(newest.past(None::<u128>)), walked(newest));
    }

    #[test]
    fn bounds_only_ever_narrow() {
        let walk = Walk::newest(9).within(Some(3), Some(7));
        assert_eq!(walked(walk), [6, 5, 4, 3]);
        assert_eq!(walk.within(Some(1), Some(9)), walk);
        assert_eq!(walked(walk.past(Some(9_u128))), walked(walk), "from outside");
        assert!(walk.past(Some(3_u128)).is_empty() && !walk.is_empty());
        assert!(Walk::from_the(First::Oldest, 1).past(Some(u128::MAX)).is_empty());
    }
}
