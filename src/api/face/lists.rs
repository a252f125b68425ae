//! The lists of a face: its webhooks and the history of one, by cursor or by offset, with as much of each row as the face
//! shows. What stays true: counts come from kept counters, never from counting rows.

use actix_web::HttpRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::deliveries::history::{History, Row, is_success};
use crate::api::http::page::{LIMIT_MAX, Listed, Window};
use crate::api::http::problem::Problem;
use crate::api::webhooks::reach::Reach;
use crate::api::webhooks::view::{Object, object, views};
use crate::dialect::{Face, ListRule, Numbers, Only, Page, Paging, Rows, View, canonical};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{AttemptId, DeliveryId};
use crate::domain::{Invalid, time};

/// Rows that an offset may skip: beyond them every page is empty, since each is counted off from the newest.
const OFFSET_MAX: usize = 10_000;

/// What a list of a face is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
    offset: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
struct Part {
    window: Window,
    offset: usize,
}

/// A list of webhooks.
pub async fn webhooks(reach: &Reach<'_>, face: &Face, request: &HttpRequest) -> Result<Value, Problem> {
    let part = part(request, &face.list)?;
    let listed = match part.offset {
        beyond if beyond > OFFSET_MAX => Listed { rows: Vec::new(), next: None },
        offset => {
            let so_far = Window { limit: part.window.limit + offset, ..part.window };
            let mut listed = Listed::from(reach.list(so_far, |_| true));
            listed.rows.drain(..offset.min(listed.rows.len()));
            listed
        }
    };
    let total = || reach.list(Window::newest(usize::MAX), |_| true).rows.len() as u64;
    let page = match face.list.paging {
        Paging::Cursor => Page::Cursor(listed.cursor()),
        Paging::Offset => offset_page(total(), part),
    };
    let (store, by) = (reach.api.store.clone(), reach.onlooker());
    let shown = reach.api.read(reach.tenant.account().number, move || views(&store, &by, &listed.rows)).await??;
    Ok(face.webhooks(&shown.iter().map(object).collect::<Vec<_>>(), &page))
}

/// The history of a webhook.
pub async fn deliveries(reach: &Reach<'_>, face: &Face, id: &str, request: &HttpRequest) -> Result<Value, Problem> {
    let rule = &face.deliveries;
    let part = part(request, &rule.list)?;
    let history = reach.history(id)?;
    let (deliveries, attempts) = (history.tally.deliveries, history.tally.attempts);
    let (kind, only, paging) = (rule.rows, rule.only, rule.list.paging);
    let details = Details::of(face);
    let listed = reach.api.read(reach.tenant.account().number, move || {
        let listed = match paging {
            Paging::Cursor => rows(&history, kind, only, part.window)?,
            Paging::Offset => rows_from(&history, kind, part)?,
        };
        let rows = listed.rows.iter().map(|row| details.add(&history, row)).collect::<Result<_, Problem>>()?;
        Ok::<_, Problem>(Listed { rows, next: listed.next })
    });
    let listed = listed.await??;
    let page = match (paging, kind) {
        (Paging::Cursor, _) => Page::Cursor(listed.cursor()),
        (Paging::Offset, Rows::Delivery) => offset_page(deliveries, part),
        (Paging::Offset, Rows::Attempt) => offset_page(attempts, part),
    };
    Ok(face.rows(&listed.rows, &page))
}

fn rows(history: &History, kind: Rows, only: Only, window: Window) -> Result<Listed<Row>, Problem> {
    let wanted = |delivery: &Delivery| match only {
        Only::All => true,
        Only::Tried => delivery.attempts > 0 || delivery.state == DeliveryState::Dead,
        Only::Finished => matches!(delivery.state, DeliveryState::Succeeded | DeliveryState::Dead),
    };
    Ok(match kind {
        Rows::Delivery => history.deliveries(window, wanted)?,
        Rows::Attempt => history.attempts(window, wanted)?,
    })
}

