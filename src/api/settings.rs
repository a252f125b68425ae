//! The server's settings, for admins: each knob with its value and its default, so that a loosened one shows. What stays
//! true: a secret is never among them, only whether it is set.

use actix_web::{HttpResponse, get, web};

use crate::api::access::auth::{Admin, May};
use crate::api::http::page::PageReply;
use crate::api::http::problem::Problem;
use crate::api::{Api, Knob};

/// List the server's settings
///
/// What the configuration file and the environment have made of each, beside its default. SIGHUP applies a change of some, others
/// need a restart: `hookwheel config explain` tells which.
#[utoipa::path(
    operation_id = "server.settings.list", security(("key" = ["admin"])),
    responses((status = 200, description = "All of them", body = PageReply<Knob>))
)]
#[get("/api/v1/settings")]
pub async fn list(_: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(PageReply::whole(api.settings().knobs.clone())))
}
