//! The webhooks of a run: how many, which of them are sick, which event goes to whom. What stays true: what a run waits
//! for follows from the numbers of events and webhooks alone, so nobody keeps a list.

use awc::http::Method;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::args::BenchArgs;
use crate::cli::error::CliError;
use crate::client::{Call, Client};

/// The type of the events that are posted; where they are spread, the webhook's number follows.
const EVENT_TYPE: &str = "bench.event";
/// The digits of a webhook's number in an event's type.
pub const TYPE_DIGITS: usize = 4;
/// Calls to the API at once.
pub const CALLS_MAX: usize = 16;
/// The time-out of webhooks whose endpoint hangs.
const HANGING_TIMEOUT_SECONDS: u32 = 5;

/// What an endpoint does with a request: the first word of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers 200 at once.
    Well,
    /// Reads and never answers.
    Hangs,
    /// Answers 500 at once.
    Fails,
    /// Answers 500 the first time and 200 from then on.
    FailsOnce,
    /// Answers 200 after so many milliseconds.
    Slow(u32),
}

impl Manner {
    /// Where the endpoint of the webhook of this number is, on the receiver's port.
    pub fn url(self, port: u16, webhook: u32) -> String {
        let word = match self {
            Self::Well => "well",
            Self::Hangs => "hangs",
            Self::Fails => "fails",
            Self::FailsOnce => "fails-once",
            Self::Slow(ms) => &format!("slow-{ms}"),
        };
        format!("http://127.0.0.1:{port}/{word}/{webhook}")
    }

    /// The manner that is called by this word.
    pub fn of(word: &[u8]) -> Option<Self> {
        match word {
            b"well" => Some(Self::Well),
            b"hangs" => Some(Self::Hangs),
            b"fails" => Some(Self::Fails),
            b"fails-once" => Some(Self::FailsOnce),
            _ => std::str::from_utf8(word.strip_prefix(b"slow-")?).ok()?.parse().ok().map(Self::Slow),
        }
    }
}

/// The webhooks of a run, numbered from 0.
#[derive(Debug, Clone, Copy)]
pub struct Webhooks {
    /// How many.
    pub count: u32,
    /// Of those, how many have an endpoint that hangs.
    pub hanging: u32,
    /// Of those, how many have an endpoint that answers 500.
    pub failing: u32,
    /// Whether each event goes to one webhook, by turns, instead of to all.
    pub spread: bool,
}

impl Webhooks {
    /// Those that were asked for. A share of the sick that is not nothing is one webhook at least.
    pub fn asked_for(args: &BenchArgs) -> Result<Self, CliError> {
        let count = args.webhooks.unwrap_or(1);
        let share = |percent: u32| (count * percent).div_ceil(100);
        let webhooks = Self { count, hanging: share(args.hanging), failing: share(args.failing), spread: args.spread };
        if webhooks.hanging + webhooks.failing >= count {
            return Err(CliError::Failed("no webhook is left whose endpoint is well: raise --webhooks".into()));
        }
        Ok(webhooks)
    }

    /// Those whose endpoints all answer 500.
    pub fn all_failing(count: u32) -> Self {
        Self { count, hanging: 0, failing: count, spread: false }
    }

    /// What the endpoint of this webhook does. The sick are spaced evenly.
    pub fn manner(&self, webhook: u32) -> Manner {
        let sick = self.hanging + self.failing;
        match picked(webhook, sick, self.count) {
            None => Manner::Well,
            Some(rank) if picked(rank, self.hanging, sick).is_some() => Manner::Hangs,
            Some(_) => Manner::Fails,
        }
    }

    /// The type of the event that this webhook wants.
    pub fn event_type(&self, webhook: u32) -> String {
        if self.spread { format!("{EVENT_TYPE}.{webhook:0TYPE_DIGITS$}") } else { EVENT_TYPE.into() }
    }

    /// The webhook that the event of this number goes to, where events are spread.
    pub fn turn_of(&self, event: u64) -> Option<u32> {
        self.spread.then(|| (event % u64::from(self.count)) as u32)
    }

    /// How many endpoints that are well get the event of this number.
    pub fn wanted(&self, event: u64) -> u64 {
        match self.turn_of(event) {
            Some(webhook) => u64::from(self.manner(webhook) == Manner::Well),
            None => u64::from(self.count - self.hanging - self.failing),
        }
    }

