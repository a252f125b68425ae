//! What is handed on to other nodes, by links whose other end a test holds.

use actix_web::http::header::HeaderValue;
use futures_util::FutureExt;
use std::rc::Rc;
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::deliver::http::Destination;
use crate::domain::probe::Method;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::trace::Phases;

const URL: &str = "https://example.com/in?a=1";
const LEFT: Duration = Duration::from_secs(10);

fn to(url: &str) -> Destination {
    Destination::of(url, 7, None).expect("a URL")
}

fn request<'a>(to: &'a Destination, headers: &'a [(HeaderName, HeaderValue)], body: Vec<u8>) -> Request<'a> {
    Request { method: Method::Post, to, headers, upper_case: false, body: body.into() }
}

/// A node that has come, and what it says and hears.
async fn come(carriers: &Rc<Carriers>, node: &str) -> Link<DuplexStream> {
    let (near, far) = duplex(64 * 1024);
    let serving = carriers.clone();
    actix_rt::spawn(async move { serving.serve(near, || true).await });
    let mut link = carried::link(far);
    say(&mut link, 0, Word::Here { node: node.into() }).await;
    while carriers.carried().nodes.iter().all(|(known, _)| known != node) {
        tokio::task::yield_now().await;
    }
    link
}

async fn say(link: &mut Link<DuplexStream>, number: u64, word: Word) {
    link.send(carried::frame(number, &word, b"heard").expect("it is short")).await.expect("somebody hears it");
}

/// What is said next, but for signs of life; `None` at the end.
async fn next(link: &mut Link<DuplexStream>) -> Option<(u64, Order, Bytes)> {
    loop {
        let frame = link.next().await?.expect("it is whole");
        let said = carried::read(frame.freeze()).expect("it is an order");
        if said.1 != Order::Alive {
            return Some(said);
        }
    }
}

async fn order(link: &mut Link<DuplexStream>) -> (u64, Order, Bytes) {
    next(link).await.expect("there is one")
}

fn came(outcome: Option<Outcome>, reached: bool) -> Word {
    let (headers, phases) = (SentHeaders::default(), Phases { tls_us: Some(5), ..Phases::default() });
    Word::Came(Came { outcome, reached, any: true, retry_after: Some("3".into()), headers, phases, resent: false })
}

/// Whoever asks this is asked from the other node.
fn one_for(carriers: &Carriers) -> Destination {
    let any = (0..1000).map(|n| to(&format!("https://host-{n}.example.com/")));
    any.into_iter().find(|to| carriers.choose(&request(to, &[], Vec::new())).is_some()).expect("it has a share")
}

#[test]
fn nodes_have_shares_alike_and_this_one_half_of_one_and_one_more_takes_from_all() {
    // As even as what is hashed.
    let whom = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let share = |nodes: &[&str]| -> Vec<_> { (0..30_000).map(|n| share_of(whom(n), nodes.iter().copied())).collect() };
    let (two, three) = (share(&["a", "b"]), share(&["a", "b", "c"]));
    let shares = [None, Some(0), Some(1)].map(|of| two.iter().filter(|one| **one == of).count());
    let wanted = [5_000, 12_500, 12_500];
    assert!(shares.iter().zip(wanted).all(|(count, wanted)| count.abs_diff(wanted) < 400), "{shares:?}");
    let moved: Vec<_> = two.iter().zip(&three).filter(|(before, after)| before != after).collect();
    assert!(moved.len().abs_diff(8_750) < 400 && moved.iter().all(|(_, after)| **after == Some(2)));
    assert!(share(&[]).iter().all(Option::is_none));
}

#[actix_rt::test]
async fn only_what_costs_more_to_make_is_handed_on() {
    let carriers = Rc::new(Carriers::default());
    let whom = to(URL);
    assert!(carriers.choose(&request(&whom, &[], Vec::new())).is_none(), "nobody is there");
    let _link = come(&carriers, "other").await;
    let mine = one_for(&carriers);
    let plain = to(&mine.url().replace("https", "http"));
    assert!(carriers.choose(&request(&plain, &[], Vec::new())).is_none());
    assert!(carriers.choose(&request(&mine, &[], vec![0; BODY_BYTES_MAX])).is_some());
    assert!(carriers.choose(&request(&mine, &[], vec![0; BODY_BYTES_MAX + 1])).is_none());
    let profile = crate::deliver::clients::Profile::of(&["10.0.0.0/8".parse().expect("a network")], None);
    let own = Destination::of(&mine.url(), 7, profile).expect("a URL");
    assert!(carriers.choose(&request(&own, &[], Vec::new())).is_none(), "what it was opened for stays here");
    // Whom it could not reach is asked from here.
    carriers.avoid(&carriers.choose(&request(&mine, &[], Vec::new())).expect("it has a share"));
    assert!(carriers.choose(&request(&mine, &[], Vec::new())).is_none());
}

