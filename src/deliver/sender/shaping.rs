//! Events that are shaped, before the time of their endpoint begins. What stays true: a sender shapes only what is done in a
//! moment; what takes longer takes its account's turn on another thread, so nobody's deliveries wait for another's shape.

use std::rc::Rc;

use super::{Ready, Sender};
use crate::deliver::schedule::Claim;
use crate::deliver::target::Target;
use crate::domain::shape::Unshaped;

impl Sender {
    /// The claimed delivery's event with its body made, where a shape makes it. None where there is no shape, or no event that
    /// could be shaped now, which whoever writes the request finds out as well.
    pub(super) async fn shaped(&self, claim: &Claim, target: &Target) -> Option<Rc<Ready>> {
        let is_shaped = target.shape.is_some() || target.dialect.shape.is_some();
        if !is_shaped || target.fit.is_err() || claim.webhook.url.is_mail() {
            return None;
        }
        let ready = self.ready_for(claim, target).ok().flatten()?;
        self.shape(&ready, target).await;
        Some(ready)
    }

    async fn shape(&self, ready: &Ready, target: &Target) {
        let _shaping = ready.shaping.lock().await;
        if ready.body.get().is_some() {
            return;
        }
        let (event, account_id, own) = (ready.event.clone(), target.account_id.clone(), target.shape.clone());
        let mut made = ready.dialect.prepare_at_once(&event, &account_id, own.as_deref());
        if made.as_ref().is_err_and(|why| *why == Unshaped::Steps) {
            let (dialect, turn) = (ready.dialect.clone(), self.tools.store.turn_to_shape(event.account).await);
            let shaping = actix_rt::task::spawn_blocking(move || {
                let _turn = turn;
                fail::fail_point!("deliver.shape");
                dialect.prepare_for(&event, &account_id, own.as_deref())
            });
            // What ends there without a result is looked into by whoever writes the request.
            let Ok(shaped) = shaping.await else { return };
            made = shaped;
        }
        let _is_first = ready.body.set(made);
    }
}
