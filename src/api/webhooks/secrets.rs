//! A webhook's signing secrets: shown on request, and rotated so that no receiver misses a signature.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};

use super::reach::{Reach, reach};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::dialect::Signing;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::secret::{OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX, Secret, SigningSecret};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::Webhook;

/// Secrets of one webhook that sign at once.
const SECRETS_MAX: usize = 5;

/// What a rotation says.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretRotate)]
pub struct RotateInput {
    /// The new secret; generated if left out.
    #[serde(default)]
    pub secret: Option<String>,
    /// What is generated: `hmac`, or `ed25519`, a key pair, where the dialect has that. If left out, what the newest secret
    /// is.
    #[serde(default)]
    pub signing: Option<Signing>,
    /// How long the old secrets go on signing beside it; a day if left out, at most 30 days.
    #[serde(default)]
    pub overlap_seconds: Option<u64>,
}

/// The secrets that sign.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Secret)]
pub struct SecretView {
    /// The newest.
    pub secret: Option<String>,
    /// Its public key, where it is a key pair: what a receiver verifies with.
    pub public_key: Option<String>,
    /// Older ones that still sign.
    pub previous: Vec<PreviousSecret>,
}

/// An older secret.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PreviousSecret {
    /// The secret.
    pub secret: String,
    /// Its public key, where it is a key pair: receivers verify with it until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub public_key: Option<String>,
    /// It signs until then.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// Show a webhook's signing secret, and older ones that still sign
#[utoipa::path(
    operation_id = "webhooks.secret.get", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The secrets that sign", body = Reply<SecretView>))
)]
#[get("/api/v1/webhooks/{id}/secret")]
pub async fn show(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(reach(&api, &tenant).secret(&id).await?))
}

/// Give a webhook a new signing secret; the old one signs beside it for a while
#[utoipa::path(
    operation_id = "webhooks.secret.rotate", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = Option<RotateInput>,
    responses(
        (status = 200, description = "The secrets that sign", body = Reply<SecretView>),
        (status = 409, description = "Its dialect is not loaded: its file is gone"),
    )
)]
#[post("/api/v1/webhooks/{id}/secret/rotate")]
pub async fn rotate(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (webhook, warnings) = reach(&api, &tenant).rotate(&id, body.read_or_empty::<RotateInput>()?).await?;
    Ok(Reply::with(StatusCode::OK, secrets(&webhook, &api), warnings))
}

/// The secrets of a webhook that sign now.
pub fn secrets(webhook: &Webhook, api: &Api) -> SecretView {
    let now = api.clock.now();
    let mut signing = webhook.secrets.iter().filter(|one| one.signs_at(now));
    let dialects = api.dialects.now();
    let public_key = |secret: &Secret| dialects.get(&webhook.dialect)?.public_key(secret);
    let newest = signing.next().map(|one| &one.secret);
    let previous = signing.map(|one| PreviousSecret {
        secret: one.secret.reveal().to_string(),
        public_key: public_key(&one.secret),
        until: one.until.map(time::rfc3339),
    });
    SecretView {
        previous: previous.collect(),
        secret: newest.map(|secret| secret.reveal().to_string()),
        public_key: newest.and_then(public_key),
    }
}

impl Reach<'_> {
    /// The secrets of a webhook that sign now; that they were shown is written down.
    pub async fn secret(&self, id: &str) -> Result<SecretView, Problem> {
        let webhook = self.webhook(id)?;
        let deed = Deed::to_webhook(webhook.account, "secret_shown", webhook.id);
        self.api.change(self.tenant, move |_| Ok((Some(deed), ()))).await?;
        Ok(secrets(&webhook, self.api))
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
        let secret = match input.secret {
            Some(text) => Secret::new(text),
            None => {
                let of_its_kind = || webhook.secrets.first().map(|one| dialect.signing_of(&one.secret));
                self.api.new_secret(&dialect, input.signing.or_else(of_its_kind).unwrap_or_default())?
            }
        };
        let changed = self.change(&webhook, "secret_rotated", move |webhook, now| {
            webhook.secrets = rotated(&webhook.secrets, secret, now, overlap * 1000)?;
            Ok(())
        });
        Ok((changed.await?, warning.into_iter().collect()))
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
