//! From the configuration to what each room needs to know. Beside the front page only this file sees the whole
//! [`Config`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Config, Documented, OidcConfig, Roots, ServerConfig, SmtpTls, StoreConfig, TracesConfig, documented, threads,
};
use crate::domain::colour::Colour;
use crate::domain::delivery::RESPONSE_BODY_BYTES_MAX;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::guard::{Guard, OwnListener};
use crate::domain::portal::{Logo, Portal, vet_origins};
use crate::domain::probe::{Method, Probe};
use crate::domain::secret::Secret;
use crate::domain::sign_on::Rule;
use crate::domain::time::{DAY_MS, HOUR_MS};
use crate::telemetry::accounts::ByAccount;
use crate::telemetry::traces::{Exporter, Traces};
use crate::telemetry::{OTLP_CONTENT_TYPE, Telemetry};
use crate::{api, deliver, store};

/// The name of systemd's credential that holds the master keys.
const MASTER_KEY_CREDENTIAL: &str = "hookwheel-master-key";

/// What the store needs to know.
pub fn of_store(config: &Config) -> store::Settings {
    let (from, database) = (&config.store, database(config));
    store::Settings {
        path: database.as_ref().map_or_else(|| from.path.clone(), |database| database.to_string().into()),
        cache_bytes: from.cache_bytes,
        free_bytes_min: from.free_bytes_min,
        queue_events_max: from.queue_events_max,
        queue_bytes_max: from.queue_bytes_max,
        group_events_max: from.group_events_max,
        group_bytes_max: from.group_bytes_max,
        fan_out_max: store::FAN_OUT_MAX,
        ahead_bytes_min: store::AHEAD_BYTES_MIN,
        journal_max: store::JOURNAL_MAX,
        master_keys: master_keys(from),
        memory: None,
        database,
        retention: store::Retention {
            events_ms: days(config.retention.event_days),
            bytes_max: (config.retention.bytes_max > 0).then_some(config.retention.bytes_max),
            account_bytes_max: (config.limits.kept_bytes_max > 0).then_some(config.limits.kept_bytes_max),
            hold_ms: days(config.retention.hold_days_max).expect("it is at least a day"),
            audit_ms: days(config.retention.audit_days),
            audit_entries_max: (config.retention.audit_entries_max > 0).then_some(config.retention.audit_entries_max),
        },
        events_per_day: (config.limits.events_per_day > 0).then_some(config.limits.events_per_day),
        upgrade_copy: true,
        durable: true,
    }
}

/// The database that keeps the store, if one does, and this node's name in it.
fn database(config: &Config) -> Option<store::Member> {
    let url = config.store.url.clone()?;
    let node = config.cluster.node.clone();
    let node = node.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    Some(store::Member::of_postgres(&url, config.store.password_file.clone(), node))
}

/// Where the master keys are: as it is configured, else in the credentials that systemd hands over, else in the data
/// directory.
pub fn master_keys(config: &StoreConfig) -> store::MasterKeySource {
    match (&config.master_key, &config.master_key_file) {
        (Some(text), _) => store::MasterKeySource::Text(text.clone()),
        (None, Some(path)) => store::MasterKeySource::File(path.clone()),
        (None, None) => {
            credential(&config.path).map_or(store::MasterKeySource::Own, store::MasterKeySource::Credential)
        }
    }
}

/// The credential with the master keys, where systemd hands over credentials at all. One that is missing counts too, unless the data
/// directory has a key: whoever keeps credentials has not asked for a key beside what it seals, so none is made there in silence.
fn credential(data: &Path) -> Option<PathBuf> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|dir| !dir.is_empty())?;
    let path = Path::new(&credentials).join(MASTER_KEY_CREDENTIAL);
    // One that cannot even be looked at is there: reading it says why it cannot be read.
    let is_there = path.try_exists().unwrap_or(true);
    (is_there || !data.join(store::OWN_MASTER_KEYS).exists()).then_some(path)
}

/// Milliseconds of so many days; `None` for none.
fn days(days: u64) -> Option<u64> {
    (days > 0).then_some(days * DAY_MS)
}

/// What whoever only lets connections in needs to know: its bounds, and what stands before it.
pub fn of_door(config: &Config) -> (api::Limits, api::Front) {
    (limits(&config.server), front(&config.server))
}

