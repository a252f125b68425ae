//! The nodes that make requests for this one: they stand by, and have come to offer it (`carrying`). What stays true: which of them makes
//! a request follows from whom it goes to, so connections are used again; what a node that is gone, or silent, was to do is nobody's
//! failed attempt; and only what costs more to make than to hand on is handed on.
//!
//! A handshake of TLS and what is encrypted by it cost several times what handing on does. The first attempt of a delivery over TLS is
//! handed on, every further one is made here: whatever is wrong with a node's way out costs an endpoint one attempt at most.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_rt::time::timeout;
use actix_web::http::header::{HeaderName, HeaderValue};
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};

use super::carried::{self, BODY_BYTES_MAX, Came, Link, Order, Parcel, Word};
use super::http::{Heard, Peer, Request};
use crate::clock::Stopwatch;
use crate::domain::delivery::Outcome;
use crate::domain::workload::Carried;

/// Requests that one link has at once.
pub const OUT_MAX: usize = 256;
/// How long a node may take to say who it is.
const GREETING: Duration = Duration::from_secs(3);
/// Both ends of a link say something as often.
pub const TICK: Duration = Duration::from_millis(500);
/// Who is silent for so many is gone.
pub const SILENT_TICKS: u32 = 4;
/// What is left of a request's time for the way back: what was heard until then comes too.
const BACK: Duration = Duration::from_millis(30);
/// Whoever was reached from here and not from there is asked from here for so long.
const AVOIDED: Duration = Duration::from_secs(600);
/// Of so many it is kept in mind.
const AVOIDED_MAX: usize = 4096;
/// What is told of a node's name.
const NAME_BYTES_MAX: usize = 256;

/// The nodes that make requests for this one.
#[derive(Default)]
pub struct Carriers {
    /// By name.
    nodes: ArcSwap<Vec<Carrier>>,
    /// One change at a time.
    changing: Mutex<()>,
    avoided: Mutex<HashMap<u64, Stopwatch>>,
    hasher: RandomState,
    is_over: watch::Sender<bool>,
    /// Requests that others made.
    carried: AtomicU64,
}

/// A node, and the links to it, of which there are few.
#[derive(Clone)]
struct Carrier {
    node: Arc<str>,
    links: Vec<Arc<Desk>>,
    /// Requests that it made since it came.
    carried: Arc<AtomicU64>,
}

/// Where a link takes requests.
struct Desk {
    to: mpsc::UnboundedSender<Errand>,
    out: AtomicUsize,
    next: AtomicU64,
}

enum Errand {
    Make(u64, Bytes, oneshot::Sender<(Came, Bytes)>),
    LetGo(u64),
}

/// A node that is to make a request.
pub struct Chosen {
    node: Arc<str>,
    desk: Arc<Desk>,
    carried: Arc<AtomicU64>,
    whom: u64,
}

/// What became of a request that was handed on.
#[derive(Debug, PartialEq, Eq)]
pub enum Handed {
    /// This came of it.
    Came(Outcome),
    /// Nobody has tried: it is still to be made.
    NotMade,
    /// The node got no connection: it is still to be made.
    NotReached,
    /// The node is gone: nobody knows.
    Lost,
}

impl fmt::Debug for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes.load().iter().map(|carrier| &carrier.node)).finish()
    }
}

impl Carriers {
    /// Who is to make this request, if it is not to be made here.
    pub(super) fn choose(&self, request: &Request<'_>) -> Option<Chosen> {
        let (nodes, peer) = (self.nodes.load(), &*request.to.peer);
        if nodes.is_empty() || !peer.tls || peer.profile.is_some() || request.body.len() > BODY_BYTES_MAX {
            return None;
        }
        let whom = self.whom(peer);
        let carrier = &nodes[share_of(whom, nodes.iter().map(|carrier| &*carrier.node))?];
        let desk = &carrier.links[(whom % carrier.links.len() as u64) as usize];
        let is_free = desk.out.load(Ordering::Relaxed) < OUT_MAX && !self.is_avoided(whom);
        is_free.then(|| {
            let (node, desk, carried) = (carrier.node.clone(), desk.clone(), carrier.carried.clone());
            Chosen { node, desk, carried, whom }
        })
    }

    /// Whoever was chosen could not reach whom this one has reached.
    pub(super) fn avoid(&self, chosen: &Chosen) {
        let mut avoided = self.avoided.lock().expect("no holder of the lock panics");
        if avoided.len() >= AVOIDED_MAX {
            avoided.retain(|_, since| since.elapsed() < AVOIDED);
        }
        if avoided.len() < AVOIDED_MAX {
            avoided.insert(chosen.whom, Stopwatch::start());
        }
    }

