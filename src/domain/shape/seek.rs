//! What a path leads to in an event, as the producer's bytes. What stays true: of fields with the same name the last one
//! counts, as in a condition.

use super::facts::Facts;
use super::scan::{elements, fields, text};
use super::spend::{Budget, Unshaped};
use crate::domain::condition::{Path, Segment};

/// The values that the path leads to, in their order.
pub(super) fn find<'f>(facts: &'f Facts<'_>, path: &Path, budget: &mut Budget) -> Result<Vec<&'f [u8]>, Unshaped> {
    let mut found = Vec::new();
    if let Some((Segment::Field(name), rest)) = path.0.split_first()
        && let Some(part) = facts.part(name)
    {
        walk(part, rest, budget, &mut found)?;
    }
    Ok(found)
}

fn walk<'j>(json: &'j [u8], path: &[Segment], budget: &mut Budget, found: &mut Vec<&'j [u8]>) -> Result<(), Unshaped> {
    budget.pass(0, 1)?;
    let Some((segment, rest)) = path.split_first() else {
        found.push(json);
        return Ok(());
    };
    match (segment, json.first()) {
        (Segment::Field(name), Some(b'{')) => {
            let mut last = None;
            budget.pass(json.len(), 1)?;
            for (known, value) in fields(json) {
                budget.pass(known.len(), 1)?;
                if text(known) == **name {
                    last = Some(value);
                }
            }
            last.map_or(Ok(()), |value| walk(value, rest, budget, found))
        }
        (Segment::Each, Some(b'{')) => {
            budget.pass(json.len(), 1)?;
            for (_, value) in fields(json) {
                walk(value, rest, budget, found)?;
            }
            Ok(())
        }
        (Segment::Element(_) | Segment::Slice { .. } | Segment::Each, Some(b'[')) => {
            budget.pass(json.len(), 1)?;
            for (index, value) in elements(json).enumerate() {
                budget.pass(0, 1)?;
                if leads_to(segment, index) {
                    walk(value, rest, budget, found)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether a segment leads to the element at this place.
pub(super) fn leads_to(segment: &Segment, index: usize) -> bool {
    match segment {
        Segment::Element(at) => *at == index,
        Segment::Slice { from, to, step } => {
            *step > 0 && (*from..*to).contains(&index) && (index - from).is_multiple_of(*step)
        }
        Segment::Each => true,
        Segment::Field(_) => false,
    }
}