    /// Creates them, with `retry` as their schedule if it is given. Says their ids.
    pub async fn create(
        &self,
        args: &BenchArgs,
        api: &Client,
        port: u16,
        retry: Option<&Value>,
    ) -> Result<Vec<String>, CliError> {
        let bodies = (0..self.count).map(|number| {
            let manner = self.manner(number);
            let mut webhook = json!({
                "url": manner.url(port, number),
                "events": [self.event_type(number)],
                "dialect": args.dialect,
                "name": format!("bench {number}"),
            });
            if let Some(max) = args.max_in_flight {
                webhook["max_in_flight"] = json!(max);
            }
            if manner == Manner::Hangs {
                webhook["timeout"] = json!(HANGING_TIMEOUT_SECONDS);
            }
            if let Some(retry) = retry {
                webhook["retry"] = retry.clone();
            }
            webhook
        });
        stream::iter(bodies.map(|body| create(api, body))).buffered(CALLS_MAX).try_collect().await
    }
}

/// Creates one webhook and says its id.
pub async fn create(api: &Client, webhook: Value) -> Result<String, CliError> {
    let body = Some(("application/json", webhook.to_string().into()));
    let call = Call { method: Method::POST, path: "/api/v1/webhooks", headers: Vec::new(), body };
    let reply = api.call(&call).await?;
    let id = reply["data"]["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| CliError::Failed("the server's answer names no webhook id".into()))
}

/// Deletes those of these ids.
pub async fn delete(api: &Client, ids: &[String]) -> Result<(), CliError> {
    let deleted = ids.iter().map(|id| async move {
        let path = format!("/api/v1/webhooks/{id}");
        api.call(&Call { method: Method::DELETE, path: &path, headers: Vec::new(), body: None }).await.map(drop)
    });
    Ok(stream::iter(deleted).buffer_unordered(CALLS_MAX).try_collect().await?)
}

/// Deliveries of these webhooks that have not ended.
pub async fn open_deliveries(api: &Client, ids: &[String]) -> Result<u64, CliError> {
    let mut open = 0;
    for id in ids {
        let path = format!("/api/v1/webhooks/{id}");
        let reply = api.call(&Call { method: Method::GET, path: &path, headers: Vec::new(), body: None }).await?;
        open += reply["data"]["open"].as_u64().unwrap_or(0);
    }
    Ok(open)
}

/// Picks `some` of `of` numbers, evenly spaced: which of the picked `number` is, if it is one.
fn picked(number: u32, some: u32, of: u32) -> Option<u32> {
    let before = |number: u32| (u64::from(number) * u64::from(some) / u64::from(of.max(1))) as u32;
    (before(number + 1) > before(number)).then(|| before(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manner_is_read_back_from_its_url() {
        for manner in [Manner::Well, Manner::Hangs, Manner::Fails, Manner::FailsOnce, Manner::Slow(1500)] {
            let url = manner.url(1, 7);
            let word = url.split('/').nth(3).expect("a word");
            assert_eq!(Manner::of(word.as_bytes()), Some(manner), "{url}");
        }
        assert_eq!(Manner::of(b"slow-"), None);
    }

    #[test]
    fn the_sick_are_as_many_as_asked_and_spaced() {
        for (count, hanging, failing) in [(1000, 10, 10), (7, 2, 3), (5, 0, 1), (3, 0, 0), (20, 20, 0)] {
            let webhooks = Webhooks { count, hanging, failing, spread: true };
            let with = |manner| (0..count).filter(|number| webhooks.manner(*number) == manner).collect::<Vec<_>>();
            let sick = [with(Manner::Hangs), with(Manner::Fails)].map(|numbers| numbers.len());
            assert_eq!(sick, [hanging as usize, failing as usize]);
            let a_round: u64 = (0..u64::from(count)).map(|event| webhooks.wanted(event)).sum();
            assert_eq!(a_round, u64::from(count - hanging - failing));
            assert_eq!(Webhooks { spread: false, ..webhooks }.wanted(1), a_round);
        }
        let webhooks = Webhooks { count: 1000, hanging: 10, failing: 10, spread: true };
        let sick: Vec<_> = (0..1000).filter(|number| webhooks.manner(*number) != Manner::Well).collect();
        assert!(sick.windows(2).all(|pair| pair[1] - pair[0] == 50), "{sick:?}");
    }
}
