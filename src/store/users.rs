//! Users: made, changed, removed. What stays true: whoever may do something else from now on, or logs in by another password, has
//! no session of before; and a user who is gone has none, and no link.

use super::error::Refusal;
use super::layout::{self, Tree};
use super::sessions::SessionHash;
use super::staging::Staging;
use crate::domain::id::{AccountNumber, UserId};
use crate::domain::time::UnixMs;
use crate::domain::user::User;

impl Staging<'_> {
    /// Adds a user to an account; the id is given here. `limit`: how many the account may have, 0: any number.
    pub fn create_user(&mut self, account: AccountNumber, mut user: User, limit: usize) -> Result<User, Refusal> {
        if !self.registry().is_served(account) {
            return Err(Refusal::NotFound("account"));
        }
        if limit > 0 && self.registry().people().count_of(account) >= limit {
            let (what, setting) = ("users", "limits.users_max");
            return Err(Refusal::OverQuota {
                what,
                limit,
                setting,
                remedy: "remove one, or let the operator raise it",
            });
        }
        user.id = UserId(self.next_id(account));
        user.created_at = self.now();
        self.refuse_taken(&user)?;
        self.put_user(user.clone());
        Ok(user)
    }

    /// Changes a user; sessions stay (see [`Staging::change_rights`]). Gives the user as before and as now.
    pub fn update_user(
        &mut self,
        id: UserId,
        change: impl FnOnce(&mut User, UnixMs) -> Result<(), Refusal>,
    ) -> Result<(User, User), Refusal> {
        let before = self.registry().people().user(id).map(|user| (**user).clone());
        let before = before.filter(|user| self.registry().is_served(user.account()));
        let before = before.ok_or(Refusal::NotFound("user"))?;
        let mut user = before.clone();
        change(&mut user, self.now())?;
        debug_assert_eq!(user.id, before.id);
        self.refuse_taken(&user)?;
        if user != before {
            self.put_user(user.clone());
        }
        Ok((before, user))
    }

    /// The same of what the user may do or logs in with: all sessions of the user end, but perhaps that of this token.
    pub fn change_rights(
        &mut self,
        id: UserId,
        but: Option<&SessionHash>,
        change: impl FnOnce(&mut User, UnixMs) -> Result<(), Refusal>,
    ) -> Result<(User, User), Refusal> {
        let (before, user) = self.update_user(id, change)?;
        if user != before {
            self.end_sessions(id, but)?;
        }
        Ok((before, user))
    }

    /// Removes a user of the account.
    pub fn remove_user(&mut self, id: UserId) -> Result<User, Refusal> {
        let user = self.registry().people().user(id).map(|user| (**user).clone());
        let user = user.ok_or(Refusal::NotFound("user"))?;
        self.end_sessions(id, None)?;
        self.forget_tickets_of(id)?;
        self.stage(Tree::Users, layout::user(id), None);
        self.registry_mut().people_mut().remove(id);
        Ok(user)
    }

    fn refuse_taken(&self, user: &User) -> Result<(), Refusal> {
        let registry = self.registry();
        let is_another = |holder: Option<&std::sync::Arc<User>>| holder.is_some_and(|holder| holder.id != user.id);
        if is_another(registry.people().by_email(&user.email)) {
            return Err(Refusal::EmailTaken);
        }
        let external = user.external.as_ref().and_then(|external| registry.people().by_external(external));
        if is_another(external) { Err(Refusal::ExternalTaken) } else { Ok(()) }
    }

    fn put_user(&mut self, user: User) {
        self.seal(Tree::Users, layout::user(user.id), &user);
        self.registry_mut().people_mut().put(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;
    use crate::domain::session::{Holder, Session};
    use crate::domain::ticket::Errand;
    use crate::domain::time::DAY_MS;
    use crate::domain::user::Role;
    use crate::store::bench::{Bench, START};

    fn invited(email: &str) -> User {
        User::invited(email.into(), "Ada".into(), Role::Viewer)
    }

    fn refused<T: Send + std::fmt::Debug + 'static>(
        bench: &mut Bench,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Refusal {
        let mut answer = bench.store.submit(change).unwrap();
        bench.committer.step();
        answer.try_recv().unwrap().unwrap_err()
    }

    #[test]
    fn a_user_is_there_after_a_crash_with_what_is_secret_sealed() {
        let mut bench = Bench::new();
        let user = bench.now(|staging| staging.create_user(1, invited("ada@x.y"), 0));
        assert_eq!((user.account(), user.created_at), (1, START));
        let id = user.id;
        bench.now(move |staging| {
            staging.update_user(id, |user, _| {
                user.password = Some(Secret::new("$argon2id$what-is-secret"));
                Ok(())
            })
        });
        bench.committer.let_go();
        bench.rest();
        let known = bench.store.registry().people().by_email("ada@x.y").cloned().unwrap();
        assert_eq!(known.password.as_ref().map(Secret::reveal), Some("$argon2id$what-is-secret"));
        let stored = bench.trees().get(Tree::Users, &layout::user(id)).unwrap().unwrap();
        assert!(
            !stored.windows(14).any(|part| part == b"what-is-secret")
                && !stored.windows(7).any(|part| part == b"ada@x.y")
        );
    }

    #[test]
    fn an_address_is_one_users_and_an_account_has_so_many() {
        let mut bench = Bench::new();
        bench.now(|staging| staging.create_user(1, invited("ada@x.y"), 0));
        let bob = bench.now(|staging| staging.create_user(1, invited("bob@x.y"), 2)).id;
        assert_eq!(refused(&mut bench, |staging| staging.create_user(1, invited("ada@x.y"), 0)), Refusal::EmailTaken);
        let change = move |staging: &mut Staging<'_>| {
            staging.update_user(bob, |user, _| {
                user.email = "ada@x.y".into();
                Ok(())
            })
        };
        assert_eq!(refused(&mut bench, change), Refusal::EmailTaken);
        let over = refused(&mut bench, |staging| staging.create_user(1, invited("eve@x.y"), 2));
        assert!(matches!(over, Refusal::OverQuota { limit: 2, setting: "limits.users_max", .. }));
        let gone = refused(&mut bench, |staging| staging.create_user(77, invited("eve@x.y"), 0));
        assert_eq!(gone, Refusal::NotFound("account"));
    }

    #[test]
    fn whose_rights_change_or_who_is_removed_has_no_session_of_before_and_no_link() {
        let mut bench = Bench::new();
        let id = bench.now(|staging| staging.create_user(1, invited("ada@x.y"), 0)).id;
        let begin = move |staging: &mut Staging<'_>| {
            for n in [1, 2] {
                staging.begin_session(&[n; 32], Session::new(Holder::User(id), START, DAY_MS))?;
            }
            Ok(())
        };
        let promote = move |role, but| {
            move |staging: &mut Staging<'_>| {
                staging.change_rights(id, but, |user, _| {
                    user.role = role;
                    Ok(())
                })
            }
        };
        bench.now(begin);
        bench.now(promote(Role::Viewer, None));
        assert_eq!(bench.store.sessions_of(id).unwrap().len(), 2, "nothing has changed");
        bench.now(promote(Role::Owner, Some(&[2; 32])));
        assert_eq!(bench.store.sessions_of(id).unwrap().len(), 1);
        bench.now(begin);
        bench.now(move |staging| staging.create_ticket(&[7; 32], Errand::Reset(id)));
        bench.now(move |staging| staging.remove_user(id));
        assert!(bench.store.sessions_of(id).unwrap().is_empty() && bench.store.ticket(1, &[7; 32]) == Ok(None));
        assert!(bench.keys(Tree::Users).is_empty() && bench.store.registry().people().user(id).is_none());
        bench.committer.let_go();
        bench.rest();
        assert_eq!(bench.store.registry().people().count_of(1), 0);
    }
}
