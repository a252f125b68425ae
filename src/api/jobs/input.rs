//! Which types and times a bulk call or a list asks for.

use crate::api::http::request::bound;
use crate::domain::Invalid;
use crate::domain::id::AccountNumber;
use crate::domain::job::{Bulk, JobKind, Source};
use crate::domain::time::UnixMs;
use crate::domain::webhook::EventFilter;

/// Which types and times a bulk call or a list asks for.
#[derive(Debug)]
pub struct Range {
    /// Only these types.
    pub event_type: Option<EventFilter>,
    /// From this time on.
    pub from: Option<UnixMs>,
    /// Before this time.
    pub to: Option<UnixMs>,
}

impl Range {
    /// Reads it.
    pub fn read(event_type: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<Self, Invalid> {
        let event_type = event_type.map(EventFilter::parse).transpose();
        let event_type = event_type.map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?;
        let (from, to) = (bound("from", from)?, bound("to", to)?);
        match (from, to) {
            (Some(from), Some(to)) if from >= to => Err(Invalid::new("to", "must be later than \"from\"")),
            _ => Ok(Self { event_type, from, to }),
        }
    }

    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        self.event_type.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The bulk call that does `kind` with what is in it.
    pub fn bulk(self, account: AccountNumber, kind: JobKind, source: Source) -> Bulk {
        let Self { event_type, from, to } = self;
        Bulk { account, kind, source, event_type, from, to }
    }
}
