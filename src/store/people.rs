//! Users by every way they are looked up: a part of the registry. What stays true: an address, and whom an identity provider
//! knows somebody as, lead to one user of the server.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::id::{AccountNumber, UserId};
use crate::domain::user::{External, User};

/// All users.
#[derive(Debug, Default)]
pub struct People {
    users: BTreeMap<(AccountNumber, UserId), Arc<User>>,
    emails: HashMap<String, UserId>,
    externals: HashMap<External, UserId>,
}

impl People {
    /// The user of this id.
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&(id.account(), id))
    }

    /// The user who logs in with this address, as it is stored.
    pub fn by_email(&self, email: &str) -> Option<&Arc<User>> {
        self.emails.get(email).and_then(|id| self.user(*id))
    }

    /// The user whom an identity provider knows as this one.
    pub fn by_external(&self, external: &External) -> Option<&Arc<User>> {
        self.externals.get(external).and_then(|id| self.user(*id))
    }

    /// The users of an account, the oldest first.
    pub fn of(&self, account: AccountNumber) -> impl DoubleEndedIterator<Item = &Arc<User>> {
        self.users.range((account, UserId(0))..=(account, UserId(u128::MAX))).map(|(_, user)| user)
    }

    /// How many users the account has.
    pub fn count_of(&self, account: AccountNumber) -> usize {
        self.of(account).count()
    }

    pub(super) fn put(&mut self, user: User) {
        let id = user.id;
        self.remove(id);
        self.emails.insert(user.email.clone(), id);
        self.externals.extend(user.external.clone().map(|external| (external, id)));
        self.users.insert((id.account(), id), Arc::new(user));
    }

    pub(super) fn remove(&mut self, id: UserId) {
        let Some(user) = self.users.remove(&(id.account(), id)) else { return };
        if self.emails.get(&user.email) == Some(&id) {
            self.emails.remove(&user.email);
        }
        if let Some(external) = user.external.as_ref().filter(|external| self.externals.get(external) == Some(&id)) {
            self.externals.remove(external);
        }
    }

    /// The account is gone.
    pub(super) fn forget(&mut self, account: AccountNumber) {
        let ids: Vec<UserId> = self.of(account).map(|user| user.id).collect();
        ids.into_iter().for_each(|id| self.remove(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::Role;

    fn user(n: u128, account: AccountNumber, email: &str, subject: Option<&str>) -> User {
        let external = subject.map(|subject| External { issuer: "https://id.example".into(), subject: subject.into() });
        let id = UserId(n << 80 | u128::from(account));
        User { id, external, ..User::invited(email.into(), "Ada".into(), Role::Viewer) }
    }

    #[test]
    fn a_user_is_found_by_what_is_said_of_him_now_and_by_nothing_of_before() {
        let mut people = People::default();
        people.put(user(1, 7, "a@x.y", Some("one")));
        people.put(user(2, 7, "b@x.y", None));
        people.put(user(3, 8, "c@x.y", None));
        let known = |people: &People, email: &str| people.by_email(email).map(|user| user.id.0 >> 80);
        assert_eq!((known(&people, "a@x.y"), people.count_of(7), people.count_of(8)), (Some(1), 2, 1));
        people.put(user(1, 7, "d@x.y", Some("two")));
        assert_eq!((known(&people, "a@x.y"), known(&people, "d@x.y"), people.count_of(7)), (None, Some(1), 2));
        let external = |subject: &str| External { issuer: "https://id.example".into(), subject: subject.into() };
        assert!(people.by_external(&external("one")).is_none() && people.by_external(&external("two")).is_some());
        people.forget(7);
        assert_eq!((people.count_of(7), known(&people, "b@x.y"), known(&people, "c@x.y")), (0, None, Some(3)));
        assert!(people.by_external(&external("two")).is_none());
    }
}
