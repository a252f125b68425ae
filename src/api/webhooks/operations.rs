//! Making, changing and deleting webhooks, whoever asks: the native routes and the dialects' faces call the same functions.
//! What stays true: what is refused has changed nothing, and who may not open moves no opening.

use std::sync::Arc;

use super::input::{WebhookChange, WebhookInput};
use super::later;
use super::outgoing::{check_place, check_token_place, check_token_url, check_url};
use super::probing::{is_asked, warning};
use super::reach::Reach;
use crate::api::Quotas;
use crate::api::event_types::catalogue::Catalogue;
use crate::api::http::problem::Problem;
use crate::api::http::setting::Change;
use crate::dialect::Dialect;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::secret::SigningSecret;
use crate::domain::webhook::{EventFilter, Mode, Ownership, Webhook};
use crate::store::{Refusal, WebhookEdit};

/// Why a webhook gets nothing, or nothing more, while its endpoint is asked.
const BEING_ASKED: &str = "its endpoint is being asked";

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

/// A webhook that is to be made: vetted, and with a secret.
pub struct Draft {
    /// As it is to be stored.
    pub webhook: Webhook,
    /// How many of its dialect the account may have.
    pub limit: Option<u32>,
    /// Whether its secret was generated here.
    pub generated: bool,
    /// What to tell about it.
    pub warnings: Vec<String>,
    /// Whether its endpoint is asked if it wants deliveries.
    pub asked: bool,
    /// Its turn to be asked after the reply.
    pub asked_later: Option<later::Turn>,
}

/// A change of a webhook that is vetted as far as it can be before it is made.
pub struct Revision {
    /// What is changed.
    pub edit: WebhookEdit,
    /// What to tell about it.
    pub warnings: Vec<String>,
    /// Where the webhook was, and whether its endpoint was asked.
    pub before: (EndpointUrl, bool),
}

/// Whether the endpoint of a webhook that was so before a change is to be asked.
pub fn asks((url_before, was_asked): &(EndpointUrl, bool), webhook: &Webhook) -> bool {
    (webhook.url != *url_before || !was_asked) && !webhook.ownership.is_settled()
}

