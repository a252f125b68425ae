//! What a request that cannot be served is told: one table from every error to a status, a code and a sentence. What
//! stays true: every error reply of the server has the shape `{"error":{"code","message","field"?}}`, a 503 says when
//! to try again, and no message shows the inside of the store.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::api::http::allowance;
use crate::api::http::code::Code;
use crate::api::openapi::words::ErrorCode;
use crate::domain::Invalid;
use crate::domain::account::Scope;
use crate::domain::byte_budget::NoRoom;
use crate::domain::rate_limit::Allowance;
use crate::pulse::Stuck;
use crate::store::{Refusal, StoreError};

/// Seconds after which a full queue is worth another try.
const RETRY_SOON_SECONDS: u32 = 1;
/// Seconds after which a store that lacks space, or is being opened again, is worth another try.
const RETRY_LATER_SECONDS: u32 = 10;

/// An error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: Code,
    message: String,
    field: Option<String>,
    retry_after_seconds: Option<u32>,
    allow: Option<Box<str>>,
    left: Option<Box<Allowance>>,
    parts: Box<[ErrorPart]>,
}

/// The body of every error reply.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorReply<'a> {
    /// What went wrong.
    error: ErrorBody<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    /// One word for programs: it never changes for the same error.
    #[schema(value_type = ErrorCode)]
    code: &'a str,
    /// One sentence for people: what is wrong and what to do about it.
    message: &'a str,
    /// The field that it is about, with its path (`events[2]`, `[3].type` in a batch); left out where it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, example = "events[2]")]
    field: Option<&'a str>,
    /// Each fault, where several can be told at once (`invalid_data`): at most 20; left out elsewhere.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false, max_items = 20)]
    errors: &'a [ErrorPart],
}

/// One of several things that are wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ErrorPart {
    /// Where: the field, and within data that does not fit its schema a JSON Pointer behind it (`[3].data/items/0/amount`).
    #[schema(example = "[3].data/items/0/amount")]
    pub field: String,
    /// What is wrong there.
    #[schema(example = "value is not of type \"number\"")]
    pub message: String,
}

