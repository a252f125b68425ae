//! What a node answers that owns nothing and reaches nobody who does: that it lives, and that whoever asks may ask again.

use std::convert::Infallible;

use actix_http::{ConnectionType, Request, Response};
use actix_web::ResponseError;
use actix_web::body::BoxBody;

use crate::api::health::routes::is_live;
use crate::api::http::problem::Problem;

/// Answers. Whoever asks again does so on another connection, which may be handed on.
pub async fn answer(request: Request) -> Result<Response<BoxBody>, Infallible> {
    let mut reply = match request.path() {
        "/health/live" => is_live(),
        _ => Problem::no_owner().error_response(),
    };
    reply.head_mut().set_connection_type(ConnectionType::Close);
    Ok(reply.into())
}
