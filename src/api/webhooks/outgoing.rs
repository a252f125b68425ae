//! What a request says of a webhook's connections: what is opened for it, its TLS, and whether its URL could ever be
//! dialled. What stays true: a client key is read and never shown, and what was left out stays.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::api::http::setting::Change;
use crate::domain::Invalid;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::endpoint_auth::EndpointAuth;
use crate::domain::guard::{Guard, Rule, is_wide};
use crate::domain::secret::Secret;
use crate::domain::tls::{Identity, Tls};
use crate::domain::webhook::{ALLOW_MAX, TEXTS_BYTES_MAX, Webhook};

/// TLS of a webhook's own. Changing, what is left out stays and null removes.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TlsChange)]
pub struct TlsInput {
    /// Certificates of authorities in PEM, in the place of the usual ones.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    ca: Change<String>,
    /// A certificate to show, in PEM, and those up to its authority.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    client_certificate: Change<String>,
    /// Its key in PEM, not encrypted. It is never shown; `true`, as it is shown, leaves it as it is.
    #[serde(default)]
    #[schema(value_type = Option<ClientKey>)]
    client_key: Change<ClientKey>,
}

/// A key in PEM, or what is shown instead of one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
enum ClientKey {
    /// What is shown: true leaves it as it is.
    Is(bool),
    /// The key.
    #[schema(value_type = String)]
    Text(Secret),
}

/// TLS of a webhook's own.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Tls)]
pub struct TlsView {
    /// Certificates of authorities in PEM, in the place of the usual ones.
    ca: Option<String>,
    /// The certificate that is shown, in PEM.
    client_certificate: Option<String>,
    /// Whether there is a key. The key itself is never shown.
    client_key: bool,
}

impl From<&Tls> for TlsView {
    fn from(tls: &Tls) -> Self {
        let certificate = tls.identity.as_ref().map(|identity| identity.certificate.clone());
        Self { ca: tls.ca.clone(), client_key: certificate.is_some(), client_certificate: certificate }
    }
}

/// Changes a webhook's TLS, and checks what comes of it.
pub fn apply_tls(change: Change<TlsInput>, to: &mut Option<Tls>) -> Result<(), Invalid> {
    let input = match change {
        Change::Keep => return Ok(()),
        Change::Reset => {
            *to = None;
            return Ok(());
        }
        Change::To(input) => input,
    };
    let (mut ca, identity) = to.take().map_or((None, None), |tls| (tls.ca, tls.identity));
    let (mut certificate, mut key) = identity.map(|own| (own.certificate, own.key)).unzip();
    input.ca.apply(&mut ca);
    input.client_certificate.apply(&mut certificate);
    match input.client_key {
        Change::Keep | Change::To(ClientKey::Is(true)) => {}
        Change::Reset | Change::To(ClientKey::Is(false)) => key = None,
        Change::To(ClientKey::Text(text)) => key = Some(text),
    }
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            let message = "is missing: tls.client_certificate needs its key; null for both removes them";
            return Err(Invalid::new("tls.client_key", message));
        }
        (None, Some(_)) => {
            let message = "is missing: tls.client_key needs its certificate; null for both removes them";
            return Err(Invalid::new("tls.client_certificate", message));
        }
    };
    *to = (ca.is_some() || identity.is_some()).then_some(Tls { ca, identity });
    to.as_ref().map_or(Ok(()), Tls::check)
}

/// Reads networks that are to be opened.
pub fn vet_allow(texts: Vec<String>) -> Result<Vec<IpNet>, Invalid> {
    if texts.len() > ALLOW_MAX {
        return Err(Invalid::new("allow", format!("has more than {ALLOW_MAX} networks")));
    }
    let mut nets: Vec<IpNet> = Vec::with_capacity(texts.len());
    for (n, text) in texts.iter().enumerate() {
        let single = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        let net = text.parse().ok().or_else(single).map(|net: IpNet| net.trunc());
        let wrong = || Invalid::new(format!("allow[{n}]"), "must be a network such as \"10.20.0.0/16\", or an address");
        let net = net.ok_or_else(wrong)?;
        if !nets.contains(&net) {
            nets.push(net);
        }
    }
    Ok(nets)
}

/// What to tell about networks that are to be opened.
pub fn warnings(allow: &Change<Vec<IpNet>>) -> Vec<String> {
    let Change::To(nets) = allow else { return Vec::new() };
    let wide = nets.iter().filter(|net| is_wide(net));
    wide.map(|net| format!("allow {net} opens nearly everything, also what lies in the server's own network")).collect()
}

/// Refuses a webhook that is too long to be stored.
pub fn check_size(webhook: &Webhook) -> Result<(), Invalid> {
    if webhook.texts_bytes() <= TEXTS_BYTES_MAX {
        return Ok(());
    }
    let field = if webhook.tls.is_some() { "tls" } else { "description" };
    let message = format!("is too long: all texts of a webhook together may have {TEXTS_BYTES_MAX} bytes");
    Err(Invalid::new(field, message))
}

/// Refuses a URL that could never be dialled, as far as that is known without asking where a name leads.
pub fn check_url(guard: &Guard, webhook: &Webhook) -> Result<(), Invalid> {
    if webhook.url.is_mail() {
        return Ok(());
    }
    refuse("url", guard.refuses_url(&webhook.url.parts(), &webhook.allow))
}

/// The same of the URL of its token endpoint.
pub fn check_token_url(guard: &Guard, webhook: &Webhook) -> Result<(), Invalid> {
    let Some(oauth) = webhook.auth.as_ref().and_then(EndpointAuth::oauth2) else { return Ok(()) };
    refuse("auth.token_url", guard.refuses_url(&oauth.token_url.parts(), &webhook.allow))
}

fn refuse(field: &str, rule: Option<Rule>) -> Result<(), Invalid> {
    let Some(rule) = rule else { return Ok(()) };
    let remedy = rule.remedy().map_or(String::new(), |remedy| format!("; {remedy}"));
    Err(Invalid::new(field, format!("could never be dialled: {rule}{remedy}")))
}

/// Refuses to point a webhook elsewhere for which something is opened: that holds for the host and port that it was given
/// for, so only who may open may move them.
pub fn check_place(before: &Webhook, url: &EndpointUrl) -> Result<(), Invalid> {
    if before.allow.is_empty() || before.url.is_at_place_of(url) {
        return Ok(());
    }
    let message = "leads to another host or port than the one that `allow` was given for: an admin key may change that, or \
                   another webhook may have this URL";
    Err(Invalid::new("url", message))
}

/// The same of its token endpoint, which is dialled under the same openings: where something is opened, only who may open may set
/// one elsewhere.
pub fn check_token_place(before: &Webhook, after: &Webhook) -> Result<(), Invalid> {
    let token_url = |webhook: &Webhook| Some(webhook.auth.as_ref()?.oauth2()?.token_url.clone());
    let Some(new) = token_url(after).filter(|_| !before.allow.is_empty()) else { return Ok(()) };
    let is_known = |url: &EndpointUrl| new.is_at_place_of(url);
    if is_known(&before.url) || token_url(before).as_ref().is_some_and(is_known) {
        return Ok(());
    }
    let message = "leads to another host or port than those that `allow` was given for: an admin key may set that";
    Err(Invalid::new("auth.token_url", message))
}