impl Problem {
    fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            retry_after_seconds: None,
            allow: None,
            left: None,
            parts: Box::default(),
        }
    }

    /// 400: the body is not JSON, or not of the kind that is asked for.
    pub fn json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidJson, message)
    }

    /// 401: no key, or one that is not known or has expired.
    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message)
    }

    /// 403: the key lacks a scope.
    pub fn scope_missing(scope: Scope) -> Self {
        Self::forbidden(format!("this key lacks the scope {:?}", scope.word()))
    }

    /// 403: the key may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Code::Forbidden, message)
    }

    /// 404: the account has no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, format!("there is no such {what}"))
    }

    /// 404: nothing answers at this path.
    pub fn no_route(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            format!("nothing is at {path}; /openapi.json lists what there is"),
        )
    }

    /// 405: the path answers to other methods; `allow` lists them.
    pub fn method_not_allowed(method: &str, path: &str, allow: String) -> Self {
        let message = format!("{path} does not answer to {method}, only to {allow}");
        Self { allow: Some(allow.into()), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed, message) }
    }

    /// 422: data does not fit the schema of its type; there is at least one fault.
    pub fn data(faults: Vec<ErrorPart>) -> Self {
        let more = match faults.len() {
            0 | 1 => String::new(),
            n => format!("; and {} more, see errors", n - 1),
        };
        let first =
            faults.first().map_or((String::new(), String::new()), |one| (one.field.clone(), one.message.clone()));
        let message = format!("{}: {}{more}", first.0, first.1);
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidData, message).with_field(first.0);
        Self { parts: faults.into(), ..problem }
    }

    /// 409: the account has this already.
    pub fn event_type_exists(name: &str) -> Self {
        let message = format!("type: the account has an event type {name:?}; change that one with PATCH");
        Self::new(StatusCode::CONFLICT, Code::EventTypeExists, message).with_field("type")
    }

    /// 409: the thing is in a state in which this cannot be done; the message says what to do.
    pub fn wrong_state(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Code::WrongState, message)
    }

    /// 409: what was pulled is not the caller's any more.
    pub fn lease_lost() -> Self {
        let message = "none of these leases goes on: they ran out, the server was started anew, or the webhook was held or \
                       deleted; what was not acknowledged is handed out again by its schedule";
        Self::new(StatusCode::CONFLICT, Code::LeaseLost, message).with_field("leases")
    }

    /// 429 or 503: as many consumers wait as may.
    pub fn too_many_polls(no_room: NoRoom) -> Self {
        let message = "as many calls wait for deliveries as may at once; ask again, or with fewer at once";
        match no_room {
            NoRoom::AtAll => Self::busy(Code::TooManyPolls, message, RETRY_SOON_SECONDS),
            NoRoom::OfAccount => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                ..Self::busy(Code::TooManyPolls, format!("of this account {message}"), RETRY_SOON_SECONDS)
            },
        }
    }

    /// 429 or 503: as many streams are read as may be.
    pub fn too_many_streams(no_room: NoRoom) -> Self {
        let message = "as many streams are read as may be at once; end one, or come back later";
        match no_room {
            NoRoom::AtAll => Self::busy(Code::TooManyStreams, message, RETRY_LATER_SECONDS),
            NoRoom::OfAccount => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                ..Self::busy(Code::TooManyStreams, format!("of this account {message}"), RETRY_LATER_SECONDS)
            },
        }
    }

    /// 503: as many passwords are tried and wait to be as may.
    pub fn too_many_passwords() -> Self {
        let message = "too many people are logging in at this moment; try again in a few seconds";
        Self::busy(Code::TooManyPasswords, message, RETRY_SOON_SECONDS)
    }

    /// 503: the identity provider cannot be asked.
    pub fn provider_away(message: impl Into<String>) -> Self {
        Self::busy(Code::Unavailable, message, RETRY_SOON_SECONDS)
    }

    /// 503: this node does not own the store, and reaches nobody who does.
    pub fn no_owner() -> Self {
        let message = "this node reaches no node that owns the store; try again in a moment";
        Self::busy(Code::Unavailable, message, RETRY_SOON_SECONDS)
    }

    /// 503: the store is away, and what was said is not recorded yet.
    pub fn not_recorded() -> Self {
        Self::busy(Code::Unavailable, "it is not recorded yet; say it again", RETRY_SOON_SECONDS)
    }

    /// 508: the request was made by a Hookwheel's own delivery.
    pub fn loop_detected() -> Self {
        Self::new(
            StatusCode::LOOP_DETECTED,
            Code::LoopDetected,
            "this request is a delivery (it has Hookwheel-Hop): what it asks for could go round for ever; point the webhook \
             at an application, and let that ask",
        )
    }

    /// 503: the server stops.
    pub fn stopping() -> Self {
        Refusal::Closed.into()
    }

    /// 503: a thread that the server cannot do without does not go on.
    pub fn stuck(stuck: &Stuck) -> Self {
        Self::busy(Code::Stuck, stuck.to_string(), RETRY_LATER_SECONDS)
    }

    /// 413: the body is longer than `max` bytes.
    pub fn body_too_large(max: usize) -> Self {
        let message = format!("the body is longer than {max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BodyTooLarge, message)
    }

    /// 429 or 503: so much of bodies is on its way that this one has no room; there are `max` bytes.
    pub fn no_room(no_room: NoRoom, max: usize) -> Self {
        let problem = Self::busy(
            Code::TooManyBodies,
            format!("too much of request bodies is on its way (server.bodies_bytes_max = {max}); send it again"),
            RETRY_SOON_SECONDS,
        );
        match no_room {
            NoRoom::AtAll => problem,
            NoRoom::OfAccount => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                message: format!(
                    "this account has too much of request bodies on its way (server.bodies_bytes_max = {max}, of which \
                     one account gets a part); send fewer at once"
                ),
                ..problem
            },
        }
    }

    /// 408: the body has not come whole in time.
    pub fn slow_body(seconds: u64) -> Self {
        let message = format!("the body did not arrive within {seconds} seconds");
        Self::new(StatusCode::REQUEST_TIMEOUT, Code::SlowBody, message)
    }

    /// 414: path and query are longer than `max` bytes.
    pub fn url_too_long(max: usize) -> Self {
        Self::new(StatusCode::URI_TOO_LONG, Code::UrlTooLong, format!("path and query are longer than {max} bytes"))
    }

    /// 431: too many headers, or too much in them.
    pub fn headers_too_large(count_max: usize, bytes_max: usize) -> Self {
        let message = format!("there are more than {count_max} headers, or more than {bytes_max} bytes in them");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::HeadersTooLarge, message)
    }

    /// 415: the body is compressed.
    pub fn encoded_body(encoding: &str) -> Self {
        let message = format!("bodies are taken uncompressed, not with Content-Encoding {encoding:?}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::EncodedBody, message)
    }

    /// 400: the body broke off, or HTTP around it is broken.
    pub fn broken_body(error: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BrokenBody, format!("the body could not be read: {error}"))
    }

    /// 500: what should not happen; the cause is in the log.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "the server failed; its log says why")
    }

    fn conflict(code: Code, refusal: &Refusal) -> Self {
        Self::new(StatusCode::CONFLICT, code, refusal.to_string())
    }

    fn busy(code: Code, message: impl Into<String>, seconds: u32) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        Self { retry_after_seconds: Some(seconds), ..problem }
    }

    /// 429: too much in too short a time; worth another try in `wait_ms`.
    pub fn rate_limited(message: impl Into<String>, wait_ms: u64) -> Self {
        let seconds = u32::try_from(wait_ms.div_ceil(1000).max(1)).unwrap_or(u32::MAX);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message);
        Self { retry_after_seconds: Some(seconds), ..problem }
    }

    /// The same problem, saying what is left of a limit.
    pub fn with_allowance(self, left: Allowance) -> Self {
        Self { left: Some(Box::new(left)), ..self }
    }

    /// The same problem with `field` instead of the field it names.
    pub fn with_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// The same problem, its message changed by `change`.
    pub fn with_message(self, change: impl FnOnce(&str) -> String) -> Self {
        Self { message: change(&self.message), ..self }
    }

    /// What is told of it.
    pub fn body(&self) -> ErrorBody<'_> {
        ErrorBody { code: self.code.word(), message: &self.message, field: self.field.as_deref(), errors: &self.parts }
    }

    /// Whether a field of the request cannot be taken.
    pub fn is_of_field(&self) -> bool {
        self.code == Code::InvalidField
    }

    /// The field that it is about.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let message = invalid.to_string();
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidField, message).with_field(invalid.field)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::QueueFull => Self::busy(Code::QueueFull, message, RETRY_SOON_SECONDS),
            Refusal::FanOutFull { .. } => Self::busy(Code::FanOutFull, message, RETRY_SOON_SECONDS),
            Refusal::FanOutTooWide { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooManyDeliveries, message),
            Refusal::NoSpace => Self::busy(Code::NoSpace, message, RETRY_LATER_SECONDS),
            Refusal::Closed => Self::busy(Code::Stopping, message, RETRY_LATER_SECONDS),
            Refusal::IdempotencyConflict => {
                Self::conflict(Code::IdempotencyConflict, &refusal).with_field("Idempotency-Key")
            }
            Refusal::EventIdConflict { .. } => Self::conflict(Code::EventIdConflict, &refusal).with_field("id"),
            Refusal::UidTaken => Self::conflict(Code::UidTaken, &refusal).with_field("uid"),
            Refusal::EmailTaken => Self::conflict(Code::EmailTaken, &refusal).with_field("email"),
            Refusal::ExternalTaken => Self::wrong_state(message),
            Refusal::WebhookLimit { .. } => Self::conflict(Code::WebhookLimit, &refusal),
            Refusal::OverQuota { .. } => Self::conflict(Code::Quota, &refusal),
            Refusal::OverDay { wait_ms, .. } => Self { code: Code::Quota, ..Self::rate_limited(message, wait_ms) },
            Refusal::JobLimit { .. } => Self::conflict(Code::JobLimit, &refusal),
            Refusal::JobDone | Refusal::JobGoesOn(_) | Refusal::AccountStays(_) => Self::wrong_state(message),
            Refusal::Purged => Self::new(StatusCode::GONE, Code::Purged, message),
            Refusal::AccountLeaving => Self::conflict(Code::AccountLeaving, &refusal).with_field("id"),
            Refusal::AccountExists => Self::conflict(Code::AccountExists, &refusal).with_field("id"),
            Refusal::NotFound(what) => Self::not_found(what),
            Refusal::Invalid(invalid) => invalid.into(),
            Refusal::Forbidden(invalid) => Self::forbidden(message).with_field(invalid.field),
            Refusal::Failed(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable => Self::busy(Code::Unavailable, error.to_string(), RETRY_LATER_SECONDS),
            StoreError::Io(cause) => {
                tracing::error!(%cause, "the store failed during a request");
                Self::busy(Code::Unavailable, "the store failed and is being opened again", RETRY_LATER_SECONDS)
            }
            StoreError::Damaged(damage) => {
                tracing::error!(%damage, "a request met a record that cannot be read");
                let message = "its record in the store is damaged and was put aside; the rest of the store goes on";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Damaged, message)
            }
            StoreError::Broken(cause) => Self::internal(cause),
        }
    }
}

