//! The paths of a shape as one tree, so that one pass over the data serves all of them.

use std::collections::{BTreeMap, HashMap};

use super::seek::leads_to;
use crate::domain::condition::Segment;

/// The end of some paths, and where others go on.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    fields: HashMap<Box<str>, Place>,
    /// Indexes, slices and `*`.
    others: Vec<(Segment, Place)>,
    /// What is here is kept, where only some is.
    pub pick: bool,
    /// What is here is left out.
    pub drop: bool,
    /// The name that it gets, as a JSON text.
    pub rename: Option<String>,
    /// What becomes of it: JSON by the text of the value.
    pub map: Option<BTreeMap<String, String>>,
    /// Whether a field of what is here gets another name; known once all paths are.
    renames_inside: bool,
}

impl Place {
    /// The end of a path.
    pub fn at(&mut self, path: &[Segment]) -> &mut Self {
        path.iter().fold(self, |place, segment| match segment {
            Segment::Field(name) => place.fields.entry(name.clone()).or_default(),
            other => {
                let known = place.others.iter().position(|(segment, _)| segment == other);
                let at = known.unwrap_or(place.others.len());
                if known.is_none() {
                    place.others.push((other.clone(), Self::default()));
                }
                &mut place.others[at].1
            }
        })
    }

    /// Whether a path goes on from here.
    pub fn goes_on(&self) -> bool {
        !self.fields.is_empty() || !self.others.is_empty()
    }

    /// Finds out, once all paths are known, what is asked about every object.
    pub fn settle(&mut self) {
        for place in self.fields.values_mut().chain(self.others.iter_mut().map(|(_, place)| place)) {
            place.settle();
            self.renames_inside |= place.rename.is_some();
        }
    }

    /// Whether a field of what is here gets another name.
    pub fn renames_inside(&self) -> bool {
        self.renames_inside
    }

    /// How much is looked at to find the places of one field or element of what is at these.
    pub fn looks(places: &[&Self]) -> usize {
        places.iter().map(|place| 1 + place.others.len()).sum()
    }

    /// The places of a field of what is at these.
    pub fn of_field<'p>(places: &[&'p Self], name: &str) -> Vec<&'p Self> {
        let each = |place: &'p Self| place.others.iter().filter(|(segment, _)| *segment == Segment::Each);
        places
            .iter()
            .flat_map(|place| place.fields.get(name).into_iter().chain(each(place).map(|(_, one)| one)))
            .collect()
    }

    /// The places of an element of what is at these.
    pub fn of_element<'p>(places: &[&'p Self], index: usize) -> Vec<&'p Self> {
        let here = |place: &&'p Self| place.others.iter().filter(move |(segment, _)| leads_to(segment, index));
        places.iter().flat_map(here).map(|(_, place)| place).collect()
    }
}
