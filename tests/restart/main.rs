//! Restarts as a publisher, an endpoint and a supervisor see them. What stays true: nobody who publishes is refused, nothing that
//! was taken is lost, no endpoint holds a stop, and who wants to take over and cannot has disturbed nothing.

mod attempts;
mod notify;
mod publisher;
#[path = "../support/mod.rs"]
mod support;
mod take_over;
mod through;

use std::io;
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use support::{Client, DEADLINE, Receiver};

/// A webhook at `path` of `receiver` for events of this type.
fn webhook(client: &mut Client, receiver: &Receiver, path: &str, event: &str) -> String {
    let webhook = json!({"url": receiver.url(path), "events": [event], "timeout": 60});
    client.post("/api/v1/webhooks", &webhook).data(201)["id"].as_str().expect("an id").to_owned()
}

/// Publishes one event under this id.
#[track_caller]
fn publish(client: &mut Client, event: &str, id: &str) {
    client.post("/api/v1/events", &json!({"type": event, "id": id, "data": 1})).data(202);
}

/// The only delivery of an event.
#[track_caller]
fn delivery(client: &mut Client, event: &str) -> Value {
    let shown = client.get(&format!("/api/v1/events/{event}")).data(200);
    let id = shown["deliveries"][0]["id"].as_str().expect("it has a delivery").to_owned();
    client.get(&format!("/api/v1/deliveries/{id}")).data(200)
}

/// A connection that asks nothing.
fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}
