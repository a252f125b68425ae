//! What every request passes before anything else looks at it: bounds on its URL and its headers; and what every reply says to whoever keeps or shows it. HTTP/1.1 heads over 128 KiB or with over 96 headers never get here: the server's own code
//! refuses them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::http::{ConnectionType, header};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use bytes::Bytes;

use crate::api::Api;
use crate::api::access::limits::Limits;
use crate::api::door::connections::{Admitted, Place, UnderWay};
use crate::api::http::code::Code;
use crate::api::http::problem::Problem;

/// Over TLS: for a year nobody who has been here comes back without TLS.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// Nobody keeps a reply that does not say otherwise: it may hold a secret.
const KEPT_BY_NOBODY: HeaderValue = HeaderValue::from_static("no-store");
/// Nobody takes a reply for something else than it says.
const AS_IT_SAYS: HeaderValue = HeaderValue::from_static("nosniff");

/// The codes of replies that leave a body unread, or break it off.
const BODY_REFUSED: [Code; 3] = [Code::SlowBody, Code::BodyTooLarge, Code::TooManyBodies];

/// A reply's body, which holds its place on the connection until it has gone out.
pub struct Held {
    body: BoxBody,
    _place: Option<Place>,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// The middleware.
pub async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Held>, Error> {
    let mut under_way = request.conn_data::<Arc<Admitted>>().map(|admitted| admitted.begin());
    let place = under_way.as_mut().and_then(UnderWay::take_place);
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app").clone();
    if let Err(problem) = vet(&api.settings().limits, under_way.as_ref(), &request) {
        return Ok(told(request, &problem, place));
    }
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut reply = next.call(request).await?;
    // Who comes again may find another node that owns the store.
    if api.connections.is_stopping() || !api.store.is_open() {
        reply.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let is_error = reply.status().is_client_error();
    let code = reply.response().extensions().get::<Code>().copied();
    let is_body_refused = code.is_some_and(|code| BODY_REFUSED.contains(&code));
    if let Some(under_way) = &mut under_way
        && (is_body_refused || (is_chunked && is_error))
    {
        under_way.linger();
    }
    Ok(held(reply, place))
}

fn told(request: ServiceRequest, problem: &Problem, place: Option<Place>) -> ServiceResponse<Held> {
    held(request.into_response(problem.error_response()), place)
}

fn held(mut reply: ServiceResponse<impl MessageBody + 'static>, place: Option<Place>) -> ServiceResponse<Held> {
    let is_tls = reply.request().conn_data::<Arc<Admitted>>().is_some_and(|admitted| admitted.is_tls);
    let headers = reply.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, AS_IT_SAYS);
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, KEPT_BY_NOBODY);
    }
    if is_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    reply.map_into_boxed_body().map_body(|_, body| Held { body, _place: place })
}

fn vet(limits: &Limits, under_way: Option<&UnderWay>, request: &ServiceRequest) -> Result<(), Problem> {
    if under_way.is_some_and(UnderWay::is_too_late) {
        return Err(Problem::stopping());
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
