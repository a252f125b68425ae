//! What ends something for good: deleting a webhook, and cancelling what is open for it. What stays true: a page says first what will
//! happen and to how much.

use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use super::ways;
use crate::api::Api;
use crate::api::access::auth::{Manage, Replays};
use crate::api::jobs::start::start;
use crate::api::webhooks::reach::reach;
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links;
use crate::dashboard::parts::amount;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::job::{Bulk, JobKind, Source};

#[get("/webhooks/{id}/delete")]
pub async fn ask_delete(
    seat: Looks<Manage>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    let reach = reach(&api, seat.tenant());
    let webhook = reach.webhook(&of.id)?;
    let open = reach.view(&webhook)?.open;
    let words = html! {
        p {
            strong { (webhook.label()) } " gets nothing more"
            @match open {
                0 => { ". No delivery to it is open." }
                1 => { ", and the delivery to it that is open is cancelled." }
                n => { ", and the " (amount::count(n)) " deliveries to it that are open are cancelled." }
            }
        }
        p { "What was delivered stays in the history as long as its events are kept. There is no way back; pausing it has one." }
    };
    Ok(ask(&seat, &of, "delete", ["Delete webhook", "Delete the webhook"], &words))
}

/// The page that asks before `act` is done.
fn ask(seat: &Seat, of: &ways::Of, act: &str, [title, button]: [&str; 2], words: &Markup) -> HttpResponse {
    let (action, back) = (ways::below(seat, &of.id, act), ways::of(seat, &of.id));
    let confirm = Confirm { words, action: &action, button, back: &back, fields: &[] };
    Page::new(title, Part::Webhooks).show(seat, &confirm.show(seat))
}

#[post("/webhooks/{id}/delete")]
pub async fn delete(
    posted: Posted<Manage>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    reach(&api, posted.seat.tenant()).delete(&of.id).await?;
    Ok(on_to(&posted.seat.at("webhooks"), "deleted"))
}

#[get("/webhooks/{id}/cancel")]
pub async fn ask_cancel(
    seat: Looks<Replays>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    let reach = reach(&api, seat.tenant());
    let webhook = reach.webhook(&of.id)?;
    let open = reach.view(&webhook)?.open;
    let words = html! {
        p {
            (amount::of(open, "delivery", "deliveries")) " to " strong { (webhook.label()) }
            " that wait now are cancelled: they are not sent. Events that come later make new ones."
        }
        p { "A cancelled delivery can be replayed as long as its event is kept." }
    };
    Ok(ask(&seat, &of, "cancel", ["Cancel open deliveries", "Cancel what is open"], &words))
}

#[post("/webhooks/{id}/cancel")]
pub async fn cancel(
    posted: Posted<Replays>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    let (seat, tenant) = (&posted.seat, posted.seat.tenant());
    let webhook = reach(&api, tenant).webhook(&of.id)?;
    let source = Source::Open { webhook: webhook.number() };
    let bulk =
        Bulk { account: webhook.account, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
    let job = start(&api, tenant, bulk, 0, None).await?;
    Ok(on_to(&seat.at(&format!("jobs/{}", links::part(&job.id))), "started"))
}
