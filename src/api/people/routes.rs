//! The users of an account, for admin keys; an owner does the same on the account's pages.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};

use super::acts;
use super::input::{UserChange, UserInput};
use super::view::{SessionView, UserView, user_view};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Admin, May};
use crate::api::docs::site::asked_at;
use crate::api::http::list::{ListQuery, NoFilter, answer};
use crate::api::http::page::{Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::id::SessionId;
use crate::store::Page;

/// Invite a user; the reply is the only place that shows the link
///
/// With the link, good for one use within seven days, the user sets a password and is logged in. Users of the account `operator`
/// are the server's own people: they may look at every account, and its owners may do everything. Nobody else sends the link:
/// hand it over yourself.
#[utoipa::path(
    operation_id = "users.create", security(("key" = ["admin"])),
    request_body = UserInput,
    responses(
        (status = 201, description = "Invited", body = Reply<UserView>),
        (status = 409, description = "Another user has this address, the account has as many users as it may, or there is no dashboard"),
    )
)]
#[post("/api/v1/users")]
pub async fn create(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let input = body.read::<UserInput>()?;
    Ok(Reply::created(acts::invite(&api, &tenant, input, &asked_at(&request)).await?))
}

/// List the users of an account
#[utoipa::path(
    operation_id = "users.list", security(("key" = ["admin"])),
    params(PageQuery),
    responses((status = 200, description = "A page of its users", body = PageReply<UserView>))
)]
#[get("/api/v1/users")]
pub async fn list(
    tenant: May<Admin>,
    api: web::Data<Api>,
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    let (account, asking) = (tenant.account().number, tenant.clone());
    let rows = move |api: &Api, window: Window| {
        let page = Page::of_all(acts::users(api, &asking)?, window.walk(), |user| user.id);
        Ok(Listed::from(page).map(|user| user_view(&user, None)))
    };
    answer(&api, account, part, rows).await
}

/// Show a user
#[utoipa::path(
    operation_id = "users.get", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The user", body = Reply<UserView>))
)]
#[get("/api/v1/users/{id}")]
pub async fn show(tenant: May<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(user_view(&*acts::user_of(&api, &tenant, &id)?, None)))
}

/// Change a user's name or role, lock the user out, or take away a second factor that is lost: what is left out stays
///
/// Where the role, `disabled` or the second factor changes, all sessions of the user end.
#[utoipa::path(
    operation_id = "users.change", security(("key" = ["admin"])),
    params(("id" = String, Path)), request_body = UserChange,
    responses((status = 200, description = "Changed", body = Reply<UserView>))
)]
#[patch("/api/v1/users/{id}")]
pub async fn change(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(acts::change(&api, &tenant, &id, body.read::<UserChange>()?).await?))
}

/// Remove a user, with all sessions and links
#[utoipa::path(
    operation_id = "users.delete", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses((status = 204, description = "Removed"))
)]
#[delete("/api/v1/users/{id}")]
pub async fn delete(tenant: May<Admin>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    acts::remove(&api, &tenant, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Make a link with which a user sets another password; the reply is the only place that shows it
///
/// It is good for one use within an hour, or seven days where the user has not set a password yet; links of before are good no
/// more. The password that is there stays until the link is used.
#[utoipa::path(
    operation_id = "users.links.create", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The user, with the link", body = Reply<UserView>),
        (status = 409, description = "There is no dashboard"),
    )
)]
#[post("/api/v1/users/{id}/reset")]
pub async fn reset(
    tenant: May<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(acts::link(&api, &tenant, &id, &asked_at(&request)).await?))
}

/// List the sessions of a user that go on
#[utoipa::path(
    operation_id = "users.sessions.list", security(("key" = ["admin"])),
    params(("id" = String, Path), PageQuery),
    responses((status = 200, description = "A page of sessions", body = PageReply<SessionView>))
)]
#[get("/api/v1/users/{id}/sessions")]
pub async fn list_sessions(
    tenant: May<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    let (account, asking) = (tenant.account().number, tenant.clone());
    let rows = move |api: &Api, window: Window| {
        let page =
            Page::of_all(acts::sessions(api, &asking, &id)?, window.walk(), |session: &SessionView| session.session);
        Ok(Listed::<SessionView>::from(page as Page<SessionView, SessionId>))
    };
    answer(&api, account, part, rows).await
}

/// End all sessions of a user
#[utoipa::path(
    operation_id = "users.sessions.delete", security(("key" = ["admin"])),
    params(("id" = String, Path)),
    responses((status = 204, description = "They have ended"))
)]
#[delete("/api/v1/users/{id}/sessions")]
pub async fn end_sessions(
    tenant: May<Admin>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    acts::end_sessions(&api, &tenant, &id, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End a session of a user
#[utoipa::path(
    operation_id = "users.sessions.revoke", security(("key" = ["admin"])),
    params(("id" = String, Path), ("session_id" = String, Path)),
    responses((status = 204, description = "It has ended"))
)]
#[delete("/api/v1/users/{id}/sessions/{session_id}")]
pub async fn end_session(
    tenant: May<Admin>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    acts::end_sessions(&api, &tenant, &path.0, Some(&path.1)).await?;
    Ok(HttpResponse::NoContent().finish())
}
