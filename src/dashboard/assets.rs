//! The style sheet and the scripts of the pages: a few files of our own that are part of the program. Their names hold a hash of
//! what they hold, so they are kept for ever, and a new version is another file.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use sha2::{Digest, Sha256};

use crate::api::Problem;

/// A file, as it is embedded.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

/// Behind the tokens that the pages of the documentation have too.
const STYLES: &str = concat!(include_str!("../docs/assets/tokens.css"), include_str!("assets/style.css"));
const STYLE: Asset = Asset { name: "style", kind: "css", text: STYLES };
const SCRIPT: Asset = Asset { name: "app", kind: "js", text: include_str!("assets/app.js") };
const LIVE: Asset = Asset { name: "live", kind: "js", text: include_str!("assets/live.js") };

/// The address of the style sheet.
pub static STYLE_AT: LazyLock<String> = LazyLock::new(|| address(&STYLE));
/// The address of the script that is on every page.
pub static SCRIPT_AT: LazyLock<String> = LazyLock::new(|| address(&SCRIPT));

/// The address of the script of the live page.
pub static LIVE_AT: LazyLock<String> = LazyLock::new(|| address(&LIVE));

fn address(asset: &Asset) -> String {
    let hash: String = Sha256::digest(asset.text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/dashboard/assets/{}-{hash}.{}", asset.name, asset.kind)
}

/// Serves one.
#[get("/dashboard/assets/{file}")]
pub async fn show(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let known = [(&STYLE, &STYLE_AT), (&SCRIPT, &SCRIPT_AT), (&LIVE, &LIVE_AT)];
    let found = known.iter().find(|(_, at)| at.rsplit('/').next() == Some(file.as_str()));
    let (asset, _) = found.ok_or_else(|| Problem::not_found("file"))?;
    let kind = if asset.kind == "css" { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.text))
}
