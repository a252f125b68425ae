//! The body of a request. What stays true: it is counted as it arrives, in a budget that accounts share; it is never longer
//! than the limit nor waited for longer than it says; and it is taken for JSON whatever its Content-Type.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::rt::time::timeout;
use actix_web::{HttpRequest, dev, web};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Map;

use crate::api::Api;
use crate::api::door::connections::Admitted;
use crate::api::http::problem::Problem;
use crate::api::http::request::{Object, read_json, read_map};
use crate::domain::byte_budget::Charge;
use crate::domain::id::AccountNumber;

/// A body is given room for what it says it has, up to this; beyond, room grows with what arrives.
const ROOM_AT_ONCE: usize = 16 * 1024;

/// The whole body of a request.
#[derive(Debug)]
pub struct Body {
    /// What came.
    pub bytes: Bytes,
    /// Its share of the budget, for as long as it is held.
    _charge: Charge,
}

impl Body {
    /// Receives it. Only for who was let in (see `Asked`): whoever else asks could make the server read for nothing.
    pub async fn receive(
        request: &HttpRequest,
        payload: &mut dev::Payload,
        account: AccountNumber,
    ) -> Result<Self, Problem> {
        let encoding = request.headers().get(header::CONTENT_ENCODING).map(|value| value.as_bytes());
        if let Some(encoding) = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            return Err(Problem::encoded_body(&String::from_utf8_lossy(encoding)));
        }
        let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app");
        let seconds = api.settings().limits.body_seconds;
        let _receiving = request.conn_data::<Arc<Admitted>>().map(|admitted| admitted.receive());
        let arriving = Arriving {
            declared: declared(request),
            bytes_max: api.settings().body_bytes_max,
            charge: api.bodies.charge(account),
            bodies_bytes_max: api.bodies.max(),
        };
        let received = timeout(Duration::from_secs(seconds), arriving.gather(payload)).await;
        received.map_err(|_| Problem::slow_body(seconds))?
    }

    /// One that was made here of what a form says, and counts like any other.
    ///
    /// # Errors
    /// It is longer than the server takes, or there is no room for it now.
    pub fn made(api: &Api, account: AccountNumber, bytes: Bytes) -> Result<Self, Problem> {
        if bytes.len() > api.settings().body_bytes_max {
            return Err(Problem::body_too_large(api.settings().body_bytes_max));
        }
        let mut charge = api.bodies.charge(account);
        charge.grow_to(bytes.len()).map_err(|no_room| Problem::no_room(no_room, api.bodies.max()))?;
        Ok(Self { bytes, _charge: charge })
    }

    /// Reads one JSON object.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read_json::<Object<T>>(&self.bytes).map(|object| object.0)
    }

    /// Reads one JSON object; no body at all is an empty one. Null is none: where an empty object means all, a value that
    /// somebody forgot to fill in must not.
    pub fn read_or_empty<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.is_blank() { read_map(Map::new()) } else { self.read() }
    }

    /// Whether there is nothing but what JSON takes for white space; a form feed, for one, is a mistake.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(|byte| b" \t\r\n".contains(byte))
    }
}

/// How long the body says it is.
fn declared(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body on its way.
struct Arriving {
    declared: Option<usize>,
    bytes_max: usize,
    charge: Charge,
    bodies_bytes_max: usize,
}

impl Arriving {
    async fn gather(mut self, payload: &mut dev::Payload) -> Result<Body, Problem> {
        if let Some(length) = self.declared {
            self.vet(length)?;
            // What it says is not held for it, else whoever says much and sends little would hold all.
            self.charge.may_grow_to(length).map_err(|no_room| Problem::no_room(no_room, self.bodies_bytes_max))?;
        }
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(Problem::broken_body)?;
            let length = body.len() + chunk.len();
            self.vet(length)?;
            if length > body.capacity() {
                let room = self.room(length);
                self.charge.grow_to(room).map_err(|no_room| Problem::no_room(no_room, self.bodies_bytes_max))?;
                body.reserve_exact(room - body.len());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Body { bytes: body.into(), _charge: self.charge })
    }

    fn vet(&self, length: usize) -> Result<(), Problem> {
        if length > self.bytes_max { Err(Problem::body_too_large(self.bytes_max)) } else { Ok(()) }
    }

    /// For how many bytes there should be room once so many have come: twice as many, so that few of them are copied often,
    /// but not more than will come.
    fn room(&self, length: usize) -> usize {
        let most = self.declared.unwrap_or(self.bytes_max);
        (2 * length).max(ROOM_AT_ONCE).min(most).max(length)
    }
}
