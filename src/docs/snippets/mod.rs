//! Code that verifies a request, for receivers in six languages, made from a dialect's own signature rule. What stays
//! true: each snippet is whole, needs nothing but what its language brings (Rust: a few crates; Python, for key pairs: one
//! package), compares in constant time, takes several secrets, and refuses an old request where its time is signed.

mod go;
mod go_helpers;
mod javascript;
mod lines;
mod php;
mod python;
mod recipe;
mod ruby;
mod rust;
mod rust_helpers;

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
    let strength = |rule: &&SignatureRule| strength(rule.algorithm);
    dialect.signature.iter().rev().max_by_key(strength)
}

/// How hard it is to make one without the key: what nobody but the sender can make is the strongest, what is only shown
/// the weakest.
fn strength(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::Secret => 0,
        Algorithm::Sha1 => 160,
        Algorithm::Sha256 => 256,
        Algorithm::Sha512 => 512,
        Algorithm::Ed25519 | Algorithm::EcdsaP256 | Algorithm::Rsa => 1024,
    }
}
