//! A product's whole webhook contract as data. So far: the bytes that every receiver can verify.

mod canonical;
mod number;

#[cfg(test)]
mod tests;

pub use canonical::{Numbers, canonical, first_lost_number};
