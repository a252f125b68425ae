//! Event types of an account's own: written down, changed, taken out. What stays true: one is written over only by who knew what
//! stood there, so its example and its schema are always of one change.

use std::sync::Arc;

use super::error::Refusal;
use super::layout::{self, Tree};
use super::own_types::KnownType;
use super::registry::Registry;
use super::staging::Staging;
use crate::domain::Invalid;
use crate::domain::event_type::{ACCOUNT_BYTES_MAX, IMPORTED_MAX, OwnType};
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
            if before.is_none() {
                (own.id, own.created_at) = (EventTypeId(self.next_id(0)), own.updated_at);
            }
            self.put(Tree::EventTypes, layout::event_type(account, &own.name), &own);
            self.registry_mut().put_event_type(account, KnownType::compiled(own.clone(), schema));
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
        self.registry_mut().remove_event_type(account, name);
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
        let replaced: usize = written.iter().filter_map(|one| one.before.as_ref()).map(|one| one.own().bytes()).sum();
        // Who only tries it out may know one that has gone meanwhile.
        let bytes = self.event_type_bytes_of(account).saturating_sub(replaced);
        let added: usize = written.iter().map(|one| one.own.bytes()).sum();
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
        assert!(put(&mut bench, (0..60).map(long).collect(), 0).unwrap().is_some());
        let refused = put(&mut bench, (60..120).map(long).collect(), 0);
        assert!(matches!(refused, Err(Refusal::Invalid(invalid)) if invalid.field == "schema"));
        bench.committer.let_go();
        bench.rest();
        assert_eq!(bench.store.registry().event_types_of(1).len(), 62);
        let deleted = bench.now(|staging| staging.delete_event_type(1, "a").map(|()| true));
        assert!(deleted && bench.store.registry().event_type(1, "a").is_none());
        assert_eq!(bench.keys(Tree::EventTypes).len(), 61);
    }
}
