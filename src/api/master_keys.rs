//! The master keys, by their marks: which seals, which others are known, and what each has sealed. A mark tells nothing of
//! its key.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, post, web};
use serde::Serialize;

use crate::api::Api;
use crate::api::access::auth::{Admin, May, Tenant};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;

/// The master keys.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MasterKeys)]
pub struct MasterKeysView {
    /// The mark of the key that seals.
    pub current: String,
    /// The marks of all keys.
    pub known: Vec<String>,
    /// How many webhooks and users each key has sealed. A key that is not here can be taken out.
    pub in_use: BTreeMap<String, usize>,
}

/// Show which master keys are in use
#[utoipa::path(
    operation_id = "server.master_keys.get", security(("key" = ["admin"])),
    responses((status = 200, description = "The keys, by their marks", body = Reply<MasterKeysView>))
)]
#[get("/api/v1/master-keys")]
pub async fn show(_: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(master_keys(&api)?))
}

/// Read the master keys again, and encrypt everything with the first of them
///
/// To rotate: put a new key before the old one, call this, and take the old one out once `in_use` does not name it.
#[utoipa::path(
    operation_id = "server.master_keys.reload", security(("key" = ["admin"])),
    responses(
        (status = 200, description = "They were read; what others have sealed is being sealed again",
            body = Reply<MasterKeysView>),
        (status = 400, description = "They cannot be read, or one that is in use is missing; all stays as it was"),
    )
)]
#[post("/api/v1/master-keys/reload")]
pub async fn reload(tenant: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(read_again(&api, &tenant).await?))
}

/// Reads them again; what others than the first have sealed is sealed again from now on.
pub async fn read_again(api: &Api, tenant: &Tenant) -> Result<MasterKeysView, Problem> {
    api.store.reload_master_keys(tenant.actor()).await?;
    master_keys(api)
}

/// Which there are, and what each has sealed.
pub fn master_keys(api: &Api) -> Result<MasterKeysView, Problem> {
    let keys = api.store.master_keys();
    let in_use = api.store.sealed_by()?.into_iter().map(|(mark, count)| (mark.to_string(), count)).collect();
    let known = keys.marks().map(|mark| mark.to_string()).collect();
    Ok(MasterKeysView { current: keys.current().to_string(), known, in_use })
}
