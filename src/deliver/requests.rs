//! Requests, past the guard: those that deliveries are made with, and those that are none. What stays true: whoever asks an
//! endpoint anything does it through this, so all of our requests look the same from there.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::timeout;
use bytes::Bytes;
use ipnet::IpNet;

use super::carried::{Came, Parcel};
use super::carriers::Carriers;
use super::clients::{Client, Clients, Making, Profile};
use super::failure::{Ours, outcome_of};
use super::grants::{Allotted, Asking, Grant, Grants, Shown};
use super::headers::{hop, parsed};
use super::http::{Destination, Heard, Http, Request};
use super::resolve::Resolver;
use super::settings::Settings;
use super::tokens::Tokens;
use crate::clock::{Clock, Stopwatch};
use crate::domain::Invalid;
use crate::domain::delivery::Outcome;
use crate::domain::probe::{Probe, Probed};
use crate::domain::tls::Tls;

/// So much is read of an answer for another node, whatever it asks for.
const ANSWER_BYTES_MAX: usize = 128 * 1024;

/// Makes requests on one arbiter.
pub struct Requests {
    clients: Clients,
    http: Http,
    grants: Grants,
}

impl Requests {
    /// For the current arbiter, by itself.
    pub(super) fn of(making: Making, settings: &Settings) -> Self {
        let resolver = Resolver::new(&settings.name_servers, settings.dns);
        Self::new(making, resolver, settings.senders, (Arc::default(), Arc::default()), Clock::real())
    }

    /// For the current arbiter, one of so many `senders`, which share `tokens`, and other nodes that make requests for them.
    pub(super) fn new(
        making: Making,
        resolver: Resolver,
        senders: usize,
        (tokens, carriers): (Arc<Tokens>, Arc<Carriers>),
        clock: Clock,
    ) -> Self {
        let http = Http::new(making.descriptors.clone(), making.connect, senders);
        let grants = Grants::new(http.clone(), (tokens, carriers), clock);
        Self { clients: Clients::new(making, resolver), http, grants }
    }

    /// Makes a request that another node gave, past the guard of this one.
    pub(super) async fn carried(&self, parcel: Parcel, body: Bytes) -> (Came, Bytes) {
        let Parcel { account, method, url, headers, upper_case, answer_bytes_max, limit_ms } = parcel;
        let mut heard = Heard::up_to(answer_bytes_max.min(ANSWER_BYTES_MAX));
        let (Ok(to), Ok(client)) = (Destination::of(&url, account, None), self.client(None, &[], None)) else {
            return Came::of(None, false, heard);
        };
        let headers: Vec<_> = headers.iter().filter_map(parsed).collect();
        let request = Request { method, to: &to, headers: &headers, upper_case, body };
        let sent = timeout(Duration::from_millis(limit_ms), self.http.send(&client, &request, &mut heard)).await;
        let (outcome, reached) = match sent {
            Ok(Ok(status)) => (Some(Outcome::Status(status)), true),
            Ok(Err(failure)) => {
                let reached = failure.is_of_endpoint();
                (outcome_of(failure).ok(), reached)
            }
            // Whoever gave it has no time left for it either.
            Err(_) => (Some(Outcome::TimedOut), true),
        };
        Came::of(outcome.map(Outcome::cut), reached, heard)
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
                let (grant, is_fine) = (grant.as_ref(), &|_: &Outcome| false);
                let asking = Asking { grant, client: &client, allotted, is_fine, may_be_handed_on: false };
                let mut shown = Shown::default();
                let posted = self.post(&asking, &request, &mut heard, &mut shown);
                let posted = timeout(limit, posted).await;
                posted.unwrap_or(Ok(Outcome::TimedOut)).unwrap_or_else(|ours| Outcome::Unsendable(ours.to_string()))
            }
        };
        let duration_ms = u32::try_from(watch.elapsed().as_millis()).unwrap_or(u32::MAX);
        Probed { outcome: outcome.cut(), duration_ms, answer: heard.body }
    }
}
