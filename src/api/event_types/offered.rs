//! The event types that people are offered to choose from: those that an account has written down and uses, and those that a
//! contract documents.

use crate::api::Api;
use crate::dialect::Dialect;
use crate::domain::id::AccountNumber;

/// Types that are offered at most: one chooses from them by eye.
pub const OFFERED_MAX: usize = 200;

/// A type, and when it happens; that may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The type.
    pub name: String,
    /// In a sentence.
    pub description: String,
}

/// Types of an account and of a contract, each once, by their names.
pub fn offered(api: &Api, account: AccountNumber, dialect: Option<&Dialect>) -> Vec<Offered> {
    let mut all: Vec<Offered> = {
        let registry = api.store.registry();
        let own = registry.event_types_of(account).map(|known| known.own());
        let in_use = own.filter(|own| own.retired_at.is_none());
        in_use
            .take(OFFERED_MAX)
            .map(|own| Offered { name: own.name.clone(), description: own.description.clone() })
            .collect()
    };
    let documented = dialect.into_iter().flat_map(|dialect| &dialect.catalogue);
    for known in documented.take(OFFERED_MAX) {
        if !all.iter().any(|own| own.name == known.name) {
            all.push(Offered { name: known.name.clone(), description: known.description.clone() });
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all.truncate(OFFERED_MAX);
    all
}
