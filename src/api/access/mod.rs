//! Who asks: keys and people, what they may do, how often, and when they were last here.

pub mod asked;
pub mod auth;
pub mod failures;
pub mod guesses;
pub mod limits;
pub mod needs;
pub mod oidc;
pub mod passwords;
pub mod seats;
pub mod uses;
pub mod way;
