//! The frame of every reply that is not an error and not a list.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

/// What was asked for, under `data`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Reply<T> {
    /// What was asked for, or what came of it.
    data: T,
    /// What to know about what was done, such as that a secret is short; left out where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<String>,
}

impl<T: Serialize> Reply<T> {
    /// 200.
    pub fn ok(data: T) -> HttpResponse {
        Self::with(StatusCode::OK, data, Vec::new())
    }

    /// 201.
    pub fn created(data: T) -> HttpResponse {
        Self::with(StatusCode::CREATED, data, Vec::new())
    }

    /// 202.
    pub fn accepted(data: T) -> HttpResponse {
        Self::with(StatusCode::ACCEPTED, data, Vec::new())
    }

    /// With warnings.
    pub fn with(status: StatusCode, data: T, warnings: Vec<String>) -> HttpResponse {
        HttpResponse::build(status).json(Self { data, warnings })
    }
}
