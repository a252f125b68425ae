//! Families: those that there are, and how they move after events, failures and retries.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Answer, Receiver, Stage};
use crate::{Metrics, until};

/// What people have on their boards stays under its name.
const OF_ALWAYS: &str = "
    hookwheel_attempt_outcomes_total hookwheel_attempts_failed_total hookwheel_attempts_total hookwheel_bodies_in_bytes
    hookwheel_bodies_in_bytes_max hookwheel_bodies_out_bytes hookwheel_bodies_out_bytes_max hookwheel_connections
    hookwheel_connections_out hookwheel_connections_out_max hookwheel_connections_refused_total
    hookwheel_deliveries_cancelled_total hookwheel_deliveries_dead_total hookwheel_deliveries_open
    hookwheel_deliveries_succeeded_total hookwheel_deliveries_to_come hookwheel_deliveries_total
    hookwheel_events_accepted_total hookwheel_events_duplicate_total hookwheel_handed_back_total
    hookwheel_http_refused_total hookwheel_http_replies_total hookwheel_in_flight hookwheel_lanes hookwheel_leases
    hookwheel_polls hookwheel_queue_outcomes hookwheel_queue_requests hookwheel_resent_total
    hookwheel_retention_clock_behind_seconds hookwheel_store_bytes hookwheel_store_differences
    hookwheel_store_groups_total hookwheel_store_has_space hookwheel_store_keys_total hookwheel_store_open
    hookwheel_store_quarantined hookwheel_store_scrub_done hookwheel_store_scrubbed hookwheel_webhooks
";

/// What came later, where nothing is switched on.
const OF_NOW: &str = "
    hookwheel_accept_seconds hookwheel_attempt_phase_seconds hookwheel_attempt_seconds hookwheel_build_info
    hookwheel_end_to_end_seconds hookwheel_oldest_open_seconds hookwheel_places hookwheel_places_max
    hookwheel_store_free_bytes hookwheel_store_group_seconds hookwheel_store_group_size hookwheel_store_kept_bytes
    hookwheel_store_sync_seconds hookwheel_store_tree_bytes hookwheel_store_tree_rows hookwheel_streams
    hookwheel_streams_dropped_total
    hookwheel_wheel_lateness_seconds process_cpu_seconds_total process_max_fds process_open_fds
    process_resident_memory_bytes process_start_time_seconds process_threads process_virtual_memory_bytes
";

#[test]
fn all_families_are_there_under_their_names_each_once() {
    let mut stage = Stage::start(&[]);
    let metrics = Metrics::of(&mut stage.client);
    let names: BTreeSet<&str> = metrics.kinds.keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = [OF_ALWAYS, OF_NOW].iter().flat_map(|all| all.split_whitespace()).collect();
    assert_eq!(names, expected);
    for kind in ["# TYPE ", "# HELP "] {
        assert_eq!(metrics.text.lines().filter(|line| line.starts_with(kind)).count(), names.len(), "{kind}");
    }
    for (name, kind) in &metrics.kinds {
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
    }
}

#[test]
fn they_move_with_events_failures_and_retries() {
    let failed = std::sync::atomic::AtomicBool::new(false);
    let receiver = Receiver::start(move |path, _| match path {
        "/once" if !failed.swap(true, std::sync::atomic::Ordering::SeqCst) => Answer::Status(500),
        "/never" => Answer::Status(404),
        _ => Answer::Status(200),
    });
    let mut stage = Stage::start(&[("HOOKWHEEL__METRICS__ACCOUNTS_MAX", "1")]);
    let once = json!({"retry": {"delays": [0], "jitter_percent": 0}});
    let (once, never) =
        (stage.webhook(&receiver.url("/once"), once), stage.webhook(&receiver.url("/never"), json!({})));
    stage.publish("e");
    stage.ended(&once, "e");
    stage.ended(&never, "e");
    // What is on disk is counted a moment later.
    let metrics = until(&mut stage.client, "all attempts", |now| now.of_sample("hookwheel_attempts_total") == 3.0);
    for (sample, value) in [
        ("hookwheel_events_accepted_total", 1.0),
        ("hookwheel_accept_seconds_count", 1.0),
        ("hookwheel_deliveries_total", 2.0),
        ("hookwheel_deliveries_succeeded_total", 1.0),
        ("hookwheel_deliveries_dead_total", 1.0),
        ("hookwheel_attempts_total", 3.0),
        ("hookwheel_attempts_failed_total", 2.0),
        ("hookwheel_attempt_outcomes_total{outcome=\"succeeded\"}", 1.0),
        ("hookwheel_attempt_outcomes_total{outcome=\"status\"}", 2.0),
        ("hookwheel_end_to_end_seconds_count", 1.0),
        ("hookwheel_attempt_phase_seconds_count{phase=\"wait\"}", 3.0),
        ("hookwheel_attempt_phase_seconds_count{phase=\"body\"}", 3.0),
        ("hookwheel_attempt_phase_seconds_count{phase=\"tls\"}", 0.0),
        ("hookwheel_account_events_total{account=\"default\"}", 1.0),
        ("hookwheel_account_succeeded_total{account=\"default\"}", 1.0),
        ("hookwheel_account_failed_total{account=\"default\"}", 2.0),
        ("hookwheel_account_dead_total{account=\"default\"}", 1.0),
        ("hookwheel_account_events_total{account=\"other\"}", 0.0),
        ("hookwheel_deliveries_open", 0.0),
        ("hookwheel_oldest_open_seconds", 0.0),
    ] {
        assert_eq!(metrics.of_sample(sample), value, "{sample} in\n{}", metrics.text);
    }
    for sample in [
        "hookwheel_attempt_phase_seconds_count{phase=\"connect\"}",
        "hookwheel_places_max{pool=\"quick\"}",
        "hookwheel_store_group_size_count",
        "hookwheel_store_group_seconds_count",
        "hookwheel_store_sync_seconds_count",
        "hookwheel_store_sync_seconds_sum",
        "hookwheel_store_free_bytes",
        "hookwheel_store_kept_bytes{kind=\"events\"}",
        "hookwheel_store_kept_bytes{kind=\"deliveries\"}",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.of_sample(sample) > 0.0, "{sample} in\n{}", metrics.text);
    }
    let sizes = metrics.of_sample("hookwheel_store_group_size_sum");
    assert!(sizes >= 4.0, "a publish and three outcomes, {sizes}");
}

