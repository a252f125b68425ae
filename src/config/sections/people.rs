//! The knobs of who may use the API and the pages.

use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// `[auth]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// The admin key; without one, the first start makes one and prints it.
    pub admin_key: Option<Secret>,
}

/// `[dashboard]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DashboardConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Hours after which a session ends in which nothing was asked.
    pub session_idle_hours: u64,
    /// Days after which a session ends in any case.
    pub session_days: u64,
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self { enabled: true, session_idle_hours: 12, session_days: 14 }
    }
}
