//! Bulk jobs: what they do, how far they are, and stopping them. What stays true: a job goes on whoever looks, so its page can be
//! left and found again.

use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use super::away::Away;
use super::deliveries::endpoint::Endpoint;
use super::deliveries::of::{Of, event_page, webhook_page};
use super::frame::{Page, Part};
use super::links;
use super::may::{ToReplay, may_stop};
use super::parts::asked::Asked;
use super::parts::confirm::Confirm;
use super::parts::rows::pages;
use super::parts::said::on_to;
use super::parts::state::{Meaning, state};
use super::parts::{amount, copy, empty, progress, time};
use super::posted::Posted;
use super::seat::{Looks, Seat};
use crate::api::Api;
use crate::api::access::auth::Read;
use crate::api::http::list::{NoFilter, page_of};
use crate::api::jobs::routes::{LEFT_ROWS_MAX, listed, one, rows_left, stop as stopped, vet_stop};
use crate::api::jobs::view::JobView;
use crate::domain::time::UnixMs;

/// Seconds after which a running job is looked at again.
const AGAIN_SECONDS: u8 = 1;

/// Their routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list).service(show).service(ask).service(stop);
}

#[get("/jobs")]
async fn list(seat: Looks<Read>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = Asked::of(&seat);
    let part = asked.list::<NoFilter>(&[])?.part;
    let page = page_of(&api, seat.account().number, part, listed(seat.tenant().clone())).await?;
    let now = api.clock.wall();
    let body = html! {
        @if page.data.is_empty() {
            (empty::empty("There are no jobs. Whatever is done with many deliveries, events or webhooks at once is one, for 30 days after its end.", None))
        } @else {
            div.table tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "State" } th scope="col" { "What" } th.number scope="col" { "Done" } th.number scope="col" { "Skipped" }
                        th scope="col" { "Started" } th scope="col" { "Ended" }
                    } }
                    tbody { @for job in &page.data { (row(&api, &seat, job, now)) } }
                }
            }
        }
        (pages(&asked, &page))
    };
    Ok(Page::new("Jobs", Part::Jobs).show(&seat, &body))
}

fn row(api: &Api, seat: &Seat, job: &JobView, now: UnixMs) -> Markup {
    let page = page_of_job(seat, &job.id);
    html! {
        tr data-href=(page) {
            td { (stands(job)) }
            td.wide { a href=(page) { (what(api, seat, job)) } }
            td.number { (amount::count(job.done)) }
            td.number { (amount::count(job.skipped)) }
            td { (time::text(Some(&job.created_at), now)) }
            td { (time::text(job.ended_at.as_deref(), now)) }
        }
    }
}

#[get("/jobs/{id}")]
async fn show(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let left = rows_left(&api, seat.tenant(), &of.id).await?;
    // After that, so that a job that has ended in between is shown as ended.
    let job = one(&api, seat.tenant(), &of.id)?;
    let (now, is_running) = (api.clock.wall(), job.state == "running");
    let body = html! {
        section #job data-refresh=[is_running.then_some(AGAIN_SECONDS)] {
            p.story { (stands(&job)) " " (told(&job)) }
            @if is_running { (far(&job, left)) p.hint { "It goes on if you leave this page, and if the server is started anew." } }
            @if is_running && may_stop(&seat, &job) {
                p { a.button.danger href={ (page_of_job(&seat, &job.id)) "/cancel" } { "Stop…" } }
            }
            (facts(&api, &seat, &job, now))
        }
    };
    Ok(Page::new(&what(&api, &seat, &job), Part::Jobs).show(&seat, &body))
}

#[get("/jobs/{id}/cancel")]
async fn ask(seat: Looks<ToReplay>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let job = one(&api, seat.tenant(), &of.id)?;
    vet_stop(seat.tenant(), job.kind)?;
    let page = page_of_job(&seat, &job.id);
    let words = html! {
        p { b { (what(&api, &seat, &job)) } ": " (told(&job)) }
        p { "It stops where it is. What it has done stays done; the rest stays as it is, and another job can do it." }
    };
    let action = format!("{page}/cancel");
    let confirm = Confirm { words: &words, action: &action, button: "Stop the job", back: &page, fields: &[] };
    Ok(Page::new("Stop a job", Part::Jobs).show(&seat, &confirm.show(&seat)))
}

#[post("/jobs/{id}/cancel")]
async fn stop(form: Posted<ToReplay>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let job = stopped(&api, form.seat.tenant(), &of.id).await?;
    Ok(on_to(&page_of_job(&form.seat, &job.id), "cancelled"))
}

fn page_of_job(seat: &Seat, id: &str) -> String {
    seat.at(&format!("jobs/{}", links::part(id)))
}

fn stands(job: &JobView) -> Markup {
    match job.state {
        "done" => state(Meaning::Well, "done"),
        "running" => state(Meaning::Waiting, "running"),
        other => state(Meaning::Off, other),
    }
}

