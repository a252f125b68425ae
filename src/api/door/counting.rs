//! Where the API counts its replies, and tells the log of each: one middleware sees every one.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::told;
use crate::api::Api;
use crate::api::http::code::Code;
use crate::clock::Stopwatch;

/// The middleware.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app").clone();
    let watch = Stopwatch::start();
    let reply = next.call(request).await?;
    let code = reply.response().extensions().get::<Code>().copied();
    api.served.count_reply(reply.status().as_u16(), code);
    if told::is_on() {
        told::log(&reply, &watch);
    }
    Ok(reply)
}
