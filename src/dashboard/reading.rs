//! How a page reads a list: one page of it, by the very function that the API's list is answered with.

use actix_web::web;

use super::links;
use crate::api::Api;
use crate::api::http::page::{LIMIT_DEFAULT, Listed, Window};
use crate::api::http::problem::Problem;
use crate::domain::id::AccountNumber;

/// Which part of a list the address of a page asks for.
pub fn window(asked: &str) -> Result<Window, Problem> {
    Window::read(LIMIT_DEFAULT, None, links::value(asked, "cursor").as_deref())
}

/// Reads a page of a list, in the account's turn.
pub async fn read<T: Send + 'static>(
    api: &web::Data<Api>,
    account: AccountNumber,
    window: Window,
    rows: impl FnOnce(&Api, Window) -> Result<Listed<T>, Problem> + Send + 'static,
) -> Result<Listed<T>, Problem> {
    let at = api.clone();
    api.read(account, move || rows(&at, window)).await?
}
