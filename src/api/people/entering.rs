//! How somebody comes in: by a password, and where that is set up by a code. What stays true: who is let in is decided in the
//! commit thread; to an address that nobody has is answered what is answered to a wrong password, in the same time; and each
//! log-in has a new token.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::access::guesses::Guessed;
use crate::api::access::seats::{Jar, Seated};
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::audit::{Actor, Deed, Person, Side};
use crate::domain::id::UserId;
use crate::domain::session::{Guest, Holder, Session, Token};
use crate::domain::user::{self, User};
use crate::store::{Refusal, Registry, Staging};

use super::acts::random;
use super::browser::Browser;
use super::halfway::Halfway;

/// What came of it.
#[derive(Debug)]
pub enum Entered {
    /// The session has begun.
    In(Box<Begun>),
    /// The password was right, and a code is still to come: what proves the first.
    Halfway(String),
}

/// A session that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Which cookie holds the token.
    pub jar: Jar,
    /// The token.
    pub token: Token,
    /// The session.
    pub session: Session,
}

impl Begun {
    /// The value of `Set-Cookie`.
    pub fn cookie(&self, browser: &Browser) -> String {
        self.jar.set(browser.way, Some(&self.token))
    }
}

/// Logs somebody in by address and password.
pub async fn log_in(
    api: &Api,
    browser: &Browser,
    email: &str,
    password: Zeroizing<String>,
) -> Result<Entered, Problem> {
    // What is no address has nobody, and is answered as any other.
    let email = user::vet_email(email).unwrap_or_else(|_| "?".into());
    let (here, now) = (browser.peer(), api.clock.now());
    let guessed = [Guessed::PasswordFrom(&email, here), Guessed::Password(&email), Guessed::From(here)];
    let counts = api.guesses.begin(&guessed, now)?;
    let user = api.store.registry().people().by_email(&email).cloned();
    let stored = user.as_ref().and_then(|user| user.password.clone());
    let is_right = api.passwords.is(password, stored).await?;
    let Some(user) = user.filter(|_| is_right) else {
        // From wherever they come.
        note_failure(api, browser, &email, counts[1]);
        return Err(Problem::unauthorized("this address and this password do not belong together"));
    };
    api.guesses.was_right(&guessed);
    if user.disabled_at.is_some() {
        return Err(Problem::forbidden("this user may not log in any more; ask an owner of the account"));
    }
    if user.has_second_factor() {
        return Ok(Entered::Halfway(api.halfway.prove(&user, now)));
    }
    let begun = enter(api, browser, user.id, "user.logged_in", move |known, _| same_as(&user, known)).await?;
    Ok(Entered::In(Box::new(begun)))
}

/// Logs in who has proved the password and now sends a code, of the app or a recovery code.
pub async fn send_code(api: &Api, browser: &Browser, proof: &str, code: &str) -> Result<Begun, Problem> {
    let now = api.clock.now();
    let user = Halfway::user(proof).and_then(|id| api.store.registry().people().user(id).cloned());
    let proven = user.filter(|user| api.halfway.is_proven(proof, user, now));
    let user = proven.ok_or_else(|| Problem::unauthorized("this took too long; log in again"))?;
    let guessed = [Guessed::Code(user.id), Guessed::From(browser.peer())];
    let counts = api.guesses.begin(&guessed, now)?;
    let (code, wall, email, id) = (code.to_string(), api.clock.wall(), user.email.clone(), user.id);
    let entered = enter(api, browser, id, "user.logged_in", move |known, _| {
        same_as(&user, known)?;
        take_code(known, &code, wall)
    })
    .await;
    match &entered {
        Ok(_) => api.guesses.was_right(&guessed),
        Err(problem) if problem.is_of_field() => note_failure(api, browser, &email, counts[0]),
        Err(_) => {}
    }
    entered
}

/// Takes a code of a user's second factor, once.
pub fn take_code(user: &mut User, code: &str, wall: u64) -> Result<(), Refusal> {
    let taken = user.second_factor.as_mut().and_then(|factor| factor.take(code, wall));
    let message = "is not the one that the app shows now, was used before, or is no recovery code that is left; wait for \
                   the next one";
    if taken.is_some() { Ok(()) } else { Err(Invalid::new("code", message).into()) }
}

/// Refuses where the user logs in by something else by now, or may not any more.
fn same_as(then: &Arc<User>, now: &User) -> Result<(), Refusal> {
    let is_same = now.password == then.password && now.disabled_at.is_none();
    if is_same { Ok(()) } else { Err(Refusal::NotFound("user")) }
}

