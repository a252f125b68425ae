//! The first user: whoever has the admin key makes himself one, while the account of the server's own people has none. What stays
//! true: of two who do so at once one is the first.

use zeroize::Zeroizing;

use crate::api::Api;
use crate::api::access::auth::hash;
use crate::api::access::guesses::Guessed;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::account::{ApiKey, OPERATOR_ACCOUNT, Scope};
use crate::domain::audit::{Actor, Deed, Side};
use crate::domain::id::AccountNumber;
use crate::domain::password;
use crate::domain::session::Holder;
use crate::domain::user::{self, Role, User};
use crate::store::Refusal;

use super::browser::Browser;
use super::entering::{Beginning, Begun};
use super::links::salt;

/// Whether the server's own people are still to come.
pub fn is_awaited(api: &Api) -> bool {
    operator(api).is_some_and(|number| api.store.registry().people().count_of(number) == 0)
}

fn operator(api: &Api) -> Option<AccountNumber> {
    api.store.registry().account_by_id(OPERATOR_ACCOUNT).map(|account| account.number)
}

/// What the first user says.
#[derive(Debug)]
pub struct First {
    /// A key with the scope `admin`.
    pub admin_key: Zeroizing<String>,
    /// What to log in with from now on.
    pub email: String,
    /// For people.
    pub name: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// Makes the first user, an owner of the server's own account, and logs the user in.
pub async fn make(api: &Api, browser: &Browser, first: First) -> Result<Begun, Problem> {
    let number = operator(api).filter(|_| is_awaited(api)).ok_or_else(is_there)?;
    let (guessed, now) = ([Guessed::From(browser.peer())], api.clock.now());
    api.guesses.begin(&guessed, now)?;
    let key = known_key(api, &first.admin_key)?;
    api.guesses.was_right(&guessed);
    let (email, name) = (user::vet_email(&first.email)?, user::vet_name(&first.name)?);
    password::vet(&first.password, &email, &name)?;
    let password = api.passwords.hash(first.password, salt(api)).await?;
    let random = super::acts::random(api);
    let (lasts_ms, browser) = (api.settings().people.session_ms, browser.clone());
    let by = Actor {
        key: Some(key.id),
        key_name: key.name.clone(),
        address: browser.address,
        side: Side::Operator,
        person: None,
    };
    let made = api.store.change(number, move |staging| {
        if staging.registry().people().count_of(number) > 0 {
            return Err(Refusal::AccountExists);
        }
        let mut user = User::invited(email, name, Role::Owner);
        (user.password, user.logged_in_at) = (Some(password), Some(staging.now()));
        let id = staging.create_user(number, user, 0)?.id;
        staging.note_deed(by, Deed::new(number, "user.first_made", id));
        Beginning::with(Holder::User(id), random, lasts_ms, browser).begin(staging)
    });
    made.await.map_err(|refusal| if refusal == Refusal::AccountExists { is_there() } else { refusal.into() })
}

fn known_key(api: &Api, text: &str) -> Result<ApiKey, Problem> {
    let known = api.store.registry().key(&hash(text.trim())).cloned();
    let known = known.filter(|key| key.allows(Scope::Admin) && !key.expired(api.clock.wall()));
    let message =
        "is not an admin key of this server; the first start has printed it, unless HOOKWHEEL__AUTH__ADMIN_KEY was set";
    known.map(|key| (*key).clone()).ok_or_else(|| Invalid::new("admin_key", message).into())
}

fn is_there() -> Problem {
    Problem::wrong_state("the first user was made already; log in, or let an owner invite you")
}
