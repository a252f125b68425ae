//! The table of tools: each noun and verb of the command line that is an operation of the API. What stays true: what a verb
//! takes and shows stands here and nowhere else, so help, flags, tables and JSON are alike for all of them.

use super::people::{ACCOUNTS, AUDIT, KEYS, USERS};
use super::table::Kind::{Act, Gone, Many, One, Rows, Write};
use super::table::{Column, Flag, Holds, Noun, flag, long, number, plain, share, state, text, verb, when};

/// All of them, in the order of the help.
pub const NOUNS: &[&Noun] = &[
    &WEBHOOKS,
    &EVENTS,
    &DELIVERIES,
    &DEAD_LETTERS,
    &JOBS,
    &EVENT_TYPES,
    &DIALECTS,
    &ACCOUNTS,
    &KEYS,
    &USERS,
    &AUDIT,
    &NODES,
];

const FROM: Flag = text("from", "from", "From this time on (RFC 3339)");
const TO: Flag = text("to", "to", "Before this time (RFC 3339)");
const WEBHOOK: Flag = text("webhook", "webhook", "Of this webhook");
const EVENT_TYPE: Flag = text("event_type", "event-type", "Of this event type, such as task.created or task.*");

const NAME: Flag = text("name", "name", "Its name, for people");
const DESCRIPTION: Flag = text("description", "description", "What it is for");
const DIALECT: Flag = text("dialect", "dialect", "The contract that it is served by [default: the account's]");
const EVENTS_WANTED: Flag = flag("events", "events", Holds::Texts, "What it wants: task.created, task.* or *");
const TAGS: Flag = flag("tags", "tag", Holds::Texts, "A tag; give it once for each");
const UID: Flag = text("uid", "uid", "An id of your own for it");
const TIMEOUT: Flag = flag("timeout", "timeout", Holds::Number, "Seconds that an attempt may take");
const IN_FLIGHT: Flag = flag("max_in_flight", "max-in-flight", Holds::Number, "Deliveries that may be out at once");
const FILTER: Flag = text("filter", "filter", "A condition on the event, such as $.data.total > 100");

static WEBHOOKS: Noun = Noun {
    name: "webhooks",
    one: "webhook",
    about: "Endpoints that want events: list, make, change, pause and test them",
    examples: "  hookwheel webhooks list --status disabled\n  \
               hookwheel webhooks create https://example.com/hook --events 'task.*'",
    verbs: &[
        verb("list", Rows, "webhooks.list", "List webhooks, the newest first")
            .taking(&[
                text("text", "text", "With this in their URL, name or id"),
                text("url", "endpoint", "With this in their URL"),
                text("event_type", "event-type", "That want this event type"),
                text("status", "status", "active, unverified, paused or disabled"),
                text("dialect", "dialect", "Of this dialect"),
                text("tag", "tag", "With this tag"),
                text("channel", "channel", "Of this channel"),
                text("uid", "uid", "With this id of your own"),
            ])
            .showing(&[
                plain("id", "id", 0),
                state("status", "status"),
                long("url", "url", 0),
                long("events", "events", 4),
                share("success", "success_rate", 3),
                number("open", "open", 2),
                number("dead", "dead", 5),
                when("last attempt", "last_attempt_at", 6),
                plain("dialect", "dialect", 8),
                long("name", "name", 7),
            ]),
        verb("show", One, "webhooks.get", "Show a webhook, and how its deliveries stand"),
        verb("create", Write, "webhooks.create", "Register a webhook").taking(&[
            text("url", "ENDPOINT", "Where deliveries go"),
            EVENTS_WANTED,
            DIALECT,
            NAME,
            DESCRIPTION,
            TIMEOUT,
            IN_FLIGHT,
            FILTER,
            UID,
            TAGS,
        ]),
        verb("edit", Write, "webhooks.change", "Change a webhook: what is not said stays").taking(&[
            text("url", "endpoint", "Where deliveries go"),
            EVENTS_WANTED,
            NAME,
            DESCRIPTION,
            TIMEOUT,
            IN_FLIGHT,
            FILTER,
            TAGS,
        ]),
        verb("delete", Many, "webhooks.bulk.delete", "Delete webhooks; their open deliveries are cancelled").taking(&[
            text("url", "endpoint", "With this in their URL"),
            text("event_type", "event-type", "That want this event type"),
            text("status", "status", "active, unverified, paused or disabled"),
            text("tag", "tag", "With this tag"),
            flag("all", "all", Holds::Yes, "All of the account"),
        ]),
        verb("test", Act, "webhooks.test", "Send a webhook a test event, and show what it answers").taking(&[text(
            "event_type",
            "event-type",
            "Of this event type [default: the dialect's]",
        )]),
        verb("check", Act, "webhooks.check", "Call a webhook's endpoint to see how it is"),
        verb("verify", Act, "webhooks.verify", "Ask an endpoint again whether it wants deliveries"),
        verb("pause", Act, "webhooks.pause", "Hold a webhook's deliveries").taking(&[
            flag("seconds", "seconds", Holds::Number, "For so long"),
            text("until", "until", "Until this time (RFC 3339)"),
        ]),
        verb("resume", Act, "webhooks.resume", "Let the deliveries of a paused webhook out again"),
        verb("disable", Act, "webhooks.disable", "Hold a webhook's deliveries until it is enabled")
            .taking(&[text("reason", "reason", "Why")]),
        verb("enable", Act, "webhooks.enable", "Let the deliveries of a disabled webhook out again"),
        verb("discard", Many, "webhooks.discard", "Cancel a webhook's open deliveries").taking(&[EVENT_TYPE, FROM, TO]),
        verb("secret", One, "webhooks.secret.get", "Show what a webhook signs with"),
        verb(
            "rotate-secret",
            Act,
            "webhooks.secret.rotate",
            "Give a webhook a new secret; the old one signs beside it",
        )
        .taking(&[flag("overlap_seconds", "overlap-seconds", Holds::Number, "How long the old one signs")]),
    ],
};

