//! Who looks at a page: whoever holds a session, with what they may do in the account that the page is of. What stays true: a
//! handler that holds a seat has been allowed in, and a seat is never made from a key.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev, web};

use super::away::Away;
use super::brand::Brand;
use super::links;
use crate::api::Api;
use crate::api::access::auth::{Needs, Tenant};
use crate::api::access::seats::{Jar, Seated, seat_of};
use crate::domain::ability::Ability;
use crate::domain::account::{Account, DEFAULT_ACCOUNT, Scope};
use crate::domain::session::Holder;

/// Under which name the pages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// `/dashboard`.
    Dashboard,
    /// `/portal`: one account's customer, who sees nothing of others or of the operator.
    Portal,
}

/// Who looks.
#[derive(Debug, Clone)]
pub struct Seat {
    seated: Seated,
    tenant: Tenant,
    mount: Mount,
    token: String,
    asked: String,
    nonce: String,
    brand: Option<Brand>,
}

impl Seat {
    /// In whose name the API is asked.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The account whose pages they are.
    pub fn account(&self) -> &Account {
        self.tenant.account()
    }

    /// The session, for what one changes of oneself.
    pub fn seated(&self) -> &Seated {
        &self.seated
    }

    /// What they are called.
    pub fn name(&self) -> &str {
        match (&self.seated.user, &self.seated.session.holder) {
            (Some(user), _) => &user.name,
            (None, Holder::Guest(guest)) => &guest.name,
            (None, Holder::User(_)) => "",
        }
    }

    /// Whether they may do what the scope allows.
    pub fn may(&self, scope: Scope) -> bool {
        self.tenant.may(scope)
    }

    /// Whether they may do this: abilities are finer than scopes.
    pub fn can(&self, ability: Ability) -> bool {
        self.tenant.can(ability)
    }

    /// Whether they are the server's own people, who see all accounts.
    pub fn is_operator(&self) -> bool {
        self.seated.is_of_server()
    }

    /// The id of the account that they begin with: their own, or, of the server's own people, the one that is there from the start.
    pub fn first_account(&self) -> &str {
        if self.is_operator() { DEFAULT_ACCOUNT } else { &self.seated.home.id }
    }

    /// Whether it is a customer's portal.
    pub fn is_portal(&self) -> bool {
        self.mount == Mount::Portal
    }

    /// How the portal looks that they are in; none: it is the dashboard.
    pub fn brand(&self) -> Option<&Brand> {
        self.brand.as_ref()
    }

    /// What every form must bring back: see `posted`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The path and query that were asked for.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// What allows this reply's own scripts and styles.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The address of a page of the account, such as `webhooks/…`. Ids in it have been through [`links::part`].
    pub fn at(&self, page: &str) -> String {
        match self.mount {
            Mount::Dashboard => links::of_account(&self.account().id, page),
            Mount::Portal => format!("/portal/{page}"),
        }
    }

    /// Where a contract is documented, at its part on signatures. In a portal that is a page of it: it leads to nothing outside.
    pub fn docs_of(&self, dialect: &str) -> String {
        match self.mount {
            Mount::Dashboard => links::docs_of(dialect),
            Mount::Portal => self.at("docs#verifying-signatures"),
        }
    }

    /// The page that documents a contract. In a portal that is its own, of the one contract that it has.
    pub fn docs_page_of(&self, dialect: &str) -> String {
        match self.mount {
            Mount::Dashboard => links::docs_of(dialect),
            Mount::Portal => self.at("docs"),
        }
    }

    /// The address of a page of the operator's, such as `accounts`.
    pub fn at_server(&self, page: &str) -> String {
        format!("/dashboard/server/{page}")
    }
}

/// Somebody who may look at a page that needs the scope or ability `N`: what its handler asks for. A page with a form needs what that
/// form does, so nobody fills in what is refused then.
#[derive(Debug)]
pub struct Looks<N>(Seat, PhantomData<N>);

impl<N> Deref for Looks<N> {
    type Target = Seat;
    fn deref(&self) -> &Seat {
        &self.0
    }
}

impl<N: Needs + 'static> FromRequest for Looks<N> {
    type Error = Away;
    type Future = Ready<Result<Self, Away>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(seat(request, N::ABILITY).map(|seat| Self(seat, PhantomData)))
    }
}

/// Who sends this request, if they may do what is needed in the account that the path names.
pub fn seat(request: &HttpRequest, needed: Option<Ability>) -> Result<Seat, Away> {
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app");
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str()).to_owned();
    let (mount, jar) = match request.path().starts_with("/portal") {
        true => (Mount::Portal, Jar::Portal),
        false => (Mount::Dashboard, Jar::Dashboard),
    };
    let seated = match (seat_of(api, request, jar)?, mount) {
        (Some(seated), _) => seated,
        (None, Mount::Dashboard) => return Err(Away::LogIn(asked)),
        (None, Mount::Portal) => return Err(Away::portal_over()),
    };
    // The operator's pages have the way around of the account that is there from the start. Others are told that these are not
    // theirs, not that there is no such account.
    let is_of_server = seated.is_of_server() && request.path().starts_with("/dashboard/server/");
    let account = request.match_info().get("account").or(is_of_server.then_some(DEFAULT_ACCOUNT));
    let tenant = seated.tenant(api, account)?;
    if let Some(missing) = needed.filter(|needed| !tenant.can(*needed)) {
        return Err(Away::may_not(missing));
    }
    let (token, nonce) =
        (seated.form_token(), api.with_dice(|dice| format!("{:016x}{:016x}", dice.bits(), dice.bits())));
    let brand = match &seated.session.holder {
        Holder::Guest(guest) => Some(Brand::of(&api.settings.people.portal, &tenant.account().portal, Some(guest))),
        Holder::User(_) => None,
    };
    Ok(Seat { seated, tenant, mount, token, asked, nonce, brand })
}
