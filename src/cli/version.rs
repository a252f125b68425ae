//! `hookwheel version`: what this build is.

use clap::Args;

use super::error::CliError;
use super::terminal::print;

/// How to print it.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints it.
pub fn run(args: &VersionArgs) -> Result<(), CliError> {
    let about = crate::about::about();
    if args.json {
        return print(&format!("{:#}\n", serde_json::json!(about)));
    }
    let features = if about.features.is_empty() { "none".into() } else { about.features.join(", ") };
    print(&format!(
        "hookwheel {}\ncommit        {}\nfeatures      {features}\n\
        store format  {} (older ones from {} on are brought to it)\n",
        about.version,
        about.commit.unwrap_or("not known"),
        about.store_format,
        about.store_format_oldest
    ))
}
