//! What every request passes before anything else looks at it: bounds on its URL and its headers, and on how many its
//! connection has under way. HTTP/1.1 heads over 128 KiB or with over 96 headers never get here: the server's own code
//! refuses them.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use super::Api;
use super::connections::{Guard, UnderWay};
use super::limits::Limits;
use super::problem::Problem;

/// Replies that leave a body unread, or break it off.
const BODY_REFUSED: [StatusCode; 2] = [StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE];

/// The middleware.
pub async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let mut under_way = request.conn_data::<Guard>().map(Guard::begin);
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app");
    if let Err(problem) = vet(&api.settings.limits, under_way.as_ref(), &request) {
        return Ok(request.into_response(problem.error_response()).map_into_right_body());
    }
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let reply = next.call(request).await?;
    let is_error = reply.status().is_client_error();
    if let Some(under_way) = &mut under_way
        && (BODY_REFUSED.contains(&reply.status()) || (is_chunked && is_error))
    {
        under_way.linger();
    }
    Ok(reply.map_into_left_body())
}

fn vet(limits: &Limits, under_way: Option<&UnderWay>, request: &ServiceRequest) -> Result<(), Problem> {
    if under_way.is_some_and(UnderWay::is_one_too_many) {
        return Err(Problem::rate_limited("this connection has too many requests under way; await some replies", 0));
    }
    let url_bytes = request.uri().path().len() + request.query_string().len();
    if url_bytes > limits.url_bytes_max {
        return Err(Problem::url_too_long(limits.url_bytes_max));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > limits.headers_max || bytes > limits.header_bytes_max {
        return Err(Problem::headers_too_large(limits.headers_max, limits.header_bytes_max));
    }
    Ok(())
}
