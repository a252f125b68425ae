//! Words for what programs tell apart: a state, a kind, a rule. What stays true: the list of all words is made of the same
//! lines as the word for each, so a document that shows the list can never lack one.

/// Gives a type `word()`, the word for a value in the API, and `WORDS`, all that there are.
macro_rules! words {
    ($kind:ident { $($pattern:pat => $word:literal),+ $(,)? }) => {
        impl $kind {
            /// Every word that there is.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it in the API.
            pub fn word(&self) -> &'static str {
                match self {
                    $($pattern => $word),+
                }
            }
        }
    };
}

pub(crate) use words;
