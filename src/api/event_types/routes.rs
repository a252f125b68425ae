//! The catalogue of an account: its list, and what the account writes down itself. What stays true: what a contract documents is
//! shown here and changed nowhere.

use std::sync::Arc;

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::Deserialize;

use super::input::{EventTypeChange, EventTypeInput, EventTypesChange};
use super::view::{EventTypeView, documented, own};
use super::writing::{Planned, write};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May, Read};
use crate::api::accounts::view::{AccountView, account_view};
use crate::api::http::list::{ListQuery, answer};
use crate::api::http::page::{Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::dialect::{Dialect, EventType};
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::event_type::OwnType;
use crate::domain::id::AccountNumber;
use crate::store::{Page, Registry};

/// Which of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventTypesFilter {
    /// Only those that this contract documents. If left out: the account's own, and those of its contract that it has not
    /// written down itself.
    pub dialect: Option<String>,
    /// `true`: only those that are retired; `false`: only those that are in use.
    #[param(value_type = Option<bool>, example = false)]
    pub retired: Option<String>,
}

/// List event types: the account's own, the newest first, then those that its contract documents
#[utoipa::path(
    operation_id = "event_types.list", security(("key" = ["read"])),
    params(EventTypesFilter, PageQuery),
    responses(
        (status = 200, description = "A page of event types, those of the contract in the order of its documentation",
            body = PageReply<EventTypeView>),
        (status = 400, description = "There is no such dialect"),
        (status = 409, description = "Its dialect is not loaded: its file is gone"),
    )
)]
#[get("/api/v1/event-types")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<EventTypesFilter>,
) -> Result<HttpResponse, Problem> {
    let account = tenant.account().number;
    let dialect = match &filter.dialect {
        Some(name) => api.served_dialect(name)?,
        None => api.loaded(&tenant.account().dialect)?,
    };
    let retired = match filter.retired.as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(Invalid::new("retired", "must be true or false").into()),
    };
    let sought = TypesSought { with_own: filter.dialect.is_none(), dialect, retired };
    answer(&api, account, part, move |api, window| page(api, account, &sought, window)).await
}

/// Which event types are sought.
pub struct TypesSought {
    /// Those that this contract documents,
    pub dialect: Arc<Dialect>,
    /// and, in the place of those of the same name, the account's own.
    pub with_own: bool,
    /// Only those that are retired, or only the others.
    pub retired: Option<bool>,
}

/// A page of event types.
pub fn page(
    api: &Api,
    account: AccountNumber,
    sought: &TypesSought,
    window: Window,
) -> Result<Listed<EventTypeView>, Problem> {
    let TypesSought { dialect, with_own, retired } = sought;
    let mut own_types: Vec<_> = {
        let registry = api.store.registry();
        registry.event_types_of(account).filter(|_| *with_own).cloned().collect()
    };
    own_types.sort_unstable_by_key(|known| known.own().id);
    let is_own = |name: &str| own_types.iter().any(|known| known.own().name == name);
    // An id of their own, lower than any that is given, so that the newest first is the order of the documentation.
    let of_contract = dialect.catalogue.iter().rev().zip(1_u128..).filter(|(known, _)| !is_own(&known.name));
    let mut all = Vec::new();
    if *retired != Some(true) {
        all.extend(of_contract.map(|(known, id)| (id, Row::Documented(known))));
    }
    let wanted = own_types.iter().filter(|known| retired.is_none_or(|is| is == known.own().retired_at.is_some()));
    all.extend(wanted.map(|known| (known.own().id.0, Row::Own(known.own()))));
    let Page { rows, next } = Page::of_all(all, window.walk(), |(id, _)| *id);
    let shown = rows.into_iter().map(|(_, row)| match row {
        Row::Own(one) => own(one),
        Row::Documented(known) => documented(dialect, known),
    });
    Ok(Listed { rows: shown.collect::<Result<_, _>>()?, next: next.map(|id| (id, 0)) })
}

/// A row of the list.
enum Row<'a> {
    Own(&'a OwnType),
    Documented(&'a EventType),
}

/// Write down an event type of the account's own
///
/// A schema is taken as JSON Schema, and what is published is held against it as `validation` says, here or for the account. Its
/// patterns are linear in time (no look-around, no references back), at most 32, and 256 of all schemas of the account (one with `\b`
/// counts as eight); its references stay within it, and `unevaluatedProperties`, `unevaluatedItems` and `$dynamicRef` are not taken. `format` is for people: nothing is held against it.
#[utoipa::path(
    operation_id = "event_types.create", security(("key" = ["manage"])),
    request_body = EventTypeInput,
    responses(
        (status = 201, description = "Written down", body = Reply<EventTypeView>),
        (status = 400, description = "It is no schema that can be taken, or the sample does not fit it"),
        (status = 409, description = "The account has one of this name, or as many as it may"),
    )
)]
#[post("/api/v1/event-types")]
pub async fn create(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let new = body.read::<EventTypeInput>()?.vet()?;
    let account = tenant.account().number;
    let name = new.name.clone();
    let plan = |registry: &Registry| match registry.event_type(account, &new.name) {
        Some(_) => Err(Problem::event_type_exists(&new.name)),
        None => Ok(vec![(None, new.clone())]),
    };
    let made = write(&api, &tenant, plan, |_| Some(Deed::new(account, "event_type.created", &name)), as_it_is).await?;
    Ok(Reply::created(own(&made[0])?))
}

