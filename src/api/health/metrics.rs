//! The page of all metrics. What stays true: nothing here looks at every webhook, every event or every row; what would need
//! that is kept up by who writes.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};

use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::api::nodes::{STATES, state_of};
use crate::domain::tally::Totals;
use crate::domain::webhook::SHOWN_STATUSES;
use crate::store::Soundness;
use crate::telemetry::{Format, Page, process};

/// A lease has more than so much left as long as the database answers.
const LEASE_OF_WHO_IS_ANSWERED: Duration = Duration::from_millis(1_500);

/// Metrics in the text format of Prometheus, or of OpenMetrics where `Accept` asks for it
///
/// OpenMetrics has exemplars: events, and their traces, of each bucket of `hookwheel_end_to_end_seconds`.
#[utoipa::path(
    operation_id = "health.metrics.get", security(()),
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"))
)]
#[get("/metrics")]
pub async fn metrics(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = accept.map_or(Format::Classic, Format::accepted);
    let text = web::block(move || page(&api).written(format)).await?;
    Ok(HttpResponse::Ok().content_type(format.content_type()).body(text))
}

fn page(api: &Api) -> Page {
    let mut page = Page::default();
    api.served.show(&mut page);
    show_waiting(api, &mut page);
    show_store(api, &mut page);
    show_nodes(api, &mut page);
    show_soundness(&api.store.soundness(), &mut page);
    show_webhooks(api, &mut page);
    show_totals(api.store.totals(), &mut page);
    api.outbound.show_metrics(&mut page);
    let id = |number| api.store.registry().account(number).map(|account| account.id.clone());
    api.settings().telemetry.accounts.show(&mut page, id);
    process::show(&mut page);
    page
}

fn show_waiting(api: &Api, page: &mut Page) {
    let (requests, outcomes) = api.store.queue_depth();
    page.gauge("hookwheel_queue_requests", "Requests that wait for the commit thread.").one(requests);
    page.gauge("hookwheel_queue_outcomes", "Outcomes that wait for the commit thread.").one(outcomes);
    let help = "Deliveries of accepted events that are still to be made.";
    page.gauge("hookwheel_deliveries_to_come", help).one(api.store.all_deliveries_to_come());
    let (open, refused) = api.connections.counts();
    page.gauge("hookwheel_connections", "Open connections to the API.").one(open);
    page.counter("hookwheel_connections_refused_total", "Connections to the API over a limit.").one(refused);
    page.gauge("hookwheel_bodies_in_bytes", "Bytes of request bodies on their way.").one(api.bodies.held_bytes());
    page.gauge("hookwheel_bodies_in_bytes_max", "Bytes of them that there may be.").one(api.bodies.max());
    page.gauge("hookwheel_polls", "Calls that wait for deliveries that are pulled.").one(api.polls());
    page.gauge("hookwheel_streams", "Streams that are read.").one(api.streams());
    let help = "Streams that were ended since their readers were too slow.";
    page.counter("hookwheel_streams_dropped_total", help).one(api.streams_dropped.load(Relaxed));
}

fn show_store(api: &Api, page: &mut Page) {
    let (store, meters) = (&api.store, api.store.meters());
    page.counter("hookwheel_store_groups_total", "Group commits.").one(meters.groups.load(Relaxed));
    page.counter("hookwheel_store_keys_total", "Keys written or removed.").one(meters.keys.load(Relaxed));
    let help = "Requests and outcomes in one group commit.";
    page.histogram("hookwheel_store_group_size", help, &meters.group_sizes);
    page.histogram("hookwheel_store_group_seconds", "Group commits, syncs included.", &meters.group_times);
    page.histogram("hookwheel_store_sync_seconds", "Syncs of the store's log.", &meters.sync_times);
    page.gauge("hookwheel_store_open", "Whether the store is open.").one(store.is_open());
    page.gauge("hookwheel_store_has_space", "Whether there is space for events.").one(store.has_space());
    if let Ok(disk) = store.disk() {
        page.gauge("hookwheel_store_bytes", "Bytes of the store's files.").one(disk.files_bytes);
        if let Some(free) = disk.free_bytes {
            page.gauge("hookwheel_store_free_bytes", "Bytes that are free on the store's disk.").one(free);
        }
        if let Some(days) = disk.days_left() {
            let help = "Days until no events are taken, if the files grow on as in the last week. Not there before that is known.";
            page.gauge("hookwheel_store_days_left", help).one(days);
        }
    }
    let kept = page.gauge("hookwheel_store_kept_bytes", "Bytes that retention can take.");
    for (kind, bytes) in store.kept_by_kind() {
        kept.with(&[("kind", kind)], bytes);
    }
    show_trees(api, page);
    let behind = store.keeping_behind_ms() / 1000;
    let help = "How far retention's clock is behind the machine's clock; negative: ahead.";
    page.gauge("hookwheel_retention_clock_behind_seconds", help).one(behind);
}

