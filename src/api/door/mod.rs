//! The way in: the listener, who is connected, and what every request passes and every reply says.

pub mod certificate;
pub mod client;
mod connection;
pub mod connections;
pub mod counting;
pub mod front;
pub mod gate;
pub mod listener;
pub mod peers;
mod proxied;
mod standing_by;
mod stream;
pub mod told;
mod workers;
