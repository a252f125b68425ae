//! Logging in by the operator's own identity provider (OpenID Connect): the code flow with PKCE. What stays true: the provider is
//! trusted, for it is the operator's word, and nobody on the way to it is; a token of it is believed only if it was made for this
//! server, for this very log-in, by a key that the provider shows, and is not over; and nothing is kept here between the
//! beginning and the end of a log-in: what must be remembered is with the browser alone.

mod begun;
mod claims;
mod keys;
mod provider;

pub use begun::Begun;
pub use claims::Known;
pub use provider::{Means, Provider, SignOn};
