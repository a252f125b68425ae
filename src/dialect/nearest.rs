//! The nearest of the words that are known, for who has mistyped one. What stays true: what looks like none of them gets none.

/// The known word that looks most like `word`, for "did you mean".
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let score = |candidate: &str| (strsim::jaro_winkler(word, candidate) * 1000.0) as u32;
    known.into_iter().max_by_key(|candidate| score(candidate)).filter(|candidate| score(candidate) > 600)
}
