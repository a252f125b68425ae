//! What a request says of one setting: nothing, null, or a value.

use serde::{Deserialize, Deserializer};

use crate::domain::Invalid;

/// What becomes of a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It was left out: it stays.
    #[default]
    Keep,
    /// It was null: back to the dialect's, or to nothing.
    Reset,
    /// This.
    To(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Reset, Self::To))
    }
}

impl<T> Change<T> {
    pub fn vet<U>(self, vet: impl FnOnce(T) -> Result<U, Invalid>) -> Result<Change<U>, Invalid> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Reset => Change::Reset,
            Self::To(value) => Change::To(vet(value)?),
        })
    }

    /// A setting that a webhook must have: it cannot be null.
    pub fn required<U>(self, field: &str, vet: impl FnOnce(T) -> Result<U, Invalid>) -> Result<Option<U>, Invalid> {
        match self {
            Self::Keep => Ok(None),
            Self::Reset => Err(Invalid::new(field, "must not be null")),
            Self::To(value) => vet(value).map(Some),
        }
    }

    /// The new value, where null means `usual`.
    pub fn or_reset(self, usual: T) -> Option<T> {
        match self {
            Self::Keep => None,
            Self::Reset => Some(usual),
            Self::To(value) => Some(value),
        }
    }

    /// Changes a setting that is empty where there is nothing.
    pub fn apply_or_empty(self, to: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Keep => {}
            Self::Reset => *to = T::default(),
            Self::To(value) => *to = value,
        }
    }

    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Reset => *to = None,
            Self::To(value) => *to = Some(value),
        }
    }
}
