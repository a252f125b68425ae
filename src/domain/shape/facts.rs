//! What a shape sees of an event: the same as a condition, `{type, data, actor, metadata}`.

use super::scan::trimmed;

/// An event's parts: JSON that was checked when it came in, without white space around it.
#[derive(Debug, Clone)]
pub struct Facts<'e> {
    /// The type as a JSON text.
    event_type: String,
    /// What is shaped.
    pub data: &'e [u8],
    actor: Option<&'e [u8]>,
    metadata: Option<&'e [u8]>,
}

impl<'e> Facts<'e> {
    /// Those of an event.
    pub fn of(event_type: &str, data: &'e [u8], actor: Option<&'e [u8]>, metadata: Option<&'e [u8]>) -> Self {
        let event_type = serde_json::to_string(event_type).expect("a text can be written");
        Self { event_type, data: trimmed(data), actor: actor.map(trimmed), metadata: metadata.map(trimmed) }
    }

    /// All of them, in bytes.
    pub fn bytes(&self) -> usize {
        let optional = [self.actor, self.metadata].into_iter().flatten().map(<[u8]>::len).sum::<usize>();
        self.data.len() + optional
    }

    /// The part of this name.
    pub(super) fn part(&self, name: &str) -> Option<&[u8]> {
        match name {
            "type" => Some(self.event_type.as_bytes()),
            "data" => Some(self.data),
            "actor" => self.actor,
            "metadata" => self.metadata,
            _ => None,
        }
    }
}
