//! Changes: the only way in which the API makes one. What stays true: who did what is written down with it, in the same
//! transaction.

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::domain::audit::Deed;
use crate::store::{Load, Refusal, Staging};

impl Api {
    /// Makes a change, and writes down who did what together with it; `None` where nothing changed.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        change: impl FnOnce(&mut Staging<'_>) -> Result<(Option<Deed>, T), Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.change_of(tenant, Load::of(tenant.account().number), change).await
    }

    /// The same of one that writes much.
    pub(super) async fn change_of<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        load: Load,
        change: impl FnOnce(&mut Staging<'_>) -> Result<(Option<Deed>, T), Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let change = |staging: &mut Staging<'_>| change(staging).map(|(deed, made)| (Vec::from_iter(deed), made));
        self.change_many(tenant, load, change).await
    }

    /// The same of one that changes several things.
    pub(super) async fn change_many<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        load: Load,
        change: impl FnOnce(&mut Staging<'_>) -> Result<(Vec<Deed>, T), Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let by = tenant.actor();
        let change = move |staging: &mut Staging<'_>| {
            let (deeds, made) = change(staging)?;
            deeds.into_iter().for_each(|deed| staging.note_deed(by.clone(), deed));
            Ok(made)
        };
        self.store.change_of(load, change).await
    }
}
