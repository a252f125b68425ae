//! `hookwheel listen`: deliveries for this machine, whatever stands between it and the server. It connects out, makes a webhook
//! that is pulled, hands each delivery to a local URL exactly as it would have been sent, and says what became of it there: so no
//! tunnel is needed. What stays true: an attempt ends as the local answer says; and the webhook goes when the command ends.

mod keys;
mod leftovers;
mod local;
mod session;
mod taken;
mod trying;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use super::contract;
use super::error::CliError;
use super::server::ServerArgs;
use super::shown::write;
use super::terminal::note;
use crate::client::{Client, Error};
use crate::domain::secret::Secret;
use keys::Keys;
use local::Local;
use session::Session;
use taken::Contract;
use trying::OwnServer;

/// How long a server that is away is waited for at the end.
const PARTING: Duration = Duration::from_secs(3);

/// The arguments of `hookwheel listen`.
#[derive(Debug, Args)]
#[command(
    after_help = "While it runs: r replays the last delivery, d shows how it differs from the one before, q ends.\n\n\
    Examples:\n  hookwheel listen --forward http://localhost:3000/hook --events 'task.*'\n  \
    hookwheel --dev listen --forward http://localhost:3000/hook   (starts a server of its own where none runs)"
)]
pub struct ListenArgs {
    /// Where each delivery goes; without it they are shown, and count as delivered
    #[arg(long, value_name = "URL", value_parser = address)]
    forward: Option<Url>,
    /// The event types that are wanted
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', default_value = "*")]
    events: Vec<String>,
    /// The dialect that they are served by [default: the account's]
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// Whose events; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// How long the local URL has for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Show bodies as they came instead of indented
    #[arg(long)]
    raw: bool,
    /// Show one line a delivery
    #[arg(long)]
    quiet: bool,
    /// Send an event of this type as soon as it listens, to see one come
    #[arg(long, value_name = "TYPE")]
    send: Option<String>,
    /// End after N deliveries that went well
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; such as http://localhost:3000/hook"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("must begin with http:// or https://".into()),
    }
}

/// Listens until it is stopped, or until as many went well as it was told to. With `dev`, a server of its own is started where none
/// runs at that address of this machine.
pub async fn run(args: ListenArgs, dialects: &Path, server: &ServerArgs, dev: bool) -> Result<(), CliError> {
    // Heard from before the webhook exists, so that it is always taken away again.
    let ends = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [mut terminated, mut interrupted, mut hung_up] = ends.map(|end| end.expect("signals can be listened for"));
    let own = if dev { OwnServer::where_none_runs(server).await? } else { None };
    let client = own.as_ref().map_or(server, |own| &own.server).client()?;
    let client = args.account.as_deref().map_or(client.clone(), |account| client.acting_for(account));
    cleared(&client).await;
    let wanted = json!({
        "mode": "pull", "events": args.events, "dialect": args.dialect, "description": "hookwheel listen: goes when it ends",
        "tags": [leftovers::TAG], "metadata": leftovers::mark(),
        // However often the local URL fails, whoever works on it waits for the next.
        "disable": {},
    });
    let made = client.webhooks().create(&wanted).await?;
    let text = |name: &str| made[name].as_str().map(str::to_owned);
    let (id, name) = (text("id").unwrap_or_default(), text("dialect").unwrap_or_default());
    let contract = Contract::of(contract::dialect(&name, dialects).ok(), text("secret").map(Secret::new));
    let greeting = greeting(&args, &name, own.as_ref());
    let mut session = Session {
        client: &client,
        webhook: id.clone(),
        contract,
        local: args.forward.map(|url| Local::new(url, Duration::from_secs(args.timeout))),
        is_quiet: args.quiet,
        is_raw: args.raw,
        count: args.count,
        last: Vec::new(),
        went_well: 0,
    };
    let mut keys = Keys::listen();
    let listening = async {
        write(&greeting).map_err(CliError::io("standard output"))?;
        if let Some(event_type) = &args.send {
            client.events().publish(event_type, &json!({"id": 1})).await?;
        }
        session.run(&mut keys).await
    };
    // Whatever ends it, the webhook goes.
    let ended = tokio::select! {
        ended = listening => ended,
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        _ = hung_up.recv() => Ok(()),
    };
    drop(keys);
    let parting = client.with_patience(PARTING);
    let webhooks = parting.webhooks();
    let why = tokio::select! {
        gone = webhooks.delete(&id) => gone.err().map(|error| error.to_string()),
        _ = interrupted.recv() => Some("it was not waited for".into()),
    };
    ended?;
    why.map_or(Ok(()), |why| {
        let remedy = "the next `hookwheel listen` on this machine takes it away";
        Err(CliError::Failed(format!("the webhook {id} stays, {remedy}: {why}")))
    })
}

/// Takes away what runs before have left. That it cannot be done hinders nobody.
async fn cleared(client: &Client) {
    match leftovers::clear(&client.with_patience(Duration::ZERO)).await {
        // That nobody is there is said by what is asked next.
        Ok(0) | Err(Error::Unreachable { .. }) => (),
        Ok(count) => note(format_args!("hookwheel: webhooks of runs that were killed, taken away: {count}")),
        Err(error) => note(format_args!("hookwheel: what a run that was killed may have left stays: {error}")),
    }
}

/// What is listened for, and how to have something come.
fn greeting(args: &ListenArgs, dialect: &str, own: Option<&OwnServer>) -> String {
    let to = args.forward.as_ref().map_or("this terminal".to_owned(), Url::to_string);
    let mut greeting = format!("listening for {} in {dialect}, to {to}\n", args.events.join(", "));
    if let Some(OwnServer { server, .. }) = own {
        let key = server.key.as_deref().unwrap_or_default();
        greeting.push_str(&format!(
            "a server was started for it at {}, which goes when this ends\nsend something:\n  \
             hookwheel --url {} --key {key} send task.created --data '{{\"id\":1}}'\n",
            server.url, server.url
        ));
    }
    greeting
}
