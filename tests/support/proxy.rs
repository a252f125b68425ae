//! A way over TCP that a test opens and closes: what goes over it is neither read nor changed, but held, or cut off where it hurts.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// A listening way to somewhere else. It ends with all that goes over it when dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    to: SocketAddr,
    way: Way,
    cut: Option<Cut>,
    /// Both ends of each connection, by a number of its own.
    open: BTreeMap<u64, [TcpStream; 2]>,
    connections: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Nothing gets through, and nobody is told.
    Silent,
    /// Whoever comes is turned away.
    Closed,
    /// Nobody listens any more.
    Over,
}

/// What is cut off next, and the connection with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The second half of what is asked.
    Question,
    /// What is answered: it was heard, and nobody knows.
    Answer,
}

impl Proxy {
    /// An open way to `to`.
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State { to, way: Way::Open, cut: None, open: BTreeMap::new(), connections: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let of = shared.clone();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if of.state().way == Way::Over {
                    return;
                }
                let of = of.clone();
                thread::spawn(move || of.serve(&stream));
            }
        });
        Self { address, shared }
    }

    /// It leads there from now on; what goes over it ends.
    pub fn lead_to(&self, to: SocketAddr) {
        self.shared.state().to = to;
        self.shared.end_all();
    }

    /// Nothing gets through any more, and nobody is told.
    pub fn hold(&self) {
        self.shared.set(Way::Silent);
    }

    /// All that goes over it ends, and whoever comes is turned away.
    pub fn close(&self) {
        self.shared.set(Way::Closed);
        self.shared.end_all();
    }

    /// It is open again: what was held goes on.
    pub fn open(&self) {
        self.shared.set(Way::Open);
    }

    /// Cuts off what comes next, once.
    pub fn cut(&self, cut: Cut) {
        self.shared.state().cut = Some(cut);
    }

    /// Cuts off nothing more.
    pub fn cut_nothing(&self) {
        self.shared.state().cut = None;
    }

    /// Whether what was to be cut off has come.
    pub fn has_cut(&self) -> bool {
        self.shared.state().cut.is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.set(Way::Over);
        self.shared.end_all();
        // Wakes the thread that listens.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    fn set(&self, way: Way) {
        self.state().way = way;
        self.changed.notify_all();
    }

    fn end_all(&self) {
        self.state().open.values().flatten().for_each(|end| drop(end.shutdown(Shutdown::Both)));
    }

    /// Waits until something gets through; `false` if nothing does any more.
    fn is_let_through(&self) -> bool {
        let held = self.changed.wait_while(self.state(), |state| state.way == Way::Silent);
        held.expect("no holder of the lock panics").way == Way::Open
    }

    fn serve(&self, near: &TcpStream) {
        if !self.is_let_through() {
            return;
        }
        let to = self.state().to;
        let Ok(far) = TcpStream::connect(to) else { return };
        let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { return };
        let number = {
            let mut state = self.state();
            state.connections += 1;
            let number = state.connections;
            state.open.insert(number, [near_too, far_too]);
            number
        };
        thread::scope(|scope| {
            scope.spawn(|| self.carry(&far, near, Cut::Answer));
            self.carry(near, &far, Cut::Question);
        });
        self.state().open.remove(&number);
    }

    /// Carries what comes, until either end has had enough or it is cut off.
    fn carry(&self, mut from: &TcpStream, mut to: &TcpStream, side: Cut) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            if !self.is_let_through() {
                break;
            }
            let is_cut = self.state().cut.take_if(|cut| *cut == side).is_some();
            let carried = match (is_cut, side) {
                (false, _) => &bytes[..read],
                (true, Cut::Question) => &bytes[..read / 2],
                (true, Cut::Answer) => &[],
            };
            if to.write_all(carried).is_err() || is_cut {
                break;
            }
        }
        // Whoever closes one half of a connection has had enough of it here.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
