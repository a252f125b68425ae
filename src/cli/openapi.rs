//! `hookwheel openapi`: the document of the API, for those who generate clients and have no server at hand.

use clap::Args;
use serde_json::{Value, json};
use url::Url;

use super::error::CliError;
use super::terminal::print;

/// How to write it.
#[derive(Debug, Args)]
pub struct OpenapiArgs {
    /// The address of the server that the document speaks of [default: wherever it is read from]
    #[arg(long, value_name = "URL")]
    base_url: Option<Url>,
}

/// Writes the document to standard output.
pub fn run(args: &OpenapiArgs, mut document: Value) -> Result<(), CliError> {
    if let Some(url) = &args.base_url {
        document["servers"] = json!([{"url": url.as_str().trim_end_matches('/')}]);
    }
    let text = serde_json::to_string_pretty(&document).expect("it is plain data");
    print(&format!("{text}\n"))
}
