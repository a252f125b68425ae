//! Whether the server lives, whether it takes work, and its counters. These answer without a key: they show no tenant's
//! data.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use super::prometheus::{family, sample};
use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::tally::Totals;
use crate::domain::webhook::SHOWN_STATUSES;
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

/// Counters in the Prometheus text format
#[utoipa::path(
    operation_id = "health.metrics.get", security(()),
    responses((status = 200, description = "The counters", body = String, content_type = "text/plain"))
)]
#[get("/metrics")]
pub async fn metrics(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let text = web::block(move || write_all(&api)).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

fn write_all(api: &Api) -> String {
    let mut out = String::with_capacity(4096);
    api.served.write(&mut out);
    write_store(api, &mut out);
    write_soundness(&api.store.soundness(), &mut out);
    write_webhooks(api, &mut out);
    write_totals(api.store.totals(), &mut out);
    api.outbound.write_metrics(&mut out);
    out
}

fn write_store(api: &Api, out: &mut String) {
    use std::sync::atomic::Ordering::Relaxed;
    let (requests, outcomes) = api.store.queue_depth();
    let mut one = |name: &str, kind: &str, help: &str, value: u64| {
        family(out, name, kind, help);
        sample(out, name, "", value);
    };
    one("hookwheel_queue_requests", "gauge", "Requests that wait for the commit thread.", requests as u64);
    one("hookwheel_queue_outcomes", "gauge", "Outcomes that wait for the commit thread.", outcomes as u64);
    let to_come = api.store.all_deliveries_to_come();
    one("hookwheel_deliveries_to_come", "gauge", "Deliveries of accepted events that are still to be made.", to_come);
    let (open, refused) = api.connections.counts();
    one("hookwheel_connections", "gauge", "Open connections to the API.", open as u64);
    one("hookwheel_connections_refused_total", "counter", "Connections to the API over a limit.", refused);
    one("hookwheel_bodies_in_bytes", "gauge", "Bytes of request bodies on their way.", api.bodies.held_bytes() as u64);
    one("hookwheel_bodies_in_bytes_max", "gauge", "Bytes of them that there may be.", api.bodies.max() as u64);
    one("hookwheel_polls", "gauge", "Calls that wait for deliveries that are pulled.", api.polls() as u64);
    one("hookwheel_streams", "gauge", "Streams that are read.", api.streams() as u64);
    let (name, dropped) = ("hookwheel_streams_dropped_total", api.streams_dropped.load(Relaxed));
    one(name, "counter", "Streams that were ended since their readers were too slow.", dropped);
    let meters = api.store.meters();
    one("hookwheel_store_groups_total", "counter", "Group commits.", meters.groups.load(Relaxed));
    one("hookwheel_store_keys_total", "counter", "Keys written or removed.", meters.keys.load(Relaxed));
    one("hookwheel_store_open", "gauge", "Whether the store is open.", u64::from(api.store.is_open()));
    one("hookwheel_store_has_space", "gauge", "Whether there is space for events.", u64::from(api.store.has_space()));
    if let Ok(bytes) = api.store.size_bytes() {
        one("hookwheel_store_bytes", "gauge", "Bytes of the store's files.", bytes);
    }
    let (name, behind) = ("hookwheel_retention_clock_behind_seconds", api.store.keeping_behind_ms() / 1000);
    family(out, name, "gauge", "How far retention's clock is behind the machine's clock; negative: ahead.");
    sample(out, name, "", behind);
}

fn write_soundness(soundness: &Soundness, out: &mut String) {
    family(out, "hookwheel_store_quarantined", "gauge", "Records that could not be read and were put aside.");
    for (tree, rows) in &soundness.quarantined {
        sample(out, "hookwheel_store_quarantined", &format!("{{tree=\"{tree}\"}}"), *rows);
    }
    let rows = [
        ("hookwheel_store_scrubbed", "Records that the scrub after the start has seen.", soundness.scrubbed_rows),
        ("hookwheel_store_scrub_done", "Whether it has seen all.", u64::from(soundness.is_scrubbed)),
        ("hookwheel_store_differences", "Counts that it found to be wrong.", soundness.differences.len() as u64),
    ];
    for (name, help, value) in rows {
        family(out, name, "gauge", help);
        sample(out, name, "", value);
    }
}

fn write_webhooks(api: &Api, out: &mut String) {
    let counts = {
        let registry = api.store.registry();
        SHOWN_STATUSES.map(|status| registry.count_of_status(status))
    };
    family(out, "hookwheel_webhooks", "gauge", "Webhooks by status.");
    for (status, count) in SHOWN_STATUSES.iter().zip(counts) {
        sample(out, "hookwheel_webhooks", &format!("{{status=\"{status}\"}}"), count);
    }
}

fn write_totals(total: Totals, out: &mut String) {
    let rows = [
        ("hookwheel_deliveries_total", "Deliveries made.", total.deliveries),
        ("hookwheel_deliveries_succeeded_total", "Deliveries that ended well.", total.succeeded),
        ("hookwheel_deliveries_dead_total", "Deliveries that used up their retries.", total.dead),
        ("hookwheel_deliveries_cancelled_total", "Deliveries that were cancelled.", total.cancelled),
        ("hookwheel_attempts_total", "HTTP requests made to endpoints.", total.attempts),
        ("hookwheel_attempts_failed_total", "HTTP requests to endpoints that failed.", total.failed_attempts),
    ];
    for (name, help, value) in rows {
        family(out, name, "counter", help);
        sample(out, name, "", value);
    }
    family(out, "hookwheel_deliveries_open", "gauge", "Deliveries that have not ended.");
    sample(out, "hookwheel_deliveries_open", "", total.open());
}
