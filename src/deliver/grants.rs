//! Requests that show an access token: it is fetched past the same guard and over the same connections as deliveries, and once
//! more where the endpoint does not take it. What stays true: what a token endpoint does is never said of the endpoint, and
//! nothing goes to an endpoint for which there is no token.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::timeout;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};

use super::carriers::{Carriers, Handed};
use super::clients::{Client, Profile};
use super::failure::{Ours, outcome_of};
use super::headers::hop;
use super::http::{Destination, Heard, Http, Request};
use super::tokens::{Fetch, Grantee, Next, Refused, SPARED_MS, SPARED_MS_MAX, Token, Tokens};
use super::verdict::asked_until;
use crate::clock::{Clock, Stopwatch};
use crate::domain::delivery::{Outcome, RESPONSE_BODY_BYTES_MAX};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::oauth2::OAuth2;
use crate::domain::probe::Method;
use crate::domain::time::UnixMs;

/// What tells our requests for tokens.
const OUR_AGENT: &str = concat!("Hookwheel/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded";
const UNAUTHORIZED: u16 = 401;

/// How tokens for one webhook are granted, made ready once.
pub struct Grant {
    whom: Grantee,
    to: Result<Destination, String>,
}

impl Grant {
    /// For requests of this webhook, whose connections are made by `profile`.
    pub fn new(webhook: WebhookNumber, of: &OAuth2, account: AccountNumber, profile: Option<Profile>) -> Self {
        let to = Destination::of(of.token_url.as_str(), account, profile);
        Self { whom: Grantee { webhook, account, grant: Arc::new(of.clone()) }, to }
    }
}

/// How long a request may take in all, and since when it does.
#[derive(Debug, Clone, Copy)]
pub struct Allotted {
    /// Since when.
    pub watch: Stopwatch,
    /// All of it.
    pub limit: Duration,
}

impl Allotted {
    /// What a token may take: half of what is left, so that the endpoint is never blamed for it.
    fn for_token(self) -> Duration {
        self.limit.saturating_sub(self.watch.elapsed()) / 2
    }

    /// Whether somebody who had no more time than `left` cannot be blamed for not answering in it: it is less than half of what
    /// who gives tokens has at the start.
    fn is_short(self, left: Duration) -> bool {
        left < self.limit / 4
    }
}

/// Why there is no token for a request.
enum Without {
    /// In words; of who gives tokens.
    Because(String),
    /// There was too little time left to ask, and nothing is known.
    TooLate,
}

/// What a request is made by.
pub struct Asking<'a> {
    /// How a token for it is granted, if it is to show one.
    pub grant: Option<&'a Grant>,
    /// How connections are made, to the token endpoint too.
    pub client: &'a Client,
    /// How long all of it may take.
    pub allotted: Allotted,
    /// Which answers are a success: then also a 401 is one.
    pub is_fine: &'a dyn Fn(&Outcome) -> bool,
    /// Whether another node may make it.
    pub may_be_handed_on: bool,
}

/// What came of showing a token, filled in as it goes on.
#[derive(Debug, Default)]
pub struct Shown {
    /// A request with one went out.
    pub any: bool,
    /// How long fetching took, where one was fetched for this request.
    pub fetched_us: Option<u32>,
    /// The request was made once more, with one that was fetched anew.
    pub again: bool,
    /// Until when the token endpoint asked to be left alone.
    pub asked_until: Option<UnixMs>,
}

/// Makes requests on one arbiter.
pub struct Grants {
    http: Http,
    tokens: Arc<Tokens>,
    carriers: Arc<Carriers>,
    clock: Clock,
}

impl Grants {
    /// Over the connections of `http`, with the tokens of all senders, and those of other nodes.
    pub(super) fn new(http: Http, (tokens, carriers): (Arc<Tokens>, Arc<Carriers>), clock: Clock) -> Self {
        Self { http, tokens, carriers, clock }
    }

