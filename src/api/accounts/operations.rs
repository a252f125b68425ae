//! What can be done with accounts and their keys, whoever asks: a route or a page. What stays true: a key's text is in what its
//! making gives back, and nowhere else.

use super::input::{AccountChange, AccountInput, KeyInput, vet_key};
use super::view::{AccountView, KeyView, account_view, key_view};
use crate::api::Api;
use crate::api::access::auth::{self, Tenant};
use crate::api::audit::ACCOUNT_DELETED;
use crate::api::http::page::{Listed, Window};
use crate::api::http::problem::Problem;
use crate::api::http::request::{Object, vet_text};
use crate::api::http::setting::Change;
use crate::api::jobs::view::{JobView, view};
use crate::domain::account::{self, Account, AccountLimits, DEFAULT_ACCOUNT, NAME_CHARS_MAX};
use crate::domain::audit::Deed;
use crate::domain::id::{AccountNumber, KeyId};
use crate::domain::labels;
use crate::domain::portal::Portal;
use crate::store::Page;

/// Makes an account.
pub async fn create(api: &Api, tenant: &Tenant, input: AccountInput) -> Result<AccountView, Problem> {
    let id = input.id.unwrap_or_else(|| api.with_dice(|dice| format!("acc_{:016x}", dice.bits())));
    account::check_id(&id)?;
    let name = vet_text("name", input.name, NAME_CHARS_MAX)?;
    let dialect = match input.dialect {
        Some(name) => api.any_dialect(&name)?.name.clone(),
        None => existing(api, DEFAULT_ACCOUNT)?.dialect,
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
    let made = api.change(tenant, move |staging| {
        let account = staging.create_account(account)?;
        Ok((Some(Deed::new(account.number, "account.created", &account.id)), account))
    });
    let account = made.await?;
    api.dialects.mount(&account.dialect);
    Ok(account_view(&account))
}

/// Changes an account: what is left out stays.
pub async fn change(api: &Api, tenant: &Tenant, id: &str, input: AccountChange) -> Result<AccountView, Problem> {
    let number = existing(api, id)?.number;
    let name = input.name.map(|name| vet_text("name", name, NAME_CHARS_MAX)).transpose()?;
    let dialect = input.dialect.map(|name| api.any_dialect(&name)).transpose()?.map(|known| known.name.clone());
    let tags = input.tags.vet(labels::vet_tags)?;
    let portal = input.portal.vet(|Object(portal)| portal.vet())?;
    let changed = api.change(tenant, move |staging| {
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
    Ok(account_view(&account))
}

/// Deletes an account; the job removes what is left of it.
pub async fn delete(api: &Api, tenant: &Tenant, id: &str) -> Result<JobView, Problem> {
    let account = existing(api, id)?;
    let home = existing(api, DEFAULT_ACCOUNT)?.number;
    if account.number == tenant.home() && account.number != home {
        let message = "the key of this request belongs to this account; delete it with another admin key";
        return Err(Problem::wrong_state(message));
    }
    let number = account.number;
    let keys = api.store.registry().keys_of(number);
    let users: Vec<_> = api.store.registry().people().of(number).map(|user| KeyId(user.id.0)).collect();
    let deleted = api.change(tenant, move |staging| {
        let job = staging.delete_account(account.number)?;
        Ok((Some(Deed::new(home, ACCOUNT_DELETED, &account.id)), job))
    });
    let job = deleted.await?;
    api.events_of_accounts.forget(number);
    keys.iter().map(|key| key.id).chain(users).for_each(|key| api.forget_key(key));
    Ok(view(&api.store, &job))
}

/// Makes a key of an account, with its text.
pub async fn create_key(api: &Api, tenant: &Tenant, id: &str, input: KeyInput) -> Result<KeyView, Problem> {
    let account = existing(api, id)?;
    let key = vet_key(api, account.number, input)?;
    let text = api.with_dice(auth::new_key);
    let hash = auth::hash(&text);
    let quota = api.settings().quotas.of(&account).keys_max;
    let made = api.change(tenant, move |staging| {
        staging.vet_key_quota(key.account, quota)?;
        let key = staging.create_key(hash, key)?;
        Ok((Some(Deed::new(key.account, "key.created", key.id)), key))
    });
    Ok(key_view(api, &account, &made.await?, Some(text)))
}

/// A page of the keys of an account, without their texts.
pub fn keys(api: &Api, account: &Account, window: Window) -> Listed<KeyView> {
    let (keys, walk) = (api.store.registry().keys_of(account.number), window.walk());
    let page = Page::of_all(keys, walk, |key| key.id);
    Listed::from(page).map(|key| key_view(api, account, &key, None))
}

/// The key of this id.
pub fn key(api: &Api, account: &Account, id: &str) -> Result<KeyView, Problem> {
    let id = KeyId::parse(id).ok_or_else(|| Problem::not_found("key"))?;
    let keys = api.store.registry().keys_of(account.number);
    let key = keys.into_iter().find(|key| key.id == id).ok_or_else(|| Problem::not_found("key"))?;
    Ok(key_view(api, account, &key, None))
}

/// Revokes a key: it is refused from then on.
pub async fn revoke_key(api: &Api, tenant: &Tenant, account: AccountNumber, id: &str) -> Result<(), Problem> {
    let id = KeyId::parse(id).ok_or_else(|| Problem::not_found("key"))?;
    if id == tenant.key() {
        return Err(Problem::wrong_state("this is the key of this request; revoke it with another admin key"));
    }
    let revoked = api.change(tenant, move |staging| {
        staging.revoke_key(account, id)?;
        Ok((Some(Deed::new(account, "key.revoked", id)), ()))
    });
    revoked.await?;
    api.forget_key(id);
    Ok(())
}

/// The account of this id.
pub fn existing(api: &Api, id: &str) -> Result<Account, Problem> {
    let account = api.store.registry().account_by_id(id).map(|account| (**account).clone());
    account.ok_or_else(|| Problem::not_found("account"))
}
