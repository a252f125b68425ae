//! What the sending side is busy with: for people who look at the server.

/// What it is busy with now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Deliveries that are out.
    pub out: usize,
    /// Webhooks that have a lane in memory.
    pub lanes: usize,
    /// Connections to endpoints, kept ones too.
    pub connections: usize,
    /// As many as there may be.
    pub connections_max: usize,
    /// Bytes of larger bodies that are out.
    pub bodies_bytes: usize,
    /// As many as there may be.
    pub bodies_bytes_max: usize,
    /// Deliveries that consumers hold who pulled them.
    pub leases: usize,
    /// Its threads.
    pub threads: Vec<ThreadBusy>,
}

/// What a thread is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadBusy {
    /// What it is called.
    pub name: String,
    /// For how long it has been at one thing, in milliseconds; `None` while it rests.
    pub busy_ms: Option<u64>,
}
