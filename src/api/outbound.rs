//! What the API asks of the sending side. The two rooms never see each other: the front page of the library gives the API
//! somebody who answers.

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use url::Url;

use crate::domain::explain::Explained;
use crate::domain::id::WebhookNumber;
use crate::domain::lane::Standing;
use crate::domain::probe::{Probe, Probed};
use crate::domain::rate_limit::{Allowance, RateLimit};
use crate::pulse::Stuck;

/// The sending side, as far as the API needs it.
pub trait Outbound: Send + Sync {
    /// Makes a request that is no delivery.
    fn probe(&self, probe: Probe) -> BoxFuture<'static, Probed>;

    /// Says where a URL leads and which rules decide there, for a webhook for which `opened` was opened. `None` while the
    /// server stops.
    fn explain(&self, url: Url, opened: Vec<IpNet>) -> BoxFuture<'static, Option<Explained>>;

    /// What is left of a webhook's rate limit now.
    fn left(&self, webhook: WebhookNumber, limit: RateLimit) -> Allowance;

    /// How a webhook's deliveries stand now; `None` if that is not known soon.
    fn standing(&self, webhook: WebhookNumber) -> BoxFuture<'static, Option<Standing>>;

    /// What it lacks now, in words; `None` if nothing.
    fn trouble(&self) -> Option<&'static str>;

    /// A thread of it that is stuck.
    fn stuck(&self) -> Option<Stuck>;

    /// Writes its counters in the Prometheus text format.
    fn write_metrics(&self, out: &mut String);
}
