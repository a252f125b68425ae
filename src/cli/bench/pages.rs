//! How long the pages of the dashboard take: a server with so many deliveries, and each kind of page that links lead to, as the
//! operator sees it. What stays true: pages are asked for one after the other on one connection, so what is measured is the server
//! and not how it shares itself; and pages that differ in ids only count as one kind.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actix_rt::time::sleep;
use awc::Client as Http;
use awc::http::{Method, header};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::args::BenchArgs;
use super::latency::{Latency, latencies};
use super::own::OwnServer;
use super::produce::{Bounds, Load};
use super::receive::Receiver;
use super::report::{self, Row};
use super::webhooks::{self, Webhooks};
use crate::cli::error::CliError;
use crate::client::Call;
use crate::clock::Stopwatch;

/// Webhooks, where nobody says.
const WEBHOOKS: u32 = 100;
/// Of those, how many per cent have an endpoint that answers 500.
const FAILING: u32 = 4;
/// Each page is asked for so often.
const ASKS: u32 = 25;
/// Kinds of pages.
const KINDS_MAX: usize = 80;
/// What is in an address is an id if it is as long.
const ID_BYTES_MIN: usize = 20;
/// Between looks whether all is recorded.
const PAUSE: Duration = Duration::from_millis(200);
/// Of the one who looks.
const PASSWORD: &str = "a bench looks at pages";

/// The figures.
#[derive(Debug, Serialize)]
pub struct PagesReport {
    /// Deliveries in the store.
    pub deliveries: u64,
    /// Webhooks.
    pub webhooks: u32,
    /// Each kind of page, the slowest first.
    pub pages: Vec<PageTime>,
}

/// One kind of page.
#[derive(Debug, Serialize)]
pub struct PageTime {
    /// Its address without ids.
    pub page: String,
    /// Bytes of its HTML.
    pub bytes: usize,
    /// From the request to the last byte.
    pub ms: Latency,
}

/// Makes so many deliveries, and measures.
pub async fn measure(
    args: &BenchArgs,
    deliveries: u64,
    own: OwnServer,
    clock: Stopwatch,
    receiver: &Receiver,
) -> Result<PagesReport, CliError> {
    let count = args.webhooks.unwrap_or(WEBHOOKS).max(2);
    let failing = (count * FAILING).div_ceil(100);
    let webhooks = Webhooks { count, hanging: 0, failing, spread: false };
    // What fails is dead at once.
    let (api, retry) = (own.server.client()?, json!({"delays": []}));
    let ids = webhooks.create(args, &api, receiver.port(), Some(&retry)).await?;
    let mut load = Load::new(&own.server, clock, webhooks, args.producers, args.bytes)?;
    let posted = load.post(Bounds::events(deliveries.div_ceil(count.into())), None).await?;
    receiver.wait_for(posted.wanted, Duration::from_secs(args.patience_seconds)).await;
    // What failed is recorded too.
    while webhooks::open_deliveries(&api, &ids).await? > 0 {
        sleep(PAUSE).await;
    }
    let looker = Looker::log_in(&own).await?;
    let mut pages = looker.walk().await?;
    pages.sort_by(|a, b| b.ms.p50.total_cmp(&a.ms.p50));
    own.stop()?;
    Ok(PagesReport { deliveries: posted.accepted * u64::from(count), webhooks: count, pages })
}

impl PagesReport {
    /// Prints the figures.
    pub fn print(&self, json: bool) -> Result<(), CliError> {
        let mut rows: Vec<Row> = vec![
            ("deliveries", format!("{} to {} webhooks", self.deliveries, self.webhooks)),
            ("pages", format!("{} kinds, each asked for {ASKS} times", self.pages.len())),
        ];
        rows.extend(self.pages.iter().map(|page| {
            let Latency { p50, p99, .. } = page.ms;
            ("", format!("p50 {p50:>6.1} ms, p99 {p99:>6.1}, {:>5.1} KB  {}", page.bytes as f64 / 1e3, page.page))
        }));
        report::print(&report::text(self, rows, json)?)
    }
}

/// Somebody of the server's own people, with a session.
struct Looker {
    http: Http,
    base: Url,
    cookie: String,
}

