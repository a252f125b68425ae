//! The audit log of an account: who changed what, when and from where. It can be read, and nothing in the API changes it.

use std::net::IpAddr;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::{Manage, May};
use super::page::{Listed, PageReply, Window};
use super::problem::{ErrorReply, Problem};
use super::request::Query;
use crate::domain::audit::AuditEntry;
use crate::domain::id::AuditId;
use crate::domain::time;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Only this action, such as `webhook.deleted`.
    action: Option<String>,
    /// Only what was done to the thing of this id.
    target: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An entry: something was changed, or a secret was shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AuditView {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    /// What was done, such as `webhook.changed`.
    action: String,
    /// The id of what it was done to.
    target: String,
    /// The settings that changed, without their values.
    fields: Vec<String>,
    /// The id of the key that did it; null where the server did.
    key_id: Option<String>,
    /// The key's name at that time.
    key_name: Option<String>,
    /// Where the request came from: a proxy's address, if there is one before the server.
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
}

/// List who changed what, newest first
#[utoipa::path(tag = "audit", params(AuditQuery), responses(
    (status = 200, description = "A page of entries", body = PageReply<AuditView>),
    (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
))]
#[get("/api/v1/audit")]
pub async fn list(
    tenant: May<Manage>,
    api: web::Data<Api>,
    Query(query): Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    let window = Window::read(query.limit.as_deref(), query.cursor.as_deref())?;
    let account = tenant.account().number;
    let wanted = move |entry: &AuditEntry| {
        query.action.as_ref().is_none_or(|action| entry.deed.action == *action)
            && query.target.as_ref().is_none_or(|target| entry.deed.target == *target)
    };
    let listed = web::block(move || api.store.audit_log(account, window.before.map(AuditId), window.limit, wanted));
    Ok(HttpResponse::Ok().json(PageReply::from(Listed::from(listed.await??).map(view))))
}

fn view(entry: AuditEntry) -> AuditView {
    AuditView {
        id: entry.id.to_string(),
        at: time::rfc3339(entry.id.time()),
        action: entry.deed.action,
        target: entry.deed.target,
        fields: entry.deed.fields,
        key_id: entry.by.key.map(|key| key.to_string()),
        key_name: entry.by.key_name,
        address: entry.by.address,
    }
}
