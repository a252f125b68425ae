//! A server for one test: the real API over a real socket, with a store in a directory of its own. What stays true:
//! nothing here sleeps; every wait is for a reply.
//!
//! With `HOOKWHEEL_THROUGH=another` whoever asks comes to a node that owns nothing, which hands on what they say.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::web;
use awc::http::{Method, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use futures_util::stream::LocalBoxStream;
use hookwheel::api::{
    self, Api, Connections, Door, Front, Limits, Listening, MailRule, Nodes, Outbound, PeopleRules, Quotas, Settings,
    Ways,
};
use hookwheel::clock::{Clock, Dice};
use hookwheel::cluster::{NodeKeys, Way};
use hookwheel::dashboard;
use hookwheel::deliver::{self, Deliver, Trust};
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Delivery, Outcome};
use hookwheel::domain::explain::Explained;
use hookwheel::domain::guard::{Guard, port_of};
use hookwheel::domain::id::WebhookNumber;
use hookwheel::domain::lane::{Standing, Why};
use hookwheel::domain::pace::Pace;
use hookwheel::domain::probe::{Probe, Probed, Tried};
use hookwheel::domain::pull::{Ask as PullAsk, LeaseId, Leased, Pulled, Word};
use hookwheel::domain::rate_limit::{Allowance, RateLimit};
use hookwheel::domain::webhook::Webhook;
use hookwheel::pulse::Stuck;
use hookwheel::store::{self, Store};
use hookwheel::telemetry::{Page, Telemetry};
use ipnet::IpNet;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;
use url::Url;
use zeroize::Zeroizing;

use crate::contract::Exchange;

/// The time at which every test starts.
pub const START_MS: u64 = 1_700_000_000_000;
/// The largest body that the server takes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The calls that a key may make in a minute; the clock stands, so a tenth of them in a test.
pub const CALLS_PER_MINUTE: u32 = 5_000;

/// What is kept for who watches.
pub const JOURNAL_MAX: usize = 400;

/// What an account may have.
pub const WEBHOOKS_MAX: usize = 40;
/// As above.
pub const KEYS_MAX: usize = 20;
/// As above.
pub const EVENT_TYPES_MAX: usize = 60;
/// As above.
pub const USERS_MAX: usize = 5;

/// Which addresses may be dialled.
fn guard() -> Guard {
    Guard::new(vec!["10.9.0.0/16".parse().unwrap()], vec!["198.18.0.0/16".parse().unwrap()], Vec::new())
}

/// A sending side without a network.
struct Nobody;

impl Outbound for Nobody {
    fn probe(&self, _: Probe) -> BoxFuture<'static, Probed> {
        let outcome = Outcome::Connect("there is no network".into());
        Box::pin(async move { Probed { outcome, duration_ms: 1, answer: Vec::new() } })
    }
    fn test(&self, webhook: Arc<Webhook>, _: Delivery) -> BoxFuture<'static, Tried> {
        let outcome = Outcome::Connect("there is no network".into());
        let summary = AttemptSummary { number: 1, started_at: START_MS + 1_000, duration_ms: 1, outcome };
        let attempt = Attempt { summary, ..Attempt::not_made(1, webhook.url.as_str(), START_MS, "") };
        Box::pin(async move { Tried { attempt, success: false } })
    }
    fn take(&self, _: WebhookNumber, _: RateLimit) -> Result<(), u64> {
        Ok(())
    }
    fn spend(&self, _: WebhookNumber, _: RateLimit) {}
    fn explain(&self, url: Url, opened: Vec<IpNet>) -> BoxFuture<'static, Option<Explained>> {
        let host = url.host_str().unwrap_or_default().to_string();
        let decision = guard().decide_url(&url, &opened);
        let port = port_of(&url);
        let found = Explained { url: url.into(), host, port, may_dial: false, addresses: Vec::new(), note: None };
        Box::pin(async move { Some(found.with_decisions(decision.into_iter())) })
    }
    fn left(&self, _: WebhookNumber, limit: RateLimit) -> Allowance {
        Pace::default().allowance(limit, START_MS)
    }
    fn pull(&self, _: PullAsk, _: Box<dyn Fn() -> bool + Send>) -> BoxFuture<'static, Vec<Pulled>> {
        Box::pin(async { Vec::new() })
    }
    fn say(&self, leases: Vec<LeaseId>, _: Word) -> BoxFuture<'static, Vec<Leased>> {
        Box::pin(async move { vec![Leased::Lost; leases.len()] })
    }
    fn standing(&self, _: WebhookNumber) -> BoxFuture<'static, Option<Standing>> {
        let wait = Some(Why::RateLimited.until(START_MS + 1_000));
        Box::pin(async move { Some(Standing { window: 4, places: 0, wanted: 0, wait }) })
    }
    fn trouble(&self) -> Option<&'static str> {
        None
    }
    fn stuck(&self) -> Option<Stuck> {
        None
    }
    fn show_metrics(&self, page: &mut Page) {
        page.gauge("extra", "What the sending side puts there.").one(1_u64);
    }
}

