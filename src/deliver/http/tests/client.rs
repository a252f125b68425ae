//! The client as a sender has it: what is sent once more, and which connections are kept and closed.

use std::sync::Arc;

use bytes::Bytes;

use super::endpoint::Does::{Answer, Close, GoAway, Reset};
use super::endpoint::{Does, HOSTS, INTERNAL_ERROR, REFUSED_STREAM, client, one, two};
use super::{DEADLINE, run};
use crate::deliver::descriptors::{Descriptor, Descriptors};
use crate::deliver::dial::DialError;
use crate::deliver::http::{Destination, Failure, Heard, Http, Request};
use crate::domain::probe::Method;

/// A sender's client, of so many, where there are 8 descriptors.
struct Bench {
    all: Arc<Descriptors>,
    http: Http,
}

impl Bench {
    fn new(senders: usize) -> Self {
        let all = Descriptors::new(8);
        Self { http: Http::new(all.clone(), DEADLINE, senders), all }
    }

    async fn send(&self, url: &str) -> (Result<u16, Failure>, Heard) {
        let to = Destination::of(url, 1, None).unwrap();
        let (request, mut heard) = (
            Request { method: Method::Post, to: &to, headers: &[], upper_case: false, body: Bytes::new() },
            Heard::default(),
        );
        let client = client(&self.all);
        let sent = self.http.send(&client, &request, &mut heard);
        let status = actix_rt::time::timeout(DEADLINE, sent).await.expect("it ends");
        (status, heard)
    }

    /// All descriptors that are left.
    fn take_all(&self) -> Vec<Descriptor> {
        std::iter::from_fn(|| self.all.take()).collect()
    }
}

/// What is sent one after the other to an endpoint that does so; what comes of the last, whether it was sent more than once,
/// and how many requests the endpoint saw.
fn last_of(requests: usize, does: &'static [Does]) -> (Option<u16>, bool, usize) {
    run(async {
        let (bench, (url, seen)) = (Bench::new(1), two(HOSTS[0], does).await);
        for _ in 1..requests {
            assert_eq!(bench.send(&url).await.0.unwrap(), 200);
        }
        let (status, heard) = bench.send(&url).await;
        (status.ok(), heard.resent, seen.get())
    })
}

#[test]
fn what_an_endpoint_says_that_it_did_not_look_at_is_sent_again_ten_times() {
    const REFUSED: Does = Reset(REFUSED_STREAM);
    assert_eq!(last_of(1, &[REFUSED; 10]), (Some(200), true, 11));
    assert_eq!(last_of(1, &[REFUSED; 11]), (None, true, 11));
    assert_eq!(last_of(1, &[GoAway]), (Some(200), true, 2));
    assert_eq!(last_of(1, &[Reset(INTERNAL_ERROR)]), (None, false, 1), "it may have looked");
}

#[test]
fn only_a_session_that_was_used_before_may_turn_out_to_be_dead_and_once() {
    assert_eq!(last_of(2, &[Answer, Close]), (Some(200), true, 3));
    assert_eq!(last_of(2, &[Answer, Close, Close]), (None, true, 3));
    assert_eq!(last_of(1, &[Close]), (None, false, 1));
    assert_eq!(last_of(2, &[Answer, Reset(INTERNAL_ERROR)]), (None, false, 2), "that is its answer");
}

#[test]
fn senders_keep_half_of_all_connections_among_them() {
    run(async {
        let bench = Bench::new(2);
        for host in HOSTS {
            let (url, _) = one(host, "").await;
            bench.send(&url).await.0.unwrap();
        }
        assert_eq!(bench.all.open(), 2);
    });
}

#[test]
fn sessions_count_among_what_is_kept_and_the_oldest_connection_goes_first() {
    run(async {
        let bench = Bench::new(2);
        let (url, is_closed) = one(HOSTS[0], "").await;
        bench.send(&url).await.0.unwrap();
        for host in &HOSTS[1..] {
            let (url, _) = two(host, &[]).await;
            bench.send(&url).await.0.unwrap();
        }
        assert_eq!(bench.all.open(), 2);
        actix_rt::time::timeout(DEADLINE, is_closed).await.expect("it is closed").unwrap();
    });
}

#[test]
fn where_descriptors_run_out_what_only_waits_is_closed_and_nothing_is_kept() {
    run(async {
        let bench = Bench::new(1);
        let (first, is_closed) = one(HOSTS[0], "").await;
        bench.send(&first).await.0.unwrap();
        let mut taken = bench.take_all();
        let (other, _) = one(HOSTS[1], "").await;
        assert_eq!(bench.send(&other).await.0.unwrap(), 204);
        is_closed.await.unwrap();
        assert_eq!(bench.all.open(), taken.len(), "what comes back is not kept");
        taken.extend(bench.take_all());
        let nothing_left = bench.send(&first).await.0.unwrap_err();
        assert!(matches!(nothing_left, Failure::Dial(DialError::Ours(_))), "{nothing_left:?}");
    });
}

#[test]
fn a_connection_is_closed_before_the_endpoint_would_do_it() {
    run(async {
        let bench = Bench::new(1);
        let (at_once, is_closed) = one(HOSTS[0], "Keep-Alive: timeout=1\r\n").await;
        bench.send(&at_once).await.0.unwrap();
        assert_eq!(bench.all.open(), 0);
        is_closed.await.unwrap();
        let (soon, is_closed) = one(HOSTS[0], "Keep-Alive: timeout=2\r\n").await;
        bench.send(&soon).await.0.unwrap();
        assert_eq!(bench.all.open(), 1);
        actix_rt::time::timeout(DEADLINE, is_closed).await.expect("nobody uses it").unwrap();
    });
}
