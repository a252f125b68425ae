//! Everything of an account, as NDJSON: one row a line, each with its `kind`. What stays true: a line is made only once there is
//! room for it on the connection, some lines at a time in the account's turn at reading, so an export holds neither a worker
//! nor more memory than its longest line and a little; who goes away ends it. A whole one ends with the line `end`: what was
//! broken off has none.

use std::io;
use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::view::{account_view, key_view};
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::audit;
use crate::api::deliveries::history::History;
use crate::api::deliveries::view::view;
use crate::api::event_types::view::own as own_type;
use crate::api::events::routes::whole;
use crate::api::events::view::row;
use crate::api::http::problem::Problem;
use crate::api::http::request::Query;
use crate::api::lines::{line, webhook_line};
use crate::api::people::view::user_view;
use crate::api::webhooks::reach::Reach;
use crate::domain::Invalid;
use crate::domain::account::{Account, Scope};
use crate::domain::audit::{AuditEntry, Deed};
use crate::domain::id::{AuditId, DeliveryId, EventId, WebhookId};
use crate::domain::walk::Walk;
use crate::domain::webhook::Webhook;
use crate::store::{EventHead, KnownType, Refusal};

/// What is made at once, in bytes, or one line more.
const CHUNK_BYTES: usize = 64 * 1024;
/// Rows that are read at once.
const ROWS: usize = 32;

/// What to leave out.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `true`: webhooks come with their signing secrets; for keys that may manage.
    #[param(value_type = Option<bool>, example = true)]
    secrets: Option<String>,
}

/// Export everything of an account as NDJSON
///
/// A line is a JSON object with a `kind`, in this order: the `account`; each `key`, without its text; each `user`, for keys that
/// may manage, without what they log in by; each `webhook`, the oldest first; each `event_type` that it has written down; each `event` with its data, the newest first, and behind each event its deliveries (`delivery`), each with all of its
/// attempts; each entry of the log (`audit`), for keys that may manage; and last `end` with how many lines there were of each
/// kind. Without that line an export was broken off.
///
/// Each row is as it stood when its turn came, not all of one moment: what is accepted once the export has begun is not in it,
/// what goes while it is under way may be missing, and a delivery may have gone on since its event was written. A key of the
/// account exports its own; an admin's, any.
#[utoipa::path(
    operation_id = "accounts.export", security(("key" = ["read"])),
    params(("id" = String, Path), ExportQuery),
    responses((status = 200, description = "One object a line", content_type = "application/x-ndjson", body = String))
)]
#[get("/api/v1/accounts/{id}/export")]
pub async fn export(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let with_secrets = match query.secrets.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Invalid::new("secrets", "must be true or false").into()),
    };
    begin(&tenant, api, &id, with_secrets).await
}

