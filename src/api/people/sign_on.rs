//! How somebody comes in by the operator's identity provider. What stays true: who is let in, and as what, is decided by the rules of
//! the configuration with each log-in, so whoever is taken out of a group there is not let in here; an address that the provider
//! has not seen to be somebody's is nobody's; and whoever comes in by it has no password here, nor takes the place of one who has.

use crate::api::Api;
use crate::api::access::guesses::Guessed;
use crate::api::access::oidc::{Begun as Asked, Known, Means, Provider};
use crate::api::http::problem::Problem;
use crate::domain::account::Account;
use crate::domain::audit::Deed;
use crate::domain::session::Holder;
use crate::domain::sign_on;
use crate::domain::user::{EXTERNAL_BYTES_MAX, External, Role, User, vet_email, vet_name};
use crate::store::{Refusal, Staging};

use super::acts::random;
use super::browser::Browser;
use super::entering::{Beginning, Begun, actor_of};

/// Where the provider sends a browser back to.
pub const BACK: &str = "/dashboard/sign-on/back";

/// Begins a log-in: what the browser keeps until it comes back, and where it is sent. `next`: where one wants to go then.
pub async fn begin(api: &Api, browser: &Browser, next: &str) -> Result<(Asked, String), Problem> {
    let (provider, account) = (provider(api)?, account(api)?);
    let mut random = [0; 96];
    api.with_dice(|dice| dice.fill(&mut random));
    let asked = Asked::new(random, api.clock.now(), next);
    let address = provider.address(&means(api, &account), &asked, &back(browser)).await?;
    Ok((asked, address))
}

/// Ends it, with the code that came back. `issuer`: who says to have sent it, if that is said.
pub async fn end(
    api: &Api,
    browser: &Browser,
    asked: &Asked,
    code: &str,
    issuer: Option<&str>,
) -> Result<Begun, Problem> {
    let (provider, account) = (provider(api)?, account(api)?);
    let guessed = [Guessed::From(browser.peer())];
    api.guesses.begin(&guessed, api.clock.now())?;
    let known = provider.known(&means(api, &account), asked, code, issuer, &back(browser)).await?;
    let comer = Comer::of(provider, known)?;
    let (random, lasts_ms, limit) =
        (random(api), api.settings().people.session_ms, api.settings().quotas.of(&account).users_max);
    let (number, from) = (account.number, browser.clone());
    let begun = api.store.change(number, move |staging| {
        let (id, deed) = comer.take_in(staging, &account, limit)?;
        let by = actor_of(&staging.registry(), &from, id);
        deed.into_iter().for_each(|deed| staging.note_deed(by.clone(), deed));
        let begun = Beginning::with(Holder::User(id), random, lasts_ms, from).begin(staging)?;
        staging.note_deed(by, Deed::new(number, "user.logged_in", id));
        Ok(begun)
    });
    let begun = begun.await.map_err(refused)?;
    api.guesses.was_right(&guessed);
    Ok(begun)
}

/// Somebody whom the rules let in.
struct Comer {
    external: External,
    email: String,
    name: String,
    role: Role,
}

impl Comer {
    fn of(provider: &Provider, known: Known) -> Result<Self, Problem> {
        let email = known.email.ok_or_else(|| {
            Problem::forbidden(
                "the identity provider does not say that an address is yours (the claims email and email_verified, with the scope \
                 email): ask whoever runs it",
            )
        })?;
        let email = vet_email(&email)?;
        let role = sign_on::role(&provider.settings.rules, &email, &known.groups).ok_or_else(|| {
            Problem::forbidden(format!(
                "{email} may not log in here: no rule of oidc.allowed names it; ask whoever runs this server"
            ))
        })?;
        let external = External { issuer: provider.settings.issuer.clone(), subject: known.subject };
        if external.issuer.len() > EXTERNAL_BYTES_MAX || external.subject.len() > EXTERNAL_BYTES_MAX {
            return Err(Problem::forbidden("what the identity provider calls you is too long"));
        }
        let named = known.name.and_then(|name| vet_name(&name).ok());
        let name = named.unwrap_or_else(|| email.split('@').next().unwrap_or_default().chars().take(100).collect());
        Ok(Self { external, email, name, role })
    }

    /// The user, made if there is none, with the role and the address of now; and what is to be noted of that.
    fn take_in(
        self,
        staging: &mut Staging<'_>,
        account: &Account,
        limit: usize,
    ) -> Result<(crate::domain::id::UserId, Option<Deed>), Refusal> {
        let Self { external, email, name, role } = self;
        let number = account.number;
        let known = staging.registry().people().by_external(&external).map(|user| user.id);
        let Some(id) = known else {
            let external = Some(external);
            let user = User { external, logged_in_at: Some(staging.now()), ..User::invited(email, name, role) };
            let id = staging.create_user(number, user, limit)?.id;
            return Ok((id, Some(Deed::new(number, "user.joined", id))));
        };
        if id.account() != number {
            return Err(Refusal::ExternalTaken);
        }
        let (before, user) = staging.change_rights(id, None, |user, _| {
            if user.disabled_at.is_some() {
                return Err(Refusal::NotFound("user"));
            }
            (user.role, user.email) = (role, email);
            Ok(())
        })?;
        staging.update_user(id, |user, now| {
            user.logged_in_at = Some(now);
            Ok(())
        })?;
        let fields = [("role", before.role != user.role), ("email", before.email != user.email)];
        let fields: Vec<String> =
            fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.into()).collect();
        let deed = (!fields.is_empty()).then(|| Deed::new(number, "user.changed", id).with_fields(fields));
        Ok((id, deed))
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::EmailTaken => Problem::forbidden(
            "another user here has your address, and logs in by a password: log in with that, or let an owner remove that user first",
        ),
        Refusal::ExternalTaken => {
            Problem::forbidden("you are a user of another account here; let an owner of that remove you first")
        }
        Refusal::NotFound("user") => {
            Problem::forbidden("this user may not log in any more; ask an owner of the account")
        }
        refusal => refusal.into(),
    }
}

fn provider(api: &Api) -> Result<&Provider, Problem> {
    api.provider.as_ref().ok_or_else(|| Problem::not_found("identity provider"))
}

fn account(api: &Api) -> Result<Account, Problem> {
    let id = &provider(api)?.settings.account;
    let account = api.store.registry().account_by_id(id).map(|account| (**account).clone());
    account.ok_or_else(|| Problem::wrong_state(format!("oidc.account names {id:?}, and there is no such account")))
}

fn means<'a>(api: &'a Api, account: &Account) -> Means<'a> {
    Means { clock: &api.clock, outbound: &*api.outbound, account: account.number }
}

fn back(browser: &Browser) -> String {
    format!("{}{BACK}", browser.base_url)
}
