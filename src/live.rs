//! What a running server takes of a changed configuration. What stays true: a configuration
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
    pub async fn reload_when_asked(mut self, hangups: &mut Signal) {
        while hangups.recv().await.is_some() {
            supervisor::reloading();
            let status = match self.read_again() {
                Ok(new) => {
                    self.take(new).await;
                    self.read_files_again().await;
                    "serving; what can be read again was"
                }
                Err(error) => {
                    for mistake in error.each() {
                        tracing::error!(error = %mistake, "the configuration is wrong; all stays as it was");
                    }
                    "serving; the configuration is wrong, and all stays as it was"
                }
            };
            supervisor::ready(status);
        }
        std::future::pending().await
    }

    /// The configuration as it is written now, with what the start said beside it.
    fn read_again(&self) -> Result<Config, ConfigError> {
        let mut new = load(self.config.read_from.as_deref())?;
        if self.config.is_dev {
            new.for_development();
        }
        if self.config.is_dialect_said {
            new.deliver.default_dialect.clone_from(&self.config.deliver.default_dialect);
        }
        Ok(new)
    }

    /// Applies what can be applied, and names all that has changed.
    async fn take(&mut self, new: Config) {
        let changed = self.config.changed(&new);
        let (applied, waiting): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(|knob| is_live(knob));
        let merged = self.config.with_live_of(&new);
        if !applied.is_empty()
            && let Err(error) = self.apply(&merged).await
        {
            tracing::error!(error, "the configuration cannot be applied; restart the server");
            return;
        }
        for knob in &waiting {
            tracing::warn!(knob, "a changed setting is in force after a restart only");
        }
        tracing::info!(applied = applied.join(", "), waiting = waiting.len(), "the configuration was read again");
        *self.config = merged;
    }

    async fn apply(&self, config: &Config) -> Result<(), String> {
        log::apply(&config.log)?;
        let from = &config.deliver;
        self.guard.apply(from.allow.clone(), from.deny.clone(), from.ports.clone());
        let (telemetry, people) = {
            let now = self.api.settings();
            (now.telemetry.clone(), now.people.clone())
        };
        self.api.apply(api::Settings { people, ..settings::of_api(config, self.guard.clone(), telemetry) });
        let kept = settings::of_store(config);
        if let Err(error) = self.store.apply(kept.retention, kept.events_per_day).await {
            tracing::warn!(%error, "how long things are kept follows once the store can be written");
        }
        Ok(())
    }

    async fn read_files_again(&self) {
        match self.store.reload_master_keys(Actor::default()).await {
            Ok(keys) => tracing::info!(current = %keys.current(), "master keys were read again"),
            Err(error) => tracing::error!(%error, "the master keys stay as they were"),
        }
        let errors = self.shelf.reload(&self.config.deliver.dialects);
        for error in &errors {
            tracing::error!(%error, "a dialect file is broken; its dialect stays as it was");
        }
        self.deliver.dialects_changed();
        if let Some(certificate) = self.certificate {
            certificate.look_again();
        }
        tracing::info!(dialects = self.shelf.now().names().count(), broken = errors.len(), "dialects were read again");
    }
}
