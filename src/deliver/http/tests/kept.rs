//! What is kept to be used again, over loopback: it is taken only while it is quiet, by the same account, and for so long.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::{DEADLINE, run};
use crate::deliver::descriptors::Descriptors;
use crate::deliver::http::idle::Idle;
use crate::deliver::http::{Connection, Peer};

const NOW: Duration = Duration::from_secs(100);
const LATER: Duration = Duration::from_secs(110);

pub(super) fn peer(account: u32) -> Rc<Peer> {
    Rc::new(Peer { account, profile: None, tls: false, host: "127.0.0.1".into(), port: 80 })
}

/// Two ends over loopback.
pub(super) async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap());
    let (ours, theirs) = tokio::join!(ours, listener.accept());
    (ours.unwrap(), theirs.unwrap().0)
}

/// A connection and its other end.
pub(super) async fn pair(all: &Arc<Descriptors>) -> (Connection, TcpStream) {
    let (ours, theirs) = sockets().await;
    (Connection::plain(ours, all.take().unwrap()), theirs)
}

/// Waits until it is not quiet any more: what was sent may be on its way.
pub(super) async fn hears_something(ours: &mut Connection) {
    let heard = async {
        while ours.is_quiet() {
            tokio::task::yield_now().await;
        }
    };
    actix_rt::time::timeout(DEADLINE, heard).await.expect("it stays quiet");
}

#[test]
fn only_what_is_quiet_is_used_again() {
    run(async {
        let (all, mut idle) = (Descriptors::new(8), Idle::new(8));
        let (quiet, _quiet) = pair(&all).await;
        let (mut late, mut closed) = (pair(&all).await, pair(&all).await);
        late.1.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        closed.1.shutdown().await.unwrap();
        hears_something(&mut late.0).await;
        hears_something(&mut closed.0).await;
        for connection in [quiet, late.0, closed.0] {
            idle.put(peer(1), connection, LATER);
        }
        let mut taken = idle.take(&peer(1), NOW).expect("one is quiet");
        assert!(taken.is_quiet() && idle.len() == 0, "the others are closed");
        assert_eq!(all.open(), 1);
    });
}

#[test]
fn nobody_takes_what_another_account_has_used() {
    run(async {
        let (all, mut idle) = (Descriptors::new(8), Idle::new(8));
        let (connection, _theirs) = pair(&all).await;
        idle.put(peer(1), connection, LATER);
        assert!(idle.take(&peer(2), NOW).is_none());
        assert!(idle.take(&peer(1), NOW).is_some());
    });
}

#[test]
fn what_has_waited_too_long_goes_and_of_too_many_the_oldest() {
    run(async {
        let (all, mut idle) = (Descriptors::new(8), Idle::new(2));
        let mut others = Vec::new();
        for (account, until) in [(1, LATER), (2, LATER), (3, NOW)] {
            let (connection, theirs) = pair(&all).await;
            others.push(theirs);
            idle.put(peer(account), connection, until);
        }
        assert_eq!((idle.len(), all.open()), (2, 2));
        assert!(idle.take(&peer(1), NOW).is_none(), "it was the oldest");
        assert!(idle.take(&peer(3), NOW).is_none(), "its time is over");
        assert_eq!(idle.close_due(NOW), Some(LATER));
        assert_eq!(idle.close_due(LATER), None);
        assert_eq!((idle.len(), all.open()), (0, 0));
    });
}

#[test]
fn the_one_that_was_used_last_is_used_first() {
    run(async {
        let (all, mut idle) = (Descriptors::new(8), Idle::new(8));
        let (first, mut first_theirs) = pair(&all).await;
        let (last, _last_theirs) = pair(&all).await;
        idle.put(peer(1), first, LATER);
        idle.put(peer(1), last, LATER);
        let mut taken = idle.take(&peer(1), NOW).unwrap();
        first_theirs.shutdown().await.unwrap();
        assert!(taken.is_quiet(), "the first one has ended, and this is the other");
    });
}
