//! The board and the alert rules in `scripts/`: they name only what a server shows. Prometheus's own tool reads them, and the page.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Metrics;
use crate::support::{Answer, Postgres, Receiver, Stage, prepared};

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All families of a server on which everything is switched on, and of one over a database, which has those of nodes.
fn families() -> Option<BTreeMap<String, String>> {
    let collector = Receiver::start(|_, _| Answer::Status(200));
    let url = collector.url("");
    let all_on = [("HOOKWHEEL__METRICS__ACCOUNTS_MAX", "9"), ("HOOKWHEEL__TRACES__ENDPOINT", &*url)];
    let of_server = Metrics::of(&mut Stage::start(&all_on).client).kinds;
    let postgres = Postgres::start("what the board and the alerts name of nodes")?;
    let (url, key) = (postgres.database("wheel"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let as_node = [
        ("HOOKWHEEL__STORE__URL", &*url),
        ("HOOKWHEEL__STORE__MASTER_KEY", key),
        ("HOOKWHEEL__CLUSTER__LISTEN", "127.0.0.1:0"),
    ];
    let of_node = Metrics::of(&mut Stage::start(&as_node).client).kinds;
    Some(of_server.into_iter().chain(of_node).collect())
}

/// Every word in `text` that is the name of a metric.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("hookwheel_") || word.starts_with("process_")).collect()
}

/// Whether there is this sample, of a family or of a part of a histogram.
fn is_there(families: &BTreeMap<String, String>, name: &str) -> bool {
    let part = |end: &str| {
        let of = name.strip_suffix(end).and_then(|family| families.get(family));
        of.is_some_and(|kind| kind == "histogram")
    };
    families.get(name).is_some_and(|kind| kind != "histogram") || ["_bucket", "_sum", "_count"].into_iter().any(part)
}

/// Every text at `key` in `value`, however deep.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
            Some(text) if name == key => found.push(text),
            _ => texts(value, key, found),
        }),
        Value::Array(all) => all.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_board_and_the_alerts_name_only_what_there_is() {
    let Some(families) = families() else { return };
    let board = script("grafana-board.json");
    let board: Value = serde_json::from_str(&board).expect("it is JSON");
    let mut asked = Vec::new();
    texts(&board, "expr", &mut asked);
    assert!(asked.len() > 30, "{asked:?}");
    let alerts = script("alerts.yml");
    for text in asked.iter().copied().chain([&*alerts, &*board["templating"].to_string()]) {
        assert!(!names(text).is_empty(), "it asks for nothing of ours: {text}");
        let strange: Vec<_> = names(text).into_iter().filter(|name| !is_there(&families, name)).collect();
        // What is told in words may name a whole histogram.
        let strange: Vec<_> =
            strange.into_iter().filter(|name| !(text == alerts && families.contains_key(*name))).collect();
        assert!(strange.is_empty(), "{strange:?} in {text:.300}");
    }
    let expressions = alerts.split("expr:").skip(1).map(|rest| rest.split("labels:").next().unwrap_or_default());
    for expression in expressions {
        let strange: Vec<_> = names(expression).into_iter().filter(|name| !is_there(&families, name)).collect();
        assert!(strange.is_empty(), "{strange:?} in {expression}");
    }
}

#[test]
fn the_board_begins_with_an_overview_and_says_what_each_panel_shows() {
    let board: Value = serde_json::from_str(&script("grafana-board.json")).expect("it is JSON");
    let panels = board["panels"].as_array().expect("panels");
    assert_eq!((&panels[0]["type"], &panels[0]["title"]), (&"row".into(), &"Overview".into()));
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "its id is there twice: {panel}");
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{panel}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{panel}");
        }
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            assert!(places.insert((x, y)), "two panels in one place: {panel}");
        }
    }
}

#[test]
fn every_alert_says_what_it_means_and_how_urgent_it_is() {
    let alerts = script("alerts.yml");
    let rules: Vec<&str> = alerts.split("- alert:").skip(1).collect();
    assert!(rules.len() >= 12);
    for rule in rules {
        for part in ["expr:", "summary:", "description:"] {
            assert_eq!(rule.matches(part).count(), 1, "{part} in {rule}");
        }
        assert!(rule.contains("severity: page") || rule.contains("severity: ticket"), "{rule}");
    }
}

/// Prometheus's tool, where `scripts/test` has put it.
fn promtool() -> Option<PathBuf> {
    const AT: &str = "promtool/usr/bin/promtool";
    prepared("what promtool says of the metrics and the alerts", &[AT]).map(|env| env.join(AT))
}

fn said(tool: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(tool);
    let child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("it can be started");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn promtool_finds_nothing_wrong_with_the_page_and_the_rules() {
    let Some(tool) = promtool() else { return };
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/alerts.yml");
    let (is_fine, text) = said(&tool, &["check", "rules", rules.to_str().expect("a plain path")], "");
    assert!(is_fine, "{text}");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut stage = Stage::start(&[
        ("HOOKWHEEL__METRICS__ACCOUNTS_MAX", "9"),
        ("HOOKWHEEL__TRACES__ENDPOINT", &receiver.url("/v1/traces")),
    ]);
    let webhook = stage.webhook(&receiver.url("/"), serde_json::json!({}));
    stage.publish("e");
    stage.ended(&webhook, "e");
    let page = Metrics::of(&mut stage.client).text;
    let (is_fine, text) = said(&tool, &["check", "metrics"], &page);
    assert!(is_fine && text.trim().is_empty(), "{text}\n{page}");
    let (is_fine, _) = said(&tool, &["check", "metrics"], "# TYPE a counter\na{b=c} 1\n");
    assert!(!is_fine, "it would say so");
}
