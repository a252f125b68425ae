//! How an event lies on the disk: a head, which says all but what it is about, and a body: its data, actor and metadata. A short
//! body lies behind its head, and what is beyond one value goes on in `chunks`. A long one was written ahead of the event
//! under an id of its own; then the head says where. So lists and histories read heads and never a body.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sled::IVec;

use super::damage::Damage;
use super::error::StoreError;
use super::layout::{self, Key, Tree};
use super::record::{self, Body, Owner};
use super::runs;
use super::trees::Trees;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, BodyId, DeliveryId, EventId, WebhookNumber};
use crate::domain::time::UnixMs;
use crate::domain::trace_context::TraceContext;

/// As events were written before format 7: all numbers of webhooks in full, and the body always behind the head.
const VERSION_OF_BEFORE: u8 = 1;
/// As they are written.
const VERSION: u8 = 2;
/// Joined to the version where the event has channels, which follow what is said of every event: one without any pays nothing.
const WITH_CHANNELS: u8 = 0x80;
/// Joined to the version where the event was purged: when that was follows its fingerprint, and no body.
const PURGED: u8 = 0x40;
/// Joined to the version of a notice of an account's own.
const NOTICE: u8 = 0x20;
/// Joined to the version where the event's producer named a trace, which follows the channels: one without pays nothing.
const TRACED: u8 = 0x10;
/// Joined to the version where the rows of its deliveries may be written late.
const LATE: u8 = 0x08;
/// In front of an event's record: how many pieces follow it, in two bytes.
const COUNT_BYTES: usize = 2;

/// What is said of an event without reading its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHead {
    /// Given by the commit thread.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountNumber,
    /// The producer's own id.
    pub name: Option<String>,
    /// For example `task.created`.
    pub event_type: String,
    /// When it happened.
    pub created_at: UnixMs,
    /// Made by a webhook's `test` call.
    pub test: bool,
    /// The webhooks that wanted it at accept.
    pub webhooks: Vec<WebhookNumber>,
    /// Webhooks with channels hear of it only if they share one; ascending.
    pub channels: Vec<String>,
    /// A hash of what the producer sent, kept where it gave an id.
    pub fingerprint: Option<[u8; 32]>,
    /// Where its body lies, if that was written ahead.
    pub body: Option<BodyAt>,
    /// When its body was taken off it at somebody's word.
    pub purged_at: Option<UnixMs>,
    /// The server made it, for those of the account's webhooks that hear notices; no other may ever get it. Those of the account
    /// `operator` are events like any other.
    pub notice: bool,
    /// The trace that its producer named.
    pub trace: Option<TraceContext>,
    /// A delivery that was made at accept and has no row is open, and was never tried (`late`).
    pub rows_are_late: bool,
}

/// Where a body lies that was written ahead, and how it is parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyAt {
    /// Its id.
    pub id: BodyId,
    /// How many pieces it has.
    pub pieces: u16,
    data: u32,
    actor: Option<u32>,
    metadata: Option<u32>,
}

/// A body: `data`, `actor` and `metadata`.
pub type Parts = (Bytes, Option<Bytes>, Option<Bytes>);

impl EventHead {
    /// The id that the API shows.
    pub fn public_id(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The deliveries made at accept.
    pub fn deliveries(&self) -> impl Iterator<Item = DeliveryId> + '_ {
        self.webhooks.iter().map(|number| self.id.delivery_to(*number))
    }

    /// Together with a copy of its body, which is often a part of a request that is much longer.
    pub fn with_copies_of(&self, (data, actor, metadata): &Parts) -> Event {
        let copied = |part: &Bytes| Bytes::copy_from_slice(part);
        self.clone().with((copied(data), actor.as_ref().map(copied), metadata.as_ref().map(copied)))
    }

    /// Together with its body.
    fn with(self, (data, actor, metadata): Parts) -> Event {
        let Self { id, account, name, event_type, created_at, test, webhooks, channels, fingerprint, trace, .. } = self;
        Event {
            id,
            account,
            name,
            event_type,
            created_at,
            test,
            webhooks,
            channels,
            fingerprint,
            trace,
            data,
            actor,
            metadata,
        }
    }
}

