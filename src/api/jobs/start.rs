//! The one answer to every bulk call: a count where it is a dry run, else a job. What stays true: a count and a job select by
//! the same code.

use actix_web::HttpResponse;

use super::view::{CountView, JobView, view};
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::audit::Deed;
use crate::domain::job::{Bulk, Job, Source};
use crate::store::{Count, Idempotency};

/// Counts what `bulk` would do, or makes a job of it.
pub async fn answer(api: &Api, tenant: &Tenant, bulk: Bulk, dry_run: bool) -> Result<HttpResponse, Problem> {
    respond(api, tenant, (bulk, 0), dry_run, None).await
}

/// The same, once for an `Idempotency-Key`.
pub async fn answer_once(
    api: &Api,
    tenant: &Tenant,
    bulk: Bulk,
    dry_run: bool,
    idempotency: Option<Idempotency>,
) -> Result<HttpResponse, Problem> {
    respond(api, tenant, (bulk, 0), dry_run, idempotency).await
}

/// The same of what was named, of which so many are not there: that is skipped, so the call can be made again.
pub async fn answer_without(
    api: &Api,
    tenant: &Tenant,
    bulk: Bulk,
    missing: u64,
    dry_run: bool,
) -> Result<HttpResponse, Problem> {
    respond(api, tenant, (bulk, missing), dry_run, None).await
}

async fn respond(
    api: &Api,
    tenant: &Tenant,
    (bulk, missing): (Bulk, u64),
    dry_run: bool,
    idempotency: Option<Idempotency>,
) -> Result<HttpResponse, Problem> {
    match dry_run {
        true => Ok(Reply::ok(count(api, tenant, bulk, missing).await?)),
        false => Ok(Reply::accepted(start(api, tenant, bulk, missing, idempotency).await?)),
    }
}

/// Counts what `bulk` would do now; of what was named, so many are not there.
pub async fn count(api: &Api, tenant: &Tenant, bulk: Bulk, missing: u64) -> Result<CountView, Problem> {
    let store = api.store.clone();
    let count = api.read(tenant.account().number, move || store.count(&bulk)).await??;
    Ok(counted(count, missing))
}

/// The same at a glance: what can be told while somebody waits for a page.
pub async fn glance(api: &Api, tenant: &Tenant, bulk: Bulk, missing: u64) -> Result<CountView, Problem> {
    let store = api.store.clone();
    let count = api.read(tenant.account().number, move || store.glance(&bulk)).await??;
    Ok(counted(count, missing))
}

fn counted(count: Count, missing: u64) -> CountView {
    let (skipped, examined) = (count.skipped + missing, count.examined + missing);
    CountView { count: count.count, skipped, examined, complete: count.complete }
}

/// Makes a job of `bulk`, once for an `Idempotency-Key`.
pub async fn start(
    api: &Api,
    tenant: &Tenant,
    bulk: Bulk,
    missing: u64,
    idempotency: Option<Idempotency>,
) -> Result<JobView, Problem> {
    let made = api.change(tenant, move |staging| {
        let (job, is_new) = staging.create_job_once(bulk, missing, idempotency)?;
        Ok((is_new.then(|| deed(&job, "started")), job))
    });
    Ok(view(&api.store, &made.await?))
}

/// What was done with a job, such as `replay.started`, and what it selects by.
pub fn deed(job: &Job, verb: &str) -> Deed {
    let fields = selected_by(job).into_iter().map(String::from).collect();
    Deed::new(job.bulk.account, &format!("{}.{verb}", job.bulk.kind.word()), job.id).with_fields(fields)
}

/// The fields that say what it is about, by their names in the call that made it.
fn selected_by(job: &Job) -> Vec<&'static str> {
    let bulk = &job.bulk;
    let mut fields = match &bulk.source {
        Source::Webhooks(selection) if selection.is_open() => vec!["all"],
        Source::Webhooks(selection) => selection.said(),
        Source::DeadLetters { webhook: Some(_) } => vec!["webhook"],
        Source::Accounts(broadcast) if broadcast.tag.is_some() => vec!["tag"],
        _ if job.ids().is_some() => vec!["ids"],
        _ => Vec::new(),
    };
    let event_type = if bulk.source == Source::Events { "type" } else { "event_type" };
    let bounds = [(event_type, bulk.event_type.is_some()), ("from", bulk.from.is_some()), ("to", bulk.to.is_some())];
    fields.extend(bounds.into_iter().filter(|(_, is_said)| *is_said).map(|(name, _)| name));
    fields
}
