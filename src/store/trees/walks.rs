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
const WALKS_MAX: usize = 512;
/// Of what may be near in bytes, one page takes a part of so many at most.
const PAGE_PART: usize = 16;
/// And all walks that take turns together one of so many, so that what is read ahead is there until it is come to.
const PAGES_PART: usize = 2;

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

/// A walk that goes on.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it is.
    pub at: Key,
    /// How many rows it asks for.
    pub page: usize,
    /// So many walks have gone on, or begun, since it did.
    others: usize,
}

impl Walks {
    /// A walk that goes on exactly there.
    pub fn take_at(&mut self, key: &[u8]) -> Option<Step> {
        let index = self.0.iter().rposition(|walk| walk.at == key)?;
        self.take(index)
    }

    /// A walk that may be on its way to this key, of those that have gone on before.
    pub fn take_before(&mut self, key: &[u8]) -> Option<Step> {
        let is_on_its_way = |walk: &Walk| {
            walk.page > 1 && walk.at[..] <= *key && walk.at.get(..PREFIX_BYTES) == key.get(..PREFIX_BYTES)
        };
        let there = self.0.iter().enumerate().filter(|(_, walk)| is_on_its_way(walk));
        let (nearest, _) = there.max_by(|(_, one), (_, other)| one.at.cmp(&other.at))?;
        self.take(nearest)
    }

    fn take(&mut self, index: usize) -> Option<Step> {
        let others = self.0.len() - 1 - index;
        self.0.remove(index).map(|Walk { at, page }| Step { at, page, others })
    }

    /// A question ended there, which nobody has gone on from yet.
    pub fn begin(&mut self, at: Key) {
        self.put(at, 1);
    }

    /// A walk has come there with a page of so many rows, which took so many bytes; so many may be near.
    pub fn went_on(&mut self, step: &Step, at: Key, page: usize, (bytes, bytes_max): (usize, usize)) {
        let part = bytes_max / PAGE_PART.max(PAGES_PART * (step.others + 1));
        let fitting = part * page / bytes.max(1);
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

    const NEAR: usize = 4 << 20;

    fn key(n: u8) -> Key {
        vec![0, 0, 0, 1, n]
    }

    /// A walk that has come there with a page of so many rows of one byte each.
    fn went_on(walks: &mut Walks, at: Key, page: usize) {
        walks.begin(at.clone());
        let step = walks.take_at(&at).expect("it has begun");
        walks.went_on(&step, at, page, (page, NEAR));
    }

    fn page(step: Option<Step>) -> Option<(Key, usize)> {
        step.map(|step| (step.at, step.page))
    }

    #[test]
    fn who_goes_on_asks_for_more_and_who_has_not_yet_is_not_guessed_at() {
        let mut walks = Walks::default();
        walks.begin(key(5));
        assert_eq!(walks.take_before(&key(7)), None, "it may have been a look at one row");
        assert_eq!(page(walks.take_at(&key(5))), Some((key(5), 1)));
        assert_eq!(walks.take_at(&key(5)), None, "it has gone on");
        went_on(&mut walks, key(6), 1);
        went_on(&mut walks, key(9), 128);
        went_on(&mut walks, vec![0, 0, 0, 0, 9], 256);
        assert_eq!(walks.take_before(&key(5)), None, "the other tenant's is not on its way here");
        assert_eq!(page(walks.take_before(&key(8))), Some((key(6), PAGE_MIN)));
        assert_eq!(page(walks.take_before(&key(9))), Some((key(9), PAGE_MAX)));
        assert_eq!(page(walks.take_before(&[0, 0, 0, 0, 10])), Some((vec![0, 0, 0, 0, 9], PAGE_MAX)));
    }

    #[test]
    fn a_page_is_a_small_part_of_what_may_be_near_the_smaller_the_more_take_turns() {
        for (others, rows) in [(0, 16), (7, 16), (15, 8), (200, PAGE_MIN)] {
            let mut walks = Walks::default();
            walks.begin(key(1));
            (0..others).for_each(|n| walks.begin(key(n + 2)));
            let step = walks.take_at(&key(1)).unwrap();
            walks.went_on(&step, key(1), 64, (64 * 16_384, NEAR));
            assert_eq!(page(walks.take_at(&key(1))), Some((key(1), rows)), "{others}");
        }
        let mut walks = Walks::default();
        let of = |n: u16| n.to_be_bytes().to_vec();
        (0..=WALKS_MAX as u16).for_each(|n| walks.begin(of(n)));
        assert!(walks.take_at(&of(0)).is_none() && walks.take_at(&of(1)).is_some(), "the oldest is forgotten");
    }
}
