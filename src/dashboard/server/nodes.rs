//! The machines that serve: which of them owns the store, whether that is ready, what it is busy with, and what waits.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, web};
use maud::{Markup, html};

use crate::api::Api;
use crate::api::access::auth::Oversees;
use crate::api::across::{Node, nodes};
use crate::api::door::connections::Admitted;
use crate::api::nodes::{NodeView, all};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::parts::gauge::gauge;
use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::parts::{amount, time};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::workload::ThreadBusy;

/// A thread that is at one thing for longer is worth a look.
const SLOW_MS: u64 = 1_000;
/// What says how much it may do at once.
const KNOBS: [&str; 4] = ["server.workers", "deliver.senders", "deliver.in_flight_max", "store.queue_events_max"];

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show);
}

#[get("/dashboard/server/nodes")]
async fn show(seat: Looks<Oversees>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let here = request.conn_data::<Arc<Admitted>>().map(|admitted| admitted.here);
    let listens = here.unwrap_or_else(|| request.app_config().local_addr()).to_string();
    let shared = all(&api).await?;
    let body = html! {
        @if shared.is_empty() {
            p { "This server is one machine: it accepts, stores and delivers by itself, and there is no other to take over. Its data \
                 directory is all of it, so back that up." }
        } @else {
            p { "These nodes share the store in a database. One of them owns it, and answers this; the others hand on what comes to \
                 them, make its requests to endpoints with it, and go on where it ends. " code { "hookwheel nodes drain" } " lets another one own it." }
        }
        section #nodes data-refresh="5" {
            (sharing(&shared))
            @for node in nodes(&api) { (one(&seat, &api, &node, &listens)) }
        }
    };
    Ok(Page::new("Nodes", Part::Nodes).show(&seat, &body))
}

/// Those that share the store.
fn sharing(nodes: &[NodeView]) -> Markup {
    let how = |node: &NodeView| match node.state {
        "owner" => state(Meaning::Well, "owns the store"),
        "standing_by" => state(Meaning::Well, "stands by"),
        _ => state(Meaning::Dead, "gone"),
    };
    html! {
        @if !nodes.is_empty() { div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Node" } th scope="col" { "State" } th scope="col" { "Others find it at" } th scope="col" { "Lease" } th scope="col" { "Sent for the owner" } } }
            tbody { @for node in nodes { tr {
                td { (node.name) }
                td { (how(node)) }
                td { code { (node.address) } }
                td { @if let Some(ms) = node.lease_ms { (amount::took(ms)) " more" } }
                td { @if let Some(sent) = node.carried { (amount::of(sent, "attempt", "attempts")) } }
            } } }
        } }
        h2 { "The owner" } }
    }
}

fn one(seat: &Seat, api: &Api, node: &Node, listens: &str) -> Markup {
    html! {
        (ready(seat, node))
        dl.facts {
            dt { "Runs" } dd { "hookwheel " (node.version) " on " (std::env::consts::OS) ", " (std::env::consts::ARCH) }
            dt { "Answers at" } dd { code { (listens) } }
            dt { "Since" } dd { (time::at(api.store.shown(node.started_at), api.clock.now())) }
        }
        (waits(node))
        (busy(api, node))
        (threads(&node.workload.threads))
    }
}

fn ready(seat: &Seat, node: &Node) -> Markup {
    html! {
        p.verdict { @match &node.ready {
            Err(problem) => { (state(Meaning::Dead, "not ready")) " " (problem.to_string()) }
            Ok(ready) if !ready.details.is_empty() => { (state(Meaning::Trouble, "ready, but")) " " (ready.details.join("; ")) }
            Ok(_) => { (state(Meaning::Well, "ready")) " Events are taken and delivered." }
        } }
        @if let Ok(ready) = &node.ready {
            @if ready.retention_clock_behind_seconds.is_some() || !ready.store.quarantined.is_empty() || !ready.store.differences.is_empty() {
                p { "Something is to be looked at in " a href=(seat.at_server("store")) { "the store" } "." }
            }
        }
    }
}

/// What waits.
fn waits(node: &Node) -> Markup {
    let (requests, outcomes) = node.queue;
    html! {
        h2 { "What waits" }
        dl.facts {
            dt { "For the commit thread" } dd {
                (amount::of(requests as u64, "request", "requests")) ", " (amount::of(outcomes as u64, "outcome", "outcomes")) }
            dt { "To be made" } dd { (amount::of(node.to_come, "delivery", "deliveries")) " of events to many webhooks" }
            dt { "Calls that wait for deliveries" } dd { (amount::count(node.polls as u64)) }
            dt { "Request bodies on their way" } dd { (amount::bytes(node.bodies.0 as u64)) " of " (amount::bytes(node.bodies.1 as u64)) }
        }
    }
}

/// What is out, and how much there may be.
fn busy(api: &Api, node: &Node) -> Markup {
    let settings = api.settings();
    let (load, knob) = (&node.workload, |name: &str| settings.knobs.iter().find(|knob| knob.name == name));
    let of = |used: usize, max: usize| format!("{} of {}", amount::count(used as u64), amount::count(max as u64));
    let bar = |used: usize, max: usize, words: String| {
        html! {
            (words) @if max > 0 { (gauge(used as u64, max as u64, &words)) }
        }
    };
    html! {
        h2 { "What is out" }
        dl.facts {
            dt { "Deliveries" } dd { (amount::count(load.out as u64)) " out" }
            @for places in &load.places {
                dt { (places.pool) " places" } dd { (bar(places.taken, places.max, of(places.taken, places.max))) }
            }
            dt { "Lanes" } dd { (amount::of(load.lanes as u64, "webhook has", "webhooks have")) " one in memory" }
            dt { "Pulled" } dd { (amount::of(load.leases as u64, "delivery is", "deliveries are")) " with a consumer" }
            dt { "Connections to endpoints" } dd {
                (bar(load.connections, load.connections_max, of(load.connections, load.connections_max)))
            }
            dt { "Larger bodies" } dd { (bar(load.bodies_bytes, load.bodies_bytes_max,
                format!("{} of {}", amount::bytes(load.bodies_bytes as u64), amount::bytes(load.bodies_bytes_max as u64)))) }
            dt { "Connections to the API" } dd { (amount::count(node.connections as u64)) }
            @for name in KNOBS { @if let Some(knob) = knob(name) {
                dt { code { (name) } } dd { (knob.value) @if knob.value == 0 { " (one a core)" } }
            } }
        }
    }
}

fn threads(threads: &[ThreadBusy]) -> Markup {
    html! {
        h2 { "Threads" }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Thread" } th scope="col" { "At one thing for" } } }
            tbody { @for thread in threads { tr {
                td { (thread.name) }
                td { @match thread.busy_ms {
                    None => (state(Meaning::Well, "rests")),
                    Some(ms) if ms < SLOW_MS => (state(Meaning::Well, &amount::took(ms))),
                    Some(ms) => (state(Meaning::Trouble, &amount::took(ms))),
                } }
            } } }
        } }
    }
}
