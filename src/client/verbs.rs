//! What can be asked of the API, one method an operation, named as the document names it: `webhooks.secret.rotate` is
//! `client.webhooks_secret().rotate(…)`. What stays true: the table is the document's (`tests/clients.rs`), and what a reply
//! holds as `data` is what a method gives.

use awc::http::Method;
use serde_json::Value;

use super::asked::Asked;
use super::calling::Client;
use super::error::Error;
use super::pages::Pages;

/// Names and values of a query. What is left out is the server's choice.
pub type Query<'a> = &'a [(&'a str, &'a str)];

macro_rules! parts {
    ($(
        $(#[$about:meta])+
        $part:ident $Part:ident {
            $($(#[$told:meta])+ $id:literal $verb:ident $method:ident $path:literal ($($arg:ident),*) $kind:ident;)+
        }
    )+) => {
        /// The operations that have a method made of this table: id, method and path, as the document has them.
        pub const OPERATIONS: &[(&str, &str, &str)] = &[$($(($id, stringify!($method), $path)),+),+];

        impl Client {
            $($(#[$about])+ pub fn $part(&self) -> $Part<'_> { $Part(self) })+
        }

        $(
            $(#[$about])+
            #[derive(Clone, Copy)]
            pub struct $Part<'c>(pub(super) &'c Client);

            impl<'c> $Part<'c> {
                $(parts!(@$kind $(#[$told])+ $verb $method $path ($($arg),*));)+
            }
        )+
    };
    (@plain $(#[$told:meta])+ $verb:ident $method:ident $path:literal ($($arg:ident),*)) => {
        $(#[$told])+
        ///
        /// # Errors
        /// No answer, or one that it cannot be done.
        pub async fn $verb(&self, $($arg: &str),*) -> Result<Value, Error> {
            self.0.ask(Asked::new(Method::$method, $path, &[$((stringify!($arg), $arg)),*])).await
        }
    };
    (@body $(#[$told:meta])+ $verb:ident $method:ident $path:literal ($($arg:ident),*)) => {
        $(#[$told])+
        ///
        /// # Errors
        /// No answer, or one that it cannot be done.
        pub async fn $verb(&self, $($arg: &str,)* fields: &Value) -> Result<Value, Error> {
            self.0.ask(Asked::new(Method::$method, $path, &[$((stringify!($arg), $arg)),*]).with_body(fields)).await
        }
    };
    (@once $(#[$told:meta])+ $verb:ident $method:ident $path:literal ($($arg:ident),*)) => {
        $(#[$told])+
        ///
        /// Tried again under the same `idempotency_key`, for a day, it is still done once; where none is given, one is made.
        ///
        /// # Errors
        /// No answer, or one that it cannot be done.
        pub async fn $verb(
            &self,
            $($arg: &str,)*
            fields: &Value,
            idempotency_key: Option<&str>,
        ) -> Result<Value, Error> {
            let asked = Asked::new(Method::$method, $path, &[$((stringify!($arg), $arg)),*]).with_body(fields);
            self.0.ask(asked.once(idempotency_key)).await
        }
    };
    (@many $(#[$told:meta])+ $verb:ident $method:ident $path:literal ($($arg:ident),*)) => {
        $(#[$told])+
        ///
        /// # Errors
        /// No answer, or one that it cannot be done.
        pub async fn $verb(&self, $($arg: &str,)* rows: &Value, query: Query<'_>) -> Result<Value, Error> {
            let asked = Asked::new(Method::$method, $path, &[$((stringify!($arg), $arg)),*]);
            self.0.ask(asked.with_query(query).with_body(rows)).await
        }
    };
    (@query $(#[$told:meta])+ $verb:ident $method:ident $path:literal ($($arg:ident),*)) => {
        $(#[$told])+
        ///
        /// # Errors
        /// No answer, or one that it cannot be done.
        pub async fn $verb(&self, $($arg: &str,)* query: Query<'_>) -> Result<Value, Error> {
            self.0.ask(Asked::new(Method::$method, $path, &[$((stringify!($arg), $arg)),*]).with_query(query)).await
        }
    };
    (@pages $(#[$told:meta])+ $verb:ident $method:ident $path:literal ($($arg:ident),*)) => {
        $(#[$told])+
        pub fn $verb(&self, $($arg: &str,)* query: Query<'_>) -> Pages<'c> {
            Pages::new(self.0, Asked::new(Method::$method, $path, &[$((stringify!($arg), $arg)),*]), query)
        }
    };
}

parts! {
    /// Facts that a product tells of: published once, and looked up with what became of them.
    events Events {
        /// List events, newest first.
        "events.list" list GET "/api/v1/events" () pages;
        /// Show an event with its data and its deliveries.
        "events.get" get GET "/api/v1/events/{id}" (id) plain;
        /// Delete an event, with its deliveries and all that is kept of them.
        "events.delete" delete DELETE "/api/v1/events/{id}" (id) plain;
        /// Purge an event's payload, and keep its history.
        "events.purge" purge POST "/api/v1/events/{id}/purge" (id) plain;
        /// Deliver an event again, to all webhooks that want it now.
        "events.replay" replay POST "/api/v1/events/{id}/replay" (id) once;
        /// Publish an event to all accounts, or to those with a tag.
        "events.broadcast" broadcast POST "/api/v1/events/broadcast" () once;
    }
    /// Many events at once.
    events_bulk EventsBulk {
        /// Delete many events: those of `ids`, or those that a filter selects.
        "events.bulk.delete" delete POST "/api/v1/events/delete" () body;
        /// Purge the payload of many events: those of `ids`, or those that a filter selects.
        "events.bulk.purge" purge POST "/api/v1/events/purge" () body;
    }
    /// Who got an event.
    events_audience EventsAudience {
        /// List which webhooks got an event, and why the others did not.
        "events.audience.list" list GET "/api/v1/events/{id}/audience" (id) pages;
    }
    /// Deliveries of an event.
    events_deliveries EventsDeliveries {
        /// List an event's deliveries, newest first: replays, then those that were made when it was accepted.
        "events.deliveries.list" list GET "/api/v1/events/{id}/deliveries" (id) pages;
    }
    /// Registered endpoints: what they want, how they are served, holding, testing and replaying.
    webhooks Webhooks {
        /// List webhooks, newest first.
        "webhooks.list" list GET "/api/v1/webhooks" () pages;
        /// Register a webhook.
        "webhooks.create" create POST "/api/v1/webhooks" () body;
        /// Show a webhook, and how its deliveries stand.
        "webhooks.get" get GET "/api/v1/webhooks/{id}" (id) plain;
        /// Change a webhook: what is left out stays, null goes back to the dialect's.
        "webhooks.put" put PUT "/api/v1/webhooks/{id}" (id) body;
        /// Delete a webhook; its open deliveries are cancelled.
        "webhooks.delete" delete DELETE "/api/v1/webhooks/{id}" (id) plain;
        /// Change a webhook: the same as PUT.
        "webhooks.change" change PATCH "/api/v1/webhooks/{id}" (id) body;
        /// Send a webhook a test event.
        "webhooks.test" test POST "/api/v1/webhooks/{id}/test" (id) body;
        /// Let the deliveries of a disabled webhook out again.
        "webhooks.enable" enable POST "/api/v1/webhooks/{id}/enable" (id) plain;
        /// Hold the deliveries of a webhook, with a reason.
        "webhooks.disable" disable POST "/api/v1/webhooks/{id}/disable" (id) body;
        /// Hold the deliveries of a webhook for a while, or until a time.
        "webhooks.pause" pause POST "/api/v1/webhooks/{id}/pause" (id) body;
        /// Let the deliveries of a paused webhook out again.
        "webhooks.resume" resume POST "/api/v1/webhooks/{id}/resume" (id) plain;
        /// Call a webhook's endpoint to see how it is.
        "webhooks.check" check POST "/api/v1/webhooks/{id}/check" (id) plain;
        /// Ask an endpoint again whether it wants deliveries.
        "webhooks.verify" verify POST "/api/v1/webhooks/{id}/verify" (id) plain;
        /// Deliver again what was delivered in a state and a time, or deliver what never was.
        "webhooks.replay" replay POST "/api/v1/webhooks/{id}/replay" (id) body;
        /// Cancel a webhook's open deliveries.
        "webhooks.discard" discard POST "/api/v1/webhooks/{id}/discard" (id) body;
    }
    /// What is made of events before they are sent.
    shape Shape {
        /// Show what a shape makes of an event.
        "shape.preview" preview POST "/api/v1/shape/try" () body;
    }
    /// Which events webhooks want by what they say.
    filter Filter {
        /// Show whether a webhook with this filter would want an event, and why not.
        "filter.preview" preview POST "/api/v1/filter/try" () body;
    }
    /// Many webhooks at once.
    webhooks_bulk WebhooksBulk {
        /// Delete many webhooks: those of `ids`, or those that a filter selects.
        "webhooks.bulk.delete" delete POST "/api/v1/webhooks/delete" () body;
        /// Make or change many webhooks, an array of them: all or none, or with `("mode", "each")` each by itself.
        "webhooks.bulk.put" put POST "/api/v1/webhooks/batch" () many;
    }
    /// Deliveries that are pulled, each with a lease.
    webhooks_leases WebhooksLeases {
        /// Pull deliveries of a webhook: waits until there are some.
        "webhooks.leases.pull" pull GET "/api/v1/webhooks/{id}/pull" (id) query;
        /// Acknowledge deliveries that were pulled: they are done.
        "webhooks.leases.ack" ack POST "/api/v1/webhooks/{id}/pull/ack" (id) body;
        /// Refuse deliveries that were pulled: they come again by the webhook's schedule.
        "webhooks.leases.nack" nack POST "/api/v1/webhooks/{id}/pull/nack" (id) body;
        /// Extend the leases of deliveries that take longer.
        "webhooks.leases.extend" extend POST "/api/v1/webhooks/{id}/pull/extend" (id) body;
    }
    /// One event for one webhook, with each attempt to deliver it.
    deliveries Deliveries {
        /// List the deliveries of an account, to all of its webhooks.
        "deliveries.list" list GET "/api/v1/deliveries" () pages;
        /// Deliver again what a delivery delivered.
        "deliveries.replay" replay POST "/api/v1/webhooks/{id}/replay/{delivery_id}" (id, delivery_id) plain;
        /// Show a delivery with all of its attempts.
        "deliveries.get" get GET "/api/v1/deliveries/{id}" (id) plain;
    }
    /// Attempts of a delivery.
    deliveries_attempts DeliveriesAttempts {
        /// Show one attempt of a delivery, with the body that was sent.
        "deliveries.attempts.get" get GET "/api/v1/deliveries/{id}/attempts/{number}" (id, number) plain;
    }
    /// What a webhook signs with.
    webhooks_secret WebhooksSecret {
        /// Show a webhook's signing secret, and older ones that still sign.
        "webhooks.secret.get" get GET "/api/v1/webhooks/{id}/secret" (id) plain;
        /// Give a webhook a new signing secret; the old one signs beside it for a while.
        "webhooks.secret.rotate" rotate POST "/api/v1/webhooks/{id}/secret/rotate" (id) body;
    }
    /// Deliveries of a webhook.
    webhooks_deliveries WebhooksDeliveries {
        /// List a webhook's deliveries, newest first.
        "webhooks.deliveries.list" list GET "/api/v1/webhooks/{id}/deliveries" (id) pages;
    }
    /// Deliveries of a webhook that were tried.
    webhooks_logs WebhooksLogs {
        /// List what was sent to a webhook, newest first: deliveries that were tried.
        "webhooks.logs.list" list GET "/api/v1/webhooks/{id}/logs" (id) pages;
    }
    /// Deliveries that used up their retries, until somebody replays or discards them.
    dead_letters DeadLetters {
        /// List dead letters that nobody has handled, newest first.
        "dead_letters.list" list GET "/api/v1/dead-letters" () pages;
        /// Deliver dead letters again, as new deliveries.
        "dead_letters.replay" replay POST "/api/v1/dead-letters/replay" () body;
        /// Take dead letters off the list; the deliveries stay dead in their history.
        "dead_letters.discard" discard POST "/api/v1/dead-letters/discard" () body;
    }
    /// What bulk calls have started, and how far it is.
    jobs Jobs {
        /// List bulk jobs, newest first.
        "jobs.list" list GET "/api/v1/jobs" () pages;
        /// Show a bulk job.
        "jobs.get" get GET "/api/v1/jobs/{id}" (id) plain;
        /// Stop a bulk job; what it has done stays done.
        "jobs.cancel" cancel POST "/api/v1/jobs/{id}/cancel" (id) plain;
    }
    /// Who changed what, when and from where.
    audit Audit {
        /// List who changed what, newest first.
        "audit.list" list GET "/api/v1/audit" () pages;
    }
    /// What the store is encrypted with. For the operator.
    server_master_keys ServerMasterKeys {
        /// Show which master keys are in use.
        "server.master_keys.get" get GET "/api/v1/master-keys" () plain;
        /// Read the master keys again, and encrypt everything with the first of them.
        "server.master_keys.reload" reload POST "/api/v1/master-keys/reload" () plain;
    }
    /// The nodes that share the store. For the operator.
    server_nodes ServerNodes {
        /// List the nodes that share the store.
        "server.nodes.list" list GET "/api/v1/nodes" () pages;
        /// Let another node own the store.
        "server.nodes.drain" drain POST "/api/v1/nodes/{name}/drain" (name) plain;
    }
    /// The clock that retention goes by. For the operator.
    server_retention_clock ServerRetentionClock {
        /// Say that the machine's clock is right.
        "server.retention_clock.trust" trust POST "/api/v1/retention-clock/trust" () plain;
    }
    /// Numbers over time.
    stats Stats {
        /// Show what the account's events and deliveries came to, over time.
        "stats.get" get GET "/api/v1/stats" () query;
    }
    /// Numbers of a webhook over time.
    webhooks_stats WebhooksStats {
        /// Show what a webhook's deliveries came to, over time.
        "webhooks.stats.get" get GET "/api/v1/webhooks/{id}/stats" (id) query;
    }
    /// Tenants, what they may have, and their keys. For the operator.
    accounts Accounts {
        /// List accounts, newest first.
        "accounts.list" list GET "/api/v1/accounts" () pages;
        /// Make an account.
        "accounts.create" create POST "/api/v1/accounts" () body;
        /// Show an account.
        "accounts.get" get GET "/api/v1/accounts/{id}" (id) plain;
        /// Change an account's name, dialect, validation, limits, tags or portal: what is left out stays, a limit that is null goes back to the server's.
        "accounts.change" change PATCH "/api/v1/accounts/{id}" (id) body;
        /// Delete an account, and all that there is of it.
        "accounts.delete" delete DELETE "/api/v1/accounts/{id}" (id) plain;
    }
    /// What an account has used of what it may have.
    accounts_usage AccountsUsage {
        /// Show what an account has used of what it may have.
        "accounts.usage.get" get GET "/api/v1/accounts/{id}/usage" (id) plain;
    }
    /// Who asks.
    accounts_whoami AccountsWhoami {
        /// Show who asks: the key, its scopes, and the account that it acts for.
        "accounts.whoami.get" get GET "/api/v1/whoami" () plain;
    }
    /// Links into an account's portal.
    accounts_portal AccountsPortal {
        /// Make a link into the portal of an account.
        "accounts.portal.create" create POST "/api/v1/accounts/{id}/portal" (id) body;
        /// End all portal sessions of an account, and the links that nobody has used yet.
        "accounts.portal.revoke" revoke DELETE "/api/v1/accounts/{id}/portal" (id) plain;
    }
    /// Keys of an account.
    accounts_keys AccountsKeys {
        /// List the keys of an account, the oldest first.
        "accounts.keys.list" list GET "/api/v1/accounts/{id}/keys" (id) pages;
        /// Make a key of an account; the reply is the only place that shows it.
        "accounts.keys.create" create POST "/api/v1/accounts/{id}/keys" (id) body;
        /// Revoke a key: it is refused from now on.
        "accounts.keys.revoke" revoke DELETE "/api/v1/accounts/{id}/keys/{key_id}" (id, key_id) plain;
    }
    /// People who look at an account's pages. For the operator.
    users Users {
        /// List the users of an account.
        "users.list" list GET "/api/v1/users" () pages;
        /// Invite a user; the reply is the only place that shows the link.
        "users.create" create POST "/api/v1/users" () body;
        /// Show a user.
        "users.get" get GET "/api/v1/users/{id}" (id) plain;
        /// Change a user's name or role, lock the user out, or take away a second factor that is lost.
        "users.change" change PATCH "/api/v1/users/{id}" (id) body;
        /// Remove a user, with all sessions and links.
        "users.delete" delete DELETE "/api/v1/users/{id}" (id) plain;
    }
    /// Links with which users set passwords.
    users_links UsersLinks {
        /// Make a link with which a user sets another password; the reply is the only place that shows it.
        "users.links.create" create POST "/api/v1/users/{id}/reset" (id) plain;
    }
    /// Sessions of users.
    users_sessions UsersSessions {
        /// List the sessions of a user that go on.
        "users.sessions.list" list GET "/api/v1/users/{id}/sessions" (id) pages;
        /// End all sessions of a user.
        "users.sessions.delete" delete DELETE "/api/v1/users/{id}/sessions" (id) plain;
        /// End a session of a user.
        "users.sessions.revoke" revoke DELETE "/api/v1/users/{id}/sessions/{session_id}" (id, session_id) plain;
    }
    /// The server's configuration. For the operator.
    server_settings ServerSettings {
        /// List the server's settings.
        "server.settings.list" list GET "/api/v1/settings" () pages;
    }
    /// The webhook contracts that are served here.
    dialects Dialects {
        /// List the dialects that are served, by name.
        "dialects.list" list GET "/api/v1/dialects" () pages;
        /// Show a dialect.
        "dialects.get" get GET "/api/v1/dialects/{name}" (name) plain;
    }
    /// What may be published: the types that the account has written down and those that its contract documents.
    event_types EventTypes {
        /// List event types: the account's own, the newest first, then those that its contract documents.
        "event_types.list" list GET "/api/v1/event-types" () pages;
        /// Write down an event type of the account's own.
        "event_types.create" create POST "/api/v1/event-types" () body;
        /// Write down the event types that a document describes, all of them or none.
        "event_types.load" load POST "/api/v1/event-types/import" () body;
        /// Show an event type: the account's own, else that of its contract.
        "event_types.get" get GET "/api/v1/event-types/{name}" (name) plain;
        /// Change an event type of the account's own, or retire it.
        "event_types.change" change PATCH "/api/v1/event-types/{name}" (name) body;
        /// Delete an event type of the account's own.
        "event_types.delete" delete DELETE "/api/v1/event-types/{name}" (name) plain;
    }
    /// What is done with events that do not fit.
    event_types_validation EventTypesValidation {
        /// Say what is done with events that do not fit, for all types of the account that do not say it themselves.
        "event_types.validation.change" change PATCH "/api/v1/event-types" () body;
    }
    /// Which addresses deliveries may go to, and why. For the operator.
    guard Guard {
        /// Say where a URL leads and which rules decide about it.
        "guard.explain" explain POST "/api/v1/guard/explain" () body;
    }
}
