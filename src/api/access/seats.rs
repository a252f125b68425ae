//! Who looks at pages: the session that a browser's cookie leads to, and what its holder may do. What stays true: only this file
//! reads cookies, and no route of `/api/v1` asks it: a browser cannot be made to call the API; and what a user may do is asked
//! anew with each request, so nobody keeps what was taken away.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};

use super::auth::{Tenant, Who};
use super::oidc::Begun;
use super::way::Way;
use crate::api::Api;
use crate::api::door::client;
use crate::api::door::told::{self, Caller};
use crate::api::http::problem::Problem;
use crate::domain::ability::Abilities;
use crate::domain::account::{Account, ApiKey, OPERATOR_ACCOUNT};
use crate::domain::audit::Person;
use crate::domain::id::KeyId;
use crate::domain::session::{Guest, Holder, Session, Token};
use crate::domain::time::UnixMs;
use crate::domain::user::User;
use crate::store::Load;

/// Which cookie: the dashboard's, or the portal's, which other sites may hold in a frame. Neither opens what the other does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jar {
    /// That of users.
    Dashboard,
    /// That of guests.
    Portal,
}

impl Jar {
    /// What the cookie is called. Over TLS its name binds it to this host, to `/` and to TLS.
    fn name(self, way: Way) -> &'static str {
        match (self, way) {
            (Self::Dashboard, Way::Tls) => "__Host-hookwheel",
            (Self::Dashboard, _) => "hookwheel",
            (Self::Portal, Way::Tls) => "__Host-hookwheel-portal",
            (Self::Portal, _) => "hookwheel-portal",
        }
    }

    /// The value of `Set-Cookie` with which a browser keeps this token; none: with which it forgets it.
    pub fn set(self, way: Way, token: Option<&Token>) -> String {
        let name = self.name(way);
        let value = token.map_or_else(String::new, Token::spell);
        let ends = if token.is_none() { "; Max-Age=0" } else { "" };
        let site = match (self, way) {
            (Self::Portal, Way::Tls) => "Secure; HttpOnly; SameSite=None; Partitioned",
            (Self::Dashboard, Way::Tls) => "Secure; HttpOnly; SameSite=Lax",
            (_, _) => "HttpOnly; SameSite=Lax",
        };
        format!("{name}={value}; Path=/; {site}{ends}")
    }

    /// The token that a request brings. Of several cookies of the name none counts: somebody has put one there.
    fn token(self, request: &HttpRequest) -> Option<Token> {
        cookie(request, self.name(Way::of(request))).and_then(Token::parse)
    }
}

/// The one cookie of this name.
fn cookie<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

/// What the cookie of a log-in by a provider is called.
fn begun_name(way: Way) -> &'static str {
    if way == Way::Tls { "__Host-hookwheel-sign-on" } else { "hookwheel-sign-on" }
}

/// The value of `Set-Cookie` with which a browser keeps a log-in by a provider that has begun; none: with which it forgets it. It
/// comes along when the provider sends the browser back, which is why it is `Lax`.
pub fn set_begun(way: Way, begun: Option<&Begun>) -> String {
    let (value, ends) = begun.map_or_else(|| (String::new(), 0), |begun| (begun.spell(), 600));
    let secure = if way == Way::Tls { "Secure; " } else { "" };
    format!("{}={value}; Path=/; {secure}HttpOnly; SameSite=Lax; Max-Age={ends}", begun_name(way))
}

/// The log-in by a provider that the request's browser has begun.
pub fn begun_of(request: &HttpRequest, now: UnixMs) -> Option<Begun> {
    cookie(request, begun_name(Way::of(request))).and_then(|value| Begun::parse(value, now))
}

/// Somebody who looks.
#[derive(Debug, Clone)]
pub struct Seated {
    /// The token, which forms are bound to.
    pub token: Token,
    /// The session.
    pub session: Session,
    /// The account that the holder belongs to.
    pub home: Arc<Account>,
    /// The user; none: a guest of the portal.
    pub user: Option<Arc<User>>,
    /// Where this request came from.
    pub address: Option<IpAddr>,
}

/// Whose session the request's cookie leads to. None without a cookie, in the clear from elsewhere, or if its session has ended, its user is gone or may not
/// log in any more, or its account is.
pub fn seat_of(api: &Api, request: &HttpRequest, jar: Jar) -> Result<Option<Seated>, Problem> {
    let Some(token) = jar.token(request).filter(|_| Way::of(request) != Way::Clear) else { return Ok(None) };
    let (place, hash, now) = (token.place(), token.hash(), api.clock.now());
    let Some(session) = api.store.session(place, &hash)? else { return Ok(None) };
    if session.has_ended(now, api.settings().people.session_idle_ms) {
        return Ok(None);
    }
    let (user, home) = {
        let registry = api.store.registry();
        let user = registry.people().user(place).cloned();
        (user, registry.account(session.holder.account()).filter(|account| account.deleted_at.is_none()).cloned())
    };
    let is_let_in = match (&session.holder, jar) {
        (Holder::User(_), Jar::Dashboard) => user.as_ref().is_some_and(|user| user.disabled_at.is_none()),
        (Holder::Guest(_), Jar::Portal) => true,
        _ => false,
    };
    let Some(home) = home.filter(|_| is_let_in) else { return Ok(None) };
    if session.is_use_to_be_written(now) {
        // If the store takes nothing now, the next request writes it.
        let load = Load::of(home.number);
        drop(api.store.submit_for(load, move |staging| staging.touch_session(place, &hash, now)));
    }
    if told::is_on() {
        let user = user.as_ref().map(|user| user.id);
        request.extensions_mut().insert(Caller { account: home.clone(), key: None, user });
    }
    let address = client::address(request);
    Ok(Some(Seated { token, session, home, user, address }))
}

