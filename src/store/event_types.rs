//! Event types of an account's own: written down, changed, taken out. What stays true: one is written over only by who knew what
//! stood there, so its example and its schema are always of one change.

use std::sync::Arc;

use super::error::Refusal;
use super::layout::{self, Tree};
use super::own_types::KnownType;
use super::registry::Registry;
use super::staging::Staging;
use crate::domain::Invalid;
use crate::domain::event_type::{ACCOUNT_BYTES_MAX, ACCOUNT_PATTERNS_MAX, IMPORTED_MAX, OwnType, WRITTEN_BYTES_MAX};
use crate::domain::id::{AccountNumber, EventTypeId};
use crate::domain::schema::Schema;

/// An event type to write down.
#[derive(Debug, Clone)]
pub struct Written {
    /// What stood there when it was made, to be written over; `None`: nothing.
    pub before: Option<Arc<KnownType>>,
    /// What is to stand there.
    pub own: OwnType,
    /// Its schema, compiled.
    pub schema: Option<Arc<Schema>>,
}

impl Staging<'_> {
    /// Writes event types down, all of them or none, at most [`IMPORTED_MAX`]; none as well, and no error, if what stands there
    /// is not what it was when they were made. `limit`: how many the account may have, 0: any number. Gives how they stand.
    pub fn put_event_types(
        &mut self,
        account: AccountNumber,
        written: Vec<Written>,
        limit: usize,
    ) -> Result<Option<Vec<OwnType>>, Refusal> {
        assert!(written.len() <= IMPORTED_MAX, "it is one step of the commit thread");
        if !self.is_as_known(account, &written) {
            return Ok(None);
        }
        self.registry().vet_event_types(account, &written, limit)?;
        let mut put = Vec::with_capacity(written.len());
        for Written { before, mut own, schema } in written {
            own.updated_at = self.now();
            own.patterns = schema.as_ref().map_or(0, |schema| schema.patterns() as u32);
            if before.is_none() {
                (own.id, own.created_at) = (EventTypeId(self.next_id(0)), own.updated_at);
            }
            self.put(Tree::EventTypes, layout::event_type(account, &own.name), &own);
            let known = KnownType::compiled(own.clone(), schema);
            let replaced = self.registry_mut().put_event_type(account, known);
            // Here, where nobody waits for the registry.
            drop(replaced);
            put.push(own);
        }
        Ok(Some(put))
    }

    fn is_as_known(&self, account: AccountNumber, written: &[Written]) -> bool {
        let registry = self.registry();
        written.iter().all(|one| match (&one.before, registry.event_type(account, &one.own.name)) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now) || before.own() == now.own(),
            (None, None) => true,
            _ => false,
        })
    }

    /// Takes an event type out of the account's own.
    pub fn delete_event_type(&mut self, account: AccountNumber, name: &str) -> Result<(), Refusal> {
        if self.registry().event_type(account, name).is_none() {
            return Err(Refusal::NotFound("event type"));
        }
        self.stage(Tree::EventTypes, layout::event_type(account, name), None);
        let removed = self.registry_mut().remove_event_type(account, name);
        drop(removed);
        Ok(())
    }
}

impl Registry {
    /// Asserts that the account may have these in the place of what they replace; `limit`: how many it may have, 0: any number.
    pub fn vet_event_types(&self, account: AccountNumber, written: &[Written], limit: usize) -> Result<(), Refusal> {
        let there = self.event_types_of(account);
        let new = written.iter().filter(|one| one.before.is_none()).count();
        if limit > 0 && new > 0 && there.len() + new > limit {
            let (what, setting) = ("event types", "limits.event_types_max");
            let remedy = "delete some that nobody uses, or let the operator raise it";
            return Err(Refusal::OverQuota { what, limit, setting, remedy });
        }
        let before = written.iter().filter_map(|one| one.before.as_ref());
        let (mut replaced, mut replaced_patterns, mut bytes, mut patterns) = (0, 0, 0, 0);
        for known in there {
            (bytes, patterns) = (bytes + known.own().bytes(), patterns + known.patterns());
        }
        for known in before.filter_map(|one| self.event_type(account, &one.own().name)) {
            (replaced, replaced_patterns) = (replaced + known.own().bytes(), replaced_patterns + known.patterns());
        }
        let added: usize = written.iter().map(|one| one.own.bytes()).sum();
        if added > WRITTEN_BYTES_MAX {
            let message = format!(
                "is more than is written at once: these event types have {added} bytes of descriptions, samples and schemas, \
                 and may have {WRITTEN_BYTES_MAX}; bring them in several parts"
            );
            return Err(Invalid::new("schema", message).into());
        }
        let added_patterns: usize =
            written.iter().filter_map(|one| one.schema.as_ref()).map(|one| one.patterns()).sum();
        if patterns + added_patterns > ACCOUNT_PATTERNS_MAX + replaced_patterns && added_patterns > replaced_patterns {
            let message = format!(
                "would give the event types of this account more than {ACCOUNT_PATTERNS_MAX} patterns together (one with \\b \
                 counts as eight); say some of them by enum, minLength and maxLength, or leave them out"
            );
            return Err(Invalid::new("schema", message).into());
        }
        let bytes = bytes - replaced;
        // What is made shorter always goes.
        if bytes + added > ACCOUNT_BYTES_MAX && added > replaced {
            let message = format!(
                "would make the event types of this account longer than {ACCOUNT_BYTES_MAX} bytes together; delete some, or \
                 shorten their samples and schemas"
            );
            return Err(Invalid::new("schema", message).into());
        }
        Ok(())
    }