impl Looker {
    async fn log_in(own: &OwnServer) -> Result<Self, CliError> {
        let user = json!({"email": "bench@example.com", "role": "owner"}).to_string();
        let headers = vec![("Hookwheel-Account", "operator".to_owned())];
        let body = Some(("application/json", user.into()));
        let call = Call { method: Method::POST, path: "/api/v1/users", headers, body };
        let invited = own.server.client()?.call(&call).await?;
        let link = invited["data"]["link"]["url"].as_str().unwrap_or_default();
        let base = Url::parse(&own.server.url).map_err(|error| CliError::Failed(error.to_string()))?;
        let http = Http::builder().timeout(Duration::from_secs(60)).disable_redirects().finish();
        let sent = http.post(link).insert_header((header::ORIGIN, own.server.url.as_str()));
        let reply = sent.send_form(&[("password", PASSWORD)]).await.map_err(failed)?;
        let cookie = reply.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let cookie = cookie.ok_or_else(|| CliError::Failed(format!("no session: {} of {link}", reply.status())))?;
        Ok(Self { http, base, cookie })
    }

    /// Each kind of page, and how long it takes.
    async fn walk(&self) -> Result<Vec<PageTime>, CliError> {
        let mut known: BTreeMap<String, PageTime> = BTreeMap::new();
        let mut ways = VecDeque::from(["/dashboard/@default/".to_owned()]);
        while let Some(path) = ways.pop_front().filter(|_| known.len() < KINDS_MAX) {
            let kind = kind(&path);
            if known.contains_key(&kind) {
                continue;
            }
            let Some(html) = self.page(&path).await? else { continue };
            let mut micros: Histogram<u64> = latencies();
            for _ in 0..ASKS {
                let begun = Stopwatch::start();
                self.page(&path).await?;
                micros.saturating_record(begun.micros().into());
            }
            ways.extend(links(&html).filter(|link| is_page(link)));
            let time = PageTime { page: kind.clone(), bytes: html.len(), ms: Latency::of(&micros) };
            known.insert(kind, time);
        }
        Ok(known.into_values().collect())
    }

    /// The page; none if it is something else.
    async fn page(&self, path: &str) -> Result<Option<String>, CliError> {
        let url = self.base.join(path).map_err(|error| CliError::Failed(error.to_string()))?;
        let asked = self.http.get(url.as_str()).insert_header((header::COOKIE, self.cookie.as_str()));
        let mut reply = asked.send().await.map_err(failed)?;
        let kind = reply.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_html = kind.starts_with("text/html");
        if reply.status().is_server_error() {
            return Err(CliError::Failed(format!("{} of {path}", reply.status())));
        }
        let is_page = is_html && reply.status().is_success();
        let body = reply.body().limit(16 << 20).await.map_err(|error| CliError::Failed(error.to_string()))?;
        Ok(is_page.then(|| String::from_utf8_lossy(&body).into_owned()))
    }
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(format!("a page could not be had: {error}"))
}

/// Where a page leads, within the server.
fn links(html: &str) -> impl Iterator<Item = String> {
    html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(|link| link.replace("&amp;", "&"))
}

fn is_page(link: &str) -> bool {
    link.starts_with("/dashboard") && !["/assets/", "/stream", "/log-out"].iter().any(|part| link.contains(part))
}

/// An address without ids, and of its query only the names.
fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let part = |part: &str| if part.len() >= ID_BYTES_MIN { "…".to_owned() } else { part.to_owned() };
    let path = path.split('/').map(part).collect::<Vec<_>>().join("/");
    let mut names: Vec<&str> =
        query.split('&').filter_map(|one| one.split('=').next()).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    if names.is_empty() { path } else { format!("{path}?{}", names.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_differ_in_ids_only_are_of_one_kind() {
        let id = "019c2f6e-1111-7abc-8def-0123456789ab";
        assert_eq!(
            kind(&format!("/dashboard/@default/deliveries/{id}?b=1&a={id}")),
            "/dashboard/@default/deliveries/…?a&b"
        );
        let html = "<a href=\"/dashboard/@a/x?b=1&amp;c=2\">x</a> <link href=\"/dashboard/assets/y\"> <a href=\"https://a.example\">";
        let found: Vec<String> = links(html).filter(|link| is_page(link)).collect();
        assert_eq!(found, ["/dashboard/@a/x?b=1&c=2"]);
    }
}