#[actix_rt::test]
async fn what_is_handed_on_is_all_there_and_so_is_what_came_of_it() {
    let carriers = Rc::new(Carriers::default());
    let mut link = come(&carriers, "other").await;
    let mine = one_for(&carriers);
    let headers = [(HeaderName::from_static("x-own"), HeaderValue::from_static("v"))];
    let asked = request(&mine, &headers, b"body".to_vec());
    let chosen = carriers.choose(&asked).expect("it has a share");
    let mut heard = Heard::up_to(3);
    let handing = carriers.hand_on(&chosen, &asked, LEFT, &mut heard);
    let answering = async {
        let (number, order, body) = order(&mut link).await;
        let Order::Make(parcel) = order else { panic!("{order:?}") };
        assert_eq!((parcel.url.as_str(), parcel.account, &body[..]), (mine.url().as_str(), 7, &b"body"[..]));
        assert_eq!(parcel.headers, [("x-own".to_owned(), "v".to_owned())]);
        assert!((9_000..10_000).contains(&parcel.limit_ms) && !format!("{parcel:?}").contains("example.com"));
        say(&mut link, number, came(Some(Outcome::Status(503)), true)).await;
    };
    let (handed, ()) = tokio::join!(handing, answering);
    assert_eq!(handed, Handed::Came(Outcome::Status(503)));
    assert_eq!((heard.status, heard.body, heard.retry_after.as_deref()), (Some(503), b"hea".to_vec(), Some("3")));
    assert_eq!((heard.phases.tls_us, carriers.carried().nodes), (Some(5), vec![("other".to_owned(), 1)]));
    assert_eq!(heard.by.as_deref(), Some("other"));
}

#[actix_rt::test]
async fn what_was_not_made_is_told_from_what_nobody_knows() {
    let carriers = Rc::new(Carriers::default());
    let mut link = come(&carriers, "other").await;
    let mine = one_for(&carriers);
    let asked = request(&mine, &[], Vec::new());
    let cases =
        [(came(Some(Outcome::Connect("no".into())), false), Handed::NotReached), (came(None, false), Handed::NotMade)];
    for (word, wanted) in cases {
        let (chosen, mut heard) = (carriers.choose(&asked).expect("it has a share"), Heard::default());
        let handing = carriers.hand_on(&chosen, &asked, LEFT, &mut heard);
        let answering = async {
            let (number, ..) = order(&mut link).await;
            say(&mut link, number, word).await;
        };
        assert_eq!(tokio::join!(handing, answering).0, wanted);
        assert_eq!(heard, Heard::default());
    }
    // Who leaves gets nothing more, and answers what it has.
    let (chosen, mut heard) = (carriers.choose(&asked).expect("it has a share"), Heard::default());
    let handing = carriers.hand_on(&chosen, &asked, LEFT, &mut heard);
    let answering = async {
        let (number, ..) = order(&mut link).await;
        say(&mut link, 0, Word::Leaving).await;
        while !carriers.carried().nodes.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(carriers.choose(&asked).is_none());
        say(&mut link, number, came(Some(Outcome::Status(200)), true)).await;
        assert!(next(&mut link).await.is_none(), "then it is over");
    };
    assert_eq!(tokio::join!(handing, answering).0, Handed::Came(Outcome::Status(200)));
    // And who goes without a word.
    let mut link = come(&carriers, "other").await;
    let chosen = carriers.choose(&asked).expect("it has a share");
    let handing = carriers.hand_on(&chosen, &asked, LEFT, &mut heard);
    let going = async {
        order(&mut link).await;
        drop(link);
    };
    assert_eq!(tokio::join!(handing, going).0, Handed::Lost);
    assert!(carriers.carried().nodes.is_empty());
}

#[actix_rt::test]
async fn who_does_not_wait_any_more_says_so() {
    let carriers = Rc::new(Carriers::default());
    let mut link = come(&carriers, "other").await;
    let mine = one_for(&carriers);
    let asked = request(&mine, &[], Vec::new());
    let (chosen, mut heard) = (carriers.choose(&asked).expect("it has a share"), Heard::default());
    let mut handing = Box::pin(carriers.hand_on(&chosen, &asked, LEFT, &mut heard));
    assert!((&mut handing).now_or_never().is_none());
    let (number, ..) = order(&mut link).await;
    drop(handing);
    let (of, order, _) = order(&mut link).await;
    assert_eq!((of, order), (number, Order::LetGo));
    assert_eq!(chosen.desk.out.load(Ordering::Relaxed), 0);
}

#[actix_rt::test]
async fn who_may_not_send_any_more_hands_nothing_on() {
    let carriers = Rc::new(Carriers::default());
    let (near, far) = duplex(64 * 1024);
    let serving = carriers.clone();
    actix_rt::spawn(async move { serving.serve(near, || false).await });
    let mut link = carried::link(far);
    say(&mut link, 0, Word::Here { node: "other".into() }).await;
    while carriers.carried().nodes.is_empty() {
        tokio::task::yield_now().await;
    }
    let mine = one_for(&carriers);
    let asked = request(&mine, &[], Vec::new());
    let (chosen, mut heard) = (carriers.choose(&asked).expect("it has a share"), Heard::default());
    assert_eq!(carriers.hand_on(&chosen, &asked, LEFT, &mut heard).await, Handed::Lost);
    assert!(next(&mut link).await.is_none(), "nothing was said");
}

#[actix_rt::test]
async fn whoever_says_nothing_that_is_understood_is_no_node() {
    let carriers = Rc::new(Carriers::default());
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 2, 1, 1], &[0; 64]] {
        let (near, mut far) = duplex(1024);
        tokio::io::AsyncWriteExt::write_all(&mut far, first).await.expect("it takes that");
        drop(far);
        carriers.serve(near, || true).await;
        assert!(carriers.carried().nodes.is_empty());
    }
}
