//! The rows of the table of tools that are about who may do what: accounts, keys, users, and what they did.

use super::table::Kind::{Act, Gone, One, Rows, Write};
use super::table::{Flag, Holds, Noun, flag, long, plain, state, text, verb, when};

const NAME: Flag = text("name", "name", "A name, for people");
const DIALECT: Flag = text("dialect", "dialect", "The contract of its webhooks");
const TAGS: Flag = flag("tags", "tag", Holds::Texts, "A tag; give it once for each");

pub static ACCOUNTS: Noun = Noun {
    name: "accounts",
    one: "account",
    about: "Tenants, and what they may have; for the operator",
    examples: "  hookwheel accounts create \"Acme\" --id acme\n  hookwheel accounts usage acme",
    verbs: &[
        verb("list", Rows, "accounts.list", "List accounts, the newest first")
            .taking(&[text("tag", "tag", "With this tag"), text("text", "text", "With this in their id or name")])
            .showing(&[
                plain("id", "id", 0),
                long("name", "name", 1),
                plain("dialect", "dialect", 2),
                plain("tags", "tags", 4),
                when("created", "created_at", 3),
            ]),
        verb("show", One, "accounts.get", "Show an account"),
        verb("usage", One, "accounts.usage.get", "Show what an account has used of what it may have"),
        verb("create", Write, "accounts.create", "Make an account").taking(&[
            text("name", "NAME", "Its name"),
            text("id", "id", "Its id [default: one is made]"),
            DIALECT,
            TAGS,
        ]),
        verb("edit", Write, "accounts.change", "Change an account: what is not said stays")
            .taking(&[NAME, DIALECT, TAGS]),
        verb("delete", Gone, "accounts.delete", "Delete accounts, and all that there is of them"),
    ],
};

pub static KEYS: Noun = Noun {
    name: "keys",
    one: "key",
    about: "API keys of an account: yours, or --account's",
    examples: "  hookwheel keys list\n  hookwheel keys create --scope publish --name backend --account acme",
    verbs: &[
        verb("list", Rows, "accounts.keys.list", "List keys, the oldest first").showing(&[
            plain("id", "id", 0),
            plain("scopes", "scopes", 0),
            long("name", "name", 1),
            when("last used", "last_used_at", 2),
            when("expires", "expires_at", 4),
            when("created", "created_at", 3),
        ]),
        verb("create", Write, "accounts.keys.create", "Make a key; it is shown this once").taking(&[
            flag(
                "scopes",
                "scope",
                Holds::Texts,
                "What it may do: publish, manage, read or admin; give it once for each",
            ),
            NAME,
            text("expires_at", "expires-at", "When it ends (RFC 3339)"),
        ]),
        verb("delete", Gone, "accounts.keys.revoke", "Revoke keys: they are refused from now on"),
    ],
};

pub static USERS: Noun = Noun {
    name: "users",
    one: "user",
    about: "People who look at an account's pages",
    examples: "  hookwheel users create ann@example.com --role viewer\n  hookwheel users list",
    verbs: &[
        verb("list", Rows, "users.list", "List the users of an account").showing(&[
            plain("id", "id", 0),
            long("email", "email", 0),
            plain("role", "role", 0),
            state("state", "state"),
            plain("second factor", "second_factor", 3),
            when("logged in", "logged_in_at", 1),
            long("name", "name", 2),
        ]),
        verb("show", One, "users.get", "Show a user"),
        verb("create", Write, "users.create", "Invite a user; the link is shown this once").taking(&[
            text("email", "EMAIL", "Where to write to"),
            NAME,
            text("role", "role", "What the user may do, such as viewer"),
        ]),
        verb("edit", Write, "users.change", "Change a user's name or role, or lock the user out").taking(&[
            NAME,
            text("role", "role", "What the user may do"),
            flag("disabled", "disabled", Holds::Yes, "The user may not log in (--set disabled=false lets in again)"),
        ]),
        verb("delete", Gone, "users.delete", "Remove users, with all sessions and links"),
        verb("reset", Act, "users.links.create", "Make a link with which a user sets another password"),
        verb("sessions", Rows, "users.sessions.list", "List the sessions of a user that go on"),
        verb("log-out", Gone, "users.sessions.delete", "End all sessions of users"),
    ],
};

pub static AUDIT: Noun = Noun {
    name: "audit",
    one: "entry",
    about: "Who changed what, when and from where",
    examples: "  hookwheel audit list --limit 20\n  hookwheel audit list --action webhook.deleted --json",
    verbs: &[verb("list", Rows, "audit.list", "List who changed what, the newest first")
        .taking(&[
            text("action", "action", "What was done, such as webhook.created"),
            text("target", "target", "To what it was done"),
            text("from", "from", "From this time on (RFC 3339)"),
            text("to", "to", "Before this time (RFC 3339)"),
        ])
        .showing(&[
            when("at", "at", 0),
            plain("action", "action", 0),
            plain("target", "target", 1),
            plain("by", "by", 0),
            long("key", "key_name", 2),
            plain("address", "address", 3),
        ])],
};
