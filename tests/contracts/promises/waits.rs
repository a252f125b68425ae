//! How long a running server waits before each retry of a contract, without waiting so long: the attempts before are made
//! to follow at once, and while the endpoint holds back its answer to the last of them, the webhook is given its contract's
//! own schedule again. What the next failed attempt then says is when the contract's retry is due.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};

use super::own::{SECRET, is_question};
use crate::scene::{Scene, at_once};
use crate::support::{Answer, DEADLINE, Receiver};
use hookwheel::domain::time;

/// What follows a failed attempt.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The state of its delivery.
    pub state: String,
    /// Milliseconds from the end of the attempt until the next.
    pub millis: Option<u64>,
}

impl Wait {
    /// Asserts that a retry follows after so many seconds, at most a tenth later; the two as words.
    #[track_caller]
    pub fn is(&self, seconds: u64) -> String {
        let millis = self.millis.unwrap_or_else(|| panic!("no retry follows: the delivery is {}", self.state));
        // The duration of an attempt that is shown leaves out what is less than a millisecond.
        assert!((seconds * 1000..=seconds * 1100 + 1).contains(&millis), "after {}", words(millis));
        format!("{} after the end of the attempt before", words(millis))
    }
}

/// A duration as people say it, to a tenth of a second.
fn words(millis: u64) -> String {
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, (millis % 60_000) as f64 / 1000.0);
    let part = |n: u64, unit: &str| if n == 0 { String::new() } else { format!("{n} {unit} ") };
    format!("{}{}{seconds:.1} s", part(hours, "h"), part(minutes, "m"))
}

/// What follows the first `attempts` failed attempts of a webhook of this dialect, in order. `settings` are the webhook's too.
pub fn waits(scene: &mut Scene, dialect: &str, attempts: usize, settings: &Value) -> Vec<Wait> {
    let (reached, at_gate) = mpsc::channel::<usize>();
    let (gates, opened): (Vec<_>, Vec<_>) = (0..=attempts).map(|_| mpsc::channel::<()>()).unzip();
    let opened: Vec<_> = opened.into_iter().map(Mutex::new).collect();
    let tries = Mutex::new(BTreeMap::<usize, usize>::new());
    let receiver = Receiver::start(move |path, message| {
        if is_question(&message.body) {
            return Answer::Challenge;
        }
        let n: usize = path.trim_start_matches('/').parse().expect("the number of the attempt that is asked for");
        let tried = *tries.lock().expect("not poisoned").entry(n).and_modify(|tried| *tried += 1).or_insert(1);
        if tried + 1 == n {
            reached.send(n).expect("the test waits for it");
            opened[n].lock().expect("not poisoned").recv_timeout(DEADLINE).expect("the webhook is changed in time");
        }
        Answer::Status(500)
    });

    let mut made = Vec::new();
    for n in 1..=attempts {
        let mut body = json!({
            "url": receiver.url(&format!("/{n}")), "events": ["promise.waits"], "dialect": dialect, "secret": SECRET,
        });
        let body_of = body.as_object_mut().expect("an object");
        body_of.extend(settings.as_object().expect("an object").clone());
        if n > 1 {
            body_of.insert("retry".into(), at_once(n - 1));
        }
        made.push(scene.post("/api/v1/webhooks", body, 201)["data"]["id"].as_str().expect("an id").to_owned());
    }
    let event = scene.publish(json!({"type": "promise.waits", "data": {}}));
    for _ in 1..attempts {
        let n = at_gate.recv_timeout(DEADLINE).expect("each comes to the attempt before the one that is asked for");
        scene.ask("PATCH", &format!("/api/v1/webhooks/{}", made[n - 1]), json!({"retry": null}), 200);
        gates[n].send(()).expect("the endpoint waits for it");
    }
    let wait = |(n, webhook): (usize, &String)| {
        let id = scene.delivery_of(&event, webhook);
        let wait = wait(&scene.delivery_after(&id, n + 1));
        assert_eq!(scene.client.request("DELETE", &format!("/api/v1/webhooks/{webhook}"), b"").status, 204);
        wait
    };
    made.iter().enumerate().map(wait).collect()
}

/// What a delivery that has just failed says.
fn wait(delivery: &Value) -> Wait {
    let at = |field: &Value| field.as_str().and_then(time::parse);
    let last = delivery["attempts"].as_array().and_then(|all| all.last()).expect("an attempt");
    let ended = at(&last["started_at"]).expect("a time") + last["response_time_ms"].as_u64().expect("a duration");
    let state = delivery["state"].as_str().expect("a state").to_owned();
    Wait { state, millis: at(&delivery["next_attempt_at"]).map(|next| next.saturating_sub(ended)) }
}
