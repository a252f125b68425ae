//! Who is asking. A [`Tenant`] can only be made here, from a key that is known, has not expired and has the scope; so a
//! handler that holds one has been allowed in, and reaches nothing but that account.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::future::{Either, LocalBoxFuture};
use sha2::{Digest, Sha256};

use crate::api::Api;
use crate::api::door::client;
use crate::api::door::peers::Peer;
use crate::api::door::told::{self, Caller};
use crate::api::http::problem::Problem;
use crate::clock::Dice;
use crate::domain::Invalid;
use crate::domain::ability::{Abilities, Ability};
use crate::domain::account::{ACCOUNT_HEADER, Account, ApiKey, DEFAULT_ACCOUNT, OPERATOR_ACCOUNT, Scope};
use crate::domain::audit::{Actor, Deed, Person, Side};
use crate::domain::endpoint::HOP_HEADER;
use crate::domain::id::{AccountNumber, KeyId};
use crate::store::{KeyHash, Load, Refusal, Staging, Store};

pub use super::needs::{
    Admin, Any, Consume, Manage, Needs, Oversees, Peoples, Publish, Read, Replays, Rotates, Steers, Tests,
};

/// A configured admin key, in bytes.
const CONFIGURED_KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

/// The account that a request acts for, and what its key may do beyond that. A person who is logged in has one, too:
/// what that one may do stands in a key that nobody can send, with the user's id in the place of a key's.
#[derive(Debug, Clone)]
pub struct Tenant {
    account: Arc<Account>,
    key: Arc<ApiKey>,
    /// Who it is, where it is a person.
    who: Option<Who>,
    address: Option<IpAddr>,
    names_account: bool,
}

/// What is known of a person who asks.
#[derive(Debug, Clone)]
pub struct Who {
    /// As the audit log names one.
    pub person: Person,
    /// What the person may do.
    pub abilities: Abilities,
    /// Whether it is one of the server's own people.
    pub is_of_server: bool,
}

impl Tenant {
    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// That of a person in an account: only who has looked at a session makes one (see [`seats`](super::seats)).
    pub(super) fn of_person(account: Arc<Account>, key: ApiKey, who: Who, address: Option<IpAddr>) -> Self {
        Self { account, key: Arc::new(key), who: Some(who), address, names_account: true }
    }

    /// The person, where it is one and no key.
    pub fn person(&self) -> Option<&Person> {
        self.who.as_ref().map(|who| &who.person)
    }

    /// Whether it may do this: a person by what that one may do, a key by its scopes.
    pub fn can(&self, ability: Ability) -> bool {
        match &self.who {
            Some(who) => who.abilities.has(ability),
            None => self.may(ability.needs()),
        }
    }

    /// Which key it came with; of a person that one's own id.
    pub fn key(&self) -> KeyId {
        self.key.id
    }

    /// All that is known of that key.
    pub fn api_key(&self) -> &ApiKey {
        &self.key
    }

    /// Who asks, for the audit log.
    pub fn actor(&self) -> Actor {
        let is_of_server = self.is_admin() || self.who.as_ref().is_some_and(|who| who.is_of_server);
        let side = if is_of_server { Side::Operator } else { Side::Account };
        let (key, key_name, person) = match &self.who {
            Some(who) => (None, None, Some(who.person.clone())),
            None => (Some(self.key.id), self.key.name.clone(), None),
        };
        Actor { key, key_name, address: self.address, side, person }
    }

    /// The same key reading of an account that it was found to reach.
    pub fn reading(&self, account: Arc<Account>) -> Self {
        Self { account, ..self.clone() }
    }

    /// The account that its key belongs to, whomever it acts for.
    pub fn home(&self) -> AccountNumber {
        self.key.account
    }

    /// Whether it would still be let in: whoever reads for hours may do so until its key is revoked, expires, or goes with its
    /// account; and a person, until that one is removed or may not log in any more.
    pub fn is_still_let_in(&self, api: &Api) -> bool {
        let (key, registry) = (&self.key, api.store.registry());
        let is_there = match self.person() {
            None => registry.has_key(key.account, key.id),
            Some(person) => person
                .user
                .is_none_or(|user| registry.people().user(user).is_some_and(|user| user.disabled_at.is_none())),
        };
        let are_served = registry.is_served(key.account) && registry.is_served(self.account.number);
        is_there && are_served && !key.expired(api.clock.wall())
    }

    /// Whether its key has the scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.key.allows(scope)
    }

    /// Whether the key is an admin's.
    pub fn is_admin(&self) -> bool {
        self.key.allows(Scope::Admin)
    }

    /// The same key acting for the account `id`, as an event's `account` field asks for.
    pub fn acting_for(&self, store: &Store, id: &str) -> Result<Self, Problem> {
        if id == self.account.id {
            return Ok(self.clone());
        }
        if !self.is_admin() {
            return Err(Problem::forbidden("this key acts for its own account only").with_field("account"));
        }
        if self.names_account {
            let message = format!("names another account than the header {ACCOUNT_HEADER}");
            return Err(Invalid::new("account", message).into());
        }
        let account = store.registry().account_by_id(id).cloned();
        let account = account.ok_or_else(|| Invalid::new("account", "there is no account of this id"))?;
        Ok(Self { account, ..self.clone() })
    }
}

