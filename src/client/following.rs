//! The live stream: server-sent events as they come. What stays true: a connection's messages come in order, each whole,
//! and whoever comes back with the last id misses nothing that the server still knows.

use std::pin::Pin;

use actix_rt::time::timeout;
use awc::error::PayloadError;
use awc::http::Method;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::asked::{Asked, Call};
use super::calling::{Client, SILENCE_MAX, read};
use super::error::Error;
use super::verbs::Query;

const PATH: &str = "/api/v1/stream";
/// A message longer than this is none of Hookwheel's.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A message of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it stands: to be said as the last that was seen.
    pub id: Option<String>,
    /// Which kind it is: `event`, `attempt`, `dead` or `gap`.
    pub kind: String,
    /// What it says: JSON.
    pub data: String,
}

/// The messages of one connection.
pub struct Messages {
    url: String,
    bytes: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>,
    read: Vec<u8>,
}

impl Client {
    /// Follows what happens from now on, or from after the message with `last_id`.
    ///
    /// # Errors
    /// No answer, or one that it cannot be done.
    pub async fn follow(&self, query: Query<'_>, last_id: Option<&str>) -> Result<Messages, Error> {
        let asked = Asked::new(Method::GET, PATH, &[]).with_query(query);
        let plain = asked.call();
        let headers = last_id.map(|id| ("Last-Event-ID", id.to_owned())).into_iter().collect();
        let call = Call { headers, ..plain };
        let url = self.address(&call);
        let response = self
            .request(&call)
            .await
            .map_err(|error| Error::Unreachable { url: url.clone(), why: error.to_string() })?;
        if !response.status().is_success() {
            let status = response.status();
            return match read(&url, response).await {
                Err(error) => Err(error),
                Ok(_) => Err(Error::Strange { url, status, why: "no stream".into() }),
            };
        }
        Ok(Messages { url, bytes: Box::pin(response), read: Vec::new() })
    }
}

impl Messages {
    /// The next message; `None` once the server has ended the stream.
    ///
    /// # Errors
    /// The connection broke, or what came is no stream of Hookwheel's.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            while let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                if let Some(message) = message(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(message));
                }
            }
            let broken = |why: String| Error::Unreachable { url: self.url.clone(), why };
            if self.read.len() > MESSAGE_BYTES_MAX {
                return Err(broken(format!("a message is longer than {MESSAGE_BYTES_MAX} bytes")));
            }
            let Ok(next) = timeout(SILENCE_MAX, self.bytes.next()).await else {
                return Err(broken("it says nothing any more".into()));
            };
            match next {
                Some(Ok(bytes)) => self.read.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(broken(error.to_string())),
                None => return Ok(None),
            }
        }
    }
}

/// What a block of lines says; `None` where it is only a sign of life.
fn message(block: &str) -> Option<Message> {
    let (mut id, mut kind, mut data) = (None, String::from("message"), Vec::new());
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => id = Some(value.to_owned()),
            "event" => value.clone_into(&mut kind),
            "data" => data.push(value),
            _ => (),
        }
    }
    (!data.is_empty()).then(|| Message { id, kind, data: data.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn a_server_that_says_nothing_any_more_is_gone() {
        tokio::time::pause();
        let bytes = Box::pin(futures_util::stream::pending());
        let mut messages = Messages { url: "http://h".into(), bytes, read: Vec::new() };
        let error = messages.next().await.expect_err("nothing comes").to_string();
        assert!(error.contains("says nothing any more"), "{error}");
    }

    #[test]
    fn a_block_is_a_message_if_it_has_data() {
        let said = message("id: 7\nevent: dead\ndata: {\"a\":1}\n\n");
        assert_eq!(said, Some(Message { id: Some("7".into()), kind: "dead".into(), data: "{\"a\":1}".into() }));
        assert_eq!((message("retry: 3000\n\n"), message(": here\n\n")), (None, None));
    }
}
