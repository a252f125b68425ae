//! What delivery needs to know, and how connections are made by it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::carriers::Carriers;
use super::clients::Making;
use super::descriptors::Descriptors;
use super::dial::Ways;
use super::egress::Egress;
use super::smtp::Smtp;
use super::tls::Trust;
use crate::domain::guard::Guard;
use crate::domain::proxy::Proxy;
use crate::telemetry::Telemetry;

/// What delivery needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Deliveries that may be out at once, over all webhooks; fewer if there are fewer descriptors.
    pub in_flight_max: usize,
    /// Bytes of bodies that may be out.
    pub bodies_bytes_max: usize,
    /// Threads that send.
    pub senders: usize,
    /// The deadline of connect and TLS within that of the attempt.
    pub connect: Duration,
    /// Which addresses may be dialled.
    pub guard: Arc<Guard>,
    /// The published addresses; those of this machine are where connections leave from.
    pub egress: Vec<IpNet>,
    /// Name servers that are asked; empty: the system's.
    pub name_servers: Vec<SocketAddr>,
    /// How long resolving a name may take.
    pub dns: Duration,
    /// What connections go through.
    pub proxy: Option<Proxy>,
    /// Whether the proxy resolves names.
    pub proxy_resolves: bool,
    /// Descriptors that are the listener's to use.
    pub listener_descriptors: usize,
    /// The mail server that mail is handed to.
    pub smtp: Option<Arc<Smtp>>,
    /// What is watched.
    pub telemetry: Telemetry,
    /// Other nodes that make requests for this one.
    pub carriers: Arc<Carriers>,
}

impl Settings {
    /// How connections are made by these, trusting those.
    pub(super) fn making(&self, trust: Arc<Trust>) -> Making {
        let descriptors = Descriptors::of_this_process(self.listener_descriptors);
        Making { ways: self.ways(), trust, descriptors, connect: self.connect }
    }

    /// How is dialled by these.
    pub(super) fn ways(&self) -> Ways {
        Ways {
            guard: self.guard.clone(),
            egress: Egress::of(&self.egress),
            proxy: self.proxy.clone().map(Arc::new),
            proxy_resolves: self.proxy_resolves,
        }
    }
}
