//! Events that are shaped, before the time of their endpoint begins. What stays true: a sender shapes only what is done in a
//! moment; what takes longer takes its account's turn on another thread, so nobody's deliveries wait for another's shape; and what
//! waits there holds its bytes of the budget.

use super::{Ready, Sender, Shaped};
use crate::deliver::book::Unsent;
use crate::deliver::schedule::Claim;
use crate::deliver::target::Target;
use crate::domain::byte_budget::Charge;
use crate::domain::shape::Unshaped;

impl Sender {
    /// The claimed delivery's event with its body made, where a shape makes it. None where there is no shape, or no event that
    /// could be shaped now, which whoever writes the request finds out as well. An error says that there is no room for it to wait,
    /// or that it is not wanted any more, which is asked again once its turn is there.
    pub(super) async fn shaped(
        &self,
        claim: &Claim,
        target: &Target,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Option<Shaped>, Unsent> {
        let is_shaped = target.shape.is_some() || target.dialect.shape.is_some();
        if !is_shaped || target.fit.is_err() || claim.webhook.url.is_mail() {
            return Ok(None);
        }
        let Some(ready) = self.ready_for(claim, target).ok().flatten() else { return Ok(None) };
        let charge = self.shape(&ready, target, is_wanted).await?;
        Ok(Some((ready, charge)))
    }

    async fn shape(
        &self,
        ready: &Ready,
        target: &Target,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Option<Charge>, Unsent> {
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
            if !is_wanted() {
                return Err(Unsent::Untaken);
            }
            let shaping = actix_rt::task::spawn_blocking(move || {
                fail::fail_point!("deliver.shape");
                // Room and turn are held here, since nobody may wait for it any more.
                (dialect.prepare_for(&event, &account_id, own.as_deref()), charge, turn)
            });
            // What ends there without a result is looked into by whoever writes the request. Its turn ends here and not there: who is
            // next in this sender looks whether it is wanted once this one is handed over.
            let Ok((shaped, charge, _turn)) = shaping.await else { return Ok(None) };
            (made, held) = (shaped, Some(charge));
        }
        let _is_first = ready.body.set(made);
        Ok(held)
    }
}