static EVENTS: Noun = Noun {
    name: "events",
    one: "event",
    about: "What was published, and what became of it",
    examples: "  hookwheel events list --type 'task.*' --limit 20\n  hookwheel events show my-event-1",
    verbs: &[
        verb("list", Rows, "events.list", "List events, the newest first")
            .taking(&[
                text("type", "type", "Of this type, such as task.created or task.*"),
                text("id", "id", "With this id"),
                text("channel", "channel", "Of this channel"),
                text("filter", "filter", "That this condition is true of"),
                FROM,
                TO,
            ])
            .showing(&[
                plain("id", "id", 0),
                long("type", "type", 0),
                number("webhooks", "webhooks", 0),
                when("accepted", "accepted_at", 1),
                plain("test", "test", 3),
                when("purged", "purged_at", 2),
            ]),
        verb("show", One, "events.get", "Show an event with its data and its deliveries")
            .with_inner("deliveries", DELIVERY_COLUMNS),
        verb("deliveries", Rows, "events.deliveries.list", "List an event's deliveries").showing(DELIVERY_COLUMNS),
        verb("audience", Rows, "events.audience.list", "Say which webhooks got an event, and why the others did not")
            .showing(&[
                plain("webhook", "webhook_id", 0),
                state("status", "status"),
                plain("got", "got", 0),
                plain("why", "why", 0),
                state("state", "state"),
                long("name", "name", 1),
                plain("delivery", "delivery_id", 2),
            ]),
        verb("delete", Many, "events.bulk.delete", "Delete events, with their deliveries").taking(EVENTS_CHOSEN),
        verb("purge", Many, "events.bulk.purge", "Purge the payload of events, and keep their history")
            .taking(EVENTS_CHOSEN),
    ],
};

const EVENTS_CHOSEN: &[Flag] = &[text("type", "type", "Of this type, such as task.*; * is all of them"), FROM, TO];

const DELIVERY_COLUMNS: &[Column] = &[
    plain("id", "id", 0),
    state("state", "state"),
    long("type", "event_type", 1),
    number("tries", "attempt_count", 3),
    number("code", "status_code", 2),
    when("tried", "attempted_at", 4),
    when("next", "next_attempt_at", 5),
    long("error", "error", 6),
    plain("webhook", "webhook_id", 7),
    plain("event", "event_id", 8),
];

static DELIVERIES: Noun = Noun {
    name: "deliveries",
    one: "delivery",
    about: "One event for one webhook, with each attempt; `replay` delivers again",
    examples: "  hookwheel deliveries list --state dead\n  hookwheel deliveries list --webhook ID --status-code 5xx --json",
    verbs: &[
        verb("list", Rows, "deliveries.list", "List deliveries, the newest first")
            .taking(&[
                WEBHOOK,
                EVENT_TYPE,
                text("state", "state", "pending, scheduled, held, succeeded, dead or cancelled"),
                text("status_code", "status-code", "Whose last attempt was answered so: 503 or 5xx"),
                text("outcome", "outcome", "Whose last attempt ended so, such as timeout"),
                text("cause", "cause", "Made by this: accept or replay"),
                text("order_key", "order-key", "Of this order key"),
                FROM,
                TO,
            ])
            .showing(DELIVERY_COLUMNS),
        verb("show", One, "deliveries.get", "Show a delivery with all of its attempts").with_inner(
            "attempts",
            &[
                number("number", "number", 0),
                when("started", "started_at", 0),
                plain("outcome", "outcome", 0),
                number("code", "status_code", 0),
                number("ms", "response_time_ms", 1),
                long("error", "error", 2),
            ],
        ),
        verb("attempt", One, "deliveries.attempts.get", "Show one attempt, with what was sent and answered"),
    ],
};

