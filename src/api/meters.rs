//! What the API counts about itself since the start, and where it counts: one middleware sees every reply.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::Api;
use super::problem::Code;
use crate::store::Accepted;

/// Counters.
#[derive(Debug, Default)]
pub struct Meters {
    accepted: AtomicU64,
    duplicates: AtomicU64,
    /// Replies by the first digit of their status.
    replies: [AtomicU64; 6],
    /// Error replies by code.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Meters {
    /// Counts what a publish accepted.
    pub fn count_accepted(&self, accepted: &[Accepted]) {
        let duplicates = accepted.iter().filter(|one| one.duplicate).count() as u64;
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        self.accepted.fetch_add(accepted.len() as u64 - duplicates, Ordering::Relaxed);
    }

    fn count_reply(&self, status: u16, code: Option<Code>) {
        if let Some(class) = self.replies.get(usize::from(status / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(Code(code)) = code {
            *self.refused.lock().expect("no holder panics").entry(code).or_default() += 1;
        }
    }

    /// Writes them in the Prometheus text format.
    pub fn write(&self, out: &mut String) {
        family(out, "hookwheel_events_accepted_total", "counter", "Events accepted.");
        sample(out, "hookwheel_events_accepted_total", "", self.accepted.load(Ordering::Relaxed));
        family(out, "hookwheel_events_duplicate_total", "counter", "Events that had been accepted before.");
        sample(out, "hookwheel_events_duplicate_total", "", self.duplicates.load(Ordering::Relaxed));
        family(out, "hookwheel_http_replies_total", "counter", "HTTP replies by class of status.");
        for (class, count) in self.replies.iter().enumerate().skip(1) {
            let label = format!("{{class=\"{class}xx\"}}");
            sample(out, "hookwheel_http_replies_total", &label, count.load(Ordering::Relaxed));
        }
        family(out, "hookwheel_http_refused_total", "counter", "Error replies by code.");
        for (code, count) in self.refused.lock().expect("no holder panics").iter() {
            sample(out, "hookwheel_http_refused_total", &format!("{{code=\"{code}\"}}"), *count);
        }
    }
}

/// Writes the two comment lines of a family of samples.
pub fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes a sample; `labels` with their braces.
pub fn sample(out: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(out, "{name}{labels} {value}");
}

/// The middleware.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app").clone();
    let reply = next.call(request).await?;
    let code = reply.response().extensions().get::<Code>().copied();
    api.meters.count_reply(reply.status().as_u16(), code);
    Ok(reply)
}
