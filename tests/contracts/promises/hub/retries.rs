//! How often what fails is tried.

use serde_json::json;

use super::super::acts::text;
use super::super::line::{Line, Registered};
use super::stage::Stage;
use crate::scene::at_once;
use crate::support::Answer;

pub fn exponential(s: &mut Stage) -> String {
    let seconds = [1, 2, 3].map(|n| s.after(n).millis.expect("a retry follows") as f64 / 1000.0);
    assert!(seconds.windows(2).all(|two| (4.5..=5.6).contains(&(two[1] / two[0]))), "{seconds:?}");
    format!("{:.0} s, {:.0} s, {:.0} s", seconds[0], seconds[1], seconds[2])
}

pub fn no_fourth(s: &mut Stage) -> String {
    let last = s.after(4);
    assert_eq!((last.state.as_str(), last.millis), ("dead", None));
    "dead after the fourth attempt".into()
}

pub fn up_to_ten(s: &mut Stage) -> String {
    let made = json!({"name": "Ten", "url": "https://your-domain.com/", "events": ["row.ten"], "maxRetries": 10});
    let made = Registered::at(&mut s.scene, "/api/webhooks", made);
    let delays = json!([5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 2592000]);
    assert_eq!((&made.reply["maxRetries"], &made.reply["retry"]["delays"]), (&json!(10), &delays));
    let over = s.scene.ask("PATCH", &made.path, json!({"maxRetries": 11}), 400);
    assert_eq!(over["error"]["field"], "maxRetries");
    let settings = json!({"retry": at_once(1)});
    let line = Line::open(&mut s.scene, "hub", settings, |_| Answer::Status(500));
    s.scene.ask("PATCH", &format!("/api/webhooks/{}", line.id), json!({"maxRetries": 0}), 200);
    let delivery = line.send(&mut s.scene, json!({}));
    let attempts = s.scene.delivery_in(&delivery, "dead")["attempts"].as_array().map(Vec::len);
    assert_eq!(attempts, Some(1));
    format!("10 taken; 11: {}; 0: one attempt", text(&over["error"]["message"]))
}