/// Begins one; it is made as it is read.
pub async fn begin(
    tenant: &Tenant,
    api: web::Data<Api>,
    id: &str,
    with_secrets: bool,
) -> Result<HttpResponse, Problem> {
    let account = api.store.registry().account_by_id(id).cloned();
    let is_within_reach = |account: &Arc<Account>| tenant.is_admin() || account.number == tenant.account().number;
    let account = account.filter(is_within_reach).ok_or_else(|| Problem::not_found("account"))?;
    if with_secrets && !tenant.may(Scope::Manage) {
        return Err(Problem::scope_missing(Scope::Manage).with_field("secrets"));
    }
    let fields = if with_secrets { vec!["secrets".to_string()] } else { Vec::new() };
    let deed = Deed::new(account.number, "account.exported", &account.id).with_fields(fields);
    let number = account.number;
    let noted = api.change(tenant, move |staging| match staging.registry().is_served(number) {
        true => Ok((Some(deed), ())),
        // Nothing is written for it any more.
        false => Err(Refusal::NotFound("account")),
    });
    noted.await?;
    let reader = tenant.reading(account.clone());
    let begun = Export { api, reader, account, with_secrets, place: Place::Account, lines: Lines::default() };
    let chunks = stream::try_unfold(begun, |goes_on| async move {
        if matches!(goes_on.place, Place::Over) {
            return Ok(None);
        }
        let (api, account) = (goes_on.api.clone(), goes_on.account.number);
        let read = api.read(account, move || goes_on.chunk()).await.map_err(io::Error::other)?;
        read.map(Some).map_err(|problem| io::Error::other(problem.to_string()))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(chunks))
}

/// An export under way.
struct Export {
    api: web::Data<Api>,
    /// Who reads, acting for the account.
    reader: Tenant,
    account: Arc<Account>,
    with_secrets: bool,
    place: Place,
    lines: Lines,
}

/// What comes next.
enum Place {
    Account,
    /// Behind this webhook.
    Webhooks(Option<WebhookId>),
    /// Behind the one of this name.
    EventTypes(Option<String>),
    /// The event before this one.
    Events(Option<EventId>),
    /// Of this event, the deliveries before that one.
    Deliveries(Box<EventHead>, Option<DeliveryId>),
    /// The entries before this one.
    Audit(Option<AuditId>),
    End,
    Over,
}

/// How many lines there were of each kind.
#[derive(Default, Serialize)]
struct Lines {
    keys: u64,
    users: u64,
    webhooks: u64,
    event_types: u64,
    events: u64,
    deliveries: u64,
    audit: u64,
}

impl Export {
    /// Some lines more, and how it goes on.
    fn chunk(mut self) -> Result<(Bytes, Self), Problem> {
        if !self.api.store.registry().is_served(self.account.number) {
            return Err(Problem::not_found("account"));
        }
        if !self.reader.is_still_let_in(&self.api) {
            return Err(Problem::unauthorized("this key is not known any more"));
        }
        if self.api.connections().is_stopping() {
            return Err(Problem::stopping());
        }
        let mut out = Vec::new();
        while out.len() < CHUNK_BYTES && !matches!(self.place, Place::Over) {
            self.place = match std::mem::replace(&mut self.place, Place::Over) {
                Place::Account => self.account(&mut out)?,
                Place::Webhooks(after) => self.webhooks(&mut out, after)?,
                Place::EventTypes(after) => self.event_types(&mut out, after)?,
                Place::Events(before) => self.event(&mut out, before)?,
                Place::Deliveries(event, before) => self.deliveries(&mut out, event, before)?,
                Place::Audit(before) => self.audit(&mut out, before)?,
                Place::End => {
                    line(&mut out, "end", &self.lines)?;
                    Place::Over
                }
                Place::Over => Place::Over,
            };
        }
        Ok((out.into(), self))
    }

    fn account(&mut self, out: &mut Vec<u8>) -> Result<Place, Problem> {
        line(out, "account", &account_view(&self.account))?;
        let keys = self.api.store.registry().keys_of(self.account.number);
        for key in keys {
            line(out, "key", &key_view(&self.api, &self.account, &key, None))?;
            self.lines.keys += 1;
        }
        if self.reader.may(Scope::Manage) {
            let users: Vec<_> = self.api.store.registry().people().of(self.account.number).cloned().collect();
            for user in users {
                line(out, "user", &user_view(&user, None))?;
                self.lines.users += 1;
            }
        }
        Ok(Place::Webhooks(None))
    }

    fn webhooks(&mut self, out: &mut Vec<u8>, after: Option<WebhookId>) -> Result<Place, Problem> {
        let some: Vec<Arc<Webhook>> = {
            let registry = self.api.store.registry();
            let from = after.map_or(0, |after| after.number().saturating_add(1));
            registry.webhooks_of_from(self.account.number, from).take(ROWS).collect()
        };
        let reach = Reach::of(&self.api, &self.reader, None);
        for webhook in &some {
            webhook_line(out, reach.view(webhook)?, webhook, self.with_secrets)?;
        }
        self.lines.webhooks += some.len() as u64;
        Ok(some.last().map_or(Place::EventTypes(None), |last| Place::Webhooks(Some(last.id))))
    }

    fn event_types(&mut self, out: &mut Vec<u8>, after: Option<String>) -> Result<Place, Problem> {
        let some: Vec<Arc<KnownType>> = {
            let registry = self.api.store.registry();
            let is_next = |known: &&Arc<KnownType>| after.as_ref().is_none_or(|after| known.own().name > *after);
            registry.event_types_of(self.account.number).filter(is_next).take(ROWS).cloned().collect()
        };
        for known in &some {
            line(out, "event_type", &own_type(known.own())?)?;
        }
        self.lines.event_types += some.len() as u64;
        Ok(some.last().map_or(Place::Events(None), |last| Place::EventTypes(Some(last.own().name.clone()))))
    }

    fn event(&mut self, out: &mut Vec<u8>, before: Option<EventId>) -> Result<Place, Problem> {
        let (store, account) = (&self.api.store, self.account.number);
        let page = store.events(account, Walk::newest(1).past(before), None, |_| true)?;
        // Where many in a row cannot be read, those behind them follow.
        let onward = page.next.map_or(Place::Audit(None), |next| Place::Events(Some(next)));
        let Some(head) = page.rows.into_iter().next() else { return Ok(onward) };
        // What goes in between is as if it had gone before.
        let Some((head, payload)) = whole(store, account, head.id)? else { return Ok(Place::Events(Some(head.id))) };
        line(out, "event", &row(head.clone()).with_payload(payload.as_deref())?)?;
        self.lines.events += 1;
        Ok(Place::Deliveries(Box::new(head), None))
    }

    fn deliveries(
        &mut self,
        out: &mut Vec<u8>,
        event: Box<EventHead>,
        before: Option<DeliveryId>,
    ) -> Result<Place, Problem> {
        let store = &self.api.store;
        let page = store.deliveries_of_event(event.id, &event.webhooks, Walk::newest(ROWS).past(before))?;
        let (mut done, mut next) = (before, page.next);
        for delivery in &page.rows {
            if out.len() >= CHUNK_BYTES {
                next = done;
                break;
            }
            done = Some(delivery.id);
            // One whose webhook is forgotten went with it.
            let Some(webhook) = store.registry().webhook(delivery.id.webhook()) else { continue };
            let shown = view(&History::of(&self.api, webhook.clone())?, delivery)?;
            line(out, "delivery", &shown.with_attempts(&self.api, &self.reader, &webhook, delivery)?)?;
            self.lines.deliveries += 1;
        }
        Ok(match next {
            Some(next) => Place::Deliveries(event, Some(next)),
            None => Place::Events(Some(event.id)),
        })
    }

    fn audit(&mut self, out: &mut Vec<u8>, before: Option<AuditId>) -> Result<Place, Problem> {
        if !self.reader.may(Scope::Manage) {
            return Ok(Place::End);
        }
        let may_see = |entry: &AuditEntry| audit::may_see(&self.reader, entry);
        let page = self.api.store.audit_log(self.account.number, Walk::newest(ROWS).past(before), may_see)?;
        for entry in page.rows {
            line(out, "audit", &audit::view(&self.api, &self.reader, entry))?;
            self.lines.audit += 1;
        }
        Ok(page.next.map_or(Place::End, |next| Place::Audit(Some(next))))
    }
}
