//! A notice as a mail: read, written, and handed to the mail server. What stays true: only notices go out so, since only webhooks
//! that hear nothing else have such a URL.

use super::schedule::Claim;
use super::smtp::{Letter, Mailed, Smtp};
use crate::domain::delivery::Outcome;
use crate::domain::event::Event;
use crate::domain::notice;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::time::UnixMs;
use crate::domain::trace::SentBody;

/// A mail that was sent, or why none was.
pub struct Posted {
    /// What came of it.
    pub outcome: Outcome,
    /// Its headers.
    pub headers: SentHeaders,
    /// Its text.
    pub body: Option<SentBody>,
    /// What the mail server said.
    pub said: Vec<u8>,
}

/// Sends the event of a claim, whose webhook's URL is `mailto:`, as a mail.
pub async fn post(smtp: Option<&Smtp>, claim: &Claim, account_id: &str, event: &Event, now: UnixMs) -> Posted {
    let Some(smtp) = smtp else {
        let why = "this server has no [smtp] host any more to hand mail to";
        let outcome = Outcome::Unsendable(why.into());
        return Posted { outcome, headers: SentHeaders::default(), body: None, said: Vec::new() };
    };
    let webhook = &claim.webhook;
    let (subject, text) = notice::letter(&event.data, account_id, &webhook.id.to_string());
    let body = SentBody::of(text.as_bytes(), now);
    let id = claim.delivery.id.to_string();
    let letter = Letter { to: webhook.url.recipients().collect(), subject, text, id };
    let Mailed { outcome, said, headers } = smtp.send(letter).await;
    Posted { outcome, headers, body: Some(body), said }
}
