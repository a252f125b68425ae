//! Why a guest does not get a page, on a page of the portal: in its colours, with the way back, and in the frame that it stands in.
//! What stays true: nothing that is answered below `/portal` names the server, or leads to what is not the portal's.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, web};
use maud::html;

use crate::api::{Api, Problem};
use crate::dashboard::away::{Away, title};
use crate::dashboard::brand;
use crate::dashboard::sheet::plain_by;

/// Puts a page of the portal in the place of every other that says why not.
pub async fn dress(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let problem = match response.response().error().and_then(|error| error.as_error::<Away>()) {
        Some(Away::Problem(problem)) => problem.clone(),
        _ => return Ok(response),
    };
    let asked = response.request().clone();
    let api = asked.app_data::<web::Data<Api>>().expect("the API is part of the app").clone();
    let page = page(&api, &asked, &problem);
    Ok(ServiceResponse::new(asked, page))
}

/// A page that says why not.
pub fn page(api: &Api, request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let brand = brand::of_request(api, request);
    let status = problem.status_code();
    let is_over = status == StatusCode::UNAUTHORIZED;
    let has_just_entered = is_over && request.query_string().split('&').any(|one| one == "entered=1");
    let body = html! {
        @if has_just_entered {
            p { "Your browser keeps no cookies for this page, perhaps since it stands inside of another. Allow them, or open it in a window of its own." }
        } @else { p { (problem.to_string()) } }
        div.submit {
            @if is_over {
                @if !brand.return_url.is_empty() { a.button.main href=(brand.return_url) rel="noopener" target="_top" { "Back" } }
            } @else { a.button href="/portal/" { "To the first page" } }
            @if !brand.support_url.is_empty() { a.button.quiet href=(brand.support_url) rel="noopener" target="_blank" { "Get help" } }
        }
    };
    plain_by(Some(&brand), status, title(status), &body)
}
