//! Whether events are taken and delivered, and how sound the store is: for whoever supervises the process, and for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::store::{Refusal, Soundness, StoreError};

/// Whether events are taken, and how sound the store is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Ready {
    /// `ready`.
    pub status: &'static str,
    /// What is amiss though events are taken; left out if nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<&'static str>,
    /// How far the clock by which retention tells age is behind the machine's clock; negative: ahead. Left out while they
    /// agree to a minute. It never follows by more than a day by itself: `POST /api/v1/retention-clock/trust`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub retention_clock_behind_seconds: Option<i64>,
    /// How sound the store is.
    pub store: StoreDetails,
}

/// How sound the store is. Nothing of it keeps events from being taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StoreDetails {
    /// Records that could not be read and were put aside, by their kind.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Records that the look at every one of them after the start has seen.
    pub scrubbed: u64,
    /// Whether it has seen all.
    pub scrub_done: bool,
    /// Where what is there and what was counted differ.
    pub differences: Vec<String>,
}

impl StoreDetails {
    /// Of what is known.
    pub fn of(soundness: Soundness) -> Self {
        let Soundness { quarantined, scrubbed_rows, is_scrubbed, differences } = soundness;
        Self { quarantined, scrubbed: scrubbed_rows, scrub_done: is_scrubbed, differences }
    }
}

/// Whether the server is ready; the problem says why not.
pub fn readiness(api: &Api) -> Result<Ready, Problem> {
    if api.connections.will_stop() {
        return Err(Problem::stopping());
    }
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
    Ok(Ready {
        status: "ready",
        details: api.outbound.trouble().into_iter().collect(),
        retention_clock_behind_seconds: (behind != 0).then_some(behind),
        store: StoreDetails::of(api.store.soundness()),
    })
}
