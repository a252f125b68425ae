//! A node among several that share a database: where the others find it, and what it does while another one owns the store.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::api::{self, Door, Elsewhere, Listening, Ways, Wire};
use crate::checked::Checked;
use crate::cluster::{CARRIES, NodeKeys, Way};
use crate::config::{Config, threads};
use crate::deliver::{Carriers, Carrying};
use crate::domain::guard::Guard;
use crate::pulse::Pulses;
use crate::{ServeError, settings, store};

/// This node.
pub struct Nodes {
    /// Where the others come.
    listener: TcpListener,
    member: store::Member,
    /// The store that they share.
    pub store: store::Settings,
    /// Of the threads that make requests for another.
    pub pulses: Pulses,
}

impl Nodes {
    /// Listens for the other nodes, if there is a database that they share.
    ///
    /// # Errors
    /// It cannot listen there.
    pub fn find(config: &Config) -> Result<Option<Self>, ServeError> {
        let store = settings::of_store(config);
        let Some(member) = store.database.clone() else { return Ok(None) };
        let address = config.cluster.listen;
        let listener = TcpListener::bind(address).map_err(|error| ServeError::ListenForNodes(address, error))?;
        let bound = listener.local_addr()?;
        member.is_found(whereabouts(config.cluster.advertise.as_deref(), bound));
        Ok(Some(Self { listener, member, store, pulses: Pulses::default() }))
    }

    /// How the others come in: who comes to make requests is one of the `carriers`, for as long as the store is this node's.
    ///
    /// # Errors
    /// The system gives no further descriptor.
    pub fn door(&self, carriers: Arc<Carriers>, store: store::Store) -> Result<api::Nodes, ServeError> {
        let keys = self.keys();
        let tls = move || {
            let config = keys()?.server().map_err(|error| error.to_string())?;
            Ok(TlsAcceptor::from(Arc::new(config)))
        };
        let comes = move |for_what: &[u8], stream: Box<dyn Wire>| -> LocalBoxFuture<'static, ()> {
            let (carriers, store) = (carriers.clone(), store.clone());
            match for_what == CARRIES {
                true => Box::pin(async move { carriers.serve(stream, || store.is_open()).await }),
                false => Box::pin(std::future::ready(())),
            }
        };
        Ok(api::Nodes { listener: self.listener.try_clone()?, tls: Arc::new(tls), comes: Arc::new(comes) })
    }

    /// Others are to own the store for a while, if there are any.
    pub fn rest(&self) {
        self.member.rest();
    }

    /// Waits until another node owns the store. Whoever serves it owns it as it begins.
    pub async fn taken(&self) {
        let mut owner = self.member.owner();
        let is_another = |owner: &Option<Arc<store::Owner>>| owner.as_ref().is_some_and(|owner| !owner.is_this);
        if owner.wait_for(is_another).await.is_err() {
            std::future::pending().await
        }
    }

    /// The configuration was read again: how long things are kept follows it once the store is opened.
    pub fn follow(&mut self, config: &Config) {
        let new = settings::of_store(config);
        (self.store.retention, self.store.events_per_day) = (new.retention, new.events_per_day);
    }

    /// The way to the one that owns the store.
    pub fn way(&self) -> Way {
        Way::to(self.member.owner(), self.keys())
    }

    /// Hands on what clients say here, and answers that it lives where nobody takes it; and makes requests for whoever owns the store.
    ///
    /// # Errors
    /// It cannot listen.
    pub fn stand_by(
        &self,
        config: &Config,
        checked: &Checked,
        listener: &TcpListener,
    ) -> Result<StandingBy, ServeError> {
        let guard = Arc::new(settings::guard(config, listener.local_addr()?));
        let of_carrying = guard.clone();
        let carrying = config.cluster.carries.then(|| {
            let (sending, trust, way) = (settings::of_deliver(config, of_carrying), checked.trust.clone(), self.way());
            let links = move || {
                let way = way.clone();
                async move { way.to_carry().await }
            };
            Carrying::start(&sending, trust, (self.member.name(), &self.pulses), links)
        });
        let attempts = Duration::from_secs(config.server.shutdown_attempt_seconds);
        let (listener, certificate) = (listener.try_clone()?, checked.certificate.clone());
        let ways = Ways { listener, certificate, nodes: None, elsewhere: Some(Arc::new(self.way())) };
        let (workers, patience) = (threads(config.server.workers), config.server.shutdown_seconds);
        let listening = api::stand_by(settings::of_door(config), ways, workers, patience)?;
        Ok(StandingBy { listening, carrying, guard, attempts })
    }

    /// As they are then: whoever changes them does so on one node after the other.
    fn keys(&self) -> impl Fn() -> Result<NodeKeys, String> + Clone + Send + Sync + 'static {
        let store = self.store.clone();
        move || NodeKeys::of(&store::node_seeds(&store)?).map_err(|error| error.to_string())
    }
}

/// What a node does while another one owns the store.
pub struct StandingBy {
    listening: Listening,
    carrying: Option<Carrying>,
    /// Whom it may dial.
    pub guard: Arc<Guard>,
    /// How long attempts may take that are out.
    attempts: Duration,
}

impl StandingBy {
    /// Ends all of it in order.
    pub async fn stop(self, door: Door) {
        let carried = async {
            if let Some(carrying) = self.carrying {
                carrying.stop(self.attempts).await;
            }
        };
        tokio::join!(self.listening.stop(door), carried);
    }
}

/// Where a node is found that listens there.
fn whereabouts(advertised: Option<&str>, bound: SocketAddr) -> store::Whereabouts {
    match advertised {
        Some(address) => store::Whereabouts::At(address.into()),
        None if IpAddr::is_unspecified(&bound.ip()) => store::Whereabouts::OnPort(bound.port()),
        None => store::Whereabouts::At(bound.to_string()),
    }
}

impl Elsewhere for Way {
    fn may_have(&self) -> bool {
        !self.is_served_here()
    }

    fn hand_on<'a>(
        &'a self,
        stream: TcpStream,
        client: SocketAddr,
        stops: LocalBoxFuture<'a, ()>,
    ) -> LocalBoxFuture<'a, Option<TcpStream>> {
        Box::pin(self.hand_on(stream, client, stops))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_found_where_it_says_else_where_it_listens() {
        let bound = |text: &str| text.parse().unwrap();
        let at = |text: &str| store::Whereabouts::At(text.into());
        assert_eq!(whereabouts(Some("one.example:1"), bound("0.0.0.0:7081")), at("one.example:1"));
        assert_eq!(whereabouts(None, bound("10.0.0.1:7081")), at("10.0.0.1:7081"));
        assert_eq!(whereabouts(None, bound("[::]:7081")), store::Whereabouts::OnPort(7081));
    }
}
