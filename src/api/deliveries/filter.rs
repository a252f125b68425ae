//! Which deliveries a list asks for. What stays true: whatever one list of deliveries can be asked, every one can.

use serde::Deserialize;

use super::history::shown_state;
use crate::api::http::page::Window;
use crate::api::http::request::bound;
use crate::api::openapi::words::{AttemptOutcome, DeliveryCause, DeliveryState};
use crate::domain::Invalid;
use crate::domain::delivery::{Cause, Delivery, FAILURE_KINDS, Outcome, SHOWN_STATES};
use crate::domain::id::first_id_at;
use crate::domain::walk::Walk;
use crate::domain::webhook::{EventFilter, Webhook};
use crate::store::order_key_hashes;

/// Which deliveries to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesFilter {
    /// Only those to this webhook, by its id, also after it was deleted. Left out where the path names one.
    pub webhook: Option<String>,
    /// Only of this event type, or of those that a filter such as `task.*` lets through, while the event is kept.
    pub event_type: Option<String>,
    /// Only those that stand so.
    #[param(value_type = Option<DeliveryState>)]
    pub state: Option<String>,
    /// Only those whose latest attempt was answered with this status, such as `503`, or one of a class, such as `5xx`.
    #[param(pattern = "^([1-9][0-9]{2}|[1-9]xx)$")]
    pub status_code: Option<String>,
    /// Only those of whose latest attempt this came.
    #[param(value_type = Option<AttemptOutcome>)]
    pub outcome: Option<String>,
    /// Only those that exist for this reason.
    #[param(value_type = Option<DeliveryCause>)]
    pub cause: Option<String>,
    /// Only those that are ordered by this value of the webhook's `order_key`.
    pub order_key: Option<String>,
    /// Only those made at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Only those made before this time (RFC 3339).
    #[param(format = DateTime)]
    pub to: Option<String>,
}

/// The same, read.
#[derive(Debug, Default)]
pub struct Sought {
    /// Of events of these types.
    pub event_type: Option<EventFilter>,
    state: Option<String>,
    status: Option<Statuses>,
    outcome: Option<String>,
    cause: Option<String>,
    /// What stands for the order key.
    order_keys: Option<Vec<u64>>,
    from: Option<u128>,
    to: Option<u128>,
}

/// Statuses, from the first to the last.
type Statuses = std::ops::RangeInclusive<u16>;

impl DeliveriesFilter {
    /// Reads all but `webhook`.
    pub fn read(self) -> Result<Sought, Invalid> {
        let event_type = self.event_type.as_deref().map(EventFilter::parse).transpose();
        let (from, to) = (bound("from", self.from.as_deref())?, bound("to", self.to.as_deref())?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(Invalid::new("to", "must be later than \"from\""));
        }
        Ok(Sought {
            event_type: event_type.map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?,
            state: one_of("state", self.state, &SHOWN_STATES)?,
            status: self.status_code.as_deref().map(statuses).transpose()?,
            outcome: one_of("outcome", self.outcome, &FAILURE_KINDS)?,
            cause: one_of("cause", self.cause, Cause::WORDS)?,
            order_keys: self.order_key.as_deref().map(order_key_hashes),
            from: from.map(first_id_at),
            to: to.map(first_id_at),
        })
    }
}

impl Sought {
    /// Where in the list a page can be.
    pub fn walk(&self, window: Window) -> Walk {
        window.walk().within(self.from, self.to)
    }

    /// Whether every delivery of that time is asked for.
    pub fn is_all(&self) -> bool {
        let Self { event_type, state, status, outcome, cause, order_keys, from: _, to: _ } = self;
        let words = [state, outcome, cause];
        words.iter().all(|word| word.is_none()) && event_type.is_none() && status.is_none() && order_keys.is_none()
    }

    /// Whether a delivery to this webhook is asked for, but for its event's type.
    pub fn wants(&self, delivery: &Delivery, webhook: Option<&Webhook>) -> bool {
        let latest = delivery.latest_attempt().map(|attempt| &attempt.outcome);
        let is = |wanted: &Option<String>, word: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| word.is_some_and(|word| word == wanted))
        };
        let is_ordered = |keys: &Vec<u64>| delivery.place.is_some_and(|place| keys.contains(&place.key));
        is(&self.state, Some(shown_state(delivery, webhook)))
            && is(&self.cause, Some(delivery.cause.word()))
            && self.wants_outcome(latest)
            && self.order_keys.as_ref().is_none_or(is_ordered)
    }
}

impl Sought {
    /// Whether an attempt of which this came is asked for, or nothing where there was none.
    pub fn wants_outcome(&self, outcome: Option<&Outcome>) -> bool {
        let is_status = |wanted: &Statuses| outcome.and_then(Outcome::status).is_some_and(|one| wanted.contains(&one));
        let is_kind = |wanted: &String| outcome.is_some_and(|outcome| outcome.kind() == wanted);
        self.status.as_ref().is_none_or(is_status) && self.outcome.as_ref().is_none_or(is_kind)
    }
}

