//! The body of an attempt, made once more. Bodies are not kept: what was sent follows from the event, the webhook and its
//! dialect. What stays true: whether it is the same to the byte is known by a hash of what was sent, and never guessed.

use serde::Serialize;

use crate::api::Api;
use crate::dialect::AttemptFacts;
use crate::domain::delivery::{Attempt, Delivery};
use crate::domain::notice;
use crate::domain::webhook::Webhook;
use crate::store::StoreError;

/// The body of a request, made once more.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RequestBody)]
pub struct RequestBodyView {
    /// As it was sent, if it is `exact`, or would have been, had the attempt come so far; else as it would be made now.
    #[schema(example = "{\"type\":\"task.created\",\"data\":{\"id\":1}}")]
    pub content: String,
    /// Whether it is the same to the byte. False if the webhook, its shape, a secret that signs it or the dialect was changed
    /// since, or an older version made the attempt.
    pub exact: bool,
}

/// The body of an attempt of this delivery; none if its event is not kept any more or too much for its shape, or its dialect is
/// gone.
pub fn request_body(
    api: &Api,
    webhook: &Webhook,
    delivery: &Delivery,
    attempt: &Attempt,
) -> Result<Option<RequestBodyView>, StoreError> {
    let dialect = api.dialects.now().get(&webhook.dialect).cloned();
    let account = api.store.registry().account(webhook.account).cloned();
    let Some((dialect, account)) = dialect.zip(account) else { return Ok(None) };
    let Some(event) = api.store.event(webhook.account, delivery.event)? else { return Ok(None) };
    let (summary, sent) = (&attempt.summary, attempt.trace.body);
    if webhook.url.is_mail() {
        let (_, text) = notice::letter(&event.data, &account.id, &webhook.id.to_string());
        let exact = attempt.trace.body.is_some_and(|sent| sent.is(text.as_bytes()));
        return Ok(Some(RequestBodyView { content: text, exact }));
    }
    // Those that signed then.
    let signed = webhook.secrets.iter().filter(|one| one.until.is_none_or(|until| summary.started_at < until));
    let keys: Vec<_> = signed.filter_map(|one| dialect.signing_key(&one.secret).ok()).collect();
    let now = sent.map_or_else(|| api.store.shown(summary.started_at), |sent| sent.at);
    let facts = AttemptFacts {
        event: &event,
        webhook,
        account_id: &account.id,
        delivery: delivery.id,
        attempt: summary.number,
        now,
    };
    // Of what is too much for a shape there is no body, and was none.
    let prepared = webhook.own_shape().ok().and_then(|own| dialect.prepare_for(&event, &account.id, own.as_ref()).ok());
    let Some(prepared) = prepared else { return Ok(None) };
    let body = dialect.body(&prepared, &facts, &keys);
    let exact = sent.is_some_and(|sent| sent.is(&body));
    Ok(Some(RequestBodyView { content: String::from_utf8_lossy(&body).into_owned(), exact }))
}