    /// What the texts of an account's own event types take, in bytes.
    pub fn event_type_bytes_of(&self, account: AccountNumber) -> usize {
        self.event_types_of(account).map(|known| known.own().bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

    fn new(name: &str) -> Written {
        Written { before: None, own: OwnType::named(name), schema: None }
    }

    fn put(bench: &mut Bench, written: Vec<Written>, limit: usize) -> Result<Option<Vec<OwnType>>, Refusal> {
        let mut answer = bench.store.submit(move |staging| Ok(staging.put_event_types(1, written, limit))).unwrap();
        bench.committer.step();
        answer.try_recv().unwrap().unwrap()
    }

    #[test]
    fn one_is_written_over_only_by_who_knew_what_stood_there() {
        let mut bench = Bench::new();
        let first = put(&mut bench, vec![new("a.b")], 0).unwrap().unwrap().remove(0);
        assert!(first.id.0 > 0 && first.created_at > 0);
        assert_eq!(put(&mut bench, vec![new("c.d"), new("a.b")], 0), Ok(None), "all or none");
        assert_eq!(bench.store.registry().event_types_of(1).len(), 1);
        let before = bench.store.registry().event_type(1, "a.b").cloned();
        let own = OwnType { description: "It is.".into(), ..first.clone() };
        let change = Written { before, own, schema: None };
        let changed = put(&mut bench, vec![change.clone()], 0).unwrap().unwrap().remove(0);
        assert_eq!((changed.id, changed.description.as_str()), (first.id, "It is."));
        assert_eq!(put(&mut bench, vec![change], 0), Ok(None), "somebody else was faster");
    }

    #[test]
    fn an_account_has_so_many_and_so_many_bytes_of_them_and_they_are_there_after_a_start() {
        let mut bench = Bench::new();
        put(&mut bench, vec![new("a"), new("b")], 2).unwrap().unwrap();
        let refused = put(&mut bench, vec![new("c")], 2);
        assert!(matches!(refused, Err(Refusal::OverQuota { limit: 2, setting: "limits.event_types_max", .. })));
        let long = |n: usize| {
            let sample = Some(format!("\"{}\"", " ".repeat(30_000)));
            Written { before: None, own: OwnType { sample, ..OwnType::named(&n.to_string()) }, schema: None }
        };
        for from in [0, 15, 30, 45] {
            assert!(put(&mut bench, (from..from + 15).map(long).collect(), 0).unwrap().is_some());
        }
        let refused = put(&mut bench, (60..75).map(long).collect(), 0);
        assert!(matches!(refused, Err(Refusal::Invalid(invalid)) if invalid.message.contains("this account")));
        let refused = put(&mut bench, (60..78).map(long).collect(), 0);
        assert!(matches!(refused, Err(Refusal::Invalid(invalid)) if invalid.message.contains("several parts")));
        bench.committer.let_go();
        bench.rest();
        assert_eq!(bench.store.registry().event_types_of(1).len(), 62);
        let deleted = bench.now(|staging| staging.delete_event_type(1, "a").map(|()| true));
        assert!(deleted && bench.store.registry().event_type(1, "a").is_none());
        assert_eq!(bench.keys(Tree::EventTypes).len(), 61);
    }

    /// One with so many patterns, and what stands there now.
    fn with_patterns(bench: &Bench, name: &str, count: usize) -> Written {
        let before = bench.store.registry().event_type(1, name).cloned();
        let any: Vec<String> = (0..count).map(|n| format!(r#"{{"pattern":"^(a|{n}.)"}}"#)).collect();
        let text = format!(r#"{{"anyOf":[{},true]}}"#, any.join(","));
        let schema = Some(Arc::new(Schema::compile(&text).unwrap()));
        Written { before, own: OwnType { schema: Some(text), ..OwnType::named(name) }, schema }
    }

    #[test]
    fn an_account_has_so_many_patterns_and_after_a_start_as_many() {
        let mut bench = Bench::new();
        for n in 0..ACCOUNT_PATTERNS_MAX / 32 {
            let one = with_patterns(&bench, &format!("t{n}"), 32);
            assert!(put(&mut bench, vec![one], 0).unwrap().is_some());
        }
        let is_refused = |bench: &mut Bench, one: Written| {
            let refused = put(bench, vec![one], 0);
            matches!(refused, Err(Refusal::Invalid(invalid)) if invalid.message.contains("256 patterns"))
        };
        let more = with_patterns(&bench, "more", 1);
        assert!(is_refused(&mut bench, more.clone()));
        bench.committer.let_go();
        bench.rest();
        assert!(
            bench.store.registry().event_types_of(1).all(|known| known.patterns() == 32),
            "nothing is compiled yet"
        );
        assert!(is_refused(&mut bench, more.clone()));
        assert!(put(&mut bench, vec![new("without")], 0).unwrap().is_some(), "what has none always goes");
        let fewer = with_patterns(&bench, "t0", 31);
        assert!(put(&mut bench, vec![fewer], 0).unwrap().is_some());
        assert!(put(&mut bench, vec![more], 0).unwrap().is_some(), "there is room for it now");
    }
}
