//! What is known of the rows of one tree without asking the database: what was read or written lately, and where nothing lies. What
//! stays true: what it says is what lies there, as long as nobody else writes; it is bounded in bytes; and who reads while somebody
//! writes takes nothing for known that the write has changed.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::store::layout::Key;

/// Of what a row or a range takes beside its keys and its value.
const BESIDE_BYTES: usize = 96;

/// The keys from the first on, before the second; without one, to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: Key,
    /// The end, which is not in it.
    pub to: Option<Key>,
}

impl Span {
    /// The keys of a range. A key with a zero byte behind it is the next one that there can be.
    pub fn of(from: Bound<&[u8]>, to: Bound<&[u8]>) -> Self {
        let from = match from {
            Bound::Unbounded => Key::new(),
            Bound::Included(key) => key.to_vec(),
            Bound::Excluded(key) => next(key),
        };
        let to = match to {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(next(key)),
            Bound::Excluded(key) => Some(key.to_vec()),
        };
        Self { from, to }
    }

    /// One key.
    pub fn one(key: &[u8]) -> Self {
        Self { from: key.to_vec(), to: Some(next(key)) }
    }

    fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }
}

fn next(key: &[u8]) -> Key {
    [key, &[0]].concat()
}

/// Whether keys up to the first end before those up to the second do.
fn ends_before(one: &Option<Key>, other: &Option<Key>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one < other,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn is_before_end(key: &[u8], end: &Option<Key>) -> bool {
    end.as_ref().is_none_or(|end| key < &end[..])
}

/// What is known near one tree.
pub struct Near<V> {
    rows: BTreeMap<Key, Held<V>>,
    /// Where all rows are here: spans that do not touch, by their first keys, and whether one was used where no row is.
    known: BTreeMap<Key, (Option<Key>, bool)>,
    bytes: usize,
    /// Where the hand is that goes round for what was not used.
    hand: Key,
    /// Keys that were written since the first of the reads began that are under way, and the number of the first.
    written: VecDeque<Key>,
    written_from: u64,
    /// Those reads: the number of what was written first since, and how many began there.
    reading: BTreeMap<u64, usize>,
}

struct Held<V> {
    value: V,
    bytes: usize,
    is_used: bool,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Known<V> {
    /// This lies there.
    Row(V),
    /// Nothing does.
    Nothing,
    /// It must be asked for.
    No,
}

/// What is known of the first or the last row of a span.
#[derive(Debug, PartialEq, Eq)]
pub enum Outer<V> {
    /// This is it.
    Row(Key, V),
    /// There is none.
    None,
    /// It is in this part of the span, or there is none: it must be asked for.
    In(Span),
}

/// A read that is under way: what it finds was so at some moment since it began.
#[must_use]
pub struct Read(u64);

impl<V> Default for Near<V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            known: BTreeMap::new(),
            bytes: 0,
            hand: Key::new(),
            written: VecDeque::new(),
            written_from: 0,
            reading: BTreeMap::new(),
        }
    }
}

impl<V: Clone> Near<V> {
    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is known of one key.
    pub fn get(&mut self, key: &[u8]) -> Known<V> {
        if let Some(held) = self.rows.get_mut(key) {
            held.is_used = true;
            return Known::Row(held.value.clone());
        }
        match self.known_at(key) {
            Some(_) => Known::Nothing,
            None => Known::No,
        }
    }

    /// The end of what is known around a key.
    fn known_at(&mut self, key: &[u8]) -> Option<Option<Key>> {
        let (_, (to, is_used)) =
            self.known.range_mut::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        is_before_end(key, to).then(|| {
            *is_used = true;
            to.clone()
        })
    }