/// Show an event type: the account's own, else that of its contract
#[utoipa::path(
    operation_id = "event_types.get", security(("key" = ["read"])),
    params(("name" = String, Path)),
    responses((status = 200, description = "The event type", body = Reply<EventTypeView>))
)]
#[get("/api/v1/event-types/{name}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let known = api.store.registry().event_type(tenant.account().number, &name).cloned();
    if let Some(known) = known {
        return Ok(Reply::ok(own(known.own())?));
    }
    let dialects = api.dialects.now();
    let dialect = dialects.get(&tenant.account().dialect);
    let found = dialect.and_then(|dialect| Some((dialect, dialect.sample(&name)?)));
    let (dialect, known) = found.ok_or_else(no_event_type)?;
    Ok(Reply::ok(documented(dialect, known)?))
}

/// Change an event type of the account's own, or retire it
///
/// What is left out stays. A type that is `retired` can still be published; the reply warns of it, and so does that of a webhook
/// that names it. Events that are there already are not looked at again.
#[utoipa::path(
    operation_id = "event_types.change", security(("key" = ["manage"])),
    params(("name" = String, Path)), request_body = EventTypeChange,
    responses(
        (status = 200, description = "Changed", body = Reply<EventTypeView>),
        (status = 400, description = "It is no schema that can be taken, or the sample does not fit it"),
        (status = 409, description = "Somebody else changed it at the same time"),
    )
)]
#[patch("/api/v1/event-types/{name}")]
pub async fn change(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let change = body.read::<EventTypeChange>()?.vet()?;
    let (account, now) = (tenant.account().number, api.clock.now());
    let plan = |registry: &Registry| {
        let known = registry.event_type(account, &name).cloned().ok_or_else(no_event_type)?;
        let own = change.apply(known.own(), now);
        Ok(vec![(Some(known), own)])
    };
    let deed = |planned: &[Planned]| {
        let (before, own) = planned.first()?;
        let fields = own.changed(before.as_ref()?.own());
        (!fields.is_empty()).then(|| Deed::new(account, "event_type.changed", &own.name).with_fields(fields))
    };
    let changed = write(&api, &tenant, plan, deed, as_it_is).await?;
    Ok(Reply::ok(own(&changed[0])?))
}

/// Delete an event type of the account's own
///
/// Events of it stay, and can still be published. What its contract says of a type of this name is shown again.
#[utoipa::path(
    operation_id = "event_types.delete", security(("key" = ["manage"])),
    params(("name" = String, Path)),
    responses((status = 204, description = "Deleted"))
)]
#[delete("/api/v1/event-types/{name}")]
pub async fn delete(
    tenant: May<Manage>,
    api: web::Data<Api>,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (account, name) = (tenant.account().number, name.into_inner());
    let deleted = api.change(&tenant, move |staging| {
        staging.delete_event_type(account, &name)?;
        Ok((Some(Deed::new(account, "event_type.deleted", &name)), ()))
    });
    deleted.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Say what is done with events that do not fit, for all types of the account that do not say it themselves
#[utoipa::path(
    operation_id = "event_types.validation.change", security(("key" = ["manage"])),
    request_body = EventTypesChange,
    responses((status = 200, description = "Changed: the account", body = Reply<AccountView>))
)]
#[patch("/api/v1/event-types")]
pub async fn validate(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let EventTypesChange { validation } = body.read()?;
    let number = tenant.account().number;
    let changed = api.change(&tenant, move |staging| {
        let (before, account) = staging.update_account(number, |account| {
            account.validation = validation;
            Ok(())
        })?;
        let deed = Deed::new(number, "account.changed", &account.id).with_fields(vec!["validation".into()]);
        Ok(((account.validation != before.validation).then_some(deed), account))
    });
    Ok(Reply::ok(account_view(&changed.await?)))
}

fn as_it_is(_: &str, invalid: Invalid) -> Invalid {
    invalid
}

fn no_event_type() -> Problem {
    Problem::not_found("event type")
}
