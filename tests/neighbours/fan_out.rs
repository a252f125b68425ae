//! Batches that a thousand webhooks want: a million deliveries by one request.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stranger::{Stranger, account};
use crate::support::Server;
use crate::{CACHE, MIB, SLACK};

/// Between two batches.
const PAUSE: Duration = Duration::from_secs(1);

#[test]
fn a_batch_to_a_thousand_webhooks_holds_up_no_stranger() {
    const WEBHOOKS: u64 = 1000;
    const EVENTS: u64 = 1000;
    /// Which webhooks want an event: as it was asked, is staged, written and read again, for each event of the batch.
    const WANTED: u64 = 4 * 8 * EVENTS * WEBHOOKS;
    /// A group of the store is cut by the deliveries that it makes: some thousand keys, each with its row before and after.
    const GROUP: u64 = 32 * MIB;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let stranger = Stranger::new(&server);
    let mut hostile = account(&server, "hostile");
    for _ in 0..WEBHOOKS {
        // Nothing goes out: what is measured is what the batch costs.
        let made = hostile.post("/api/v1/webhooks", &json!({"url": "http://127.0.0.1:9/", "events": ["*"]})).data(201);
        let pause = format!("/api/v1/webhooks/{}/pause", made["id"].as_str().expect("an id"));
        hostile.post(&pause, &json!({})).data(200);
    }
    let batch = Value::from(vec![json!({"type": "a", "data": {}}); EVENTS as usize]);
    stranger.beside(WANTED + GROUP + 2 * CACHE + SLACK, |stop| {
        let mut accepted = 0;
        while !stop.load(Ordering::SeqCst) || accepted == 0 {
            let reply = hostile.post("/api/v1/events", &batch);
            assert!([202, 429, 503].contains(&reply.status), "{}", reply.status);
            accepted += usize::from(reply.status == 202);
            // The deliveries of one batch take longer to make than this.
            std::thread::sleep(PAUSE);
        }
    });
    assert!(server.terminate().success());
}
