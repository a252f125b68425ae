//! Links into an account's portal, and the end of all sessions that came of them. What stays true: a link is for one account and
//! for no more than its maker may do there; the product's backend makes it, with an admin's key or one of the account's own, when
//! its customer asks for the page, and hands it on.

use actix_web::{HttpRequest, HttpResponse, delete, post, web};
use serde::{Deserialize, Serialize};

use super::operations::existing;
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May, Tenant};
use crate::api::docs::site::asked_at;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::people::acts::{made_link, random};
use crate::domain::Invalid;
use crate::domain::ability::{Abilities, Ability};
use crate::domain::account::Account;
use crate::domain::audit::Deed;
use crate::domain::portal::{vet_link, vet_origins, vet_words};
use crate::domain::session::Guest;
use crate::domain::ticket::Errand;
use crate::domain::time;
use crate::domain::user::USER_NAME_CHARS_MAX;

/// Minutes that a session lasts, where the link does not say.
const SESSION_MINUTES_DEFAULT: u32 = 60;
/// Minutes that it may last.
const SESSION_MINUTES: std::ops::RangeInclusive<u32> = 5..=24 * 60;

/// What a customer may do in the portal: `view`, see all that there is of the account; `test`, send test events and check
/// endpoints; `manage`, make, change, pause and delete webhooks; `replay`, send again and discard; `rotate`, see and rotate
/// signing secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PortalAbility {
    View,
    Test,
    Manage,
    Replay,
    Rotate,
}

impl PortalAbility {
    /// What that is among all abilities. Who manages webhooks pauses them too.
    fn means(self) -> &'static [Ability] {
        match self {
            Self::View => &[Ability::View],
            Self::Test => &[Ability::Test],
            Self::Manage => &[Ability::Manage, Ability::Steer],
            Self::Replay => &[Ability::Replay],
            Self::Rotate => &[Ability::Rotate],
        }
    }
}

/// A link to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PortalLinkCreate)]
pub struct LinkInput {
    /// What whoever comes by it may do; `view` is always among it, and alone if this is left out.
    #[serde(default)]
    #[schema(example = json!(["view", "test"]))]
    abilities: Option<Vec<PortalAbility>>,
    /// How long the session lasts that begins with it.
    #[serde(default)]
    #[schema(minimum = 5, maximum = 1440, default = 60, example = 60)]
    session_minutes: Option<u32>,
    /// Where one goes back to: shown as a link, also when the session has ended.
    #[serde(default)]
    #[schema(max_length = 1_000, example = "https://app.acme.example/settings")]
    return_url: Option<String>,
    /// On whose pages it may stand in a frame, beside those that the account's `portal` and the server's `portal.origins` name: at
    /// most 16.
    #[serde(default)]
    #[schema(max_items = 16, example = json!(["https://app.acme.example"]))]
    origins: Option<Vec<String>>,
    /// Whom you know the customer as, for the audit log: at most 100 characters.
    #[serde(default)]
    #[schema(max_length = 100, example = "ada@acme.example")]
    name: Option<String>,
}

impl LinkInput {
    fn vet(self, account: &Account) -> Result<Guest, Invalid> {
        let abilities = self.abilities.unwrap_or_default();
        let minutes = self.session_minutes.unwrap_or(SESSION_MINUTES_DEFAULT);
        if !SESSION_MINUTES.contains(&minutes) {
            let message = format!("must be between {} and {}", SESSION_MINUTES.start(), SESSION_MINUTES.end());
            return Err(Invalid::new("session_minutes", message));
        }
        let link = |text: String| vet_link("return_url", &text);
        let words = |text: String| vet_words("name", &text, USER_NAME_CHARS_MAX);
        let means = abilities.into_iter().chain([PortalAbility::View]).flat_map(PortalAbility::means).copied();
        Ok(Guest {
            account: account.number,
            abilities: means.collect::<Abilities>(),
            name: self.name.map(words).transpose()?.unwrap_or_default(),
            lasts_ms: u64::from(minutes) * 60_000,
            return_url: self.return_url.map(link).transpose()?.unwrap_or_default(),
            origins: vet_origins("origins", &self.origins.unwrap_or_default())?,
        })
    }
}

/// A link into a portal: it is good once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PortalLink)]
struct LinkView {
    /// Send the customer's browser there, or give it to a frame. Whoever has it gets in: hand it to nobody else.
    #[schema(example = "https://hooks.example/portal/enter/AAAAAWZvciBleGFtcGxlLCAzMiBieXRlcyBvZiByYW5kb20")]
    url: String,
    /// It is good until then, if nobody has used it.
    #[schema(format = DateTime, example = "2026-01-15T09:40:00.000Z")]
    expires_at: String,
}

/// What has ended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PortalEnded)]
struct EndedView {
    /// Sessions that went on.
    #[schema(example = 3)]
    sessions: usize,
    /// Links that nobody had used.
    #[schema(example = 1)]
    links: usize,
}

/// Make a link into the portal of an account
///
/// It is good once, for ten minutes; a session of its own begins with it, which can see that account alone, and do what the link
/// says. An account's own key makes links of its own account.
#[utoipa::path(
    operation_id = "accounts.portal.create", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = LinkInput,
    responses(
        (status = 201, description = "Made", body = Reply<LinkView>),
        (status = 409, description = "There are no pages here: `dashboard.enabled` is false"),
    )
)]
#[post("/api/v1/accounts/{id}/portal")]
pub async fn create(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let account = reached(&api, &tenant, &id)?;
    if !api.settings().people.are_let_in {
        return Err(Problem::wrong_state("there are no pages here: set dashboard.enabled"));
    }
    let errand = Errand::Portal(body.read::<LinkInput>()?.vet(&account)?);
    let random = random(&api);
    let made = api.change(&tenant, move |staging| {
        let (link, ticket) = made_link(staging, errand, random)?;
        Ok((Some(Deed::new(account.number, "portal.linked", ticket.id)), (link, ticket)))
    });
    let (link, ticket) = made.await?;
    let expires_at = time::rfc3339(api.store.shown(ticket.ends_at));
    Ok(Reply::created(LinkView { url: format!("{}/portal/enter/{}", asked_at(&request), link.spell()), expires_at }))
}

/// End all portal sessions of an account, and the links that nobody has used yet
#[utoipa::path(
    operation_id = "accounts.portal.revoke", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "Whoever was in is out", body = Reply<EndedView>))
)]
#[delete("/api/v1/accounts/{id}/portal")]
pub async fn revoke(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let account = reached(&api, &tenant, &id)?;
    let ended = api.change(&tenant, move |staging| {
        let (sessions, links) = (staging.end_guests(account.number)?, staging.forget_portal_tickets(account.number)?);
        let deed = (sessions + links > 0).then(|| Deed::new(account.number, "portal.ended", &account.id));
        Ok((deed, EndedView { sessions, links }))
    });
    Ok(Reply::ok(ended.await?))
}

/// The account of the path, if the key may speak for it. To others than admins no account but their own is there.
fn reached(api: &Api, tenant: &Tenant, id: &str) -> Result<Account, Problem> {
    let is_own = tenant.is_admin() || tenant.account().id == id;
    if is_own { existing(api, id) } else { Err(Problem::not_found("account")) }
}
