//! The knobs of pages that others see, and of who logs in by an identity provider.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::knobs::list;
use crate::domain::account::OPERATOR_ACCOUNT;
use crate::domain::secret::Secret;

/// `[portal]`: how portals look where an account says nothing of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortalConfig {
    /// What the pages are called.
    pub title: Option<String>,
    /// The colour of links and buttons.
    pub colour: Option<String>,
    /// A PNG or WebP picture; relative in the file, it lies beside the file.
    pub logo: Option<PathBuf>,
    /// What is said on the first page.
    pub welcome: Option<String>,
    /// Where one gets help.
    pub support_url: Option<String>,
    /// On whose pages every portal may stand in a frame.
    #[serde(deserialize_with = "list")]
    pub origins: Vec<String>,
}

/// `[oidc]`: the operator's own identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OidcConfig {
    /// Who says who somebody is; without one nobody logs in by a provider.
    pub issuer: Option<String>,
    /// Whom the provider knows this server as.
    pub client_id: Option<String>,
    /// What this server shows the provider, for the environment.
    pub client_secret: Option<Secret>,
    /// A file with it; relative in the file, it lies beside the file.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for.
    #[serde(deserialize_with = "list")]
    pub scopes: Vec<String>,
    /// Who may log in, and as what.
    #[serde(deserialize_with = "list")]
    pub allowed: Vec<String>,
    /// The account whose users they are.
    pub account: String,
    /// What the button says that leads there.
    pub label: String,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret: None,
            client_secret_file: None,
            scopes: ["openid", "email", "profile"].map(Into::into).into(),
            allowed: Vec::new(),
            account: OPERATOR_ACCOUNT.into(),
            label: "Log in with your organisation".into(),
        }
    }
}
