//! `hookwheel version`: what this build is.

use clap::Args;

/// How to print it.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints it.
pub fn run(args: &VersionArgs) {
    let about = crate::preflight::about();
    if args.json {
        println!("{:#}", serde_json::json!(about));
        return;
    }
    println!("hookwheel {}", about.version);
    println!("commit        {}", about.commit.unwrap_or("not known"));
    println!("features      {}", if about.features.is_empty() { "none".into() } else { about.features.join(", ") });
    println!(
        "store format  {} (older ones from {} on are brought to it)",
        about.store_format, about.store_format_oldest
    );
}
