//! What a reply says of rate limits, where the contract promises it: one about a webhook shows what is left of its
//! endpoint's limit, and the contract's own where there is no such webhook; every other what is left for the key.

use actix_web::HttpResponse;

use crate::api::http::allowance::write;
use crate::api::webhooks::reach::Reach;
use crate::domain::id::WebhookId;
use crate::domain::pace::Pace;
use crate::domain::rate_limit::Allowance;
use crate::domain::webhook::Webhook;

/// The webhook that a reply is about, where its path does not name it.
#[derive(Debug, Clone, Copy)]
pub struct About(pub WebhookId);

/// Writes what is left into a reply. `id` is the webhook that its path names.
pub fn tell(reach: &Reach<'_>, id: Option<&str>, reply: &mut HttpResponse) {
    let about = reply.extensions().get::<About>().map(|about| about.0);
    // Of another account or dialect it shows no more than of one that is not there.
    let left = match id.map_or_else(|| reach.find(about?), |id| reach.called(id)) {
        Some(webhook) => left(reach, &webhook),
        None if id.is_some() => of_none(reach),
        None => reach.api.calls.left(reach.tenant.key(), reach.api.clock.now()),
    };
    if let Some(left) = left {
        write(reply.headers_mut(), left);
    }
}

fn left(reach: &Reach<'_>, webhook: &Webhook) -> Option<Allowance> {
    let limit = webhook.pace(reach.dialect.and_then(|dialect| dialect.rate_limit))?;
    Some(reach.api.outbound.left(webhook.number(), limit))
}

/// What is left where nothing was sent.
fn of_none(reach: &Reach<'_>) -> Option<Allowance> {
    let limit = reach.dialect?.rate_limit?;
    Some(Pace::default().allowance(limit, reach.api.clock.now()))
}
