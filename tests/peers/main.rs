//! What `/docs/peers` says that can be done here, done: for each row of its table a test does it over sockets and looks at what
//! comes of it. What stays true: a row without a test fails, and so does one that names an operation which its test does not do,
//! or one of ours that no row knows.

mod accounts;
mod deliveries;
mod events;
mod kit;
mod polling;
mod publishing;
mod server;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod types;
mod webhooks;

use std::collections::BTreeSet;

use hookwheel::api;
use hookwheel::docs::Peers;
use support::{Stage, contract};

/// A test for each row, by its words.
macro_rules! rows {
    ($($what:literal => $part:ident::$name:ident,)+) => {
        /// The rows that are tried.
        const TRIED: &[&str] = &[$($what),+];
        $(
            #[test]
            fn $name() {
                tried($what, $part::$name);
            }
        )+
    };
}

rows! {
    "Publish an event" => publishing::publish_an_event,
    "Publish to all endpoints of one owner" => publishing::publish_to_all_endpoints_of_one_owner,
    "Publish to all accounts" => publishing::publish_to_all_accounts,
    "Ask whether anybody wants an event" => publishing::ask_whether_anybody_wants_an_event,
    "List events" => events::list_events,
    "Find events by what they say" => events::find_events_by_what_they_say,
    "Count the events of a type" => events::count_the_events_of_a_type,
    "Look at an event" => events::look_at_an_event,
    "See where an event went" => events::see_where_an_event_went,
    "Replay an event" => events::replay_an_event,
    "Replay many events" => events::replay_many_events,
    "Count what a bulk call would do" => events::count_what_a_bulk_call_would_do,
    "Remove what an event says" => events::remove_what_an_event_says,
    "Remove what many events say" => events::remove_what_many_events_say,
    "List event types" => types::list_event_types,
    "Look at an event type" => types::look_at_an_event_type,
    "Describe an event type" => types::describe_an_event_type,
    "Change an event type" => types::change_an_event_type,
    "Retire an event type" => types::retire_an_event_type,
    "Import event types from OpenAPI" => types::import_event_types_from_openapi,
    "Register a webhook" => webhooks::register_a_webhook,
    "Register many webhooks" => webhooks::register_many_webhooks,
    "List webhooks" => webhooks::list_webhooks,
    "Count webhooks" => webhooks::count_webhooks,
    "Look at a webhook" => webhooks::look_at_a_webhook,
    "Change a webhook" => webhooks::change_a_webhook,
    "Delete a webhook" => webhooks::delete_a_webhook,
    "Turn a webhook off and on" => webhooks::turn_a_webhook_off_and_on,
    "Pause a webhook" => webhooks::pause_a_webhook,
    "Show a secret" => webhooks::show_a_secret,
    "Rotate a secret" => webhooks::rotate_a_secret,
    "See how a webhook does" => webhooks::see_how_a_webhook_does,
    "See what holds a webhook back" => webhooks::see_what_holds_a_webhook_back,
    "Send a test event" => webhooks::send_a_test_event,
    "Send headers of one's own" => settings::send_headers_of_ones_own,
    "Authenticate at an endpoint by OAuth 2" => settings::authenticate_at_an_endpoint_by_oauth_2,
    "Try the authentication" => settings::try_the_authentication,
    "Show a client certificate, trust an authority" => settings::show_a_client_certificate_trust_an_authority,
    "Let only some events through" => settings::let_only_some_events_through,
    "Try a filter" => settings::try_a_filter,
    "Send something else than the event says" => settings::send_something_else_than_the_event_says,
    "Try a transformation" => settings::try_a_transformation,
    "List deliveries" => deliveries::list_deliveries,
    "List the deliveries of a webhook" => deliveries::list_the_deliveries_of_a_webhook,
    "Count the deliveries of a webhook" => deliveries::count_the_deliveries_of_a_webhook,
    "Look at a delivery" => deliveries::look_at_a_delivery,
    "Look at an attempt" => deliveries::look_at_an_attempt,
    "Deliver again" => deliveries::deliver_again,
    "Deliver again what failed for good" => deliveries::deliver_again_what_failed_for_good,
    "Deliver again what has succeeded" => deliveries::deliver_again_what_has_succeeded,
    "Deliver again to one webhook, by type and time" => deliveries::deliver_again_to_one_webhook_by_type_and_time,
    "Recover what failed since a time" => deliveries::recover_what_failed_since_a_time,
    "Deliver what a webhook has missed" => deliveries::deliver_what_a_webhook_has_missed,
    "Cancel what waits" => deliveries::cancel_what_waits,
    "Follow a bulk call" => deliveries::follow_a_bulk_call,
    "Take deliveries by polling" => polling::take_deliveries_by_polling,
    "Say what was handled" => polling::say_what_was_handled,
    "Poll again from an earlier time" => polling::poll_again_from_an_earlier_time,
    "Give a poller a key" => polling::give_a_poller_a_key,
    "Create an account" => accounts::create_an_account,
    "List accounts" => accounts::list_accounts,
    "Look at an account" => accounts::look_at_an_account,
    "Change an account" => accounts::change_an_account,
    "Delete an account" => accounts::delete_an_account,
    "Make a key" => accounts::make_a_key,
    "Make a key that may only publish" => accounts::make_a_key_that_may_only_publish,
    "List keys" => accounts::list_keys,
    "Revoke a key" => accounts::revoke_a_key,
    "Ask whose key it is" => accounts::ask_whose_key_it_is,
    "Let another service manage the webhooks" => accounts::let_another_service_manage_the_webhooks,
    "See quotas, and what is used of them" => accounts::see_quotas_and_what_is_used_of_them,
    "Count events and attempts over time" => accounts::count_events_and_attempts_over_time,
    "Export how things are set up" => accounts::export_how_things_are_set_up,
    "Set things up from a file" => accounts::set_things_up_from_a_file,
    "Open a portal for the product's users" => accounts::open_a_portal_for_the_products_users,
    "Manage organisations and their members" => accounts::manage_organisations_and_their_members,
    "Be told by a webhook when something is wrong" => server::be_told_by_a_webhook_when_something_is_wrong,
    "Be told by e-mail" => server::be_told_by_e_mail,
    "Ask whether the server lives" => server::ask_whether_the_server_lives,
    "See how the server is configured" => server::see_how_the_server_is_configured,
    "List the errors that there are" => server::list_the_errors_that_there_are,
}

