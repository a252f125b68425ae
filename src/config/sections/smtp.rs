//! The knobs of the mail server that mail is handed to.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// `[smtp]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SmtpConfig {
    /// Its name or address; without one no webhook sends mail. It is the operator's own, so no guard stands before it, and no
    /// proxy.
    pub host: Option<String>,
    /// Its port; 0: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// Authorities that its certificate is checked against, in PEM, in the place of Mozilla's; relative in the file, it lies
    /// beside the file.
    pub ca_file: Option<PathBuf>,
    /// Whom to log in as; without one nobody logs in.
    pub username: Option<String>,
    /// The password, for the environment.
    pub password: Option<Secret>,
    /// A file with the password; relative in the file, it lies beside the file.
    pub password_file: Option<PathBuf>,
    /// Whom mail comes from.
    pub from: Option<String>,
    /// Seconds that handing over one mail may take.
    pub timeout_seconds: u64,
    /// Whether accounts may make webhooks that send mail, with keys of their own. Then they can have mail sent to anybody.
    pub accounts: bool,
}

/// How a connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// It begins in the clear and must then be encrypted.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: 0,
            tls: SmtpTls::Starttls,
            ca_file: None,
            username: None,
            password: None,
            password_file: None,
            from: None,
            timeout_seconds: 30,
            accounts: false,
        }
    }
}