    fn is_avoided(&self, whom: u64) -> bool {
        let mut avoided = self.avoided.lock().expect("no holder of the lock panics");
        match avoided.get(&whom) {
            None => false,
            Some(since) if since.elapsed() < AVOIDED => true,
            Some(_) => {
                avoided.remove(&whom);
                false
            }
        }
    }

    fn whom(&self, peer: &Peer) -> u64 {
        self.hasher.hash_one(peer)
    }

    /// Has it make the request, which may take so long, and fills in what is heard.
    pub(super) async fn hand_on(
        &self,
        chosen: &Chosen,
        request: &Request<'_>,
        left: Duration,
        heard: &mut Heard,
    ) -> Handed {
        let Some(parcel) = parcel(request, left, heard) else { return Handed::NotMade };
        let number = chosen.desk.next.fetch_add(1, Ordering::Relaxed);
        let Some(frame) = carried::frame(number, &Order::Make(parcel), &request.body) else { return Handed::NotMade };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting::of(&chosen.desk, number);
        // An error means that the link has ended just now.
        if chosen.desk.to.send(Errand::Make(number, frame, answer)).is_err() {
            return Handed::NotMade;
        }
        let Ok((came, body)) = answered.await else { return Handed::Lost };
        waiting.end();
        let (outcome, reached) = (came.outcome.clone(), came.reached);
        match outcome {
            Some(outcome) if reached => {
                self.carried.fetch_add(1, Ordering::Relaxed);
                chosen.carried.fetch_add(1, Ordering::Relaxed);
                *heard = came.heard(&body, chosen.node.clone(), heard);
                Handed::Came(outcome)
            }
            Some(_) => Handed::NotReached,
            None => Handed::NotMade,
        }
    }

    /// What others have made.
    pub fn carried(&self) -> Carried {
        let told = |carrier: &Carrier| (carrier.node.to_string(), carrier.carried.load(Ordering::Relaxed));
        let nodes = self.nodes.load().iter().map(told).collect();
        Carried { attempts: self.carried.load(Ordering::Relaxed), nodes }
    }

    /// A node has come to make requests: hands on over this link until it ends. Nothing goes out any more once this node may not send.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, may_send: impl Fn() -> bool) {
        let mut link = carried::link(stream);
        let Some(node) = greeted(&mut link).await else { return };
        let (to, errands) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk { to, out: AtomicUsize::new(0), next: AtomicU64::new(1) });
        let here = Here::register(self, node, desk);
        tracing::debug!(node = &*here.node, "a node makes requests for this one");
        let (out, (to, from)) = (Out::default(), link.split());
        let mut is_over = self.is_over.subscribe();
        tokio::select! {
            // It holds the sender, so there is no error.
            _ = is_over.wait_for(|it| *it) => {}
            () = hand_on_all(to, errands, &out, may_send) => {}
            () = hear(from, &out, &here) => {}
        }
    }

    /// All of them may go, and nobody else comes.
    pub fn dismiss(&self) {
        self.is_over.send_replace(true);
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Carrier>)) {
        let _one = self.changing.lock().expect("no holder of the lock panics");
        let mut nodes = Vec::clone(&self.nodes.load());
        change(&mut nodes);
        self.nodes.store(Arc::new(nodes));
    }
}

/// A link that is used, until this is dropped.
struct Here<'a> {
    carriers: &'a Carriers,
    node: Arc<str>,
    desk: Arc<Desk>,
}

impl<'a> Here<'a> {
    fn register(carriers: &'a Carriers, node: Arc<str>, desk: Arc<Desk>) -> Self {
        carriers.change(|nodes| match nodes.iter_mut().find(|carrier| carrier.node == node) {
            Some(carrier) => carrier.links.push(desk.clone()),
            None => {
                nodes.push(Carrier { node: node.clone(), links: vec![desk.clone()], carried: Arc::default() });
                nodes.sort_by(|one, other| one.node.cmp(&other.node));
            }
        });
        Self { carriers, node, desk }
    }

    /// It gets nothing more.
    fn leave(&self) {
        self.carriers.change(|nodes| {
            nodes.iter_mut().for_each(|carrier| carrier.links.retain(|link| !Arc::ptr_eq(link, &self.desk)));
            nodes.retain(|carrier| !carrier.links.is_empty());
        });
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Somebody waits for what comes of a request; who does not any more says so.
struct Waiting<'a> {
    desk: &'a Desk,
    number: u64,
    is_over: bool,
}

impl<'a> Waiting<'a> {
    fn of(desk: &'a Desk, number: u64) -> Self {
        desk.out.fetch_add(1, Ordering::Relaxed);
        Self { desk, number, is_over: false }
    }

    fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.desk.out.fetch_sub(1, Ordering::Relaxed);
        if !self.is_over {
            // An error means that the link has ended.
            let _ = self.desk.to.send(Errand::LetGo(self.number));
        }
    }
}

