//! The files that pages are shown with: style, script and mark, in the binary. What stays true: an address names what is there by
//! its hash, so it can be kept for ever and is never wrong.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// How pages look; a page that stands alone has it inside.
pub(super) const STYLE: &str = concat!(include_str!("assets/tokens.css"), include_str!("assets/style.css"));
/// The mark, for pages.
pub(super) const MARK: &str = include_str!("assets/mark.svg");
const SCRIPT: &str = include_str!("assets/docs.js");

/// Where they are.
const ASSETS: &str = "/docs/assets";

/// A file.
#[derive(Debug)]
pub struct Asset {
    /// Where it is.
    pub address: String,
    /// Its content type.
    pub media: &'static str,
    /// What is in it.
    pub text: &'static str,
}

impl Asset {
    fn new(stem: &str, ending: &str, media: &'static str, text: &'static str) -> Self {
        let hash: String = Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { address: format!("{ASSETS}/{stem}-{hash}.{ending}"), media, text }
    }
}

pub(super) static STYLE_FILE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", "text/css; charset=utf-8", STYLE));
pub(super) static SCRIPT_FILE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("docs", "js", "text/javascript; charset=utf-8", SCRIPT));
pub(super) static MARK_FILE: LazyLock<Asset> = LazyLock::new(|| Asset::new("mark", "svg", "image/svg+xml", MARK));

/// The file at an address.
pub(super) fn at(address: &str) -> Option<&'static Asset> {
    [&*STYLE_FILE, &*SCRIPT_FILE, &*MARK_FILE].into_iter().find(|asset| asset.address == address)
}
