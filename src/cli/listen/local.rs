//! The local URL. What stays true: it gets what an endpoint would have got, and whatever it does is an answer.

use std::time::Duration;

use url::Url;

use super::taken::Taken;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Characters of an answer that are said to the server: what a reason may be, less the words around.
const SAID_CHARS_MAX: usize = 300;

/// Where deliveries go on this machine.
pub struct Local {
    url: Url,
    http: awc::Client,
}

/// What became of a delivery here.
#[derive(Debug)]
pub struct Answer {
    /// The status, and the first of the body; or why there was none.
    pub said: String,
    /// Whether it counts as delivered.
    pub is_success: bool,
}

impl Local {
    /// One that has so long for an answer.
    pub fn new(url: Url, timeout: Duration) -> Self {
        let http = awc::Client::builder().disable_redirects().no_default_headers().timeout(timeout);
        Self { url, http: http.finish() }
    }

    /// Posts a delivery there.
    pub async fn post(&self, taken: &Taken) -> Answer {
        let mut request = self.http.post(self.url.as_str()).no_decompress();
        for (name, value) in &taken.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        let mut response = match request.send_body(taken.body.clone()).await {
            Ok(response) => response,
            Err(error) => return Answer { said: format!("no answer: {error}"), is_success: false },
        };
        let status = response.status();
        let body = response.body().limit(ANSWER_BYTES_MAX).await.unwrap_or_default();
        let first: String = String::from_utf8_lossy(&body).chars().take(SAID_CHARS_MAX).collect();
        let said = if first.trim().is_empty() {
            status.as_u16().to_string()
        } else {
            format!("{} {}", status.as_u16(), first.trim())
        };
        Answer { said, is_success: status.is_success() }
    }
}
