//! Accounts and their keys. For admin keys only; a key's text is in the reply that makes it and nowhere else.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::Deserialize;

use super::input::{AccountChange, AccountInput, KeyInput, vet_key};
use super::view::{AccountView, KeyView, account_row, account_view, key_view};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{self, Admin, May};
use crate::api::audit::ACCOUNT_DELETED;
use crate::api::http::list::{ListQuery, NoFilter, answer};
use crate::api::http::page::{Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::{Object, vet_text};
use crate::api::http::setting::Change;
use crate::api::jobs::view::{JobView, view};
use crate::domain::account::{self, Account, AccountLimits, DEFAULT_ACCOUNT, NAME_CHARS_MAX};
use crate::domain::audit::Deed;
use crate::domain::id::KeyId;
use crate::domain::labels;
use crate::domain::portal::Portal;
use crate::store::Page;

/// Make an account
#[utoipa::path(
    operation_id = "accounts.create", security(("key" = ["admin"])),
    request_body = AccountInput,
    responses(
        (status = 201, description = "Made", body = Reply<AccountView>),
        (status = 409, description = "There is one of this id"),
    )
)]
#[post("/api/v1/accounts")]
pub async fn create(Asked(tenant, body): Asked<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let input = body.read::<AccountInput>()?;
    let id = input.id.unwrap_or_else(|| api.with_dice(|dice| format!("acc_{:016x}", dice.bits())));
    account::check_id(&id)?;
    let name = vet_text("name", input.name, NAME_CHARS_MAX)?;
    let dialect = match input.dialect {
        Some(name) => api.any_dialect(&name)?.name.clone(),
        None => existing(&api, DEFAULT_ACCOUNT)?.dialect,
    };
    let tags = labels::vet_tags(input.tags.unwrap_or_default())?;
    let validation = input.validation.unwrap_or_default();
    let mut account = Account {
        number: 0,
        id,
        name,
        dialect,
        created_at: 0,
        limits: AccountLimits::default(),
        deleted_at: None,
        tags,
        validation,
        event_types_max: None,
        portal: Portal::default(),
    };
    if let Some(Object(limits)) = input.limits {
        limits.apply(&mut account)?;
    }
    if let Some(Object(portal)) = input.portal {
        portal.vet()?.apply(&mut account.portal);
    }
    let made = api.change(&tenant, move |staging| {
        let account = staging.create_account(account)?;
        Ok((Some(Deed::new(account.number, "account.created", &account.id)), account))
    });
    let account = made.await?;
    api.dialects.mount(&account.dialect);
    Ok(Reply::created(account_view(&account)))
}

/// Which accounts to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AccountsFilter {
    /// Only those with this tag.
    tag: Option<String>,
}

/// List accounts
#[utoipa::path(
    operation_id = "accounts.list", security(("key" = ["admin"])),
    params(AccountsFilter, PageQuery),
    responses((status = 200, description = "A page of accounts", body = PageReply<AccountView>))
)]
#[get("/api/v1/accounts")]
pub async fn list(
    tenant: May<Admin>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<AccountsFilter>,
) -> Result<HttpResponse, Problem> {
    let rows = move |api: &Api, window: Window| {
        let registry = api.store.registry();
        let found = registry.accounts().filter(|account| account.is_tagged(filter.tag.as_deref())).cloned();
        let page = Page::of_all(found, window.walk(), |account| account.number);
        Ok(Listed::from(page).map(|account| account_row(&account)))
    };
    answer(&api, tenant.account().number, part, rows).await
}

/// Show an account
#[utoipa::path(
    operation_id = "accounts.get", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The account", body = Reply<AccountView>))
)]
#[get("/api/v1/accounts/{id}")]
pub async fn show(_: May<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(account_view(&existing(&api, &id)?)))
}

/// Change an account's name, dialect, validation, limits, tags or portal: what is left out stays, a limit that is null goes back to the server's
///
/// Lower limits take nothing away that is there, and webhooks that are there keep their dialect. A dialect that was not served
/// is served from then on.
#[utoipa::path(
    operation_id = "accounts.change", security(("key" = ["admin"])),
    params(("id" = String, Path)), request_body = AccountChange,
    responses((status = 200, description = "Changed", body = Reply<AccountView>))
)]
#[patch("/api/v1/accounts/{id}")]
pub async fn change(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let number = existing(&api, &id)?.number;
    let input = body.read::<AccountChange>()?;
    let name = input.name.map(|name| vet_text("name", name, NAME_CHARS_MAX)).transpose()?;
    let dialect = input.dialect.map(|name| api.any_dialect(&name)).transpose()?.map(|known| known.name.clone());
    let tags = input.tags.vet(labels::vet_tags)?;
    let portal = input.portal.vet(|Object(portal)| portal.vet())?;
    let changed = api.change(&tenant, move |staging| {
        let (before, account) = staging.update_account(number, |account| {
            tags.apply_or_empty(&mut account.tags);
            account.name = name.unwrap_or(std::mem::take(&mut account.name));
            account.dialect = dialect.unwrap_or(std::mem::take(&mut account.dialect));
            match input.limits {
                Change::Keep => {}
                Change::Reset => (account.limits, account.event_types_max) = (AccountLimits::default(), None),
                Change::To(Object(limits)) => limits.apply(account)?,
            }
            account.validation = input.validation.unwrap_or(account.validation);
            match portal {
                Change::Keep => {}
                Change::Reset => account.portal = Portal::default(),
                Change::To(portal) => portal.apply(&mut account.portal),
            }
            Ok(())
        })?;
        let mut fields = account.changed_limits(&before);
        fields.extend(account.portal.changed(&before.portal));
        fields.extend((account.name != before.name).then(|| "name".to_string()));
        fields.extend((account.dialect != before.dialect).then(|| "dialect".to_string()));
        fields.extend((account.tags != before.tags).then(|| "tags".to_string()));
        fields.extend((account.validation != before.validation).then(|| "validation".to_string()));
        Ok((Some(Deed::new(number, "account.changed", &account.id).with_fields(fields)), account))
    });
    let account = changed.await?;
    api.dialects.mount(&account.dialect);
    Ok(Reply::ok(account_view(&account)))
}

