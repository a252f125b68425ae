//! Code that verifies a request, for receivers in six languages, made from a dialect's own signature rule. What stays
//! true: each snippet is whole, needs nothing but what its language brings (Rust: four crates), compares in constant
//! time, takes several secrets, and refuses an old request where its time is signed.

mod go;
mod javascript;
mod lines;
mod php;
mod python;
mod recipe;
mod ruby;
mod rust;

use crate::dialect::{Algorithm, Dialect, SignatureRule};
use recipe::Recipe;
pub use recipe::{Snippet, TOLERANCE_SECONDS};

/// A snippet a language; none where the dialect signs nothing.
pub fn snippets(dialect: &Dialect) -> Vec<Snippet> {
    let Some(rule) = best_rule(dialect) else { return Vec::new() };
    let recipe = Recipe::of(dialect, rule);
    [javascript::write, python::write, go::write, ruby::write, php::write, rust::write].map(|f| f(&recipe)).into()
}

/// The rule that receivers should verify by where there are several: the strongest, else the first.
pub fn best_rule(dialect: &Dialect) -> Option<&SignatureRule> {
    let strength = |rule: &&SignatureRule| digest_bits(rule.algorithm);
    dialect.signature.iter().rev().max_by_key(strength)
}

/// The length of a MAC.
fn digest_bits(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::Sha1 => 160,
        Algorithm::Sha256 => 256,
        Algorithm::Sha512 => 512,
    }
}
