//! Pages of lists. What stays true: whatever is asked for, a page looks at a bounded number of rows; and one that ends
//! before its list does says where to go on.

use std::ops::Range;

use super::layout::{self, Key};
use crate::domain::walk::Walk;

/// Rows that one page looks at before it returns what it has.
pub const PAGE_ROWS_EXAMINED_MAX: usize = 10_000;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, Id> {
    /// The rows, in the order of the walk.
    pub rows: Vec<T>,
    /// Where the next page goes on: past this id. `None` at the end.
    pub next: Option<Id>,
}

impl<T, Id> Page<T, Id> {
    /// The page of a walk along all rows of a list that is in memory, which come in the order of their ids.
    pub fn of_all<I>(rows: I, walk: Walk, id: impl Fn(&T) -> Id) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: DoubleEndedIterator>,
        Id: Into<u128>,
    {
        let has = |row: &T| walk.has(id(row).into());
        let mut rows: Vec<T> = walk.along(rows.into_iter()).filter(has).take(walk.limit.saturating_add(1)).collect();
        let more = rows.len() > walk.limit;
        rows.truncate(walk.limit);
        Self { next: rows.last().filter(|_| more).map(id), rows }
    }

    /// The same page with other rows.
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> Page<U, Id> {
        Page { rows: self.rows.into_iter().map(row).collect(), next: self.next }
    }
}

/// A page in the making.
pub(super) struct Filling<T, Id> {
    page: Page<T, Id>,
    limit: usize,
    left: usize,
    last: Option<Id>,
}

impl<T, Id: Copy> Filling<T, Id> {
    /// An empty one.
    pub fn of(walk: Walk) -> Self {
        let page = Page { rows: Vec::new(), next: None };
        Self { page, limit: walk.limit, left: PAGE_ROWS_EXAMINED_MAX, last: None }
    }

    /// Whether the row that comes next may be looked at; else it is where the next page goes on.
    pub fn goes_on(&mut self) -> bool {
        let goes_on = self.page.rows.len() < self.limit && self.left > 0;
        match goes_on {
            true => self.left -= 1,
            false => self.page.next = self.last,
        }
        goes_on
    }

    /// The row of this id is looked at.
    pub fn at(&mut self, id: Id) {
        self.last = Some(id);
    }

    /// That took as long as looking at so many rows more.
    pub fn took(&mut self, rows: u64) {
        self.left = self.left.saturating_sub(usize::try_from(rows).unwrap_or(usize::MAX));
    }

    /// It is one of those that are asked for.
    pub fn push(&mut self, row: T) {
        self.page.rows.push(row);
    }

    /// The page.
    pub fn end(self) -> Page<T, Id> {
        self.page
    }
}

/// The keys of a walk among those that begin with this number and end with an id.
pub(super) fn keys_of(number: u32, walk: Walk) -> Range<Key> {
    layout::numbered(number, walk.from)..layout::numbered(number, walk.to.max(walk.from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::walk::First;

    /// A page of the rows 1, 2, …, `count`, of which each takes as long as `cost` more.
    fn page(count: usize, limit: usize, cost: u64) -> (usize, Option<usize>) {
        let mut filling = Filling::of(Walk::newest(limit));
        for row in 1..=count {
            if !filling.goes_on() {
                break;
            }
            filling.at(row);
            filling.took(cost);
            filling.push(row);
        }
        let page = filling.end();
        (page.rows.len(), page.next)
    }

    #[test]
    fn what_is_in_memory_comes_in_pages_too() {
        let page = |walk: Walk| Page::of_all(1..=5_u32, walk, |row| *row);
        let oldest = Walk::from_the(First::Oldest, 2);
        assert_eq!(page(Walk::newest(2)), Page { rows: vec![5, 4], next: Some(4) });
        assert_eq!(page(oldest.past(Some(2_u128))), Page { rows: vec![3, 4], next: Some(4) });
        assert_eq!(page(oldest.past(Some(3_u128))), Page { rows: vec![4, 5], next: None });
    }

    #[test]
    fn a_page_ends_where_it_is_full_where_it_looked_at_enough_and_where_its_list_ends() {
        assert_eq!(page(5, 3, 0), (3, Some(3)));
        assert_eq!(page(3, 3, 0), (3, None), "nothing follows");
        assert_eq!(page(0, 3, 0), (0, None));
        let max = PAGE_ROWS_EXAMINED_MAX;
        assert_eq!(page(max + 1, max * 2, 0), (max, Some(max)));
        assert_eq!(page(max, max * 2, 0), (max, None));
        assert_eq!(page(max, max, max as u64 / 4), (4, Some(4)), "what takes longer counts for more");
        assert_eq!(page(max, max, u64::MAX), (1, Some(1)), "and the first is always looked at");
    }
}
