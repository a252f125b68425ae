//! Whether there is an event type, or one that a filter lets through: asked of what is published, tested and heard. What stays
//! true: a type that the account or one of the contracts has written down is never told of, unless it is retired.

use std::sync::Arc;

use crate::api::Api;
use crate::dialect::{Dialect, Search, Types, check_types, nearest_type};
use crate::domain::Invalid;
use crate::domain::account::Account;
use crate::domain::event_type::Validation;
use crate::domain::webhook::EventFilter;
use crate::store::KnownType;

/// The types that an account has written down, and those of some contracts.
pub struct Catalogue<'a> {
    /// Where they are.
    pub api: &'a Api,
    /// Whose.
    pub account: &'a Account,
    /// Which contracts.
    pub dialects: &'a [&'a Dialect],
    /// What the request may still search for what was meant.
    pub search: &'a Search,
}

/// What to say of a type that is not there.
enum Told {
    Nothing,
    Warning,
    Error,
}

impl Catalogue<'_> {
    /// Whether anything can be told of a type.
    pub fn tells_types(&self) -> bool {
        let has_own = || self.api.store.registry().event_types_of(self.account.number).len() > 0;
        self.dialects.iter().any(|dialect| dialect.tells_types()) || has_own()
    }

    /// What to tell whoever wants to hear of an event type, or of those that a filter lets through: a warning where nobody has
    /// written one down or it is retired, and an error where every contract is closed.
    pub fn check_heard(&self, field: &str, wanted: &EventFilter) -> Result<Option<String>, Invalid> {
        self.check(field, wanted, Validation::Warn)
    }

    /// The same for whoever publishes it: an error also where the account says so.
    pub fn check_published(&self, field: &str, event_type: &str) -> Result<Option<String>, Invalid> {
        self.check(field, &EventFilter::Exact(event_type.into()), Validation::Refuse)
    }

    /// `most`: what is made at most of the account's word. Where that says nothing, and the contracts nothing of types, a type
    /// that is not there is no matter.
    fn check(&self, field: &str, wanted: &EventFilter, most: Validation) -> Result<Option<String>, Invalid> {
        let meant = match self.meant(wanted) {
            Some(meant) if *wanted != EventFilter::All => meant,
            _ => return check_types(self.dialects, field, wanted, self.search),
        };
        if !meant.is_empty() {
            let are_retired = meant.iter().all(|known| known.own().retired_at.is_some());
            return Ok(are_retired.then(|| format!("{field}: {:?} is retired; use another type", wanted.to_string())));
        }
        let told = self.told(wanted, most);
        if matches!(told, Told::Nothing) {
            return Ok(None);
        }
        let more = match self.nearest(wanted) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "GET /api/v1/event-types lists what there is".into(),
        };
        let message = format!("{:?} is not among the event types of this account; {more}", wanted.to_string());
        let found = Invalid::new(field, message);
        if matches!(told, Told::Error) { Err(found) } else { Ok(Some(found.to_string())) }
    }

    /// The account's own types that are meant; `None` if it has none at all.
    fn meant(&self, wanted: &EventFilter) -> Option<Vec<Arc<KnownType>>> {
        let registry = self.api.store.registry();
        let own = registry.event_types_of(self.account.number);
        if own.len() == 0 {
            return None;
        }
        Some(match wanted {
            EventFilter::Exact(name) => registry.event_type(self.account.number, name).into_iter().cloned().collect(),
            _ => own.filter(|known| wanted.matches(&known.own().name)).cloned().collect(),
        })
    }

    fn told(&self, wanted: &EventFilter, most: Validation) -> Told {
        let documents = |dialect: &&Dialect| dialect.catalogue.iter().any(|known| wanted.matches(&known.name));
        if self.dialects.iter().any(documents) {
            return Told::Nothing;
        }
        let mut telling = self.dialects.iter().filter(|dialect| dialect.tells_types()).peekable();
        let is_told = telling.peek().is_some();
        if is_told && telling.all(|dialect| dialect.types == Types::Closed) {
            return Told::Error;
        }
        let registry = self.api.store.registry();
        // As the account is now, not as it was when the request came.
        let account = registry.account(self.account.number).map(AsRef::as_ref).unwrap_or(self.account);
        match (account.validation, most) {
            (Validation::Off, _) if !is_told => Told::Nothing,
            (Validation::Refuse, Validation::Refuse) => Told::Error,
            _ => Told::Warning,
        }
    }

    fn nearest(&self, wanted: &EventFilter) -> Option<String> {
        if self.search.is_over() {
            return None;
        }
        // The registry is let go before names are compared.
        let own: Vec<Arc<KnownType>> = {
            let registry = self.api.store.registry();
            let in_use = |known: &&Arc<KnownType>| known.own().retired_at.is_none();
            registry.event_types_of(self.account.number).filter(in_use).cloned().collect()
        };
        let telling = self.dialects.iter().filter(|dialect| dialect.tells_types());
        let of_contracts = telling.flat_map(|dialect| &dialect.catalogue).map(|known| known.name.as_str());
        nearest_type(wanted, own.iter().map(|known| known.own().name.as_str()).chain(of_contracts), self.search)
    }
}
