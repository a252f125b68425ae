//! What can be done with webhooks, whoever asks: the native routes and the dialects' faces call the same functions. What
//! stays true: a request reaches the webhooks of its account only, and through a face only those of its dialect.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Api;
use super::auth::Tenant;
use super::history::History;
use super::page::Window;
use super::problem::Problem;
use super::webhook_input::{Change, WebhookInput, vet_reason};
use super::webhook_view::{WebhookView, view};
use crate::dialect::Dialect;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::secret::{Secret, SigningSecret};
use crate::domain::time::UnixMs;
use crate::domain::webhook::{EventFilter, Status, Webhook};
use crate::domain::{Invalid, event, json};
use crate::store::{Accepted, NewEvent, Page, Refusal};

/// Secrets of one webhook that sign at once.
const SECRETS_MAX: usize = 5;
/// How long old secrets go on signing where the caller does not say: a day.
const OVERLAP_SECONDS_DEFAULT: u64 = 24 * 60 * 60;
/// The longest that they may: 30 days.
const OVERLAP_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// What a request may reach.
pub struct Reach<'a> {
    /// The shared state.
    pub api: &'a Api,
    /// Who asks.
    pub tenant: &'a Tenant,
    /// Through a face: its dialect.
    pub dialect: Option<&'a Dialect>,
}

/// What came of a create.
pub struct Created {
    /// The new webhook.
    pub webhook: Webhook,
    /// Whether its secret was generated here.
    pub generated: bool,
    /// What to tell about it.
    pub warnings: Vec<String>,
}

/// What a test call says.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestInput {
    /// The type to send; the webhook's first exact one if left out.
    #[serde(default)]
    event_type: Option<String>,
    /// The data to send; the dialect's sample if left out.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
}

/// What a rotation says.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateInput {
    /// The new secret; generated if left out.
    #[serde(default)]
    secret: Option<String>,
    /// How long the old secrets go on signing beside it; a day if left out, at most 30 days.
    #[serde(default)]
    overlap_seconds: Option<u64>,
}

