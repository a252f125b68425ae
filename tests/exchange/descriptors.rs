//! A server that may open few files, and more endpoints than that: some wait for their turn, the API goes on, and what it
//! opened it closes by itself. And one that has no port left to connect from: what it lacks is charged to nobody.

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};

use hookwheel::clock::Stopwatch;
use serde_json::json;

use crate::metric;
use crate::support::http::read_message;
use crate::support::{DEADLINE, Server, Stage};

/// Files that the server may open.
const OPEN_FILES: usize = 256;
/// More endpoints than that, each at an address of its own.
const ENDPOINTS: usize = 400;

/// Holds answers back until it is opened.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn pass(&self) {
        let open = self.0.lock().unwrap();
        drop(self.1.wait_while(open, |is_open| !*is_open).unwrap());
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// An endpoint at every address of this machine, which keeps its connections.
fn endpoint(gate: Arc<Gate>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (gate, mut reading) = (gate.clone(), BufReader::new(stream.unwrap()));
            std::thread::spawn(move || -> std::io::Result<()> {
                while read_message(&mut reading)?.is_some() {
                    gate.pass();
                    reading.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
                }
                Ok(())
            });
        }
    });
    port
}

/// Descriptors that the server has open.
fn open_files(stage: &Stage) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", stage.server.process.child.id())).unwrap().count()
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() < DEADLINE, "{what} does not come");
        std::thread::yield_now();
    }
}

#[test]
fn where_descriptors_are_few_deliveries_wait_and_nobody_is_charged() {
    let gate = Arc::new(Gate::default());
    let port = endpoint(gate.clone());
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_limited(dir.path(), OPEN_FILES, &[]);
    let mut stage = Stage { client: server.client(), server, dir };
    let webhooks: Vec<String> = (0..ENDPOINTS)
        .map(|n| stage.webhook(&format!("http://127.7.{}.{}:{port}/", n / 250, n % 250 + 1), json!({"timeout": 60})))
        .collect();
    let before = open_files(&stage);
    stage.publish("e");
    // Half go to the listener and a quarter to what else there is; of the rest, three quarters to those of whom nothing is known.
    wait_until("as many as may be out", || metric(&mut stage, "hookwheel_in_flight") >= 40);
    // New clients are still answered.
    stage.server.client().get("/health/ready").data(200);
    assert!(metric(&mut stage, "hookwheel_in_flight") <= 48);
    assert!(open_files(&stage) < OPEN_FILES - 32, "{} of {OPEN_FILES} are open", open_files(&stage));
    gate.open();
    for webhook in &webhooks {
        let delivery = stage.ended(webhook, "e");
        assert_eq!((&delivery["state"], delivery["attempts"].as_array().unwrap().len()), (&json!("succeeded"), 1));
    }
    for kind in ["timeout", "dns", "connect", "broken", "unsendable"] {
        let name = format!("hookwheel_attempt_outcomes_total{{outcome=\"{kind}\"}}");
        assert_eq!(metric(&mut stage, &name), 0, "{kind}");
    }
    assert_eq!(metric(&mut stage, "hookwheel_handed_back_total"), 0, "none went out for which there was no descriptor");
    wait_until("the end of what waits", || metric(&mut stage, "hookwheel_connections_out") == 0);
    wait_until("as many descriptors as before", || open_files(&stage) <= before + 2);
}

#[test]
fn a_want_of_ports_is_charged_to_nobody_and_passes() {
    let gate = Arc::new(Gate::default());
    gate.open();
    let port = endpoint(gate);
    let mut stage = Stage::start(&[("FAILPOINTS", "dial.connect=3*return->off")]);
    let webhook = stage.webhook(&format!("http://127.0.0.1:{port}/"), json!({}));
    stage.publish("e");
    let delivery = stage.ended(&webhook, "e");
    assert_eq!((&delivery["state"], delivery["attempts"].as_array().unwrap().len()), (&json!("succeeded"), 1));
    assert_eq!(metric(&mut stage, "hookwheel_handed_back_total"), 3);
    let ready = stage.client.get("/health/ready").data(200);
    assert!(ready["details"].to_string().contains("ports"), "{ready}");
    assert_eq!(metric(&mut stage, "hookwheel_attempt_outcomes_total{outcome=\"connect\"}"), 0);
}