/// The guest to whom the request's cookie of the portal belongs, and the account, also where the session has ended: for about a
/// day that is known, so that one can be told so and led back.
pub fn guest_of(api: &Api, request: &HttpRequest) -> Option<(Guest, Arc<Account>)> {
    let token = Jar::Portal.token(request).filter(|_| Way::of(request) != Way::Clear)?;
    let session = api.store.session(token.place(), &token.hash()).ok().flatten()?;
    let Holder::Guest(guest) = session.holder else { return None };
    let registry = api.store.registry();
    let account = registry.account(guest.account).filter(|account| account.deleted_at.is_none())?.clone();
    Some((guest, account))
}

impl Seated {
    /// Whether it is one of the server's own people, who may look at every account.
    pub fn is_of_server(&self) -> bool {
        self.user.is_some() && self.home.id == OPERATOR_ACCOUNT
    }

    /// What the holder may do in an account that is shown.
    pub fn abilities(&self) -> Abilities {
        match (&self.user, &self.session.holder) {
            (Some(user), _) => user.role.abilities(self.is_of_server()),
            (None, Holder::Guest(guest)) => guest.abilities.without_server(),
            (None, Holder::User(_)) => Abilities::default(),
        }
    }

    /// What shows that a form is of this session.
    pub fn form_token(&self) -> String {
        self.token.form_token()
    }

    /// Who asks, for all that the API does, in the account of this id; none: at home. Others than the server's own people find
    /// no account but their own. Each such request counts among the calls that one may make in a minute.
    pub fn tenant(&self, api: &Api, account: Option<&str>) -> Result<Tenant, Problem> {
        let account = match account {
            Some(id) if id != self.home.id => {
                let found = api.store.registry().account_by_id(id).filter(|_| self.is_of_server()).cloned();
                found.ok_or_else(|| Problem::not_found("account"))?
            }
            _ => self.home.clone(),
        };
        // Guests of an account share what one may ask for, so there are no more that are counted than users and accounts.
        let id = self.user.as_ref().map_or(u128::from(self.home.number), |user| user.id.0);
        api.calls.take(KeyId(id), 1, api.clock.now())?;
        let key = ApiKey {
            id: KeyId(id),
            account: self.home.number,
            scopes: self.abilities().scopes(),
            name: None,
            expires_at: None,
            created_at: self.session.created_at,
            last_used_at: None,
        };
        Ok(Tenant::of_person(account, key, self.who(), self.address))
    }

    fn who(&self) -> Who {
        Who { person: self.person(), abilities: self.abilities(), is_of_server: self.is_of_server() }
    }

    /// Whether the session goes on, and its holder is still what that one was when it was looked at: whoever reads for hours may do
    /// so no longer.
    pub fn is_still_let_in(&self, api: &Api) -> bool {
        let (place, hash) = (self.token.place(), self.token.hash());
        let (session, now) = (api.store.session(place, &hash).ok().flatten(), api.clock.now());
        let goes_on = session.is_some_and(|session| !session.has_ended(now, api.settings().people.session_idle_ms));
        let registry = api.store.registry();
        let is_same = |user: &Arc<User>| {
            let known = registry.people().user(place);
            known.is_some_and(|known| known.disabled_at.is_none() && known.role == user.role)
        };
        goes_on && registry.is_served(self.home.number) && self.user.as_ref().is_none_or(is_same)
    }

    /// As the audit log names the holder.
    pub fn person(&self) -> Person {
        match (&self.user, &self.session.holder) {
            (Some(user), _) => Person { user: Some(user.id), name: user.email.clone() },
            (None, Holder::Guest(guest)) => Person { user: None, name: guest.name.clone() },
            (None, Holder::User(user)) => Person { user: Some(*user), name: String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use actix_web::test::TestRequest;

    fn token(n: u8) -> Token {
        Token::new(&Holder::User(UserId(1 << 80 | 1)), [n; 32])
    }

    #[test]
    fn a_cookie_is_bound_to_its_host_over_tls_and_to_its_browser_everywhere() {
        let set = |jar: Jar, way| jar.set(way, Some(&token(1)));
        let value = token(1).spell();
        assert_eq!(
            set(Jar::Dashboard, Way::Tls),
            format!("__Host-hookwheel={value}; Path=/; Secure; HttpOnly; SameSite=Lax")
        );
        assert_eq!(set(Jar::Dashboard, Way::Loopback), format!("hookwheel={value}; Path=/; HttpOnly; SameSite=Lax"));
        assert!(set(Jar::Portal, Way::Tls).ends_with("; Secure; HttpOnly; SameSite=None; Partitioned"));
        assert!(Jar::Dashboard.set(Way::Tls, None).starts_with("__Host-hookwheel=; Path=/;"));
        assert!(Jar::Dashboard.set(Way::Tls, None).ends_with("; Max-Age=0"));
    }

    #[test]
    fn one_cookie_of_the_name_counts_and_none_of_another_jar_or_of_two() {
        let with = |cookie: String| {
            let request = TestRequest::default().insert_header(("Host", "localhost")).insert_header(("Cookie", cookie));
            let request = request.to_http_request();
            (Jar::Dashboard.token(&request).is_some(), Jar::Portal.token(&request).is_some())
        };
        let (one, other) = (token(1).spell(), token(2).spell());
        assert_eq!(with(format!("a=b; hookwheel={one}; c")), (true, false));
        assert_eq!(with(format!("hookwheel-portal={one}")), (false, true));
        assert_eq!(with(format!("hookwheel={one}; hookwheel={other}")), (false, false));
        assert_eq!(with(format!("__Host-hookwheel={one}")), (false, false), "it came in the clear");
        assert_eq!(with("hookwheel=".into()), (false, false));
    }
}