/// Delete an account, and all that there is of it
///
/// From the reply on it is not found, its keys are refused and its webhooks send nothing. What is kept of it (webhooks with
/// their secrets, events, deliveries, statistics, its audit log) goes in steps: the job that does it belongs to the account
/// `default`, shows how far it is, and cannot be stopped. The id is free again once it is done. The deletion stands in the
/// audit log of `default`. The accounts `default` and `operator` are there from the start and cannot be deleted.
#[utoipa::path(
    operation_id = "accounts.delete", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses(
        (status = 202, description = "Deleted; a job removes what is left of it", body = Reply<JobView>),
        (status = 409, description = "It is there from the start, or the key of this request is one of its own"),
    )
)]
#[delete("/api/v1/accounts/{id}")]
pub async fn delete(tenant: May<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let account = existing(&api, &id)?;
    let home = existing(&api, DEFAULT_ACCOUNT)?.number;
    if account.number == tenant.home() && account.number != home {
        let message = "the key of this request belongs to this account; delete it with another admin key";
        return Err(Problem::wrong_state(message));
    }
    let number = account.number;
    let keys = api.store.registry().keys_of(number);
    let users: Vec<_> = api.store.registry().people().of(number).map(|user| KeyId(user.id.0)).collect();
    let deleted = api.change(&tenant, move |staging| {
        let job = staging.delete_account(account.number)?;
        Ok((Some(Deed::new(home, ACCOUNT_DELETED, &account.id)), job))
    });
    let job = deleted.await?;
    api.events_of_accounts.forget(number);
    keys.iter().map(|key| key.id).chain(users).for_each(|key| api.forget_key(key));
    Ok(Reply::accepted(view(&api.store, &job)))
}

/// Make a key of an account; the reply is the only place that shows it
#[utoipa::path(
    operation_id = "accounts.keys.create", security(("key" = ["admin"])),
    params(("id" = String, Path)), request_body = KeyInput,
    responses(
        (status = 201, description = "Made", body = Reply<KeyView>),
        (status = 409, description = "It has as many keys as it may"),
    )
)]
#[post("/api/v1/accounts/{id}/keys")]
pub async fn create_key(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let account = existing(&api, &id)?;
    let key = vet_key(&api, account.number, body.read::<KeyInput>()?)?;
    let text = api.with_dice(auth::new_key);
    let hash = auth::hash(&text);
    let quota = api.settings.quotas.of(&account).keys_max;
    let made = api.change(&tenant, move |staging| {
        staging.vet_key_quota(key.account, quota)?;
        let key = staging.create_key(hash, key)?;
        Ok((Some(Deed::new(key.account, "key.created", key.id)), key))
    });
    Ok(Reply::created(key_view(&api, &account, &made.await?, Some(text))))
}

/// List the keys of an account, without their texts
#[utoipa::path(
    operation_id = "accounts.keys.list", security(("key" = ["admin"])),
    params(("id" = String, Path), PageQuery),
    responses((status = 200, description = "A page of its keys", body = PageReply<KeyView>))
)]
#[get("/api/v1/accounts/{id}/keys")]
pub async fn list_keys(
    tenant: May<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    let account = existing(&api, &id)?;
    let rows = move |api: &Api, window: Window| {
        let (keys, walk) = (api.store.registry().keys_of(account.number), window.walk());
        let page = Page::of_all(keys, walk, |key| key.id);
        Ok(Listed::from(page).map(|key| key_view(api, &account, &key, None)))
    };
    answer(&api, tenant.account().number, part, rows).await
}

/// Revoke a key: it is refused from now on
#[utoipa::path(
    operation_id = "accounts.keys.revoke", security(("key" = ["admin"])),
    params(("id" = String, Path), ("key_id" = String, Path)),
    responses(
        (status = 204, description = "Revoked"),
        (status = 409, description = "It is the key of this request"),
    )
)]
#[delete("/api/v1/accounts/{id}/keys/{key_id}")]
pub async fn revoke_key(
    tenant: May<Admin>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let account = existing(&api, &path.0)?.number;
    let id = KeyId::parse(&path.1).ok_or_else(|| Problem::not_found("key"))?;
    if id == tenant.key() {
        return Err(Problem::wrong_state("this is the key of this request; revoke it with another admin key"));
    }
    let revoked = api.change(&tenant, move |staging| {
        staging.revoke_key(account, id)?;
        Ok((Some(Deed::new(account, "key.revoked", id)), ()))
    });
    revoked.await?;
    api.forget_key(id);
    Ok(HttpResponse::NoContent().finish())
}

pub fn existing(api: &Api, id: &str) -> Result<Account, Problem> {
    let account = api.store.registry().account_by_id(id).map(|account| (**account).clone());
    account.ok_or_else(|| Problem::not_found("account"))
}
