//! Who asks: what a key is and whom it acts for, so that a client need not guess.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use super::view::{AccountView, KeyView, account_row, key_view};
use crate::api::Api;
use crate::api::access::auth::{Any, May};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;

/// Who asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Whoami {
    /// The key of this request, without its text; its `account` is whose it is.
    key: KeyView,
    /// The account that this request acts for.
    account: AccountView,
    /// Whether the key may do everything, for every account.
    is_admin: bool,
    /// Whether it acts for another account than its own.
    acts_for_another: bool,
}

/// Show who asks: the key, its scopes, and the account that it acts for
///
/// Any key will do. An admin's acts for the account that `Hookwheel-Account` names, else for `default`.
#[utoipa::path(
    operation_id = "accounts.whoami.get", security(("key" = [])),
    params(("Hookwheel-Account" = Option<String>, Header, description = "The account that an admin key acts for",
        pattern = "^[A-Za-z0-9_-]{1,64}$", example = "acme")),
    responses((status = 200, description = "The key and the account", body = Reply<Whoami>))
)]
#[get("/api/v1/whoami")]
pub async fn show(tenant: May<Any>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let key = tenant.api_key();
    let own = api.store.registry().account(key.account).cloned().ok_or_else(|| Problem::not_found("account"))?;
    let acting = tenant.account();
    Ok(Reply::ok(Whoami {
        key: key_view(&api, &own, key, None),
        account: account_row(acting),
        is_admin: tenant.is_admin(),
        acts_for_another: acting.number != key.account,
    }))
}
