//! The way to the node that owns the store, for a connection that another one has taken. What stays true: bytes are handed on as they are,
//! in both directions, behind a header that says whose they are; what the owner is at is answered before a way ends in peace; and one
//! that leads to who owns nothing any more ends at once.
//!
//! What is handed on are connections and not requests, so a node that owns nothing reads no request, knows no route and holds no
//! payload, and a client meets nothing but the owner: streams, downloads and its own TLS go through as they are.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use proxy_header::{ProxiedAddress, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::keys::{CARRIES, NodeKeys};
use crate::store::Owner;

/// How long a connection is held for an owner that is not there, or does not answer. Less than the second after which whoever looks
/// whether a server lives gives up, and longer than a node takes to go on where another one has left in peace.
const HELD: Duration = Duration::from_millis(800);
/// How long a client may say nothing, once this node stops, until it is taken at its word that it asks nothing.
const QUIET: Duration = Duration::from_millis(300);
/// Of what a client says at once.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a connection to the owner may take, to make requests for it.
const CONNECT: Duration = Duration::from_secs(3);
/// Between two tries of that.
const CARRY_AGAIN: Duration = Duration::from_secs(1);
/// And where the owner takes no such thing.
const CARRY_LATER: Duration = Duration::from_secs(60);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(20);

/// The way to the owner.
#[derive(Clone)]
pub struct Way {
    owner: watch::Receiver<Option<Arc<Owner>>>,
    keys: Arc<dyn Fn() -> Result<NodeKeys, String> + Send + Sync>,
    /// Whether this node is to serve what comes: it does not if there is none.
    serves: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Way {
    /// To whoever owns the store, by the keys of that moment.
    pub fn to(
        owner: watch::Receiver<Option<Arc<Owner>>>,
        keys: impl Fn() -> Result<NodeKeys, String> + Send + Sync + 'static,
    ) -> Self {
        Self { owner, keys: Arc::new(keys), serves: None }
    }

    /// From a node that may own the store itself, and serves what comes while it does.
    pub fn unless(self, serves: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { serves: Some(Arc::new(serves)), ..self }
    }

    /// Whether this node serves what comes now.
    pub fn is_served_here(&self) -> bool {
        self.serves.as_ref().is_some_and(|serves| serves())
    }

    /// Hands a connection on that `client` has made, and returns once it is over; gives it back if this node is to serve it, or if
    /// nobody has it within a moment.
    pub async fn hand_on(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        stops: impl Future<Output = ()>,
    ) -> Option<TcpStream> {
        let (Some((owner, link)), Ok(here)) = (self.find(client, &stream).await, stream.local_addr()) else {
            return Some(stream);
        };
        tracing::trace!(%client, %here, owner = owner.node, "a connection is handed on");
        tokio::select! {
            () = carry(stream, link, stops) => {}
            () = ends(self.owner.clone(), owner) => {}
        }
        None
    }

    /// A link to the owner, as soon as there is one, within a moment.
    async fn find(&self, client: SocketAddr, stream: &TcpStream) -> Option<(Arc<Owner>, TlsStream<TcpStream>)> {
        if self.is_served_here() {
            return None;
        }
        let (mut heard, here) = (self.owner.clone(), stream.local_addr().ok()?);
        let finding = async {
            loop {
                let owner = heard.borrow_and_update().clone();
                match owner.filter(|owner| !owner.address.is_empty()) {
                    // It says itself what it can and cannot do.
                    Some(owner) if owner.is_this && self.serves.is_some() => return None,
                    // It owned the store until a moment ago, and whoever does now is heard of soon.
                    Some(owner) if owner.is_this => {}
                    Some(owner) => match self.dial(&owner, client, here).await {
                        Ok(link) => return Some((owner, link)),
                        Err(error) => {
                            tracing::debug!(owner = owner.node, %error, "the owner of the store is not reached")
                        }
                    },
                    None => {}
                }
                // Whichever comes first: an error means that there will be no other.
                let _ = timeout(AGAIN, heard.changed()).await;
                if self.is_served_here() {
                    return None;
                }
            }
        };
        timeout(HELD, finding).await.ok().flatten()
    }

    async fn dial(&self, owner: &Owner, client: SocketAddr, here: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let mut said = Vec::new();
        let header = ProxyHeader::with_address(ProxiedAddress::stream(client, here));
        header.encode_v2(&mut said).map_err(|_| io::Error::other("there are no such addresses"))?;
        let mut link = self.connect(owner, None).await?;
        link.write_all(&said).await?;
        link.flush().await?;
        Ok(link)
    }

    /// A link to a node, to hand on a connection or to do something else over it.
    async fn connect(&self, node: &Owner, to_do: Option<&[u8]>) -> io::Result<TlsStream<TcpStream>> {
        let keys = (self.keys)().map_err(io::Error::other)?;
        let (mut config, name) = keys.client().map_err(io::Error::other)?;
        config.alpn_protocols = to_do.into_iter().map(<[u8]>::to_vec).collect();
        let stream = TcpStream::connect(node.address.as_str()).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// A link to the owner, to make requests for it, once there is another one that takes such; and what ends with its ownership.
    pub async fn to_carry(&self) -> (TlsStream<TcpStream>, impl Future<Output = ()> + use<>) {
        let mut heard = self.owner.clone();
        loop {
            let owner = heard.borrow_and_update().clone();
            let mut patience = CARRY_AGAIN;
            if let Some(owner) = owner.filter(|owner| !owner.is_this && !owner.address.is_empty()) {
                let connecting = timeout(CONNECT, self.connect(&owner, Some(CARRIES)));
                let connected = tokio::select! {
                    connected = connecting => connected,
                    () = ends(heard.clone(), owner.clone()) => continue,
                };
                match connected {
                    Ok(Ok(link)) if link.get_ref().1.alpn_protocol() == Some(CARRIES) => {
                        return (link, ends(heard, owner));
                    }
                    // It is of a version that knows nothing of it.
                    Ok(Ok(_)) => patience = CARRY_LATER,
                    Ok(Err(error)) => {
                        tracing::debug!(owner = owner.node, %error, "the owner of the store is not reached")
                    }
                    Err(_) => tracing::debug!(owner = owner.node, "the owner of the store does not answer"),
                }
            }
            // Whichever comes first: an error means that there will be no other.
            if let Ok(Err(_)) = timeout(patience, heard.changed()).await {
                sleep(patience).await;
            }
        }
    }
}

/// Returns once another node is known to be the owner.
async fn ends(mut heard: watch::Receiver<Option<Arc<Owner>>>, owner: Arc<Owner>) {
    let is_another = |now: &Option<Arc<Owner>>| now.as_deref().is_some_and(|now| *now != *owner);
    // An error means that nobody listens to the database any more.
    if heard.wait_for(is_another).await.is_err() {
        std::future::pending().await
    }
}

/// Carries bytes in both directions until the far side has said its last word. Once this node stops, and the client has said what it was at,
/// the far side hears that nothing more comes: it answers that, and ends.
async fn carry(stream: TcpStream, link: impl AsyncRead + AsyncWrite, stops: impl Future<Output = ()>) {
    // It is only about when small pieces go.
    let _ = stream.set_nodelay(true);
    let ((mut near, mut to_near), (mut far, mut to_far)) = (stream.into_split(), split(link));
    let up = async {
        // However it ends: the other side hears of it.
        let _ = carry_up(&mut near, &mut to_far, stops).await;
        let _ = to_far.shutdown().await;
        std::future::pending().await
    };
    let down = async {
        let _ = copy(&mut far, &mut to_near).await;
        let _ = to_near.shutdown().await;
    };
    tokio::select! {
        () = down => {}
        () = up => {}
    }
}

/// Carries what the client says, until it has said its last word, or says nothing for a moment once this node stops.
async fn carry_up(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    stops: impl Future<Output = ()>,
) -> io::Result<()> {
    let (mut stops, mut buffer) = (pin!(stops.fuse()), vec![0; BUFFER_BYTES]);
    let mut patience = None;
    loop {
        let reading = from.read(&mut buffer);
        let read = async {
            match patience {
                Some(patience) => timeout(patience, reading).await.unwrap_or(Ok(0)),
                None => reading.await,
            }
        };
        let count = tokio::select! {
            biased;
            read = read => read?,
            () = &mut stops => {
                patience = Some(QUIET);
                continue;
            }
        };
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
        to.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio_rustls::TlsAcceptor;
    use zeroize::Zeroizing;

    use super::*;

    fn keys() -> NodeKeys {
        NodeKeys::of(&[("a", Zeroizing::new([1; 32]))]).expect("there is one")
    }

    /// A node that says what it was told first, and each line again; and where it is.
    async fn a_node() -> (Arc<Owner>, actix_rt::task::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let answering = actix_rt::spawn(async move {
            let (stream, _) = listener.accept().await.expect("somebody comes");
            let acceptor = TlsAcceptor::from(Arc::new(keys().server().expect("TLS")));
            let mut stream = BufReader::new(acceptor.accept(stream).await.expect("a node"));
            let mut header = vec![0; 28];
            stream.read_exact(&mut header).await.expect("a header of version 2");
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).await.expect("it is there") > 0 {
                stream.write_all(&line).await.expect("it is taken");
                line.clear();
            }
            stream.write_all(b"last words").await.expect("it is taken");
            stream.shutdown().await.expect("it is there");
            header
        });
        (Arc::new(Owner { node: "other".into(), address, is_this: false }), answering)
    }

    /// A client's side and ours.
    async fn a_connection() -> (TcpStream, TcpStream, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("it listens");
        let (stream, from) = listener.accept().await.expect("it has come");
        (client, stream, from)
    }

    #[actix_web::test]
    async fn who_owned_the_store_a_moment_ago_does_not_knock_at_its_own_door() {
        let ((owner, _answering), (mut client, stream, from)) = (a_node().await, a_connection().await);
        let own_door = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = own_door.local_addr().expect("it is bound").to_string();
        let (tell, heard) = watch::channel(Some(Arc::new(Owner { node: "this".into(), address, is_this: true })));
        let way = Way::to(heard, || Ok(keys()));
        let handed = actix_rt::spawn(async move { way.hand_on(stream, from, std::future::pending()).await });
        tokio::select! {
            knocked = own_door.accept() => panic!("{knocked:?}"),
            () = sleep(AGAIN * 2) => drop(tell.send(Some(owner))),
        }
        client.write_all(b"ping\n").await.expect("it is there");
        let mut heard = [0; 5];
        client.read_exact(&mut heard).await.expect("an answer");
        assert_eq!(&heard, b"ping\n");
        drop(client);
        assert!(handed.await.expect("it does not panic").is_none());
    }

    #[actix_web::test]
    async fn what_a_client_says_reaches_the_owner_and_what_that_says_the_client() {
        let ((owner, answering), (mut client, stream, from)) = (a_node().await, a_connection().await);
        let (_tell, heard) = watch::channel(Some(owner));
        let way = Way::to(heard, || Ok(keys()));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let handed = actix_rt::spawn(async move { way.hand_on(stream, from, async { drop(stopped.await) }).await });
        client.write_all(b"ping\n").await.expect("it is there");
        let mut heard = [0; 5];
        client.read_exact(&mut heard).await.expect("an answer");
        assert_eq!(&heard, b"ping\n");
        // This node stops: what is said still goes, and the owner's last words come.
        stop.send(()).expect("it waits for that");
        client.write_all(b"pong\n").await.expect("it is there");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("an orderly end");
        assert_eq!(rest, b"pong\nlast words");
        assert!(handed.await.expect("it does not panic").is_none());
        let header = answering.await.expect("it does not panic");
        let here = client.peer_addr().expect("it was connected");
        let (said, _) = ProxyHeader::parse(&header, Default::default()).expect("a header");
        assert_eq!(said.proxied_address(), Some(&ProxiedAddress::stream(from, here)));
    }

    #[actix_web::test]
    async fn a_way_ends_once_another_node_owns_the_store() {
        let ((owner, _answering), (mut client, stream, from)) = (a_node().await, a_connection().await);
        let (tell, heard) = watch::channel(Some(owner.clone()));
        let way = Way::to(heard, || Ok(keys()));
        let handed = actix_rt::spawn(async move { way.hand_on(stream, from, std::future::pending()).await });
        client.write_all(b"ping\n").await.expect("it is there");
        client.read_exact(&mut [0; 5]).await.expect("an answer");
        tell.send_replace(Some(Arc::new(Owner { node: "third".into(), ..(*owner).clone() })));
        assert!(handed.await.expect("it does not panic").is_none());
        assert_eq!(client.read(&mut [0; 1]).await.expect("an orderly end"), 0);
    }

    #[actix_web::test]
    async fn what_nobody_has_is_given_back() {
        let nobody = Owner { node: "gone".into(), address: "127.0.0.1:1".into(), is_this: false };
        for owner in [None, Some(Arc::new(nobody))] {
            let (_client, stream, from) = a_connection().await;
            let (_tell, heard) = watch::channel(owner);
            assert!(Way::to(heard, || Ok(keys())).hand_on(stream, from, std::future::pending()).await.is_some());
        }
        // Nor is it handed on by who serves itself, or is said to be the one that does.
        let own = Arc::new(Owner { node: "own".into(), address: "127.0.0.1:1".into(), is_this: true });
        for (owner, serves) in [(None, true), (Some(own), false)] {
            let (_client, stream, from) = a_connection().await;
            let (_tell, heard) = watch::channel(owner);
            let way = Way::to(heard, || panic!("nobody is asked")).unless(move || serves);
            assert!(way.hand_on(stream, from, std::future::pending()).await.is_some());
        }
    }

    /// A node that takes some things, and who comes to it, for what, with what they say.
    async fn a_door(takes: &[&[u8]]) -> (Arc<Owner>, mpsc::UnboundedReceiver<(Option<Vec<u8>>, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let mut config = keys().server().expect("TLS");
        config.alpn_protocols = takes.iter().map(|one| one.to_vec()).collect();
        let (tell, told) = mpsc::unbounded_channel();
        actix_rt::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = acceptor.accept(stream).await.expect("a node");
                let (for_what, mut said) = (stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec), Vec::new());
                // Who has nothing to say here goes without a word.
                let _ = stream.read_to_end(&mut said).await;
                if tell.send((for_what, said)).is_err() {
                    return;
                }
            }
        });
        (Arc::new(Owner { node: "other".into(), address, is_this: false }), told)
    }

    #[actix_web::test]
    async fn who_makes_requests_comes_to_the_owner_as_such_and_goes_with_it() {
        let (owner, mut told) = a_door(&[CARRIES]).await;
        let own = Arc::new(Owner { is_this: true, ..(*owner).clone() });
        let (tell, heard) = watch::channel(Some(own));
        let way = Way::to(heard, || Ok(keys()));
        let mut coming = Box::pin(way.to_carry());
        assert!((&mut coming).now_or_never().is_none(), "this node itself needs nobody");
        tell.send_replace(Some(owner.clone()));
        let (mut link, ends) = coming.await;
        let mut ends = Box::pin(ends);
        assert!((&mut ends).now_or_never().is_none());
        tell.send_replace(None);
        assert!((&mut ends).now_or_never().is_none(), "nobody else owns the store yet");
        tell.send_replace(Some(Arc::new(Owner { node: "third".into(), ..(*owner).clone() })));
        ends.await;
        link.write_all(b"here").await.expect("it is taken");
        link.shutdown().await.expect("it is there");
        assert_eq!(told.recv().await, Some((Some(CARRIES.to_vec()), b"here".to_vec())));
    }

    #[actix_web::test]
    async fn an_owner_that_knows_nothing_of_it_is_left_alone() {
        let (owner, mut told) = a_door(&[]).await;
        let (_tell, heard) = watch::channel(Some(owner));
        let way = Way::to(heard, || Ok(keys()));
        tokio::select! {
            _ = way.to_carry() => panic!("nobody takes that"),
            came = told.recv() => assert_eq!(came, Some((None, Vec::new()))),
        }
    }
}
