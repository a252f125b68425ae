//! Which events a list asks for, and which event an id is.

use serde::Deserialize;

use crate::api::http::page::Window;
use crate::api::http::request::bound;
use crate::domain::Invalid;
use crate::domain::condition::Condition;
use crate::domain::event::check_name;
use crate::domain::id::{AccountNumber, EventId, first_id_at};
use crate::domain::walk::Walk;
use crate::domain::webhook::EventFilter;
use crate::store::{EventHead, Store, StoreError};

/// Which events to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsFilter {
    /// Only the one of this id: the producer's own, or ours in any spelling.
    pub id: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    pub r#type: Option<String>,
    /// Only events accepted at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Only events accepted before this time (RFC 3339).
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// Only events that this holds for, written like the `filter` of a webhook: `@.data.customer == "c_1"`.
    pub filter: Option<String>,
}

/// The same, read.
#[derive(Debug)]
pub struct Sought {
    id: Option<String>,
    event_type: Option<EventFilter>,
    from: Option<u128>,
    to: Option<u128>,
    /// It must hold for the event.
    pub condition: Option<Condition>,
}

impl EventsFilter {
    /// Reads it.
    pub fn read(self) -> Result<Sought, Invalid> {
        let event_type = self.r#type.as_deref().map(EventFilter::parse).transpose();
        Ok(Sought {
            id: self.id,
            event_type: event_type.map_err(|invalid| Invalid { field: "type".into(), ..invalid })?,
            from: bound("from", self.from.as_deref())?.map(first_id_at),
            to: bound("to", self.to.as_deref())?.map(first_id_at),
            condition: self.filter.as_deref().map(Condition::parse).transpose()?,
        })
    }
}

impl Sought {
    /// Where in the list a page can be; nowhere if there is no event of the id that is asked for.
    pub fn walk(&self, store: &Store, account: AccountNumber, window: Window) -> Result<Option<Walk>, StoreError> {
        let walk = window.walk().within(self.from, self.to);
        let Some(id) = &self.id else { return Ok(Some(walk)) };
        let found = find(store, account, id)?;
        Ok(found.map(|EventId(id)| walk.within(Some(id), id.checked_add(1))))
    }

    /// Whether an event is asked for, but for what must hold for it.
    pub fn wants(&self, event: &EventHead) -> bool {
        self.event_type.as_ref().is_none_or(|filter| filter.matches(&event.event_type))
    }
}

/// Which event of the account this is, if it is one: first as the producer's own id, which is what the API shows.
pub fn find(store: &Store, account: AccountNumber, text: &str) -> Result<Option<EventId>, StoreError> {
    let named = if check_name(text).is_ok() { store.id_of_event_named(account, text)? } else { None };
    Ok(named.or_else(|| EventId::parse(text)))
}
