//! Calls that the server makes of its own API, in the name of somebody who was let in by a session. What stays true: such a call
//! passes the same route, the same look at scopes and the same audit as one with a key; nothing that comes over the network can be
//! taken for one; and what it may take is bounded.

use std::time::Duration;

use actix_http::{Payload, Request};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::to_bytes_limited;
use actix_web::dev::AppConfig;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::rt::time::timeout;
use actix_web::{App, HttpMessage, HttpResponse, web};
use bytes::Bytes;

use crate::api::access::auth::{InNameOf, Tenant};
use crate::api::door::client::Inner;
use crate::api::http::problem::Problem;
use crate::api::{Api, routes};
use crate::domain::Invalid;
use crate::domain::ability::Ability;

/// A longer reply is not shown.
const REPLY_BYTES_MAX: usize = 256 * 1024;
/// Nobody waits for longer before a page.
const CALL_SECONDS_MAX: u64 = 30;

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path and query, from `/api/v1` on.
    pub address: String,
    /// Its body; empty for none.
    pub body: String,
    /// Where the server was asked for it, such as `https://hooks.example`: links in the reply lead there.
    pub base_url: String,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; why there is none to show, where it is too long or took too long.
    pub body: Result<Bytes, &'static str>,
}

/// Makes a call in the name of whom the tenant is, for the account that it acts for. `ability` is what a person must be able to do for
/// it, where that is finer than a scope.
///
/// # Errors
/// The address is none, or the person may not do that.
pub async fn call(
    api: &web::Data<Api>,
    tenant: &Tenant,
    ability: Option<Ability>,
    call: Call,
) -> Result<Answer, Problem> {
    if let Some(missing) = ability.filter(|ability| !tenant.can(*ability)) {
        return Err(Problem::forbidden(format!("your role does not let you {}", missing.word())));
    }
    let address: Uri = call.address.parse().map_err(|_| Invalid::new("path", "is no path with a query"))?;
    let mut request = Request::with_payload(Payload::from(Bytes::from(call.body)));
    request.head_mut().method = call.method;
    request.head_mut().uri = address;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.extensions_mut().insert(Inner(call.base_url));
    request.extensions_mut().insert(InNameOf { tenant: tenant.clone(), granted: ability.map(Ability::needs) });
    let app = App::new().configure(routes).app_data(api.clone());
    let service = app.into_factory().new_service(AppConfig::default()).await;
    let service = service.map_err(|()| Problem::internal("the routes cannot be set up once more"))?;
    let answering = async {
        let reply = match service.call(request).await {
            Ok(reply) => reply.into_parts().1.map_into_boxed_body(),
            Err(error) => HttpResponse::from_error(error),
        };
        let status = reply.status();
        let body = match to_bytes_limited(reply.into_body(), REPLY_BYTES_MAX).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err("the reply was broken off"),
            Err(_) => Err("the reply is too long to be shown here: make this call with a key"),
        };
        Answer { status, body }
    };
    let late = Answer {
        status: StatusCode::GATEWAY_TIMEOUT,
        body: Err("it took too long to be shown here: make this call with a key"),
    };
    Ok(timeout(Duration::from_secs(CALL_SECONDS_MAX), answering).await.unwrap_or(late))
}
