//! Another webhook server's API, read. What stays true: it is only ever asked, never changed; its token goes to its own address and
//! is printed nowhere; it is asked again when it says "not now", and for no longer than some minutes; and a list is read to its end, or
//! it is said that it was not.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use awc::error::PayloadError;
use awc::http::{StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::cli::error::CliError;
use crate::cli::terminal::note;
use crate::clock::{Clock, Stopwatch};
use crate::domain::time;

/// A longer answer is none.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The deadline of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a call is made again.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// The wait before a call is made again grows from this …
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// … to this, unless the server names one.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Of what it says of a mistake.
const REASON_CHARS_MAX: usize = 200;
/// A list of more pages has no end.
const PAGES_MAX: usize = 100_000;

/// A text of a row; empty, where there is none.
pub fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row[name].as_str().unwrap_or_default()
}

/// Another server.
pub struct Theirs {
    /// What it is called.
    pub name: &'static str,
    http: awc::Client,
    base: Url,
    clock: Clock,
    /// Whether it has ever answered.
    is_heard: Cell<bool>,
}

impl Theirs {
    /// The one at `url`, which takes this token.
    pub fn new(name: &'static str, url: &str, token: &str) -> Result<Self, CliError> {
        let wrong = || CliError::Usage(format!("--from-url: {url:?} is no http:// or https:// address"));
        let mut base = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong());
        }
        let path = base.path().trim_end_matches('/').to_owned();
        // Both say in their documents that their API is at /api, and at /api/v1.
        base.set_path(path.trim_end_matches("/v1").trim_end_matches("/api"));
        base.set_query(None);
        let http = awc::Client::builder().disable_redirects().timeout(CALL_TIMEOUT).bearer_auth(token).finish();
        Ok(Self { name, http, base, clock: Clock::real(), is_heard: Cell::new(false) })
    }

    /// The rows of a list.
    pub fn list<'a>(&'a self, paging: &'static Paging, path: &[&'a str], query: &[(&'a str, &'a str)]) -> Pages<'a> {
        let query = [paging.query, query].concat();
        Pages { theirs: self, paging, path: path.to_vec(), query, turn: Turn::default() }
    }

    /// What is at a path of segments below `/api/v1`; `None`, where there is nothing.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Option<Value>, CliError> {
        let url = self.address(path, query);
        let (watch, mut pause) = (Stopwatch::start(), PAUSE_MIN);
        loop {
            let wait = match self.once(&url).await? {
                Answer::Is(value) => return Ok(Some(value)),
                Answer::Nothing => return Ok(None),
                Answer::Later(wait, why) => {
                    // Who says "at once" again and again is not asked without a pause.
                    let wait = wait.unwrap_or_default().max(pause);
                    if watch.elapsed().saturating_add(wait) > PATIENCE {
                        let (name, minutes) = (self.name, PATIENCE.as_secs() / 60);
                        let why = format!(
                            "{name}: {why}; it is not asked for longer than {minutes} minutes: import again later"
                        );
                        return Err(CliError::Failed(why));
                    }
                    note(format_args!("hookwheel: {}: {why}; asking again in {:.1} s", self.name, wait.as_secs_f64()));
                    wait
                }
            };
            actix_rt::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The same where there must be something.
    pub async fn must(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, CliError> {
        let found = self.get(path, query).await?;
        found
            .ok_or_else(|| CliError::Failed(format!("{} has nothing at {}", self.name, self.address(path, &[]).path())))
    }

    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn once(&self, url: &Url) -> Result<Answer, CliError> {
        let mut response = match self.http.get(url.as_str()).send().await {
            Ok(response) => response,
            // An address that is wrong does not get right by asking again.
            Err(error) if !self.is_heard.get() => {
                let (name, url) = (self.name, self.base.origin().ascii_serialization());
                return Err(CliError::Failed(format!(
                    "{name} cannot be reached at {url}: {error}; is --from-url right?"
                )));
            }
            Err(error) => return Ok(Answer::Later(None, format!("{} cannot be reached: {error}", url.path()))),
        };
        self.is_heard.set(true);
        let status = response.status();
        let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|after| wait(after, self.clock.wall()));
        let body = match response.body().limit(ANSWER_BYTES_MAX).await {
            Ok(body) => body,
            // The next answer would be as long.
            Err(PayloadError::Overflow) => {
                let why = format!("{}: {} answered more than {ANSWER_BYTES_MAX} bytes", self.name, url.path());
                return Err(CliError::Failed(why));
            }
            Err(error) => return Ok(Answer::Later(None, format!("{} was broken off: {error}", url.path()))),
        };
        let is_later = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        match status {
            StatusCode::NOT_FOUND => Ok(Answer::Nothing),
            status if status.is_success() => {
                let read = serde_json::from_slice(&body);
                let why = |error| CliError::Failed(format!("{}: {} answered no JSON: {error}", self.name, url.path()));
                Ok(Answer::Is(read.map_err(why)?))
            }
            _ if is_later => Ok(Answer::Later(after, said(url, status, &body))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = said(url, status, &body);
                Err(CliError::Failed(format!(
                    "{}: {why}; is the token in --from-token-file one of that server?",
                    self.name
                )))
            }
            _ => Err(CliError::Failed(format!("{}: {}", self.name, said(url, status, &body)))),
        }
    }
}

