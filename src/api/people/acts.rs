//! What owners do with the users of their account: invite, change, send links, end sessions, remove. The API and the pages call
//! these. What stays true: nobody reaches a user of another account, and nobody takes rights away from himself, so an account
//! is never left without an owner by mistake.

use std::sync::Arc;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::ability::Ability;
use crate::domain::audit::{Deed, Side};
use crate::domain::id::{KeyId, SessionId, UserId};
use crate::domain::sign_on;
use crate::domain::ticket::{Errand, Link};
use crate::domain::user::{self, User};
use crate::store::{Refusal, Staging};

use super::input::{UserChange, UserInput};
use super::view::{LinkView, SessionView, UserView, link_view, session_view, user_view};

/// Refuses whoever may not change the users of the account.
fn vet(tenant: &Tenant) -> Result<(), Problem> {
    match tenant.can(Ability::People) {
        true => Ok(()),
        false => Err(Problem::forbidden("only an owner of the account may see and change its users")),
    }
}

/// The users of the account, the oldest first: there are no more than the quota allows.
pub fn users(api: &Api, tenant: &Tenant) -> Result<Vec<Arc<User>>, Problem> {
    vet(tenant)?;
    Ok(api.store.registry().people().of(tenant.account().number).cloned().collect())
}

/// The user of this id in the account.
pub fn user_of(api: &Api, tenant: &Tenant, id: &str) -> Result<Arc<User>, Problem> {
    vet(tenant)?;
    let id = UserId::parse(id).filter(|id| id.account() == tenant.account().number);
    let user = id.and_then(|id| api.store.registry().people().user(id).cloned());
    user.ok_or_else(|| Problem::not_found("user"))
}

/// Invites somebody; the reply has the link, at the server that is found at `base_url`.
pub async fn invite(api: &Api, tenant: &Tenant, input: UserInput, base_url: &str) -> Result<UserView, Problem> {
    vet(tenant)?;
    refuse_without_pages(api)?;
    let (user, account) = (input.vet()?, tenant.account().number);
    refuse_of_provider(api, tenant, &user.email)?;
    let quota = api.settings().quotas.of(tenant.account()).users_max;
    let random = random(api);
    let made = api.change(tenant, move |staging| {
        let user = staging.create_user(account, user, quota)?;
        let link = made_link(staging, Errand::Invite(user.id), random)?;
        Ok((Some(Deed::new(account, "user.invited", user.id)), (user, link)))
    });
    let (user, (link, ticket)) = made.await?;
    Ok(user_view(&user, Some(link_view(api, base_url, &link, &ticket))))
}

/// Changes a user.
pub async fn change(api: &Api, tenant: &Tenant, id: &str, input: UserChange) -> Result<UserView, Problem> {
    let (target, account) = (user_of(api, tenant, id)?, tenant.account().number);
    let takes_away = (input.role.is_some_and(|role| role != target.role), "role");
    let locks_out = (input.disabled == Some(true), "disabled");
    for (_, field) in [takes_away, locks_out].into_iter().filter(|(is, _)| *is) {
        refuse_oneself(tenant, target.id).map_err(|problem| problem.with_field(field))?;
    }
    if input.second_factor == Some(true) {
        let message = "can only be false: the user sets up another, on the page \"you\"";
        return Err(Invalid::new("second_factor", message).into());
    }
    let name = input.name.map(|name| user::vet_name(&name)).transpose()?;
    let id = target.id;
    let changed = api.change_many(tenant, crate::store::Load::of(account), move |staging| {
        let (before, user) = match input.role.is_some() || input.disabled.is_some() || input.second_factor.is_some() {
            true => staging.change_rights(id, None, |user, now| {
                user.role = input.role.unwrap_or(user.role);
                if let Some(disabled) = input.disabled {
                    user.disabled_at = disabled.then(|| user.disabled_at.unwrap_or(now));
                }
                if input.second_factor.is_some() {
                    user.second_factor = None;
                }
                Ok(())
            })?,
            false => staging.update_user(id, |_, _| Ok(()))?,
        };
        let (_, user) = staging.update_user(id, |known, _| {
            known.name = name.unwrap_or(user.name);
            Ok(())
        })?;
        Ok((deeds(&before, &user), user))
    });
    Ok(user_view(&changed.await?, None))
}

fn deeds(before: &User, user: &User) -> Vec<Deed> {
    let deed = |action| Deed::new(user.account(), action, user.id);
    let role = (user.role != before.role).then(|| deed("user.role_changed"));
    let fields = [
        ("name", user.name != before.name),
        ("disabled", user.disabled_at.is_some() != before.disabled_at.is_some()),
        ("second_factor", user.second_factor != before.second_factor),
    ];
    let fields: Vec<String> = fields.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_string()).collect();
    let others = (!fields.is_empty()).then(|| deed("user.changed").with_fields(fields));
    role.into_iter().chain(others).collect()
}

