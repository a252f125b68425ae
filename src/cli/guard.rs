//! `hookwheel guard explain`: where a URL leads and which rules decide about it, in the words of a server that is named, else
//! with the configuration that is here. What stays true: nothing is dialled, and it fails unless there is an address and each
//! may be dialled.

use clap::{Args, Subcommand};
use ipnet::IpNet;
use serde_json::{Value, json};

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::print;
use crate::config::Config;
use crate::domain::endpoint::EndpointUrl;

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
    /// Asks the server that --url or --profile names, with the key of an admin; else the configuration here answers. Ends with
    /// 0 if the URL leads somewhere and all of it may be dialled, else with 1.
    Explain {
        /// The URL, as a webhook would have it
        endpoint: String,
        /// A network that is opened for the webhook; give it once for each. A server is told --webhook
        #[arg(long, value_name = "CIDR")]
        allow: Vec<IpNet>,
        /// A webhook of the server that is asked: what is opened for it counts too
        #[arg(long, value_name = "ID", conflicts_with = "allow")]
        webhook: Option<String>,
        /// Print JSON, as POST /api/v1/guard/explain answers it
        #[arg(long)]
        json: bool,
    },
}

/// Prints what is asked for, by the configuration here.
pub async fn run(args: GuardArgs, config: &Config) -> Result<(), CliError> {
    let GuardCommand::Explain { endpoint, allow, webhook, json } = args.command;
    if webhook.is_some() {
        return Err(CliError::Usage("--webhook is one of a server: --url or --profile says which to ask".into()));
    }
    let url = EndpointUrl::parse(&endpoint, true).map_err(|invalid| CliError::Failed(invalid.to_string()))?;
    let explained = crate::explain(config, &url.parts(), &allow).await;
    told(&serde_json::to_value(explained).map_err(|error| CliError::Failed(error.to_string()))?, json)
}

/// Prints what a server says.
pub async fn ask(args: GuardArgs, server: &ServerArgs) -> Result<(), CliError> {
    let GuardCommand::Explain { endpoint, allow, webhook, json } = args.command;
    if !allow.is_empty() {
        return Err(CliError::Usage("--allow is for the configuration here; a server is told --webhook ID".into()));
    }
    let fields = json!({"url": endpoint, "webhook": webhook});
    let explained = server.prompt_client(None)?.guard().explain(&fields).await?;
    told(&explained, json)
}

fn told(explained: &Value, is_json: bool) -> Result<(), CliError> {
    // The verdict counts even where nobody reads why.
    let printed =
        if is_json { print(&format!("{}\n", json!({ "data": explained }))) } else { print(&plain(explained)) };
    match (&explained["may_dial"], explained["addresses"].as_array().is_none_or(Vec::is_empty)) {
        (Value::Bool(true), _) => printed,
        (_, true) => Err(CliError::Failed("no address is known".into())),
        (_, false) => Err(CliError::Failed("not all of these may be dialled".into())),
    }
}

fn plain(explained: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let [url, host, port] = ["url", "host", "port"].map(|name| text(&explained[name]));
    let mut told = format!("{url} leads to {host}, port {port}\n");
    for one in explained["addresses"].as_array().into_iter().flatten() {
        let word = if one["may_dial"] == true { "dialled" } else { "refused" };
        told += &format!("{word}  {}  {}\n", text(&one["address"]), text(&one["reason"]));
        told += &one["remedy"].as_str().map_or(String::new(), |remedy| format!("         {remedy}\n"));
    }
    told + &explained["note"].as_str().map_or(String::new(), |note| format!("note: {note}\n"))
}
