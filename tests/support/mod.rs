//! The server as its users meet it: a process of its own, spoken to over sockets. What stays true: every wait is for a
//! signal and has a deadline, and a process that a test started is killed, by its own pid, when the test lets go of it.
#![allow(dead_code, unused_imports, reason = "each test takes what it needs")]

pub mod authority;
pub mod browser;
pub mod contract;
pub mod elsewhere;
pub mod endpoint;
pub mod http;
pub mod lines;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod receiver;
pub mod scene;
pub mod tls_endpoint;

pub use authority::{Authority, Certified};
pub use elsewhere::{Program, prepared, say, test_env};
pub use endpoint::Endpoint;
pub use http::{Client, Message, Reply};
pub use postgres::Postgres;
pub use process::{Running, Server};
pub use proxy::{Cut, Proxy};
pub use receiver::{Answer, Arrived, Receiver};
pub use scene::Stage;
pub use tls_endpoint::TlsEndpoint;

use std::time::Duration;

/// Nothing that a test waits for takes longer than this, even on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
