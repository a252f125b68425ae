//! Another webhook server's API, read. What stays true: it is only ever asked, never changed; its token goes to its own address and
//! is printed nowhere; it is asked again when it says "not now", and for no longer than some minutes.

use std::time::Duration;

use awc::http::{StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::cli::error::CliError;
use crate::cli::terminal::note;
use crate::clock::Stopwatch;

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
        Ok(Self { name, http, base })
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
                    let wait = wait.unwrap_or(pause);
                    if watch.elapsed() + wait > PATIENCE {
                        return Err(CliError::Failed(format!("{}: {why}", self.name)));
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
            Err(error) => return Ok(Answer::Later(None, format!("{} cannot be reached: {error}", url.path()))),
        };
        let status = response.status();
        let after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = match response.body().limit(ANSWER_BYTES_MAX).await {
            Ok(body) => body,
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
            _ if is_later => Ok(Answer::Later(after.map(Duration::from_secs), said(url, status, &body))),
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
}
