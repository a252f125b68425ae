//! What one changes of oneself: the name, the password, one's sessions. What stays true: another password needs the one of
//! before, ends all other sessions, and gives this one a new token.

use zeroize::Zeroizing;

use crate::api::Api;
use crate::api::access::guesses::Guessed;
use crate::api::access::seats::Seated;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::id::SessionId;
use crate::domain::password;
use crate::domain::session::Holder;
use crate::domain::user::{self, User};
use crate::store::Refusal;

use super::acts::sessions_of;
use super::browser::Browser;
use super::entering::{Beginning, Begun};
use super::links::salt;
use super::view::SessionView;

/// The user who looks; guests of a portal have nothing of their own.
pub fn user_of(seated: &Seated) -> Result<&std::sync::Arc<User>, Problem> {
    seated.user.as_ref().ok_or_else(|| Problem::not_found("user"))
}

/// Refuses who comes in by the identity provider: with a password here one could come in when that lets one in no more.
pub fn refuse_of_provider(user: &User) -> Result<(), Problem> {
    let message = "you log in by the identity provider: a password and a second factor are set up there, and none here";
    if user.external.is_none() { Ok(()) } else { Err(Problem::wrong_state(message)) }
}

/// Refuses whoever has a password and does not say it once more: a session that somebody else holds is not enough for what would
/// shut its user out. Guesses count as they do where one logs in. `field` is what it is said in.
pub async fn vet_password(
    api: &Api,
    (user, browser): (&User, &Browser),
    (field, said): (&str, Zeroizing<String>),
) -> Result<(), Problem> {
    if user.password.is_none() {
        return Ok(());
    }
    let guessed = [Guessed::PasswordFrom(&user.email, browser.peer()), Guessed::Password(&user.email)];
    api.guesses.begin(&guessed, api.clock.now())?;
    if !api.passwords.is(said, user.password.clone()).await? {
        return Err(Invalid::new(field, "is not your password").into());
    }
    api.guesses.was_right(&guessed);
    Ok(())
}

/// Takes another name.
pub async fn rename(api: &Api, seated: &Seated, name: &str) -> Result<(), Problem> {
    let (id, name) = (user_of(seated)?.id, user::vet_name(name)?);
    let tenant = seated.tenant(api, None)?;
    let renamed = api.change(&tenant, move |staging| {
        let (before, user) = staging.update_user(id, |user, _| {
            user.name = name;
            Ok(())
        })?;
        let deed = Deed::new(id.account(), "user.changed", id).with_fields(vec!["name".into()]);
        Ok(((before != user).then_some(deed), ()))
    });
    Ok(renamed.await?)
}

/// Sets another password; whoever has one says it. All sessions end, and this one goes on with a new token.
pub async fn set_password(
    api: &Api,
    (seated, browser): (&Seated, &Browser),
    current: Zeroizing<String>,
    new: Zeroizing<String>,
) -> Result<Begun, Problem> {
    let user = user_of(seated)?.clone();
    refuse_of_provider(&user)?;
    password::vet(&new, &user.email, &user.name)?;
    vet_password(api, (&user, browser), ("current", current)).await?;
    let hash = api.passwords.hash(new, salt(api)).await?;
    let beginning = Beginning::of(api, browser, Holder::User(user.id));
    let tenant = seated.tenant(api, None)?;
    let set = api.change(&tenant, move |staging| {
        staging.change_rights(user.id, None, |known, _| {
            if known.password != user.password || known.disabled_at.is_some() {
                return Err(Refusal::NotFound("user"));
            }
            known.password = Some(hash);
            Ok(())
        })?;
        staging.forget_tickets_of(user.id)?;
        let begun = beginning.begin(staging)?;
        Ok((Some(Deed::new(user.account(), "user.password_set", user.id)), begun))
    });
    Ok(set.await?)
}

/// One's sessions, the oldest first.
pub fn sessions(api: &Api, seated: &Seated) -> Result<Vec<SessionView>, Problem> {
    sessions_of(api, user_of(seated)?.id)
}

/// Ends one of one's sessions, or all but this one.
pub async fn end_sessions(api: &Api, seated: &Seated, session: Option<&str>) -> Result<(), Problem> {
    let (id, hash) = (user_of(seated)?.id, seated.token.hash());
    let one = session.map(|text| SessionId::parse(text).ok_or_else(|| Problem::not_found("session"))).transpose()?;
    let tenant = seated.tenant(api, None)?;
    let ended = api.change(&tenant, move |staging| {
        let ended = match one {
            Some(session) => staging.end_session_named(id, session).map(|()| 1),
            None => staging.end_sessions(id, Some(&hash)),
        }?;
        Ok(((ended > 0).then(|| Deed::new(id.account(), "user.sessions_ended", id)), ()))
    });
    Ok(ended.await?)
}