static DEAD_LETTERS: Noun = Noun {
    name: "dead-letters",
    one: "dead letter",
    about: "Deliveries that used up their retries: replay or discard them",
    examples: "  hookwheel dead-letters list\n  hookwheel dead-letters replay --webhook ID --yes",
    verbs: &[
        verb("list", Rows, "dead_letters.list", "List dead letters, the newest first")
            .taking(&[WEBHOOK, EVENT_TYPE, FROM, TO])
            .showing(DELIVERY_COLUMNS),
        verb("replay", Many, "dead_letters.replay", "Deliver dead letters again").taking(LETTERS_CHOSEN),
        verb("discard", Many, "dead_letters.discard", "Take dead letters off the list").taking(LETTERS_CHOSEN),
    ],
};

const LETTERS_CHOSEN: &[Flag] = &[WEBHOOK, EVENT_TYPE, FROM, TO, flag("", "all", Holds::Yes, "All of the account")];

static JOBS: Noun = Noun {
    name: "jobs",
    one: "job",
    about: "Bulk work that goes on in the server: how far it is, and how to stop it",
    examples: "  hookwheel jobs list\n  hookwheel jobs show ID --json",
    verbs: &[
        verb("list", Rows, "jobs.list", "List bulk jobs, the newest first").showing(&[
            plain("id", "id", 0),
            state("state", "state"),
            plain("kind", "kind", 0),
            plain("of", "of", 1),
            number("done", "done", 0),
            number("skipped", "skipped", 3),
            when("created", "created_at", 2),
            when("ended", "ended_at", 4),
        ]),
        verb("show", One, "jobs.get", "Show a bulk job"),
        verb("cancel", Act, "jobs.cancel", "Stop a bulk job; what it has done stays done"),
    ],
};

static EVENT_TYPES: Noun = Noun {
    name: "event-types",
    one: "event type",
    about: "What may be published: the account's own types and those of its contract",
    examples: "  hookwheel event-types list\n  hookwheel event-types show task.created --json",
    verbs: &[
        verb("list", Rows, "event_types.list", "List event types: the account's own, then its contract's")
            .taking(&[text("dialect", "dialect", "That this contract documents")])
            .showing(&[
                plain("type", "type", 0),
                long("description", "description", 1),
                plain("dialect", "dialect", 2),
                when("retired", "retired_at", 3),
            ]),
        verb("show", One, "event_types.get", "Show an event type, with its sample and its schema"),
        verb("create", Write, "event_types.create", "Write down an event type of the account's own")
            .taking(&[text("type", "TYPE", "The type, such as task.created"), DESCRIPTION]),
        verb("edit", Write, "event_types.change", "Change an event type of the account's own, or retire it")
            .taking(&[DESCRIPTION, flag("retired", "retired", Holds::Yes, "Nobody may publish it any more")]),
        verb("delete", Gone, "event_types.delete", "Delete event types of the account's own"),
    ],
};

static DIALECTS: Noun = Noun {
    name: "dialects",
    one: "dialect",
    about: "The contracts that the server serves; `dialect` works on their files",
    examples: "  hookwheel dialects list\n  hookwheel dialects show standard --json",
    verbs: &[
        verb("list", Rows, "dialects.list", "List the dialects that are served, by name").showing(&[
            plain("name", "name", 0),
            long("title", "title", 0),
            number("events", "events", 1),
            number("timeout", "timeout_seconds", 3),
            plain("docs", "docs", 2),
        ]),
        verb("show", One, "dialects.get", "Show a dialect"),
    ],
};

static NODES: Noun = Noun {
    name: "nodes",
    one: "node",
    about: "The servers that share a store in a database, and which of them owns it",
    examples: "  hookwheel nodes list\n  hookwheel nodes drain one",
    verbs: &[
        verb("list", Rows, "server.nodes.list", "List the nodes that share the store, by name").showing(&[
            plain("name", "name", 0),
            state("state", "state"),
            plain("address", "address", 1),
            number("lease ms", "lease_ms", 4),
            number("sent", "carried", 3),
            when("seen", "seen_at", 2),
        ]),
        verb("drain", Act, "server.nodes.drain", "Let another node own the store; the node stands by then"),
    ],
};
