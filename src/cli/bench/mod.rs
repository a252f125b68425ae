//! `hookwheel bench`: producers and a receiver in one process, against any running server, one of its own, or a relay that
//! shows the ceiling. What stays true: what is measured is what a producer and an endpoint see; an event counts as
//! delivered when its request has arrived whole; and both sides are as cheap as can be, since they share the machine with
//! the server.

mod args;
mod backlog;
mod http1;
mod latency;
mod neighbours;
mod own;
mod pages;
mod process;
mod produce;
mod receive;
mod relay;
mod report;
mod webhooks;

use std::time::Duration;

use super::error::CliError;
use super::server::ServerArgs;
use crate::clock::Stopwatch;
pub use args::BenchArgs;
use own::OwnServer;
use process::Watched;
use produce::{Bounds, Load};
use receive::Receiver;
use relay::Relay;
pub use relay::{RelayArgs, serve as serve_relay};
use report::Report;
use webhooks::{Manner, Webhooks};

/// Posted and delivered before anything is measured; more where each webhook has its turn.
const WARM_UP_EVENTS: u32 = 256;

/// Measures and prints.
pub async fn run(args: BenchArgs, server: &ServerArgs) -> Result<(), CliError> {
    let clock = Stopwatch::start();
    if args.neighbours {
        return neighbours::run(&args, clock).await;
    }
    if args.hostile_hour {
        return neighbours::run_hour(&args, clock).await;
    }
    let receiver = Receiver::start(clock)?;
    if let Some(deliveries) = args.backlog {
        let own = OwnServer::start(&args, &[]).await?;
        return backlog::measure(&args, deliveries, own, clock, &receiver).await?.print(args.json);
    }
    if let Some(deliveries) = args.pages {
        let own = OwnServer::start(&args, &[("HOOKWHEEL__SERVER__CALLS_PER_MINUTE", "0")]).await?;
        return pages::measure(&args, deliveries, own, clock, &receiver).await?.print(args.json);
    }
    let report = if args.relay {
        let relay = Relay::start(&Manner::Well.url(receiver.port(), 0)).await?;
        let watched = Some(Watched::new(relay.pid()));
        let mut report = load(&args, Webhooks::asked_for(&args)?, &relay.server, clock, &receiver, watched).await?;
        report.ready_ms = Some(relay.ready.as_secs_f64() * 1e3);
        relay.stop()?;
        report
    } else if args.own {
        let own = OwnServer::start(&args, &[]).await?;
        let mut report = measure(&args, &own.server, clock, &receiver, Some(Watched::new(own.pid()))).await?;
        report.ready_ms = Some(own.ready.as_secs_f64() * 1e3);
        report.disk_bytes_per_event = Some(own.data_bytes_written()? as f64 / report.events.max(1) as f64);
        own.stop()?;
        report
    } else {
        measure(&args, server, clock, &receiver, args.pid.map(Watched::new)).await?
    };
    report.print(args.json)
}

/// Measures a server, which is given webhooks for it.
async fn measure(
    args: &BenchArgs,
    server: &ServerArgs,
    clock: Stopwatch,
    receiver: &Receiver,
    process: Option<Watched>,
) -> Result<Report, CliError> {
    let (api, webhooks) = (server.client()?, Webhooks::asked_for(args)?);
    let ids = webhooks.create(args, &api, receiver.port(), None).await?;
    let measured = load(args, webhooks, server, clock, receiver, process).await;
    webhooks::delete(&api, &ids).await?;
    measured
}

