//! Bulk jobs: what a bulk call made, how far it is, and stopping it. Also the one answer to every bulk call: a count where
//! it is a dry run, else a job. What stays true: a count and a job select by the same code.

use actix_web::{HttpResponse, get, post, web};
use serde::Serialize;

use super::Api;
use super::auth::{Manage, May, Read, Tenant};
use super::events::bound;
use super::page::{Listed, PageQuery, PageReply};
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::Query;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::id::{AccountNumber, JobId};
use crate::domain::job::{Bulk, Job, JobKind, Source};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::EventFilter;
use crate::store::Store;

/// A bulk job, and how far it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct JobView {
    id: String,
    /// `replay` or `discard`.
    kind: &'static str,
    /// What it looks at: `dead_letters`, `dead`, `succeeded`, `cancelled`, `missing` or `open`.
    of: &'static str,
    /// `running`, `done` or `cancelled`.
    state: &'static str,
    /// The one webhook that it looks at, if it is one.
    webhook_id: Option<String>,
    /// How many ids it was given, where it was.
    ids: Option<u64>,
    event_type: Option<String>,
    #[schema(format = DateTime)]
    from: Option<String>,
    #[schema(format = DateTime)]
    to: Option<String>,
    /// Rows that it has looked at.
    examined: u64,
    /// Deliveries that it has replayed, made or discarded.
    done: u64,
    /// What was asked for and could not be done: the event is no longer kept, the webhook was deleted, or somebody was
    /// faster.
    skipped: u64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

/// What a bulk call would do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CountView {
    /// What would be replayed, made or discarded.
    count: u64,
    /// What is asked for and could not be done.
    skipped: u64,
    /// Rows that were looked at, at most 1,000,000.
    examined: u64,
    /// False where there are more rows than that: then the count is of those that were looked at.
    complete: bool,
}

/// Which types and times a bulk call or a list asks for.
#[derive(Debug)]
pub struct Range {
    /// Only these types.
    event_type: Option<EventFilter>,
    /// From this time on.
    from: Option<UnixMs>,
    /// Before this time.
    to: Option<UnixMs>,
}

impl Range {
    /// Reads it.
    pub fn read(event_type: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<Self, Invalid> {
        let event_type = event_type.map(EventFilter::parse).transpose();
        let event_type = event_type.map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?;
        let (from, to) = (bound("from", from)?, bound("to", to)?);
        match (from, to) {
            (Some(from), Some(to)) if from >= to => Err(Invalid::new("to", "must be later than \"from\"")),
            _ => Ok(Self { event_type, from, to }),
        }
    }

    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        self.event_type.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The bulk call that does `kind` with what is in it.
    pub fn bulk(self, account: AccountNumber, kind: JobKind, source: Source) -> Bulk {
        let Self { event_type, from, to } = self;
        Bulk { account, kind, source, event_type, from, to }
    }
}

/// Counts what `bulk` would do, or makes a job of it.
pub async fn answer(api: &Api, tenant: &Tenant, bulk: Bulk, dry_run: bool) -> Result<HttpResponse, Problem> {
    if dry_run {
        let store = api.store.clone();
        let count = web::block(move || store.count(&bulk)).await??;
        let (skipped, examined) = (count.skipped, count.examined);
        return Ok(Reply::ok(CountView { count: count.count, skipped, examined, complete: count.complete }));
    }
    let made = api.change(tenant, move |staging| {
        let job = staging.create_job(bulk)?;
        Ok((Some(deed(&job, "started")), job))
    });
    let job = made.await?;
    Ok(Reply::accepted(view(&api.store, &job)))
}

/// List bulk jobs, newest first
///
/// A job is forgotten 30 days after its end.
#[utoipa::path(tag = "jobs", params(PageQuery), responses(
    (status = 200, description = "A page of jobs", body = PageReply<JobView>),
    (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
))]
#[get("/api/v1/jobs")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let window = query.window()?;
    let (store, account) = (api.store.clone(), tenant.account().number);
    let page = web::block(move || store.jobs(account, window.before.map(JobId), window.limit)).await??;
    Ok(HttpResponse::Ok().json(PageReply::from(Listed::from(page.map(|job| view(&api.store, &job))))))
}

/// Show a bulk job
#[utoipa::path(tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "The job", body = Reply<JobView>),
    (status = 404, description = "There is no such job", body = ErrorReply<'static>),
))]
#[get("/api/v1/jobs/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let job = api.store.job(tenant.account().number, job_id(&id)?)?;
    Ok(Reply::ok(view(&api.store, &job.ok_or_else(|| Problem::not_found("job"))?)))
}

/// Stop a bulk job; what it has done stays done
#[utoipa::path(tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "It is cancelled", body = Reply<JobView>),
    (status = 404, description = "There is no such job", body = ErrorReply<'static>),
    (status = 409, description = "It is done", body = ErrorReply<'static>),
))]
#[post("/api/v1/jobs/{id}/cancel")]
pub async fn cancel(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (account, id) = (tenant.account().number, job_id(&id)?);
    let cancelled = api.change(&tenant, move |staging| {
        let job = staging.cancel_job(account, id)?;
        Ok((Some(deed(&job, "cancelled")), job))
    });
    Ok(Reply::ok(view(&api.store, &cancelled.await?)))
}

/// What was done with a job, such as `replay.started`.
fn deed(job: &Job, verb: &str) -> Deed {
    Deed::new(job.bulk.account, &format!("{}.{verb}", job.bulk.kind.word()), job.id)
}

fn job_id(text: &str) -> Result<JobId, Problem> {
    JobId::parse(text).ok_or_else(|| Problem::not_found("job"))
}

fn view(store: &Store, job: &Job) -> JobView {
    let registry = store.registry();
    let webhook = job.bulk.source.webhook().and_then(|number| registry.webhook(number));
    JobView {
        id: job.id.to_string(),
        kind: job.bulk.kind.word(),
        of: job.bulk.source.word(),
        state: job.state.word(),
        webhook_id: webhook.map(|webhook| webhook.id.to_string()),
        ids: job.ids(),
        event_type: job.bulk.event_type.as_ref().map(EventFilter::to_string),
        from: job.bulk.from.map(time::rfc3339),
        to: job.bulk.to.map(time::rfc3339),
        examined: job.examined,
        done: job.done,
        skipped: job.skipped,
        created_at: time::rfc3339(job.created_at),
        ended_at: job.ended_at.map(time::rfc3339),
    }
}
