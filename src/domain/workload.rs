//! What the sending side is busy with, and what other nodes do for it: for people who look at the server.

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
    /// Places for deliveries, by who may have them.
    pub places: Vec<Places>,
    /// Its threads.
    pub threads: Vec<ThreadBusy>,
}

/// Places of one kind; quick and slow deliveries share theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Who may have them: `quick`, `slow` or `pulled`.
    pub pool: &'static str,
    /// So many are taken.
    pub taken: usize,
    /// Of so many at most.
    pub max: usize,
}

/// What a thread is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadBusy {
    /// What it is called.
    pub name: String,
    /// For how long it has been at one thing, in milliseconds; `None` while it rests.
    pub busy_ms: Option<u64>,
}

/// Attempts that other nodes have made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// All of them, since this server was started.
    pub attempts: u64,
    /// Which nodes are there for it, and how many each has made since it came; by name.
    pub nodes: Vec<(String, u64)>,
}
