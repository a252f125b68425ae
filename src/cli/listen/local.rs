//! The local URL. What stays true: it gets what an endpoint would have got, and whatever it does is an answer.

use std::time::Duration;

use actix_rt::time::timeout;
use url::Url;

use super::taken::Taken;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Characters of an answer, or of why there is none, that are said to the server.
const SAID_CHARS_MAX: usize = 300;

/// Where deliveries go on this machine.
pub struct Local {
    url: Url,
    http: awc::Client,
    timeout: Duration,
}

/// What became of a delivery here.
#[derive(Debug)]
pub struct Answer {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// The first of the body; or why there was no answer.
    pub text: String,
    /// Whether it counts as delivered.
    pub is_success: bool,
}

impl Local {
    /// One that has so long for an answer.
    pub fn new(url: Url, timeout: Duration) -> Self {
        let http = awc::Client::builder().disable_redirects().no_default_headers().timeout(timeout);
        Self { url, http: http.finish(), timeout }
    }

    /// Posts a delivery there.
    pub async fn post(&self, taken: &Taken) -> Answer {
        let mut request = self.http.post(self.url.as_str()).no_decompress();
        for (name, value) in &taken.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        let mut response = match request.send_body(taken.body.clone()).await {
            Ok(response) => response,
            Err(error) => {
                let text = format!("no answer: {error}").chars().take(SAID_CHARS_MAX).collect();
                return Answer { status: None, text, is_success: false };
            }
        };
        let status = response.status();
        // Whatever the body does, the status is there.
        let body = timeout(self.timeout, response.body().limit(ANSWER_BYTES_MAX)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let first: String = String::from_utf8_lossy(&body).chars().take(SAID_CHARS_MAX).collect();
        Answer { status: Some(status.as_u16()), text: first.trim().to_owned(), is_success: status.is_success() }
    }
}

impl Answer {
    /// In one line.
    pub fn line(&self) -> String {
        let status = self.status.map(|status| status.to_string());
        let first = self.text.lines().next().filter(|line| !line.is_empty()).map(str::to_owned);
        status.into_iter().chain(first).collect::<Vec<_>>().join(" ")
    }
}