/// A tenant whose key has the scope `N`: what handlers ask for.
#[derive(Debug)]
pub struct May<N>(Tenant, PhantomData<N>);

impl<N> Deref for May<N> {
    type Target = Tenant;
    fn deref(&self) -> &Tenant {
        &self.0
    }
}

impl<N: Needs + 'static> FromRequest for May<N> {
    type Error = Problem;
    type Future = Either<Ready<Result<Self, Problem>>, LocalBoxFuture<'static, Result<Self, Problem>>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let tenant = let_in(request, N::SCOPE).map(|tenant| Self(tenant, PhantomData));
        match tenant {
            Err(refused) if !refused.wait.is_zero() => Either::Right(Box::pin(async { Err(refused.told().await) })),
            decided => Either::Left(ready(decided.map_err(|refused| *refused.problem))),
        }
    }
}

/// Lets a request in, or says why not, to guessers later.
pub async fn tenant(request: &HttpRequest, needed: Scope) -> Result<Tenant, Problem> {
    match let_in(request, Some(needed)) {
        Ok(tenant) => Ok(tenant),
        Err(refused) => Err(refused.told().await),
    }
}

/// A request that is not let in, and how long it waits to hear of it.
struct Refused {
    problem: Box<Problem>,
    wait: Duration,
}

impl Refused {
    async fn told(self) -> Problem {
        if !self.wait.is_zero() {
            actix_web::rt::time::sleep(self.wait).await;
        }
        *self.problem
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), wait: Duration::ZERO }
    }
}

/// Put into a request that the server makes of itself (see `calling`): whom it lets in without a key. Nothing that comes over the
/// network has one.
#[derive(Debug, Clone)]
pub struct InNameOf {
    /// Who.
    pub tenant: Tenant,
    /// What this call may need though no scope of theirs says so: who made it knows that they may do just this.
    pub granted: Option<Scope>,
}

fn let_in(request: &HttpRequest, needed: Option<Scope>) -> Result<Tenant, Refused> {
    if let Some(InNameOf { tenant, granted }) = request.extensions().get() {
        let is_missing = |needed: &Scope| !tenant.may(*needed) && *granted != Some(*needed);
        return match needed.filter(is_missing) {
            Some(missing) => Err(Problem::scope_missing(missing).into()),
            None => Ok(tenant.clone()),
        };
    }
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app");
    let key = known_key(api, request)?;
    // Whatever a delivery asked for, it could cause further deliveries: a test, a replay, an event.
    if request.headers().contains_key(HOP_HEADER) {
        return Err(Problem::loop_detected().into());
    }
    if let Some(missing) = needed.filter(|needed| !key.allows(*needed)) {
        return Err(Problem::scope_missing(missing).into());
    }
    if needed != Some(Scope::Publish) {
        api.calls.take(key.id, 1, api.clock.now())?;
    }
    let tenant = acting(api, request, key)?;
    if told::is_on() {
        let (account, key) = (tenant.account.clone(), Some(tenant.key.id));
        request.extensions_mut().insert(Caller { account, key, user: None });
    }
    Ok(tenant)
}

/// Whom a key acts for in this request.
fn acting(api: &Api, request: &HttpRequest, key: Arc<ApiKey>) -> Result<Tenant, Problem> {
    let named = named_account(request)?;
    let registry = api.store.registry();
    let account = match (key.allows(Scope::Admin), named) {
        (true, Some(id)) => registry.account_by_id(id).ok_or_else(no_such_account)?,
        (true, None) => registry.account_by_id(DEFAULT_ACCOUNT).ok_or_else(no_such_account)?,
        (false, named) => {
            let own = registry.account(key.account).ok_or_else(account_gone)?;
            if named.is_some_and(|id| id != own.id) {
                let message = format!("this key acts for its own account only; leave out {ACCOUNT_HEADER}");
                return Err(Problem::forbidden(message).with_field(ACCOUNT_HEADER));
            }
            own
        }
    };
    let address = client::address(request);
    let names_account = named.is_some();
    Ok(Tenant { account: account.clone(), key, who: None, address, names_account })
}

fn known_key(api: &Api, request: &HttpRequest) -> Result<Arc<ApiKey>, Refused> {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.ok_or_else(|| Problem::unauthorized("a key is needed: Authorization: Bearer <key>"))?;
    let text = header.to_str().ok().and_then(|text| text.split_once(' '));
    let (_, key) = text
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or_else(|| Problem::unauthorized("the key must come as Authorization: Bearer <key>"))?;
    let (hash, now) = (hash(key.trim()), api.clock.now());
    let known = api.store.registry().key(&hash).cloned();
    let known = known.ok_or_else(|| unknown_key(api, request))?;
    if known.expired(api.clock.wall()) {
        return Err(Problem::unauthorized("this key has expired").into());
    }
    if api.store.registry().is_deleted(known.account) {
        return Err(account_gone().into());
    }
    if api.uses.note(&known, now) {
        let account = known.account;
        // If the store takes nothing now, the next minute's use is written down.
        drop(api.store.submit_for(Load::of(account), move |staging| {
            staging.touch_key(hash, now);
            Ok(())
        }));
    }
    Ok(known)
}

