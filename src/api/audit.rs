//! The audit log of an account: who changed what, when and from where. It can be read, and nothing in the API changes it. What
//! stays true: of an operator's key a tenant learns that it was the operator, and nothing more.

use std::net::IpAddr;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::api::access::auth::{Manage, May, Tenant};
use crate::api::http::list::{ListQuery, ListRow, answer};
use crate::api::http::page::{Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::request::bound;
use crate::api::webhooks::reach::reach;
use crate::domain::ability::Ability;
use crate::domain::account::Scope;
use crate::domain::audit::{Actor, AuditEntry, Side};
use crate::domain::id::first_id_at;
use crate::domain::time;

/// What is noted of an account that was deleted, in the log of the one that is there from the start.
pub const ACCOUNT_DELETED: &str = "account.deleted";
/// What is done with broadcasts, noted there as well.
const BROADCAST: &str = "broadcast.";

/// Which entries to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// Only this action, such as `webhook.deleted`.
    pub action: Option<String>,
    /// Only what was done to the thing of this id; a webhook's own id will do.
    pub target: Option<String>,
    /// Only what was done at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Only what was done before this time (RFC 3339).
    #[param(format = DateTime)]
    pub to: Option<String>,
}

/// Who made a change: `key`, one of the account's own; `user`, one of its people; `guest`, who came by a portal's link;
/// `operator`; or `server`, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "key")]
pub enum AuditBy {
    /// One of the account's own.
    Key,
    /// One of its people.
    User,
    /// Somebody who came by a portal's link.
    Guest,
    /// The server's own people.
    Operator,
    /// Nobody: the server did it by itself.
    Server,
}

/// An entry: something was changed, or a secret was shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Its id.
    pub id: String,
    /// When it was done.
    #[schema(format = DateTime)]
    pub at: String,
    /// What was done, such as `webhook.changed`.
    pub action: String,
    /// The id of what it was done to.
    pub target: String,
    /// The settings that changed, or what a bulk call selects by, without their values.
    pub fields: Vec<String>,
    /// Who did it.
    pub by: AuditBy,
    /// The id of the key that did it. An operator's is shown to admins only, as are its name and its address.
    pub key_id: Option<String>,
    /// The key's name at that time.
    pub key_name: Option<String>,
    /// The id of the user who did it. One of the operator's is shown to admins only, as is the address to log in with.
    pub user_id: Option<String>,
    /// The user's address at that time, or whom a guest is known as.
    pub user_name: Option<String>,
    /// Where the request came from: a proxy's address, if there is one before the server.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
}

impl ListRow for AuditView {}

/// List who changed what
#[utoipa::path(
    operation_id = "audit.list", security(("key" = ["manage"])),
    params(AuditFilter, PageQuery),
    responses((status = 200, description = "A page of entries", body = PageReply<AuditView>))
)]
#[get("/api/v1/audit")]
pub async fn list(
    tenant: May<Manage>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<AuditFilter>,
) -> Result<HttpResponse, Problem> {
    let account = tenant.account().number;
    answer(&api, account, part, entries(&api, &tenant, filter)?).await
}

/// How a page of the entries is read that the filter selects.
pub fn entries(
    api: &Api,
    tenant: &Tenant,
    filter: AuditFilter,
) -> Result<impl Fn(&Api, Window) -> Result<Listed<AuditView>, Problem> + Send + Sync + use<>, Problem> {
    let (account, reader) = (tenant.account().number, tenant.clone());
    let from = bound("from", filter.from.as_deref())?.map(first_id_at);
    let to = bound("to", filter.to.as_deref())?.map(first_id_at);
    // A webhook's own id stands for ours.
    let named = |target: &String| reach(api, tenant).called(target).map(|webhook| webhook.id.to_string());
    let target = filter.target.map(|target| named(&target).unwrap_or(target));
    let asking = tenant.clone();
    let wanted = move |entry: &AuditEntry| {
        may_see(&asking, entry)
            && filter.action.as_ref().is_none_or(|action| entry.deed.action == *action)
            && target.as_ref().is_none_or(|target| entry.deed.target == *target)
    };
    Ok(move |api: &Api, window: Window| {
        let page = api.store.audit_log(account, window.walk().within(from, to), &wanted)?;
        Ok(Listed::from(page).map(|entry| view(api, &reader, entry)))
    })
}

/// That another account is gone, or what all of them were told, is the operator's matter, whoever else has a key of the one whose
/// log says so.
pub fn may_see(reader: &Tenant, entry: &AuditEntry) -> bool {
    let is_of_others = entry.deed.action == ACCOUNT_DELETED || entry.deed.action.starts_with(BROADCAST);
    reader.is_admin() || !is_of_others
}

/// An entry, as this reader may see it.
pub fn view(api: &Api, reader: &Tenant, entry: AuditEntry) -> AuditView {
    let side = side(api, reader, &entry);
    let by = match (entry.by.key, &entry.person, side) {
        (None, None, _) => AuditBy::Server,
        (None, Some(person), Side::Account) if person.user.is_some() => AuditBy::User,
        (None, Some(_), Side::Account) => AuditBy::Guest,
        (Some(_), _, Side::Account) => AuditBy::Key,
        (_, _, Side::Operator | Side::Unknown) => AuditBy::Operator,
    };
    let is_hidden = by == AuditBy::Operator && !reader.can(Ability::Server);
    let (shown, person) = if is_hidden { (Actor::default(), None) } else { (entry.by, entry.person) };
    AuditView {
        id: entry.id.to_string(),
        at: time::rfc3339(entry.id.time()),
        action: entry.deed.action,
        target: entry.deed.target,
        fields: entry.deed.fields,
        by,
        key_id: shown.key.map(|key| key.to_string()),
        key_name: shown.key_name,
        user_id: person.as_ref().and_then(|person| person.user).map(|user| user.to_string()),
        user_name: person.map(|person| person.name),
        address: shown.address,
    }
}

/// On whose side it was done. Where an older entry does not say, only a key that the account has now is known to be its own.
fn side(api: &Api, reader: &Tenant, entry: &AuditEntry) -> Side {
    let is_own = || {
        let keys = api.store.registry().keys_of(reader.account().number);
        keys.iter().any(|key| Some(key.id) == entry.by.key && !key.allows(Scope::Admin))
    };
    match entry.side {
        Side::Unknown if is_own() => Side::Account,
        known => known,
    }
}
