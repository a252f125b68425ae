//! The promises of the daycopilot guide.

use super::{Row, Wait, held, hold, not_run, waits};
use crate::scene::Scene;
use serde_json::json;

/// A fresh server of this contract, and what several rows look at, made by the first that asks.
pub struct Stage {
    scene: Scene,
    waits: Vec<Wait>,
}

impl Stage {
    fn start() -> Option<Self> {
        let scene = Scene::start_with(&[("HOOKWHEEL__DELIVER__DEFAULT_DIALECT", "daycopilot")])?;
        Some(Self { scene, waits: Vec::new() })
    }

    /// What follows the n-th failed attempt.
    fn after(&mut self, n: usize) -> &Wait {
        if self.waits.is_empty() {
            self.waits = waits(&mut self.scene, "daycopilot", 6, &json!({}));
        }
        &self.waits[n - 1]
    }
}

const WAITS: &str = "when the running server says that the retry after the failed attempt is due";

pub const ROWS: &[Row<Stage>] = &[
    held(316, "Retry 1: After 1 minute", WAITS, |s| s.after(1).is(60)),
    held(317, "Retry 2: After 5 minutes", WAITS, |s| s.after(2).is(5 * 60)),
    held(318, "Retry 3: After 15 minutes", WAITS, |s| s.after(3).is(15 * 60)),
    held(319, "Retry 4: After 1 hour", WAITS, |s| s.after(4).is(60 * 60)),
    held(320, "Retry 5: After 6 hours", WAITS, |s| s.after(5).is(6 * 60 * 60)),
];

#[test]
fn the_promises_of_the_daycopilot_guide() {
    let Some(stage) = Stage::start() else { return not_run("daycopilot", ROWS) };
    hold("daycopilot", stage, ROWS);
}
