//! The disk layout: which trees there are and how their keys are made. This file is the disk format.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `meta` | a word | format version, counters, the greatest id given with the ledger of the groups, where the keeping clock stood |
//! | `accounts` | account | `Account` |
//! | `keys` | SHA-256 of the key | `ApiKey` |
//! | `webhooks` | webhook | `Webhook`, its status included; sealed (`seal`) |
//! | `tallies` | webhook | `Tally`; at 0 the sum of those webhooks that are forgotten |
//! | `events` | account, event id | `Event`; what is beyond 32 KiB lies in `chunks` |
//! | `chunks` | account, event id or body id, n | the n-th further piece, or the n-th of a body |
//! | `names` | account, event name | event id |
//! | `idempotency` | account, SHA-256 of the key | what was accepted with it |
//! | `fresh` | webhook, delivery id | an open delivery that was never tried |
//! | `waiting` | webhook, delivery id | an open delivery that was tried |
//! | `due` | webhook, due time, delivery id | nothing: orders `waiting` |
//! | `closed` | webhook, delivery id | a delivery that has ended |
//! | `attempts` | delivery id, n | the n-th attempt, from the second on |
//! | `replays` | event id, delivery id | nothing: deliveries made after accept |
//! | `ordered` | webhook, order key, delivery id | the open deliveries of each order key, the head first; of a dead one, the replay in its place |
//! | `blocked` | webhook, delivery id | an open delivery that waits behind the head of its order key |
//! | `dead` | account, delivery id | nothing: dead letters that nobody has replayed or discarded |
//! | `jobs` | account, job id | `Job`: a bulk call, and how far it is |
//! | `stats` | 0 or 1, webhook or account, step, time | what was counted in that minute, hour or day |
//! | `account_tallies` | account | what is counted about an account |
//! | `audit` | account, entry id | `AuditEntry`: who changed what; rows are added and, once they are too old, removed |
//! | `quarantine` | name of a tree, 0, a key of it | what lay there and could not be read |
//! | `fan_out` | account, event id, webhook | deliveries of an event that are still to be made, from that webhook on |
//! | `bodies` | account, body id | `Body`: what was written ahead of an event, in `chunks`, and whose it is |
//! | `quiet` | webhook, kind of notice | `Quiet`: what was not told it one by one, and until when |
//! | `event_types` | account, event type | `OwnType`: what the account has written down about it |
//! | `users` | account, user id | `User`: a person who looks at pages; sealed (`seal`) |
//! | `sessions` | account, user id or the account's number, SHA-256 of the token | `Session` |
//! | `tickets` | account, SHA-256 of what the link holds | `Ticket`: a link that is used once |
//! | `journal` | an id | `JournalRow`: what happened in a commit, for who watches; few, and none where nobody does |
//!
//! Each value that is not empty ends with a checksum over its tree, its key and itself (`trees/checksum.rs`).
//!
//! Rows of `events` and `closed` that are neighbours and were written by one group lie in one value, at the key of the first with a byte
//! behind it (`trees/packs.rs`).
//!
//! Numbers are big-endian, so byte order is number order. Ids are time-ordered, so `fresh` is in accept order, the
//! last `closed` is the newest, and the oldest events of an account come first.

use crate::domain::id::{AccountNumber, AuditId, BodyId, DeliveryId, EventId, JobId, UserId, WebhookNumber};
use crate::domain::stats::{Series, Step};
use crate::domain::time::UnixMs;

/// The format that this build writes and reads. A directory of format 4 is brought to it when it is opened
/// (`migration`); formats 1 to 3 were those of builds before the first release.
pub const FORMAT_VERSION: u32 = 13;
/// The one older format that is brought to the present one by copying all rows.
pub const FORMAT_COPIED: u32 = 4;
/// From this format on a directory lacks nothing but trees, in which nothing is, and forms of records that are read beside the
/// old ones: it is of the present one once the trees are made. Builds that do not know them must not open it then.
pub const FORMAT_GROWN: u32 = 5;

/// A stored value, in bytes: what is longer goes on in `chunks`. A leaf of sixteen such values still fits into a log
/// segment, so the store never makes a blob file (which it would not sync).
pub const VALUE_BYTES_MAX: usize = 32 * 1024;

/// The trees. A group commit is one transaction over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Tree {
    Meta,
    Accounts,
    Keys,
    Webhooks,
    Tallies,
    Events,
    Chunks,
    Names,
    Idempotency,
    Fresh,
    Waiting,
    Due,
    Closed,
    Attempts,
    Replays,
    Ordered,
    Blocked,
    Dead,
    Jobs,
    Stats,
    AccountTallies,
    Audit,
    Quarantine,
    /// Behind all that was there before: the sum over all rows knows a tree by its place here.
    FanOut,
    Bodies,
    Quiet,
    EventTypes,
    Users,
    Sessions,
    Tickets,
    Journal,
}

