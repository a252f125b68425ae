//! The HTTP API. All routes stand in `routes` below, each with its OpenAPI path: one that lacks it does not compile.
//! What stays true: every reply is JSON (but `/metrics` and `/docs`), every error has one shape (`problem`), and
//! nothing is served without a key but health, counters and what describes the server.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod across;
pub(crate) mod audit;
mod backup;
pub(crate) mod calling;
pub(crate) mod dead_letters;
pub(crate) mod deeds;
pub(crate) mod deliveries;
pub(crate) mod dialects;
pub(crate) mod docs;
pub(crate) mod door;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod face;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod jobs;
pub(crate) mod lines;
pub(crate) mod masking;
pub(crate) mod master_keys;
pub(crate) mod nodes;
pub(crate) mod openapi;
pub(crate) mod outbound;
pub(crate) mod people;
pub(crate) mod retention_clock;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod stats;
pub(crate) mod stream;
pub(crate) mod trying;
pub(crate) mod webhooks;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use utoipa_actix_web::AppExt;

pub use crate::docs::ConfigurationKey;
pub use crate::domain::account::ACCOUNT_HEADER;
pub use access::auth::{first_admin_key, is_known_key};
pub use access::limits::Limits;
pub use access::oidc::SignOn;
pub use door::certificate::{Certificate, CertificateError};
pub use door::connections::Connections;
pub use door::front::Front;
pub use door::listener::{Door, Elsewhere, Listening, Nodes, Ways, Wire, listen, stand_by};
pub use events::input::BATCH_EVENTS_MAX;
pub use http::problem::Problem;
pub use lines::saved_line;
pub use outbound::Outbound;
pub use state::{Api, Knob, MailRule, PeopleRules, Quotas, Settings};

use openapi::described::{self, Described};
use openapi::taking::TakesRoutes;

/// All native routes. What is asked most comes first: they are tried in this order.
fn routes(to: &mut impl TakesRoutes) {
    to.service(events::publish::publish)
        .service(events::routes::list)
        .service(events::routes::show)
        .service(events::routes::deliveries)
        .service(events::audience::list);
    to.service(events::leaving::delete)
        .service(events::leaving::purge)
        .service(events::leaving::delete_many)
        .service(events::leaving::purge_many);
    to.service(events::replaying::replay).service(events::replaying::broadcast);
    to.service(webhooks::routes::create).service(webhooks::routes::list).service(webhooks::batch::put_many);
    to.service(webhooks::leaving::delete_many);
    to.service(webhooks::routes::show)
        .service(webhooks::routes::put)
        .service(webhooks::routes::patch)
        .service(webhooks::routes::delete);
    to.service(webhooks::leases::routes::pull)
        .service(webhooks::leases::routes::ack)
        .service(webhooks::leases::routes::nack)
        .service(webhooks::leases::routes::extend);
    to.service(webhooks::sending::test).service(webhooks::sending::replay);
    to.service(webhooks::steering::enable).service(webhooks::steering::disable);
    to.service(webhooks::steering::pause).service(webhooks::steering::resume);
    to.service(webhooks::probing::check).service(webhooks::probing::verify);
    to.service(webhooks::secrets::show).service(webhooks::secrets::rotate);
    to.service(deliveries::routes::list)
        .service(deliveries::routes::of_webhook)
        .service(deliveries::routes::logs)
        .service(deliveries::routes::show)
        .service(deliveries::routes::show_attempt);
    to.service(trying::shape::try_shape).service(trying::filter::try_filter);
    to.service(webhooks::bulk::replay).service(webhooks::bulk::discard);
    to.service(dead_letters::routes::list).service(dead_letters::routes::replay).service(dead_letters::routes::discard);
    to.service(jobs::routes::list).service(jobs::routes::show).service(jobs::routes::cancel);
    to.service(backup::take);
    to.service(audit::list).service(master_keys::show).service(master_keys::reload).service(retention_clock::trust);
    to.service(stream::routes::follow);
    to.service(stats::routes::of_account).service(stats::routes::of_webhook);
    to.service(accounts::routes::create)
        .service(accounts::routes::list)
        .service(accounts::routes::show)
        .service(accounts::routes::change)
        .service(accounts::routes::delete)
        .service(accounts::export::export)
        .service(accounts::usage::show)
        .service(accounts::whoami::show);
    to.service(accounts::portal::create).service(accounts::portal::revoke);
    to.service(accounts::routes::create_key).service(accounts::routes::list_keys).service(accounts::routes::revoke_key);
    to.service(people::routes::create)
        .service(people::routes::list)
        .service(people::routes::show)
        .service(people::routes::change)
        .service(people::routes::delete)
        .service(people::routes::reset)
        .service(people::routes::list_sessions)
        .service(people::routes::end_session)
        .service(people::routes::end_sessions);
    to.service(settings::list).service(nodes::list).service(nodes::drain);
    to.service(dialects::routes::list).service(dialects::routes::show);
    to.service(event_types::routes::list)
        .service(event_types::routes::create)
        .service(event_types::loading::load)
        .service(event_types::routes::validate)
        .service(event_types::routes::show)
        .service(event_types::routes::change)
        .service(event_types::routes::delete);
    to.service(docs::routes::index).service(docs::routes::show).service(docs::routes::reference);
    to.service(docs::routes::tutorial).service(docs::routes::peers).service(docs::routes::schema);
    to.service(guard::explain);
    to.service(health::routes::live)
        .service(health::routes::ready)
        .service(health::metrics::metrics)
        .service(openapi::routes::show);
}

/// The OpenAPI document of the native API, without a server: as `/openapi.json` shows it.
pub fn document() -> serde_json::Value {
    let app = App::new().into_utoipa_app().openapi(described::base());
    described::complete(&app.configure(|to| routes(to)).split_for_parts().1)
}

/// The app of one worker: all routes, the `pages` beside them, what they share, and an answer for every other path.
pub fn app(
    api: web::Data<Api>,
    pages: fn(&mut web::ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    api.described.get_or_init(|| Described::of(document));
    App::new()
        .wrap(from_fn(door::gate::pass))
        .wrap(from_fn(door::counting::count))
        .configure(routes)
        .configure(docs::routes::pages)
        .configure(pages)
        .app_data(api)
        .default_service(web::to(face::answer))
}
