//! One's second factor: set up, confirmed, given up, its recovery codes made anew. What stays true: it is asked for only once a
//! code of it was shown to be known; whoever changes it shows a code; and whoever confirms it or gives it up says the password too.

use zeroize::Zeroizing;

use crate::api::Api;
use crate::api::access::guesses::Guessed;
use crate::api::access::seats::Seated;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::id::UserId;
use crate::domain::second_factor::{RECOVERY_BYTES, RECOVERY_CODES, SHARED_BYTES, SecondFactor};
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::store::{Refusal, Staging};

use super::browser::Browser;
use super::entering::take_code;
use super::own::{refuse_of_provider, user_of, vet_password};

/// What the password is said in, once more.
pub const PASSWORD: &str = "your_password";

/// What is scanned or typed into an app.
#[derive(Debug)]
pub struct SetUp {
    /// The `otpauth` URL.
    pub url: Secret,
    /// What it holds, in base 32.
    pub shared: Secret,
}

/// Begins to set one up: what was begun before and not confirmed is good no more.
pub async fn begin(api: &Api, seated: &Seated) -> Result<SetUp, Problem> {
    let user = user_of(seated)?;
    refuse_of_provider(user)?;
    let (id, mut random) = (user.id, [0; SHARED_BYTES]);
    api.with_dice(|dice| dice.fill(&mut random));
    let tenant = seated.tenant(api, None)?;
    let begun = api.change(&tenant, move |staging| {
        let (_, user) = staging.update_user(id, |user, _| {
            if user.has_second_factor() {
                return Err(Invalid::new("code", "is set up already; give up the one that there is first").into());
            }
            user.second_factor = Some(SecondFactor::new(random));
            Ok(())
        })?;
        Ok((None, user))
    });
    let user = begun.await?;
    set_up(&user).ok_or_else(|| Problem::not_found("second factor"))
}

/// What was begun and is to be confirmed.
pub fn set_up(user: &User) -> Option<SetUp> {
    let factor = user.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_none())?;
    Some(SetUp { url: factor.url(&user.email), shared: factor.shared().clone() })
}

/// Confirms it by the password and a code; gives the recovery codes, shown this once. All other sessions end.
pub async fn confirm(
    api: &Api,
    (seated, browser): (&Seated, &Browser),
    password: Zeroizing<String>,
    code: &str,
) -> Result<Vec<String>, Problem> {
    vet_password(api, (user_of(seated)?, browser), (PASSWORD, password)).await?;
    let random = recovery(api);
    let but = seated.token.hash();
    with_code(api, seated, code, move |staging, id, code, wall| {
        let mut codes = Vec::new();
        staging.change_rights(id, Some(&but), |user, now| {
            let factor = user.second_factor.as_mut().filter(|factor| factor.confirmed_at.is_none());
            let factor = factor.ok_or(Refusal::NotFound("second factor"))?;
            codes = factor.confirm(code, wall, &random, now).ok_or_else(wrong_code)?;
            Ok(())
        })?;
        Ok((Deed::new(id.account(), "user.second_factor_set_up", id), codes))
    })
    .await
}

/// New recovery codes in place of those before, shown this once.
pub async fn renew_recovery(api: &Api, seated: &Seated, code: &str) -> Result<Vec<String>, Problem> {
    let random = recovery(api);
    with_code(api, seated, code, move |staging, id, code, wall| {
        let mut codes = Vec::new();
        staging.update_user(id, |user, _| {
            take_code(user, code, wall)?;
            let factor = user.second_factor.as_mut().filter(|factor| factor.confirmed_at.is_some());
            codes = factor.ok_or(Refusal::NotFound("second factor"))?.renew_recovery(&random);
            Ok(())
        })?;
        Ok((Deed::new(id.account(), "user.recovery_codes_made", id), codes))
    })
    .await
}

/// Gives it up, by the password and a code. All other sessions end.
pub async fn give_up(
    api: &Api,
    (seated, browser): (&Seated, &Browser),
    password: Zeroizing<String>,
    code: &str,
) -> Result<(), Problem> {
    vet_password(api, (user_of(seated)?, browser), (PASSWORD, password)).await?;
    let but = seated.token.hash();
    with_code(api, seated, code, move |staging, id, code, wall| {
        staging.change_rights(id, Some(&but), |user, _| {
            take_code(user, code, wall)?;
            user.second_factor = None;
            Ok(())
        })?;
        Ok((Deed::new(id.account(), "user.second_factor_given_up", id), ()))
    })
    .await
}

/// Makes a change that needs a code; guesses at that count.
async fn with_code<T: Send + 'static>(
    api: &Api,
    seated: &Seated,
    code: &str,
    change: impl FnOnce(&mut Staging<'_>, UserId, &str, u64) -> Result<(Deed, T), Refusal> + Send + 'static,
) -> Result<T, Problem> {
    let (id, code, wall) = (user_of(seated)?.id, code.to_string(), api.clock.wall());
    let guessed = [Guessed::Code(id)];
    api.guesses.begin(&guessed, api.clock.now())?;
    let tenant = seated.tenant(api, None)?;
    let changed =
        api.change(&tenant, move |staging| change(staging, id, &code, wall).map(|(deed, made)| (Some(deed), made)));
    let made = changed.await?;
    api.guesses.was_right(&guessed);
    Ok(made)
}

fn wrong_code() -> Refusal {
    Invalid::new(
        "code",
        "is not the one that the app shows now; look whether its clock is right, and send the next one",
    )
    .into()
}

fn recovery(api: &Api) -> [[u8; RECOVERY_BYTES]; RECOVERY_CODES] {
    let mut random = [[0; RECOVERY_BYTES]; RECOVERY_CODES];
    api.with_dice(|dice| random.iter_mut().for_each(|bytes| dice.fill(bytes)));
    random
}
