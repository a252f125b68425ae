//! Deleting an account: what goes with it, asked once.

use actix_web::{HttpResponse, get, post, web};
use maud::html;

use super::one::is_lasting;
use crate::api::access::auth::Admin;
use crate::api::accounts::operations::{self, existing};
use crate::api::accounts::usage::usage;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{of_account, part};
use crate::dashboard::parts::amount;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::Looks;
use crate::domain::account::DEFAULT_ACCOUNT;

#[get("/dashboard/server/accounts/{id}/delete")]
pub async fn ask(seat: Looks<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Away> {
    let account = existing(&api, &id)?;
    if is_lasting(&account.id) {
        let message = format!("the account {} is there from the start, and cannot be deleted", account.id);
        return Err(Problem::wrong_state(message).into());
    }
    let (id, used) = (account.id.clone(), usage(&api, account).await?);
    let count = |number: Option<u64>, one, many| amount::of(number.unwrap_or(0), one, many);
    let here = |page: &str| seat.at_server(&format!("accounts/{}{page}", part(&id)));
    let words = html! {
        p { "The account " b { (id) } " goes with all that there is of it: "
            (count(used.webhooks.used, "webhook", "webhooks")) ", " (count(used.keys.used, "key", "keys")) " and "
            (amount::bytes(used.kept_bytes.used.unwrap_or(0))) " of events, deliveries and attempts, its statistics and its audit log." }
        p { "From that moment its keys are refused and nothing of it is sent. What is kept goes in steps by a job that cannot be \
             stopped. There is no way back: " a href=(here("")) { "export it first" } " if you may need it." }
    };
    let (action, button) = (here("/delete"), format!("Delete the account {id}"));
    let confirm = Confirm { words: &words, action: &action, button: &button, back: &here(""), fields: &[] };
    Ok(Page::new(&format!("Delete {id}?"), Part::Accounts).show(&seat, &confirm.show(&seat)))
}

#[post("/dashboard/server/accounts/{id}/delete")]
pub async fn delete(posted: Posted<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Away> {
    let job = operations::delete(&api, posted.seat.tenant(), &id).await?;
    // The job belongs to the account that is there from the start.
    let page = of_account(DEFAULT_ACCOUNT, &format!("jobs/{}", part(&job.id)));
    Ok(on_to(&page, "started"))
}
