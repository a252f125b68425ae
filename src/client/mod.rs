//! A client of the API, for programs in Rust and for the command line.
//!
//! ```no_run
//! # async fn example() -> Result<(), hookwheel::client::Error> {
//! use hookwheel::client::Client;
//! use serde_json::json;
//!
//! let client = Client::new("http://127.0.0.1:7080", Some("hw_…"))?;
//! client.events().publish("task.created", &json!({"id": 1})).await?;
//! let mut webhooks = client.webhooks().list(&[]);
//! while let Some(webhook) = webhooks.next().await? {
//!     println!("{}", webhook["url"]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It is for one thread of an actix runtime (`actix_rt::System`), as the HTTP client under it is.

mod asked;
mod by_name;
mod calling;
mod error;
mod following;
mod pages;
mod publish;
pub mod verbs;

pub use asked::Call;
pub use by_name::path_of;
pub use calling::Client;
pub use error::Error;
pub use following::{Message, Messages};
pub use pages::Pages;
