//! Nobody waits for a stranger's publishes, over real sockets against the real server: filters that take long, events to
//! many webhooks, bodies that never end, keys that are wrong. What stays true: an account that posts small events all the
//! while is answered in a tenth of a second in 99 of 100 cases, and what the server holds of the others has a bound, which
//! each test says by arithmetic. What HTTP/2 would let in is in `tests/listener_tls.rs`: it is not spoken.

mod bodies;
mod fan_out;
mod filters;
mod stranger;
#[path = "../support/mod.rs"]
mod support;

/// A mebibyte.
const MIB: u64 = 1 << 20;
/// The largest body that a server takes which nobody has configured.
const BODY: u64 = 10 * MIB;
/// What the store keeps in memory of what it wrote (`store.cache_bytes`); what is around its pages takes as much.
const CACHE: u64 = 64 * MIB;
/// What the allocator keeps of other work.
const SLACK: u64 = 64 * MIB;