impl Reach<'_> {
    /// Makes a webhook.
    pub async fn create(&self, input: WebhookInput) -> Result<Created, Problem> {
        // An endpoint that verifies what it is asked cannot know a secret yet that is made here.
        let Draft { webhook, limit, generated, mut warnings, asked, asked_later } =
            self.draft(input, |dialect, generated| dialect.challenge_needs_secret() && generated)?;
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
        Ok(Created { webhook, generated, warnings, asked_later })
    }

    /// Vets a webhook that is to be made; `asks_later` says of its dialect, and of whether its secret is generated, if its
    /// endpoint should be asked after the reply.
    pub fn draft(
        &self,
        mut input: WebhookInput,
        asks_later: impl FnOnce(&Dialect, bool) -> bool,
    ) -> Result<Draft, Problem> {
        let dialect = self.dialect_for(std::mem::take(&mut input.dialect))?;
        let mut change = self.vet(input, &dialect, None)?;
        change.is_whole()?;
        self.vet_demands((None, None), &change)?;
        let is_pulled = change.mode() == Mode::Pull;
        // Nobody can be asked by mail: the operator vouches for whom it goes to.
        let is_mail = change.url().is_some_and(EndpointUrl::is_mail);
        let asked = !is_pulled && !is_mail && is_asked(&dialect, change.ownership_check());
        let generated = match change.has_secret() {
            true => None,
            false => Some(self.api.new_secret(&dialect, change.signing.unwrap_or_default())?),
        };
        let warnings = std::mem::take(&mut change.warnings);
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
            check_url(&self.api.settings().guard, &webhook)?;
        }
        check_token_url(&self.api.settings().guard, &webhook)?;
        let limit = dialect.limits.webhooks_per_account;
        let is_later = asked && asks_later(&dialect, generated.is_some());
        let asked_later = if is_later { later::turn(self.api, self.tenant.account().number) } else { None };
        if asked {
            let reason = if asked_later.is_some() { later::NOT_YET } else { BEING_ASKED };
            webhook.ownership = Ownership::Never { reason: reason.into() };
        }
        Ok(Draft { webhook, limit, generated: generated.is_some(), warnings, asked, asked_later })
    }

    /// Checks what is said of a webhook, of `known` if it is there.
    fn vet(&self, input: WebhookInput, dialect: &Dialect, known: Option<&Webhook>) -> Result<WebhookChange, Invalid> {
        let dialects = &[dialect];
        let catalogue = Catalogue { api: self.api, account: self.tenant.account(), dialects, search: &self.search };
        let types = |field: &str, wanted: &EventFilter| catalogue.check_heard(field, wanted);
        input.vet(dialect, &types, self.schemes(), known)
    }

    /// What the account may have.
    pub fn quotas(&self) -> Quotas {
        self.api.settings().quotas.of(self.tenant.account())
    }

    fn vet_demands(&self, before: (Option<u32>, Option<u32>), change: &WebhookChange) -> Result<(), Invalid> {
        if self.tenant.is_admin() { Ok(()) } else { self.quotas().vet(before, change.demands()) }
    }

    /// Changes a webhook: what `input` leaves out stays.
    pub async fn update(&self, id: &str, input: WebhookInput) -> Result<(Webhook, Vec<String>), Problem> {
        let webhook = self.webhook(id)?;
        let Revision { edit, mut warnings, before } = self.revision(&webhook, input)?;
        let mut webhook = self.change(&webhook, "changed", edit).await?;
        if asks(&before, &webhook) {
            webhook = self.prove_ownership(webhook).await?;
        }
        warnings.extend(warning(&webhook));
        Ok((webhook, warnings))
    }

    /// Vets a change of a webhook.
    pub fn revision(&self, webhook: &Webhook, mut input: WebhookInput) -> Result<Revision, Problem> {
        match std::mem::take(&mut input.dialect) {
            Change::To(name) if name != webhook.dialect => {
                let message = format!("is {:?} and cannot be changed; make another webhook", webhook.dialect);
                return Err(Invalid::new("dialect", message).into());
            }
            _ => {}
        }
        input.for_mode(webhook.mode)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        let mut change = self.vet(input, &dialect, Some(webhook))?;
        if change.signing.is_some() {
            let message = "is a matter of the secret: rotate it, or give another one";
            return Err(Invalid::new("signing", message).into());
        }
        let warnings = std::mem::take(&mut change.warnings);
        let asked = change.ownership_check().map(|wish| !webhook.url.is_mail() && is_asked(&dialect, Some(wish)));
        if change.changes_allow(&webhook.allow) {
            self.may_open()?;
        }
        self.vet_demands((webhook.max_in_flight, webhook.timeout_seconds), &change)?;
        let (guard, may_open) = (self.api.settings().guard.clone(), self.tenant.is_admin());
        let before = (webhook.url.clone(), webhook.ownership.is_asked());
        let url = before.0.clone();
        let edit: WebhookEdit = Box::new(move |webhook, now| {
            if let Some(url) = change.url().filter(|_| !may_open) {
                check_place(webhook, url).map_err(Refusal::Forbidden)?;
            }
            let before = webhook.clone();
            change.apply(webhook, now)?;
            if !may_open {
                check_token_place(&before, webhook).map_err(Refusal::Forbidden)?;
            }
            // A webhook that was there before a rule can be changed otherwise: the dial refuses it.
            if webhook.url != url {
                check_url(&guard, webhook)?;
            }
            if webhook.auth != before.auth {
                check_token_url(&guard, webhook)?;
            }
            webhook.ownership = ask_again(webhook, &url, asked);
            Ok(())
        });
        Ok(Revision { edit, warnings, before })
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
    let reason = || BEING_ASKED.to_string();
    match (&webhook.ownership, asked) {
        (_, Some(false)) => Ownership::NotAsked,
        (Ownership::NotAsked, Some(true)) => Ownership::Again { reason: reason() },
        (known, _) if !known.is_asked() || webhook.url == *url_before => known.clone(),
        (Ownership::Never { .. }, _) => Ownership::Never { reason: reason() },
        _ => Ownership::Again { reason: reason() },
    }
}
