//! `POST /api/v1/guard/explain`: where a URL leads, and which rule decides about it. What stays true: only admins are told,
//! since it tells what lies behind names in the server's own network; and nothing is dialled.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::Admin;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::webhooks::reach::reach;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::explain::Explained;

/// A URL to explain.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GuardExplain)]
struct ExplainInput {
    /// An `https://` or `http://` URL.
    url: String,
    /// The id of a webhook: what was opened for it counts too.
    #[serde(default)]
    webhook: Option<String>,
}

/// Say where a URL leads and which rules decide about it
///
/// Resolves the URL's host as a delivery would, and says of each address whether it may be dialled, and why.
#[utoipa::path(
    operation_id = "guard.explain", security(("key" = ["admin"])),
    request_body = ExplainInput,
    responses(
        (status = 200, description = "The addresses that it leads to now", body = Reply<Explained>),
        (status = 404, description = "There is no such webhook"),
    )
)]
#[post("/api/v1/guard/explain")]
pub async fn explain(Asked(tenant, body): Asked<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let input = body.read::<ExplainInput>()?;
    let url = EndpointUrl::parse(&input.url, true)?.parts();
    let opened = match &input.webhook {
        Some(id) => reach(&api, &tenant).webhook(id)?.allow.clone(),
        None => Vec::new(),
    };
    match api.outbound.explain(url, opened).await {
        Some(explained) => Ok(Reply::ok(explained)),
        None => Err(Problem::stopping()),
    }
}
