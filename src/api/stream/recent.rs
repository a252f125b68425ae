//! What happened lately, for who opens a view of what happens: newest first, from the lists. What stays true: it is bounded, and
//! shows the same as the stream would have.

use super::input::Sought;
use crate::api::Api;
use crate::api::deliveries::operations::page as deliveries;
use crate::api::deliveries::view::{DeliveryView, views};
use crate::api::events::view::{EventView, row};
use crate::api::http::page::Window;
use crate::api::http::problem::Problem;
use crate::domain::account::Account;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::happening::What;
use crate::domain::walk::Walk;
use crate::store::EventHead;

/// Something that happened.
pub enum Recent {
    /// An event was accepted.
    Event(Box<EventView<'static>>),
    /// The latest attempt of a delivery.
    Attempt(Box<DeliveryView>),
}

impl Recent {
    /// When, as it is shown.
    pub fn at(&self) -> &str {
        match self {
            Self::Event(event) => &event.accepted_at,
            Self::Attempt(delivery) => delivery.attempted_at.as_deref().unwrap_or_default(),
        }
    }
}

/// Up to so many of the newest that are sought in this account, the newest first.
pub fn recent(api: &Api, account: &Account, sought: &Sought, limit: usize) -> Result<Vec<Recent>, Problem> {
    let (number, mut all) = (account.number, Vec::new());
    if sought.wants_kind(What::WORDS[0]) {
        let wanted = |event: &EventHead| sought.wants_event(&event.event_type, &event.webhooks);
        let page = api.store.events(number, Walk::newest(limit), None, wanted)?;
        all.extend(page.rows.into_iter().map(|event| Recent::Event(Box::new(row(event)))));
    }
    if sought.wants_kind(What::WORDS[1]) || sought.wants_kind(What::WORDS[2]) {
        let is_dead_only = !sought.wants_kind(What::WORDS[1]);
        let wanted =
            |delivery: &Delivery| delivery.attempts > 0 && (!is_dead_only || delivery.state == DeliveryState::Dead);
        // Of more webhooks than are listed together, their deliveries are seen as they happen.
        if let Ok(page) =
            deliveries(api, number, sought.webhook(), sought.of_deliveries(), Window::newest(limit), wanted)
        {
            all.extend(views(api, page)?.rows.into_iter().map(|one| Recent::Attempt(Box::new(one))));
        }
    }
    all.sort_by(|one, other| other.at().cmp(one.at()));
    all.truncate(limit);
    Ok(all)
}
