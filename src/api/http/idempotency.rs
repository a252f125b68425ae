//! `Idempotency-Key`: the same request, sent again within a day, is done once. What stays true: the key alone decides which
//! request it is, and what was sent with it whether it is the same.

use actix_web::HttpRequest;
use sha2::{Digest, Sha256};

use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::store::Idempotency;

/// A key, in bytes.
const BYTES_MAX: usize = 255;
const HEADER: &str = "Idempotency-Key";

/// The key of a request, if it has one. `parts`: all that makes it the request that it is.
pub fn idempotency(request: &HttpRequest, parts: &[&[u8]]) -> Result<Option<Idempotency>, Problem> {
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let key = value.as_bytes();
    if key.is_empty() || key.len() > BYTES_MAX || !key.iter().all(u8::is_ascii_graphic) {
        return Err(Invalid::new(HEADER, "must be 1 to 255 visible ASCII characters").into());
    }
    Ok(Some(keyed(key, parts)))
}

/// The same of a key that a form of ours brings.
pub fn keyed(key: &[u8], parts: &[&[u8]]) -> Idempotency {
    let mut fingerprint = Sha256::new();
    parts.iter().for_each(|part| fingerprint.update(part));
    Idempotency { key: Sha256::digest(key).into(), fingerprint: fingerprint.finalize().into() }
}
