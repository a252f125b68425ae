//! `hookwheel serve --check`: what a start would find and do, without doing it.

use super::error::CliError;
use super::terminal::print;
use crate::checked;
use crate::clock::Clock;
use crate::config::Config;

/// Says what a start would do; fails where it would.
pub fn run(config: &Config) -> Result<(), CliError> {
    let plan = checked::plan(&Clock::real(), config).map_err(|error| CliError::Failed(error.to_string()))?;
    let place = config.store.path.display();
    let mut told = format!("configuration  right\ndialects       {} can be read\n", plan.dialects);
    if let Some(database) = plan.database {
        return print(&(told + &format!("store          it is in {database}, which was not asked\n")));
    }
    let Some(store) = plan.store else {
        return print(&(told + &format!("store          a server has {place}; nothing of it was looked at\n")));
    };
    told += &match store.found {
        None => format!("store          {place} has none: a start makes one of format {}\n", store.needed),
        Some(found) if found == store.needed => {
            format!("store          {place} has format {found}, and needs no upgrade\n")
        }
        Some(found) => format!("store          {place} has format {found}: a start brings it to {}\n", store.needed),
    };
    if store.copy_bytes > 0 {
        told +=
            &format!("copy           {} bytes are copied before; {} are free\n", store.copy_bytes, store.free_bytes);
    }
    let printed = print(&told);
    if store.has_room() {
        return printed;
    }
    let why = "there is no room for the copy: free some, or do without by `hookwheel store upgrade --no-copy`";
    Err(CliError::Failed(why.into()))
}
