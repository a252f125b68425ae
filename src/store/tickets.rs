//! Tickets: made, looked at, used. What stays true: of two who use one, in one group or in two, one gets it.

use super::error::{Refusal, StoreError};
use super::handle::Store;
use super::layout::{self, Tree};
use super::record;
use super::staging::Staging;
use crate::domain::id::{AccountNumber, TicketId, UserId};
use crate::domain::ticket::{Errand, TICKETS_MAX, Ticket};

/// The SHA-256 of what a link holds.
pub type TicketHash = [u8; 32];

impl Staging<'_> {
    /// Makes a ticket. Those of before for the same user are good no more; of too many of the account the oldest go.
    pub fn create_ticket(&mut self, hash: &TicketHash, errand: Errand) -> Result<Ticket, Refusal> {
        let account = errand.account();
        if !self.registry().is_served(account) {
            return Err(Refusal::NotFound("account"));
        }
        let user = errand.user();
        let mut others = self.tickets_of(account)?;
        let now = self.now();
        let goes = |ticket: &Ticket| ticket.ends_at <= now || (user.is_some() && ticket.errand.user() == user);
        // Links into the portal, of which there may be many, take no place of users'.
        let is_other =
            |ticket: &Option<Ticket>| ticket.as_ref().is_some_and(|one| one.errand.user().is_some() != user.is_some());
        others.sort_by_key(|(key, ticket)| {
            (!ticket.as_ref().is_none_or(goes), is_other(ticket), key_age(ticket), key.clone())
        });
        let gone = others.iter().filter(|(_, ticket)| ticket.as_ref().is_none_or(goes)).count();
        let surplus = (others.len() + 1).saturating_sub(TICKETS_MAX);
        others.into_iter().take(gone.max(surplus)).for_each(|(key, _)| self.stage(Tree::Tickets, key, None));
        let ticket = Ticket { id: TicketId(self.next_id(0)), ends_at: now + errand.lasts_ms(), errand };
        self.put(Tree::Tickets, layout::ticket(account, hash), &ticket);
        Ok(ticket)
    }

    /// Uses a ticket: it is gone then. `NotFound` if it was used, has ended, or never was.
    pub fn use_ticket(&mut self, account: AccountNumber, hash: &TicketHash) -> Result<Ticket, Refusal> {
        let key = layout::ticket(account, hash);
        let ticket: Ticket = self.load_grown(Tree::Tickets, &key)?.ok_or(Refusal::NotFound("link"))?;
        if ticket.ends_at <= self.now() || !self.registry().is_served(account) {
            return Err(Refusal::NotFound("link"));
        }
        self.stage(Tree::Tickets, key, None);
        Ok(ticket)
    }

    /// The user's links are good no more.
    pub fn forget_tickets_of(&mut self, user: UserId) -> Result<(), Refusal> {
        for (key, ticket) in self.tickets_of(user.account())? {
            if ticket.is_some_and(|ticket| ticket.errand.user() == Some(user)) {
                self.stage(Tree::Tickets, key, None);
            }
        }
        Ok(())
    }

    /// The links into the account's portal are good no more. Says how many were.
    pub fn forget_portal_tickets(&mut self, account: AccountNumber) -> Result<usize, Refusal> {
        let (now, mut forgotten) = (self.now(), 0);
        for (key, ticket) in self.tickets_of(account)? {
            if ticket.is_some_and(|ticket| ticket.errand.user().is_none() && ticket.ends_at > now) {
                self.stage(Tree::Tickets, key, None);
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// Those of an account; `None` for what cannot be read.
    fn tickets_of(&self, account: AccountNumber) -> Result<Vec<(layout::Key, Option<Ticket>)>, StoreError> {
        let mut tickets = Vec::new();
        for key in self.keys_now(Tree::Tickets, &layout::number(account))? {
            let ticket = self.trees().readable(self.load_grown(Tree::Tickets, &key))?.flatten();
            tickets.push((key, ticket));
        }
        Ok(tickets)
    }
}

fn key_age(ticket: &Option<Ticket>) -> u128 {
    ticket.as_ref().map_or(0, |ticket| ticket.id.0)
}

impl Store {
    /// The ticket with this hash, whether it has ended or not.
    pub fn ticket(&self, account: AccountNumber, hash: &TicketHash) -> Result<Option<Ticket>, StoreError> {
        let key = layout::ticket(account, hash);
        self.look(|trees| {
            let stored = trees.get(Tree::Tickets, &key)?;
            stored.map(|stored| record::read_grown(Tree::Tickets, &key, &stored)).transpose()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ability::Abilities;
    use crate::domain::session::Guest;
    use crate::domain::ticket::{INVITE_MS, PORTAL_MS};
    use crate::store::bench::Bench;

    const USER: UserId = UserId(9 << 80 | 1);

    fn portal() -> Errand {
        Errand::Portal(Guest {
            account: 1,
            abilities: Abilities::default(),
            name: String::new(),
            lasts_ms: 1,
            return_url: String::new(),
            origins: Vec::new(),
        })
    }

    fn uses(bench: &mut Bench, n: u8) -> Result<Errand, Refusal> {
        let mut answer =
            bench.store.submit(move |staging| staging.use_ticket(1, &[n; 32]).map(|ticket| ticket.errand)).unwrap();
        bench.committer.step();
        answer.try_recv().unwrap()
    }

    #[test]
    fn a_ticket_is_used_once_also_by_two_in_one_group() {
        let mut bench = Bench::new();
        bench.now(|staging| staging.create_ticket(&[1; 32], Errand::Invite(USER)));
        bench.committer.let_go();
        bench.rest();
        let two = bench.now(|staging| {
            let both = [staging.use_ticket(1, &[1; 32]), staging.use_ticket(1, &[1; 32])];
            Ok(both.map(|used| used.map(|ticket| ticket.errand)))
        });
        assert_eq!(two, [Ok(Errand::Invite(USER)), Err(Refusal::NotFound("link"))]);
        assert_eq!(uses(&mut bench, 1), Err(Refusal::NotFound("link")));
        bench.committer.let_go();
        bench.rest();
        assert_eq!(bench.store.ticket(1, &[1; 32]), Ok(None));
    }

    #[test]
    fn it_ends_with_its_time_and_by_another_for_the_same_user() {
        let mut bench = Bench::new();
        bench.now(|staging| staging.create_ticket(&[1; 32], Errand::Invite(USER)));
        bench.now(|staging| staging.create_ticket(&[2; 32], portal()));
        bench.now(|staging| staging.create_ticket(&[3; 32], Errand::Reset(USER)));
        assert_eq!(uses(&mut bench, 1), Err(Refusal::NotFound("link")), "another was made");
        bench.clock.turn_to(bench.clock.now() + PORTAL_MS);
        assert_eq!(uses(&mut bench, 2), Err(Refusal::NotFound("link")), "its time is over");
        assert_eq!(uses(&mut bench, 3), Ok(Errand::Reset(USER)));
        bench.now(|staging| staging.create_ticket(&[4; 32], Errand::Invite(USER)));
        bench.now(|staging| staging.forget_tickets_of(USER));
        assert_eq!(uses(&mut bench, 4), Err(Refusal::NotFound("link")));
        bench.now(|staging| staging.create_ticket(&[5; 32], Errand::Invite(USER)));
        bench.turn(INVITE_MS);
        assert!(bench.keys(Tree::Tickets).is_empty(), "what has ended goes");
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let mut bench = Bench::new();
        bench.now(|staging| staging.create_ticket(&[255; 32], Errand::Invite(USER)));
        bench.now(|staging| staging.create_ticket(&[254; 32], portal()));
        for n in 1..TICKETS_MAX as u16 {
            bench.now(move |staging| {
                let mut hash = [0; 32];
                hash[..2].copy_from_slice(&n.to_be_bytes());
                staging.create_ticket(&hash, portal())
            });
        }
        assert_eq!(bench.keys(Tree::Tickets).len(), TICKETS_MAX);
        assert_eq!(uses(&mut bench, 254), Err(Refusal::NotFound("link")));
        assert_eq!(uses(&mut bench, 255), Ok(Errand::Invite(USER)), "portals take no place of users");
    }
}
