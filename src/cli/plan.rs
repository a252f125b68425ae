//! `hookwheel serve --check`: what a start would find and do, without doing it.

use super::error::CliError;
use crate::checked::{self, Plan};
use crate::clock::Clock;
use crate::config::Config;

/// Says what a start would do; fails where it would.
pub fn run(config: &Config) -> Result<(), CliError> {
    let plan = checked::plan(&Clock::real(), config).map_err(|error| CliError::Failed(error.to_string()))?;
    let place = config.store.path.display();
    println!("configuration  right");
    println!("dialects       {} can be read", plan.dialects);
    let Plan { store, .. } = plan;
    let Some(store) = store else {
        println!("store          a server has {place}; nothing of it was looked at");
        return Ok(());
    };
    match store.found {
        None => println!("store          {place} has none: a start makes one of format {}", store.needed),
        Some(found) if found == store.needed => {
            println!("store          {place} has format {found}, and needs no upgrade")
        }
        Some(found) => println!("store          {place} has format {found}: a start brings it to {}", store.needed),
    }
    if store.copy_bytes > 0 {
        println!("copy           {} bytes are copied before; {} are free", store.copy_bytes, store.free_bytes);
    }
    if store.has_room() {
        return Ok(());
    }
    let why = "there is no room for the copy: free some, or do without by `hookwheel store upgrade --no-copy`";
    Err(CliError::Failed(why.into()))
}