impl Tree {
    /// Every tree and its name on disk, in the order of the enum.
    pub const ALL: [(Tree, &'static str); 31] = [
        (Tree::Meta, "meta"),
        (Tree::Accounts, "accounts"),
        (Tree::Keys, "keys"),
        (Tree::Webhooks, "webhooks"),
        (Tree::Tallies, "tallies"),
        (Tree::Events, "events"),
        (Tree::Chunks, "chunks"),
        (Tree::Names, "names"),
        (Tree::Idempotency, "idempotency"),
        (Tree::Fresh, "fresh"),
        (Tree::Waiting, "waiting"),
        (Tree::Due, "due"),
        (Tree::Closed, "closed"),
        (Tree::Attempts, "attempts"),
        (Tree::Replays, "replays"),
        (Tree::Ordered, "ordered"),
        (Tree::Blocked, "blocked"),
        (Tree::Dead, "dead"),
        (Tree::Jobs, "jobs"),
        (Tree::Stats, "stats"),
        (Tree::AccountTallies, "account_tallies"),
        (Tree::Audit, "audit"),
        (Tree::Quarantine, "quarantine"),
        (Tree::FanOut, "fan_out"),
        (Tree::Bodies, "bodies"),
        (Tree::Quiet, "quiet"),
        (Tree::EventTypes, "event_types"),
        (Tree::Users, "users"),
        (Tree::Sessions, "sessions"),
        (Tree::Tickets, "tickets"),
        (Tree::Journal, "journal"),
    ];

    /// Its name on disk.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Where a webhook's open deliveries lie: those behind another first, so that ending that one sets none of them free.
pub const OPEN: [Tree; 3] = [Tree::Blocked, Tree::Fresh, Tree::Waiting];

/// `meta`: the format version.
pub const META_FORMAT: &[u8] = b"format";
/// `meta`: the greatest id given, the bytes of all events that are kept, and what `trees/ledger` adds: the number of the
/// last group, the chain, the sum of all rows.
pub const META_LAST_ID: &[u8] = b"last_id";
/// `meta`: the greatest webhook number given.
pub const META_LAST_WEBHOOK: &[u8] = b"last_webhook";
/// `meta`: the greatest account number given.
pub const META_LAST_ACCOUNT: &[u8] = b"last_account";
/// `meta`: an event id: no event below it has deliveries whose rows are written late (`late`).
pub const META_LATE: &[u8] = b"late";
/// `meta`: where the keeping clock stood, and at which time since which start of the machine.
pub const META_KEEPING: &[u8] = b"keeping";
/// In [`Tree::Meta`] of a database: a backup is being restored there, and is not whole yet.
pub const META_RESTORING: &[u8] = b"restoring";

/// A key.
pub type Key = Vec<u8>;

/// A key of `parts`, one after the other.
fn joined(parts: &[&[u8]]) -> Key {
    parts.concat()
}

/// `webhooks`, `tallies`, `accounts`: a number. Also the prefix of everything of a webhook or account.
pub fn number(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// The number that a key starts with.
pub fn read_number(key: &[u8]) -> u32 {
    u32::from_be_bytes(key[..4].try_into().expect("a key starts with a number"))
}

/// `fresh`, `waiting`, `closed`.
pub fn delivery(id: DeliveryId) -> Key {
    joined(&[&number(id.webhook()), &id.to_bytes()])
}

/// The first key that comes after `key`.
pub fn just_after(key: &[u8]) -> Key {
    joined(&[key, &[0]])
}

/// The first key that comes after all that start with `prefix`, which has a byte that is not the greatest.
pub fn after_prefix(prefix: &[u8]) -> Key {
    let mut after = prefix.to_vec();
    while after.pop_if(|last| *last == u8::MAX).is_some() {}
    *after.last_mut().expect("a prefix of a kind or number that is not the greatest") += 1;
    after
}

/// The end of all keys that begin with this number, exclusive.
pub fn end_of(first: u32) -> Key {
    first.checked_add(1).map_or_else(end_of_all, |next| number(next).to_vec())
}

/// After every key that there can be.
pub fn end_of_all() -> Key {
    vec![u8::MAX; 64]
}

/// The delivery id that a key ends with.
pub fn read_delivery(key: &[u8]) -> DeliveryId {
    DeliveryId::from_bytes(last_16(key))
}

/// `due`.
pub fn due(at: UnixMs, id: DeliveryId) -> Key {
    joined(&[&number(id.webhook()), &at.to_be_bytes(), &id.to_bytes()])
}

/// `due`: the end of what is due at `now`, exclusive.
pub fn due_end(webhook: WebhookNumber, now: UnixMs) -> Key {
    joined(&[&number(webhook), &(now + 1).to_be_bytes()])
}

/// The time in a `due` key.
pub fn read_due(key: &[u8]) -> UnixMs {
    u64::from_be_bytes(key[4..12].try_into().expect("a due key holds a time"))
}

/// `events`.
pub fn event(account: AccountNumber, id: EventId) -> Key {
    joined(&[&number(account), &id.to_bytes()])
}

/// The event id that a key ends with.
pub fn read_event(key: &[u8]) -> EventId {
    EventId::from_bytes(last_16(key))
}

/// `chunks`: the `n`-th further piece of the event at this key, or the `n`-th of the body.
pub fn chunk(of: &[u8], n: u16) -> Key {
    joined(&[of, &n.to_be_bytes()])
}

/// `bodies`.
pub fn body(account: AccountNumber, id: BodyId) -> Key {
    joined(&[&number(account), &id.to_bytes()])
}

/// The low bits of a body's id, which are zero in an event's: so the key of a piece tells of what it is one.
pub const BODY_NUMBER: u32 = 1;

/// Whether this is the key of a body, or that of an event.
pub fn is_body(key: &[u8]) -> bool {
    key.len() == EVENT_KEY_BYTES && read_id(key) as u32 == BODY_NUMBER
}

/// The bytes of an event's key, and of a body's; those of their pieces go on.
pub const EVENT_KEY_BYTES: usize = 20;

/// The body id that a key ends with.
pub fn read_body(key: &[u8]) -> BodyId {
    BodyId::from_bytes(last_16(key))
}

/// `fan_out`: the part of an event's deliveries that begins with this webhook.
pub fn fan_out(event_key: &[u8], from: WebhookNumber) -> Key {
    joined(&[event_key, &number(from)])
}

/// The event's key and the webhook in a `fan_out` key.
pub fn read_fan_out(key: &[u8]) -> (&[u8], WebhookNumber) {
    let (event, from) = key.split_last_chunk().expect("a part's key ends with a number");
    (event, u32::from_be_bytes(*from))
}

/// `names`.
pub fn name(account: AccountNumber, name: &str) -> Key {
    joined(&[&number(account), name.as_bytes()])
}

/// `event_types`.
pub fn event_type(account: AccountNumber, event_type: &str) -> Key {
    joined(&[&number(account), event_type.as_bytes()])
}

/// `users`; also the prefix of the user's sessions, or with an account's number for an id of those of its guests.
pub fn user(id: UserId) -> Key {
    joined(&[&number(id.account()), &id.to_bytes()])
}

/// The user in a `users` key.
pub fn read_user(key: &[u8]) -> UserId {
    UserId(read_id(key))
}

/// `sessions`: of this user, or of the guests of an account.
pub fn session(place: UserId, hash: &[u8; 32]) -> Key {
    joined(&[&user(place), hash])
}

/// `tickets`.
pub fn ticket(account: AccountNumber, hash: &[u8; 32]) -> Key {
    joined(&[&number(account), hash])
}

/// The text that a key ends with, behind its number.
pub fn read_text(key: &[u8]) -> &str {
    std::str::from_utf8(&key[4..]).unwrap_or_default()
}

/// `idempotency`.
pub fn idempotency(account: AccountNumber, hash: &[u8; 32]) -> Key {
    joined(&[&number(account), hash])
}

/// `attempts`.
pub fn attempt(id: DeliveryId, n: u16) -> Key {
    joined(&[&id.to_bytes(), &n.to_be_bytes()])
}

/// `ordered`.
pub fn ordered(webhook: WebhookNumber, key: u64, id: DeliveryId) -> Key {
    joined(&[&ordered_key(webhook, key), &id.to_bytes()])
}

/// `ordered`: what the rows of one order key begin with.
pub fn ordered_key(webhook: WebhookNumber, key: u64) -> Key {
    joined(&[&number(webhook), &key.to_be_bytes()])
}

/// The order key in an `ordered` key.
pub fn read_order_key(row: &[u8]) -> u64 {
    u64::from_be_bytes(row[4..12].try_into().expect("an ordered key holds an order key"))
}

/// `ordered`: where the next order key of the webhook begins; `None` after the last possible one.
pub fn after_order_key(webhook: WebhookNumber, key: u64) -> Option<Key> {
    key.checked_add(1).map(|next| ordered_key(webhook, next))
}

/// `quiet`.
pub fn quiet(webhook: WebhookNumber, kind: &str) -> Key {
    joined(&[&number(webhook), kind.as_bytes()])
}

/// The webhook and the kind of notice in a `quiet` key.
pub fn read_quiet(key: &[u8]) -> (WebhookNumber, &str) {
    (read_number(key), std::str::from_utf8(&key[4..]).unwrap_or_default())
}

/// `replays`.
pub fn replay(event: EventId, id: DeliveryId) -> Key {
    joined(&[&event.to_bytes(), &id.to_bytes()])
}

/// `dead`.
pub fn dead(account: AccountNumber, id: DeliveryId) -> Key {
    joined(&[&number(account), &id.to_bytes()])
}

/// `audit`.
pub fn audit(account: AccountNumber, id: AuditId) -> Key {
    joined(&[&number(account), &id.to_bytes()])
}

/// `jobs`.
pub fn job(account: AccountNumber, id: JobId) -> Key {
    joined(&[&number(account), &id.to_bytes()])
}

/// Where a number comes first and an id after it, whichever they are.
pub fn numbered(first: u32, id: u128) -> Key {
    joined(&[&number(first), &id.to_be_bytes()])
}

/// `journal`.
pub fn journal(id: u128) -> Key {
    id.to_be_bytes().to_vec()
}

/// The bits of the id that a key ends with.
pub fn read_id(key: &[u8]) -> u128 {
    u128::from_be_bytes(last_16(key))
}

/// `stats`: the start of the keys of one series.
pub fn stats_of(series: Series) -> Key {
    let (kind, of) = match series {
        Series::Webhook(of) => (0, of),
        Series::Account(of) => (1, of),
    };
    joined(&[&[kind], &number(of)])
}

/// `stats`: the start of the keys of one series and step.
pub fn stats_prefix(series: Series, step: Step) -> Key {
    joined(&[&stats_of(series), &[step as u8]])
}

/// `stats`.
pub fn stats(series: Series, step: Step, start: UnixMs) -> Key {
    joined(&[&stats_prefix(series, step), &start.to_be_bytes()])
}

/// The prefix, the step and the start in a `stats` key.
pub fn read_stats(key: &[u8]) -> (&[u8], Step, UnixMs) {
    let (prefix, start) = key.split_at(6);
    let step = Step::ALL.get(usize::from(prefix[5])).copied().unwrap_or(Step::Day);
    (prefix, step, u64::from_be_bytes(start.try_into().expect("a stats key ends with a time")))
}

/// `quarantine`: where a row of another tree is put aside.
pub fn quarantined(tree: Tree, key: &[u8]) -> Key {
    joined(&[tree.name().as_bytes(), &[0], key])
}

/// `quarantine`: the name of the tree that a row was in.
pub fn read_quarantined(key: &[u8]) -> &str {
    let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

/// `quarantine`: the key that a row of this tree had; `None` if it was in another.
pub fn read_quarantined_of(tree: Tree, key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(tree.name().as_bytes())?.strip_prefix(&[0])
}

fn last_16(key: &[u8]) -> [u8; 16] {
    key[key.len() - 16..].try_into().expect("a key ends with an id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_number_lies_behind_all_of_its_keys_and_before_the_next_ones() {
        let greatest = |first| numbered(first, u128::MAX);
        assert!(greatest(7) < end_of(7) && end_of(7) <= numbered(8, 0));
        assert!(greatest(u32::MAX) < end_of(u32::MAX));
        assert!(quarantined(Tree::Webhooks, &[u8::MAX; 4]) < end_of_all());
    }

    #[test]
    fn what_is_due_at_a_moment_ends_before_the_next_one() {
        let id = |upper: u128| DeliveryId(upper << 32 | 7);
        assert!(due(5, id(u128::MAX >> 32)) < due_end(7, 5) && due_end(7, 5) <= due(6, id(0)));
        assert!(due_end(7, 0) <= due(1, id(0)) && due(0, id(u128::MAX >> 32)) < due_end(7, 0));
    }

    #[test]
    fn order_keys_follow_each_other_up_to_the_last_possible_one() {
        assert_eq!(after_order_key(7, 1), Some(ordered_key(7, 2)));
        assert_eq!(after_order_key(7, u64::MAX), None);
    }

    #[test]
    fn a_row_in_quarantine_tells_where_it_was() {
        let row = quarantined(Tree::Closed, &[0, 0, 9]);
        assert_eq!(read_quarantined(&row), "closed");
        assert_eq!(read_quarantined_of(Tree::Closed, &row), Some(&[0, 0, 9][..]));
        assert_eq!(read_quarantined_of(Tree::Events, &row), None);
    }
}