/// What a job does, in words: "Replay of dead letters of Acme".
fn what(api: &Api, seat: &Seat, job: &JobView) -> String {
    let verb = match job.kind {
        "replay" => "Replay",
        "discard" => "Discard",
        "delete" => "Deletion",
        "purge" => "Purge",
        "broadcast" => "Broadcast",
        other => other,
    };
    let of = match job.of {
        "dead_letters" => "dead letters",
        "succeeded" => "deliveries that succeeded",
        "cancelled" => "cancelled deliveries",
        "dead" => "dead deliveries",
        "open" => "open deliveries",
        "missing" => "events that were never delivered",
        "event" => "an event",
        "accounts" => "an event to accounts",
        other => other,
    };
    let webhook = job.webhook_id.as_deref().and_then(|id| Endpoint::of(api, seat.tenant(), id));
    match (webhook, &job.account_id) {
        (Some(webhook), _) => format!("{verb} of {of} of {}", webhook.name),
        (None, Some(account)) => format!("{verb} of the account {account}"),
        (None, None) => format!("{verb} of {of}"),
    }
}

/// What it has done.
fn told(job: &JobView) -> String {
    let verb = match job.kind {
        "replay" => "replayed",
        "discard" => "discarded",
        "delete" => "deleted",
        "purge" => "purged",
        _ => "reached",
    };
    let mut told = format!("{} {verb}", amount::count(job.done));
    if job.skipped > 0 {
        told += &format!(", {} skipped: they could not be any more", amount::count(job.skipped));
    }
    told + "."
}

/// How far it is. Of a job that does not go from row to row that is known only where it is said how many there are.
fn far(job: &JobView, left: Option<usize>) -> Markup {
    let looked_at = job.examined;
    match (left, job.accounts) {
        (Some(left), _) => {
            let at_least = if left == LEFT_ROWS_MAX { "at least " } else { "" };
            let words = format!(
                "{} looked at, {at_least}{} to go",
                amount::of(looked_at, "row", "rows"),
                amount::count(left as u64)
            );
            progress::bar(looked_at, Some(looked_at + left as u64), &words)
        }
        (None, accounts) => {
            progress::bar(looked_at, accounts, &format!("{} looked at", amount::of(looked_at, "row", "rows")))
        }
    }
}

fn facts(api: &Api, seat: &Seat, job: &JobView, now: UnixMs) -> Markup {
    let webhook = job.webhook_id.as_deref().and_then(|id| Endpoint::of(api, seat.tenant(), id));
    let texts = [("Type", &job.event_type), ("Made from", &job.from), ("Made before", &job.to), ("Tag", &job.tag)];
    html! {
        dl.facts {
            @if let Some(webhook) = webhook {
                dt { "Webhook" }
                dd { @if webhook.is_there() { a href=(webhook_page(seat, &webhook.id)) { (webhook.name) } } @else { (webhook.name) " (deleted)" } }
            }
            @if let Some(event) = &job.event_id { dt { "Event" } dd { a href=(event_page(seat, event)) { (copy::short(event)) } } }
            @if let Some(ids) = job.ids { dt { "Named" } dd { (amount::of(ids, "id", "ids")) } }
            @for (name, text) in texts { @if let Some(text) = text { dt { (name) } dd { code { (text) } } } }
            dt { "Started" }
            dd { (time::text(Some(&job.created_at), now)) }
            @if let Some(ended) = &job.ended_at { dt { "Ended" } dd { (time::text(Some(ended), now)) } }
            dt { "Id" }
            dd { (copy::text(&job.id)) }
        }
        @if let ("replay", true) = (job.kind, job.done > 0) { p { a href=(made(seat, job)) { "Look at the new deliveries" } } }
    }
}

/// The list of what a replay made.
fn made(seat: &Seat, job: &JobView) -> String {
    let cause = if job.of == "missing" { "missed" } else { "replay" };
    links::with_query(
        &seat.at("deliveries"),
        [("webhook", job.webhook_id.as_deref()), ("cause", Some(cause)), ("from", Some(job.created_at.as_str()))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobView {
        JobView {
            id: "j".into(),
            kind: "replay",
            of: "dead_letters",
            state: "running",
            webhook_id: None,
            account_id: None,
            event_id: None,
            tag: None,
            accounts: None,
            ids: None,
            selection: None,
            event_type: None,
            from: None,
            to: None,
            examined: 1_300,
            done: 1_204,
            skipped: 0,
            created_at: String::new(),
            ended_at: None,
        }
    }

    #[test]
    fn a_job_says_what_it_has_done_and_how_far_it_is() {
        assert_eq!(told(&job()), "1,204 replayed.");
        assert_eq!(told(&JobView { skipped: 3, ..job() }), "1,204 replayed, 3 skipped: they could not be any more.");
        let bar = far(&job(), Some(700)).into_string();
        assert!(
            bar.contains("value=\"1300\" max=\"2000\"") && bar.contains("1,300 rows looked at, 700 to go"),
            "{bar}"
        );
        assert!(far(&job(), Some(LEFT_ROWS_MAX)).into_string().contains("at least 10,000 to go"));
        let broadcast = JobView { accounts: Some(2_600), ..job() };
        assert!(far(&broadcast, None).into_string().contains("value=\"1300\" max=\"2600\""));
        assert!(!far(&job(), None).into_string().contains("value="), "nobody knows");
    }
}
