//! Writes what a shape keeps of the data, in one pass. What stays true: what no path leads into is copied byte for byte; fields
//! and elements stay in their order; and a name that the shape gives is in its object once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::place::Place;
use super::scan::{elements, fields, text};
use super::spend::{Budget, Unshaped};

/// A field that is added: its name as a JSON text, and its value.
pub(super) type Added = (String, Vec<u8>);

/// What is being written.
pub(super) struct Keeping<'b> {
    pub out: Vec<u8>,
    pub budget: &'b mut Budget,
}

/// A field that was written.
#[derive(Clone)]
struct Member {
    name: Range<usize>,
    value: Range<usize>,
    rank: Rank,
}

/// Whose value it is: of two fields with the same name the later of these wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Sent,
    Renamed,
    Added,
}

impl Keeping<'_> {
    /// Writes a value that these places lead to; `kept`: all of it, but for what they leave out. Says whether anything was
    /// written.
    pub fn value(&mut self, json: &[u8], places: &[&Place], kept: bool) -> Result<bool, Unshaped> {
        if places.iter().any(|place| place.drop) {
            return Ok(false);
        }
        let kept = kept || places.iter().any(|place| place.pick);
        if kept && let Some(other) = self.mapped(json, places)? {
            self.out.extend_from_slice(other.as_bytes());
            return Ok(true);
        }
        let start = self.out.len();
        let goes_on = places.iter().any(|place| place.goes_on());
        match json.first() {
            Some(b'{') if goes_on => self.object(json, places, kept, &[])?,
            Some(b'[') if goes_on => self.list(json, places, kept)?,
            _ if kept => self.out.extend_from_slice(json),
            _ => return Ok(false),
        }
        let is_empty = self.out.len() == start + 2;
        if is_empty && !kept {
            self.out.truncate(start);
        }
        Ok(kept || !is_empty)
    }

    /// Writes an object, with some fields behind its own.
    pub fn object(&mut self, json: &[u8], places: &[&Place], kept: bool, added: &[Added]) -> Result<(), Unshaped> {
        let start = self.out.len();
        let is_noted = !added.is_empty() || places.iter().any(|place| place.renames_inside());
        let (looks, mut members) = (Place::looks(places), Vec::new());
        self.budget.pass(json.len(), places.len())?;
        self.out.push(b'{');
        for (name, value) in fields(json) {
            self.budget.pass(name.len() * looks, looks)?;
            let inner = Place::of_field(places, &text(name));
            let renamed = inner.iter().find_map(|place| place.rename.as_deref());
            let (written, rank) = renamed.map_or((name, Rank::Sent), |new| (new.as_bytes(), Rank::Renamed));
            if rank == Rank::Renamed {
                self.budget.pass(written.len(), 1)?;
            }
            let before = self.out.len();
            let name = self.name(start, written);
            let value_at = self.out.len();
            if !self.inner(value, &inner, kept)? {
                self.out.truncate(before);
                continue;
            }
            self.budget.fits(self.out.len())?;
            if is_noted {
                members.push(Member { name, value: value_at..self.out.len(), rank });
            }
        }
        for (name, value) in added {
            let name = self.name(start, name.as_bytes());
            let value_at = self.out.len();
            self.out.extend_from_slice(value);
            members.push(Member { name, value: value_at..self.out.len(), rank: Rank::Added });
        }
        self.out.push(b'}');
        self.budget.fits(self.out.len())?;
        if is_noted {
            self.budget.pass(self.out.len() - start, members.len())?;
        }
        if let Some(settled) = settled(&self.out, &members) {
            self.out.truncate(start);
            self.out.extend_from_slice(&settled);
        }
        Ok(())
    }

    fn list(&mut self, json: &[u8], places: &[&Place], kept: bool) -> Result<(), Unshaped> {
        let (looks, start) = (Place::looks(places), self.out.len());
        self.budget.pass(json.len(), places.len())?;
        self.out.push(b'[');
        for (index, value) in elements(json).enumerate() {
            self.budget.pass(0, looks)?;
            let before = self.out.len();
            self.comma(start);
            if !self.inner(value, &Place::of_element(places, index), kept)? {
                self.out.truncate(before);
            }
            self.budget.fits(self.out.len())?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn inner(&mut self, json: &[u8], places: &[&Place], kept: bool) -> Result<bool, Unshaped> {
        if !places.is_empty() {
            return self.value(json, places, kept);
        }
        if kept {
            self.out.extend_from_slice(json);
        }
        Ok(kept)
    }

    /// What the places make of a value that is neither an array nor an object.
    fn mapped<'p>(&mut self, json: &[u8], places: &[&'p Place]) -> Result<Option<&'p str>, Unshaped> {
        if matches!(json.first(), Some(b'{' | b'[')) {
            return Ok(None);
        }
        let mut maps = places.iter().filter_map(|place| place.map.as_ref()).peekable();
        if maps.peek().is_none() {
            return Ok(None);
        }
        self.budget.pass(json.len() * places.len(), places.len())?;
        let key = if json.first() == Some(&b'"') { text(json) } else { String::from_utf8_lossy(json) };
        Ok(maps.find_map(|map| map.get(key.as_ref())).map(String::as_str))
    }

    /// Writes the name of a field of the object that starts at `start`, and says where.
    fn name(&mut self, start: usize, quoted: &[u8]) -> Range<usize> {
        self.comma(start);
        let at = self.out.len();
        self.out.extend_from_slice(quoted);
        self.out.push(b':');
        at..self.out.len() - 1
    }

    fn comma(&mut self, start: usize) {
        if self.out.len() > start + 1 {
            self.out.push(b',');
        }
    }
}

/// The object again, if the shape gave a field a name that another one has: it takes that one's place, and its value counts.
fn settled(out: &[u8], members: &[Member]) -> Option<Vec<u8>> {
    let mut kept: Vec<Member> = Vec::with_capacity(members.len());
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(members.len());
    let mut is_settled = false;
    for member in members {
        let place = *places.entry(text(&out[member.name.clone()])).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(known) => {
                is_settled |= member.rank.max(known.rank) > Rank::Sent;
                if member.rank >= known.rank {
                    (known.value, known.rank) = (member.value.clone(), member.rank);
                }
            }
            None => kept.push(member.clone()),
        }
    }
    is_settled.then(|| {
        let mut settled = vec![b'{'];
        for (n, member) in kept.iter().enumerate() {
            settled.extend_from_slice(if n > 0 { b"," } else { b"" });
            settled.extend_from_slice(&out[member.name.clone()]);
            settled.push(b':');
            settled.extend_from_slice(&out[member.value.clone()]);
        }
        settled.push(b'}');
        settled
    })
}