/// Which of these nodes has a share in which this is; `None`: this node itself, which has all else to do, and half a share. The others' are
/// alike, and one more takes from all.
fn share_of<'n>(whom: u64, nodes: impl Iterator<Item = &'n str>) -> Option<usize> {
    let weight = |node: &str| {
        let mut hasher = DefaultHasher::new();
        (whom, node).hash(&mut hasher);
        hasher.finish()
    };
    // No other node has no name.
    let own = if whom >> 63 == 0 { weight("") } else { 0 };
    let (mut greatest, mut chosen) = (own, None);
    for (at, node) in nodes.enumerate() {
        let weight = weight(node);
        if weight > greatest {
            (greatest, chosen) = (weight, Some(at));
        }
    }
    chosen
}

/// The request as it is handed on; `None` if it cannot be.
fn parcel(request: &Request<'_>, left: Duration, heard: &Heard) -> Option<Parcel> {
    let text = |(name, value): &(HeaderName, HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_string()));
    Some(Parcel {
        account: request.to.peer.account,
        method: request.method,
        url: request.to.url(),
        headers: request.headers.iter().map(text).collect::<Option<_>>()?,
        upper_case: request.upper_case,
        answer_bytes_max: heard.body_bytes_max,
        limit_ms: u64::try_from(left.saturating_sub(BACK).as_millis()).unwrap_or(u64::MAX),
    })
}

/// Who has come, if it says so soon.
async fn greeted<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>) -> Option<Arc<str>> {
    let first = timeout(GREETING, link.next()).await.ok()??.ok()?;
    match carried::read(first.freeze())? {
        (_, Word::Here { node }, _) if !node.is_empty() && node.len() <= NAME_BYTES_MAX => Some(node.into()),
        _ => None,
    }
}

/// What is on its way to a node, and who waits for what comes of it.
type Out = RefCell<HashMap<u64, oneshot::Sender<(Came, Bytes)>>>;

/// Hands on what there is, as long as this node may send.
async fn hand_on_all(
    mut to: impl Sink<Bytes> + Unpin,
    mut errands: mpsc::UnboundedReceiver<Errand>,
    out: &Out,
    may_send: impl Fn() -> bool,
) {
    loop {
        let mut next = match timeout(TICK, errands.recv()).await {
            Ok(Some(errand)) => Some(errand),
            Ok(None) => return,
            Err(_) => {
                let alive = carried::frame(0, &Order::Alive, &[]).expect("it is short");
                if to.send(alive).await.is_err() {
                    return;
                }
                continue;
            }
        };
        while let Some(errand) = next {
            let frame = match errand {
                Errand::Make(number, frame, answer) => {
                    // Nobody has seen it, and whoever waits looks again whether it may be sent.
                    if !may_send() {
                        return;
                    }
                    out.borrow_mut().insert(number, answer);
                    Some(frame)
                }
                Errand::LetGo(number) => {
                    let is_out = out.borrow_mut().remove(&number).is_some();
                    is_out.then(|| carried::frame(number, &Order::LetGo, &[]).expect("it is short"))
                }
            };
            if let Some(frame) = frame
                && to.feed(frame).await.is_err()
            {
                return;
            }
            next = errands.try_recv().ok();
        }
        if to.flush().await.is_err() {
            return;
        }
    }
}

/// Hears what came of what is out, until the node leaves, or is silent.
async fn hear(mut from: impl Stream<Item = io::Result<BytesMut>> + Unpin, out: &Out, here: &Here<'_>) {
    let (mut leaves, mut silent) = (false, 0);
    while !(leaves && out.borrow().is_empty()) {
        let Ok(said) = timeout(TICK, from.next()).await else {
            silent += 1;
            if silent < SILENT_TICKS {
                continue;
            }
            return tracing::warn!(
                node = &*here.node,
                "a node that was making requests is silent; they are made again"
            );
        };
        silent = 0;
        let Some(Ok(frame)) = said else { return };
        match carried::read(frame.freeze()) {
            Some((number, Word::Came(came), body)) => {
                let waits = out.borrow_mut().remove(&number);
                if let Some(answer) = waits {
                    // Whoever waited may have gone just now.
                    let _ = answer.send((came, body));
                }
            }
            Some((_, Word::Leaving, _)) => {
                leaves = true;
                here.leave();
            }
            Some((_, Word::Alive | Word::Here { .. }, _)) => {}
            None => return tracing::warn!(node = &*here.node, "a node says what nobody understands"),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let share =
            |nodes: &[&str]| -> Vec<_> { (0..30_000).map(|n| share_of(whom(n), nodes.iter().copied())).collect() };
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
        let cases = [
            (came(Some(Outcome::Connect("no".into())), false), Handed::NotReached),
            (came(None, false), Handed::NotMade),
        ];
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
}
