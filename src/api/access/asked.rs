//! A request with a body, of somebody who may make it. What stays true: the body is read only for who was let in, so whoever
//! is refused, or waits to hear of it, costs no more than what the connection had at hand.

use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::future::LocalBoxFuture;

use crate::api::access::auth::{May, Needs};
use crate::api::http::body::Body;
use crate::api::http::problem::Problem;

/// Who asks, with a key that has the scope `N`, and the body that came with it: what handlers of such requests ask for.
#[derive(Debug)]
pub struct Asked<N>(pub May<N>, pub Body);

impl<N: Needs + 'static> FromRequest for Asked<N> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        // Kept while a guesser waits: what nobody holds any more is read to be thrown away.
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let tenant = May::from_request(&request, &mut dev::Payload::None).await?;
            let body = Body::receive(&request, &mut payload, tenant.account().number).await?;
            Ok(Self(tenant, body))
        })
    }
}