impl Reach<'_> {
    /// The webhook of this id, if it is within reach.
    pub fn webhook(&self, id: &str) -> Result<Arc<Webhook>, Problem> {
        let account = self.tenant.account().number;
        let found = WebhookId::parse(id).and_then(|id| self.api.store.registry().webhook_of(account, id).cloned());
        let here = |webhook: &Arc<Webhook>| self.dialect.is_none_or(|dialect| dialect.name == webhook.dialect);
        found.filter(here).ok_or_else(|| Problem::not_found("webhook"))
    }

    /// The native view of a webhook.
    pub fn view(&self, webhook: &Webhook) -> Result<WebhookView, Problem> {
        let tally = self.api.store.tally(webhook.number())?;
        Ok(view(webhook, &self.tenant.account().id, &tally))
    }

    /// The history of a webhook.
    pub fn history(&self, id: &str) -> Result<History, Problem> {
        Ok(History { store: self.api.store.clone(), webhook: self.webhook(id)? })
    }

    /// A page of webhooks, newest first, after the first `skip`.
    pub fn list(&self, window: Window, skip: usize) -> Page<Arc<Webhook>, WebhookId> {
        let registry = self.api.store.registry();
        let here = |webhook: &&Arc<Webhook>| self.dialect.is_none_or(|dialect| dialect.name == webhook.dialect);
        let all = registry.webhooks_of(self.tenant.account().number).rev().filter(here);
        let older = all.skip_while(|webhook| window.before.is_some_and(|before| webhook.id.0 >= before));
        let mut rows: Vec<_> = older.skip(skip).take(window.limit + 1).cloned().collect();
        let more = rows.len() > window.limit;
        rows.truncate(window.limit);
        Page { next: rows.last().filter(|_| more).map(|last| last.id), rows }
    }

    /// Makes a webhook.
    pub async fn create(&self, mut input: WebhookInput) -> Result<Created, Problem> {
        let dialect = self.dialect_for(std::mem::take(&mut input.dialect))?;
        let mut change = input.vet(&dialect, self.api.settings.http_allowed)?;
        change.is_whole()?;
        let generated = (!change.has_secret()).then(|| self.api.new_secret(&dialect));
        let warnings = std::mem::take(&mut change.warnings);
        let Some(url) = change.url().cloned() else { return Err(Problem::internal("a webhook without a URL")) };
        let mut webhook = Webhook {
            id: WebhookId(0),
            account: self.tenant.account().number,
            dialect: dialect.name.clone(),
            url,
            events: Vec::new(),
            secrets: generated.iter().cloned().map(|secret| SigningSecret { secret, until: None }).collect(),
            name: None,
            description: None,
            headers: Vec::new(),
            rate_limit: None,
            max_in_flight: None,
            timeout_seconds: None,
            retry: None,
            success: None,
            status: Status::Active,
            created_at: 0,
            updated_at: 0,
        };
        change.apply(&mut webhook, self.api.clock.now());
        let limit = dialect.limits.webhooks_per_account;
        let webhook = self.api.store.change(move |staging| staging.create_webhook(webhook, limit)).await?;
        Ok(Created { webhook, generated: generated.is_some(), warnings })
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
        let dialect = self.api.loaded(&webhook.dialect)?;
        let mut change = input.vet(&dialect, self.api.settings.http_allowed)?;
        let warnings = std::mem::take(&mut change.warnings);
        let changed = self.change(&webhook, move |webhook, now| {
            change.apply(webhook, now);
            Ok(())
        });
        Ok((changed.await?, warnings))
    }

    /// Deletes a webhook; its open deliveries are cancelled.
    pub async fn delete(&self, id: &str) -> Result<(), Problem> {
        let (account, id) = (self.tenant.account().number, self.webhook(id)?.id);
        Ok(self.api.store.change(move |staging| staging.delete_webhook(account, id)).await?)
    }

    /// Sends a webhook a test event of its own.
    pub async fn test(&self, id: &str, input: TestInput) -> Result<(Accepted, DeliveryId), Problem> {
        let webhook = self.webhook(id)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        let event = test_event(&webhook, &dialect, input)?;
        let (account, id) = (self.tenant.account().number, webhook.id);
        Ok(self.api.store.change(move |staging| staging.accept_test(account, id, event)).await?)
    }

    /// Delivers again what a delivery delivered.
    pub async fn replay(&self, id: &str, delivery: &str) -> Result<(DeliveryId, DeliveryId), Problem> {
        let (account, id) = (self.tenant.account().number, self.webhook(id)?.id);
        let old = DeliveryId::parse(delivery).ok_or_else(|| Problem::not_found("delivery"))?;
        let new = self.api.store.change(move |staging| staging.replay(account, id, old)).await?;
        Ok((new, old))
    }

    /// Lets the deliveries of a disabled webhook out again.
    pub async fn enable(&self, id: &str) -> Result<Webhook, Problem> {
        let decide = |webhook: &Webhook| match webhook.status {
            Status::Paused { .. } => Err("the webhook is paused; resume it instead"),
            _ => Ok(Status::Active),
        };
        self.set_status(id, move |webhook, _| decide(webhook)).await
    }

    /// Holds the deliveries of a webhook, with a reason.
    pub async fn disable(&self, id: &str, reason: Option<String>) -> Result<Webhook, Problem> {
        let reason = vet_reason(reason)?;
        let decide = |webhook: &Webhook, now| match &webhook.status {
            Status::Disabled { .. } => Ok(webhook.status.clone()),
            _ => Ok(Status::Disabled { since: now, reason }),
        };
        self.set_status(id, decide).await
    }

    /// Holds the deliveries of a webhook for a while.
    pub async fn pause(&self, id: &str) -> Result<Webhook, Problem> {
        let decide = |webhook: &Webhook, now| match &webhook.status {
            Status::Disabled { .. } => Err("the webhook is disabled, so nothing goes out; enable it first"),
            Status::Paused { .. } => Ok(webhook.status.clone()),
            _ => Ok(Status::Paused { since: now }),
        };
        self.set_status(id, decide).await
    }

    /// Lets the deliveries of a paused webhook out again.
    pub async fn resume(&self, id: &str) -> Result<Webhook, Problem> {
        let decide = |webhook: &Webhook, _| match webhook.status {
            Status::Disabled { .. } => Err("the webhook is disabled; enable it instead"),
            _ => Ok(Status::Active),
        };
        self.set_status(id, decide).await
    }

    /// Puts a new secret first; the old ones go on signing for a while.
    pub async fn rotate(&self, id: &str, input: RotateInput) -> Result<(Webhook, Vec<String>), Problem> {
        let webhook = self.webhook(id)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        let overlap = input.overlap_seconds.unwrap_or(OVERLAP_SECONDS_DEFAULT);
        if overlap > OVERLAP_SECONDS_MAX {
            let message = format!("must be between 0 and {OVERLAP_SECONDS_MAX} (30 days)");
            return Err(Invalid::new("overlap_seconds", message).into());
        }
        let warning = input.secret.as_deref().map(|text| dialect.check_secret(text)).transpose()?.flatten();
        let secret = input.secret.map_or_else(|| self.api.new_secret(&dialect), Secret::new);
        let changed = self.change(&webhook, move |webhook, now| {
            webhook.secrets = rotated(&webhook.secrets, secret, now, overlap * 1000)?;
            Ok(())
        });
        Ok((changed.await?, warning.into_iter().collect()))
    }

    /// The dialect of a new webhook: a face's, the one asked for, or the account's.
    fn dialect_for(&self, asked: Change<String>) -> Result<Arc<Dialect>, Problem> {
        let name = match (&self.dialect, asked) {
            (Some(dialect), _) => dialect.name.clone(),
            (None, Change::To(name)) => return Ok(self.api.known_dialect(&name)?),
            (None, _) => self.tenant.account().dialect.clone(),
        };
        self.api.loaded(&name)
    }

    async fn set_status(
        &self,
        id: &str,
        decide: impl FnOnce(&Webhook, UnixMs) -> Result<Status, &'static str> + Send + 'static,
    ) -> Result<Webhook, Problem> {
        let webhook = self.webhook(id)?;
        let (account, id) = (webhook.account, webhook.id);
        // The commit thread decides, so that two who change it at once do not undo each other.
        let changed = self.api.store.change(move |staging| {
            let webhook = staging.registry().webhook_of(account, id).cloned().ok_or(Refusal::NotFound("webhook"))?;
            match decide(&webhook, staging.now()) {
                Ok(status) if status == webhook.status => Ok(Ok((*webhook).clone())),
                Ok(status) => staging
                    .update_webhook(account, id, |webhook, _| {
                        webhook.status = status;
                        Ok(())
                    })
                    .map(Ok),
                Err(message) => Ok(Err(message)),
            }
        });
        changed.await?.map_err(Problem::wrong_state)
    }

    async fn change(
        &self,
        webhook: &Webhook,
        change: impl FnOnce(&mut Webhook, UnixMs) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Webhook, Problem> {
        let (account, id) = (webhook.account, webhook.id);
        Ok(self.api.store.change(move |staging| staging.update_webhook(account, id, change)).await?)
    }
}