/// Measures whatever accepts events at `server` and sends them on to the receiver.
async fn load(
    args: &BenchArgs,
    webhooks: Webhooks,
    server: &ServerArgs,
    clock: Stopwatch,
    receiver: &Receiver,
    mut process: Option<Watched>,
) -> Result<Report, CliError> {
    let patience = Duration::from_secs(args.patience_seconds);
    let idle_bytes = process.as_ref().map(|process| process.memory_bytes()).transpose()?;
    let mut load = Load::new(server, clock, webhooks, args.producers, args.bytes)?;
    let warm_up = if args.spread { WARM_UP_EVENTS.max(webhooks.count) } else { WARM_UP_EVENTS };
    let warm_up = load.post(Bounds::events(warm_up.into()), None).await?;
    receiver.wait_for(warm_up.wanted, patience).await;
    receiver.forget();
    if let Some(process) = &mut process {
        process.begin()?;
    }
    let bounds = match args.seconds {
        Some(seconds) => Bounds::time(Duration::from_secs(seconds)),
        None => Bounds::events(args.events.unwrap_or(20_000)),
    };
    let posted = load.post(bounds, args.rate).await?;
    receiver.wait_for(posted.wanted, patience).await;
    let used = process.map(|process| process.end()).transpose()?;
    Ok(Report::new(args, webhooks, posted, receiver.received(), idle_bytes, used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, HttpResponse, HttpServer, web};
    use serde_json::{Value, json};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    /// A server that delivers each event at once to each webhook, and the event of number 7 twice.
    async fn server() -> (ServerArgs, Arc<AtomicUsize>) {
        let urls: web::Data<Mutex<Vec<String>>> = web::Data::default();
        let deleted = Arc::new(AtomicUsize::new(0));
        let (counting, deletions) = (deleted.clone(), deleted);
        let server = HttpServer::new(move || {
            let (urls, counting) = (urls.clone(), counting.clone());
            let create = |urls: web::Data<Mutex<Vec<String>>>, body: web::Json<Value>| async move {
                urls.lock().expect("not poisoned").push(body["url"].as_str().expect("a URL").to_owned());
                HttpResponse::Created().json(json!({"data": {"id": "w"}}))
            };
            let accept = |urls: web::Data<Mutex<Vec<String>>>, body: web::Bytes| async move {
                let text = String::from_utf8_lossy(&body);
                let times = if text.contains("\"event\":\"000000000007\"") { 2 } else { 1 };
                let urls = urls.lock().expect("not poisoned").clone();
                let delivered = actix_web::rt::spawn(async move {
                    for url in std::iter::repeat_n(urls, times).flatten() {
                        awc::Client::default().post(url).send_body(body.clone()).await.expect("arrives");
                    }
                });
                if times > 1 {
                    // What repeats has arrived before the bench can be over.
                    delivered.await.expect("no panic");
                }
                HttpResponse::Accepted().json(json!({"data": {"id": "e"}}))
            };
            let delete = move || {
                counting.fetch_add(1, Ordering::SeqCst);
                async { HttpResponse::NoContent().finish() }
            };
            App::new()
                .app_data(urls)
                .route("/api/v1/webhooks", web::post().to(create))
                .route("/api/v1/events", web::post().to(accept))
                .route("/api/v1/webhooks/w", web::delete().to(delete))
        });
        let server = server.workers(1).bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}", server.addrs()[0]);
        actix_rt::spawn(server.disable_signals().run());
        (ServerArgs::at(url, None), deletions)
    }

    #[actix_web::test]
    async fn every_event_is_counted_once_a_webhook() {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            args: BenchArgs,
        }
        let words = ["bench", "--events", "300", "--producers", "4", "--webhooks", "2", "--rate", "3000"];
        let args = <Only as clap::Parser>::parse_from(words).args;
        let (server, deletions) = server().await;
        let process = Watched::new(std::process::id() as i32);
        let clock = Stopwatch::start();
        let receiver = Receiver::start(clock).expect("a port");
        let report = measure(&args, &server, clock, &receiver, Some(process)).await.expect("measured");
        assert_eq!((report.events, report.deliveries, report.missing, report.refused), (300, 600, 0, 0));
        assert_eq!(report.repeated, 2, "one event, at each webhook; what was posted before does not count");
        assert_eq!(deletions.load(Ordering::SeqCst), 2);
        assert!(report.accepted_per_second > 0.0 && report.accepted_per_second < 3300.0, "{report:?}");
        let ms = report.end_to_end_ms.quantiles();
        assert!(ms[0] > 0.02 && ms.is_sorted(), "{report:?}");
        assert!(report.memory_mib_max >= report.memory_mib_idle, "{report:?}");
        // Not printed: among the results of tests it would look like the figures of a server that repeats.
        assert!(report.text(true).expect("is JSON").contains("\"repeated\":2"), "{report:?}");
        assert!(report.text(false).expect("a table").contains("repeated        2 deliveries"), "{report:?}");
    }
}
