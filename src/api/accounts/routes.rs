//! Accounts and their keys. For admin keys only; a key's text is in the reply that makes it and nowhere else.

use actix_web::{HttpResponse, delete, get, patch, post, web};

use super::filter::AccountsFilter;
use super::input::{AccountChange, AccountInput, KeyInput};
use super::operations::{self, existing};
use super::view::{AccountView, KeyView, account_row, account_view};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Admin, May};
use crate::api::across;
use crate::api::http::list::{ListQuery, NoFilter, answer};
use crate::api::http::page::{PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::jobs::view::JobView;

/// Make an account
#[utoipa::path(
    operation_id = "accounts.create", security(("key" = ["admin"])),
    request_body = AccountInput,
    responses(
        (status = 201, description = "Made", body = Reply<AccountView>),
        (status = 409, description = "There is one of this id"),
    )
)]
#[post("/api/v1/accounts")]
pub async fn create(Asked(tenant, body): Asked<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(Reply::created(operations::create(&api, &tenant, body.read::<AccountInput>()?).await?))
}

/// List accounts
#[utoipa::path(
    operation_id = "accounts.list", security(("key" = ["admin"])),
    params(AccountsFilter, PageQuery),
    responses((status = 200, description = "A page of accounts", body = PageReply<AccountView>))
)]
#[get("/api/v1/accounts")]
pub async fn list(
    tenant: May<Admin>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<AccountsFilter>,
) -> Result<HttpResponse, Problem> {
    let rows = move |api: &Api, window: Window| Ok(across::accounts(api, &filter, window).map(|one| account_row(&one)));
    answer(&api, tenant.account().number, part, rows).await
}

/// Show an account
#[utoipa::path(
    operation_id = "accounts.get", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The account", body = Reply<AccountView>))
)]
#[get("/api/v1/accounts/{id}")]
pub async fn show(_: May<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(account_view(&existing(&api, &id)?)))
}

/// Change an account's name, dialect, validation, limits, tags or portal: what is left out stays, a limit that is null goes back to the server's
///
/// Lower limits take nothing away that is there, and webhooks that are there keep their dialect. A dialect that was not served
/// is served from then on.
#[utoipa::path(
    operation_id = "accounts.change", security(("key" = ["admin"])),
    params(("id" = String, Path)), request_body = AccountChange,
    responses((status = 200, description = "Changed", body = Reply<AccountView>))
)]
#[patch("/api/v1/accounts/{id}")]
pub async fn change(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    existing(&api, &id)?;
    Ok(Reply::ok(operations::change(&api, &tenant, &id, body.read::<AccountChange>()?).await?))
}

/// Delete an account, and all that there is of it
///
/// From the reply on it is not found, its keys are refused and its webhooks send nothing. What is kept of it (webhooks with
/// their secrets, events, deliveries, statistics, its audit log) goes in steps: the job that does it belongs to the account
/// `default`, shows how far it is, and cannot be stopped. The id is free again once it is done. The deletion stands in the
/// audit log of `default`. The accounts `default` and `operator` are there from the start and cannot be deleted.
#[utoipa::path(
    operation_id = "accounts.delete", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses(
        (status = 202, description = "Deleted; a job removes what is left of it", body = Reply<JobView>),
        (status = 409, description = "It is there from the start, or the key of this request is one of its own"),
    )
)]
#[delete("/api/v1/accounts/{id}")]
pub async fn delete(tenant: May<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::accepted(operations::delete(&api, &tenant, &id).await?))
}

/// Make a key of an account; the reply is the only place that shows it
#[utoipa::path(
    operation_id = "accounts.keys.create", security(("key" = ["admin"])),
    params(("id" = String, Path)), request_body = KeyInput,
    responses(
        (status = 201, description = "Made", body = Reply<KeyView>),
        (status = 409, description = "It has as many keys as it may"),
    )
)]
#[post("/api/v1/accounts/{id}/keys")]
pub async fn create_key(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    existing(&api, &id)?;
    Ok(Reply::created(operations::create_key(&api, &tenant, &id, body.read::<KeyInput>()?).await?))
}

/// List the keys of an account, without their texts
#[utoipa::path(
    operation_id = "accounts.keys.list", security(("key" = ["admin"])),
    params(("id" = String, Path), PageQuery),
    responses((status = 200, description = "A page of its keys", body = PageReply<KeyView>))
)]
#[get("/api/v1/accounts/{id}/keys")]
pub async fn list_keys(
    tenant: May<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    let account = existing(&api, &id)?;
    let rows = move |api: &Api, window: Window| Ok(operations::keys(api, &account, window));
    answer(&api, tenant.account().number, part, rows).await
}

/// Revoke a key: it is refused from now on
#[utoipa::path(
    operation_id = "accounts.keys.revoke", security(("key" = ["admin"])),
    params(("id" = String, Path), ("key_id" = String, Path)),
    responses(
        (status = 204, description = "Revoked"),
        (status = 409, description = "It is the key of this request"),
    )
)]
#[delete("/api/v1/accounts/{id}/keys/{key_id}")]
pub async fn revoke_key(
    tenant: May<Admin>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let account = existing(&api, &path.0)?.number;
    operations::revoke_key(&api, &tenant, account, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}
