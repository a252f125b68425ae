//! Why somebody does not get the page that they asked for, as a page.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, get};
use maud::{Markup, html};

use super::links::{see_other, with_query};
use super::sheet::plain;
use crate::api::Problem;
use crate::domain::ability::Ability;
use crate::store::{Refusal, StoreError};

/// Why not.
#[derive(Debug)]
pub enum Away {
    /// They must log in first; they asked for this path.
    LogIn(String),
    /// What the API would say.
    Problem(Problem),
}

impl Away {
    /// What they are may not do that.
    pub fn may_not(missing: Ability) -> Self {
        let message = match missing {
            Ability::View => "you may not look at this account",
            Ability::Server => "these pages are for the server's own people",
            Ability::Admin => "this is for owners of the account \"operator\"",
            Ability::People => "only an owner of the account may see and change its users",
            _ => {
                return Self::Problem(Problem::forbidden(format!(
                    "your role does not let you do this ({}); ask an owner of the account",
                    missing.word()
                )));
            }
        };
        Self::Problem(Problem::forbidden(message))
    }

    /// A guest's session is over.
    pub fn portal_over() -> Self {
        let message = "your session has ended; go back to the page that brought you here, and open this one again";
        Self::Problem(Problem::unauthorized(message))
    }

    /// A form that did not come from the page that it seems to come from, or from a session that is over.
    pub fn forged() -> Self {
        let message = "this form is not from a page of this server that is still open: load the page again, and send it from there";
        Self::Problem(Problem::forbidden(message))
    }
}

impl<T> From<T> for Away
where
    Problem: From<T>,
{
    fn from(problem: T) -> Self {
        Self::Problem(problem.into())
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogIn(_) => f.write_str("log in first"),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl ResponseError for Away {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::LogIn(_) => StatusCode::SEE_OTHER,
            Self::Problem(problem) => problem.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::LogIn(asked) => see_other(&with_query("/dashboard/log-in", [("next", Some(asked.as_str()))])),
            Self::Problem(problem) => plain(problem.status_code(), title(problem.status_code()), &told(problem)),
        }
    }
}

/// What is answered where nothing is.
pub async fn nowhere() -> Result<HttpResponse, Away> {
    Err(Problem::not_found("page").into())
}

/// The same where no part of the dashboard is.
#[get("/dashboard/{nowhere:.*}")]
pub async fn elsewhere() -> Result<HttpResponse, Away> {
    nowhere().await
}

/// What a page is called that says why not.
pub fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "This session has ended",
        403 => "You may not do this",
        404 => "Nothing is here",
        429 | 503 => "Not now",
        500.. => "The server failed",
        _ => "This cannot be done",
    }
}

fn told(problem: &Problem) -> Markup {
    html! {
        p { (problem.to_string()) }
        p { a href="/dashboard" { "Back to the overview" } }
    }
}

// What `?` makes of the store's errors in a page.
const _: fn(Refusal) -> Away = Away::from;
const _: fn(StoreError) -> Away = Away::from;
