//! `hookwheel guard explain`: where a URL leads and which rules decide about it, with the configuration that is here. What
//! stays true: no server need run, nothing is dialled, and it fails unless there is an address and each may be dialled.

use clap::{Args, Subcommand};
use ipnet::IpNet;

use super::error::CliError;
use crate::config::Config;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::explain::Explained;

/// The arguments of `hookwheel guard`.
#[derive(Debug, Args)]
pub struct GuardArgs {
    #[command(subcommand)]
    command: GuardCommand,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    /// Say where a URL leads, and which rule decides whether that is dialled
    ///
    /// Ends with 0 if the URL leads somewhere and all of it may be dialled, else with 1.
    Explain {
        /// The URL, as a webhook would have it
        endpoint: String,
        /// A network that is opened for the webhook; give it once for each
        #[arg(long, value_name = "CIDR")]
        allow: Vec<IpNet>,
        /// Print JSON, as POST /api/v1/guard/explain answers it
        #[arg(long)]
        json: bool,
    },
}

/// Prints what is asked for.
pub async fn run(args: GuardArgs, config: &Config) -> Result<(), CliError> {
    let GuardCommand::Explain { endpoint, allow, json } = args.command;
    let url = EndpointUrl::parse(&endpoint, true).map_err(|invalid| CliError::Failed(invalid.to_string()))?;
    let explained = crate::explain(config, &url.parts(), &allow).await;
    if json {
        println!("{}", serde_json::json!({ "data": explained }));
    } else {
        print!("{}", plain(&explained));
    }
    match explained.may_dial {
        true => Ok(()),
        false if explained.addresses.is_empty() => Err(CliError::Failed("no address is known".into())),
        false => Err(CliError::Failed("not all of these may be dialled".into())),
    }
}

fn plain(explained: &Explained) -> String {
    let mut text = format!("{} leads to {}, port {}\n", explained.url, explained.host, explained.port);
    for one in &explained.addresses {
        let word = if one.may_dial { "dialled" } else { "refused" };
        text += &format!("{word}  {}  {}\n", one.address, one.reason);
        text += &one.remedy.map_or(String::new(), |remedy| format!("         {remedy}\n"));
    }
    text + &explained.note.as_ref().map_or(String::new(), |note| format!("note: {note}\n"))
}
