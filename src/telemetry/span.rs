//! A span: what was done, for whom, within what, and for how long.

/// One thing that was done for an event, from its begin to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace_id: u128,
    /// Its own id, never 0.
    pub span_id: u64,
    /// Within which span it was done.
    pub parent: Option<u64>,
    /// What was done.
    pub name: &'static str,
    /// For whom.
    pub kind: SpanKind,
    /// When it began, in microseconds since the Unix epoch, by the wall clock.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What there is to say of it. No secret and nothing of a payload.
    pub attributes: Vec<(&'static str, Said)>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// For whom something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// For a client of the API.
    Server,
    /// By an endpoint, for us.
    Client,
    /// Within.
    Internal,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number.
    Real(f64),
}
