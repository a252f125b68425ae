//! Another webhook server, as far as its published document goes: it answers what it has at a path, to who shows its token.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::support::{Answer, Receiver};

/// The token that it takes.
pub const TOKEN: &str = "testsk_of_the_other_server";

/// Starts one that has `pages`, by path and query. Each path of `busy` is answered once that it has to wait.
pub fn start(pages: &[(&str, Value)], busy: &[&str]) -> Receiver {
    let pages: BTreeMap<String, Value> = pages.iter().map(|(path, page)| ((*path).to_owned(), page.clone())).collect();
    let busy = Mutex::new(busy.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
    Receiver::start(move |path, message| {
        if message.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return answer(401, "", &json!({"code": "authentication_failed", "detail": "Invalid token"}));
        }
        let mut busy = busy.lock().expect("not poisoned");
        if let Some(at) = busy.iter().position(|busy| busy == path) {
            busy.remove(at);
            return answer(429, "Retry-After: 0\r\n", &json!({"code": "rate_limit", "detail": "Too many requests"}));
        }
        match pages.get(path) {
            Some(page) => answer(200, "", page),
            None => answer(404, "", &json!({"code": "not_found", "detail": "Entity not found"})),
        }
    })
}

fn answer(status: u16, headers: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    // Some bytes a test.
    Answer::Bytes((head + &body).leak().as_bytes())
}
