//! The HTTP/2 sessions of one sender. What stays true: requests to one peer share a session as far as the endpoint takes
//! them; and as long as nobody knows whether a peer speaks HTTP/2, one dials and the others wait to see.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use quick_cache::{UnitWeighter, unsync::Cache};
use tokio::sync::watch;

use super::Peer;
use super::h2::{Lease, Session};

/// Peers of which it is remembered that they chose HTTP/1.1.
const OLDER_MAX: usize = 1024;

/// The sessions.
pub struct Sessions {
    peers: RefCell<HashMap<Rc<Peer>, Shared>>,
    /// Those that chose HTTP/1.1: nobody need wait there.
    older: RefCell<Cache<Rc<Peer>, ()>>,
    next: std::cell::Cell<Serial>,
}

/// Sessions count up: who wants one that is new since then names where the count was.
pub type Serial = u64;

#[derive(Default)]
struct Shared {
    sessions: Vec<Kept>,
    /// Ends when whoever dials does.
    dialling: Option<watch::Receiver<()>>,
}

struct Kept {
    session: Session,
    serial: Serial,
    /// Since when nobody has used it, as far as anyone has looked.
    idle_since: Option<Duration>,
}

/// What to do where there is no session.
pub enum Turn {
    /// To dial, and to tell this what came of it.
    Dial(Option<watch::Sender<()>>),
    /// To wait: an error says that whoever dialled did not get there.
    Wait(watch::Receiver<()>),
}

impl Sessions {
    /// None yet.
    pub fn new() -> Self {
        let older = Cache::with(OLDER_MAX, OLDER_MAX as u64, UnitWeighter, Default::default(), Default::default());
        Self { peers: RefCell::default(), older: older.into(), next: 0.into() }
    }

    /// Where the count is.
    pub fn count(&self) -> Serial {
        self.next.get()
    }

    /// A stream of a session with `peer` that was begun at `since` or later.
    pub fn stream(&self, peer: &Rc<Peer>, since: Serial) -> Option<Lease> {
        let mut peers = self.peers.borrow_mut();
        let shared = peers.get_mut(peer)?;
        shared.sessions.retain_mut(|kept| kept.session.is_open());
        let mut fresh = shared.sessions.iter_mut().filter(|kept| kept.serial >= since);
        fresh.find_map(|kept| {
            let lease = kept.session.stream()?;
            kept.idle_since = None;
            Some(lease)
        })
    }

    /// Who dials where there is no session. Who has waited in vain dials too.
    pub fn turn(&self, peer: &Rc<Peer>, may_wait: bool) -> Turn {
        if !may_wait || self.older.borrow().get(peer).is_some() {
            return Turn::Dial(None);
        }
        let mut peers = self.peers.borrow_mut();
        let shared = peers.entry(peer.clone()).or_default();
        if let Some(dialling) = shared.dialling.as_ref().filter(|dialling| matches!(dialling.has_changed(), Ok(false)))
        {
            return Turn::Wait(dialling.clone());
        }
        let (tell, dialling) = watch::channel(());
        shared.dialling = Some(dialling);
        Turn::Dial(Some(tell))
    }

    /// A peer has chosen HTTP/1.1.
    pub fn is_older(&self, peer: &Rc<Peer>) {
        self.older.borrow_mut().insert(peer.clone(), ());
    }

    /// A session was begun.
    pub fn add(&self, peer: &Rc<Peer>, session: Session) {
        let serial = self.next.get();
        self.next.set(serial + 1);
        self.older.borrow_mut().remove(peer);
        let mut peers = self.peers.borrow_mut();
        peers.entry(peer.clone()).or_default().sessions.push(Kept { session, serial, idle_since: None });
    }

    /// Closes those that nobody has used for `limit`, and forgets those that have ended. Says whether any are left.
    pub fn close_idle(&self, now: Duration, limit: Duration) -> bool {
        let mut peers = self.peers.borrow_mut();
        peers.retain(|_, shared| {
            shared.sessions.retain_mut(|kept| {
                let since = kept.session.is_idle().then(|| *kept.idle_since.get_or_insert(now));
                kept.session.is_open() && since.is_none_or(|since| now < since + limit)
            });
            shared.is_needed()
        });
        !peers.is_empty()
    }

    /// Closes one that nobody uses. Says whether there was one.
    pub fn close_one(&self) -> bool {
        let mut peers = self.peers.borrow_mut();
        let closed = peers.iter_mut().find_map(|(peer, shared)| {
            let at = shared.sessions.iter().position(|kept| kept.session.is_idle())?;
            shared.sessions.swap_remove(at);
            Some(peer.clone())
        });
        if let Some(peer) = &closed
            && !peers[peer].is_needed()
        {
            peers.remove(peer);
        }
        closed.is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.peers.borrow().values().map(|shared| shared.sessions.len()).sum()
    }
}

impl Shared {
    fn is_needed(&self) -> bool {
        !self.sessions.is_empty() || self.dialling.as_ref().is_some_and(|dialling| dialling.has_changed().is_ok())
    }
}