/// Begins a session of a user, if `vet` lets it. What `vet` changes of the user is written with it.
pub async fn enter(
    api: &Api,
    browser: &Browser,
    id: UserId,
    action: &'static str,
    vet: impl FnOnce(&mut User, u64) -> Result<(), Refusal> + Send + 'static,
) -> Result<Begun, Problem> {
    let new = Beginning::of(api, browser, Holder::User(id));
    let by = actor_of(&api.store.registry(), browser, id);
    let begun = api.store.change(id.account(), move |staging| {
        staging.update_user(id, |user, now| {
            vet(user, now)?;
            user.logged_in_at = Some(now);
            Ok(())
        })?;
        let begun = new.begin(staging)?;
        staging.note_deed(by, Deed::new(id.account(), action, id));
        Ok(begun)
    });
    Ok(begun.await?)
}

/// A session that is about to begin.
pub struct Beginning {
    holder: Holder,
    token: Token,
    lasts_ms: u64,
    browser: Browser,
}

impl Beginning {
    /// With a new token.
    pub fn of(api: &Api, browser: &Browser, holder: Holder) -> Self {
        Self::with(holder, random(api), api.settings().people.session_ms, browser.clone())
    }

    /// With a token of these random bytes; that of a user lasts so long, that of a guest as its link says.
    pub fn with(holder: Holder, random: [u8; 32], users_last_ms: u64, browser: Browser) -> Self {
        let token = Token::new(&holder, random);
        let lasts_ms = match &holder {
            Holder::User(_) => users_last_ms,
            Holder::Guest(guest) => guest.lasts_ms,
        };
        Self { holder, token, lasts_ms, browser }
    }

    /// Begins it.
    pub fn begin(self, staging: &mut Staging<'_>) -> Result<Begun, Refusal> {
        let Self { holder, token, lasts_ms, browser } = self;
        let jar = if matches!(holder, Holder::User(_)) { Jar::Dashboard } else { Jar::Portal };
        let session = Session::new(holder, staging.now(), lasts_ms);
        let session = session.from_browser(browser.address, &browser.user_agent);
        let session = staging.begin_session(&token.hash(), session)?;
        Ok(Begun { jar, token, session })
    }
}

/// Ends the session of whoever looks.
pub async fn log_out(api: &Api, seated: &Seated, tenant: &Tenant) -> Result<(), Problem> {
    let (place, hash, home) = (seated.token.place(), seated.token.hash(), seated.home.number);
    let user = seated.user.as_ref().map(|user| user.id);
    let ended = api.change(tenant, move |staging| {
        staging.end_session(place, &hash);
        Ok((user.map(|user| Deed::new(home, "user.logged_out", user)), ()))
    });
    Ok(ended.await?)
}

/// A user who comes from there, for the audit log.
pub fn actor_of(registry: &Registry, browser: &Browser, id: UserId) -> Actor {
    let name = registry.people().user(id).map(|user| user.email.clone()).unwrap_or_default();
    let operator = crate::domain::account::OPERATOR_ACCOUNT;
    let is_of_server = registry.account(id.account()).is_some_and(|account| account.id == operator);
    let side = if is_of_server { Side::Operator } else { Side::Account };
    Actor { address: browser.address, side, person: Some(Person { user: Some(id), name }), ..Actor::default() }
}

/// A guest who comes from there, for the audit log.
pub fn actor_of_guest(browser: &Browser, guest: &Guest) -> Actor {
    let person = Person { user: None, name: guest.name.clone() };
    Actor { address: browser.address, side: Side::Account, person: Some(person), ..Actor::default() }
}

/// A log-in that failed: told the first time, the second, the fourth and so on, and nobody waits for it, so guesses fill no log
/// and no answer takes longer where there is such a user.
fn note_failure(api: &Api, browser: &Browser, email: &str, count: u32) {
    if !count.is_power_of_two() {
        return;
    }
    let address = browser.address.map(tracing::field::display);
    tracing::warn!(address, count, "somebody could not log in");
    let user = api.store.registry().people().by_email(email).map(|user| user.id);
    if let Some(id) = user {
        let by = Actor { address: browser.address, side: Side::Account, ..Actor::default() };
        drop(api.store.submit(move |staging| {
            if staging.registry().is_served(id.account()) {
                staging.note_deed(by, Deed::new(id.account(), "user.login_failed", id));
            }
            Ok(())
        }));
    }
}