/// Does what the row says, and holds it against what the row says that it is done with.
#[track_caller]
fn tried(what: &str, act: fn(&mut Stage)) {
    let peers = Peers::known();
    let row = peers.rows().find(|row| row.what == what).unwrap_or_else(|| panic!("{what:?} is no row"));
    let mut stage = Stage::start(&[]);
    act(&mut stage);
    let done = contract::done();
    let missing: Vec<&String> = row.ours.iter().filter(|id| !done.contains(*id)).collect();
    assert!(missing.is_empty(), "{what}: the row names {missing:?}, which its test did not do; it did {done:?}");
    assert!(stage.server.terminate().success());
}

#[test]
fn every_row_is_tried() {
    let peers = Peers::known();
    let here: Vec<&str> = peers.rows().filter(|row| !row.ours.is_empty()).map(|row| row.what.as_str()).collect();
    let missing: Vec<_> = here.iter().filter(|what| !TRIED.contains(what)).collect();
    assert!(missing.is_empty(), "rows without a test: {missing:?}");
    assert_eq!((here.len(), here.iter().collect::<BTreeSet<_>>().len()), (TRIED.len(), TRIED.len()), "one each");
}

#[test]
fn every_operation_of_ours_is_in_the_table_and_none_that_is_not_there() {
    let document = api::document();
    let items = document["paths"].as_object().expect("paths").values().filter_map(|item| item.as_object());
    let operations: BTreeSet<&str> =
        items.flat_map(|item| item.values()).filter_map(|operation| operation["operationId"].as_str()).collect();
    let peers = Peers::known();
    let in_rows: BTreeSet<&str> = peers.rows().flat_map(|row| &row.ours).map(String::as_str).collect();
    let alone: Vec<&str> = peers.alone.iter().flat_map(|one| &one.ours).map(String::as_str).collect();
    let both: Vec<_> = alone.iter().filter(|id| in_rows.contains(*id)).collect();
    assert!(both.is_empty(), "in a row, and said to be ours alone: {both:?}");
    let told: BTreeSet<&str> = in_rows.iter().chain(&alone).copied().collect();
    assert_eq!(told.difference(&operations).collect::<Vec<_>>(), [&""; 0], "not in /openapi.json");
    assert_eq!(operations.difference(&told).collect::<Vec<_>>(), [&""; 0], "neither in a row nor ours alone");
}

#[test]
fn the_page_shows_each_row_and_each_name() {
    let mut stage = Stage::start(&[]);
    let mut page = |format: &str| {
        let reply = stage.client.get(&format!("/docs/peers?format={format}"));
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.message.body).expect("UTF-8")
    };
    let (first, markdown) = (page("html"), page("markdown"));
    // The table is several pages; the first one leads to all of them.
    let mut parts: Vec<&str> = first.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    parts.retain(|to| to.starts_with("/docs/peers/") && !to.contains('#'));
    parts.sort_unstable();
    parts.dedup();
    let mut html = first.clone();
    for part in parts {
        let reply = stage.client.get(part);
        assert_eq!(reply.status, 200, "{part}");
        html.push_str(&String::from_utf8(reply.message.body).expect("UTF-8"));
    }
    let peers = Peers::known();
    for row in peers.rows() {
        let shown = format!("\n| {} | ", row.what.replace('|', "\\|"));
        assert_eq!(markdown.matches(&shown).count(), 1, "{}", row.what);
        for id in row.ours.iter().chain(row.theirs.values().flatten()) {
            assert!(markdown.contains(&format!("`{id}`")) && html.contains(&format!("<code>{id}</code>")), "{id}");
        }
    }
    let index = stage.client.get("/docs?format=markdown");
    assert!(String::from_utf8_lossy(&index.message.body).contains("(</docs/peers>)"), "the index leads there");
}
