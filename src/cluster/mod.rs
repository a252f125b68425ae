//! From node to node: who of them is one, and how a connection gets to the node that serves it. What stays true: only who has a master
//! key of the store is a node, and what goes from one to the other is encrypted for that one.

mod keys;
mod way;

pub use keys::{CARRIES, NodeKeys};
pub use way::Way;
