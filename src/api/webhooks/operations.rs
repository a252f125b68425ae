//! Making, changing and deleting webhooks, whoever asks: the native routes and the dialects' faces call the same functions.
//! What stays true: what is refused has changed nothing, and who may not open moves no opening.

use std::sync::Arc;

use super::input::{WebhookChange, WebhookInput};
use super::later;
use super::outgoing::{check_place, check_url};
use super::probing::{is_asked, warning};
use super::reach::Reach;
use crate::api::Quotas;
use crate::api::http::problem::Problem;
use crate::api::http::setting::Change;
use crate::dialect::Dialect;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::secret::SigningSecret;
use crate::domain::webhook::{Mode, Ownership, Webhook};
use crate::store::Refusal;

/// What came of a create.
pub struct Created {
    /// The new webhook.
    pub webhook: Webhook,
    /// Whether its secret was generated here.
    pub generated: bool,
    /// What to tell about it.
    pub warnings: Vec<String>,
    /// Its turn to be asked whether its endpoint wants deliveries, once the reply has told the secret.
    pub asked_later: Option<later::Turn>,
}

impl Reach<'_> {
    /// Makes a webhook.
    pub async fn create(&self, mut input: WebhookInput) -> Result<Created, Problem> {
        let dialect = self.dialect_for(std::mem::take(&mut input.dialect))?;
        let mut change = input.vet(&dialect, self.api.settings.http_allowed)?;
        change.is_whole()?;
        self.vet_demands((None, None), &change)?;
        let is_pulled = change.mode() == Mode::Pull;
        let asked = !is_pulled && is_asked(&dialect, change.ownership_check());
        let generated = match change.has_secret() {
            true => None,
            false => Some(self.api.new_secret(&dialect, change.signing.unwrap_or_default())?),
        };
        let mut warnings = std::mem::take(&mut change.warnings);
        let account = self.tenant.account().number;
        let mut webhook = match change.url().cloned() {
            Some(url) => Webhook::new(account, &dialect.name, url, Vec::new()),
            None if is_pulled => Webhook::pulled(account, &dialect.name, Vec::new()),
            None => return Err(Problem::internal("a webhook without a URL")),
        };
        webhook.secrets = generated.iter().cloned().map(|secret| SigningSecret { secret, until: None }).collect();
        if change.changes_allow(&[]) {
            self.may_open()?;
        }
        change.apply(&mut webhook, self.api.clock.now())?;
        if !is_pulled {
            check_url(&self.api.settings.guard, &webhook)?;
        }
        let limit = dialect.limits.webhooks_per_account;
        // Such an endpoint verifies what it is asked, and cannot know the secret yet.
        let verifies = dialect.challenge_needs_secret() && !is_pulled;
        let asked_later = if verifies && generated.is_some() { later::turn(self.api, account) } else { None };
        if asked {
            let reason = if asked_later.is_some() { later::NOT_YET } else { "its endpoint is being asked" };
            webhook.ownership = Ownership::Never { reason: reason.into() };
        }
        let quota = self.quotas().webhooks_max;
        let made = self.api.change(self.tenant, move |staging| {
            staging.vet_webhook_quota(webhook.account, quota)?;
            let webhook = staging.create_webhook(webhook, limit)?;
            Ok((Some(Deed::to_webhook(webhook.account, "created", webhook.id)), webhook))
        });
        let mut webhook = made.await?;
        self.api.dialects.mount(&webhook.dialect);
        if asked && asked_later.is_none() {
            webhook = self.prove_ownership(webhook).await?;
        }
        warnings.extend(warning(&webhook));
        Ok(Created { webhook, generated: generated.is_some(), warnings, asked_later })
    }

    /// What the account may have.
    fn quotas(&self) -> Quotas {
        self.api.settings.quotas.of(&self.tenant.account().limits)
    }

    fn vet_demands(&self, before: (Option<u32>, Option<u32>), change: &WebhookChange) -> Result<(), Invalid> {
        if self.tenant.is_admin() { Ok(()) } else { self.quotas().vet(before, change.demands()) }
    }

    /// Changes a webhook: what `input` leaves out stays.
    pub async fn update(&self, id: &str, mut input: WebhookInput) -> Result<(Webhook, Vec<String>), Problem> {
        let webhook = self.webhook(id)?;
        match std::mem::take(&mut input.dialect) {
            Change::To(name) if name != webhook.dialect => {
                let message = format!("is {:?} and cannot be changed; make another webhook", webhook.dialect);
                return Err(Invalid::new("dialect", message).into());
            }
            _ => {}
        }
        input.for_mode(webhook.mode)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        let mut change = input.vet(&dialect, self.api.settings.http_allowed)?;
        if change.signing.is_some() {
            let message = "is a matter of the secret: rotate it, or give another one";
            return Err(Invalid::new("signing", message).into());
        }
        let mut warnings = std::mem::take(&mut change.warnings);
        let asked = change.ownership_check().map(|wish| is_asked(&dialect, Some(wish)));
        if change.changes_allow(&webhook.allow) {
            self.may_open()?;
        }
        self.vet_demands((webhook.max_in_flight, webhook.timeout_seconds), &change)?;
        let (guard, may_open) = (self.api.settings.guard.clone(), self.tenant.is_admin());
        let (url, was_asked) = (webhook.url.clone(), webhook.ownership.is_asked());
        let url_before = url.clone();
        let changed = self.change(&webhook, "changed", move |webhook, now| {
            if let Some(url) = change.url().filter(|_| !may_open) {
                check_place(webhook, url).map_err(Refusal::Forbidden)?;
            }
            change.apply(webhook, now)?;
            // A webhook that was there before a rule can be changed otherwise: the dial refuses it.
            if webhook.url != url {
                check_url(&guard, webhook)?;
            }
            webhook.ownership = ask_again(webhook, &url, asked);
            Ok(())
        });
        let mut webhook = changed.await?;
        let is_news = webhook.url != url_before || !was_asked;
        if is_news && !webhook.ownership.is_settled() {
            webhook = self.prove_ownership(webhook).await?;
        }
        warnings.extend(warning(&webhook));
        Ok((webhook, warnings))
    }

    /// Deletes a webhook; its open deliveries are cancelled.
    pub async fn delete(&self, id: &str) -> Result<(), Problem> {
        let (account, id) = (self.tenant.account().number, self.webhook(id)?.id);
        let deleted = self.api.change(self.tenant, move |staging| {
            staging.delete_webhook(account, id)?;
            Ok((Some(Deed::to_webhook(account, "deleted", id)), ()))
        });
        Ok(deleted.await?)
    }

    /// Only admins open networks that are not public.
    fn may_open(&self) -> Result<(), Problem> {
        let message = "only an admin key can change what is opened for a webhook; leave it out to keep it";
        if self.tenant.is_admin() { Ok(()) } else { Err(Problem::forbidden(message).with_field("allow")) }
    }

    /// The dialect of a new webhook: a face's, the one asked for, or the account's.
    fn dialect_for(&self, asked: Change<String>) -> Result<Arc<Dialect>, Problem> {
        let name = match (&self.dialect, asked) {
            (Some(dialect), _) => dialect.name.clone(),
            (None, Change::To(name)) if self.tenant.is_admin() => return Ok(self.api.any_dialect(&name)?),
            (None, Change::To(name)) => return Ok(self.api.served_dialect(&name)?),
            (None, _) => self.tenant.account().dialect.clone(),
        };
        self.api.loaded(&name)
    }
}

/// Where the ownership check stands after a change: another URL, or a check that was not there, is asked about. What was
/// delivered to before is held meanwhile.
fn ask_again(webhook: &Webhook, url_before: &EndpointUrl, asked: Option<bool>) -> Ownership {
    let reason = || "its endpoint is being asked".to_string();
    match (&webhook.ownership, asked) {
        (_, Some(false)) => Ownership::NotAsked,
        (Ownership::NotAsked, Some(true)) => Ownership::Again { reason: reason() },
        (known, _) if !known.is_asked() || webhook.url == *url_before => known.clone(),
        (Ownership::Never { .. }, _) => Ownership::Never { reason: reason() },
        _ => Ownership::Again { reason: reason() },
    }
}
