//! Deliver again what deliveries delivered: one, or those that were ticked. Each replay is the API's own.

use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use super::of::{Of, page};
use crate::api::access::auth::Tenant;
use crate::api::deliveries::operations::find;
use crate::api::http::page::LIMIT_DEFAULT;
use crate::api::webhooks::reach::reach;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links;
use crate::dashboard::may::ToReplay;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::{amount, copy};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::Invalid;
use crate::domain::id::DeliveryId;

/// Replays one, and leads to the new delivery.
#[post("/deliveries/{id}/replay")]
pub async fn one(form: Posted<ToReplay>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let new = again(&api, form.seat.tenant(), &of.id).await?;
    Ok(on_to(&page(&form.seat, &new.to_string()), "replayed"))
}

/// Asks whether those that were ticked are to be replayed.
#[get("/deliveries/replay")]
pub async fn ask(seat: Looks<ToReplay>) -> Result<HttpResponse, Away> {
    let ids = ticked(&Fields::asked(seat.asked()))?;
    let count = amount::of(ids.len() as u64, "delivery", "deliveries");
    let fields: Vec<_> = ids.iter().map(|id| ("ids", id.as_str())).collect();
    let words = html! {
        p { "What " (count) " delivered goes out again, to the same webhooks, each as a new delivery. Endpoints that took it get it once more." }
    };
    let button = format!("Replay {count}");
    let (action, back) = (seat.at("deliveries/replay"), seat.at("deliveries"));
    let confirm = Confirm { words: &words, action: &action, button: &button, back: &back, fields: &fields };
    Ok(Page::new("Replay deliveries", Part::Deliveries).show(&seat, &confirm.show(&seat)))
}

/// Replays those that were ticked; where some cannot be, it says which and why.
#[post("/deliveries/replay")]
pub async fn many(form: Posted<ToReplay>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let (seat, ids) = (&form.seat, ticked(&form.fields)?);
    // Together they wait for the disk once.
    let replays = ids.iter().map(|id| again(&api, seat.tenant(), id));
    let done = futures_util::future::join_all(replays).await;
    let refused: Vec<_> = ids.iter().zip(done).filter_map(|(id, done)| Some((id.as_str(), done.err()?))).collect();
    if refused.is_empty() {
        let made = links::with_query(&seat.at("deliveries"), [("cause", Some("replay"))]);
        return Ok(on_to(&made, "replayed-many"));
    }
    let done = (ids.len() - refused.len()) as u64;
    let body = told(seat, done, &refused);
    Ok(Page::new("Replay deliveries", Part::Deliveries).show(seat, &body))
}

fn told(seat: &Seat, done: u64, refused: &[(&str, Problem)]) -> Markup {
    html! {
        p.note {
            (amount::of(done, "delivery was", "deliveries were")) " sent again, and "
            (amount::of(refused.len() as u64, "was", "were")) " not:"
        }
        ul { @for (id, why) in refused { li { a href=(page(seat, id)) { (copy::short(id)) } ": " (why.to_string()) } } }
        p { a.button href=(seat.at("deliveries")) { "To the deliveries" } }
    }
}

/// Replays a delivery of the account.
async fn again(api: &web::Data<Api>, tenant: &Tenant, id: &str) -> Result<DeliveryId, Problem> {
    let (_, webhook) = find(api, tenant, id)?;
    let (new, _) = reach(api, tenant).replay(&webhook.id.to_string(), id).await?;
    Ok(new)
}

/// The deliveries that were ticked, each once: no more than a page has.
fn ticked(fields: &Fields) -> Result<Vec<String>, Invalid> {
    let mut ids: Vec<String> = fields.all("ids").map(String::from).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.len() {
        0 => Err(Invalid::new("ids", "are missing: tick what is to be replayed first")),
        1..=LIMIT_DEFAULT => Ok(ids),
        _ => Err(Invalid::new("ids", format!("can be {LIMIT_DEFAULT} deliveries at once, as many as a page has"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ticked_is_at_least_one_and_at_most_a_page() {
        let read = |text: &str| ticked(&Fields::read(text.as_bytes()));
        assert_eq!(read("ids=b&ids=a&ids=b&token=t").unwrap(), ["a", "b"]);
        assert_eq!(read("token=t").unwrap_err().field, "ids");
        let too_many: String = (0..=LIMIT_DEFAULT).map(|n| format!("ids={n}&")).collect();
        assert_eq!(read(&too_many).unwrap_err().field, "ids");
    }
}
