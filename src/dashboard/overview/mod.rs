//! The overview of an account: whether it is well, and if not, what is wrong, since when, for how many, and what to do. What stays
//! true: every figure is one that the API tells, and leads to the list of what it counts.

mod figures;
mod sick;
mod start;

use actix_web::{HttpRequest, HttpResponse, get, web};
use maud::{Markup, html};

use self::figures::Facts;
use self::start::Start;
use super::away::Away;
use super::deliveries::explained::failures;
use super::frame::{Page, Part};
use super::links::see_other;
use super::parts::chart::{self, Step};
use super::parts::range::Range;
use super::parts::{amount, time};
use super::seat::Looks;
use crate::api::Api;
use crate::api::access::auth::{Read, Tenant};
use crate::api::docs::site::asked_at;
use crate::api::http::problem::Problem;
use crate::api::stats::routes::of_each;
use crate::api::stats::view::StatsView;
use crate::api::webhooks::sick::{SickList, sick};
use crate::domain::stats::Series;
use crate::domain::time::UnixMs;
use crate::domain::walk::Walk;

/// Dead letters that are counted; beyond them it is "more than".
const DEAD_LETTERS_MAX: usize = 1_000;
/// Sick webhooks that are shown.
const SICK_MAX: usize = 12;
/// Seconds between two looks of a page that is left open.
const REFRESH_SECONDS: &str = "15";

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show).service(without_slash);
}

#[get("")]
async fn without_slash(seat: Looks<Read>) -> HttpResponse {
    see_other(&seat.at(""))
}

#[get("/")]
async fn show(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let (range, now) = (Range::of(seat.asked()), api.clock.now());
    let account = seat.account().number;
    let span = range.span(now)?;
    let stats = of_each(&api, account, vec![Series::Account(account)], span).await?;
    let stats = stats.into_iter().next().ok_or_else(|| Problem::internal("statistics of nothing"))?;
    let (at, tenant) = (api.clone(), seat.tenant().clone());
    let known = api.read(account, move || Known::of(&at, &tenant)).await??;
    let facts = Facts { stats: &stats, dead: known.dead, dead_max: DEAD_LETTERS_MAX, webhooks: known.sick.of, now };
    let start = Start { has_webhook: known.sick.of > 0, has_event: known.has_event, origin: &asked_at(&request) };
    let body = html! {
        section #now data-refresh=(REFRESH_SECONDS) {
            (start.show(&seat))
            (sick::show(&seat, &known.sick, now))
            (facts.show(&seat))
            (chart(&stats, range, now))
        }
    };
    Ok(Page { acts: range.choice(&seat), ..Page::new("Overview", Part::Overview) }.show(&seat, &body))
}

/// What is known beside the statistics.
struct Known {
    sick: SickList,
    dead: usize,
    has_event: bool,
}

impl Known {
    fn of(api: &Api, tenant: &Tenant) -> Result<Self, Problem> {
        let account = tenant.account().number;
        let dead = api.store.count_of_dead_letters(account, DEAD_LETTERS_MAX + 1)?;
        let has_event = !api.store.events(account, Walk::newest(1), None, |_| true)?.rows.is_empty();
        Ok(Self { sick: sick(api, tenant, SICK_MAX)?, dead, has_event })
    }
}

/// Attempts over the range.
fn chart(stats: &StatsView, range: Range, now: UnixMs) -> Markup {
    let steps: Vec<Step> =
        stats.points.iter().map(|point| Step { well: point.counts.succeeded, bad: point.counts.failed }).collect();
    let total = &stats.total;
    let (well, bad) = (amount::count(total.succeeded), amount::count(total.failed));
    let words = format!("Attempts by {} in the last {}: {well} succeeded, {bad} failed", stats.step, range.long());
    let most = steps.iter().map(|step| step.well + step.bad).max().unwrap_or(0);
    html! {
        h2 { "Attempts by " (stats.step) }
        (chart::wide(&steps, &words))
        p.scale { span { (time::text(Some(&stats.from), now)) } span { "most in one: " (amount::count(most)) } span { "now" } }
        p.legend { span.key-well { (well) " succeeded" } span.key-bad { (bad) " failed" } }
        @if let Some(words) = failures(&total.failed_by_kind) { p { (words) } }
    }
}
