//! What a list shows of each webhook beside its view: what its deliveries of the last 24 hours came to, and its latest attempt. What
//! stays true: it is read for the rows of one page, at once, and of each a bounded part.

use actix_web::web;

use crate::api::deliveries::history::is_success;
use crate::api::http::page::{LIMIT_MAX, Window};
use crate::api::stats::routes::of_each;
use crate::api::stats::view::StatsView;
use crate::api::webhooks::view::WebhookView;
use crate::api::{Api, Problem};
use crate::dashboard::parts::chart::Step;
use crate::domain::delivery::{AttemptSummary, Delivery};
use crate::domain::id::{AccountNumber, WebhookId, WebhookNumber};
use crate::domain::stats::{Series, Span, Step as Each};

/// Deliveries of one webhook, the newest, among which its latest attempt is looked for.
const LATEST_EXAMINED_MAX: usize = 5;

/// What is shown of a webhook.
#[derive(Debug)]
pub struct Row {
    /// It.
    pub webhook: WebhookView,
    /// Its attempts, hour by hour.
    pub steps: Vec<Step>,
    /// Attempts that succeeded, and all of them.
    pub well: (u64, u64),
    /// Its latest attempt, if one of its newest deliveries was tried.
    pub latest: Option<Latest>,
}

/// An attempt in short.
#[derive(Debug)]
pub struct Latest {
    /// When, how long, what came of it.
    pub attempt: AttemptSummary,
    /// Whether it was a success.
    pub success: bool,
}

/// The rows of a page.
pub async fn rows(
    api: &web::Data<Api>,
    account: AccountNumber,
    webhooks: Vec<WebhookView>,
) -> Result<Vec<Row>, Problem> {
    debug_assert!(webhooks.len() <= LIMIT_MAX, "a page has no more");
    let numbers: Vec<WebhookNumber> =
        webhooks.iter().filter_map(|one| WebhookId::parse(&one.id)).map(|id| id.number()).collect();
    let now = api.clock.now();
    let span = Span::new(Some(Each::Hour), None, None, now).map_err(|_| Problem::internal("a day that is none"))?;
    let stats = of_each(api, account, numbers.iter().copied().map(Series::Webhook).collect(), span).await?;
    let latest = latest(api, account, numbers).await?;
    let all = webhooks.into_iter().zip(stats).zip(latest);
    Ok(all.map(|((webhook, stats), latest)| row(webhook, &stats, latest)).collect())
}

fn row(webhook: WebhookView, stats: &StatsView, latest: Option<Latest>) -> Row {
    let well = (stats.total.succeeded, stats.total.attempts);
    Row { webhook, steps: steps(stats), well, latest }
}

/// Attempts, one step a point.
pub fn steps(stats: &StatsView) -> Vec<Step> {
    stats.points.iter().map(|point| Step { well: point.counts.succeeded, bad: point.counts.failed }).collect()
}

async fn latest(
    api: &web::Data<Api>,
    account: AccountNumber,
    numbers: Vec<WebhookNumber>,
) -> Result<Vec<Option<Latest>>, Problem> {
    let store = api.store.clone();
    let walk = Window::newest(LATEST_EXAMINED_MAX).walk();
    let of = move |number: WebhookNumber| {
        let page = store.deliveries(&[number], walk, None, |_| true)?;
        let latest = |delivery: &Delivery| {
            let attempt = delivery.latest_attempt()?;
            Some(Latest { attempt: attempt.clone(), success: is_success(delivery, attempt) })
        };
        Ok(page.rows.iter().find_map(latest))
    };
    api.read(account, move || numbers.into_iter().map(of).collect::<Result<Vec<_>, Problem>>()).await?
}