#[test]
fn the_oldest_delivery_is_known_while_it_is_held_and_after_a_restart() {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let path = format!("/api/v1/webhooks/{webhook}");
    stage.client.post(&format!("{path}/pause"), &json!({})).data(200);
    stage.publish("first");
    stage.publish("second");
    let older = until(&mut stage.client, "an age", |now| now.of_sample("hookwheel_oldest_open_seconds") > 0.0);
    let (age, dir) = (older.of_sample("hookwheel_oldest_open_seconds"), stage.dir);
    assert!(stage.server.terminate().success());
    let server = crate::support::Server::start(dir.path(), &[]);
    let mut client = server.client();
    let later = Metrics::of(&mut client);
    assert!(later.of_sample("hookwheel_oldest_open_seconds") >= age, "{}", later.text);
    assert_eq!(later.of_sample("hookwheel_deliveries_open"), 2.0);
    client.post(&format!("{path}/resume"), &json!({})).data(200);
    until(&mut client, "the end of both", |now| now.of_sample("hookwheel_deliveries_open") == 0.0);
    until(&mut client, "no age", |now| now.of_sample("hookwheel_oldest_open_seconds") == 0.0);
}

#[test]
fn how_much_there_is_of_each_tree_is_known_after_the_scrub_and_follows_what_is_written() {
    let mut stage = Stage::start(&[]);
    let of_accounts = "hookwheel_store_tree_rows{tree=\"accounts\"}";
    let before = until(&mut stage.client, "the end of the scrub", |now| now.get(of_accounts).is_some());
    let of = |metrics: &Metrics, family: &str, tree: &str| {
        metrics.get(&format!("hookwheel_store_tree_{family}{{tree=\"{tree}\"}}")).unwrap_or(0.0)
    };
    let grown = |after: &Metrics, family: &str, tree: &str| of(after, family, tree) - of(&before, family, tree);
    assert!(before.of_sample(of_accounts) >= 1.0, "{}", before.text);
    (0..3).for_each(|n| stage.publish(&format!("e{n}")));
    let after = Metrics::of(&mut stage.client);
    assert_eq!((grown(&after, "rows", "events"), grown(&after, "rows", "names")), (3.0, 3.0), "{}", after.text);
    let bytes = grown(&after, "bytes", "events");
    assert!((3.0 * 40.0..3.0 * 400.0).contains(&bytes), "{bytes}");
}

#[test]
fn open_metrics_names_events_and_traces_of_what_was_delivered() {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let event = json!({"type": "task.created", "data": {}});
    let id = stage.client.post("/api/v1/events", &event).data(202)["id"].as_str().expect("an id").to_string();
    stage.ended(&webhook, &id);
    let mut open =
        stage.server.client().with_header("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1");
    let metrics = until(&mut open, "an exemplar", |now| now.text.contains(" # {"));
    let example = metrics.text.lines().find(|line| line.contains(" # {")).expect("there is one");
    let trace = id.replace('-', "");
    assert!(example.starts_with("hookwheel_end_to_end_seconds_bucket{le="), "{example}");
    assert!(example.contains(&format!("# {{trace_id=\"{trace}\",event_id=\"{id}\"}} ")), "{example}");
    assert!(metrics.text.ends_with("# EOF\n"));
    assert_eq!(metrics.kinds.get("hookwheel_events_accepted").map(String::as_str), Some("counter"));
    let told = open.get("/metrics").message;
    assert_eq!(told.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let classic = stage.client.get("/metrics").message;
    assert_eq!(classic.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!String::from_utf8_lossy(&classic.body).contains(" # {"));
}
