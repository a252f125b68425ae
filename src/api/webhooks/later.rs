//! Asking the endpoint of a webhook a little after the reply: an endpoint that verifies what it gets cannot pass before somebody
//! has told it the secret which the reply shows, and who makes many webhooks at once does not wait for their endpoints. What stays true: nothing of it is stored, so a restart leaves a webhook
//! that was not asked to `POST …/verify`; whatever a person does meanwhile comes first; and how many wait is bounded and shared
//! between accounts: the endpoints of further webhooks are asked before the reply.

use std::time::Duration;

use actix_web::{rt, web};

use super::reach::reach;
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::domain::byte_budget::Charge;
use crate::domain::id::{AccountNumber, WebhookId};
use crate::domain::webhook::Webhook;

/// When it is asked, in seconds after the reply, and after each time that it did not pass.
const AFTER_SECONDS: [u64; 3] = [1, 10, 60];
/// Why a webhook that waits for it gets nothing yet.
pub const NOT_YET: &str = "its endpoint is asked in a second, once it can have been told the secret";

/// The same of one that nobody asks by and by, since there is no turn for it.
pub const NO_TURN: &str = "its endpoint was not asked yet, since too many wait for that";

/// What one that waits holds in memory, about.
const TURN_BYTES: usize = 8 * 1024;

/// A webhook's turn to wait.
#[derive(Debug)]
pub struct Turn {
    _room: Charge,
}

/// A turn, if there is one for the account.
pub fn turn(api: &Api, account: AccountNumber) -> Option<Turn> {
    let mut room = api.asked_later.charge(account);
    room.grow_to(TURN_BYTES).ok().map(|()| Turn { _room: room })
}

/// Asks the endpoint of a webhook that was just made, by and by.
pub fn ask(api: web::Data<Api>, tenant: Tenant, webhook: &Webhook, turn: Turn) {
    let (id, url) = (webhook.id, webhook.url.clone());
    rt::spawn(async move {
        let _turn = turn;
        for seconds in AFTER_SECONDS {
            // Nobody tells when the secret has come to the endpoint.
            rt::time::sleep(Duration::from_secs(seconds)).await;
            // Another URL was asked when it was set.
            let Some(webhook) = still_waits(&api, &tenant, id).filter(|webhook| webhook.url == url) else { return };
            if let Err(problem) = reach(&api, &tenant).prove_ownership(webhook).await {
                tracing::warn!(webhook = %id, %problem, "an endpoint could not be asked");
            }
        }
    });
}

fn still_waits(api: &Api, tenant: &Tenant, id: WebhookId) -> Option<Webhook> {
    let webhook = reach(api, tenant).find(id)?;
    (!webhook.ownership.is_settled()).then(|| (*webhook).clone())
}
