//! What neighbours do. What stays true: an act first makes its webhooks, then does its worst until it is dropped, and what
//! it made can be taken away again; it keeps no count of what comes of it.

use std::future::pending;
use std::time::Duration;

use actix_rt::time::{interval, sleep};
use awc::http::Method;
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::raw;
use crate::cli::bench::webhooks::{self, CALLS_MAX, Manner};
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::client::{Call, Client};

/// What the neighbours' webhooks want.
const EVENT_TYPE: &str = "neighbour.event";
/// Deliveries that one post makes at most, where it is not what a post makes that matters.
const DELIVERIES_MAX: u32 = 1000;
/// Accounts that post at once.
const POSTING_MAX: usize = 8;
/// Compares one half of an event with the other, again and again, and then holds for none.
const COSTLY: &str = "@.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && \
    @.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && !@.type";
/// The numbers in each half of an event whose body has nearly the 10 MiB that it may have.
const NUMBERS: usize = 2_500_000;
/// A post that is refused is followed by the next after this.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// What neighbours do.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// They are not there.
    Nothing,
    /// Their endpoints hang or are slow.
    Sick(Sick),
    /// They ask for a check of endpoints that hang, each again and again.
    Checks { webhooks: u32 },
    /// They post the largest events to webhooks with the costliest filters.
    CostlyFilters { webhooks: u32, publishers: u32 },
    /// They have a webhook for each tenant, and post as fast as they can.
    Tenants { webhooks: u32, publishers: u32 },
    /// They post batches that each of their webhooks wants.
    Batches { webhooks: u32, events: u32 },
    /// They send the largest bodies, and never the end.
    UnfinishedBodies { connections: u32 },
    /// They send the largest bodies with a key that is none.
    WrongKeys { connections: u32 },
}

/// Endpoints that hang or are slow.
#[derive(Debug, Clone, Copy)]
pub struct Sick {
    /// How many.
    pub webhooks: u32,
    /// What they do.
    pub manner: Manner,
    /// Deliveries of each under way, if not the usual number.
    pub max_in_flight: Option<u32>,
    /// Their time-out, in seconds.
    pub timeout: u32,
    /// What they get.
    pub posts: Posts,
}

/// Events that each webhook gets.
#[derive(Debug, Clone, Copy)]
pub enum Posts {
    /// So many, as fast as they are accepted.
    Before(u32),
    /// So many a second.
    EachSecond(u32),
}

/// Where an act is played.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server, with an admin key.
    pub server: ServerArgs,
    /// Where the neighbours' endpoints are.
    pub port: u16,
    /// Whose the neighbours are.
    pub accounts: Vec<String>,
    /// Between two posts of the largest events or batches.
    pub pause: Duration,
}

/// A webhook of a neighbour.
#[derive(Debug, Clone)]
pub struct Made {
    /// Whose it is.
    pub account: String,
    /// Its id.
    pub id: String,
}

impl Act {
    /// Makes the webhooks that it takes.
    pub async fn prepare(&self, place: &Place) -> Result<Vec<Made>, CliError> {
        let webhook = |number: u32| match self {
            Self::Nothing | Self::UnfinishedBodies { .. } | Self::WrongKeys { .. } => Value::Null,
            Self::Sick(sick) => sick.webhook(place.port, number),
            Self::Checks { .. } => wanting(Manner::Hangs, place.port, number),
            Self::CostlyFilters { .. } => with_filter(place.port, number, COSTLY.into()),
            Self::Tenants { .. } => with_filter(place.port, number, format!("@.data.tenant == \"t{number}\"")),
            Self::Batches { .. } => wanting(Manner::Well, place.port, number),
        };
        let api = place.server.client()?;
        let made = (0..self.webhooks()).map(|number| {
            let account = &place.accounts[number as usize % place.accounts.len()];
            let (api, body) = (api.acting_for(account), webhook(number));
            async move { Ok(Made { account: account.clone(), id: webhooks::create(&api, body).await? }) }
        });
        stream::iter(made).buffered(CALLS_MAX).try_collect().await
    }

    /// Does its worst until it is dropped.
    pub async fn go_on(&self, place: &Place, made: &[Made]) -> Result<(), CliError> {
        let api = place.server.client()?;
        let first = api.acting_for(&place.accounts[0]);
        match *self {
            Self::Nothing => {}
            Self::Sick(sick) => sick.post(&api, &place.accounts).await,
            Self::Checks { .. } => {
                join_all(made.iter().map(|webhook| check_on_and_on(api.acting_for(&webhook.account), &webhook.id)))
                    .await;
            }
            Self::CostlyFilters { publishers, .. } => {
                let half = format!("[{}1]", "1,".repeat(NUMBERS));
                let event = Bytes::from(event(&format!("{{\"a\":{half},\"b\":{half}}}")));
                join_all((0..publishers).map(|_| post_on_and_on(&first, |_| event.clone(), place.pause))).await;
            }
            Self::Tenants { webhooks, publishers } => {
                let event = |n: u64| event(&format!("{{\"tenant\":\"t{}\"}}", n * 7919 % u64::from(webhooks))).into();
                join_all((0..publishers).map(|_| post_on_and_on(&first, event, Duration::ZERO))).await;
            }
            Self::Batches { events, .. } => {
                let batch = batch(events);
                post_on_and_on(&first, |_| batch.clone(), place.pause).await;
            }
            Self::UnfinishedBodies { connections } => {
                raw::unfinished_bodies(&place.server, &place.accounts[0], connections).await?;
            }
            Self::WrongKeys { connections } => raw::wrong_keys(&place.server, connections).await?,
        }
        pending().await
    }

