//! The knobs of what is kept: the data directory, what one account may have, and how long things stay.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreConfig {
    /// The data directory; a relative path counts from the working directory.
    pub path: PathBuf,
    /// A database that keeps the store instead, for several nodes: `postgres://user@host/database`.
    pub url: Option<Secret>,
    /// A file with the password for it; relative in the file, it lies beside the file.
    pub password_file: Option<PathBuf>,
    /// The master keys that seal what is secret in the store, in base64, the one that seals first; for the environment.
    pub master_key: Option<Secret>,
    /// A file of master keys; relative in the file, it lies beside the file. Without either, the server makes one in the
    /// data directory.
    pub master_key_file: Option<PathBuf>,
    /// Bytes of pages that the store keeps in memory.
    pub cache_bytes: u64,
    /// The reserve: with fewer free bytes on the data directory's disk, events are answered 503.
    pub free_bytes_min: u64,
    /// Requests that may wait for a commit; above it, events are answered 503.
    pub queue_events_max: usize,
    /// Bytes of events that may wait for a commit; above it, events are answered 503.
    pub queue_bytes_max: usize,
    /// Events in one group commit.
    pub group_events_max: usize,
    /// Bytes of events in one group commit; a single larger event or batch is a group of its own.
    pub group_bytes_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data"),
            url: None,
            password_file: None,
            master_key: None,
            master_key_file: None,
            cache_bytes: 64 << 20,
            free_bytes_min: 256 << 20,
            queue_events_max: 8192,
            queue_bytes_max: 64 << 20,
            group_events_max: 512,
            group_bytes_max: 2 << 20,
        }
    }
}

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterConfig {
    /// The name of this node among those that share a database; else the machine's.
    pub node: Option<String>,
    /// Where it takes what the other nodes hand on.
    pub listen: SocketAddr,
    /// Host and port under which they find that; else the address that this machine has on its way to the database.
    pub advertise: Option<String>,
    /// Whether it makes requests to endpoints for the owner while it stands by.
    pub carries: bool,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { node: None, listen: SocketAddr::from(([0, 0, 0, 0], 7081)), advertise: None, carries: true }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsConfig {
    /// Webhooks of one account; 0: no limit.
    pub webhooks_max: usize,
    /// API keys of one account; 0: no limit.
    pub keys_max: usize,
    /// Event types that one account may write down; 0: no limit but 2 MiB of them.
    pub event_types_max: usize,
    /// Users of one account; 0: no limit.
    pub users_max: usize,
    /// The greatest `max_in_flight` that an account's own key may give a webhook.
    pub max_in_flight: u32,
    /// The longest `timeout` that it may, in seconds.
    pub timeout: u32,
    /// Bytes of events, deliveries and attempts that are kept of one account; above it its oldest go. 0: no limit.
    pub kept_bytes_max: u64,
    /// Events that one account may publish in a second, with all of its keys together. 0: no limit.
    pub events_per_second: u32,
    /// New events that one account may publish in a day, UTC. 0: no limit.
    pub events_per_day: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            webhooks_max: 10_000,
            keys_max: 1_000,
            event_types_max: 500,
            users_max: 100,
            max_in_flight: 64,
            timeout: 60,
            kept_bytes_max: 0,
            events_per_second: 0,
            events_per_day: 0,
        }
    }
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionConfig {
    /// Days that events are kept, with their deliveries and attempts; 0: for ever.
    pub event_days: u64,
    /// Bytes of events, deliveries and attempts that are kept; above it the oldest go. 0: no limit.
    pub bytes_max: u64,
    /// Days that deliveries are held for a webhook that is not active; then they are cancelled.
    pub hold_days_max: u64,
    /// Days that the audit log is kept; 0: for ever.
    pub audit_days: u64,
    /// Entries of the audit log that are kept of one account; above it the oldest go. 0: no limit.
    pub audit_entries_max: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { event_days: 90, bytes_max: 0, hold_days_max: 30, audit_days: 400, audit_entries_max: 100_000 }
    }
}
