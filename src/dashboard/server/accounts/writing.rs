//! Making and changing an account by a form.

use actix_web::{HttpResponse, ResponseError, get, post, web};

use super::form::{Filled, form, told};
use crate::api::access::auth::Admin;
use crate::api::accounts::input::{AccountChange, AccountInput};
use crate::api::accounts::operations::{self, existing};
use crate::api::accounts::view::{AccountView, account_view};
use crate::api::http::request::read_map;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::part;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::account::Account;

#[get("/dashboard/server/accounts/new")]
pub async fn ask_create(seat: Looks<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let form = form(&seat, &api, &seat.at_server("accounts"), &Filled::default(), None, true);
    Ok(Page::new("New account", Part::Accounts).show(&seat, &form))
}

#[post("/dashboard/server/accounts")]
pub async fn create(posted: Posted<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let Posted { seat, fields, .. } = posted;
    let made = match read_map::<AccountInput>(told(&fields, true)) {
        Ok(input) => operations::create(&api, seat.tenant(), input).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(account) => Ok(on_to(&page_of(&seat, &account), "created")),
        Err(problem) => {
            let form = form(&seat, &api, &seat.at_server("accounts"), &Filled::from(&fields), Some(&problem), true);
            again(&seat, "New account", &form, problem)
        }
    }
}

#[get("/dashboard/server/accounts/{id}/edit")]
pub async fn ask_change(seat: Looks<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Away> {
    let view = account_view(&existing(&api, &id)?);
    let form = form(&seat, &api, &edit(&seat, &view.id), &Filled::of(&view), None, false);
    Ok(Page::new(&title(&view.id), Part::Accounts).show(&seat, &form))
}

#[post("/dashboard/server/accounts/{id}/edit")]
pub async fn change(posted: Posted<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Away> {
    let Posted { seat, fields, .. } = posted;
    let Account { id, dialect, .. } = existing(&api, &id)?;
    let mut said = told(&fields, false);
    // What it has stays, also one whose file is gone.
    if said.get("dialect").is_some_and(|said| *said == dialect) {
        said.remove("dialect");
    }
    let changed = match read_map::<AccountChange>(said) {
        Ok(input) => operations::change(&api, seat.tenant(), &id, input).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(account) => Ok(on_to(&page_of(&seat, &account), "saved")),
        Err(problem) => {
            let form = form(&seat, &api, &edit(&seat, &id), &Filled::from(&fields), Some(&problem), false);
            again(&seat, &title(&id), &form, problem)
        }
    }
}

/// The form once more, with what is wrong in it; what is wrong on our side is a page of its own.
fn again(seat: &Seat, title: &str, form: &maud::Markup, problem: Problem) -> Result<HttpResponse, Away> {
    match problem.status_code().is_client_error() {
        true => Ok(Page::new(title, Part::Accounts).show_with(problem.status_code(), seat, form)),
        false => Err(problem.into()),
    }
}

fn page_of(seat: &Seat, account: &AccountView) -> String {
    seat.at_server(&format!("accounts/{}", part(&account.id)))
}

fn edit(seat: &Seat, id: &str) -> String {
    seat.at_server(&format!("accounts/{}/edit", part(id)))
}

fn title(id: &str) -> String {
    format!("Change {id}")
}