/// What the API needs to know.
pub fn of_api(config: &Config, guard: Arc<Guard>, telemetry: Telemetry) -> api::Settings {
    api::Settings {
        body_bytes_max: config.server.body_bytes_max,
        bodies_bytes_max: config.server.bodies_bytes_max,
        http_allowed: config.deliver.http_allowed,
        mail: match (&config.smtp.host, config.smtp.accounts) {
            (None, _) => api::MailRule::NoServer,
            (Some(_), false) => api::MailRule::Operator,
            (Some(_), true) => api::MailRule::Accounts,
        },
        egress: config.deliver.egress.clone(),
        front: front(&config.server),
        guard,
        limits: limits(&config.server),
        quotas: api::Quotas {
            webhooks_max: config.limits.webhooks_max,
            keys_max: config.limits.keys_max,
            max_in_flight: config.limits.max_in_flight,
            timeout_seconds: config.limits.timeout,
            kept_bytes_max: config.limits.kept_bytes_max,
            kept_days_max: config.retention.event_days,
            event_types_max: config.limits.event_types_max,
            users_max: config.limits.users_max,
            events_per_second: config.limits.events_per_second,
            events_per_day: config.limits.events_per_day,
        },
        people: api::PeopleRules::default(),
        knobs: config.knobs().into_iter().map(|(name, value, default)| knob(name, value, default)).collect(),
        telemetry,
        trace_url: config.traces.url_template.clone(),
        documented: documented().into_iter().map(documented_key).collect(),
    }
}

/// How people log in, and how portals look; an error says in words what is wrong with a file.
pub fn people(config: &Config) -> Result<api::PeopleRules, String> {
    let (from, dashboard) = (&config.portal, &config.dashboard);
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_string();
    let logo = from.logo.as_deref().map(|path| {
        let bytes =
            std::fs::read(path).map_err(|error| format!("portal.logo: {} cannot be read: {error}", path.display()))?;
        Logo::of("portal.logo", bytes).map_err(|wrong| format!("{}: {} {}", wrong.field, path.display(), wrong.message))
    });
    let portal = Portal {
        title: text(&from.title),
        colour: from.colour.as_deref().and_then(Colour::read),
        logo: logo.transpose()?,
        welcome: text(&from.welcome),
        support_url: text(&from.support_url),
        origins: vet_origins("portal.origins", &from.origins)
            .map_err(|wrong| format!("{}: {}", wrong.field, wrong.message))?,
    };
    Ok(api::PeopleRules {
        are_let_in: dashboard.enabled,
        session_idle_ms: dashboard.session_idle_hours * HOUR_MS,
        session_ms: days(dashboard.session_days).expect("it is at least a day"),
        portal,
        sign_on: sign_on(&config.oidc)?,
    })
}

fn sign_on(from: &OidcConfig) -> Result<Option<api::SignOn>, String> {
    let Some((issuer, client_id)) = from.issuer.clone().zip(from.client_id.clone()) else { return Ok(None) };
    let client_secret = match (&from.client_secret, &from.client_secret_file) {
        (Some(secret), _) => Some(secret.clone()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            let text =
                text.map_err(|error| format!("oidc.client_secret_file: {} cannot be read: {error}", path.display()))?;
            Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
        }
        (None, None) => None,
    };
    let rules = from.allowed.iter().filter_map(|text| Rule::parse(text)).collect();
    // Without it there is no token of who somebody is.
    let mut scopes = from.scopes.clone();
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".into());
    }
    let (account, label) = (from.account.clone(), from.label.clone());
    Ok(Some(api::SignOn { issuer, client_id, client_secret, scopes, rules, account, label }))
}

/// What is watched, and what hands spans over to a collector, if there is one.
pub fn telemetry(config: &Config) -> (Telemetry, Option<Exporter>) {
    let (traces, exporter) = match config.traces.endpoint {
        Some(_) => Some(Traces::new(config.traces.sample_ratio, config.traces.service_name.clone())).unzip(),
        None => (None, None),
    };
    let accounts = Arc::new(ByAccount::new(config.metrics.accounts_max));
    let (traces, propagates) = (traces.unwrap_or_default(), config.traces.propagate);
    (Telemetry { accounts, traces, propagates }, exporter)
}

/// The request that hands these spans over.
pub fn of_spans(config: &TracesConfig, spans: Vec<u8>) -> Option<Probe> {
    let endpoint = EndpointUrl::parse(config.endpoint.as_deref()?, true).ok()?;
    let mut url = endpoint.parts();
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    let mut headers = config.sent_headers();
    headers.push(("content-type".into(), OTLP_CONTENT_TYPE.into()));
    Some(Probe {
        method: Method::Post,
        account: 0,
        url: EndpointUrl::parse(url.as_str(), true).ok()?,
        headers,
        upper_case: false,
        body: spans.into(),
        timeout_seconds: 10,
        allow: Vec::new(),
        tls: None,
        answer_bytes_max: RESPONSE_BODY_BYTES_MAX,
        oauth2: None,
    })
}

