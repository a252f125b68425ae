//! Event types out of a document: OpenAPI, AsyncAPI or JSON Schema. What stays true: all that it describes is written down, or
//! nothing; and what it does not say of a type that is there stays, also whether it is retired and what is done with what does not fit.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::writing::{Planned, try_out, write};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::Manage;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::event_type::OwnType;
use crate::domain::id::AccountNumber;
use crate::exchange::{DescribedType, event_types};
use crate::store::Registry;

/// Types that an entry of the audit log names.
const NAMED_MAX: usize = 100;

/// A document to write event types down from.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventTypesLoad)]
struct LoadInput {
    /// An OpenAPI 3, AsyncAPI or JSON Schema document, as JSON.
    #[schema(value_type = serde_json::Map<String, serde_json::Value>)]
    document: Box<RawValue>,
    /// True: nothing is written down; the reply says what would be.
    #[serde(default)]
    dry_run: bool,
}

/// What came of a document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EventTypesLoaded)]
struct LoadedView {
    /// Types that were not there.
    #[schema(example = json!(["task.created"]))]
    created: Vec<String>,
    /// Types that were there, and said something else.
    #[schema(example = json!(["task.done"]))]
    changed: Vec<String>,
    /// Types that were there as the document has them.
    #[schema(example = json!(["task.deleted"]))]
    unchanged: Vec<String>,
    /// Whether nothing was written down.
    dry_run: bool,
}

/// Write down the event types that a document describes, all of them or none
///
/// Of OpenAPI 3 its `webhooks` (or `x-webhooks`), of AsyncAPI its messages; of OpenAPI without webhooks the schemas among
/// `components`, and of JSON Schema those in `$defs` or `definitions`, that say which event they are of: by `x-event-type`, by a
/// `type` that can be one text only, or by a name with a dot. A JSON Schema without such is one type, named by `x-event-type` or
/// `title`. Where a body has `data` beside its `type`, the schema is that of `data`. What a schema refers to within the document
/// comes with it. What the document does not say of a type that is there stays. At most 256 types, of a document of at most 4 MiB
/// and 262,144 values; what is said of all types that it changes has at most 524,288 bytes. That of one has at most 31,000 bytes, and its description is cut to 1,000 characters.
#[utoipa::path(
    operation_id = "event_types.load", security(("key" = ["manage"])),
    request_body = LoadInput,
    responses(
        (status = 200, description = "Written down, or what would be", body = Reply<LoadedView>),
        (status = 400, description = "It describes no event type, or one that cannot be taken; nothing was written down"),
        (status = 409, description = "The account would have more than it may"),
    )
)]
#[post("/api/v1/event-types/import")]
pub async fn load(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let LoadInput { document, dry_run } = body.read()?;
    let account = tenant.account().number;
    let described = api.read(account, move || described(document.get())).await??;
    let planned = plan(&api.store.registry(), account, &described);
    let mut view = LoadedView { created: Vec::new(), changed: Vec::new(), unchanged: Vec::new(), dry_run };
    for planned in planned {
        let list = match &planned.0 {
            None => &mut view.created,
            Some(_) if is_news(&planned) => &mut view.changed,
            Some(_) => &mut view.unchanged,
        };
        list.push(planned.1.name);
    }
    let news =
        |registry: &Registry| Ok(plan(registry, account, &described).into_iter().filter(is_news).collect::<Vec<_>>());
    let place = |name: &str, invalid: Invalid| placed(&described, name, invalid);
    if dry_run {
        try_out(&api, &tenant, news, place).await?;
    } else {
        let deed = |planned: &[Planned]| {
            let names = planned.iter().take(NAMED_MAX).map(|(_, own)| own.name.clone()).collect();
            let told = Deed::new(account, "event_types.loaded", format!("{} event types", planned.len()));
            (!planned.is_empty()).then(|| told.with_fields(names))
        };
        write(&api, &tenant, news, deed, place).await?;
    }
    Ok(Reply::ok(view))
}

/// Whether there is none, or another.
fn is_news((before, own): &Planned) -> bool {
    before.as_ref().is_none_or(|before| before.own() != own)
}

fn described(document: &str) -> Result<Vec<DescribedType>, Invalid> {
    event_types(document).map_err(|why| Invalid::new("document", why))
}

/// What stands there, and what is to.
fn plan(registry: &Registry, account: AccountNumber, described: &[DescribedType]) -> Vec<Planned> {
    let of = |one: &DescribedType| {
        let before = registry.event_type(account, &one.name).cloned();
        let mut own = before.as_ref().map_or_else(|| OwnType::named(&one.name), |before| before.own().clone());
        if !one.description.is_empty() {
            own.description.clone_from(&one.description);
        }
        own.schema = one.schema.clone().or(own.schema);
        own.sample = one.sample.clone().or(own.sample);
        (before, own)
    };
    described.iter().map(of).collect()
}

/// What is wrong with a type, in the words of who sent a document: one of a sample and a schema that do not fit each other may
/// stand in no document.
fn placed(described: &[DescribedType], name: &str, Invalid { field, mut message }: Invalid) -> Invalid {
    let said = described.iter().find(|one| one.name == name).filter(|_| field == "sample");
    let path = format!("/api/v1/event-types/{name}");
    if said.is_some_and(|one| one.sample.is_none()) {
        message += &format!(
            " (the sample is the one that is stored: the document has no example; give it one, or PATCH {path} with \
             {{\"sample\": null}} first)"
        );
    } else if said.is_some_and(|one| one.schema.is_none()) {
        message += &format!(
            " (the schema is the one that is stored: the document has none; give it one, or PATCH {path} with \
             {{\"schema\": null}} first)"
        );
    }
    Invalid { field: format!("document: {name}: {field}"), message }
}
