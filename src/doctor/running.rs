//! What a server that runs says of itself, as findings: it has the store, so only it can look.

use serde_json::Value;

use super::space;
use crate::domain::finding::{Finding, Severity};

const PUT_BACK: &str =
    "put back a whole copy of the data directory, or stop the server and look with `hookwheel doctor`";

/// What is wrong by its answer to `GET /health/ready`, and by the master keys that it says are in use, if it told them.
pub fn findings(ready: &Value, keys: Option<&Value>) -> Vec<Finding> {
    let mut found = Vec::new();
    let store = &ready["store"];
    for (tree, rows) in store["quarantined"].as_object().into_iter().flatten() {
        let what = format!("rows that could not be read were put aside ({tree})");
        let one = Finding::new(Severity::Warning, "quarantine", what, "a whole copy of the data directory has them");
        found.push(Finding { count: rows.as_u64().unwrap_or(1), ..one });
    }
    for difference in store["differences"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        found.push(Finding::new(Severity::Error, "sum", difference, PUT_BACK));
    }
    if store["scrub_done"] == Value::Bool(false) {
        let what = format!("the look at every row after the start is not done: {} rows so far", store["scrubbed"]);
        found.push(Finding::new(Severity::Note, "rows", what, "ask again in a while"));
    }
    for detail in ready["details"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        found.push(Finding::new(Severity::Warning, "server", detail, "the server's log says more"));
    }
    if let Some(seconds) = ready["retention_clock_behind_seconds"].as_i64() {
        let what = format!("the clock by which retention tells age is {seconds} seconds behind the machine's");
        let remedy = "if the machine's clock is right, say so: POST /api/v1/retention-clock/trust";
        found.push(Finding::new(Severity::Warning, "clock", what, remedy));
    }
    found.extend(keys.and_then(old_keys));
    found
}

/// Of the files that a server may have open, so many in a hundred are many.
const FILES_PERCENT: f64 = 80.0;
/// A delivery that has been open for so long waits for more than retries that are usual.
const OPEN_SECONDS: f64 = 3.0 * 24.0 * 3600.0;

/// What is wrong by its answer to `GET /metrics`: what only the process itself knows.
pub fn findings_of_metrics(page: &str) -> Vec<Finding> {
    let of = |name: &str| {
        let mut values = page.lines().filter_map(|line| line.split_once(' ').filter(|(found, _)| *found == name));
        values.next().and_then(|(_, value)| value.trim().parse::<f64>().ok())
    };
    let mut found = Vec::new();
    if let (Some(open), Some(most)) = (of("process_open_fds"), of("process_max_fds"))
        && open * 100.0 >= most * FILES_PERCENT
    {
        let what = format!("the server has {open} files open, and may have {most}");
        let remedy = "raise the limit (LimitNOFILE= of the unit, ulimit -n), or lower server.connections_max and deliver.in_flight_max";
        found.push(Finding::new(Severity::Warning, "files", what, remedy));
    }
    if let Some(seconds) = of("hookwheel_oldest_open_seconds").filter(|seconds| *seconds >= OPEN_SECONDS) {
        let what = format!("a delivery has been open for {:.0} days", seconds / 86_400.0);
        let remedy = "`hookwheel status` names the webhooks that are sick: mend, pause or delete them";
        found.push(Finding::new(Severity::Note, "deliveries", what, remedy));
    }
    if let Some(days) = of("hookwheel_store_days_left") {
        found.extend(space::until_full(
            days as u64,
            "so the store's files have grown in the last week, or since the start",
        ));
    }
    found
}

/// Something is still sealed with another key than the one that seals.
fn old_keys(keys: &Value) -> Option<Finding> {
    let (current, in_use) = (keys["current"].as_str()?, keys["in_use"].as_object()?);
    let old: Vec<_> = in_use.keys().map(String::as_str).filter(|mark| *mark != current).collect();
    (!old.is_empty()).then(|| {
        let what = format!("something is still sealed with {}", old.join(", "));
        let remedy = "keep those keys until GET /api/v1/master-keys names them no more";
        Finding::new(Severity::Note, "master_key", what, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn few_files_that_are_left_and_a_delivery_that_is_long_open_are_found() {
        let page = |open, most, oldest| {
            format!(
                "# HELP process_open_fds x\nprocess_open_fds {open}\nprocess_max_fds {most}\n\
                 hookwheel_oldest_open_seconds {oldest}\nhookwheel_webhooks{{status=\"active\"}} 3\n"
            )
        };
        let checks = |page: &str| findings_of_metrics(page).into_iter().map(|one| one.check).collect::<Vec<_>>();
        assert_eq!(checks(&page(79, 100, 259_199)), Vec::<String>::new());
        assert_eq!(checks(&page(80, 100, 259_199)), ["files"]);
        assert_eq!(checks(&page(79, 100, 259_200)), ["deliveries"]);
        assert_eq!(checks("nothing of it"), Vec::<String>::new());
        let days = |days: u64| findings_of_metrics(&format!("hookwheel_store_days_left {days}\n"));
        assert!(days(13)[0].counts() && days(13)[0].what.contains("in 13 days"), "{:?}", days(13));
        assert_eq!((days(14)[0].severity, days(90).len()), (Severity::Note, 0));
    }

    #[test]
    fn a_server_that_is_well_has_no_finding_and_each_thing_that_is_not_is_one() {
        let well = json!({"status": "ready", "store": {"quarantined": {}, "scrubbed": 9, "scrub_done": true, "differences": []}});
        assert_eq!(findings(&well, Some(&json!({"current": "aa", "in_use": {"aa": 2}}))), []);
        let old = findings(&well, Some(&json!({"current": "aa", "in_use": {"aa": 2, "bb": 1}})));
        assert!(old.len() == 1 && old[0].what.ends_with("sealed with bb") && !old[0].counts());
        let ill = json!({
            "status": "ready", "details": ["no dial works"], "retention_clock_behind_seconds": -70,
            "store": {"quarantined": {"closed": 3}, "scrubbed": 9, "scrub_done": false, "differences": ["a row is missing"]}
        });
        let told: Vec<_> = findings(&ill, None).into_iter().map(|one| (one.check, one.count)).collect();
        let told: Vec<_> = told.iter().map(|(check, count)| (check.as_str(), *count)).collect();
        assert_eq!(told, [("quarantine", 3), ("sum", 1), ("rows", 1), ("server", 1), ("clock", 1)]);
    }
}