    /// Sends a request and reads the start of the answer; with a token where there is a grant, and once more with another one if
    /// it is answered 401. What is allotted bounds fetching and waiting for tokens; whoever asks bounds the rest.
    pub(super) async fn post(
        &self,
        asking: &Asking<'_>,
        request: &Request<'_>,
        heard: &mut Heard,
        shown: &mut Shown,
    ) -> Result<Outcome, Ours> {
        match asking.grant {
            None => self.send_or_hand_on(asking, request, heard).await,
            // Boxed: it holds several requests one after the other, for which all others would need room as well.
            Some(grant) => Box::pin(self.post_granted(grant, asking, request, heard, shown)).await,
        }
    }

    async fn post_granted(
        &self,
        grant: &Grant,
        asking: &Asking<'_>,
        request: &Request<'_>,
        heard: &mut Heard,
        shown: &mut Shown,
    ) -> Result<Outcome, Ours> {
        let to_use = self.tokens.next(&grant.whom, self.clock.now());
        let token = match self.token(to_use, grant, asking, shown).await? {
            Ok(token) => token,
            Err(Without::Because(why)) => return Ok(Outcome::Auth(why)),
            Err(Without::TooLate) => return Ok(Outcome::Auth(said(&Outcome::TimedOut))),
        };
        shown.any = true;
        let outcome = self.post_with(&token, asking, request, heard).await?;
        if outcome != Outcome::Status(UNAUTHORIZED) || (asking.is_fine)(&outcome) {
            return Ok(outcome);
        }
        let other = self.tokens.next_after(&grant.whom, &token, self.clock.now());
        let Some(to_use) = other else { return Ok(outcome) };
        match self.token(to_use, grant, asking, shown).await? {
            Ok(token) => {
                shown.again = true;
                *heard = heard.anew();
                self.post_with(&token, asking, request, heard).await
            }
            // The endpoint has said what it thinks, late.
            Err(Without::TooLate) => Ok(outcome),
            Err(Without::Because(why)) => {
                Ok(Outcome::Auth(format!("the endpoint does not take the one that there is, and {why}")))
            }
        }
    }

    async fn post_with(
        &self,
        token: &Token,
        asking: &Asking<'_>,
        request: &Request<'_>,
        heard: &mut Heard,
    ) -> Result<Outcome, Ours> {
        let mut headers = request.headers.to_vec();
        headers.push((AUTHORIZATION, token.value().clone()));
        let request = Request { headers: &headers, body: request.body.clone(), ..*request };
        self.send_or_hand_on(asking, &request, heard).await
    }

    /// Sends it, if no other node does.
    async fn send_or_hand_on(
        &self,
        asking: &Asking<'_>,
        request: &Request<'_>,
        heard: &mut Heard,
    ) -> Result<Outcome, Ours> {
        let chosen = asking.may_be_handed_on.then(|| self.carriers.choose(request)).flatten();
        let Some(chosen) = chosen else { return self.send(asking.client, request, heard).await };
        let left = asking.allotted.limit.saturating_sub(asking.allotted.watch.elapsed());
        // Boxed: what is made here need not have room for it.
        let handed = Box::pin(self.carriers.hand_on(&chosen, request, left, heard)).await;
        match handed {
            Handed::Came(outcome) => Ok(outcome),
            Handed::Lost => Err(Ours::CarrierGone),
            Handed::NotMade => self.send(asking.client, request, heard).await,
            Handed::NotReached => {
                let outcome = self.send(asking.client, request, heard).await;
                if outcome.as_ref().is_ok_and(|outcome| outcome.status().is_some()) {
                    self.carriers.avoid(&chosen);
                }
                outcome
            }
        }
    }

    async fn send(&self, client: &Client, request: &Request<'_>, heard: &mut Heard) -> Result<Outcome, Ours> {
        self.http.send(client, request, heard).await.map_or_else(outcome_of, |status| Ok(Outcome::Status(status)))
    }