impl BodyAt {
    /// This body, in so many pieces.
    pub fn of(id: BodyId, pieces: u16, (data, actor, metadata): &Parts) -> Self {
        let bytes = |of: &Bytes| u32::try_from(of.len()).expect("an event is shorter than 4 GiB");
        Self { id, pieces, data: bytes(data), actor: actor.as_ref().map(bytes), metadata: metadata.as_ref().map(bytes) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> usize {
        self.data as usize + [self.actor, self.metadata].into_iter().flatten().map(|part| part as usize).sum::<usize>()
    }

    /// The parts of all its bytes.
    fn part(&self, mut bytes: Bytes) -> Parts {
        let mut take = |part: u32| bytes.split_to(part as usize);
        (take(self.data), self.actor.map(&mut take), self.metadata.map(&mut take))
    }
}

/// The record of an event, with the bytes in front of it that say how many pieces follow: none yet. Its body lies elsewhere, or
/// it is this.
pub fn encode(head: &EventHead, body: &Parts) -> Vec<u8> {
    let here = if head.body.is_some() { 0 } else { body.0.len() };
    let mut record = Vec::with_capacity(here + record::USUAL_BYTES);
    record.extend([0; COUNT_BYTES]);
    encode_onto(&mut record, head, body);
    record
}

fn encode_onto(record: &mut Vec<u8>, head: &EventHead, body: &Parts) {
    // All are named, so that a new one is not forgotten.
    let EventHead {
        id,
        account,
        name,
        event_type,
        created_at,
        test,
        webhooks,
        channels,
        fingerprint,
        body: ahead,
        purged_at,
        notice,
        trace,
        rows_are_late,
    } = head;
    let purged = if purged_at.is_some() { PURGED } else { 0 };
    let with_channels = if channels.is_empty() { 0 } else { WITH_CHANNELS };
    let noticed = if *notice { NOTICE } else { 0 };
    let traced = if trace.is_some() { TRACED } else { 0 };
    let late = if *rows_are_late { LATE } else { 0 };
    record.push(VERSION | purged | with_channels | noticed | traced | late);
    record::push_part(record, &(id, account, name, event_type, created_at, test));
    if !channels.is_empty() {
        record::push_part(record, channels);
    }
    if let Some(trace) = trace {
        record::push_part(record, trace);
    }
    record::push_part(record, &serde_bytes::ByteBuf::from(runs::encode(webhooks)));
    match (purged_at, ahead) {
        (Some(at), _) => record::push_part(record, &(fingerprint, at)),
        (None, Some(_)) => record::push_part(record, &(fingerprint, ahead)),
        (None, None) => {
            record::push_part(record, &(fingerprint, ahead));
            record::push_part(record, body);
        }
    }
}

/// The head that a record begins with, and what comes behind it.
fn decode_head(record: &[u8]) -> Result<(EventHead, &[u8]), String> {
    let Some((version, mut rest)) = record.split_first() else { return Err("the record is empty".into()) };
    type Start = (EventId, AccountNumber, Option<String>, String, UnixMs, bool);
    let (id, account, name, event_type, created_at, test) = record::take_part::<Start>(&mut rest)?;
    let (is_purged, has_channels) = (version & PURGED != 0, version & WITH_CHANNELS != 0);
    let channels = if has_channels { record::take_part(&mut rest)? } else { Vec::new() };
    let trace = if version & TRACED != 0 { Some(record::take_part(&mut rest)?) } else { None };
    let (notice, rows_are_late) = (version & NOTICE != 0, version & LATE != 0);
    let (webhooks, fingerprint, body) = match version & !(PURGED | WITH_CHANNELS | NOTICE | TRACED | LATE) {
        VERSION_OF_BEFORE => (ascending(record::take_part(&mut rest)?), record::take_part(&mut rest)?, None),
        VERSION => {
            let webhooks = runs::decode(&record::take_part::<serde_bytes::ByteBuf>(&mut rest)?)?;
            let fingerprint = record::take_part(&mut rest)?;
            let body = if is_purged { None } else { record::take_part(&mut rest)? };
            (webhooks, fingerprint, body)
        }
        version => return Err(format!("record version {version} is not known")),
    };
    let purged_at = if is_purged { Some(record::take_part(&mut rest)?) } else { None };
    let head = EventHead {
        id,
        account,
        name,
        event_type,
        created_at,
        test,
        webhooks,
        channels,
        fingerprint,
        body,
        purged_at,
        notice,
        trace,
        rows_are_late,
    };
    Ok((head, rest))
}

/// They were always written in this order; nothing said so then, and what is written anew has to have it.
fn ascending(mut webhooks: Vec<WebhookNumber>) -> Vec<WebhookNumber> {
    webhooks.sort_unstable();
    webhooks.dedup();
    webhooks
}

/// Reads and writes a record whose body lies behind its head: what random bytes are thrown at.
pub fn again(record: &[u8]) -> Result<Vec<u8>, String> {
    let (head, mut rest) = decode_head(record)?;
    let has_none = head.body.is_some() || head.purged_at.is_some();
    let body = if has_none { Parts::default() } else { record::take_part(&mut rest)? };
    let mut written = Vec::new();
    encode_onto(&mut written, &head, &body);
    Ok(written)
}

/// Reads a key.
pub type Get<'a> = &'a dyn Fn(Tree, &[u8]) -> Result<Option<IVec>, StoreError>;

/// The event at `(account, id)`, put together from its pieces; none also if it was purged.
pub fn event_by(get: Get<'_>, account: AccountNumber, id: EventId) -> Result<Option<Event>, StoreError> {
    let key = layout::event(account, id);
    match get(Tree::Events, &key)? {
        Some(stored) => whole_event(get, &key, &stored),
        None => Ok(None),
    }
}

/// The event whose row this is; none if it was purged, for then there is nothing of it but its head.
pub fn whole_event(get: Get<'_>, key: &[u8], stored: &[u8]) -> Result<Option<Event>, StoreError> {
    let damaged = |why: String| Damage::at(Tree::Events, key, why);
    let (count, first) = count_of_pieces(key, stored)?;
    let whole;
    let record = if count == 0 {
        first
    } else {
        whole = with_pieces(get, key, first, count)?;
        &whole
    };
    let (head, mut rest) = decode_head(record).map_err(damaged)?;
    if head.purged_at.is_some() {
        return Ok(None);
    }
    let parts = match head.body {
        Some(at) => body(get, key, head.account, at)?,
        None => record::take_part(&mut rest).map_err(damaged)?,
    };
    Ok(Some(head.with(parts)))
}

/// The body of the event at this key, which was written ahead of it.
fn body(get: Get<'_>, event_key: &[u8], account: AccountNumber, at: BodyAt) -> Result<Parts, StoreError> {
    let key = layout::body(account, at.id);
    let bytes = pieces(get, (&key, event_key), Vec::with_capacity(at.bytes()), at.pieces)?;
    if bytes.len() != at.bytes() {
        return Err(Damage::at(Tree::Events, event_key, "its body has another length").into());
    }
    Ok(at.part(bytes.into()))
}

/// What begins so, with the pieces that follow.
fn with_pieces(get: Get<'_>, key: &[u8], first: &[u8], count: u16) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(layout::VALUE_BYTES_MAX * (usize::from(count) + 1));
    bytes.extend_from_slice(first);
    pieces(get, (key, key), bytes, count)
}

/// Adds the pieces of what has the one key, for the event at the other.
fn pieces(
    get: Get<'_>,
    (of, event_key): (&[u8], &[u8]),
    mut bytes: Vec<u8>,
    count: u16,
) -> Result<Vec<u8>, StoreError> {
    for n in 0..count {
        let piece = get(Tree::Chunks, &layout::chunk(of, n))?;
        let missing = || Damage::at(Tree::Events, event_key, format!("its piece {n} is missing"));
        bytes.extend_from_slice(&piece.ok_or_else(missing)?);
    }
    Ok(bytes)
}

/// The head in an event's row.
pub fn event_head(trees: &Trees, key: &[u8], stored: &[u8]) -> Result<EventHead, StoreError> {
    event_head_by(&|tree, key| trees.get(tree, key), key, stored)
}

/// The same, whoever reads.
pub fn event_head_by(get: Get<'_>, key: &[u8], stored: &[u8]) -> Result<EventHead, StoreError> {
    let (count, first) = count_of_pieces(key, stored)?;
    let head = match decode_head(first) {
        // Thousands of webhooks may fill the first piece by themselves.
        Err(_) if count > 0 => decode_head(&with_pieces(get, key, first, count)?).map(|(head, _)| head),
        read => read.map(|(head, _)| head),
    };
    Ok(head.map_err(|why| Damage::at(Tree::Events, key, why))?)
}

/// The bytes of an event, whose row this is; up to a piece more.
pub fn event_bytes(get: Get<'_>, key: &[u8], stored: &[u8]) -> Result<usize, StoreError> {
    let (count, first) = count_of_pieces(key, stored)?;
    let body = event_head_by(get, key, stored)?.body.map_or(0, |at| at.bytes());
    Ok(first.len() + usize::from(count) * layout::VALUE_BYTES_MAX + body)
}

/// How many pieces follow the first, and the first.
fn count_of_pieces<'a>(key: &[u8], stored: &'a [u8]) -> Result<(u16, &'a [u8]), Damage> {
    let parts = stored.split_first_chunk().map(|(count, first)| (u16::from_be_bytes(*count), first));
    parts.ok_or_else(|| Damage::at(Tree::Events, key, "it is too short"))
}

/// The rows in which a record lies, its own last: what is beyond one value goes on in `chunks`. Its first bytes then say how
/// many there are.
pub fn in_pieces(key: Key, mut record: Vec<u8>) -> Vec<(Tree, Key, Vec<u8>)> {
    let mut rows = Vec::new();
    let first_bytes_max = COUNT_BYTES + layout::VALUE_BYTES_MAX;
    if record.len() > first_bytes_max {
        let rest = record.split_off(first_bytes_max);
        let pieces = rest.chunks(layout::VALUE_BYTES_MAX);
        let count = u16::try_from(pieces.len()).expect("an accepted event is at most 2 GiB");
        record[..COUNT_BYTES].copy_from_slice(&count.to_be_bytes());
        rows.extend((0..).zip(pieces).map(|(n, piece)| (Tree::Chunks, layout::chunk(&key, n), piece.to_vec())));
    }
    rows.push((Tree::Events, key, record));
    rows
}

/// The keys in `chunks` of the event in this row, without those of a body that was written ahead.
pub fn own_piece_keys(key: &[u8], stored: &[u8]) -> Result<Vec<Key>, Damage> {
    let (count, _) = count_of_pieces(key, stored)?;
    Ok((0..count).map(|n| layout::chunk(key, n)).collect())
}

/// The same with those of its body.
pub fn piece_keys(key: &[u8], stored: &[u8], head: &EventHead) -> Result<Vec<Key>, Damage> {
    let own = own_piece_keys(key, stored)?.into_iter();
    let body = head.body.map(|at| (layout::body(head.account, at.id), at.pieces));
    let of_body = body.into_iter().flat_map(|(key, pieces)| (0..pieces).map(move |n| layout::chunk(&key, n)));
    Ok(own.chain(of_body).collect())
}

/// The event's key that a row of `chunks` is a piece of, if there is that event; what its row says need not be readable else.
pub fn event_of_piece(trees: &Trees, key: &[u8]) -> Result<Option<Key>, StoreError> {
    let Some((of, _)) = key.split_last_chunk::<2>() else { return Ok(None) };
    let event = match body_row(trees, of)? {
        Some(Body { owner: Owner::Event(id), .. }) => layout::event(layout::read_number(of), id),
        Some(_) => return Ok(None),
        None => of.to_vec(),
    };
    Ok(trees.get_stored(Tree::Events, &event)?.map(|_| event))
}

/// Whether a row of `chunks` is a piece of something that is there.
pub fn is_piece(trees: &Trees, key: &[u8]) -> Result<bool, StoreError> {
    let Some((of, n)) = key.split_last_chunk::<2>() else { return Ok(false) };
    let is_below = |count: u16| u16::from_be_bytes(*n) < count;
    if layout::is_body(of) {
        // Where its row is lost nobody can say: the event that has it knows it, and reads it.
        return Ok(body_row(trees, of)?.is_none_or(|body| is_below(body.pieces)));
    }
    let stored = match trees.get(Tree::Events, of) {
        Ok(stored) => stored,
        // It goes as a whole, its pieces included.
        Err(StoreError::Damaged(_)) => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(stored.is_some_and(|stored| count_of_pieces(of, &stored).is_ok_and(|(count, _)| is_below(count))))
}

/// What is known of the body at this key; none also where that cannot be read.
fn body_row(trees: &Trees, key: &[u8]) -> Result<Option<Body>, StoreError> {
    if !layout::is_body(key) {
        return Ok(None);
    }
    let read = trees.get(Tree::Bodies, key).and_then(|row| row.map(|row| body_of(key, &row)).transpose());
    Ok(trees.readable(read)?.flatten())
}

/// A row of `bodies`.
pub fn body_of(key: &[u8], stored: &[u8]) -> Result<Body, StoreError> {
    record::read(Tree::Bodies, key, stored)
}

/// A row of `bodies`, if the event that it names is there.
pub fn body_with_event(trees: &Trees, key: &[u8], stored: &[u8]) -> Result<Body, StoreError> {
    let body = body_of(key, stored)?;
    if let Owner::Event(id) = body.owner
        && trees.get_stored(Tree::Events, &layout::event(layout::read_number(key), id))?.is_none()
    {
        return Err(Damage::at(Tree::Bodies, key, "its event is not there").into());
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