/// Of a store that nodes share: the one that owns it answers this, whichever was asked.
fn show_nodes(api: &Api, page: &mut Page) {
    let (Some(member), Some(lease)) = (api.store.member(), api.store.lease_left()) else { return };
    let help = "The node that owns the store, which is the one that says all this.";
    page.gauge("hookwheel_node_info", help).with(&[("node", member.name())], 1_u64);
    // Whoever watches need not wait for a database that does not answer: that shows in the lease, which is renewed each second.
    if lease >= LEASE_OF_WHO_IS_ANSWERED
        && let Ok(nodes) = api.store.nodes()
    {
        let states = page.gauge("hookwheel_nodes", "Nodes that share the store, by state.");
        for state in STATES {
            states.with(&[("state", state)], nodes.iter().filter(|node| state_of(node) == state).count());
        }
    }
    let help = "How long it may own the store yet without a word of the database.";
    page.gauge("hookwheel_node_lease_seconds", help).one(lease.as_secs_f64());
    let answers = member.answers();
    let help = "How often it began to own the store since it was started.";
    page.counter("hookwheel_node_taken_total", help).one(answers.taken.load(Relaxed));
    let help = "Connections that other nodes have handed on to it.";
    page.counter("hookwheel_connections_handed_on_total", help).one(api.connections.handed_on());
    let help = "Attempts that other nodes made for it.";
    page.counter("hookwheel_attempts_handed_on_total", help).one(api.outbound.carried().attempts);
    let questions = page.histograms("hookwheel_database_seconds", "How long the database took to answer.");
    let asked = [("read", &answers.reads), ("group", &answers.groups), ("renewal", &answers.renewals)];
    for (what, histogram) in asked {
        questions.with(&[("question", what)], histogram.recorded());
    }
}

/// How much there is of what: known once the scrub after the start has seen all, and kept up from then on.
fn show_trees(api: &Api, page: &mut Page) {
    let amounts = api.store.amounts().unwrap_or_default();
    let help =
        "Bytes of keys and values by tree; the files hold more. Not there before the scrub after the start is done.";
    let bytes = page.gauge("hookwheel_store_tree_bytes", help);
    for (tree, amount) in &amounts {
        bytes.with(&[("tree", tree)], amount.bytes);
    }
    let rows = page.gauge("hookwheel_store_tree_rows", "Rows by tree, likewise.");
    for (tree, amount) in &amounts {
        rows.with(&[("tree", tree)], amount.rows);
    }
}

fn show_soundness(soundness: &Soundness, page: &mut Page) {
    let help = "Records that could not be read and were put aside.";
    let quarantined = page.gauge("hookwheel_store_quarantined", help);
    for (tree, rows) in &soundness.quarantined {
        quarantined.with(&[("tree", tree)], *rows);
    }
    let help = "Records that the scrub after the start has seen.";
    page.gauge("hookwheel_store_scrubbed", help).one(soundness.scrubbed_rows);
    page.gauge("hookwheel_store_scrub_done", "Whether it has seen all.").one(soundness.is_scrubbed);
    let help = "Counts that it found to be wrong.";
    page.gauge("hookwheel_store_differences", help).one(soundness.differences.len());
}

fn show_webhooks(api: &Api, page: &mut Page) {
    let counts = {
        let registry = api.store.registry();
        SHOWN_STATUSES.map(|status| registry.count_of_status(status))
    };
    let webhooks = page.gauge("hookwheel_webhooks", "Webhooks by status.");
    for (status, count) in SHOWN_STATUSES.iter().zip(counts) {
        webhooks.with(&[("status", status)], count);
    }
}

fn show_totals(total: Totals, page: &mut Page) {
    let rows = [
        ("hookwheel_deliveries_total", "Deliveries made.", total.deliveries),
        ("hookwheel_deliveries_succeeded_total", "Deliveries that ended well.", total.succeeded),
        ("hookwheel_deliveries_dead_total", "Deliveries that used up their retries.", total.dead),
        ("hookwheel_deliveries_cancelled_total", "Deliveries that were cancelled.", total.cancelled),
        ("hookwheel_attempts_total", "HTTP requests made to endpoints.", total.attempts),
        ("hookwheel_attempts_failed_total", "HTTP requests to endpoints that failed.", total.failed_attempts),
    ];
    for (name, help, value) in rows {
        page.counter(name, help).one(value);
    }
    page.gauge("hookwheel_deliveries_open", "Deliveries that have not ended.").one(total.open());
}
