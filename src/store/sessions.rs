//! Sessions: begun, used, ended, looked up by the hash of their token. What stays true: of one holder there are no more than so
//! many, and of those that must go the ones that were quiet for longest go.

use super::error::{Refusal, StoreError};
use super::handle::Store;
use super::layout::{self, Tree};
use super::record;
use super::staging::Staging;
use crate::domain::id::{AccountNumber, SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::time::UnixMs;

/// The SHA-256 of a session's token.
pub type SessionHash = [u8; 32];

impl Staging<'_> {
    /// Begins a session; its id is given here.
    pub fn begin_session(&mut self, hash: &SessionHash, mut session: Session) -> Result<Session, Refusal> {
        let (place, account) = (session.holder.place(), session.holder.account());
        if !self.registry().is_served(account) {
            return Err(Refusal::NotFound("account"));
        }
        self.make_room(place, session.holder.sessions_max())?;
        session.id = SessionId(self.next_id(0));
        self.put(Tree::Sessions, layout::session(place, hash), &session);
        Ok(session)
    }

    /// Ends those that were quiet for longest, so that there is room for one more.
    fn make_room(&mut self, place: UserId, max: usize) -> Result<(), StoreError> {
        let keys = self.keys_now(Tree::Sessions, &layout::user(place))?;
        if keys.len() < max {
            return Ok(());
        }
        let mut uses = Vec::with_capacity(keys.len());
        for key in keys {
            // One that cannot be read goes first, then those that have ended.
            let session = self.readable_session(&key)?;
            uses.push((session.map(|session| (session.ends_at > self.now(), session.last_used_at)), key));
        }
        uses.sort();
        let surplus = uses.len() + 1 - max;
        uses.into_iter().take(surplus).for_each(|(_, key)| self.stage(Tree::Sessions, key, None));
        Ok(())
    }

    fn readable_session(&self, key: &[u8]) -> Result<Option<Session>, StoreError> {
        Ok(self.trees().readable(self.load_grown(Tree::Sessions, key))?.flatten())
    }

    /// Writes down that the session was used. One that has ended meanwhile stays ended.
    pub fn touch_session(&mut self, place: UserId, hash: &SessionHash, at: UnixMs) -> Result<(), Refusal> {
        let key = layout::session(place, hash);
        let Some(session) = self.load_grown::<Session>(Tree::Sessions, &key)? else { return Ok(()) };
        if session.is_use_to_be_written(at) {
            self.put(Tree::Sessions, key, &Session { last_used_at: at, ..session });
        }
        Ok(())
    }

    /// Ends the session of this token, if it goes on.
    pub fn end_session(&mut self, place: UserId, hash: &SessionHash) {
        self.stage(Tree::Sessions, layout::session(place, hash), None);
    }

    /// Ends the one of this id.
    pub fn end_session_named(&mut self, place: UserId, id: SessionId) -> Result<(), Refusal> {
        for key in self.keys_now(Tree::Sessions, &layout::user(place))? {
            if self.readable_session(&key)?.is_some_and(|session| session.id == id) {
                self.stage(Tree::Sessions, key, None);
                return Ok(());
            }
        }
        Err(Refusal::NotFound("session"))
    }

    /// Ends all sessions of an account's guests. They stay for a while, ended, so that who comes back by one is told so. Says how
    /// many went on.
    pub fn end_guests(&mut self, account: AccountNumber) -> Result<usize, Refusal> {
        let (now, mut ended) = (self.now(), 0);
        for key in self.keys_now(Tree::Sessions, &layout::user(UserId(account.into())))? {
            let Some(session) = self.readable_session(&key)? else { continue };
            if session.ends_at > now {
                self.put(Tree::Sessions, key, &Session { ends_at: now, ..session });
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Ends all of one holder but perhaps that of this token. Says how many.
    pub fn end_sessions(&mut self, place: UserId, but: Option<&SessionHash>) -> Result<usize, Refusal> {
        let but = but.map(|hash| layout::session(place, hash));
        let mut keys = self.keys_now(Tree::Sessions, &layout::user(place))?;
        keys.retain(|key| Some(key) != but.as_ref());
        let ended = keys.len();
        keys.into_iter().for_each(|key| self.stage(Tree::Sessions, key, None));
        Ok(ended)
    }
}

impl Store {
    /// The session of the token with this hash, whether it has ended by its times or not.
    pub fn session(&self, place: UserId, hash: &SessionHash) -> Result<Option<Session>, StoreError> {
        let key = layout::session(place, hash);
        self.look(|trees| {
            let stored = trees.get(Tree::Sessions, &key)?;
            stored.map(|stored| record::read_grown(Tree::Sessions, &key, &stored)).transpose()
        })
    }

    /// The sessions of a user, or with an account's number for an id those of its guests: the oldest first, without those that
    /// cannot be read.
    pub fn sessions_of(&self, place: UserId) -> Result<Vec<Session>, StoreError> {
        self.look(|trees| {
            let mut sessions = Vec::new();
            for row in trees.prefix(Tree::Sessions, &layout::user(place)) {
                let session = row.and_then(|(key, stored)| record::read_grown(Tree::Sessions, &key, &stored));
                sessions.extend::<Option<Session>>(trees.readable(session)?);
            }
            sessions.sort_by_key(|session| session.id);
            Ok(sessions)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ability::Abilities;
    use crate::domain::session::{Guest, Holder, SESSIONS_MAX, USE_WRITTEN_EVERY_MS};
    use crate::domain::time::DAY_MS;
    use crate::domain::user::{Role, User};
    use crate::store::bench::{Bench, START};

    const USER: UserId = UserId(9 << 80 | 1);

    fn begin(bench: &mut Bench, holder: Holder, n: u8) -> Session {
        let now = bench.clock.now();
        bench.now(move |staging| staging.begin_session(&[n; 32], Session::new(holder, now, DAY_MS)))
    }

    fn user() -> Holder {
        Holder::User(USER)
    }

    #[test]
    fn a_session_is_there_after_a_crash_and_ends_for_good() {
        let mut bench = Bench::new();
        let ada = User::invited("ada@x.y".into(), "Ada".into(), Role::Viewer);
        let ada = bench.now(|staging| staging.create_user(1, ada, 0)).id;
        let session = begin(&mut bench, Holder::User(ada), 1);
        assert!(session.id.0 > 0);
        bench.committer.let_go();
        bench.rest();
        assert_eq!(bench.store.session(ada, &[1; 32]), Ok(Some(session.clone())));
        assert_eq!(bench.store.session(ada, &[2; 32]), Ok(None));
        bench.now(move |staging| staging.end_session_named(ada, session.id));
        // Who used it at that moment does not bring it back.
        bench.now(move |staging| staging.touch_session(ada, &[1; 32], START + DAY_MS));
        assert_eq!(bench.store.session(ada, &[1; 32]), Ok(None));
    }

    #[test]
    fn a_use_is_written_now_and_then() {
        let mut bench = Bench::new();
        begin(&mut bench, user(), 1);
        for (later, written) in [(1, START), (USE_WRITTEN_EVERY_MS, START + USE_WRITTEN_EVERY_MS)] {
            bench.now(move |staging| staging.touch_session(USER, &[1; 32], START + later));
            assert_eq!(bench.store.session(USER, &[1; 32]).unwrap().unwrap().last_used_at, written);
        }
    }

    #[test]
    fn of_too_many_the_one_that_was_quiet_for_longest_ends_and_guests_are_apart() {
        let mut bench = Bench::new();
        for n in 0..SESSIONS_MAX as u8 {
            begin(&mut bench, user(), n);
        }
        bench.now(|staging| {
            for n in (0..SESSIONS_MAX as u8).filter(|n| *n != 5) {
                staging.touch_session(USER, &[n; 32], START + DAY_MS)?;
            }
            Ok(())
        });
        let guest = Guest {
            account: 1,
            abilities: Abilities::default(),
            name: String::new(),
            lasts_ms: 1,
            return_url: String::new(),
            origins: Vec::new(),
        };
        begin(&mut bench, Holder::Guest(guest), 200);
        begin(&mut bench, user(), 100);
        assert_eq!(bench.store.sessions_of(USER).unwrap().len(), SESSIONS_MAX);
        assert_eq!(bench.store.session(USER, &[5; 32]), Ok(None));
        assert_eq!(bench.store.sessions_of(UserId(1)).unwrap().len(), 1);
        assert_eq!(bench.now(|staging| staging.end_sessions(USER, Some(&[100; 32]))), SESSIONS_MAX - 1);
        assert_eq!(bench.store.sessions_of(USER).unwrap().len(), 1);
        assert_eq!(bench.store.sessions_of(UserId(1)).unwrap().len(), 1);
    }

    #[test]
    fn what_begins_in_one_group_with_the_end_of_all_ends_too() {
        let mut bench = Bench::new();
        let ended = bench.now(|staging| {
            staging.begin_session(&[1; 32], Session::new(user(), START, DAY_MS))?;
            staging.end_sessions(USER, None)
        });
        assert_eq!((ended, bench.store.session(USER, &[1; 32])), (1, Ok(None)));
    }
}
