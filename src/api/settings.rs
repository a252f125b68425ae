//! The server's settings, for admins: each knob with its value and its default, so that a loosened one shows. What stays
//! true: a secret is never among them, only whether it is set.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;

use super::Api;
use super::auth::{Admin, May};
use super::page::PageReply;
use super::problem::Problem;

/// A setting of the server.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Knob {
    /// Its section and its key in the configuration, such as `server.body_bytes_max`.
    pub name: String,
    /// What it is set to; of a secret only "set" or null.
    pub value: Value,
    /// What it is where nobody sets it.
    pub default: Value,
}

/// List the server's settings
///
/// What the configuration file and the environment have made of each, beside its default. A change needs a restart.
#[utoipa::path(tag = "health", responses(
    (status = 200, description = "All of them", body = PageReply<Knob>),
))]
#[get("/api/v1/settings")]
pub async fn list(_: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(PageReply::whole(api.settings.knobs.clone())))
}
