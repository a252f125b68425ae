//! A reply that holds something of a budget until it has been written. What stays true: it is the reply that it was.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

use crate::domain::byte_budget::Charge;

/// The reply's body with what it holds.
struct Charged {
    body: BoxBody,
    _charges: Vec<Charge>,
}

/// The same reply, which holds these until its body is written or dropped.
pub fn charged(reply: HttpResponse, charges: Vec<Charge>) -> HttpResponse {
    reply.map_body(|_, body| BoxBody::new(Charged { body, _charges: charges }))
}

impl MessageBody for Charged {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::byte_budget::ByteBudget;

    #[actix_rt::test]
    async fn what_a_reply_holds_is_given_back_once_it_is_gone() {
        let budget = ByteBudget::new(1 << 20);
        let mut charge = budget.charge(1);
        charge.grow_to(1 << 16).expect("there is room");
        let reply = charged(HttpResponse::Ok().body("hello"), vec![charge]);
        assert_eq!((reply.body().size(), budget.held_bytes()), (BodySize::Sized(5), 1 << 16));
        let read = actix_web::body::to_bytes(reply.into_body()).await;
        assert_eq!((read.ok().as_deref(), budget.held_bytes()), (Some(&b"hello"[..]), 0));
    }
}
