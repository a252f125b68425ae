//! The one that is well: an account with one webhook that gets 20 events a second and answers at once. What stays true:
//! its producers are late only if the server is, and count a latency from when they should have posted.

use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use awc::http::Method;
use hdrhistogram::Histogram;
use serde_json::json;

use super::acts;
use crate::cli::bench::latency::latencies;
use crate::cli::bench::own::OwnServer;
use crate::cli::bench::produce::{Bounds, Load};
use crate::cli::bench::receive::Receiver;
use crate::cli::bench::webhooks::{self, Manner, Webhooks};
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::client::{Call, Client};
use crate::clock::Stopwatch;

/// Its account.
pub const ACCOUNT: &str = "healthy";
/// Its events a second.
pub const RATE: u32 = 20;
/// As many posts may wait for their answer before one is late for want of a producer.
const PRODUCERS: u32 = 8;
/// The size of a post.
const BYTES: u32 = 512;
/// Posted and delivered before anything is measured.
const WARM_UP_EVENTS: u64 = 40;
/// What has not arrived so long after the last post counts as undelivered.
const GRACE: Duration = Duration::from_secs(5);
/// Between two checks.
const CHECK_PAUSE: Duration = Duration::from_millis(200);

/// The healthy account, connected.
pub struct Healthy {
    /// Its producers.
    pub load: Load,
    /// Its endpoint.
    pub receiver: Receiver,
    /// A client of its API.
    pub api: Client,
    /// Its webhook.
    pub webhook: String,
}

impl Healthy {
    /// Makes it, and posts some events to the end.
    pub async fn start(own: &OwnServer, clock: Stopwatch) -> Result<Self, CliError> {
        let admin = own.server.client()?;
        acts::accounts(&admin, &[ACCOUNT.into()]).await?;
        let (api, receiver) = (admin.acting_for(ACCOUNT), Receiver::start(clock)?);
        let wanted = Webhooks { count: 1, hanging: 0, failing: 0, spread: false };
        let webhook = json!({"url": Manner::Well.url(receiver.port(), 0), "events": [wanted.event_type(0)]});
        let webhook = webhooks::create(&api, webhook).await?;
        let server = ServerArgs { key: Some(key(&admin).await?), ..own.server.clone() };
        let mut load = Load::new(&server, clock, wanted, PRODUCERS, BYTES)?;
        load.post(Bounds::events(WARM_UP_EVENTS), None).await?;
        receiver.wait_for(WARM_UP_EVENTS, GRACE).await;
        receiver.forget();
        Ok(Self { load, receiver, api, webhook })
    }

    /// Waits until so many deliveries have arrived, or for a while.
    pub async fn wait_for(&self, deliveries: u64) {
        // Who is late by more is undelivered.
        let _ = timeout(GRACE, self.receiver.wait_for(deliveries, GRACE)).await;
    }
}

/// Adds what checks of a webhook take, in microseconds, until this is dropped, or says why one failed.
pub async fn check_on_and_on(api: &Client, webhook: &str, into: &mut Histogram<u64>) -> CliError {
    loop {
        if let Err(error) = check(api, webhook, into).await {
            return error;
        }
        sleep(CHECK_PAUSE).await;
    }
}

/// What `count` checks of a webhook take, in microseconds.
pub async fn checks(api: &Client, webhook: &str, count: u32) -> Result<Histogram<u64>, CliError> {
    let mut took = latencies();
    for _ in 0..count {
        check(api, webhook, &mut took).await?;
    }
    Ok(took)
}

async fn check(api: &Client, webhook: &str, into: &mut Histogram<u64>) -> Result<(), CliError> {
    let _timed = Timed { begun: Stopwatch::start(), into };
    acts::check(api, webhook).await
}

/// Counts how long it was there, also if it was given up: one that hangs to the end has taken that long at least.
struct Timed<'a> {
    begun: Stopwatch,
    into: &'a mut Histogram<u64>,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.into.saturating_record(self.begun.elapsed().as_micros() as u64);
    }
}

/// A key of the account that may publish.
async fn key(admin: &Client) -> Result<String, CliError> {
    let path = format!("/api/v1/accounts/{ACCOUNT}/keys");
    let body = Some(("application/json", json!({"scopes": ["publish"]}).to_string().into()));
    let reply = admin.call(&Call { method: Method::POST, path: &path, headers: Vec::new(), body }).await?;
    let key = reply["data"]["key"].as_str().map(str::to_owned);
    key.ok_or_else(|| CliError::Failed("the server's answer names no key".into()))
}
