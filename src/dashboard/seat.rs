//! Who looks at a page: whoever holds a session, with what they may do in the account that the page is of. What stays true: a
//! handler that holds a seat has been allowed in, and a seat is never made from a key.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev, web};

use super::away::Away;
use super::links;
use crate::api::Api;
use crate::api::access::auth::{Needs, Tenant};
use crate::domain::account::{Account, Scope};

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
    tenant: Tenant,
    name: String,
    mount: Mount,
    token: String,
    asked: String,
    nonce: String,
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

    /// What they are called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether they may do what the scope allows.
    pub fn may(&self, scope: Scope) -> bool {
        self.tenant.may(scope)
    }

    /// Whether they are the server's own people, who see all accounts.
    pub fn is_operator(&self) -> bool {
        self.mount == Mount::Dashboard && self.tenant.is_admin()
    }

    /// Whether it is a customer's portal.
    pub fn is_portal(&self) -> bool {
        self.mount == Mount::Portal
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
            Mount::Dashboard => format!("/dashboard/@{}/{page}", links::part(&self.account().id)),
            Mount::Portal => format!("/portal/{page}"),
        }
    }

    /// The address of another account's overview, for who sees all accounts.
    pub fn at_account(&self, id: &str) -> String {
        format!("/dashboard/@{}/", links::part(id))
    }

    /// The address of a page of the operator's, such as `accounts`.
    pub fn at_server(&self, page: &str) -> String {
        format!("/dashboard/server/{page}")
    }
}

/// Somebody who may look at a page that needs the scope `N`: what its handler asks for.
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
        ready(seat(request, N::SCOPE).map(|seat| Self(seat, PhantomData)))
    }
}

/// Who sends this request, if they may do what needs the scope.
pub fn seat(request: &HttpRequest, needed: Option<Scope>) -> Result<Seat, Away> {
    let api = request.app_data::<web::Data<Api>>().expect("the API is part of the app");
    let mount = if request.path().starts_with("/portal") { Mount::Portal } else { Mount::Dashboard };
    // TO BE REPLACED by a session's: see `people`.
    let tenant = Tenant::of_anybody(api, request)?;
    if let Some(missing) = needed.filter(|needed| !tenant.may(*needed)) {
        return Err(Away::may_not(missing));
    }
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str()).to_owned();
    let nonce = api.with_dice(|dice| format!("{:016x}{:016x}", dice.bits(), dice.bits()));
    Ok(Seat { tenant, name: "somebody".into(), mount, token: "token".into(), asked, nonce })
}
