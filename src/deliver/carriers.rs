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
mod tests;