    /// A token, waited for or fetched; or why there is none.
    async fn token(
        &self,
        mut next: Next,
        grant: &Grant,
        asking: &Asking<'_>,
        shown: &mut Shown,
    ) -> Result<Result<Token, Without>, Ours> {
        let (watch, limit) = (Stopwatch::start(), asking.allotted.for_token());
        loop {
            match next {
                Next::Use(token) => return Ok(Ok(token)),
                Next::None(refused) => {
                    shown.asked_until = refused.asked_until;
                    return Ok(Err(Without::Because(refused.why)));
                }
                Next::Wait(mut told) => {
                    // It ends as whoever fetches ends, well or not.
                    if timeout(limit.saturating_sub(watch.elapsed()), told.changed()).await.is_err() {
                        return Ok(Err(match asking.allotted.is_short(limit) {
                            true => Without::TooLate,
                            false => Without::Because(said(&Outcome::TimedOut)),
                        }));
                    }
                    next = self.tokens.next(&grant.whom, self.clock.now());
                }
                Next::Fetch(fetch) => {
                    let left = limit.saturating_sub(watch.elapsed());
                    let came = self.fetch(fetch, grant, asking, left).await?;
                    // What was waited for before is in it: one after the other, that is how long it took.
                    shown.fetched_us = Some(shown.fetched_us.unwrap_or(0).saturating_add(watch.micros()));
                    let Some(came) = came else { return Ok(Err(Without::TooLate)) };
                    return Ok(came.map_err(|refused| {
                        shown.asked_until = refused.asked_until;
                        Without::Because(refused.why)
                    }));
                }
            }
        }
    }

    /// Fetches a token, for all who wait. Where it is this server that lacks something, or it has not come within a time that is
    /// too short to say anything (`None`), somebody else may try.
    async fn fetch(
        &self,
        fetch: Fetch,
        grant: &Grant,
        asking: &Asking<'_>,
        limit: Duration,
    ) -> Result<Option<Result<Token, Refused>>, Ours> {
        let (of, mut heard) = (&*grant.whom.grant, Heard::default());
        let answered = match &grant.to {
            Ok(to) => {
                let (headers, body) = (headers(of), of.form().into());
                let request = Request { method: Method::Post, to, headers: &headers, upper_case: false, body };
                match timeout(limit, self.send(asking.client, &request, &mut heard)).await {
                    Ok(answered) => answered?,
                    Err(_) if asking.allotted.is_short(limit) => return Ok(None),
                    Err(_) => Outcome::TimedOut,
                }
            }
            Err(why) => Outcome::Unsendable(why.clone()),
        };
        let now = self.clock.now();
        match read(of, &answered, &heard.body) {
            Ok((token, used_ms)) => {
                fetch.end(Ok(token.clone()), now.saturating_add(used_ms));
                Ok(Some(Ok(token)))
            }
            Err(why) => {
                let asked = heard.retry_after.as_deref().filter(|_| matches!(answered, Outcome::Status(429 | 503)));
                let asked_until = asked.and_then(|text| asked_until(text, now, self.clock.wall()));
                let spared = asked_until.map_or(0, |until| until.min(now + SPARED_MS_MAX)).max(now + SPARED_MS);
                let refused = Refused { why, asked_until };
                fetch.end(Err(refused.clone()), spared);
                Ok(Some(Err(refused)))
            }
        }
    }
}

fn headers(of: &OAuth2) -> Vec<(HeaderName, HeaderValue)> {
    let fixed = |text| HeaderValue::from_static(text);
    let shows = of.authorization().and_then(|text| HeaderValue::try_from(text).ok());
    let ours =
        [(CONTENT_TYPE, fixed(FORM)), (ACCEPT, fixed("application/json")), (USER_AGENT, fixed(OUR_AGENT)), hop()];
    ours.into_iter().chain(shows.map(|value| (AUTHORIZATION, value))).collect()
}

/// The token of an answer, and for how long it is used.
fn read(of: &OAuth2, answered: &Outcome, body: &[u8]) -> Result<(Token, u64), String> {
    let Outcome::Status(status) = answered else { return Err(said(answered)) };
    if body.len() == RESPONSE_BODY_BYTES_MAX {
        return Err(format!("the token endpoint answered {status} with {RESPONSE_BODY_BYTES_MAX} bytes or more"));
    }
    let granted = of.read(*status, body)?;
    let value = HeaderValue::try_from(format!("Bearer {}", granted.token.reveal()));
    let value = value.expect("it was read as visible ASCII");
    Ok((Token::new(value), granted.used_ms()))
}