/// A word, if it is one of those that there are.
pub fn one_of(field: &str, word: Option<String>, words: &[&str]) -> Result<Option<String>, Invalid> {
    let wrong = || Invalid::new(field, format!("must be one of {}", words.join(", ")));
    word.map(|word| if words.contains(&word.as_str()) { Ok(word) } else { Err(wrong()) }).transpose()
}

fn statuses(text: &str) -> Result<Statuses, Invalid> {
    let wrong = || Invalid::new("status_code", "must be a status such as 503, or a class such as 5xx");
    if text.len() != 3 {
        return Err(wrong());
    }
    let class = text.strip_suffix("xx").and_then(|class| class.parse().ok()).map(|class: u16| class * 100);
    let found = match (class, text.parse().ok()) {
        (Some(class), _) => Some(class..=class + 99),
        (None, one) => one.map(|one: u16| one..=one),
    };
    let is_one = |found: &Statuses| (100..1000).contains(found.start());
    found.filter(is_one).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{AttemptSummary, DeliveryState as State};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::id::EventId;

    #[test]
    fn statuses_are_one_or_a_class() {
        assert_eq!((statuses("503"), statuses("2xx")), (Ok(503..=503), Ok(200..=299)));
        for bad in ["", "5", "50", "0503", "+50", "xx", "55xx", "099", "0xx", "5XX", "abc", "70000"] {
            assert_eq!(statuses(bad).unwrap_err().field, "status_code", "{bad}");
        }
    }

    #[test]
    fn all_that_is_asked_for_must_hold() {
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let webhook = Webhook::new(1, "standard", url, Vec::new());
        let event = EventId(1 << 80);
        let mut delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
        delivery.state = State::Scheduled;
        let outcome = Outcome::Status(503);
        delivery.latest = Some(AttemptSummary { number: 2, started_at: 1, duration_ms: 1, outcome });
        let wants = |set: &dyn Fn(&mut DeliveriesFilter)| {
            let mut filter = DeliveriesFilter::default();
            set(&mut filter);
            filter.read().unwrap().wants(&delivery, Some(&webhook))
        };
        assert!(wants(&|_| {}));
        for status in ["503", "5xx"] {
            assert!(wants(&|filter| filter.status_code = Some(status.into())));
        }
        assert!(!wants(&|filter| filter.status_code = Some("500".into())));
        assert!(wants(&|filter| filter.outcome = Some("status".into())));
        assert!(!wants(&|filter| filter.outcome = Some("timeout".into())));
        assert!(!wants(&|filter| filter.cause = Some("test".into())));
        assert!(!wants(&|filter| filter.order_key = Some("a".into())), "it is in no order");
        assert!(!wants(&|filter| {
            (filter.state, filter.status_code) = (Some("dead".into()), Some("503".into()));
        }));
    }

    #[test]
    fn only_a_time_leaves_all_deliveries_of_it() {
        let is_all = |set: &dyn Fn(&mut DeliveriesFilter)| {
            let mut filter = DeliveriesFilter::default();
            set(&mut filter);
            filter.read().unwrap().is_all()
        };
        let some = |text: &str| Some(text.to_string());
        assert!(is_all(&|_| {}) && is_all(&|filter| filter.from = some("2024-01-01T00:00:00Z")));
        assert!(!is_all(&|filter| filter.event_type = some("*")), "of events that are still kept");
        assert!(!is_all(&|filter| filter.state = some("dead")));
        assert!(!is_all(&|filter| filter.status_code = some("5xx")));
        assert!(!is_all(&|filter| filter.outcome = some("timeout")));
        assert!(!is_all(&|filter| filter.cause = some("test")));
        assert!(!is_all(&|filter| filter.order_key = some("a")));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let wrong = |set: &dyn Fn(&mut DeliveriesFilter)| {
            let mut filter = DeliveriesFilter::default();
            set(&mut filter);
            filter.read().unwrap_err().field
        };
        assert_eq!(wrong(&|filter| filter.state = Some("done".into())), "state");
        assert_eq!(wrong(&|filter| filter.outcome = Some("ok".into())), "outcome");
        assert_eq!(wrong(&|filter| filter.cause = Some("why".into())), "cause");
        assert_eq!(wrong(&|filter| filter.event_type = Some("a b".into())), "event_type");
        assert_eq!(wrong(&|filter| filter.from = Some("today".into())), "from");
        let at = |text: &str| Some(text.to_string());
        let (early, late) = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
        assert_eq!(wrong(&|filter| (filter.from, filter.to) = (at(late), at(early))), "to");
    }
}
