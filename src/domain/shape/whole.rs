//! A shape, read and ready. What stays true: what it says was vetted whole before, so applying it can fail only at an event
//! that is too much for it.

use super::facts::Facts;
use super::keep::{Added, Keeping};
use super::place::Place;
use super::seek::find;
use super::spend::{Budget, Unshaped};
use super::template::{Filling, Template, quoted};
use super::written::{Missing, PATHS_MAX, SHAPE_BYTES_MAX, Written};
use crate::domain::Invalid;
use crate::domain::condition::{Path, Segment};
use crate::domain::json;

/// Segments of one path.
const SEGMENTS_MAX: usize = 16;
/// `*` and slices in all paths together.
const WIDE_MAX: usize = 8;

/// A shape that can be applied.
#[derive(Debug, Clone)]
pub struct Shape {
    written: Written,
    /// Its paths into `data`, from there on.
    places: Place,
    /// Names as JSON texts.
    set: Vec<(String, Template)>,
    paths: Vec<Path>,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Shape {
    /// Vets a shape. An error names the key below `shape` and what would be right.
    pub fn of(written: Written) -> Result<Self, Invalid> {
        if written.to_json().len() > SHAPE_BYTES_MAX {
            let message = format!(
                "is longer than {SHAPE_BYTES_MAX} bytes: let it say less, or shape the events before you publish them"
            );
            return Err(Invalid::new("shape", message));
        }
        let mut reading = Reading::default();
        for (n, text) in written.pick.iter().flatten().enumerate() {
            reading.place(&format!("shape.pick[{n}]"), text)?.pick = true;
        }
        for (n, text) in written.drop.iter().enumerate() {
            reading.place(&format!("shape.drop[{n}]"), text)?.drop = true;
        }
        for (text, name) in &written.rename {
            if !matches!(Path::parse(text).as_ref().map(|path| path.0.last()), Ok(Some(Segment::Field(_))) | Err(_)) {
                return Err(Invalid::new("shape.rename", format!("{text:?} must lead to a field, which has a name")));
            }
            reading.place("shape.rename", text)?.rename = Some(quoted(name));
        }
        for (text, table) in &written.map {
            let wrong = |key: &str| {
                Invalid::new(
                    "shape.map",
                    format!("{text:?}: {key:?} must become a text, a number, true, false or null"),
                )
            };
            let is_plain = |value: &serde_json::Value| !value.is_array() && !value.is_object();
            if let Some((key, _)) = table.iter().find(|(_, value)| !is_plain(value)) {
                return Err(wrong(key));
            }
            let table = table.iter().map(|(key, value)| (key.clone(), value.to_string())).collect();
            reading.place("shape.map", text)?.map = Some(table);
        }
        let mut set = Vec::with_capacity(written.set.len());
        for (name, value) in &written.set {
            let wrong = |message: String| Invalid::new("shape.set", format!("{name:?} {message}"));
            let template = Template::read(value, 0).map_err(wrong)?;
            for path in template.paths() {
                reading.count(path).map_err(|message| wrong(format!("holds {path}, which {message}")))?;
            }
            set.push((quoted(name), template));
        }
        reading.places.settle();
        Ok(Self { written, places: reading.places, set, paths: reading.paths })
    }

    /// Reads one that was stored as JSON.
    pub fn read(json: &str) -> Result<Self, Invalid> {
        let written = serde_json::from_str(json);
        Self::of(written.map_err(|error| Invalid::new("shape", format!("cannot be read: {error}")))?)
    }

    /// As it was written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Makes what is sent of an event's data: JSON. What it takes is taken off the budget, which is the event's as it was published.
    pub fn apply(&self, facts: &Facts<'_>, budget: &mut Budget) -> Result<Vec<u8>, Unshaped> {
        let added = self.added(facts, budget)?;
        let data = facts.data;
        let out = Vec::with_capacity(data.len().min(64 * 1024));
        let mut keeping = Keeping { out, budget: &mut *budget };
        let (places, kept) = ([&self.places], self.written.pick.is_none());
        match data.first() {
            Some(b'{') => keeping.object(data, &places, kept, &added)?,
            // What is no object has no place for fields: they are all there is.
            _ if !added.is_empty() => keeping.object(b"{}", &[], true, &added)?,
            first => {
                keeping.budget.pass(data.len(), 1)?;
                if !keeping.value(data, &places, kept)? {
                    keeping.out.extend_from_slice(if first == Some(&b'[') { b"[]" } else { b"null" });
                }
            }
        }
        let data = keeping.out;
        budget.fits(data.len())?;
        if !self.set.is_empty() {
            budget.pass(data.len(), 1)?;
            json::check(&data).map_err(|_| Unshaped::Deep)?;
        }
        Ok(data)
    }

    fn added(&self, facts: &Facts<'_>, budget: &mut Budget) -> Result<Vec<Added>, Unshaped> {
        let null = self.written.missing == Missing::Null;
        let (mut added, mut bytes) = (Vec::with_capacity(self.set.len()), 0);
        for (name, template) in &self.set {
            let mut filling = Filling { facts, budget: &mut *budget, null, out: Vec::new() };
            if filling.write(template)? {
                let value = filling.out;
                bytes += name.len() + value.len() + 2;
                budget.fits(bytes)?;
                added.push((name.clone(), value));
            }
        }
        Ok(added)
    }

    /// Which of its paths lead to nothing in this event. An error says that looking each of them up takes longer than shaping may,
    /// which goes over what several paths have in common once.
    pub fn missing(&self, facts: &Facts<'_>) -> Result<Vec<String>, Unshaped> {
        let mut budget = Budget::of(facts.bytes());
        let mut missing = Vec::new();
        for path in &self.paths {
            let text = path.to_string();
            if find(facts, path, &mut budget)?.is_empty() && !missing.contains(&text) {
                missing.push(text);
            }
        }
        Ok(missing)
    }
}

/// The paths of a shape that is being read.
#[derive(Default)]
struct Reading {
    places: Place,
    paths: Vec<Path>,
    wide: usize,
}

impl Reading {
    /// The end of a path into `data`.
    fn place(&mut self, field: &str, text: &str) -> Result<&mut Place, Invalid> {
        let wrong = |message: &str| Invalid::new(field, format!("{text:?} {message}"));
        let path = Path::parse(text).map_err(|at| {
            let chars = text.get(..at).unwrap_or(text).chars().count() + 1;
            wrong(&format!("is no path from character {chars} on; write it like @.data.items[*].id"))
        })?;
        self.count(&path).map_err(|message| wrong(&message))?;
        let [Segment::Field(part), into @ ..] = path.0.as_slice() else { unreachable!("it was counted") };
        if **part != *"data" || into.is_empty() {
            return Err(wrong("must lead into the data, like @.data.id: nothing else is shaped"));
        }
        Ok(self.places.at(into))
    }

    /// Notes a path, or says what is too much.
    fn count(&mut self, path: &Path) -> Result<(), String> {
        let parts = ["type", "data", "actor", "metadata"];
        match path.0.first() {
            Some(Segment::Field(name)) if parts.contains(&name.as_ref()) => {}
            _ => return Err("must start with @.data, @.type, @.actor or @.metadata".into()),
        }
        if path.0.len() > SEGMENTS_MAX {
            return Err(format!("is longer than {SEGMENTS_MAX} steps"));
        }
        self.wide += path.0.iter().filter(|one| matches!(one, Segment::Each | Segment::Slice { .. })).count();
        if self.wide > WIDE_MAX {
            return Err(format!("is one too many with * or a slice: there may be {WIDE_MAX} of them"));
        }
        if self.paths.len() == PATHS_MAX {
            return Err(format!("is one too many: a shape has at most {PATHS_MAX} paths"));
        }
        self.paths.push(path.clone());
        Ok(())
    }
}
