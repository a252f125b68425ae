//! Links that are used once: to set a password, and into a development server. What stays true: to look at one uses nothing, since
//! mail scanners look at every link; it is used by the form behind it, by one of those who send that.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::domain::account::OPERATOR_ACCOUNT;
use crate::domain::audit::{Actor, Deed};
use crate::domain::id::UserId;
use crate::domain::password::{self, SALT_BYTES};
use crate::domain::session::Holder;
use crate::domain::ticket::{Errand, Link, Ticket};
use crate::domain::user::{Role, User};
use crate::store::Refusal;

use super::acts::{made_link, random};
use super::browser::Browser;
use super::entering::{Beginning, Entered, actor_of, actor_of_guest};
use super::view::link_path;

/// The user of a development server, where nobody else may do everything.
const DEV_EMAIL: &str = "dev@localhost";

/// What a link is for, for who looks at it.
#[derive(Debug)]
pub struct Shown {
    /// What it is for.
    pub errand: Errand,
    /// Whose it is; none: a guest's.
    pub user: Option<Arc<User>>,
}

/// Looks at a link, without using it.
pub fn look(api: &Api, text: &str) -> Result<Shown, Problem> {
    let link = Link::parse(text).ok_or_else(no_link)?;
    let ticket = api.store.ticket(link.account(), &link.hash())?;
    let Ticket { errand, .. } = ticket.filter(|ticket| ticket.ends_at > api.clock.now()).ok_or_else(no_link)?;
    let registry = api.store.registry();
    let user = errand.user().map(|id| registry.people().user(id).cloned().ok_or_else(no_link)).transpose()?;
    let is_let_in = user.as_ref().is_none_or(|user| user.disabled_at.is_none());
    if !is_let_in || !registry.is_served(link.account()) {
        return Err(no_link());
    }
    Ok(Shown { errand, user })
}

fn no_link() -> Problem {
    Problem::not_found("link").with_message(|_| {
        "this link was used, has ended, or never was: each is good for one use. Ask whoever gave it to you for another".into()
    })
}

/// Uses a link with which a password is set; whoever has a second factor is then asked for a code.
pub async fn set_password(
    api: &Api,
    browser: &Browser,
    text: &str,
    password: Zeroizing<String>,
) -> Result<Entered, Problem> {
    let (shown, link) = (look(api, text)?, Link::parse(text).ok_or_else(no_link)?);
    let Some(user) = shown.user.filter(|_| matches!(shown.errand, Errand::Invite(_) | Errand::Reset(_))) else {
        return Err(no_link());
    };
    password::vet(&password, &user.email, &user.name)?;
    let hash = api.passwords.hash(password, salt(api)).await?;
    let id = user.id;
    let (new, by) = (Beginning::of(api, browser, Holder::User(id)), actor_of(&api.store.registry(), browser, id));
    let set = api.store.change(id.account(), move |staging| {
        let ticket = staging.use_ticket(link.account(), &link.hash())?;
        if ticket.errand.user() != Some(id) {
            return Err(Refusal::NotFound("link"));
        }
        let (_, user) = staging.change_rights(id, None, |user, now| {
            if user.disabled_at.is_some() {
                return Err(Refusal::NotFound("user"));
            }
            user.password = Some(hash);
            if !user.has_second_factor() {
                user.logged_in_at = Some(now);
            }
            Ok(())
        })?;
        staging.note_deed(by.clone(), Deed::new(id.account(), "user.password_set", id));
        if user.has_second_factor() {
            return Ok((user, None));
        }
        let begun = new.begin(staging)?;
        staging.note_deed(by, Deed::new(id.account(), "user.logged_in", id));
        Ok((user, Some(begun)))
    });
    let (user, begun) = set.await.map_err(used_meanwhile)?;
    Ok(match begun {
        Some(begun) => Entered::In(Box::new(begun)),
        None => Entered::Halfway(api.halfway.prove(&user, api.clock.now())),
    })
}

/// Uses a link that lets in without more.
pub async fn come_in(api: &Api, browser: &Browser, text: &str) -> Result<Entered, Problem> {
    let (shown, link) = (look(api, text)?, Link::parse(text).ok_or_else(no_link)?);
    let holder = match shown.errand {
        Errand::Dev(user) => Holder::User(user),
        Errand::Portal(guest) => Holder::Guest(guest),
        Errand::Invite(_) | Errand::Reset(_) => return Err(no_link()),
    };
    let (user, by) = match &holder {
        Holder::User(user) => (Some(*user), actor_of(&api.store.registry(), browser, *user)),
        Holder::Guest(guest) => (None, actor_of_guest(browser, guest)),
    };
    let (new, account) = (Beginning::of(api, browser, holder), link.account());
    let begun = api.store.change(account, move |staging| {
        staging.use_ticket(account, &link.hash())?;
        if let Some(id) = user {
            staging.update_user(id, |user, now| {
                if user.disabled_at.is_some() {
                    return Err(Refusal::NotFound("link"));
                }
                user.logged_in_at = Some(now);
                Ok(())
            })?;
            staging.note_deed(by, Deed::new(account, "user.logged_in", id));
            return new.begin(staging);
        }
        let begun = new.begin(staging)?;
        staging.note_deed(by, Deed::new(account, "portal.entered", begun.session.id));
        Ok(begun)
    });
    Ok(Entered::In(Box::new(begun.await.map_err(used_meanwhile)?)))
}

fn used_meanwhile(refusal: Refusal) -> Problem {
    if refusal == Refusal::NotFound("link") { no_link() } else { refusal.into() }
}

/// What a password is hashed with.
pub fn salt(api: &Api) -> [u8; SALT_BYTES] {
    let mut salt = [0; SALT_BYTES];
    api.with_dice(|dice| dice.fill(&mut salt));
    salt
}

/// The path of a link that logs into a development server, as one who may do everything: one who is made if there is none.
pub async fn dev_path(api: &Api) -> Result<String, Refusal> {
    let operator = api.store.registry().account_by_id(OPERATOR_ACCOUNT).map(|account| account.number);
    let operator = operator.ok_or(Refusal::NotFound("account"))?;
    let random = random(api);
    let made = api.store.change(operator, move |staging| {
        let id = match owner_of(staging, operator) {
            Some(id) => id,
            None => {
                let user = User::invited(DEV_EMAIL.into(), "Dev".into(), Role::Owner);
                let user = staging.create_user(operator, user, 0)?;
                staging.note_deed(Actor::default(), Deed::new(operator, "user.invited", user.id));
                user.id
            }
        };
        made_link(staging, Errand::Dev(id), random)
    });
    made.await.map(|(link, _)| link_path(&link))
}

fn owner_of(staging: &crate::store::Staging<'_>, account: u32) -> Option<UserId> {
    let registry = staging.registry();
    let mut owners =
        registry.people().of(account).filter(|user| user.role == Role::Owner && user.disabled_at.is_none());
    owners.next().map(|user| user.id)
}