/// What came in the place of an answer of the token endpoint.
fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::TimedOut => "the token endpoint did not answer in time".into(),
        Outcome::Dns(why) => format!("the name of the token endpoint could not be resolved: {why}"),
        Outcome::Refused(why) => format!("the address of the token endpoint may not be dialled: {why}"),
        Outcome::Connect(why) => format!("no connection to the token endpoint: {why}"),
        Outcome::Tls(why) => format!("no TLS session with the token endpoint: {why}"),
        Outcome::Broken(why) => format!("the connection to the token endpoint broke: {why}"),
        other => format!("the token endpoint could not be asked: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::deliver::descriptors::Descriptors;
    use crate::deliver::dial::{Dial, Ways};
    use crate::deliver::egress::Egress;
    use crate::deliver::resolve::Resolver;
    use crate::deliver::tls::Trust;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::guard::Guard;
    use crate::domain::oauth2::ClientAuth;
    use crate::domain::secret::Secret;

    #[actix_rt::test]
    async fn who_did_not_answer_in_hardly_any_time_is_asked_by_the_next() {
        let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}/token", silent.local_addr().expect("an address"));
        let of = OAuth2 {
            token_url: EndpointUrl::parse(&url, true).expect("a URL"),
            client_id: "c".into(),
            client_secret: Secret::new("hush"),
            client_auth: ClientAuth::Basic,
            scope: None,
            audience: None,
            extra: Vec::new(),
        };
        let (descriptors, second) = (Descriptors::new(8), Duration::from_secs(1));
        let guard = Guard::new(vec!["127.0.0.0/8".parse().expect("a network")], Vec::new(), Vec::new());
        let ways = Ways { guard: Arc::new(guard), egress: Egress::default(), proxy: None, proxy_resolves: false };
        let resolver = Resolver::new(&["127.0.0.1:53".parse().expect("an address")], second);
        let dial = Dial::new(resolver, ways, Vec::new(), descriptors.clone());
        let client = Client { dial, tls: Trust::webpki().for_all().into() };
        let tokens = Arc::new(Tokens::default());
        let grants =
            Grants::new(Http::new(descriptors, second, 1), (tokens.clone(), Arc::default()), Clock::standing_at(1));
        let grant = Grant::new(7, &of, 1, None);
        let allotted = Allotted { watch: Stopwatch::start(), limit: Duration::from_millis(1) };
        while allotted.watch.elapsed() < allotted.limit {}
        let is_fine = &|_: &Outcome| false;
        let asking = Asking { grant: Some(&grant), client: &client, allotted, is_fine, may_be_handed_on: false };
        let next = tokens.next(&grant.whom, 1);
        let came = grants.token(next, &grant, &asking, &mut Shown::default()).await;
        assert!(matches!(came, Ok(Err(Without::TooLate))));
        assert!(matches!(tokens.next(&grant.whom, 1), Next::Fetch(_)), "nothing is held against it");
    }

    #[test]
    fn who_had_hardly_any_time_is_not_blamed() {
        let allotted = Allotted { watch: Stopwatch::start(), limit: Duration::from_secs(10) };
        assert!(!allotted.is_short(allotted.for_token()), "at the start");
        assert_eq!(
            [50, 2_499, 2_500, 5_000].map(|ms| allotted.is_short(Duration::from_millis(ms))),
            [true, true, false, false]
        );
    }

    #[test]
    fn what_a_token_endpoint_does_is_said_of_it_and_not_of_the_endpoint() {
        let why = || "why".to_string();
        let outcomes = [
            Outcome::TimedOut,
            Outcome::Dns(why()),
            Outcome::Refused(why()),
            Outcome::Connect(why()),
            Outcome::Tls(why()),
            Outcome::Broken(why()),
            Outcome::Unsendable(why()),
        ];
        for outcome in outcomes {
            assert!(said(&outcome).contains("the token endpoint"), "{outcome:?}");
        }
    }
}
