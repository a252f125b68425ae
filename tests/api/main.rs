//! The API over real sockets: every promise of the reference is asked for here as a client would.

mod events;
mod server;
