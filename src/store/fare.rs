//! What who writes pays for what it writes, while the store's files are larger than they need be: pages that are cleaned before the
//! next sync. How many keys pay for one is told by whoever looks at the files (see `reclaim`).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Pages that a group cleans: some five milliseconds. What it still owes the next one pays.
const GROUP_PAGES_MAX: usize = 96;
/// Pages that can be owed.
const OWED_MAX: usize = 10 * GROUP_PAGES_MAX;
/// What groups pay: so many keys for one page, none if zero.
#[derive(Debug, Default)]
pub struct Fare(AtomicUsize);

impl Fare {
    /// From now on so many keys pay for one page.
    pub fn set(&self, keys: usize) {
        self.0.store(keys, Ordering::Relaxed);
    }
}

/// What the commit thread owes, in keys.
#[derive(Debug, Default)]
pub struct Debt(usize);

impl Debt {
    /// So many keys were written. Gives how many pages are to be cleaned before they are synced.
    pub fn pages(&mut self, keys: usize, fare: &Fare) -> usize {
        let keys_a_page = fare.0.load(Ordering::Relaxed);
        if keys_a_page == 0 {
            self.0 = 0;
            return 0;
        }
        self.0 = (self.0 + keys).min(OWED_MAX * keys_a_page);
        let pages = (self.0 / keys_a_page).min(GROUP_PAGES_MAX);
        self.0 -= pages * keys_a_page;
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_owes_it_pays_up_to_a_bound_and_the_next_one_the_rest() {
        let (fare, mut debt) = (Fare::default(), Debt::default());
        let mut pages = |keys_a_page, keys| {
            fare.set(keys_a_page);
            debt.pages(keys, &fare)
        };
        assert_eq!(pages(0, 1_000), 0, "the files are as large as may be");
        assert_eq!([pages(16, 40), pages(16, 40)], [2, 3], "what is left of a page is not forgotten");
        assert_eq!([pages(8, 80), pages(4, 80)], [10, 20]);
        assert_eq!([pages(4, 480), pages(4, 0), pages(4, 0)], [96, 24, 0], "a group cleans no more than this");
        assert_eq!(pages(4, u32::MAX as usize), 96);
        let further = std::iter::from_fn(|| Some(pages(4, 0))).take_while(|pages| *pages > 0).sum::<usize>();
        assert_eq!(further, OWED_MAX - 96, "no more is owed than this");
        assert_eq!(
            [pages(4, 1_000), pages(0, 0), pages(4, 0)],
            [96, 0, 0],
            "nothing is once they are as they should be"
        );
    }
}
