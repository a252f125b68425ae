//! The HTTP API. All routes stand in `routes` below, each with its OpenAPI path: one that lacks it does not compile.
//! What stays true: every reply is JSON (but `/metrics` and `/docs`), every error has one shape (`problem`), and
//! nothing is served without a key but health, counters and what describes the server.

mod accounts;
mod audit;
mod auth;
mod certificate;
mod connections;
mod dead_letters;
mod deliveries;
mod dialects;
mod docs;
mod events;
mod face;
mod failures;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod guard;
mod health;
mod history;
mod incoming;
mod jobs;
mod limits;
mod listener;
mod master_keys;
mod meters;
mod numbers;
mod openapi;
mod outbound;
mod page;
mod problem;
mod publish;
mod reply;
mod request;
mod retention_clock;
mod settings;
mod stats;
mod uses;
mod webhooks;

use std::sync::{Arc, Mutex, OnceLock};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use ipnet::IpNet;
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;
use zeroize::Zeroizing;

use crate::clock::{Clock, Dice};
use crate::dialect::{Dialect, Shelf, Signing};
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::guard::Guard;
use crate::domain::id::KeyId;
use crate::domain::secret::Secret;
use crate::store::{Refusal, Staging, Store};

use auth::Tenant;
pub use auth::{ACCOUNT_HEADER, first_admin_key};
pub use certificate::{Certificate, CertificateError};
pub use connections::Connections;
pub use incoming::BATCH_EVENTS_MAX;
use limits::KeyLimits;
pub use limits::Limits;
pub use listener::{Listening, listen};
pub use outbound::Outbound;
pub use problem::Problem;
pub use settings::Knob;

/// What the API needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Whether webhooks may have `http://` URLs.
    pub http_allowed: bool,
    /// The addresses that deliveries come from, for receivers' firewalls.
    pub egress: Vec<IpNet>,
    /// Which addresses may be dialled.
    pub guard: Arc<Guard>,
    /// What one client may ask for.
    pub limits: Limits,
    /// Every setting of the server, to be shown to admins.
    pub knobs: Vec<Knob>,
}

/// What all handlers share.
pub struct Api {
    store: Store,
    dialects: Arc<Shelf>,
    clock: Clock,
    dice: Mutex<Dice>,
    settings: Settings,
    outbound: Box<dyn Outbound>,
    calls: KeyLimits,
    events: KeyLimits,
    uses: uses::KeyUses,
    failures: failures::Failures,
    connections: Arc<Connections>,
    meters: meters::Meters,
    described: OnceLock<openapi::Described>,
}

impl Api {
    /// The API over `store`.
    pub fn new(
        store: Store,
        dialects: Arc<Shelf>,
        clock: Clock,
        dice: Dice,
        settings: Settings,
        outbound: Box<dyn Outbound>,
    ) -> Self {
        Self {
            store,
            dialects,
            clock,
            dice: Mutex::new(dice),
            calls: KeyLimits::calls_per_minute(settings.limits.calls_per_minute),
            events: KeyLimits::events_per_second(settings.limits.events_per_second),
            uses: uses::KeyUses::default(),
            failures: failures::Failures::default(),
            connections: Arc::new(Connections::new(&settings.limits)),
            settings,
            outbound,
            meters: meters::Meters::default(),
            described: OnceLock::new(),
        }
    }

    /// Makes a change, and writes down who did what together with it; `None` where nothing changed.
    async fn change<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        change: impl FnOnce(&mut Staging<'_>) -> Result<(Option<Deed>, T), Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let by = tenant.actor();
        let change = |staging: &mut Staging<'_>| {
            let (deed, made) = change(staging)?;
            if let Some(deed) = deed {
                staging.note_deed(by, deed);
            }
            Ok(made)
        };
        self.store.change(change).await
    }

    /// Who is connected.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Forgets what was counted for a key that is gone.
    fn forget_key(&self, key: KeyId) {
        self.uses.forget(key);
        self.calls.forget(key);
        self.events.forget(key);
    }

    fn with_dice<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.dice.lock().expect("no holder panics"))
    }

    fn new_secret(&self, dialect: &Dialect, signing: Signing) -> Result<Secret, Invalid> {
        let mut random = Zeroizing::new([0; 32]);
        self.with_dice(|dice| dice.fill(&mut *random));
        dialect.generate(signing, &random)
    }

    /// The dialect that a request names.
    fn known_dialect(&self, name: &str) -> Result<Arc<Dialect>, Invalid> {
        let dialects = self.dialects.now();
        dialects.get(name).cloned().ok_or_else(|| {
            let known = dialects.names().collect::<Vec<_>>().join(", ");
            Invalid::new("dialect", format!("{name:?} is not known; there are: {known}"))
        })
    }

    /// The dialect that a webhook or an account has; its file may have gone since.
    fn loaded(&self, name: &str) -> Result<Arc<Dialect>, Problem> {
        let gone = || Problem::wrong_state(format!("the dialect {name:?} is not loaded; put its file back"));
        self.dialects.now().get(name).cloned().ok_or_else(gone)
    }
}

/// All native routes. What is asked most comes first: they are tried in this order.
fn routes(to: &mut ServiceConfig<'_>) {
    to.service(publish::publish).service(events::list).service(events::show);
    to.service(webhooks::create).service(webhooks::list);
    to.service(webhooks::show).service(webhooks::put).service(webhooks::patch).service(webhooks::delete);
    to.service(webhooks::sending::test).service(webhooks::sending::replay);
    to.service(webhooks::steering::enable).service(webhooks::steering::disable);
    to.service(webhooks::steering::pause).service(webhooks::steering::resume);
    to.service(webhooks::probing::check).service(webhooks::probing::verify);
    to.service(webhooks::secrets::show).service(webhooks::secrets::rotate);
    to.service(deliveries::list).service(deliveries::logs).service(deliveries::show);
    to.service(webhooks::bulk::replay).service(webhooks::bulk::discard);
    to.service(dead_letters::list).service(dead_letters::replay).service(dead_letters::discard);
    to.service(jobs::list).service(jobs::show).service(jobs::cancel);
    to.service(audit::list).service(master_keys::show).service(master_keys::reload).service(retention_clock::trust);
    to.service(stats::of_account).service(stats::of_webhook);
    to.service(accounts::create).service(accounts::list).service(accounts::show);
    to.service(accounts::create_key).service(accounts::list_keys).service(accounts::revoke_key);
    to.service(settings::list);
    to.service(dialects::list).service(dialects::show).service(dialects::event_types);
    to.service(docs::index).service(docs::show).service(guard::explain);
    to.service(health::live).service(health::ready).service(health::metrics).service(openapi::show);
}

/// The app of one worker: all routes, what they share, and an answer for every other path.
pub fn app(
    api: web::Data<Api>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let (app, document) = App::new()
        .wrap(from_fn(gate::pass))
        .wrap(from_fn(meters::count))
        .into_utoipa_app()
        .openapi(openapi::base())
        .configure(routes)
        .split_for_parts();
    api.described.get_or_init(|| openapi::Described::of(document));
    app.app_data(web::PayloadConfig::new(api.settings.body_bytes_max))
        .app_data(api)
        .default_service(web::to(face::answer))
}
