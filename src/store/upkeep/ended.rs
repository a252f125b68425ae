//! Forgets sessions and tickets that have ended: nobody is let in by them any more, and they go within the hour or so.

use super::sweep::{Fate, Swept, sweep_rows};
use crate::domain::session::{Holder, Session};
use crate::domain::ticket::Ticket;
use crate::domain::time::DAY_MS;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};
use crate::store::record;
use crate::store::staging::Staging;

/// Sessions that have come to their end, or whose user is gone.
pub struct EndedSessions;

impl Swept for EndedSessions {
    type Place = Key;

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        sweep_rows(staging, Tree::Sessions, from, |staging, key, value| {
            let session: Session = record::read_grown(Tree::Sessions, key, value)?;
            let is_gone = match session.holder {
                Holder::User(user) => staging.registry().people().user(user).is_none(),
                Holder::Guest(_) => false,
            };
            // Guests are told for a while that their session has ended, and where to go back to.
            let told_ms = if matches!(session.holder, Holder::Guest(_)) { DAY_MS } else { 0 };
            Ok(if is_gone || staging.now() >= session.ends_at.saturating_add(told_ms) {
                Fate::Goes
            } else {
                Fate::Stays
            })
        })
    }
}

/// Tickets whose time is over.
pub struct EndedTickets;

impl Swept for EndedTickets {
    type Place = Key;

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        sweep_rows(staging, Tree::Tickets, from, |staging, key, value| {
            let ticket: Ticket = record::read_grown(Tree::Tickets, key, value)?;
            Ok(if staging.now() >= ticket.ends_at { Fate::Goes } else { Fate::Stays })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use crate::domain::session::Guest;
    use crate::domain::time::HOUR_MS;
    use crate::domain::user::{Role, User};
    use crate::store::bench::{Bench, START};

    #[test]
    fn a_guests_session_is_known_for_a_day_after_its_end() {
        let mut bench = Bench::new();
        let (abilities, name, return_url, origins) = Default::default();
        let guest = Holder::Guest(Guest { account: 1, abilities, name, lasts_ms: HOUR_MS, return_url, origins });
        let begun = guest.clone();
        bench.now(move |staging| staging.begin_session(&[1; 32], Session::new(begun, START, DAY_MS)));
        bench.now(move |staging| staging.begin_session(&[2; 32], Session::new(guest, START, 2 * DAY_MS)));
        assert_eq!(bench.now(|staging| staging.end_guests(1)), 2);
        assert_eq!(bench.now(|staging| staging.end_guests(1)), 0, "they have ended");
        for (passed, left) in [(HOUR_MS, 2), (DAY_MS, 0)] {
            bench.turn(passed);
            assert_eq!(bench.keys(Tree::Sessions).len(), left);
        }
    }

    #[test]
    fn a_session_goes_after_its_end_and_when_its_user_is_not_known() {
        let mut bench = Bench::new();
        let user = User::invited("ada@x.y".into(), "Ada".into(), Role::Viewer);
        let ada = bench.now(|staging| staging.create_user(1, user, 0)).id;
        bench.now(move |staging| {
            staging.begin_session(&[1; 32], Session::new(Holder::User(ada), START, DAY_MS))?;
            staging.begin_session(&[2; 32], Session::new(Holder::User(ada), START, 2 * DAY_MS))?;
            staging.begin_session(&[3; 32], Session::new(Holder::User(UserId(7 << 80 | 1)), START, 9 * DAY_MS))
        });
        for (passed, left) in [(HOUR_MS, 2), (DAY_MS, 1), (DAY_MS, 0)] {
            bench.turn(passed);
            assert_eq!(bench.keys(Tree::Sessions).len(), left);
        }
    }
}
