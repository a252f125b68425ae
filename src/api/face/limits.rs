//! What a reply says of rate limits, where the contract promises it: one about a webhook shows what is left of its
//! endpoint's limit, every other what is left for the key.

use actix_web::HttpResponse;

use crate::api::http::allowance::write;
use crate::api::webhooks::reach::Reach;
use crate::domain::id::WebhookId;
use crate::domain::rate_limit::Allowance;
use crate::domain::webhook::Webhook;

/// The webhook that a reply is about, where its path does not name it.
#[derive(Debug, Clone, Copy)]
pub struct About(pub WebhookId);

/// Writes what is left into a reply.
pub fn tell(reach: &Reach<'_>, id: Option<&str>, reply: &mut HttpResponse) {
    let id = id.and_then(WebhookId::parse).or(reply.extensions().get::<About>().map(|about| about.0));
    // Of another account or dialect it shows no more than of one that is not there.
    let within = id.and_then(|id| reach.find(id));
    let of_key = || reach.api.calls.left(reach.tenant.key(), reach.api.clock.now());
    if let Some(left) = within.and_then(|webhook| left(reach, &webhook)).or_else(of_key) {
        write(reply.headers_mut(), left);
    }
}

/// How long a request to the endpoint would wait for its limit; `None`: not at all.
pub fn wait_ms(reach: &Reach<'_>, webhook: &Webhook) -> Option<u64> {
    let left = left(reach, webhook)?;
    (left.remaining == 0).then(|| left.next_at.saturating_sub(reach.api.clock.now()))
}

fn left(reach: &Reach<'_>, webhook: &Webhook) -> Option<Allowance> {
    let limit = webhook.rate_limit.or(reach.dialect.and_then(|dialect| dialect.rate_limit))?;
    Some(reach.api.outbound.left(webhook.number(), limit))
}
