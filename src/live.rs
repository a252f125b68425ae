//! What a running server takes of a changed configuration, whether it serves or stands by. What stays true: a configuration
//! that is wrong changes nothing, what changed is said, and what waits for a restart is named.

use std::sync::Arc;

use actix_web::web;
use tokio::signal::unix::Signal;

use crate::config::{Config, ConfigError, is_live, load};
use crate::dialect::Shelf;
use crate::domain::audit::Actor;
use crate::domain::guard::Guard;
use crate::{api, deliver, log, settings, store, supervisor};

/// A running server, as far as it can be changed.
pub struct Live<'a> {
    /// What it runs with.
    pub config: &'a mut Config,
    /// Which addresses may be dialled; the same in all rooms.
    pub guard: Arc<Guard>,
    /// The API.
    pub api: web::Data<api::Api>,
    /// The dialects.
    pub shelf: &'a Shelf,
    /// The deliveries.
    pub deliver: &'a deliver::Deliver,
    /// The store.
    pub store: store::Store,
    /// What the API is served with.
    pub certificate: Option<&'a api::Certificate>,
}

impl Live<'_> {
    /// Reads all again at each SIGHUP: `config.toml`, the master keys, the dialect files and the certificate.
    pub async fn reload_when_asked(self, hangups: &mut Signal) {
        while hangups.recv().await.is_some() {
            supervisor::reloading();
            let status = match read_again(self.config) {
                Ok(new) => {
                    if let Some(merged) = take(self.config, &new, Some(&self.guard)) {
                        if merged != *self.config {
                            self.apply(&merged).await;
                        }
                        *self.config = merged;
                    }
                    self.read_files_again().await;
                    "serving; what can be read again was"
                }
                Err(error) => {
                    tell(&error);
                    "serving; the configuration is wrong, and all stays as it was"
                }
            };
            supervisor::ready(status);
        }
        std::future::pending().await
    }

    async fn apply(&self, config: &Config) {
        let (telemetry, people) = {
            let now = self.api.settings();
            (now.telemetry.clone(), now.people.clone())
        };
        self.api.apply(api::Settings { people, ..settings::of_api(config, self.guard.clone(), telemetry) });
        let kept = settings::of_store(config);
        if let Err(error) = self.store.apply(kept.retention, kept.events_per_day).await {
            tracing::warn!(%error, "how long things are kept follows once the store can be written");
        }
    }

    async fn read_files_again(&self) {
        match self.store.reload_master_keys(Actor::default()).await {
            Ok(keys) => tracing::info!(current = %keys.current(), "master keys were read again"),
            Err(error) => tracing::error!(%error, "the master keys stay as they were"),
        }
        read_dialects_again(self.config, self.shelf);
        self.deliver.dialects_changed();
        if let Some(certificate) = self.certificate {
            certificate.look_again();
        }
    }
}

/// Reads again what a node needs that stands by: whom it may dial, the log's level, dialects and certificate. All else is in force once the
/// store is its own.
pub fn reload_while_standing_by(
    config: &mut Config,
    guard: Option<&Guard>,
    shelf: &Shelf,
    certificate: Option<&api::Certificate>,
) {
    supervisor::reloading();
    let status = match read_again(config) {
        Ok(new) => {
            if let Some(merged) = take(config, &new, guard) {
                *config = merged;
            }
            read_dialects_again(config, shelf);
            certificate.into_iter().for_each(api::Certificate::look_again);
            "standing by; what can be read again was"
        }
        Err(error) => {
            tell(&error);
            "standing by; the configuration is wrong, and all stays as it was"
        }
    };
    supervisor::ready(status);
}

/// The configuration as it is written now, with what the start said beside it.
fn read_again(config: &Config) -> Result<Config, ConfigError> {
    let mut new = load(config.read_from.as_deref())?;
    if config.is_dev {
        new.for_development();
    }
    if config.is_dialect_said {
        new.deliver.default_dialect.clone_from(&config.deliver.default_dialect);
    }
    Ok(new)
}

fn tell(error: &ConfigError) {
    for mistake in error.each() {
        tracing::error!(error = %mistake, "the configuration is wrong; all stays as it was");
    }
}

/// What is in force from now on, with all that has changed named and what is for every node applied; `None`: that could not be.
fn take(config: &Config, new: &Config, guard: Option<&Guard>) -> Option<Config> {
    let changed = config.changed(new);
    let (applied, waiting): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(|knob| is_live(knob));
    let merged = config.with_live_of(new);
    if !applied.is_empty()
        && let Err(error) = log::apply(&merged.log)
    {
        tracing::error!(error, "the configuration cannot be applied; restart the server");
        return None;
    }
    if let Some(guard) = guard.filter(|_| !applied.is_empty()) {
        let from = &merged.deliver;
        guard.apply(from.allow.clone(), from.deny.clone(), from.ports.clone());
    }
    for knob in &waiting {
        tracing::warn!(knob, "a changed setting is in force after a restart only");
    }
    tracing::info!(applied = applied.join(", "), waiting = waiting.len(), "the configuration was read again");
    Some(merged)
}

fn read_dialects_again(config: &Config, shelf: &Shelf) {
    let errors = shelf.reload(&config.deliver.dialects);
    for error in &errors {
        tracing::error!(%error, "a dialect file is broken; its dialect stays as it was");
    }
    tracing::info!(dialects = shelf.now().names().count(), broken = errors.len(), "dialects were read again");
}