/// Removes a user, with all sessions and links.
pub async fn remove(api: &Api, tenant: &Tenant, id: &str) -> Result<(), Problem> {
    let id = user_of(api, tenant, id)?.id;
    refuse_oneself(tenant, id)?;
    let removed = api.change(tenant, move |staging| {
        let user = staging.remove_user(id)?;
        Ok((Some(Deed::new(user.account(), "user.removed", id)), ()))
    });
    removed.await?;
    api.forget_key(KeyId(id.0));
    Ok(())
}

/// Makes a link with which a user sets another password, or the first one; those of before are good no more. The password that
/// is there stays until the link is used.
pub async fn link(api: &Api, tenant: &Tenant, id: &str, base_url: &str) -> Result<UserView, Problem> {
    refuse_without_pages(api)?;
    let user = user_of(api, tenant, id)?;
    if user.external.is_some() {
        return Err(Problem::wrong_state("this user logs in by the identity provider, and has no password here"));
    }
    let errand = if user.password.is_some() { Errand::Reset(user.id) } else { Errand::Invite(user.id) };
    let random = random(api);
    let made = api.change(tenant, move |staging| {
        let id = user.id;
        let (_, user) = staging.update_user(id, |_, _| Ok(()))?;
        let link = made_link(staging, errand, random)?;
        Ok((Some(Deed::new(user.account(), "user.link_made", id)), (user, link)))
    });
    let (user, (link, ticket)) = made.await?;
    let link: LinkView = link_view(api, base_url, &link, &ticket);
    Ok(user_view(&user, Some(link)))
}

/// The sessions of a user that go on, the oldest first.
pub fn sessions(api: &Api, tenant: &Tenant, id: &str) -> Result<Vec<SessionView>, Problem> {
    let id = user_of(api, tenant, id)?.id;
    sessions_of(api, id)
}

/// The same, for who was let in.
pub fn sessions_of(api: &Api, id: UserId) -> Result<Vec<SessionView>, Problem> {
    let (now, idle_ms) = (api.clock.now(), api.settings().people.session_idle_ms);
    let sessions = api.store.sessions_of(id)?;
    Ok(sessions.iter().filter(|session| !session.has_ended(now, idle_ms)).map(session_view).collect())
}

/// Ends one session of a user, or all.
pub async fn end_sessions(api: &Api, tenant: &Tenant, id: &str, session: Option<&str>) -> Result<(), Problem> {
    let user = user_of(api, tenant, id)?;
    let one = session.map(|text| SessionId::parse(text).ok_or_else(|| Problem::not_found("session"))).transpose()?;
    let ended = api.change(tenant, move |staging| {
        let ended = match one {
            Some(session) => staging.end_session_named(user.id, session).map(|()| 1),
            None => staging.end_sessions(user.id, None),
        }?;
        let deed = (ended > 0).then(|| Deed::new(user.account(), "user.sessions_ended", user.id));
        Ok((deed, ()))
    });
    Ok(ended.await?)
}

fn refuse_oneself(tenant: &Tenant, id: UserId) -> Result<(), Problem> {
    let is_oneself = tenant.person().is_some_and(|person| person.user == Some(id));
    let message = "nobody takes rights away from himself: ask another owner, or use an admin key";
    if is_oneself { Err(Problem::wrong_state(message)) } else { Ok(()) }
}

/// Refuses the address of somebody who comes in by the identity provider: as each address is one user's, an owner of any account could
/// keep the provider's people out by inviting them.
fn refuse_of_provider(api: &Api, tenant: &Tenant, email: &str) -> Result<(), Problem> {
    let Some(provider) = &api.provider else { return Ok(()) };
    let (rules, home) = (&provider.settings.rules, &provider.settings.account);
    let is_free = tenant.actor().side == Side::Operator || tenant.account().id == *home;
    if is_free || sign_on::role(rules, email, &[]).is_none() {
        return Ok(());
    }
    let message = "logs in by the identity provider of this server: only its operator can invite this address here";
    Err(Invalid::new("email", message).into())
}

fn refuse_without_pages(api: &Api) -> Result<(), Problem> {
    let message = "there are no pages to look at: the dashboard is switched off (dashboard.enabled)";
    if api.settings().people.are_let_in { Ok(()) } else { Err(Problem::wrong_state(message)) }
}

/// A new link, and its ticket.
pub fn made_link(
    staging: &mut Staging<'_>,
    errand: Errand,
    random: [u8; 32],
) -> Result<(Link, crate::domain::ticket::Ticket), Refusal> {
    let link = Link::new(&errand, random);
    let ticket = staging.create_ticket(&link.hash(), errand)?;
    Ok((link, ticket))
}

/// What a link or a session is made of.
pub fn random(api: &Api) -> [u8; 32] {
    let mut random = [0; 32];
    api.with_dice(|dice| dice.fill(&mut random));
    random
}