/// A key that nobody has: whoever tries many waits longer and longer. Said the first time, the second, the fourth and so
/// on: guesses must not fill the log.
fn unknown_key(api: &Api, request: &HttpRequest) -> Refused {
    let address = client::address(request);
    let (count, wait) = api.failures.note(address.map_or(Peer::OTHERS, Peer::from), api.clock.now());
    if count.is_power_of_two() {
        let address = address.map(tracing::field::display);
        tracing::warn!(address, count, "a request came with a key that is not known");
    }
    Refused { problem: Box::new(Problem::unauthorized("this key is not known")), wait }
}

fn named_account(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get(ACCOUNT_HEADER) else { return Ok(None) };
    value.to_str().map(|id| Some(id.trim())).map_err(|_| no_such_account())
}

/// Of a key whose account was deleted.
fn account_gone() -> Problem {
    Problem::unauthorized("the key's account is gone")
}

fn no_such_account() -> Problem {
    Invalid::new(ACCOUNT_HEADER, "there is no account of this id").into()
}

/// Where a key lies in the store: its text is never stored.
pub fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// A new key: `hw_` and 32 random bytes in base64url.
pub fn new_key(dice: &mut Dice) -> String {
    let mut bytes = [0; 32];
    dice.fill(&mut bytes);
    format!("hw_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Makes sure that the account `default` exists, and an admin key with it: the `configured` one, else a new one if
/// there is no key at all. Gives the text of a new one back: it is shown this once. `dialect` is what webhooks of the
/// account `default` speak from now on, and, if nothing is said of that, what those of a new one do.
pub async fn first_admin_key(
    store: &Store,
    dice: &mut Dice,
    configured: Option<&str>,
    (dialect, usual): (Option<&str>, &str),
) -> Result<Option<String>, Refusal> {
    if let Some(text) = configured {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if !CONFIGURED_KEY_BYTES.contains(&text.len()) || !visible {
            return Err(Invalid::new("auth.admin_key", "must be 16 to 256 visible ASCII characters").into());
        }
    }
    let new = new_key(dice);
    let hash = hash(configured.unwrap_or(&new));
    let is_configured = configured.is_some();
    let (default, operator) = (Store::default_account(dialect.unwrap_or(usual)), Store::operator_account(usual));
    let dialect = dialect.map(String::from);
    let made = store.change(0, move |staging| {
        let known = staging.registry().account_by_id(DEFAULT_ACCOUNT).cloned();
        let account = match known {
            Some(account) => {
                set_dialect(staging, &account, dialect)?;
                account.number
            }
            None => staging.create_account(default)?.number,
        };
        if staging.registry().account_by_id(OPERATOR_ACCOUNT).is_none() {
            staging.create_account(operator)?;
        }
        let needed =
            if is_configured { staging.registry().key(&hash).is_none() } else { !staging.registry().has_keys() };
        if needed {
            let key = staging.create_key(hash, admin_key(account))?;
            staging.note_deed(Actor::default(), Deed::new(account, "key.created", key.id));
        }
        Ok(needed)
    });
    Ok(made.await?.then_some(new).filter(|_| !is_configured))
}

/// Whether there is this key.
pub fn is_known_key(store: &Store, key: &str) -> bool {
    store.registry().key(&hash(key)).is_some()
}

/// Gives an account the dialect that is configured, if it has another.
fn set_dialect(staging: &mut Staging<'_>, account: &Account, dialect: Option<String>) -> Result<(), Refusal> {
    let Some(dialect) = dialect.filter(|name| *name != account.dialect) else { return Ok(()) };
    tracing::warn!(account = account.id, before = account.dialect, now = dialect, "an account's dialect is changed");
    staging.update_account(account.number, |account| {
        account.dialect = dialect;
        Ok(())
    })?;
    let deed = Deed::new(account.number, "account.changed", &account.id).with_fields(vec!["dialect".into()]);
    staging.note_deed(Actor::default(), deed);
    Ok(())
}

fn admin_key(account: u32) -> ApiKey {
    let name = Some("first admin key".to_string());
    let scopes = vec![Scope::Admin];
    ApiKey { id: KeyId(0), account, scopes, name, expires_at: None, created_at: 0, last_used_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_form() {
        let mut dice = Dice::seeded(1);
        let (one, two) = (new_key(&mut dice), new_key(&mut dice));
        assert_ne!(one, two);
        assert_eq!(one.len(), 46);
        assert!(one.starts_with("hw_"));
        assert_ne!(hash(&one), hash(&two));
    }
}
