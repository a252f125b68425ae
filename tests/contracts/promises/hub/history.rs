//! What is told of deliveries afterwards.

use serde_json::{Value, json};

use super::super::acts::text;
use super::super::line::Line;
use super::stage::Stage;
use crate::support::Answer;

pub fn statuses(s: &mut Stage) -> String {
    let row = s.history();
    let codes: Vec<&Value> =
        row["attemptLog"].as_array().expect("attempts").iter().map(|one| &one["statusCode"]).collect();
    assert_eq!(codes, [&json!(503); 4]);
    "503 in each of four".into()
}

pub fn dead_letters(s: &mut Stage) -> String {
    let (id, path) = (s.failing().id.clone(), s.failing().webhook.path.clone());
    let dead = s.scene.get(&format!("/api/v1/dead-letters?webhook={id}"))["data"].as_array().expect("a list").clone();
    assert_eq!(dead.len(), 1, "{dead:?}");
    let replay = s.scene.ask("POST", &format!("{path}/replay/{}", text(&dead[0]["id"])), Value::Null, 202);
    assert_eq!(replay["data"]["replay_of"], dead[0]["id"]);
    s.failing = None;
    "listed; replayed by 202".into()
}

pub fn shown(s: &mut Stage) -> String {
    let row = s.history();
    assert_eq!((&row["status"], &row["attempts"]), (&json!("dead"), &json!(4)), "{row}");
    format!("{}, {} attempts, {}", text(&row["status"]), row["attempts"], text(&row["eventType"]))
}

pub fn payload(s: &mut Stage) -> String {
    let row = s.history();
    assert_eq!(row["payload"], json!({"taskId": "123"}));
    format!("payload {}", row["payload"])
}

pub fn errors(s: &mut Stage) -> String {
    let row = s.history();
    assert_eq!(row["error"], "the endpoint answered 503");
    text(&row["error"])
}

pub fn attempts(s: &mut Stage) -> String {
    let row = s.history();
    let log = row["attemptLog"].as_array().expect("attempts");
    let numbers: Vec<&Value> = log.iter().map(|one| &one["attempt"]).collect();
    assert_eq!(numbers, [&json!(1), &json!(2), &json!(3), &json!(4)]);
    format!("attempts 1 to 4, the last at {}", text(&log[3]["timestamp"]))
}

pub fn success_rate(s: &mut Stage) -> String {
    let failing = format!("/api/webhooks/{}", s.failing().id);
    let rate = s.scene.get(&failing)["successRate"].take();
    let line = Line::open(&mut s.scene, "hub", json!({}), |_| Answer::Status(200));
    let delivery = line.send(&mut s.scene, json!({}));
    s.scene.delivery_in(&delivery, "succeeded");
    let whole = s.scene.get(&format!("/api/webhooks/{}", line.id))["successRate"].take();
    assert_eq!((rate, whole), (json!(0.0), json!(1.0)));
    "0.0 and 1.0".into()
}

pub fn response_time(s: &mut Stage) -> String {
    let counted = s.counted();
    let average = counted["response_time_ms"]["average"].as_f64().expect("a number");
    format!("{average:.1} ms")
}

pub fn failures_by_type(s: &mut Stage) -> String {
    let counted = s.counted();
    assert_eq!((&counted["failed"], &counted["failed_by_kind"]["status"]), (&json!(4), &json!(4)), "{counted}");
    format!("{} of {} attempts failed: {}", counted["failed"], counted["attempts"], counted["failed_by_kind"])
}

pub fn retries(s: &mut Stage) -> String {
    let counted = s.counted();
    assert_eq!(counted["retried"], 3);
    format!("{} of {} attempts were retries", counted["retried"], counted["attempts"])
}

pub fn rate_limit_hits(s: &mut Stage) -> String {
    let settings = json!({"rate_limit": {"per_second": 1, "burst": 1}});
    let line = Line::open(&mut s.scene, "hub", settings, |_| Answer::Status(200));
    let both = [1, 2].map(|n| line.send(&mut s.scene, json!({ "n": n })));
    both.iter().for_each(|delivery| drop(s.scene.delivery_in(delivery, "succeeded")));
    let path = format!("{}/stats", line.webhook.path);
    let counted = s.scene.until(&path, |reply| reply["data"]["total"]["attempts"] == 2)["data"]["total"].take();
    assert_eq!(counted["rate_limited"], 1, "{counted}");
    "1 of 2 attempts had to wait".into()
}
