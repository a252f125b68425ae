//! The HTTP API. All routes stand in [`routes`] below, each with its OpenAPI path: one that lacks it does not compile.
//! What stays true: every reply is JSON (but `/metrics`), every error has one shape (`problem`), and nothing is served
//! without a key but health, counters and the OpenAPI document.

mod auth;
mod events;
mod health;
mod history;
mod incoming;
mod meters;
mod openapi;
mod page;
mod problem;
mod publish;
mod request;

use std::sync::{Mutex, OnceLock};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpRequest, HttpResponse, web};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::clock::{Clock, Dice};
use crate::store::Store;

pub use auth::{ACCOUNT_HEADER, first_admin_key};
pub use incoming::BATCH_EVENTS_MAX;
pub use problem::Problem;

/// What the API needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Whether webhooks may have `http://` URLs.
    pub http_allowed: bool,
}

/// Writes counters of other rooms in the Prometheus text format.
pub type ExtraMetrics = Box<dyn Fn(&mut String) + Send + Sync>;

/// What all handlers share.
pub struct Api {
    store: Store,
    clock: Clock,
    dice: Mutex<Dice>,
    settings: Settings,
    extra_metrics: ExtraMetrics,
    meters: meters::Meters,
    described: OnceLock<openapi::Described>,
}

impl Api {
    /// The API over `store`.
    pub fn new(store: Store, clock: Clock, dice: Dice, settings: Settings, extra_metrics: ExtraMetrics) -> Self {
        Self {
            store,
            clock,
            dice: Mutex::new(dice),
            settings,
            extra_metrics,
            meters: meters::Meters::default(),
            described: OnceLock::new(),
        }
    }
}

/// All native routes. What is asked most comes first: they are tried in this order.
fn routes(to: &mut ServiceConfig<'_>) {
    to.service(publish::publish).service(events::list).service(events::show);
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
        .wrap(from_fn(meters::count))
        .into_utoipa_app()
        .openapi(openapi::base())
        .configure(routes)
        .split_for_parts();
    api.described.get_or_init(|| openapi::Described::of(document));
    app.app_data(web::PayloadConfig::new(api.settings.body_bytes_max)).app_data(api).default_service(web::to(elsewhere))
}

/// Answers where no native route does.
async fn elsewhere(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let described = api.described.get().expect("the app is made with its description");
    match described.allowed(request.path()) {
        Some(allow) => Err(Problem::method_not_allowed(request.method().as_str(), request.path(), allow)),
        None => Err(Problem::no_route(request.path())),
    }
}
