//! A text that a browser keeps as a file and never shows: others wrote it.

use actix_web::HttpResponse;
use actix_web::http::header;

/// The reply. `name` is ours: letters, digits, dots and dashes.
pub fn text(name: &str, text: String) -> HttpResponse {
    debug_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')));
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text)
}
