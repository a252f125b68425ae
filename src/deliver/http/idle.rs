//! HTTP/1.1 connections that wait to be used again, of one sender. What stays true: the one that was used last is used
//! first, none is used after its time or with anything to read on it, and of too many the oldest go.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use super::{Connection, Peer};

/// Connections that wait.
pub struct Idle {
    by_peer: HashMap<Rc<Peer>, Vec<u64>>,
    /// The oldest first.
    all: BTreeMap<u64, Waiting>,
    next: u64,
    max: usize,
}

struct Waiting {
    peer: Rc<Peer>,
    connection: Connection,
    until: Duration,
}

impl Idle {
    /// At most `max`.
    pub fn new(max: usize) -> Self {
        Self { by_peer: HashMap::new(), all: BTreeMap::new(), next: 0, max }
    }

    /// The connection to `peer` that was used last and can still be used. Those that cannot are closed.
    pub fn take(&mut self, peer: &Rc<Peer>, now: Duration) -> Option<Connection> {
        while let Some(id) = self.by_peer.get(peer)?.last().copied() {
            let mut waiting = self.remove(id).expect("what a peer names is there");
            if now < waiting.until && waiting.connection.is_quiet() {
                return Some(waiting.connection);
            }
        }
        None
    }

    /// Keeps a connection until `until`.
    pub fn put(&mut self, peer: Rc<Peer>, connection: Connection, until: Duration) {
        let id = self.next;
        self.next += 1;
        self.by_peer.entry(peer.clone()).or_default().push(id);
        self.all.insert(id, Waiting { peer, connection, until });
        while self.all.len() > self.max {
            self.close_oldest();
        }
    }

    /// Closes the one that has waited longest. Says whether there was one.
    pub fn close_oldest(&mut self) -> bool {
        let oldest = self.all.keys().next().copied();
        oldest.and_then(|id| self.remove(id)).is_some()
    }

    /// Closes those whose time is over. Says when the next one's is.
    pub fn close_due(&mut self, now: Duration) -> Option<Duration> {
        let due: Vec<u64> = self.all.iter().filter(|(_, one)| one.until <= now).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| drop(self.remove(id)));
        self.all.values().map(|one| one.until).min()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.all.remove(&id)?;
        let ids = self.by_peer.get_mut(&waiting.peer).expect("it names what is there");
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            self.by_peer.remove(&waiting.peer);
        }
        Some(waiting)
    }
}
