//! What operators watch: histograms that any thread records into (`histogram`), the page on which all metrics stand (`page`,
//! `process`, `accounts`), and spans on their way to a collector (`span`, `traces`,
//! `otlp`). Each room counts what it does by itself and puts
//! that onto the page when it is asked.

pub mod accounts;
pub mod histogram;
mod otlp;
pub mod page;
pub mod process;
pub mod span;
pub mod traces;

use std::sync::Arc;

use accounts::ByAccount;
pub use histogram::{Example, Histogram};
pub use otlp::CONTENT_TYPE as OTLP_CONTENT_TYPE;
pub use page::{Format, Page};
pub use span::{Said, Span, SpanKind};
use traces::Traces;

/// What the rooms share that are watched; cheap to clone. The default watches nothing but what is always counted.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// Counters of single accounts.
    pub accounts: Arc<ByAccount>,
    /// Takes spans.
    pub traces: Traces,
    /// Whether deliveries tell their endpoints which trace they belong to.
    pub propagates: bool,
}
