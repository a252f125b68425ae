//! Rows that lie together: of some trees, neighbours that one group writes are one value, a pack, since what a key costs is paid for each
//! value. Above this file nothing knows of packs: a row is read, listed, changed and summed by its own key. What stays true:
//!
//! - A pack lies at the key of its first row with a byte behind it, so it is told from a row that lies alone, and the greatest key that is not
//!   greater than that of a row leads to where the row is, or would be. No other row or pack lies between its first row and its last.
//! - Each row keeps its own checksum, so a flipped bit costs one row, or those of a pack that is pressed. Where that leaves the keys of a pack
//!   but not its rows, each of them is there and cannot be read. Where it leaves nothing, the pack as a whole is its first row, which cannot
//!   be read.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use sled::IVec;

use super::held::Row;
use super::pressed::{pressed, unpressed};
use crate::store::layout::{Key, Tree};

/// The bytes of all keys in the trees that have packs: a number, and an id.
pub const KEY_BYTES: usize = 20;
/// Of those, the ones that all rows of a pack have in common.
pub const PREFIX_BYTES: usize = 4;
/// A longer row lies alone.
pub const ROW_BYTES_MAX: usize = 4 * 1024;
/// Of the frame: the count.
const COUNT_BYTES: usize = 2;
/// And of each row the end of its key and its length.
pub const ENTRY_BYTES: usize = KEY_BYTES - PREFIX_BYTES + 2;
const SUM_BYTES: usize = 4;
/// Packs that are kept at hand, a megabyte or two: where some dozen webhooks with a backlog take turns, each goes through the same packs
/// as the others, a little before or behind them.
const LATELY_MAX: usize = 64;
/// In the place of a row of which nothing is left: no checksum is as short.
const LOST: &[u8] = &[0];
/// Joined to the count: the rows are pressed together.
const PRESSED: u16 = 0x8000;

/// Whether rows of this tree may lie in packs.
pub fn has_packs(tree: Tree) -> bool {
    matches!(tree, Tree::Events | Tree::Closed)
}

/// Whether its packs are pressed: what is sealed cannot be made smaller.
pub fn is_pressed(tree: Tree) -> bool {
    tree == Tree::Events
}

/// Of the rows of a pack, about: what is changed of it is written anew, and a leaf of sixteen is read as a whole. More of what is pressed is
/// pressed better. One that grows beyond twice as much is parted.
pub fn pack_bytes(tree: Tree) -> usize {
    if is_pressed(tree) { 16 * 1024 } else { 8 * 1024 }
}

/// Where a pack lies whose first row has this key. Of whatever key: what lies there or before it leads to the row.
pub fn place(first: &[u8]) -> Key {
    [first, &[0]].concat()
}

/// Whether a pack lies there, and no row.
pub fn is_place(key: &[u8]) -> bool {
    key.len() == KEY_BYTES + 1
}

/// Whether the pack of this place has this first row.
pub fn is_of(place: &[u8], first: &[u8]) -> bool {
    is_place(place) && place[..KEY_BYTES] == *first
}

/// The key of the first row of the pack of this place.
pub fn first_of(place: &IVec) -> IVec {
    place.subslice(0, KEY_BYTES)
}

/// A pack: where its rows are in it.
pub struct Pack {
    prefix: [u8; PREFIX_BYTES],
    /// As it lies, with the ends of keys and the lengths.
    stored: IVec,
    count: usize,
    is_pressed: bool,
    /// The rows, one behind the other, once somebody asked for one; `None` if nothing is left of them.
    rows: OnceLock<Option<IVec>>,
}

impl Pack {
    /// What is stored at the place of a pack; `None` if nothing in it can be told.
    pub fn read(tree: Tree, place: &[u8], stored: IVec) -> Option<Self> {
        let prefix = *place.first_chunk()?;
        let said = u16::from_be_bytes(*stored.first_chunk()?);
        let (count, is_pressed) = (usize::from(said & !PRESSED), said & PRESSED != 0);
        let pack = Self { prefix, stored, count, is_pressed, rows: OnceLock::new() };
        let (frame, found) = pack.stored.get(..pack.rows_at())?.split_last_chunk()?;
        (count > 0 && (sum(tree, place, frame) == *found || pack.is_in_order(place))).then_some(pack)
    }

    /// The rows as they were written. Whoever asks only whether a row is there need not unpress them.
    fn opened(&self) -> Option<&IVec> {
        let open = || {
            let (at, bytes) = (self.rows_at(), self.spans().last()?.end);
            let rows = &self.stored[at..];
            match self.is_pressed {
                true => unpressed(rows, bytes).map(IVec::from),
                false => (rows.len() == bytes).then(|| self.stored.subslice(at, bytes)),
            }
        };
        self.rows.get_or_init(open).as_ref()
    }

    /// Whether its keys can be those of the pack that lies there. A row whose key is another than it was does not fit its checksum.
    fn is_in_order(&self, place: &[u8]) -> bool {
        place.get(PREFIX_BYTES..KEY_BYTES).is_some_and(|first| first <= self.id(0))
            && (1..self.count).all(|n| self.id(n - 1) < self.id(n))
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = Row> + '_ {
        let spans: Vec<_> = self.spans().collect();
        spans.into_iter().enumerate().map(|(n, span)| (self.key(n), self.row(span)))
    }

