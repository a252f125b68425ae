//! Who goes upward through one tree, question by question: retention from event to event, a webhook with a backlog, a list. What stays true: who
//! asks here and there is answered by one question each, and who goes on from where another question ended asks for more with each.

use std::collections::VecDeque;

use super::packs::PREFIX_BYTES;
use crate::store::layout::Key;

/// Rows that are asked for at once: few for who may want one alone, twice as many each time for who goes on.
pub const PAGE_MIN: usize = 4;
/// The most of them.
pub const PAGE_MAX: usize = 256;
/// Walks that are remembered: of webhooks with a backlog, and of what retention takes of as many.
const WALKS_MAX: usize = 64;
/// Of what may be near in bytes, one page takes a part of so many: what is read ahead stays there until it is come to.
const PAGE_PART: usize = 16;

/// Walks through one tree, the latest last.
#[derive(Debug, Default)]
pub struct Walks(VecDeque<Walk>);

#[derive(Debug, PartialEq, Eq)]
struct Walk {
    /// The first key that was not read, or the next at which something lies.
    at: Key,
    /// How many rows are asked for next; one: nobody has gone on from there yet.
    page: usize,
}

impl Walks {
    /// A walk that goes on exactly there: how many rows it asks for.
    pub fn take_at(&mut self, key: &[u8]) -> Option<usize> {
        let at = self.0.iter().rposition(|walk| walk.at == key)?;
        self.0.remove(at).map(|walk| walk.page)
    }

    /// A walk that may be on its way to this key, of those that have gone on before: where it is, and how many rows it asks for.
    pub fn take_before(&mut self, key: &[u8]) -> Option<(Key, usize)> {
        let is_on_its_way = |walk: &Walk| {
            walk.page > 1 && walk.at[..] <= *key && walk.at.get(..PREFIX_BYTES) == key.get(..PREFIX_BYTES)
        };
        let there = self.0.iter().enumerate().filter(|(_, walk)| is_on_its_way(walk));
        let (nearest, _) = there.max_by(|(_, one), (_, other)| one.at.cmp(&other.at))?;
        self.0.remove(nearest).map(|walk| (walk.at, walk.page))
    }

    /// A question ended there, which nobody has gone on from yet.
    pub fn begin(&mut self, at: Key) {
        self.put(at, 1);
    }

    /// A walk has come there with a page of so many rows, which took so many bytes; so many may be near.
    pub fn went_on(&mut self, at: Key, page: usize, bytes: usize, bytes_max: usize) {
        let fitting = bytes_max / PAGE_PART * page / bytes.max(1);
        self.put(at, next_page(page).min(fitting).max(PAGE_MIN));
    }

    fn put(&mut self, at: Key, page: usize) {
        self.0.retain(|walk| walk.at != at);
        self.0.push_back(Walk { at, page });
        if self.0.len() > WALKS_MAX {
            self.0.pop_front();
        }
    }
}

/// How many rows whoever goes on asks for after so many.
pub fn next_page(page: usize) -> usize {
    (page * 2).clamp(PAGE_MIN, PAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_asks_for_more_and_who_has_not_yet_is_not_guessed_at() {
        let mut walks = Walks::default();
        walks.begin(vec![0, 0, 0, 1, 5]);
        assert_eq!(walks.take_before(&[0, 0, 0, 1, 7]), None, "it may have been a look at one row");
        assert_eq!(walks.take_at(&[0, 0, 0, 1, 5]), Some(1));
        assert_eq!(walks.take_at(&[0, 0, 0, 1, 5]), None, "it has gone on");
        walks.went_on(vec![0, 0, 0, 1, 6], 1, 10, 1 << 20);
        walks.went_on(vec![0, 0, 0, 1, 9], 128, 10, 1 << 20);
        walks.went_on(vec![0, 0, 0, 0, 9], 256, 10, 1 << 20);
        assert_eq!(walks.take_before(&[0, 0, 0, 1, 5]), None, "the other tenant's is not on its way here");
        assert_eq!(walks.take_before(&[0, 0, 0, 1, 8]), Some((vec![0, 0, 0, 1, 6], PAGE_MIN)));
        assert_eq!(walks.take_before(&[0, 0, 0, 1, 9]), Some((vec![0, 0, 0, 1, 9], PAGE_MAX)));
        assert_eq!(walks.take_before(&[0, 0, 0, 0, 10]), Some((vec![0, 0, 0, 0, 9], PAGE_MAX)));
    }

    #[test]
    fn a_page_is_a_small_part_of_what_may_be_near_and_walks_are_few() {
        let mut walks = Walks::default();
        walks.went_on(vec![1], 64, 64 * 16_384, 4 << 20);
        assert_eq!(walks.take_at(&[1]), Some(16));
        walks.went_on(vec![1], 64, 64 * 16_384, 1000);
        assert_eq!(walks.take_at(&[1]), Some(PAGE_MIN));
        (0..=WALKS_MAX as u8).for_each(|n| walks.begin(vec![n]));
        assert_eq!((walks.take_at(&[0]), walks.take_at(&[1])), (None, Some(1)));
    }
}
