//! An endpoint that wants deliveries: it answers what its contract asks, as somebody does who knows the secret.

use std::sync::Arc;

use hookwheel::dialect::{Asked, Dialect, Received};
use hookwheel::domain::probe::Method;
use hookwheel::domain::secret::Secret;

use super::http::Message;
use super::receiver::{Answer, Receiver};

/// An endpoint that wants the deliveries of a dialect, and knows their secret.
#[derive(Clone)]
pub struct Endpoint {
    /// The dialect.
    pub dialect: Arc<Dialect>,
    /// The secret.
    pub secret: Secret,
}

impl Endpoint {
    /// With a secret of its own.
    pub fn of(dialect: Arc<Dialect>) -> Self {
        let secret = dialect.generate_secret(&[9; 32]).expect("it can be generated");
        Self { dialect, secret }
    }

    /// What to answer to a request: whatever a contract asks to know that deliveries are wanted, else `otherwise`.
    pub fn answer(&self, message: &Message, otherwise: Answer) -> Answer {
        let Some(answer) = self.proof(message) else { return otherwise };
        let rule = self.dialect.challenge.as_ref().expect("it was asked by it");
        let header = |name: &str| message.header(name).map(str::to_owned);
        let received = Received { header: &header, url: None, body: &message.body };
        let is_genuine = self.dialect.verify(received, std::slice::from_ref(&self.secret), 0, None).is_ok();
        match rule.forged_status.filter(|_| !is_genuine) {
            Some(status) => Answer::Status(status),
            None => {
                let head =
                    format!("HTTP/1.1 200 Told\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
                // A few bytes a test: the answers of these receivers are constants.
                Answer::Bytes((head + &answer).leak().as_bytes())
            }
        }
    }

    /// What its holder verifies by: the public key where there is one.
    pub fn known(&self) -> String {
        self.dialect.public_key(&self.secret).unwrap_or_else(|| self.secret.reveal().to_owned())
    }

    /// The answer to an ownership check, if the request is one.
    pub fn proof(&self, message: &Message) -> Option<String> {
        let key = self.dialect.signing_key(&self.secret).expect("it is of its form");
        let asked = Asked { method: Method::Post, query: &[], body: &message.body };
        self.dialect.challenge.as_ref()?.answer(asked, Some(&key))
    }

    /// The next request that is no ownership check.
    pub fn next(&self, receiver: &Receiver) -> Message {
        loop {
            let arrived = receiver.next();
            if self.proof(&arrived.message).is_none() {
                return arrived.message;
            }
        }
    }
}
