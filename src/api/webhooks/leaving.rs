//! Deleting many webhooks: those that are named or that a filter selects, the same as the list's.

use std::collections::HashSet;

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use super::filter::WebhooksFilter;
use super::reach::{Reach, reach};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::Manage;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::jobs::start::answer_without;
use crate::api::jobs::view::{CountView, JobView};
use crate::api::openapi::words::WebhookStatus;
use crate::domain::Invalid;
use crate::domain::id::WebhookId;
use crate::domain::job::{Bulk, IDS_MAX, JobKind, Source};

/// Bytes of a text that filters: it is kept with the job.
const TEXT_BYTES_MAX: usize = 2048;

/// Which webhooks: those that are named, all of them, or those of which all holds that the other fields say.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookSelection)]
struct WebhooksInput {
    /// Webhook ids, ours or your own, 1 to 1000; not together with a filter.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// True: every webhook of the account; not together with a filter.
    #[serde(default)]
    all: bool,
    /// Only those with this in their URL, such as its host; upper and lower case are the same.
    #[serde(default)]
    url: Option<String>,
    /// Only those with this in their name; upper and lower case are the same.
    #[serde(default)]
    name: Option<String>,
    /// Only those that want events of this type, whatever their `filter` says.
    #[serde(default)]
    event_type: Option<String>,
    /// Only those whose deliveries go out, or do not, so.
    #[serde(default)]
    #[schema(value_type = Option<WebhookStatus>)]
    status: Option<String>,
    /// Only those of this dialect.
    #[serde(default)]
    dialect: Option<String>,
    /// Only the one of this own id.
    #[serde(default)]
    uid: Option<String>,
    /// Only those with this tag.
    #[serde(default)]
    tag: Option<String>,
    /// Only those of this channel; not those without any.
    #[serde(default)]
    channel: Option<String>,
    /// Count, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Delete many webhooks: those of `ids`, or those that a filter selects
///
/// A job deletes them one after the other; each is as if it had been deleted alone. A webhook is asked whether it is one of them
/// when it is its turn; what is made after the request is none. An id of which there is no webhook (any more) is `skipped`, so the
/// same call can be made again.
#[utoipa::path(
    operation_id = "webhooks.bulk.delete", security(("key" = ["manage"])),
    request_body = WebhooksInput,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/webhooks/delete")]
pub async fn delete_many(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let input = body.read_or_empty::<WebhooksInput>()?;
    let dry_run = input.dry_run;
    let (source, missing) = source(&reach(&api, &tenant), input)?;
    let (account, kind) = (tenant.account().number, JobKind::Delete);
    let bulk = Bulk { account, kind, source, event_type: None, from: None, to: None };
    answer_without(&api, &tenant, bulk, missing, dry_run).await
}

/// Where to look, and how many were named that are not there.
fn source(reach: &Reach<'_>, input: WebhooksInput) -> Result<(Source, u64), Problem> {
    let WebhooksInput { ids, all, url, name, event_type, status, dialect, uid, tag, channel, dry_run: _ } = input;
    let texts =
        [("url", &url), ("name", &name), ("dialect", &dialect), ("uid", &uid), ("tag", &tag), ("channel", &channel)];
    for (field, text) in texts {
        // A value that somebody forgot to fill in must not select all.
        if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > TEXT_BYTES_MAX) {
            return Err(Invalid::new(field, format!("must be 1 to {TEXT_BYTES_MAX} bytes")).into());
        }
    }
    let selection = WebhooksFilter { text: None, url, name, event_type, status, dialect, uid, tag, channel };
    let selection = selection.selection()?;
    match (ids, all, selection.is_open()) {
        (Some(_), true, _) | (Some(_), _, false) => {
            Err(Invalid::new("ids", "cannot stand together with all or a filter").into())
        }
        (None, true, false) => Err(Invalid::new("all", "cannot stand together with a filter").into()),
        (Some(ids), false, true) => {
            let (there, missing) = named(reach, &ids)?;
            Ok((Source::TheseWebhooks(there), missing))
        }
        (None, false, true) => {
            let message = "must be there, or all or a filter: they say which webhooks";
            Err(Invalid::new("ids", message).into())
        }
        (None, true, true) | (None, false, false) => Ok((Source::Webhooks(Box::new(selection)), 0)),
    }
}

/// The webhooks of these ids, ascending, each once; and how many of the ids are nobody's here.
fn named(reach: &Reach<'_>, ids: &[String]) -> Result<(Vec<WebhookId>, u64), Problem> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Invalid::new("ids", format!("must be 1 to {IDS_MAX} webhook ids")).into());
    }
    let (mut found, mut missing) = (Vec::with_capacity(ids.len()), HashSet::new());
    for id in ids {
        match reach.called(id) {
            Some(webhook) => found.push(webhook.id),
            None => {
                missing.insert(id);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok((found, missing.len() as u64))
}