/// The new secret, then those old ones that still sign, for `overlap_ms` at most.
fn rotated(old: &[SigningSecret], new: Secret, now: UnixMs, overlap_ms: u64) -> Result<Vec<SigningSecret>, Invalid> {
    let end = now + overlap_ms;
    let mut secrets = vec![SigningSecret { secret: new, until: None }];
    secrets.extend(old.iter().filter(|one| overlap_ms > 0 && one.signs_at(now)).map(|one| {
        let until = Some(one.until.map_or(end, |until| until.min(end)));
        SigningSecret { secret: one.secret.clone(), until }
    }));
    if secrets.len() > SECRETS_MAX {
        let message = format!("leaves more than {SECRETS_MAX} secrets signing; rotate with a shorter one, or 0");
        return Err(Invalid::new("overlap_seconds", message));
    }
    Ok(secrets)
}

fn test_event(webhook: &Webhook, dialect: &Dialect, input: TestInput) -> Result<NewEvent, Invalid> {
    let event_type = input.event_type.unwrap_or_else(|| usual_type(webhook, dialect));
    event::check_type(&event_type).map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?;
    let data = match input.data {
        Some(data) => String::from(Box::<str>::from(data)),
        None => dialect.sample(&event_type).map_or(r#"{"test":true}"#, |known| known.sample.get()).to_string(),
    };
    json::check(data.as_bytes()).map_err(|refusal| Invalid::new("data", refusal.to_string()))?;
    let actor = dialect.sample_actor.as_ref().map(|actor| Bytes::from(actor.get().to_string()));
    let data = Bytes::from(data);
    Ok(NewEvent { name: None, event_type, created_at: None, data, actor, metadata: None, fingerprint: None })
}

/// The webhook's first exact type, else the first of the catalogue that it wants.
fn usual_type(webhook: &Webhook, dialect: &Dialect) -> String {
    let exact = webhook.events.iter().find_map(|filter| match filter {
        EventFilter::Exact(exact) => Some(exact.as_str()),
        _ => None,
    });
    let documented = || dialect.catalogue.iter().map(|known| known.name.as_str());
    let wanted = || documented().find(|name| webhook.wants(name));
    exact.or_else(wanted).or_else(|| documented().next()).unwrap_or("test").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_keeps_old_secrets_for_a_while_and_never_longer_than_before() {
        let secret = |text: &str, until| SigningSecret { secret: Secret::new(text), until };
        let old = [secret("b", None), secret("a", Some(1_500)), secret("gone", Some(900))];
        let until = |secrets: Vec<SigningSecret>| -> Vec<(String, Option<u64>)> {
            secrets.into_iter().map(|one| (one.secret.reveal().to_string(), one.until)).collect()
        };
        let rotated_for = |overlap| until(rotated(&old, Secret::new("c"), 1_000, overlap).unwrap());
        let of = |text: &str, until| (text.to_string(), until);
        assert_eq!(rotated_for(2_000), [of("c", None), of("b", Some(3_000)), of("a", Some(1_500))]);
        assert_eq!(rotated_for(0), [of("c", None)]);
        let many = vec![secret("x", None); SECRETS_MAX];
        assert_eq!(rotated(&many, Secret::new("c"), 0, 1).unwrap_err().field, "overlap_seconds");
    }
}