    fn webhooks(&self) -> u32 {
        match *self {
            Self::Nothing | Self::UnfinishedBodies { .. } | Self::WrongKeys { .. } => 0,
            Self::Sick(Sick { webhooks, .. })
            | Self::Checks { webhooks }
            | Self::CostlyFilters { webhooks, .. }
            | Self::Tenants { webhooks, .. }
            | Self::Batches { webhooks, .. } => webhooks,
        }
    }
}

/// Takes all webhooks of the neighbours away again.
pub async fn take_away(place: &Place) -> Result<(), CliError> {
    let api = place.server.client()?;
    for account in &place.accounts {
        let api = api.acting_for(account);
        loop {
            let path = "/api/v1/webhooks?limit=250";
            let page = api.call(&Call { method: Method::GET, path, headers: Vec::new(), body: None }).await?;
            let page = page["data"].as_array().cloned().unwrap_or_default();
            let ids: Vec<String> = page.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect();
            if ids.is_empty() {
                break;
            }
            webhooks::delete(&api, &ids).await?;
        }
    }
    Ok(())
}

impl Sick {
    fn webhook(&self, port: u16, number: u32) -> Value {
        let mut webhook = wanting(self.manner, port, number);
        webhook["timeout"] = json!(self.timeout);
        if let Some(max) = self.max_in_flight {
            webhook["max_in_flight"] = json!(max);
        }
        webhook
    }

    async fn post(&self, api: &Client, accounts: &[String]) {
        match self.posts {
            Posts::Before(events) => {
                let at_once = (DELIVERIES_MAX * accounts.len() as u32 / self.webhooks).clamp(1, events);
                let batch = batch(at_once);
                let posting = accounts.iter().map(|account| {
                    let (api, batch) = (api.acting_for(account), batch.clone());
                    async move {
                        let mut posted = 0;
                        while posted < events {
                            posted += if publish(&api, batch.clone()).await { at_once } else { 0 };
                        }
                    }
                });
                stream::iter(posting).buffer_unordered(POSTING_MAX).collect::<()>().await;
            }
            Posts::EachSecond(rate) => {
                let mut turns = interval(Duration::from_secs(1) / rate);
                let (apis, batch): (Vec<_>, _) =
                    (accounts.iter().map(|account| api.acting_for(account)).collect(), batch(1));
                loop {
                    turns.tick().await;
                    join_all(apis.iter().map(|api| publish(api, batch.clone()))).await;
                }
            }
        }
    }
}

/// A webhook that wants every event of the neighbours.
fn wanting(manner: Manner, port: u16, number: u32) -> Value {
    json!({"url": manner.url(port, number), "events": [EVENT_TYPE]})
}

fn with_filter(port: u16, number: u32, filter: String) -> Value {
    let mut webhook = wanting(Manner::Well, port, number);
    webhook["filter"] = json!(filter);
    webhook
}

fn event(data: &str) -> String {
    format!("{{\"type\":\"{EVENT_TYPE}\",\"data\":{data}}}")
}

fn batch(events: u32) -> Bytes {
    format!("[{}]", vec![event("{}"); events as usize].join(",")).into()
}

async fn post_on_and_on(api: &Client, body: impl Fn(u64) -> Bytes, pause: Duration) {
    for number in 0.. {
        publish(api, body(number)).await;
        sleep(pause).await;
    }
}

/// Posts, and says whether it was accepted.
async fn publish(api: &Client, body: Bytes) -> bool {
    let body = Some(("application/json", body));
    let accepted =
        api.call(&Call { method: Method::POST, path: "/api/v1/events", headers: Vec::new(), body }).await.is_ok();
    if !accepted {
        sleep(REFUSED_PAUSE).await;
    }
    accepted
}

async fn check_on_and_on(api: Client, id: &str) {
    loop {
        if check(&api, id).await.is_err() {
            sleep(REFUSED_PAUSE).await;
        }
    }
}

/// Has the server call a webhook's endpoint now.
pub async fn check(api: &Client, id: &str) -> Result<(), CliError> {
    let path = format!("/api/v1/webhooks/{id}/check");
    api.call(&Call { method: Method::POST, path: &path, headers: Vec::new(), body: None }).await?;
    Ok(())
}

/// Makes accounts of these names.
pub async fn accounts(api: &Client, names: &[String]) -> Result<(), CliError> {
    let made = names.iter().map(|name| async move {
        let body = Some(("application/json", json!({"id": name, "name": name}).to_string().into()));
        let call = Call { method: Method::POST, path: "/api/v1/accounts", headers: Vec::new(), body };
        api.call(&call).await.map(drop)
    });
    Ok(stream::iter(made).buffer_unordered(CALLS_MAX).try_collect().await?)
}

/// Open deliveries of each of these webhooks.
pub async fn open(api: &Client, made: &[Made]) -> Result<Vec<u64>, CliError> {
    let open = made.iter().map(|webhook| {
        let api = api.acting_for(&webhook.account);
        async move {
            let path = format!("/api/v1/webhooks/{}", webhook.id);
            let call = Call { method: Method::GET, path: &path, headers: Vec::new(), body: None };
            Ok::<_, CliError>(api.call(&call).await?["data"]["open"].as_u64().unwrap_or(0))
        }
    });
    try_join_all(open).await
}