fn documented_key(key: Documented) -> api::ConfigurationKey {
    let Documented { name, meaning, takes, default, is_live } = key;
    api::ConfigurationKey { name, meaning, takes, default, is_live }
}

fn front(from: &ServerConfig) -> api::Front {
    let public_url = from.public_url.as_deref().and_then(crate::domain::portal::origin).map(Into::into);
    api::Front { trusted: from.trusted_proxies.clone().into(), proxy_protocol: from.proxy_protocol, public_url }
}

fn limits(from: &ServerConfig) -> api::Limits {
    api::Limits {
        calls_per_minute: from.calls_per_minute,
        events_per_second: from.events_per_second,
        url_bytes_max: from.url_bytes_max,
        headers_max: from.headers_max,
        header_bytes_max: from.header_bytes_max,
        head_seconds: from.head_seconds,
        body_seconds: from.body_seconds,
        idle_seconds: from.idle_seconds,
        connections_max: from.connections_max,
        connections_per_address_max: from.connections_per_address_max,
    }
}

fn knob(name: &str, value: serde_json::Value, default: serde_json::Value) -> api::Knob {
    api::Knob { name: name.into(), value, default }
}

/// What the API is served with, if it is served over TLS.
pub fn certificate(config: &Config) -> Result<Option<Arc<api::Certificate>>, api::CertificateError> {
    let files = config.server.tls_certificate.as_ref().zip(config.server.tls_key.as_ref());
    files.map(|(chain, key)| api::Certificate::load(chain, key)).transpose()
}

/// What delivery needs to know.
pub fn of_deliver(config: &Config, guard: Arc<Guard>) -> deliver::Settings {
    let from = &config.deliver;
    deliver::Settings {
        in_flight_max: from.in_flight_max,
        bodies_bytes_max: from.bodies_bytes_max,
        senders: threads(from.senders),
        connect: Duration::from_secs(from.connect_seconds),
        guard,
        egress: from.egress.clone(),
        name_servers: from.name_servers.clone(),
        dns: Duration::from_secs(from.dns_seconds),
        proxy: from.proxy(),
        proxy_resolves: from.proxy_resolves,
        listener_descriptors: listener_descriptors(config.server.connections_max),
        smtp: None,
        telemetry: Telemetry::default(),
        carriers: Arc::default(),
    }
}

/// The mail server that mail is handed to, if there is one.
pub fn smtp(config: &Config) -> Result<Option<Arc<deliver::Smtp>>, String> {
    let from = &config.smtp;
    let Some(host) = from.host.clone() else { return Ok(None) };
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let password = match (&from.password, &from.password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => Some(Secret::new(read(path)?.trim_end_matches(['\r', '\n']))),
        (None, None) => None,
    };
    let settings = deliver::SmtpSettings {
        host,
        port: from.port,
        tls: match from.tls {
            SmtpTls::Starttls => deliver::SmtpTls::Starttls,
            SmtpTls::Tls => deliver::SmtpTls::Whole,
            SmtpTls::None => deliver::SmtpTls::None,
        },
        ca: from.ca_file.as_deref().map(read).transpose()?,
        login: from.username.clone().zip(password),
        from: from.from.clone().unwrap_or_default(),
        timeout: Duration::from_secs(from.timeout_seconds),
    };
    deliver::Smtp::new(settings).map(|smtp| Some(Arc::new(smtp)))
}

/// A connection to the API costs two descriptors, and 0 is no limit.
fn listener_descriptors(connections_max: usize) -> usize {
    if connections_max == 0 { usize::MAX } else { connections_max.saturating_mul(2) }
}

/// Which addresses may be dialled by a server that listens at `address`.
pub fn guard(config: &Config, address: SocketAddr) -> Guard {
    let from = &config.deliver;
    let guard = Guard::new(from.allow.clone(), from.deny.clone(), from.ports.clone());
    guard.with_listener(OwnListener { bound: address, is_here: deliver::may_be_here })
}

/// Whom is trusted where a webhook says nothing.
pub fn trust(roots: Roots) -> Result<deliver::Trust, String> {
    match roots {
        Roots::Webpki => Ok(deliver::Trust::webpki()),
        Roots::Native => deliver::Trust::native(),
    }
}
