//! Sessions of HTTP/2, with an endpoint that says each frame itself: what an answer is, who uses a session, and which are
//! closed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::endpoint::{Frames, INTERNAL_ERROR, NO_ERROR, answer, data, reset};
use super::kept::{pair, peer};
use super::{destination, run};
use crate::deliver::descriptors::Descriptors;
use crate::deliver::http::h2::{self, Lease, Session};
use crate::deliver::http::sessions::{Sessions, Turn};
use crate::deliver::http::{Failure, Heard, Request};
use crate::domain::probe::Method;

const NOW: Duration = Duration::from_secs(100);
const LIMIT: Duration = Duration::from_secs(15);

/// A session, and the endpoint's end of it, which has said how many streams it takes.
async fn session(all: &Arc<Descriptors>) -> (Session, Frames<TcpStream>) {
    let (ours, theirs) = pair(all).await;
    let (opened, mut is_open) = watch::channel(());
    let (session, theirs) = tokio::join!(Session::begin(ours, Some(opened)), Frames::begin(theirs));
    is_open.changed().await.unwrap();
    (session.unwrap(), theirs)
}

/// What comes of a request by `lease` to which the endpoint says so.
async fn ask(
    lease: Lease,
    theirs: &mut Frames<TcpStream>,
    says: impl FnOnce(u32) -> Vec<u8>,
) -> (Result<u16, Failure>, Heard) {
    let (to, mut heard) = (destination(), Heard::default());
    let request = Request { method: Method::Post, to: &to, headers: &[], upper_case: false, body: Bytes::new() };
    let say = async {
        let stream = theirs.next().await.unwrap();
        theirs.say(&says(stream)).await;
    };
    let (status, ()) = tokio::join!(h2::exchange(lease, &request, &mut heard), say);
    (status, heard)
}

#[test]
fn an_answer_whose_request_is_not_wanted_whole_counts_and_one_that_breaks_off_does_not() {
    run(async {
        for (code, status) in [(NO_ERROR, Some(200)), (INTERNAL_ERROR, None)] {
            let (session, mut theirs) = session(&Descriptors::new(8)).await;
            let says = |id| [answer(id, false), data(id, b"begun"), reset(id, code)].concat();
            let (answered, heard) = ask(session.first_stream(), &mut theirs, says).await;
            assert_eq!((answered.ok(), heard.status, heard.body), (status, Some(200), b"begun".to_vec()));
        }
    });
}

#[test]
fn a_session_is_idle_again_once_each_of_its_streams_has_ended() {
    run(async {
        let (session, mut theirs) = session(&Descriptors::new(8)).await;
        assert!(session.is_idle());
        let (one, other) = (session.first_stream(), session.stream().unwrap());
        assert!(!one.was_used() && !other.was_used());
        for lease in [one, other] {
            assert!(!session.is_idle());
            ask(lease, &mut theirs, |id| answer(id, true)).await.0.unwrap();
        }
        assert!(session.is_idle() && session.stream().unwrap().was_used());
    });
}

#[test]
fn a_session_that_nobody_has_used_for_so_long_is_closed() {
    run(async {
        let sessions = Sessions::new();
        assert!(!sessions.close_idle(NOW, LIMIT), "there is none");
        let (session, mut theirs) = session(&Descriptors::new(8)).await;
        sessions.add(&peer(1), session);
        let lease = sessions.stream(&peer(1), 0).unwrap();
        assert!(sessions.close_idle(NOW, LIMIT) && sessions.close_idle(NOW + LIMIT, LIMIT), "it is in use");
        ask(lease, &mut theirs, |id| answer(id, true)).await.0.unwrap();
        let since = NOW + LIMIT;
        assert!(sessions.close_idle(since, LIMIT), "that is when it is seen");
        assert!(sessions.close_idle(since + LIMIT - Duration::from_millis(1), LIMIT));
        assert_eq!(sessions.len(), 1);
        assert!(!sessions.close_idle(since + LIMIT, LIMIT));
        assert_eq!(sessions.len(), 0);
    });
}

#[test]
fn one_after_the_other_is_closed_of_those_that_nobody_uses() {
    run(async {
        let (all, sessions) = (Descriptors::new(8), Sessions::new());
        let mut others = Vec::new();
        for account in [1, 1, 2] {
            let (session, theirs) = session(&all).await;
            sessions.add(&peer(account), session);
            others.push(theirs);
        }
        let _in_use = sessions.stream(&peer(2), 0).unwrap();
        for left in [2, 1] {
            assert!(sessions.close_one());
            assert_eq!(sessions.len(), left);
        }
        assert!(!sessions.close_one());
    });
}

#[test]
fn who_wants_a_new_session_gets_none_that_was_there() {
    run(async {
        let sessions = Sessions::new();
        let before = sessions.count();
        let (session, _theirs) = session(&Descriptors::new(8)).await;
        sessions.add(&peer(1), session);
        assert!(sessions.stream(&peer(1), sessions.count()).is_none());
        assert!(sessions.stream(&peer(1), before).is_some());
    });
}

#[test]
fn of_those_who_do_not_know_what_a_peer_speaks_one_dials() {
    let (sessions, one, other) = (Sessions::new(), peer(1), peer(2));
    let Turn::Dial(Some(dialling)) = sessions.turn(&one, true) else { panic!("nobody dials yet") };
    assert!(matches!(sessions.turn(&one, true), Turn::Wait(_)));
    assert!(matches!(sessions.turn(&one, false), Turn::Dial(None)), "who has waited in vain");
    assert!(matches!(sessions.turn(&other, true), Turn::Dial(Some(_))), "another peer");
    assert!(sessions.close_idle(NOW, LIMIT), "that somebody dials is remembered");
    drop(dialling);
    assert!(!sessions.close_idle(NOW, LIMIT), "and forgotten");
    sessions.is_older(&one);
    assert!(matches!(sessions.turn(&one, true), Turn::Dial(None)), "it speaks HTTP/1.1: nobody need wait");
}
