//! What a form says. What stays true: it is read only for who was let in, from a page of ours (its `Origin`), with the token of the
//! very session that it is sent in.

use std::marker::PhantomData;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::future::LocalBoxFuture;
use subtle::ConstantTimeEq;

use super::away::Away;
use super::seat::{Seat, seat};
use crate::api::access::auth::Needs;
use crate::api::docs::site::asked_at;
use crate::api::http::body::Body;

/// The name under which a form brings the session's token.
pub const TOKEN: &str = "token";

/// A form of somebody who may do what needs the scope `N`.
#[derive(Debug)]
pub struct Posted<N> {
    /// Who.
    pub seat: Seat,
    /// What it says.
    pub fields: Fields,
    scope: PhantomData<N>,
}

/// What a form says: its fields in their order.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form's body.
    pub fn read(body: &[u8]) -> Self {
        let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name.into_owned(), value.into_owned())
        };
        Self(url::form_urlencoded::parse(body).map(owned).collect())
    }

    /// The text of a field, as it was written; none if it is not there.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The text of a field without the space around it; none if it is empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// All values of a field that may be there more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a box is ticked.
    pub fn is_on(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }
}

impl<N: Needs + 'static> FromRequest for Posted<N> {
    type Error = Away;
    type Future = LocalBoxFuture<'static, Result<Self, Away>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            is_from_here(&request)?;
            let seat = seat(&request, N::SCOPE)?;
            let body = Body::receive(&request, &mut payload, seat.account().number).await?;
            let fields = Fields::read(&body.bytes);
            let told = fields.raw(TOKEN).unwrap_or_default();
            if !bool::from(told.as_bytes().ct_eq(seat.token().as_bytes())) {
                return Err(Away::forged());
            }
            Ok(Self { seat, fields, scope: PhantomData })
        })
    }
}

/// Whether a form comes from a page of this server. A browser says so of every form; who does not is no browser, or hides it.
pub fn is_from_here(request: &HttpRequest) -> Result<(), Away> {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    match origin {
        Some(origin) if origin.eq_ignore_ascii_case(&asked_at(request)) => Ok(()),
        _ => Err(Away::forged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_say_the_same_field_more_than_once() {
        let fields = Fields::read(b"a=+x+&b=1&b=2&empty=&token=t");
        assert_eq!((fields.raw("a"), fields.text("a"), fields.text("empty")), (Some(" x "), Some("x"), None));
        assert_eq!(fields.all("b").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.is_on("empty") && !fields.is_on("c"));
    }
}
