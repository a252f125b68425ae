//! The event types that an account writes down itself, beside those that its contracts document: what each is about, an example
//! of its data, a JSON Schema of it, and what is done with an event that does not fit. What stays true: an example that is
//! written down fits the schema that stands beside it.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::id::EventTypeId;
use super::time::UnixMs;
use super::words::words;

/// A description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// Description, sample and schema of one type together, in bytes: its record is one value of the store.
pub const TEXT_BYTES_MAX: usize = 31_000;
/// The same of all types of an account: they are held in memory.
pub const ACCOUNT_BYTES_MAX: usize = 2 << 20;
/// What all their schemas may be charged for patterns: compiled, each takes a hundred kilobytes at most.
pub const ACCOUNT_PATTERNS_MAX: usize = 256;
/// Bytes of types that are written in one step, so of one document: others wait for it.
pub const WRITTEN_BYTES_MAX: usize = 512 * 1024;
/// Types that one document brings at most, since they are written in one step.
pub const IMPORTED_MAX: usize = 256;

/// What is done with an event whose data does not fit the schema of its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Nothing: it is not looked at.
    #[default]
    Off,
    /// It is accepted, and the reply says what does not fit.
    Warn,
    /// It is refused, and with it all that was published together.
    Refuse,
}

words!(Validation {
    Self::Off => "off",
    Self::Warn => "warn",
    Self::Refuse => "refuse",
});

/// An event type of an account's own. In the store it grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnType {
    /// Given by the commit thread; lists go by it.
    pub id: EventTypeId,
    /// For example `task.created`.
    pub name: String,
    /// When it is published, for people; may be empty.
    pub description: String,
    /// An example of its data: JSON.
    pub sample: Option<String>,
    /// A JSON Schema of its data: a JSON object, or `true` or `false`.
    pub schema: Option<String>,
    /// What is done with what does not fit; `None`: as the account says.
    pub validation: Option<Validation>,
    /// When it was written down.
    pub created_at: UnixMs,
    /// When it was last changed.
    pub updated_at: UnixMs,
    /// Since when nobody should publish it any more.
    pub retired_at: Option<UnixMs>,
    /// What its schema is charged for patterns; given when it is stored.
    pub patterns: u32,
}

impl OwnType {
    /// One of this name about which nothing is said yet.
    pub fn named(name: &str) -> Self {
        Self {
            id: EventTypeId(0),
            name: name.into(),
            description: String::new(),
            sample: None,
            schema: None,
            validation: None,
            created_at: 0,
            updated_at: 0,
            retired_at: None,
            patterns: 0,
        }
    }

    /// What its texts take, in bytes.
    pub fn bytes(&self) -> usize {
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.name.len() + self.description.len() + of(&self.sample) + of(&self.schema)
    }

    /// Asserts that its texts are not too long.
    pub fn vet_bytes(&self) -> Result<(), Invalid> {
        let bytes = self.bytes();
        if bytes <= TEXT_BYTES_MAX {
            return Ok(());
        }
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let field = if of(&self.sample) > of(&self.schema) { "sample" } else { "schema" };
        let message = format!(
            "is too long: name, description, sample and schema have {bytes} bytes together, and may have {TEXT_BYTES_MAX}"
        );
        Err(Invalid::new(field, message))
    }

    /// What is done with what does not fit, where the account says `of_account`.
    pub fn validation(&self, of_account: Validation) -> Validation {
        self.validation.unwrap_or(of_account)
    }

    /// The settings that are not as `before`, by their names in the API.
    pub fn changed(&self, before: &Self) -> Vec<String> {
        let all = [
            ("description", self.description != before.description),
            ("sample", self.sample != before.sample),
            ("schema", self.schema != before.schema),
            ("validation", self.validation != before.validation),
            ("retired", self.retired_at.is_some() != before.retired_at.is_some()),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_says_goes_before_its_account_and_its_texts_are_bounded_together() {
        let own = OwnType { validation: Some(Validation::Off), ..OwnType::named("a.b") };
        assert_eq!(own.validation(Validation::Refuse), Validation::Off);
        assert_eq!(OwnType::named("a.b").validation(Validation::Refuse), Validation::Refuse);
        let half = Some(" ".repeat(TEXT_BYTES_MAX / 2));
        let whole = OwnType { sample: half.clone(), schema: half.clone(), ..OwnType::named("") };
        assert_eq!(whole.vet_bytes(), Ok(()));
        let longer = OwnType { description: "a".into(), ..whole.clone() };
        assert_eq!(longer.vet_bytes().unwrap_err().field, "schema");
        assert_eq!(OwnType { schema: None, ..whole.clone() }.changed(&whole), ["schema"]);
        assert_eq!(OwnType { retired_at: Some(1), ..whole.clone() }.changed(&whole), ["retired"]);
    }
}