impl From<actix_web::error::BlockingError> for Problem {
    fn from(error: actix_web::error::BlockingError) -> Self {
        Self::internal(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut reply = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_seconds {
            reply.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.allow {
            reply.insert_header((header::ALLOW, &**allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            reply.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let mut reply = reply.json(ErrorReply { error: self.body() });
        if let Some(left) = self.left.as_deref() {
            allowance::write(reply.headers_mut(), *left);
        }
        // For the counters.
        reply.extensions_mut().insert(self.code);
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fuzzing;

    #[test]
    fn every_refusal_has_a_status_a_code_and_a_time_to_come_back() {
        let table = [
            (Refusal::QueueFull, 503, Code::QueueFull, Some(1)),
            (Refusal::FanOutFull { limit: 1 }, 503, Code::FanOutFull, Some(1)),
            (Refusal::FanOutTooWide { limit: 1 }, 413, Code::TooManyDeliveries, None),
            (Refusal::NoSpace, 503, Code::NoSpace, Some(10)),
            (Refusal::Closed, 503, Code::Stopping, Some(10)),
            (Refusal::IdempotencyConflict, 409, Code::IdempotencyConflict, None),
            (Refusal::EventIdConflict { index: 0 }, 409, Code::EventIdConflict, None),
            (Refusal::UidTaken, 409, Code::UidTaken, None),
            (Refusal::EmailTaken, 409, Code::EmailTaken, None),
            (Refusal::ExternalTaken, 409, Code::WrongState, None),
            (Refusal::WebhookLimit { limit: 10 }, 409, Code::WebhookLimit, None),
            (Refusal::OverQuota { what: "keys", limit: 1, setting: "", remedy: "" }, 409, Code::Quota, None),
            (Refusal::OverDay { limit: 9, left: 1, until: 0, wait_ms: 1_001 }, 429, Code::Quota, Some(2)),
            (Refusal::JobLimit { limit: 100 }, 409, Code::JobLimit, None),
            (Refusal::JobDone, 409, Code::WrongState, None),
            (Refusal::JobGoesOn("it goes on"), 409, Code::WrongState, None),
            (Refusal::AccountStays("default".into()), 409, Code::WrongState, None),
            (Refusal::AccountLeaving, 409, Code::AccountLeaving, None),
            (Refusal::Purged, 410, Code::Purged, None),
            (Refusal::AccountExists, 409, Code::AccountExists, None),
            (Refusal::NotFound("event"), 404, Code::NotFound, None),
            (Refusal::Invalid(Invalid::new("url", "is bad")), 400, Code::InvalidField, None),
            (Refusal::Forbidden(Invalid::new("url", "is not yours")), 403, Code::Forbidden, None),
            (Refusal::Failed(StoreError::Unavailable), 503, Code::Unavailable, Some(10)),
            (Refusal::Failed(StoreError::Io("/secret/path".into())), 503, Code::Unavailable, Some(10)),
            (Refusal::Failed(StoreError::Damaged(fuzzing::damage())), 500, Code::Damaged, None),
        ];
        for (refusal, status, code, retry) in table {
            let problem = Problem::from(refusal);
            assert_eq!((problem.status.as_u16(), problem.code, problem.retry_after_seconds), (status, code, retry));
            assert!(!problem.message.contains("/secret"), "{problem}");
            assert_eq!(problem.error_response().headers().contains_key("Retry-After"), retry.is_some());
        }
    }
}
