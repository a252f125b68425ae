//! Whether the server lives, and whether it takes work. These answer without a key: they show no tenant's data.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::store::{Refusal, Soundness, StoreError};

/// Whether the process lives.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Live)]
struct Health {
    /// `live`.
    status: &'static str,
}

/// Whether events are taken, and how sound the store is.
#[derive(Serialize, utoipa::ToSchema)]
struct Ready {
    /// `ready`.
    status: &'static str,
    /// What is amiss though events are taken; left out if nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<&'static str>,
    /// How far the clock by which retention tells age is behind the machine's clock; negative: ahead. Left out while they
    /// agree to a minute. It never follows by more than a day by itself: `POST /api/v1/retention-clock/trust`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    retention_clock_behind_seconds: Option<i64>,
    /// How sound the store is.
    store: StoreDetails,
}

/// How sound the store is. Nothing of it keeps events from being taken.
#[derive(Serialize, utoipa::ToSchema)]
struct StoreDetails {
    /// Records that could not be read and were put aside, by their kind.
    quarantined: BTreeMap<&'static str, u64>,
    /// Records that the look at every one of them after the start has seen.
    scrubbed: u64,
    /// Whether it has seen all.
    scrub_done: bool,
    /// Where what is there and what was counted differ.
    differences: Vec<String>,
}

impl StoreDetails {
    fn of(soundness: Soundness) -> Self {
        let Soundness { quarantined, scrubbed_rows, is_scrubbed, differences } = soundness;
        Self { quarantined, scrubbed: scrubbed_rows, scrub_done: is_scrubbed, differences }
    }
}

/// Whether the process lives
#[utoipa::path(
    operation_id = "health.live.get", security(()),
    responses((status = 200, description = "It does", body = Reply<Health>))
)]
#[get("/health/live")]
pub async fn live() -> HttpResponse {
    Reply::ok(Health { status: "live" })
}

/// Whether events are taken and delivered: the store is open and has space, and no thread is stuck
#[utoipa::path(
    operation_id = "health.ready.get", security(()),
    responses(
        (status = 200, description = "They are", body = Reply<Ready>),
        (status = 503, description = "Not now; the code says why"),
    )
)]
#[get("/health/ready")]
pub async fn ready(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    if !api.store.is_open() {
        return Err(StoreError::Unavailable.into());
    }
    if !api.store.has_space() {
        return Err(Refusal::NoSpace.into());
    }
    if let Some(stuck) = api.store.pulse().stuck().or_else(|| api.outbound.stuck()) {
        return Err(Problem::stuck(&stuck));
    }
    let behind = api.store.keeping_behind_ms() / 1000;
    Ok(Reply::ok(Ready {
        status: "ready",
        details: api.outbound.trouble().into_iter().collect(),
        retention_clock_behind_seconds: (behind != 0).then_some(behind),
        store: StoreDetails::of(api.store.soundness()),
    }))
}
