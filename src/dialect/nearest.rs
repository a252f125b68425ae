//! The nearest of the words that are known, for who has mistyped one. What stays true: what looks like none of them gets none; and
//! whoever serves others looks no longer than its search may take, whatever it is asked.

use std::cell::Cell;

/// The known word that looks most like `word`, for "did you mean".
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let score = |candidate: &str| (strsim::jaro_winkler(word, candidate) * 1000.0) as u32;
    known.into_iter().max_by_key(|candidate| score(candidate)).filter(|candidate| score(candidate) > 600)
}

/// Steps of a search for one request: some milliseconds.
const STEPS_MAX: usize = 1 << 22;
/// Steps that a known word takes, however short.
const WORD_STEPS: usize = 16;

/// How much may still be searched for the nearest words. To compare two words takes the product of their lengths.
#[derive(Debug)]
pub struct Search(Cell<usize>);

impl Search {
    /// All that one request may search.
    pub fn of_request() -> Self {
        Self(Cell::new(STEPS_MAX))
    }

    /// Whether it is at its end: then nothing is near any more.
    pub fn is_over(&self) -> bool {
        self.0.get() == 0
    }

    /// Takes up a known word to compare others with; whether there is time for that.
    pub fn take_up(&self, word: &str) -> bool {
        self.take(WORD_STEPS + word.len())
    }

    /// As [`nearest`]; none as well if looking at all that is known would take more than is left, which ends the search.
    pub fn nearest<'a>(&self, word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
        let is_time = known.clone().all(|candidate| self.take(word.len() * candidate.len()));
        if is_time { nearest(word, known) } else { None }
    }

    fn take(&self, steps: usize) -> bool {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_once_it_has_compared_so_much() {
        let search = Search::of_request();
        assert_eq!(search.nearest("task.creatd", ["task.created", "order"].into_iter()), Some("task.created"));
        let long = "a".repeat(1_000);
        let known = [long.as_str(); 2];
        let mut times = 0;
        while search.nearest(&long, known.iter().copied()).is_some() {
            times += 1;
        }
        assert_eq!(times, STEPS_MAX / (2 * 1_000 * 1_000));
        assert!(search.is_over() && !search.take_up("a"));
        assert_eq!(
            search.nearest("task.creatd", ["task.created"].into_iter()),
            None,
            "nor is anything short looked for"
        );
    }
}
