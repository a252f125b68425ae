//! Where one comes in beside the usual way (see `people`): with a slash too many, or where there is no dashboard.

use actix_web::{HttpResponse, get, web};

use super::people::see_other;

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(with_slash);
}

/// Where the dashboard is switched off, `/` leads to the documentation.
pub fn without_pages(to: &mut web::ServiceConfig) {
    to.service(to_docs);
}

#[get("/dashboard/")]
async fn with_slash() -> HttpResponse {
    see_other("/dashboard")
}

#[get("/")]
async fn to_docs() -> HttpResponse {
    see_other("/docs")
}
