//! What a webhook can say of itself where its deliveries are pulled: it has no endpoint, so nothing about one. What stays true:
//! what was shown of it can be sent back, so what is empty there is taken for nothing.

use super::{WebhookChange, WebhookInput};
use crate::api::http::setting::Change;
use crate::domain::Invalid;
use crate::domain::webhook::Mode;

impl WebhookInput {
    /// For a webhook that has this mode already.
    pub fn for_mode(&mut self, mode: Mode) -> Result<(), Invalid> {
        match std::mem::replace(&mut self.mode, Change::To(mode)) {
            Change::To(asked) if asked != mode => {
                let message = "cannot be changed: make another webhook; this one keeps what is open for it";
                Err(Invalid::new("mode", message))
            }
            _ => Ok(()),
        }
    }

    /// The mode that it asks for.
    pub(super) fn asked_mode(&self) -> Mode {
        if let Change::To(mode) = self.mode { mode } else { Mode::Push }
    }

    /// Refuses what is about an endpoint where there is none.
    pub(super) fn fit(&mut self) -> Result<(), Invalid> {
        if self.asked_mode() == Mode::Push {
            return Ok(());
        }
        is_nothing("url", &mut self.url, |_| false)?;
        is_nothing("allow", &mut self.allow, Vec::is_empty)?;
        is_nothing("tls", &mut self.tls, |_| false)?;
        is_nothing("auth", &mut self.auth, |_| false)?;
        is_nothing("timeout", &mut self.timeout, |_| false)?;
        is_nothing("success", &mut self.success, |_| false)?;
        is_nothing("ownership_check", &mut self.ownership_check, |wish| !wish)
    }
}

impl WebhookChange {
    /// How deliveries come to who wants them, where it makes a webhook.
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

fn is_nothing<T>(field: &str, change: &mut Change<T>, is_empty: impl Fn(&T) -> bool) -> Result<(), Invalid> {
    match std::mem::take(change) {
        Change::To(value) if !is_empty(&value) => {
            let message = "is about an endpoint, and a webhook with \"mode\": \"pull\" has none: leave it out";
            Err(Invalid::new(field, message))
        }
        _ => Ok(()),
    }
}