/// A running server.
pub struct Server {
    /// The key of an admin.
    pub admin: String,
    /// What the API works on.
    pub store: Store,
    /// The time, turned by the test.
    pub clock: Clock,
    pub url: String,
    client: awc::Client,
    /// Where clients come, and behind it where other nodes do if it is one of those.
    doors: Vec<Listening>,
    connections: Arc<Connections>,
    committer: Option<std::thread::JoinHandle<()>>,
    deliver: Option<Deliver>,
    dir: tempfile::TempDir,
}

/// A reply, read to its end.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: awc::http::header::HeaderMap,
    /// Its body; null if that is empty or no JSON.
    pub json: Value,
    /// Its body.
    pub text: String,
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Asserts the status and gives `data`.
    #[track_caller]
    pub fn data(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json["data"].clone()
    }

    /// Asserts the status and the code of an error, and gives its field.
    #[track_caller]
    pub fn error(self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.json["error"]["code"], code, "{}", self.text);
        assert!(self.json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.text);
        self.json["error"]["field"].as_str().unwrap_or_default().to_string()
    }
}

/// A request in the making.
pub struct Ask<'a> {
    server: &'a Server,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    is_strange: bool,
}

impl Ask<'_> {
    /// With this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }
    /// With this key instead of the admin's.
    pub fn key(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }
    /// With these bytes.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
    /// With this JSON.
    pub fn json(self, body: Value) -> Self {
        self.header("Content-Type", "application/json").bytes(body.to_string())
    }
    /// With more than the document speaks of, which the server may pass over.
    pub fn strange(self) -> Self {
        Self { is_strange: true, ..self }
    }
    /// Without any key.
    pub fn keyless(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        self
    }
    /// Holds it and its reply against the document.
    fn check(&self, status: StatusCode, told_type: &str, told: &[u8]) {
        let is_type = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("Content-Type");
        Exchange {
            method: self.method.as_str(),
            path: &self.path,
            content_type: self.headers.iter().find(is_type).map_or("", |(_, value)| value),
            asked: &self.body,
            status: status.as_u16(),
            told_type,
            told,
        }
        .check();
    }
    /// Sends it, and gives what the reply says as it comes.
    pub async fn open(self) -> (u16, LocalBoxStream<'static, Bytes>) {
        let url = format!("{}{}", self.server.url, self.path);
        let mut request = self.server.client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        let reply = request.send_body(self.body.clone()).await.expect("the server answers");
        (reply.status().as_u16(), reply.map(|part| part.expect("it is not broken off")).boxed_local())
    }
    /// Sends it, and asserts that it and its reply are as the document says.
    pub async fn send(self) -> Reply {
        let url = format!("{}{}", self.server.url, self.path);
        let mut request = self.server.client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        let mut reply = request.send_body(self.body.clone()).await.expect("the server answers");
        let body = reply.body().limit(64 << 20).await.expect("the reply is whole");
        let told_type = reply.headers().get("Content-Type").and_then(|value| value.to_str().ok());
        if !self.is_strange {
            self.check(reply.status(), told_type.unwrap_or_default(), &body);
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Reply { status: reply.status(), headers: reply.headers().clone(), json, text }
    }
}

impl Server {
    /// Starts one without a sending side.
    pub async fn start() -> Self {
        Self::start_with(MailRule::NoServer).await
    }

    /// Starts one where these may make webhooks that send mail.
    pub async fn start_with(mail: MailRule) -> Self {
        Self::over(tempfile::tempdir().unwrap(), None, mail, false).await
    }

    /// Starts one whose sending side is the real one.
    pub async fn start_sending() -> Self {
        Self::over(tempfile::tempdir().unwrap(), None, MailRule::NoServer, true).await
    }

    /// Stops it, and starts another over what it has kept.
    pub async fn restart(mut self) -> Self {
        self.end().await;
        Self::over(self.dir, Some(self.admin), MailRule::NoServer, false).await
    }

