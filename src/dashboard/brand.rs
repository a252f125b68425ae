//! How a portal looks: a name, a logo, a colour. What stays true: what is written in the colour, or on it, can be read in light and
//! dark; both are files of this server, whose names hold a hash of them; and a portal serves those of its own account alone.

use std::collections::BTreeSet;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use sha2::{Digest, Sha256};

use crate::api::access::seats::guest_of;
use crate::api::{Api, Problem};
use crate::domain::colour::Colour;
use crate::domain::portal::{Look, Portal};
use crate::domain::session::Guest;

/// What links are written on in the light, and what they are on while they are pointed at: as in the style sheet.
const LIGHT: [Colour; 3] = [Colour([0xff, 0xff, 0xff]), Colour([0xf5, 0xf6, 0xf9]), Colour([0xec, 0xef, 0xf5])];
/// The same in the dark.
const DARK: [Colour; 3] = [Colour([0x13, 0x16, 0x1b]), Colour([0x1a, 0x1e, 0x25]), Colour([0x23, 0x28, 0x33])];
/// What a portal is called that nobody has named.
const TITLE: &str = "Webhooks";

/// How a portal looks to who is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// What it is called.
    pub title: String,
    /// What is said on the first page; may be empty.
    pub welcome: String,
    /// Where one gets help; may be empty.
    pub support_url: String,
    /// Where one goes back to; may be empty.
    pub return_url: String,
    /// The address of its logo.
    pub logo_at: Option<String>,
    /// The address of its colours.
    pub style_at: Option<String>,
    /// On whose pages it may stand in a frame.
    pub origins: Vec<String>,
}

impl Brand {
    /// That of an account's portal for a guest; `usual`: what counts where the account says nothing.
    pub fn of(usual: &Portal, own: &Portal, guest: Option<&Guest>) -> Self {
        let look = own.over(usual);
        let (return_url, origins): (&str, &[String]) = match guest {
            Some(guest) => (&guest.return_url, &guest.origins),
            None => ("", &[]),
        };
        let named = look.origins.iter().copied().chain(origins.iter().map(String::as_str));
        let origins: BTreeSet<&str> = named.collect();
        Self {
            title: if look.title.is_empty() { TITLE } else { look.title }.into(),
            welcome: look.welcome.into(),
            support_url: look.support_url.into(),
            return_url: return_url.into(),
            logo_at: look.logo.map(|logo| address("logo", &logo.bytes)),
            style_at: style(&look).map(|style| address("colours", style.as_bytes())),
            origins: origins.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The brand of whoever asks, also after the session has ended; without a cookie that of the server.
pub fn of_request(api: &Api, request: &HttpRequest) -> Brand {
    let usual = &api.settings().people.portal;
    match guest_of(api, request) {
        Some((guest, account)) => Brand::of(usual, &account.portal, Some(&guest)),
        None => Brand::of(usual, &Portal::default(), None),
    }
}

/// The brand of a guest who is about to come in.
pub fn of_guest(api: &Api, guest: &Guest) -> Brand {
    let (registry, none) = (api.store.registry(), Portal::default());
    let own = registry.account(guest.account).map_or(&none, |account| &account.portal);
    Brand::of(&api.settings().people.portal, own, Some(guest))
}

/// Serves the logo or the colours.
#[get("/brand/{file}")]
pub async fn show(api: web::Data<Api>, request: HttpRequest, file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let account = guest_of(&api, &request).map(|(_, account)| account);
    let (usual, none) = (&api.settings().people.portal, Portal::default());
    let look = account.as_ref().map_or(&none, |account| &account.portal).over(usual);
    let style = style(&look);
    let is = |address: String| address.rsplit('/').next() == Some(file.as_str());
    let (kind, bytes) = match (&style, look.logo) {
        (Some(style), _) if is(address("colours", style.as_bytes())) => {
            ("text/css; charset=utf-8", style.clone().into_bytes())
        }
        (_, Some(logo)) if is(address("logo", &logo.bytes)) => (logo.kind.media_type(), logo.bytes.clone()),
        _ => return Err(Problem::not_found("file")),
    };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "private, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .body(bytes))
}

fn address(name: &str, bytes: &[u8]) -> String {
    let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/portal/brand/{name}-{hash}")
}

/// The colours, as a style sheet that comes after the one of all pages.
fn style(look: &Look<'_>) -> Option<String> {
    let colour = look.colour?;
    let pair = |papers: &[Colour]| {
        let accent = colour.legible_on(papers);
        format!(":root {{ --accent: {}; --on-accent: {}; }}", accent.spell(), accent.text_on().spell())
    };
    Some(format!("{}\n@media (prefers-color-scheme: dark) {{ {} }}\n", pair(&LIGHT), pair(&DARK)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_are_those_of_the_style_sheet() {
        let sheet = include_str!("../docs/assets/tokens.css");
        let (light, dark) = sheet.split_once("prefers-color-scheme: dark").expect("both");
        for (part, papers) in [(light, LIGHT), (dark, DARK)] {
            for (name, paper) in ["paper", "shade", "hover"].iter().zip(papers) {
                let at = part.find(&format!("--{name}: ")).expect("it is there");
                let written = part[at..].split([':', ';']).nth(1).map(str::trim);
                assert_eq!(written, Some(paper.spell().as_str()), "--{name}");
            }
        }
    }

    #[test]
    fn colours_are_a_sheet_of_their_own_and_nothing_else_gets_into_it() {
        let own = Portal { colour: Colour::read("#ffe000"), ..Portal::default() };
        let none = Portal::default();
        let style = style(&own.over(&none)).expect("a sheet");
        assert!(style.contains("dark) { :root { --accent: #ffe000; --on-accent: #000000; } }"), "{style}");
        assert!(!style.starts_with(":root { --accent: #ffe000"), "yellow on white: {style}");
        let brand = Brand::of(&none, &own, None);
        assert!(brand.style_at.is_some_and(|at| at.starts_with("/portal/brand/colours-")));
        assert_eq!((brand.title.as_str(), brand.logo_at), ("Webhooks", None));
        assert_eq!(Brand::of(&none, &none, None).style_at, None);
    }
}
