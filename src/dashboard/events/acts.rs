//! What can be done with an event: sent again to all or to some, purged, deleted. What stays true: each is the API's own, and what
//! cannot be undone is asked once, with its size.

use actix_web::{HttpResponse, get, post, web};
use maud::html;

use crate::api::access::auth::{Manage, Replays};
use crate::api::events::leaving;
use crate::api::events::replaying::{replay_of, to_replay};
use crate::api::events::routes::{Found, found};
use crate::api::http::page::LIMIT_MAX;
use crate::api::jobs::start::start;
use crate::api::webhooks::reach::reach;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::dry_run::{self, dry_run, further};
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::part;
use crate::dashboard::may::may_leave;
use crate::dashboard::of::Of;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::job::JobKind;
use crate::store::Leaving;

#[get("/events/{id}/replay")]
pub async fn replay_form(seat: Looks<Replays>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let head = to_replay(&api, seat.account().number, of.into_inner().id).await?;
    let count = dry_run(&api, &seat, replay_of(&head)).await?;
    let at = event_at(&seat, &head.public_id());
    let words = html! {
        p { strong { (head.event_type) } " goes to " (dry_run::many(&count, "webhook", "webhooks")) ": to each that wants it as it is now, as a new delivery." }
        (further(&seat, &count))
        p { "A webhook for which it is still open gets no other." }
    };
    let action = format!("{at}/replay");
    let confirm = Confirm { words: &words, action: &action, button: "Replay the event", back: &at, fields: &[] };
    Ok(Page::new("Replay the event", Part::Events).show(&seat, &confirm.show(&seat)))
}

#[post("/events/{id}/replay")]
pub async fn replay(posted: Posted<Replays>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let seat = &posted.seat;
    let head = to_replay(&api, seat.account().number, of.into_inner().id).await?;
    let job = start(&api, seat.tenant(), replay_of(&head), 0, None).await?;
    Ok(on_to(&seat.at(&format!("jobs/{}", part(&job.id))), "started"))
}

#[post("/events/{id}/replay-chosen")]
pub async fn replay_chosen(
    posted: Posted<Replays>,
    api: web::Data<Api>,
    of: web::Path<Of>,
) -> Result<HttpResponse, Away> {
    let (seat, at) = (&posted.seat, event_at(&posted.seat, &of.id));
    let mut chosen = posted.fields.all("delivery").take(LIMIT_MAX).peekable();
    if chosen.peek().is_none() {
        return Ok(on_to(&at, "none-chosen"));
    }
    for one in chosen {
        let (webhook, delivery) = one.split_once(' ').ok_or_else(|| Problem::not_found("delivery"))?;
        reach(&api, seat.tenant()).replay(webhook, delivery).await?;
    }
    Ok(on_to(&at, "replayed"))
}

/// What it is called, and what it does.
fn leaving_of(seat: &Seat, word: &str) -> Result<(JobKind, &'static str, &'static str), Away> {
    if !may_leave(seat) {
        return Err(Problem::not_found("page").into());
    }
    match word {
        "purge" => Ok((
            JobKind::Purge,
            "Purge the event",
            "Its data, actor and metadata go for good, and what its attempts repeat of them. That it was, and how it was delivered, stays.",
        )),
        "delete" => Ok((
            JobKind::Delete,
            "Delete the event",
            "It goes for good, with its deliveries and all that is kept of them.",
        )),
        _ => Err(Problem::not_found("page").into()),
    }
}

/// An event, and how it leaves.
#[derive(Debug, serde::Deserialize)]
pub struct OfLeaving {
    id: String,
    leaving: String,
}

#[get("/events/{id}/{leaving:purge|delete}")]
pub async fn leave_form(
    seat: Looks<Manage>,
    api: web::Data<Api>,
    path: web::Path<OfLeaving>,
) -> Result<HttpResponse, Away> {
    let OfLeaving { id, leaving: word } = path.into_inner();
    let (_, title, says) = leaving_of(&seat, &word)?;
    let Found { head, newest, to_come, .. } = found(&api, seat.account().number, id).await?;
    let at = event_at(&seat, &head.public_id());
    let open = newest.rows.iter().filter(|one| one.ended_at.is_none()).count() + to_come;
    let more = if newest.next.is_some() { "at least " } else { "" };
    let words = html! {
        p { strong { (head.event_type) } " " code { (head.public_id()) } }
        p { (says) }
        p { "It has " (more) (newest.rows.len()) @if newest.rows.len() == 1 { " delivery" } @else { " deliveries" }
            @if open > 0 { "; " (more) (open) " of them still open, and cancelled first" } "." }
    };
    let action = format!("{at}/{word}");
    let confirm = Confirm { words: &words, action: &action, button: title, back: &at, fields: &[] };
    Ok(Page::new(title, Part::Events).show(&seat, &confirm.show(&seat)))
}

#[post("/events/{id}/{leaving:purge|delete}")]
pub async fn leave(
    posted: Posted<Manage>,
    api: web::Data<Api>,
    path: web::Path<OfLeaving>,
) -> Result<HttpResponse, Away> {
    let (seat, OfLeaving { id, leaving: word }) = (&posted.seat, path.into_inner());
    let (kind, ..) = leaving_of(seat, &word)?;
    let at = event_at(seat, &id);
    Ok(match leaving::leave(&api, seat.tenant(), id, kind).await? {
        Leaving::Goes(_, job) => on_to(&seat.at(&format!("jobs/{}", part(&job.id.to_string()))), "started"),
        _ if kind == JobKind::Delete => on_to(&seat.at("events"), "deleted"),
        _ => on_to(&at, "purged"),
    })
}

fn event_at(seat: &Seat, id: &str) -> String {
    seat.at(&format!("events/{}", part(id)))
}
