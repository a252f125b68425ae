//! What the API asks of the sending side. The two rooms never see each other: the front page of the library gives the API
//! somebody who answers.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use url::Url;

use crate::domain::delivery::Delivery;
use crate::domain::explain::Explained;
use crate::domain::id::WebhookNumber;
use crate::domain::lane::Standing;
use crate::domain::probe::{Probe, Probed, Tried};
use crate::domain::pull::{Ask, LeaseId, Leased, Pulled, Word};
use crate::domain::rate_limit::{Allowance, RateLimit};
use crate::domain::webhook::Webhook;
use crate::domain::workload::{Carried, Workload};
use crate::pulse::Stuck;
use crate::telemetry::Page;

/// The sending side, as far as the API needs it.
pub trait Outbound: Send + Sync {
    /// Makes a request that is no delivery.
    fn probe(&self, probe: Probe) -> BoxFuture<'static, Probed>;

    /// Makes the one attempt of a test, at once.
    fn test(&self, webhook: Arc<Webhook>, delivery: Delivery) -> BoxFuture<'static, Tried>;

    /// Says where a URL leads and which rules decide there, for a webhook for which `opened` was opened. `None` while the
    /// server stops.
    fn explain(&self, url: Url, opened: Vec<IpNet>) -> BoxFuture<'static, Option<Explained>>;

    /// What is left of a webhook's rate limit now.
    fn left(&self, webhook: WebhookNumber, limit: RateLimit) -> Allowance;

    /// Counts a request to a webhook of its rate limit; if none may be made now, says how long it would wait, in milliseconds.
    fn take(&self, webhook: WebhookNumber, limit: RateLimit) -> Result<(), u64>;

    /// Counts a request that is made whatever the limit says.
    fn spend(&self, webhook: WebhookNumber, limit: RateLimit);

    /// Hands over deliveries that are pulled, as soon as there are any; none if there are none in time. What nobody is there to
    /// take any more, by `is_there`, stays as it was.
    fn pull(&self, ask: Ask, is_there: Box<dyn Fn() -> bool + Send>) -> BoxFuture<'static, Vec<Pulled>>;

    /// Hears what the holders of leases say, and where each stands then, in their order.
    fn say(&self, leases: Vec<LeaseId>, word: Word) -> BoxFuture<'static, Vec<Leased>>;

    /// How a webhook's deliveries stand now; `None` if that is not known soon.
    fn standing(&self, webhook: WebhookNumber) -> BoxFuture<'static, Option<Standing>>;

    /// What it lacks now, in words; `None` if nothing.
    fn trouble(&self) -> Option<&'static str>;

    /// A thread of it that is stuck.
    fn stuck(&self) -> Option<Stuck>;

    /// Puts what it counts onto the page.
    fn show_metrics(&self, page: &mut Page);

    /// Attempts that other nodes have made.
    fn carried(&self) -> Carried {
        Carried::default()
    }

    /// What it is busy with now.
    fn workload(&self) -> Workload {
        Workload::default()
    }
}