/// Walks from the newest row; an offset has a bound for this reason.
fn rows_from(history: &History, kind: Rows, part: Part) -> Result<Listed<Row>, Problem> {
    let (mut skip, mut shown) = (part.offset, Vec::new());
    if skip > OFFSET_MAX {
        return Ok(Listed { rows: shown, next: None });
    }
    let mut window = Window::newest(LIMIT_MAX);
    loop {
        let listed = rows(history, kind, Only::All, window)?;
        let skipped = skip.min(listed.rows.len());
        skip -= skipped;
        shown.extend(listed.rows.into_iter().skip(skipped).take(part.window.limit - shown.len()));
        match listed.next {
            Some(next) if shown.len() < part.window.limit => window = window.after(Some(next)),
            _ => return Ok(Listed { rows: shown, next: None }),
        }
    }
}

fn part(request: &HttpRequest, rule: &ListRule) -> Result<Part, Problem> {
    let query = crate::api::http::request::query::<ListQuery>(request)?;
    let unknown = |field: &str| Err(Invalid::new(field, "is not known here").into());
    match (rule.paging, &query) {
        (Paging::Cursor, ListQuery { offset: Some(_), .. }) => return unknown("offset"),
        (Paging::Offset, ListQuery { cursor: Some(_), .. }) => return unknown("cursor"),
        _ => {}
    }
    let offset = query.offset.as_deref().map_or(Some(0), whole_number);
    let offset = offset.ok_or_else(|| Invalid::new("offset", "must be a whole number from 0 up"))?;
    let usual = rule.limit_default as usize;
    let window = Window::read(usual, query.limit.as_deref(), query.cursor.as_deref())?;
    Ok(Part { window, offset })
}

/// A number however long it is written.
fn whole_number(text: &str) -> Option<usize> {
    let is_one = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse().unwrap_or(usize::MAX))
}

fn offset_page(total: u64, part: Part) -> Page {
    Page::Offset { total, limit: part.window.limit as u32, offset: part.offset as u64 }
}

/// What rows show beyond a delivery and its latest attempt. It costs a read more, so only faces that show it pay.
#[derive(Debug, Clone, Copy)]
struct Details {
    data: bool,
    attempt_log: bool,
}

impl Details {
    fn of(face: &Face) -> Self {
        let shows = |wanted: &str| {
            face.deliveries
                .fields
                .iter()
                .any(|(_, view)| matches!(view, View::Native { field, .. } if *field == wanted))
        };
        Self { data: shows("data"), attempt_log: shows("attempt_log") }
    }

    fn add(self, history: &History, row: &Row) -> Result<Object, Problem> {
        let mut object = object(row);
        // When the attempt started; before the first, when the delivery was made.
        object.insert("at".into(), json!(row.attempted_at.as_ref().unwrap_or(&row.created_at)));
        let attempt = DeliveryId::parse(&row.id).zip(row.attempt);
        object.insert(
            "attempt_id".into(),
            json!(attempt.map(|(delivery, number)| AttemptId { delivery, number }.to_string())),
        );
        let wanted = DeliveryId::parse(&row.id).filter(|_| self.data || self.attempt_log);
        let delivery = wanted.map(|id| history.store.delivery(id)).transpose()?.flatten();
        let Some(delivery) = delivery else { return Ok(object) };
        if self.data {
            let event = history.store.event(history.webhook.account, delivery.event)?;
            object.insert("data".into(), json!(event.and_then(|event| readable(&event.data))));
        }
        if self.attempt_log {
            let log = history.store.attempts(&delivery)?.into_iter().map(|attempt| {
                let one = attempt.summary;
                let success = is_success(&delivery, &one);
                json!({
                    "attempt": one.number,
                    "timestamp": time::rfc3339(history.store.shown(one.started_at)),
                    "status_code": one.outcome.status(),
                    "response_time_ms": one.duration_ms,
                    "success": success,
                    "error": (!success).then(|| one.outcome.to_string()),
                })
            });
            object.insert("attempt_log".into(), log.collect());
        }
        Ok(object)
    }
}

/// Data as a reply can hold it: where there is a number beyond every double, as JavaScript would write it all.
fn readable(data: &[u8]) -> Option<Value> {
    serde_json::from_slice(data).ok().or_else(|| {
        let mut written = Vec::with_capacity(data.len());
        canonical(data, Numbers::Js, &mut written);
        serde_json::from_slice(&written).ok()
    })
}