    /// The row of this key, if there is one.
    pub fn find(&self, key: &[u8]) -> Option<IVec> {
        let id = key.strip_prefix(&self.prefix)?;
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.id(middle) < id { low = middle + 1 } else { high = middle }
        }
        if low == self.count || self.id(low) != id {
            return None;
        }
        let span = self.spans().nth(low)?;
        Some(self.row(span))
    }

    fn row(&self, span: Range<usize>) -> IVec {
        self.opened().map_or(IVec::from(LOST), |rows| rows.subslice(span.start, span.len()))
    }

    /// Whether a row of this key belongs into it: it does not come behind the last one.
    pub fn reaches(&self, key: &[u8]) -> bool {
        let last = self.id(self.count - 1);
        key.get(..PREFIX_BYTES) == Some(&self.prefix) && key[PREFIX_BYTES..] <= *last
    }

    fn rows_at(&self) -> usize {
        COUNT_BYTES + self.count * ENTRY_BYTES + SUM_BYTES
    }

    fn entry(&self, n: usize) -> &[u8] {
        &self.stored[COUNT_BYTES + n * ENTRY_BYTES..][..ENTRY_BYTES]
    }

    fn id(&self, n: usize) -> &[u8] {
        &self.entry(n)[..KEY_BYTES - PREFIX_BYTES]
    }

    fn key(&self, n: usize) -> IVec {
        let mut key = [0; KEY_BYTES];
        key[..PREFIX_BYTES].copy_from_slice(&self.prefix);
        key[PREFIX_BYTES..].copy_from_slice(self.id(n));
        IVec::from(&key)
    }

    fn spans(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        (0..self.count).scan(0, |at, n| {
            let length = self.entry(n).last_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
            let span = *at..*at + length;
            *at = span.end;
            Some(span)
        })
    }
}

/// The packs that somebody has looked into lately: rows that lie together are often read one after the other, and by several threads.
static LATELY: Mutex<VecDeque<Looked>> = Mutex::new(VecDeque::new());

/// A pack that was looked into, and where it lies.
struct Looked {
    tree: Tree,
    place: IVec,
    pack: Arc<Pack>,
}

/// Looks into what is stored at the place of a pack; `None` if nothing in it can be told. What is pressed stays at hand, so that whoever looks
/// into it again soon, for another row or from another one on, need not unpress it again.
pub fn look_into<T>(tree: Tree, place: &IVec, stored: &IVec, look: impl FnOnce(&Pack) -> T) -> Option<T> {
    if !is_pressed(tree) {
        return Pack::read(tree, place, stored.clone()).as_ref().map(look);
    }
    // The very bytes: as long as they are held here, no others have their place in memory.
    let is_it = |looked: &&Looked| {
        std::ptr::eq(&*looked.pack.stored, &**stored) && looked.tree == tree && looked.place == place
    };
    let known = lately().iter().find(is_it).map(|looked| looked.pack.clone());
    if let Some(pack) = known {
        return Some(look(&pack));
    }
    let pack = Arc::new(Pack::read(tree, place, stored.clone())?);
    let mut kept = lately();
    let gone = if kept.len() < LATELY_MAX { None } else { kept.pop_back() };
    kept.push_front(Looked { tree, place: place.clone(), pack: pack.clone() });
    drop(kept);
    // Nobody waits for that.
    drop(gone);
    Some(look(&pack))
}

fn lately() -> MutexGuard<'static, VecDeque<Looked>> {
    LATELY.lock().expect("no holder of the lock panics")
}

/// The row of this key in what is stored at the place of a pack.
pub fn find_in(tree: Tree, place: &IVec, stored: IVec, key: &[u8]) -> Option<IVec> {
    // Of which nothing can be told is its first row.
    let whole = |stored: IVec| is_of(place, key).then_some(stored);
    look_into(tree, place, &stored, |pack| pack.find(key)).unwrap_or_else(|| whole(stored))
}

/// The value of a pack that lies there, of rows in order.
pub fn written(tree: Tree, place: &[u8], rows: &[(Key, IVec)]) -> Vec<u8> {
    let mut all = Vec::with_capacity(2 * pack_bytes(tree));
    rows.iter().for_each(|(_, stored)| all.extend_from_slice(stored));
    let pressed = if is_pressed(tree) { pressed(&all) } else { None };
    let count = u16::try_from(rows.len()).ok().filter(|count| count & PRESSED == 0).expect("a pack is small");
    let said = if pressed.is_some() { count | PRESSED } else { count };
    let mut bytes = Vec::with_capacity(COUNT_BYTES + rows.len() * ENTRY_BYTES + SUM_BYTES + all.len());
    bytes.extend_from_slice(&said.to_be_bytes());
    for (key, stored) in rows {
        bytes.extend_from_slice(&key[PREFIX_BYTES..]);
        bytes.extend_from_slice(&u16::try_from(stored.len()).expect("a value is short").to_be_bytes());
    }
    let found = sum(tree, place, &bytes);
    bytes.extend_from_slice(&found);
    bytes.extend_from_slice(&pressed.unwrap_or(all));
    bytes
}

fn sum(tree: Tree, place: &[u8], frame: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = crc32fast::Hasher::new();
    for part in [tree.name().as_bytes(), &[0], place, frame] {
        sum.update(part);
    }
    sum.finalize().to_be_bytes()
}

#[cfg(test)]
mod tests;
