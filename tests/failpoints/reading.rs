//! Reading takes turns: the whole server in this process, over real sockets. However much one account reads that takes long,
//! it reads one thing at a time, and another account reads beside it.

use std::sync::{Mutex, mpsc};

use fail::FailScenario;
use serde_json::json;

use crate::support::DEADLINE;
use crate::whole::Whole;

/// What the busy account asks for at once.
const ASKED: usize = 8;

#[test]
fn an_account_reads_one_thing_at_a_time_and_others_read_beside_it() {
    let scenario = FailScenario::setup();
    let server = Whole::start("");
    for account in ["busy", "other"] {
        server.client().post("/api/v1/accounts", &json!({"id": account, "name": account})).data(201);
    }
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let (begun, goes_on) = (Mutex::new(begun), Mutex::new(goes_on));
    fail::cfg_callback("store.stats", move || {
        let _ = begun.lock().unwrap().send(());
        // Whoever does not say so any more lets it go on.
        let _ = goes_on.lock().unwrap().recv();
    })
    .unwrap();
    let reads = |account: &'static str| {
        let mut client = server.client().acting_for(account);
        std::thread::spawn(move || client.get("/api/v1/stats").data(200))
    };
    let mut reading: Vec<_> = (0..ASKED).map(|_| reads("busy")).collect();
    begins.recv_timeout(DEADLINE).expect("the busy account reads");
    reading.push(reads("other"));
    begins.recv_timeout(DEADLINE).expect("the other account reads as well");
    assert!(begins.try_recv().is_err(), "the busy account's next turn comes after its first");
    drop(go_on);
    for read in reading {
        assert!(read.join().unwrap()["points"].is_array());
    }
    server.stop();
    scenario.teardown();
}
