//! Requests, past the guard: those that deliveries are made with, and those that are none. What stays true: whoever asks an
//! endpoint anything does it through this, so all of our requests look the same from there.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::clients::{Client, Clients, Making, Profile};
use super::failure::{Ours, outcome_of};
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
    http: Http,
    grants: Grants,
}

impl Requests {
    /// For the current arbiter, one of so many `senders`, which share `tokens`.
    pub(super) fn new(making: Making, resolver: Resolver, senders: usize, tokens: Arc<Tokens>, clock: Clock) -> Self {
        let http = Http::new(making.descriptors.clone(), making.connect, senders);
        let grants = Grants::new(http.clone(), tokens, clock);
        Self { clients: Clients::new(making, resolver), http, grants }
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

    /// What makes requests that show an access token.
    pub(super) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What resolves for all of them.
    pub(super) fn resolver(&self) -> &Resolver {
        self.clients.resolver()
    }

    /// Sends a request and reads the start of the answer, without a deadline.
    pub(super) async fn post(
        &self,
        client: &Client,
        request: &Request<'_>,
        heard: &mut Heard,
    ) -> Result<Outcome, Ours> {
        self.http.send(client, request, heard).await.map_or_else(outcome_of, |status| Ok(Outcome::Status(status)))
    }

    /// Makes a request that is no delivery.
    pub async fn probe(&self, probe: Probe) -> Probed {
        let (watch, mut heard) = (Stopwatch::start(), Heard::default());
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
                let posted = async {
                    match &grant {
                        None => self.post(&client, &request, &mut heard).await,
                        Some(grant) => {
                            let allotted = Allotted { watch, limit };
                            let asking = Asking { grant, client: &client, allotted, is_fine: &|_| false };
                            self.grants.post(&asking, &request, &mut heard, &mut Shown::default()).await
                        }
                    }
                };
                let posted = actix_rt::time::timeout(limit, posted).await;
                posted.unwrap_or(Ok(Outcome::TimedOut)).unwrap_or_else(|Ours(why)| Outcome::Unsendable(why))
            }
        };
        let duration_ms = u32::try_from(watch.elapsed().as_millis()).unwrap_or(u32::MAX);
        Probed { outcome: outcome.cut(), duration_ms, answer: heard.body }
    }
}
