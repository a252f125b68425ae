//! What a form says. What stays true: it is read only for who was let in, from a page of ours (its `Origin`), with the token of the
//! very session that it is sent in; of who is not logged in yet, from a page of ours.

use std::marker::PhantomData;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::future::LocalBoxFuture;

use super::away::Away;
use super::seat::{Seat, seat};
use crate::api::access::auth::Needs;
use crate::api::access::way::refuse_foreign;
use crate::api::docs::site::{asked_at, came_by};
use crate::api::http::body::Body;
use crate::api::people::browser::Browser;

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

    /// Reads what an address asks for.
    pub fn asked(address: &str) -> Self {
        Self::read(address.split_once('?').map_or("", |(_, query)| query).as_bytes())
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
            refuse_foreign(&request)?;
            let seat = seat(&request, N::ABILITY).map_err(|away| back(&request, away))?;
            let body = Body::receive(&request, &mut payload, seat.account().number).await?;
            let fields = Fields::read(&body.bytes);
            let told = fields.raw(TOKEN).unwrap_or_default();
            if !seat.seated().token.is_form_token(told) {
                return Err(Away::forged());
            }
            Ok(Self { seat, fields, scope: PhantomData })
        })
    }
}

/// Where one logs in again, one is sent back to the page that the form was on.
fn back(request: &HttpRequest, away: Away) -> Away {
    let Away::LogIn(_) = away else { return away };
    let page = request.headers().get(header::REFERER).and_then(|page| page.to_str().ok());
    let page = page
        .and_then(|page| page.strip_prefix(&asked_at(request)).or_else(|| page.strip_prefix(&came_by(request))))
        .unwrap_or("/dashboard");
    Away::LogIn(page.to_owned())
}

/// A form of somebody who is not logged in, from a page of this server, over a way on which nobody listens.
#[derive(Debug)]
pub struct Sent {
    /// With what.
    pub browser: Browser,
    /// What it says.
    pub fields: Fields,
}

impl FromRequest for Sent {
    type Error = Away;
    type Future = LocalBoxFuture<'static, Result<Self, Away>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let browser = Browser::of_form(&request)?;
            // Nobody's account: all those who are not logged in share what bodies may hold of one.
            let body = Body::receive(&request, &mut payload, 0).await?;
            Ok(Self { browser, fields: Fields::read(&body.bytes) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_asks_for_what_stands_behind_its_question_mark() {
        let asked = Fields::asked("/x?text=a%26b+c&empty=&q=1?2");
        assert_eq!((asked.text("text"), asked.text("empty"), asked.text("q")), (Some("a&b c"), None, Some("1?2")));
        assert!(Fields::asked("/x").iter().next().is_none());
    }

    #[test]
    fn a_form_may_say_the_same_field_more_than_once() {
        let fields = Fields::read(b"a=+x+&b=1&b=2&empty=&token=t");
        assert_eq!((fields.raw("a"), fields.text("a"), fields.text("empty")), (Some(" x "), Some("x"), None));
        assert_eq!(fields.all("b").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.is_on("empty") && !fields.is_on("c"));
    }
}
