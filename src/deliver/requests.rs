//! Requests, past the guard: those that deliveries are made with, and those that are none. What stays true: whoever asks an
//! endpoint anything does it through this, so all of our requests look the same from there.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::clients::{Client, Clients, Making, Profile};
use super::failure::Ours;
use super::grants::{Allotted, Asking, Grant, Grants, Shown};
use super::headers::{hop, parsed};
use super::http::{Destination, Heard, Http, Request};
use super::resolve::Resolver;
use super::tokens::Tokens;
use crate::clock::{Clock, Stopwatch};
use crate::domain::Invalid;
use crate::domain::delivery::Outcome;
use crate::domain::probe::{Probe, Probed};
use crate::domain::tls::Tls;

/// Makes requests on one arbiter.
pub struct Requests {
    clients: Clients,
    grants: Grants,
}

impl Requests {
    /// For the current arbiter, one of so many `senders`, which share `tokens`.
    pub(super) fn new(making: Making, resolver: Resolver, senders: usize, tokens: Arc<Tokens>, clock: Clock) -> Self {
        let http = Http::new(making.descriptors.clone(), making.connect, senders);
        Self { clients: Clients::new(making, resolver), grants: Grants::new(http, tokens, clock) }
    }

    /// See [`Clients::get`].
    pub(super) fn client(
        &self,
        profile: Option<Profile>,
        opened: &[IpNet],
        tls: Option<&Tls>,
    ) -> Result<Client, Invalid> {
        self.clients.get(profile, opened, tls)
    }

    /// What resolves for all of them.
    pub(super) fn resolver(&self) -> &Resolver {
        self.clients.resolver()
    }

    /// See [`Grants::post`].
    pub(super) async fn post(
        &self,
        asking: &Asking<'_>,
        request: &Request<'_>,
        heard: &mut Heard,
        shown: &mut Shown,
    ) -> Result<Outcome, Ours> {
        self.grants.post(asking, request, heard, shown).await
    }

    /// Makes a request that is no delivery.
    pub async fn probe(&self, probe: Probe) -> Probed {
        let (watch, mut heard) = (Stopwatch::start(), Heard::up_to(probe.answer_bytes_max));
        let profile = Profile::of(&probe.allow, probe.tls.as_ref());
        let client = self.client(profile, &probe.allow, probe.tls.as_ref());
        let outcome = match (Destination::of(probe.url.as_str(), probe.account, profile), client) {
            (Err(why), _) => Outcome::Unsendable(why),
            (_, Err(unfit)) => Outcome::Unsendable(unfit.to_string()),
            (Ok(to), Ok(client)) => {
                let headers: Vec<_> = probe.headers.iter().filter_map(parsed).chain([hop()]).collect();
                let (method, upper_case) = (probe.method, probe.upper_case);
                let request = Request { method, to: &to, headers: &headers, upper_case, body: probe.body };
                let limit = Duration::from_secs(probe.timeout_seconds.into());
                let grant = probe.oauth2.map(|(webhook, of)| Grant::new(webhook, &of, probe.account, profile));
                let allotted = Allotted { watch, limit };
                let asking = Asking { grant: grant.as_ref(), client: &client, allotted, is_fine: &|_| false };
                let mut shown = Shown::default();
                let posted = self.post(&asking, &request, &mut heard, &mut shown);
                let posted = actix_rt::time::timeout(limit, posted).await;
                posted.unwrap_or(Ok(Outcome::TimedOut)).unwrap_or_else(|Ours(why)| Outcome::Unsendable(why))
            }
        };
        let duration_ms = u32::try_from(watch.elapsed().as_millis()).unwrap_or(u32::MAX);
        Probed { outcome: outcome.cut(), duration_ms, answer: heard.body }
    }
}
