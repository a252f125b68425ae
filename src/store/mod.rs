//! The store: the only room that knows sled and bincode. Its face is `handle` and the reading verbs: verbs in the
//! project's words, no sled type in a signature. All writes go through one commit thread (`commit`), all reads go to
//! the trees.
//!
//! From the bottom up: `layout`, `record` and `trees` are the format and where it lies; `rows` and `registry` read it;
//! `staging` is a group in the making, and the files beside it say what a group can do (`accept`, `settle`, `manage`, …);
//! `duty` and `upkeep` are what is done on the side; `commit` turns it all. No file uses one that uses it.

mod accept;
mod asking;
mod at_paths;
mod attempts;
mod audience;
mod audit;
#[cfg(test)]
mod bench;
mod bodies;
mod carried;
mod changes;
mod check;
mod commit;
mod counting;
mod damage;
mod dead;
mod duty;
mod error;
mod event_rows;
mod fan_out;
mod foreseen;
mod forget;
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod inner;
mod jobs;
mod keeping;
mod kept;
mod key_mark;
mod layout;
mod leaving;
mod leaving_account;
mod manage;
mod master_keys;
mod message;
mod migration;
mod notices;
mod opening;
mod order;
mod parsed;
mod publish;
mod publishing;
mod pull_in;
mod queue;
mod quota;
mod read;
mod reclaim;
mod record;
mod registry;
mod request;
mod rows;
mod runs;
mod seal;
mod select;
mod settings;
mod settle;
mod staging;
mod stats;
mod sums;
mod tested;
mod to_come;
mod trees;
mod turns;
mod uids;
mod upkeep;
mod wants;

pub use commit::Committer;
pub use damage::{Damage, Soundness};
pub use error::{OpenError, Refusal, StoreError};
pub use event_rows::EventHead;
pub use handle::Store;
pub use inner::Commits;
pub use key_mark::KeyMark;
pub use leaving::Leaving;
pub use message::{Accepted, IDEMPOTENCY_MS, Idempotency, Listener, NewEvent, Notice, Settled, Settlement};
pub use opening::open;
pub use publish::Publish;
pub use quota::Usage;
pub use read::{DueAt, PAGE_ROWS_EXAMINED_MAX, Page};
pub use registry::{KeyHash, Registry};
pub use request::Load;
pub use seal::MasterKeys;
pub use select::{COUNT_ROWS_EXAMINED_MAX, Count};
pub use settings::{AHEAD_BYTES_MIN, FAN_OUT_MAX, MasterKeySource, OWN_MASTER_KEYS, Retention, Settings};
pub use staging::Staging;
pub use stats::Stats;
pub use trees::in_memory::{Fault, Memory};
pub use trees::loss::{Loss, accept_loss};
pub use turns::Turn;
