//! Who owns the rows, as this node has heard last, and where nodes find each other. What stays true: it is hearsay, good for knocking at
//! a door; whether somebody owns anything is said by the lease alone.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::clock::Stopwatch;

/// How often a node says that it stands by, while it looks more often whether it is its turn.
const ANNOUNCED_EACH_MS: u64 = 1_000;

/// The node that owned the rows when this one asked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub node: String,
    /// Host and port at which it takes what other nodes hand on; empty if it takes nothing.
    pub address: String,
    /// It is this node.
    pub is_this: bool,
}

/// Where other nodes find this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// There: host and port.
    At(String),
    /// On this port of whatever address it has on the way to the database.
    OnPort(u16),
}

/// What a node says of itself, and knows of the owner.
pub struct Hearsay {
    found: OnceLock<Whereabouts>,
    address: ArcSwap<String>,
    owner: watch::Sender<Option<Arc<Owner>>>,
    watch: Stopwatch,
    /// When it has said last that it stands by: milliseconds of the watch.
    announced_ms: Mutex<Option<u64>>,
}

impl Default for Hearsay {
    fn default() -> Self {
        let (found, address, announced_ms) = Default::default();
        Self { found, address, owner: watch::Sender::new(None), watch: Stopwatch::start(), announced_ms }
    }
}

impl Hearsay {
    /// Others find this node there. Said once, before the database is asked.
    pub fn is_found(&self, found: Whereabouts) {
        let _ = self.found.set(found);
    }

    /// The address under which this node is found, as of its last way to the database; empty if it is not.
    pub fn address(&self) -> String {
        self.address.load().to_string()
    }

    /// There is a new way to the database: this machine may have another address on it, which is looked up.
    pub fn is_connected(&self, own_ip: impl FnOnce() -> Option<IpAddr>) {
        let address = match self.found.get() {
            None => return,
            Some(Whereabouts::At(address)) => address.clone(),
            Some(Whereabouts::OnPort(port)) => {
                own_ip().map_or_else(String::new, |ip| SocketAddr::new(ip, *port).to_string())
            }
        };
        self.address.store(Arc::new(address));
    }

    /// Whether it is time to say again that this node stands by; then it is said.
    pub fn is_to_announce(&self) -> bool {
        self.is_to_announce_at(self.watch.elapsed().as_millis() as u64)
    }

    fn is_to_announce_at(&self, now_ms: u64) -> bool {
        let mut announced = self.announced_ms.lock().expect("no holder of the lock panics");
        let is_due = announced.is_none_or(|at| now_ms >= at + ANNOUNCED_EACH_MS);
        if is_due {
            *announced = Some(now_ms);
        }
        is_due
    }

    /// The owner from now on.
    pub fn owner(&self) -> watch::Receiver<Option<Arc<Owner>>> {
        self.owner.subscribe()
    }

    /// This one owns the rows from now on, as far as is known; or nobody does.
    pub fn hear(&self, owner: Option<Owner>) {
        self.owner.send_if_modified(|known| {
            let is_new = known.as_deref() != owner.as_ref();
            if is_new {
                *known = owner.map(Arc::new);
            }
            is_new
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_found_where_it_says_or_where_it_asks_from() {
        let address = |found| {
            let hearsay = Hearsay::default();
            hearsay.is_found(found);
            hearsay.is_connected(|| Some(IpAddr::from([127, 0, 0, 1])));
            hearsay.address()
        };
        assert_eq!(Hearsay::default().address(), "");
        assert_eq!(address(Whereabouts::At("one.example:7081".into())), "one.example:7081");
        assert_eq!(address(Whereabouts::OnPort(7081)), "127.0.0.1:7081");
    }

    #[test]
    fn a_node_that_stands_by_says_so_at_once_and_then_each_second() {
        let hearsay = Hearsay::default();
        assert_eq!(
            [0, 999, 1_000, 1_200, 2_000].map(|now| hearsay.is_to_announce_at(now)),
            [true, false, true, false, true]
        );
    }

    #[test]
    fn what_is_heard_again_wakes_nobody() {
        let (hearsay, owner) =
            (Hearsay::default(), Owner { node: "one".into(), address: String::new(), is_this: false });
        let mut heard = hearsay.owner();
        for (owner, is_new) in [(None, false), (Some(owner.clone()), true), (Some(owner), false), (None, true)] {
            hearsay.hear(owner);
            assert_eq!(heard.has_changed().ok(), Some(is_new));
            heard.mark_unchanged();
        }
    }
}
