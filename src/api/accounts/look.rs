//! How requests say how an account's portal looks, and how that is shown.

use serde::{Deserialize, Serialize};

use crate::api::http::setting::Change;
use crate::domain::Invalid;
use crate::domain::colour::Colour;
use crate::domain::portal::{Logo, Portal, TITLE_CHARS_MAX, WELCOME_CHARS_MAX, vet_link, vet_origins, vet_words};

/// How a portal looks: what is left out stays, null goes back to what the server's `portal` settings say.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PortalLookChange)]
pub struct PortalInput {
    /// What its pages are called, at most 60 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 60, example = "Acme webhooks")]
    title: Change<String>,
    /// The colour of links and buttons; where it could not be read, a darker or lighter one is shown.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$", example = "#2f4fd0")]
    colour: Change<String>,
    /// A PNG or WebP picture of at most 16 KiB, as a `data:` URL.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 22_000, example = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")]
    logo: Change<String>,
    /// What is said on its first page, at most 500 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500, example = "What your webhooks get, and how they are.")]
    welcome: Change<String>,
    /// Where one gets help.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1_000, example = "https://acme.example/support")]
    support_url: Change<String>,
    /// On whose pages it may stand in a frame, beside those of the server's `portal.origins`: at most 16.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 16, example = json!(["https://app.acme.example"]))]
    origins: Change<Vec<String>>,
}

/// The same, vetted.
#[derive(Debug)]
pub struct Vetted {
    title: Change<String>,
    colour: Change<Colour>,
    logo: Change<Logo>,
    welcome: Change<String>,
    support_url: Change<String>,
    origins: Change<Vec<String>>,
}

impl PortalInput {
    /// Checks all of it.
    pub fn vet(self) -> Result<Vetted, Invalid> {
        Ok(Vetted {
            title: self.title.vet(|text| vet_words("portal.title", &text, TITLE_CHARS_MAX))?,
            colour: self.colour.vet(|text| Colour::parse("portal.colour", &text))?,
            logo: self.logo.vet(|text| Logo::parse("portal.logo", &text))?,
            welcome: self.welcome.vet(|text| vet_words("portal.welcome", &text, WELCOME_CHARS_MAX))?,
            support_url: self.support_url.vet(|text| vet_link("portal.support_url", &text))?,
            origins: self.origins.vet(|origins| vet_origins("portal.origins", &origins))?,
        })
    }
}

impl Vetted {
    /// What the portal comes to be.
    pub fn apply(self, to: &mut Portal) {
        self.title.apply_or_empty(&mut to.title);
        self.colour.apply(&mut to.colour);
        self.logo.apply(&mut to.logo);
        self.welcome.apply_or_empty(&mut to.welcome);
        self.support_url.apply_or_empty(&mut to.support_url);
        self.origins.apply_or_empty(&mut to.origins);
    }
}

/// How a portal looks; null: as the server's `portal` settings say.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PortalLook)]
pub struct PortalView {
    /// What its pages are called.
    #[schema(example = "Acme webhooks")]
    title: Option<String>,
    /// The colour of links and buttons.
    #[schema(example = "#2f4fd0")]
    colour: Option<String>,
    /// A picture, as a `data:` URL.
    #[schema(
        example = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )]
    logo: Option<String>,
    /// What is said on its first page.
    #[schema(example = "What your webhooks get, and how they are.")]
    welcome: Option<String>,
    /// Where one gets help.
    #[schema(example = "https://acme.example/support")]
    support_url: Option<String>,
    /// On whose pages it may stand in a frame, beside those of the server's `portal.origins`.
    #[schema(example = json!(["https://app.acme.example"]))]
    origins: Vec<String>,
}

pub fn portal_view(portal: &Portal) -> PortalView {
    let Portal { title, colour, logo, welcome, support_url, origins } = portal;
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    PortalView {
        title: text(title),
        colour: colour.map(Colour::spell),
        logo: logo.as_ref().map(Logo::spell),
        welcome: text(welcome),
        support_url: text(support_url),
        origins: origins.clone(),
    }
}