enum Answer {
    Is(Value),
    Nothing,
    /// Not now, for so long, and why.
    Later(Option<Duration>, String),
}

/// How long a `Retry-After` says to wait.
fn wait(retry_after: &str, now: time::UnixMs) -> Option<Duration> {
    Some(Duration::from_millis(time::retry_after(retry_after, now)?.saturating_sub(now)))
}

/// How a server hands out a list page by page. Places are JSON pointers into a page.
#[derive(Debug)]
pub struct Paging {
    /// What is asked of each page.
    pub query: &'static [(&'static str, &'static str)],
    /// What says where a page begins.
    pub cursor: &'static str,
    /// Where its rows are.
    pub rows: &'static str,
    /// Where the cursor of the next one is.
    pub next: &'static str,
    /// Where it says whether there is a next one, and the word for that.
    pub goes_on: (&'static str, bool),
}

/// A list, row by row.
pub struct Pages<'a> {
    theirs: &'a Theirs,
    paging: &'static Paging,
    path: Vec<&'a str>,
    query: Vec<(&'a str, &'a str)>,
    turn: Turn,
}

impl Pages<'_> {
    /// The next row; none at the end.
    pub async fn next(&mut self) -> Result<Option<Value>, CliError> {
        while self.turn.rows.is_empty() && !self.turn.is_last {
            let mut query = self.query.clone();
            query.extend(self.turn.cursor.as_deref().map(|cursor| (self.paging.cursor, cursor)));
            let page = self.theirs.must(&self.path, &query).await?;
            self.turn.over(self.paging, page).map_err(|why| {
                let (name, address) = (self.theirs.name, self.theirs.address(&self.path, &[]));
                CliError::Failed(format!("{name}: {} {why}", address.path()))
            })?;
        }
        Ok(self.turn.rows.pop_front())
    }
}

/// Where the reading of a list stands.
#[derive(Debug, Default)]
struct Turn {
    rows: VecDeque<Value>,
    cursor: Option<String>,
    seen: BTreeSet<String>,
    is_last: bool,
}