    /// What is known of the first row of a span.
    pub fn first(&mut self, of: &Span) -> Outer<V> {
        if of.is_empty() {
            return Outer::None;
        }
        let Some(end) = self.known_at(&of.from) else { return Outer::In(of.clone()) };
        let row = self.rows.range_mut::<[u8], _>((Bound::Included(&of.from[..]), Bound::Unbounded)).next();
        match row {
            Some((key, held)) if is_before_end(key, &end) && is_before_end(key, &of.to) => {
                held.is_used = true;
                Outer::Row(key.clone(), held.value.clone())
            }
            _ if !ends_before(&end, &of.to) => Outer::None,
            _ => Outer::In(Span { from: end.expect("what ends before another has an end"), to: of.to.clone() }),
        }
    }

    /// What is known of the last row of a span.
    pub fn last(&mut self, of: &Span) -> Outer<V> {
        if of.is_empty() {
            return Outer::None;
        }
        let before = of.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let around = self.known.range_mut::<[u8], _>((Bound::Unbounded, before)).next_back();
        let Some((from, (to, is_used))) = around else { return Outer::In(of.clone()) };
        if ends_before(to, &of.to) {
            return Outer::In(of.clone());
        }
        *is_used = true;
        let row = self.rows.range_mut::<[u8], _>((Bound::Included(&from[..]), before)).next_back();
        match row {
            Some((key, held)) if *key >= of.from => {
                held.is_used = true;
                Outer::Row(key.clone(), held.value.clone())
            }
            _ if *from <= of.from => Outer::None,
            _ => Outer::In(Span { from: of.from.clone(), to: Some(from.clone()) }),
        }
    }

    /// What lies at a key from now on: `None`, nothing. `bytes`: of the value.
    pub fn write(&mut self, key: Key, value: Option<V>, bytes: usize) {
        if !self.reading.is_empty() {
            self.written.push_back(key.clone());
        }
        self.know(Span::one(&key));
        self.put(key, value, bytes);
    }

    /// A read begins.
    pub fn begin(&mut self) -> Read {
        let at = self.written_from + self.written.len() as u64;
        *self.reading.entry(at).or_default() += 1;
        Read(at)
    }

    /// It came to nothing.
    pub fn give_up(&mut self, read: Read) {
        self.end(read);
    }

    /// It found these rows in a span and no others, each with the bytes of its value.
    pub fn learn(&mut self, read: Read, span: Span, rows: Vec<(Key, V, usize)>) {
        let written = self.end(read);
        if span.is_empty() {
            return;
        }
        let (mut kept, mut lost) = (Vec::new(), Vec::new());
        for key in written.into_iter().filter(|key| *key >= span.from && is_before_end(key, &span.to)) {
            if self.known_at(&key).is_some() { kept.push(key) } else { lost.push(key) }
        }
        kept.sort_unstable();
        self.know(span);
        for (key, value, bytes) in rows {
            if kept.binary_search(&key).is_err() {
                self.put(key, Some(value), bytes);
            }
        }
        lost.into_iter().for_each(|key| self.forget(&Span::one(&key)));
    }

    /// Lets go of what was not used lately until it takes no more than so many bytes.
    pub fn shrink(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max && !self.known.is_empty() {
            self.step();
        }
    }

    /// One step of the hand: the next row, or the next span without one.
    fn step(&mut self) {
        let hand = std::mem::take(&mut self.hand);
        let row = self.rows.range_mut::<[u8], _>((Bound::Included(&hand[..]), Bound::Unbounded)).next();
        let row = row.map(|(key, held)| (key.clone(), std::mem::take(&mut held.is_used)));
        // The span in which the hand is, or the next.
        let around = self.known.range::<[u8], _>((Bound::Unbounded, Bound::Included(&hand[..]))).next_back();
        let around = around.filter(|(_, (to, _))| is_before_end(&hand, to));
        let behind = || self.known.range::<[u8], _>((Bound::Excluded(&hand[..]), Bound::Unbounded)).next();
        let Some((from, (to, is_used))) = around.or_else(behind) else { return };
        let (from, to, is_used) = (from.clone(), to.clone(), *is_used);
        match row {
            Some((key, is_used)) if is_before_end(&key, &to) => {
                self.hand = next(&key);
                if !is_used {
                    // With it goes what is known before it, so that no crumbs are left between those that went.
                    let before = self
                        .rows
                        .range::<[u8], _>((Bound::Unbounded, Bound::Excluded(&key[..])))
                        .next_back()
                        .map(|(before, _)| next(before));
                    let from = before.filter(|before| *before > from).unwrap_or(from);
                    self.forget(&Span { from, to: Some(self.hand.clone()) });
                }
            }
            _ => {
                if is_used {
                    self.known.get_mut(&from).expect("it is there").1 = false;
                } else {
                    let last = self.rows.range::<[u8], _>((Bound::Included(&from[..]), Bound::Unbounded)).next();
                    let has_rows = last.is_some_and(|(key, _)| is_before_end(key, &to));
                    if !has_rows {
                        self.forget(&Span { from, to: to.clone() });
                    }
                }
                self.hand = to.unwrap_or_default();
            }
        }
    }