    async fn over(dir: tempfile::TempDir, admin: Option<String>, mail: MailRule, sends: bool) -> Self {
        let clock = Clock::standing_at(START_MS);
        let settings = store::Settings {
            cache_bytes: 8 << 20,
            queue_events_max: 1024,
            group_events_max: 256,
            group_bytes_max: 16 << 20,
            durable: false,
            journal_max: JOURNAL_MAX,
            ..store::Settings::at(dir.path().join("data"))
        };
        let (store, committer) = store::open(settings, clock.clone(), Dice::seeded(1)).unwrap();
        let committer = std::thread::spawn(move || committer.run());
        let first = api::first_admin_key(&store, &mut Dice::seeded(2), None, (None, "standard")).await.unwrap();
        let admin = admin.or(first).expect("there is a key");
        let shelf = Arc::new(Shelf::new(Dialects::shipped()));
        let settings = Settings {
            body_bytes_max: BODY_BYTES_MAX,
            bodies_bytes_max: 128 << 20,
            http_allowed: false,
            mail,
            egress: Vec::new(),
            front: hookwheel::api::Front::default(),
            guard: Arc::new(guard()),
            limits: Limits { calls_per_minute: CALLS_PER_MINUTE, ..Limits::default() },
            quotas: Quotas {
                webhooks_max: WEBHOOKS_MAX,
                keys_max: KEYS_MAX,
                max_in_flight: 64,
                timeout_seconds: 60,
                kept_bytes_max: 0,
                kept_days_max: 0,
                event_types_max: EVENT_TYPES_MAX,
                users_max: USERS_MAX,
                events_per_second: 0,
                events_per_day: 0,
            },
            people: PeopleRules::default(),
            knobs: Vec::new(),
            telemetry: Telemetry::default(),
            trace_url: None,
            documented: Vec::new(),
        };
        let dice = Dice::seeded(3);
        let start = || deliver::start(sending(), Trust::webpki(), store.clone(), shelf.clone(), clock.clone());
        let deliver = sends.then(start);
        let outbound: Box<dyn Outbound> = match &deliver {
            Some(deliver) => Box::new(deliver.handle()),
            None => Box::new(Nobody),
        };
        let api = web::Data::new(Api::new(store.clone(), shelf, clock.clone(), dice, settings, outbound));
        let connections = api.connections().clone();
        let (doors, address) = open(&api);
        let url = format!("http://{address}");
        let client = awc::Client::builder().timeout(std::time::Duration::from_secs(60)).finish();
        Self { admin, store, clock, url, client, doors, connections, committer: Some(committer), deliver, dir }
    }

    /// A request with the admin's key.
    pub fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let method = method.parse().unwrap();
        Ask { server: self, method, path: path.into(), headers: Vec::new(), body: Vec::new(), is_strange: false }
            .key(&self.admin)
    }
    /// `GET path`.
    pub fn get(&self, path: &str) -> Ask<'_> {
        self.ask("GET", path)
    }
    /// `POST path`.
    pub fn post(&self, path: &str) -> Ask<'_> {
        self.ask("POST", path)
    }

    /// Stops it and waits until everything is written.
    pub async fn stop(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        // Streams end with it.
        self.connections.drain(std::time::Duration::ZERO, std::future::pending()).await;
        for door in self.doors.drain(..) {
            door.stop(Door::Closes).await;
        }
        if let Some(deliver) = self.deliver.take() {
            deliver.stop(std::time::Duration::from_secs(60)).await;
        }
        self.store.close();
        self.committer.take().unwrap().join().unwrap();
    }
}

/// Whether whoever asks comes to a node that owns nothing.
pub fn is_through() -> bool {
    std::env::var_os("HOOKWHEEL_THROUGH").is_some()
}

/// Opens the API to clients, by its own door or by that of a node that owns nothing.
fn open(api: &web::Data<Api>) -> (Vec<Listening>, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let nodes = is_through().then(|| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let listen = |listener, nodes| {
        let ways = Ways { listener, certificate: None, nodes, elsewhere: None };
        api::listen(api.clone(), dashboard::routes, ways, 2, 0).unwrap()
    };
    let Some(nodes) = nodes else { return (vec![listen(listener, None)], address) };
    let owner = store::Owner { node: "one".into(), address: nodes.local_addr().unwrap().to_string(), is_this: false };
    let (_, owner) = tokio::sync::watch::channel(Some(Arc::new(owner)));
    let keys = || NodeKeys::of(&[("key", Zeroizing::new([7; 32]))]).map_err(|error| error.to_string());
    let tls = move || Ok(TlsAcceptor::from(Arc::new(keys()?.server().map_err(|error| error.to_string())?)));
    let own = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let comes = |_: &[u8], _| -> LocalBoxFuture<'static, ()> { Box::pin(std::future::ready(())) };
    let owning = listen(own, Some(Nodes { listener: nodes, tls: Arc::new(tls), comes: Arc::new(comes) }));
    let ways = Ways { listener, certificate: None, nodes: None, elsewhere: Some(Arc::new(Way::to(owner, keys))) };
    let limits = api.settings().limits.clone();
    let standing_by = api::stand_by((limits, Front::default()), ways, 2, 0).unwrap();
    (vec![standing_by, owning], address)
}

/// A sending side that dials nobody.
fn sending() -> deliver::Settings {
    let second = std::time::Duration::from_secs(1);
    deliver::Settings {
        in_flight_max: 16,
        bodies_bytes_max: 64 << 20,
        senders: 2,
        connect: second,
        guard: Arc::new(guard()),
        egress: Vec::new(),
        name_servers: Vec::new(),
        smtp: None,
        telemetry: Telemetry::default(),
        dns: second,
        proxy: None,
        proxy_resolves: false,
        listener_descriptors: 16,
        carriers: Arc::default(),
    }
}

/// The `id` of a reply's data.
pub fn id(data: &Value) -> String {
    data["id"].as_str().expect("there is an id").to_string()
}