impl Turn {
    /// Takes a page; why it cannot be one, in words. What would end a list too early, or never, is no end of it.
    fn over(&mut self, paging: &Paging, mut page: Value) -> Result<(), String> {
        let (place, word) = paging.goes_on;
        self.is_last = page.pointer(place).and_then(Value::as_bool) != Some(word);
        if !self.is_last {
            let next = page.pointer(paging.next).and_then(Value::as_str).filter(|next| !next.is_empty());
            let next = next.ok_or("says that there is more, and not where")?.to_owned();
            if self.seen.len() == PAGES_MAX {
                return Err(format!("has more than {PAGES_MAX} pages"));
            }
            if !self.seen.insert(next.clone()) {
                return Err("leads round to a page that was read: what is behind it is not known".to_owned());
            }
            self.cursor = Some(next);
        }
        match page.pointer_mut(paging.rows).map(Value::take) {
            Some(Value::Array(rows)) => self.rows = rows.into(),
            // What has no rows says so in Go.
            Some(Value::Null) => {}
            _ => return Err("answered no list; is --from-url the address of its API?".to_owned()),
        }
        Ok(())
    }
}

/// What it says of a mistake; Svix says `detail`, Convoy `message`.
fn said(url: &Url, status: StatusCode, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let reason = ["detail", "message"].into_iter().find_map(|name| body[name].as_str()).unwrap_or_default();
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    format!("{} answered {}{}{reason}", url.path(), status.as_u16(), if reason.is_empty() { "" } else { ": " })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_say_where_the_api_is_or_not() {
        for url in ["http://a.example", "http://a.example/", "http://a.example/api", "http://a.example/api/v1/?x=1"] {
            let theirs = Theirs::new("Svix", url, "t").expect("an address");
            let address = theirs.address(&["app", "a/b"], &[("limit", "1")]);
            assert_eq!(address.as_str(), "http://a.example/api/v1/app/a%2Fb?limit=1", "{url}");
        }
        let below = Theirs::new("Svix", "https://a.example/svix/api", "t").expect("an address");
        assert_eq!(below.address(&["app"], &[]).as_str(), "https://a.example/svix/api/v1/app");
        for url in ["a.example", "file:///etc", "ftp://a.example"] {
            assert!(Theirs::new("Svix", url, "t").is_err(), "{url}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_however_far_away() {
        assert_eq!(wait("7", 1000), Some(Duration::from_secs(7)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:09 GMT", 1000), Some(Duration::from_secs(8)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:00 GMT", 1000), Some(Duration::ZERO));
        assert_eq!(wait("soon", 1000), None);
        let longest = wait("18446744073709551615", 1000).expect("a wait");
        assert!(Duration::from_secs(1).saturating_add(longest) > PATIENCE);
    }

    const PAGING: Paging =
        Paging { query: &[], cursor: "after", rows: "/data", next: "/next", goes_on: ("/more", true) };

    fn page(rows: Value, next: &str, more: bool) -> Value {
        serde_json::json!({"data": rows, "next": next, "more": more})
    }

    #[test]
    fn a_list_ends_where_it_says_so_and_nowhere_else() {
        let mut turn = Turn::default();
        turn.over(&PAGING, page(serde_json::json!([1, 2]), "a", true)).expect("a page");
        assert_eq!((turn.rows.len(), turn.cursor.as_deref(), turn.is_last), (2, Some("a"), false));
        turn.over(&PAGING, page(Value::Null, "b", true)).expect("an empty page in the midst");
        assert!(!turn.is_last);
        turn.over(&PAGING, page(serde_json::json!([3]), "b", false)).expect("the last page");
        assert!(turn.is_last);
    }

    #[test]
    fn a_list_that_leads_nowhere_or_round_is_no_list() {
        let over = |pages: &[Value]| {
            let mut turn = Turn::default();
            pages.iter().try_for_each(|page| turn.over(&PAGING, page.clone()))
        };
        let more = |next: &str| page(serde_json::json!([1]), next, true);
        for pages in [vec![more("a"), more("a")], vec![more("a"), more("b"), more("a")]] {
            assert!(over(&pages).is_err_and(|why| why.contains("leads round")), "{pages:?}");
        }
        assert!(over(&[more("")]).is_err_and(|why| why.contains("and not where")));
        assert!(over(&[serde_json::json!({"hello": 1})]).is_err_and(|why| why.contains("--from-url")));
    }
}