    fn put(&mut self, key: Key, value: Option<V>, bytes: usize) {
        let held = value.map(|value| Held { value, bytes: key.len() + bytes + BESIDE_BYTES, is_used: true });
        self.bytes += held.as_ref().map_or(0, |held| held.bytes);
        let before = match held {
            Some(held) => self.rows.insert(key, held),
            None => self.rows.remove(&key),
        };
        self.bytes -= before.map_or(0, |held| held.bytes);
    }

    /// All rows of a span are here, once those that are said are put.
    fn know(&mut self, span: Span) {
        let Span { mut from, mut to } = span;
        // Spans that it touches become one with it.
        loop {
            let before = match &to {
                Some(to) => self.known.range::<[u8], _>((Bound::Unbounded, Bound::Included(&to[..]))).next_back(),
                None => self.known.iter().next_back(),
            };
            let Some((start, (end, _))) = before else { break };
            if end.as_ref().is_some_and(|end| *end < from) {
                break;
            }
            let (start, end) = (start.clone(), end.clone());
            self.drop_known(&start);
            to = if ends_before(&to, &end) { end } else { to };
            from = from.min(start);
        }
        self.put_known(from, to);
    }

    /// Nothing is known of a span any more.
    fn forget(&mut self, span: &Span) {
        let range = (Bound::Included(&span.from[..]), span.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let gone: Vec<Key> = self.rows.range::<[u8], _>(range).map(|(key, _)| key.clone()).collect();
        gone.into_iter().for_each(|key| self.put(key, None, 0));
        let before = (Bound::Unbounded, span.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
        let touched = self.known.range::<[u8], _>(before).rev();
        let touched: Vec<_> = touched
            .take_while(|(_, (end, _))| end.as_ref().is_none_or(|end| *end > span.from))
            .map(|(start, (end, _))| (start.clone(), end.clone()))
            .collect();
        for (start, end) in touched {
            self.drop_known(&start);
            if start < span.from {
                self.put_known(start, Some(span.from.clone()));
            }
            if let Some(to) = &span.to
                && ends_before(&span.to, &end)
            {
                self.put_known(to.clone(), end);
            }
        }
    }

    fn put_known(&mut self, from: Key, to: Option<Key>) {
        self.bytes += known_bytes(&from, &to);
        self.known.insert(from, (to, true));
    }

    fn drop_known(&mut self, from: &[u8]) {
        if let Some((from, (to, _))) = self.known.remove_entry(from) {
            self.bytes -= known_bytes(&from, &to);
        }
    }

    /// Ends a read; gives what was written since it began.
    fn end(&mut self, Read(at): Read) -> Vec<Key> {
        let since = self.written.iter().skip((at - self.written_from) as usize).cloned().collect();
        match self.reading.get_mut(&at) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = self.reading.remove(&at),
        }
        let first = self.reading.keys().next().copied();
        let gone = first.map_or(self.written.len() as u64, |first| first - self.written_from);
        self.written.drain(..gone as usize);
        self.written_from += gone;
        since
    }
}

fn known_bytes(from: &[u8], to: &Option<Key>) -> usize {
    from.len() + to.as_ref().map_or(0, Vec::len) + BESIDE_BYTES
}

#[cfg(test)]
mod tests;
