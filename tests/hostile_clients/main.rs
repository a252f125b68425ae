//! Clients that mean harm, over real sockets against the real server: slow ones, endless ones, floods, broken and
//! ambiguous requests. What stays true: nothing they send is answered with a 5xx or makes the server grow, and somebody
//! with a right key is served all the while.

mod floods;
mod keys;
mod memory;
mod shapes;
mod slow;
#[path = "../support/mod.rs"]
mod support;
