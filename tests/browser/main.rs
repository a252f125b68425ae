//! The pages in a real browser: Chromium, turned by scripts beside this file. What stays true: whatever a page does that a person
//! would not see (an error in the console, another host that is asked, a breach of its own policy, what keeps somebody out who
//! cannot see or has no mouse) fails the test.

#[path = "../support/mod.rs"]
mod support;

mod scene;

use std::path::Path;
use std::process::Command;

use scene::Scene;
use serde_json::Value;
use support::{prepared, say};

#[test]
fn a_day_with_the_dashboard() {
    let Some(modules) = modules() else { return };
    // Not for development: there the first user is there already.
    let scene = Scene::start_strict();
    turn("day.mjs", &scene.told(&modules));
}

#[test]
fn every_page_is_for_everybody() {
    let Some(modules) = modules() else { return };
    let mut scene = Scene::start();
    scene.fill();
    let mut told = scene.told(&modules);
    told["enter"] = scene.link_for_an_owner().into();
    told["pages_min"] = 25.into();
    // For somebody who wants to look: a picture of each page.
    if let Ok(look) = std::env::var("HOOKWHEEL_LOOK") {
        told["look"] = look.into();
    }
    turn("every_page.mjs", &told);
}

fn modules() -> Option<String> {
    let env = prepared("the pages in a browser", &["node/node_modules/playwright-core", "node/node_modules/axe-core"])?;
    Some(env.join("node/node_modules").display().to_string())
}

/// Runs a script to its end.
fn turn(script: &str, told: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
    let ended = Command::new("node").arg(script).arg(told.to_string()).output().expect("node can be started");
    let output = String::from_utf8_lossy(&ended.stdout);
    output.lines().for_each(say);
    assert!(ended.status.success(), "{output}\n{}", String::from_utf8_lossy(&ended.stderr));
}
