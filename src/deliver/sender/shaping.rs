//! Events that are shaped, before the time of their endpoint begins. What stays true: a sender shapes only what is done in a
//! moment; what takes longer takes its account's turn on another thread, so nobody's deliveries wait for another's shape; and what
//! waits there holds its bytes of the budget.

use std::rc::Rc;

use super::{Ready, Sender};
use crate::deliver::book::Unsent;
use crate::deliver::schedule::Claim;
use crate::deliver::target::Target;
use crate::domain::byte_budget::Charge;
use crate::domain::shape::Unshaped;

/// An event whose body was made, and what it holds of the budget, if that was made elsewhere, until its body does.
pub(super) type Shaped = (Rc<Ready>, Option<Charge>);

impl Sender {
    /// The claimed delivery's event with its body made, where a shape makes it. None where there is no shape, or no event that
    /// could be shaped now, which whoever writes the request finds out as well. An error says that there is no room for it to wait.
    pub(super) async fn shaped(&self, claim: &Claim, target: &Target) -> Result<Option<Shaped>, Unsent> {
        let is_shaped = target.shape.is_some() || target.dialect.shape.is_some();
        if !is_shaped || target.fit.is_err() || claim.webhook.url.is_mail() {
            return Ok(None);
        }
        let Some(ready) = self.ready_for(claim, target).ok().flatten() else { return Ok(None) };
        let charge = self.shape(&ready, target).await?;
        Ok(Some((ready, charge)))
    }

    async fn shape(&self, ready: &Ready, target: &Target) -> Result<Option<Charge>, Unsent> {
        let _shaping = ready.shaping.lock().await;
        if ready.body.get().is_some() {
            return Ok(None);
        }
        let (event, account_id, own) = (ready.event.clone(), target.account_id.clone(), target.shape.clone());
        let mut made = ready.dialect.prepare_at_once(&event, &account_id, own.as_deref());
        let mut held = None;
        if made.as_ref().is_err_and(|why| *why == Unshaped::Steps) {
            let mut charge = self.tools.bodies.charge(event.account);
            charge.grow_to(event.data.len()).map_err(|_| Unsent::NoRoom)?;
            let (dialect, turn) = (ready.dialect.clone(), self.tools.store.turn_to_shape(event.account).await);
            let shaping = actix_rt::task::spawn_blocking(move || {
                let _turn = turn;
                fail::fail_point!("deliver.shape");
                // Here, since nobody may wait for it any more.
                (dialect.prepare_for(&event, &account_id, own.as_deref()), charge)
            });
            // What ends there without a result is looked into by whoever writes the request.
            let Ok((shaped, charge)) = shaping.await else { return Ok(None) };
            (made, held) = (shaped, Some(charge));
        }
        let _is_first = ready.body.set(made);
        Ok(held)
    }
}
