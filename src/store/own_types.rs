//! The event types that accounts have written down, with their schemas. What stays true: a schema is compiled once after each
//! change, by whoever writes it down, and after a start by whoever asks it first, so a start does not wait for those that
//! nobody asks; never by the commit thread.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::sync::{Arc, OnceLock};

use crate::domain::event_type::OwnType;
use crate::domain::id::AccountNumber;
use crate::domain::schema::Schema;

/// An event type of an account's own, with its schema.
#[derive(Debug)]
pub struct KnownType {
    own: OwnType,
    compiled: OnceLock<Option<Arc<Schema>>>,
}

impl KnownType {
    /// One whose schema nobody has asked yet.
    pub fn of(own: OwnType) -> Self {
        Self { own, compiled: OnceLock::new() }
    }

    /// One whose schema is compiled; `None` if it has none.
    pub fn compiled(own: OwnType, schema: Option<Arc<Schema>>) -> Self {
        Self { own, compiled: OnceLock::from(schema) }
    }

    /// What is written down.
    pub fn own(&self) -> &OwnType {
        &self.own
    }

    /// What it is charged for patterns. One that was written down before that was known is charged once it is compiled.
    pub fn patterns(&self) -> usize {
        let compiled = self.compiled.get().and_then(Option::as_ref);
        compiled.map_or(self.own.patterns as usize, |schema| schema.patterns())
    }

    /// Its schema, if that is at hand without being compiled.
    pub fn schema_at_hand(&self) -> Option<Option<&Arc<Schema>>> {
        match &self.own.schema {
            None => Some(None),
            Some(_) => self.compiled.get().map(Option::as_ref),
        }
    }

    /// Its schema, compiled in a few milliseconds if nobody has asked it yet. None if it has none; or if an earlier build took
    /// it and this one does not: then nothing is held against it, since events would be lost.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        let compile = || {
            let text = self.own.schema.as_ref()?;
            let compiled = Schema::compile(text);
            let report =
                |why: &String| tracing::error!(event_type = self.own.name, why, "nothing is held against its schema");
            compiled.inspect_err(report).ok().map(Arc::new)
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// Those of all accounts, by name.
#[derive(Debug, Default)]
pub struct OwnTypes(HashMap<AccountNumber, BTreeMap<String, Arc<KnownType>>>);

impl OwnTypes {
    /// Those of an account.
    pub fn of(&self, account: AccountNumber) -> Option<&BTreeMap<String, Arc<KnownType>>> {
        self.0.get(&account)
    }

    /// The same, one after the other.
    pub fn of_all(&self, account: AccountNumber) -> btree_map::Values<'_, String, Arc<KnownType>> {
        static NONE: BTreeMap<String, Arc<KnownType>> = BTreeMap::new();
        self.0.get(&account).unwrap_or(&NONE).values()
    }

    /// Enters one, in the place of another of its name, which is given back: what it has compiled is not to be dropped while
    /// anybody waits for this.
    pub fn put(&mut self, account: AccountNumber, known: KnownType) -> Option<Arc<KnownType>> {
        self.0.entry(account).or_default().insert(known.own.name.clone(), Arc::new(known))
    }

    /// Takes one out.
    pub fn remove(&mut self, account: AccountNumber, name: &str) -> Option<Arc<KnownType>> {
        let own = self.0.get_mut(&account)?;
        let removed = own.remove(name);
        if own.is_empty() {
            self.0.remove(&account);
        }
        removed
    }

    /// The account is gone: takes all of them out.
    pub fn forget(&mut self, account: AccountNumber) -> BTreeMap<String, Arc<KnownType>> {
        self.0.remove(&account).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_compiled_when_it_is_asked_first_and_one_that_nothing_can_be_asked_is_none() {
        let of =
            |schema: Option<&str>| KnownType::of(OwnType { schema: schema.map(String::from), ..OwnType::named("a") });
        let known = of(Some(r#"{"type":"object"}"#));
        assert!(known.schema_at_hand().is_none());
        assert!(known.schema().is_some_and(|schema| schema.faults(b"{}").is_empty()));
        assert!(known.schema_at_hand().is_some_and(|schema| schema.is_some()));
        assert!(of(None).schema_at_hand().is_some_and(|schema| schema.is_none()), "there is nothing to compile");
        assert!(of(Some(r##"{"$ref":"#"}"##)).schema().is_none());
    }
}
