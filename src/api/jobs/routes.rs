//! Bulk jobs: what a bulk call made, how far it is, and stopping it.

use actix_web::{HttpResponse, get, post, web};

use super::start::deed;
use super::view::{JobView, view};
use crate::api::Api;
use crate::api::access::auth::{Manage, May, Read, Tenant};
use crate::api::http::list::{ListQuery, NoFilter, answer};
use crate::api::http::page::{Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::account::Scope;
use crate::domain::id::JobId;
use crate::domain::job::{Job, JobKind, Source};

/// Rows up to which is counted what a job has still to look at.
pub const LEFT_ROWS_MAX: usize = 10_000;

/// List bulk jobs
///
/// A job is forgotten 30 days after its end.
#[utoipa::path(
    operation_id = "jobs.list", security(("key" = ["read"])),
    params(PageQuery),
    responses((status = 200, description = "A page of jobs", body = PageReply<JobView>))
)]
#[get("/api/v1/jobs")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    answer(&api, tenant.account().number, part, listed((*tenant).clone())).await
}

/// Reads pages of the jobs that whoever asks may see.
pub fn listed(tenant: Tenant) -> impl Fn(&Api, Window) -> Result<Listed<JobView>, Problem> + Send + Sync {
    move |api: &Api, window: Window| {
        let mut listed = Listed::from(api.store.jobs(tenant.account().number, window.walk())?);
        listed.rows.retain(|job| may_see(&tenant, job));
        Ok(listed.map(|job| shown(api, &tenant, &job)))
    }
}

/// Show a bulk job
#[utoipa::path(
    operation_id = "jobs.get", security(("key" = ["read"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The job", body = Reply<JobView>))
)]
#[get("/api/v1/jobs/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(one(&api, &tenant, &id)?))
}

/// A job.
pub fn one(api: &Api, tenant: &Tenant, id: &str) -> Result<JobView, Problem> {
    Ok(shown(api, tenant, &find(api, tenant, id)?))
}

/// Rows that a job has still to look at, counted up to [`LEFT_ROWS_MAX`]; none where it does not go from row to row.
pub async fn rows_left(api: &Api, tenant: &Tenant, id: &str) -> Result<Option<usize>, Problem> {
    let (store, job) = (api.store.clone(), find(api, tenant, id)?);
    Ok(api.read(tenant.account().number, move || store.rows_left(&job, LEFT_ROWS_MAX)).await??)
}

/// Stop a bulk job; what it has done stays done
#[utoipa::path(
    operation_id = "jobs.cancel", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "It is cancelled", body = Reply<JobView>),
        (status = 409, description = "It is done"),
    )
)]
#[post("/api/v1/jobs/{id}/cancel")]
pub async fn cancel(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(stop(&api, &tenant, &id).await?))
}

/// Stops a job; what it has done stays done.
pub async fn stop(api: &Api, tenant: &Tenant, id: &str) -> Result<JobView, Problem> {
    let (account, job) = (tenant.account().number, find(api, tenant, id)?);
    vet_stop(tenant, job.bulk.kind.word())?;
    let id = job.id;
    let cancelled = api.change(tenant, move |staging| {
        let job = staging.cancel_job(account, id)?;
        Ok((Some(deed(&job, "cancelled")), job))
    });
    Ok(view(&api.store, &cancelled.await?))
}

/// Refuses whoever may not stop a job of this kind, which is its word: a guest of the portal stops what guests can begin, and no purge
/// or deletion of the account's own people.
pub fn vet_stop(tenant: &Tenant, kind: &str) -> Result<(), Problem> {
    let is_guest = tenant.person().is_some_and(|person| person.user.is_none());
    let is_of_guests = [JobKind::Replay, JobKind::Discard].iter().any(|own| own.word() == kind);
    match !is_guest || is_of_guests {
        true => Ok(()),
        false => {
            Err(Problem::forbidden("only replays and discards can be stopped here; ask whoever runs your account"))
        }
    }
}

/// A job as whoever asks may see it.
fn shown(api: &Api, tenant: &Tenant, job: &Job) -> JobView {
    let view = view(&api.store, job);
    if tenant.may(Scope::Manage) { view } else { view.for_reader() }
}

/// The job of this id, if whoever asks may see it.
fn find(api: &Api, tenant: &Tenant, text: &str) -> Result<Job, Problem> {
    let job = JobId::parse(text).map(|id| api.store.job(tenant.account().number, id)).transpose()?.flatten();
    job.filter(|job| may_see(tenant, job)).ok_or_else(|| Problem::not_found("job"))
}

/// What happens to other accounts is the operator's matter, whoever else has a key of the one that the job belongs to.
fn may_see(tenant: &Tenant, job: &Job) -> bool {
    tenant.is_admin() || !matches!(job.bulk.source, Source::Account { .. } | Source::Accounts(_))
}
