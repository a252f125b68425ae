//! The one answer to every bulk call: a count where it is a dry run, else a job. What stays true: a count and a job select by
//! the same code.

use actix_web::HttpResponse;

use super::view::{CountView, view};
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::audit::Deed;
use crate::domain::job::{Bulk, Job};
use crate::store::Idempotency;

/// Counts what `bulk` would do, or makes a job of it.
pub async fn answer(api: &Api, tenant: &Tenant, bulk: Bulk, dry_run: bool) -> Result<HttpResponse, Problem> {
    answer_once(api, tenant, bulk, dry_run, None).await
}

/// The same, once for an `Idempotency-Key`.
pub async fn answer_once(
    api: &Api,
    tenant: &Tenant,
    bulk: Bulk,
    dry_run: bool,
    idempotency: Option<Idempotency>,
) -> Result<HttpResponse, Problem> {
    if dry_run {
        let store = api.store.clone();
        let count = api.read(tenant.account().number, move || store.count(&bulk)).await??;
        let (skipped, examined) = (count.skipped, count.examined);
        return Ok(Reply::ok(CountView { count: count.count, skipped, examined, complete: count.complete }));
    }
    let made = api.change(tenant, move |staging| {
        let (job, is_new) = staging.create_job_once(bulk, idempotency)?;
        Ok((is_new.then(|| deed(&job, "started")), job))
    });
    let job = made.await?;
    Ok(Reply::accepted(view(&api.store, &job)))
}

/// What was done with a job, such as `replay.started`.
pub fn deed(job: &Job, verb: &str) -> Deed {
    Deed::new(job.bulk.account, &format!("{}.{verb}", job.bulk.kind.word()), job.id)
}
