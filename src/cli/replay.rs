//! `hookwheel replay`: deliver again one delivery, one event, or what a filter selects. What stays true: it counts first,
//! asks once, and the work goes on in the server whatever becomes of the command.

use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::{ask, print};
use crate::client::Client;

/// The arguments of `hookwheel replay`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["delivery", "event", "webhook"]))]
pub struct ReplayArgs {
    /// A delivery
    #[arg(value_name = "DELIVERY")]
    delivery: Option<String>,
    /// An event, to all webhooks that want it now
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// What a webhook was sent, by state, type and time
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
    /// What became of it: dead, succeeded, cancelled, or missing for what was never delivered
    #[arg(long, default_value = "dead", conflicts_with_all = ["delivery", "event"])]
    state: String,
    /// Only of this event type
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["delivery", "event"])]
    event_type: Option<String>,
    /// From this time on (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["delivery", "event"])]
    from: Option<String>,
    /// Before this time (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["delivery", "event"])]
    to: Option<String>,
    /// Act for this account; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only say how many
    #[arg(long, conflicts_with = "delivery")]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Do not wait until the server has made them
    #[arg(long)]
    no_wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Replays what the arguments say.
pub async fn run(args: ReplayArgs, server: &ServerArgs) -> Result<(), CliError> {
    let client = server.prompt_client(args.account.as_deref())?;
    if let Some(id) = &args.delivery {
        return one(&client, id, args.json).await;
    }
    let fields = args.fields();
    let counted = start(&client, &args, &with_dry_run(&fields)).await?;
    let count = counted["count"].as_u64().unwrap_or(0);
    if args.dry_run {
        return told(&counted, args.json, &format!("{count} would be delivered again\n"));
    }
    if count == 0 {
        return Err(CliError::Failed("there is nothing to deliver again".into()));
    }
    ask::sure(&format!("Deliver {count} again"), args.yes)?;
    let job = start(&client, &args, &fields.into()).await?;
    let job = if args.no_wait { job } else { ask::job_ended(&client, &job, Some(count)).await? };
    let number = |name: &str| job[name].as_u64().unwrap_or(0);
    let id = job["id"].as_str().unwrap_or_default();
    let state = job["state"].as_str().unwrap_or_default();
    let sentence = format!("{} made anew, {} left out; job {id}: {state}\n", number("done"), number("skipped"));
    told(&job, args.json, &sentence)?;
    ask::goes_well(&job)
}

async fn one(client: &Client, id: &str, is_json: bool) -> Result<(), CliError> {
    let delivery = client.deliveries().get(id).await?;
    let webhook = delivery["webhook_id"].as_str().unwrap_or_default();
    let made = client.deliveries().replay(webhook, id).await?;
    let new = made["delivery_id"].as_str().unwrap_or_default();
    told(&made, is_json, &format!("{id} goes out again as {new}\n"))
}

impl ReplayArgs {
    /// What the API takes.
    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        if self.webhook.is_some() {
            fields.insert("state".into(), self.state.clone().into());
            let said = [("event_type", &self.event_type), ("from", &self.from), ("to", &self.to)];
            fields.extend(said.into_iter().filter_map(|(name, value)| Some((name.into(), value.clone()?.into()))));
        }
        fields
    }
}

fn with_dry_run(fields: &Map<String, Value>) -> Value {
    let mut fields = fields.clone();
    fields.insert("dry_run".into(), json!(true));
    fields.into()
}

async fn start(client: &Client, args: &ReplayArgs, fields: &Value) -> Result<Value, CliError> {
    match (&args.event, &args.webhook) {
        (Some(event), _) => Ok(client.events().replay(event, fields, None).await?),
        (None, Some(webhook)) => Ok(client.webhooks().replay(webhook, fields).await?),
        (None, None) => Err(CliError::Usage("say what: a delivery, --event or --webhook".into())),
    }
}

fn told(answer: &Value, is_json: bool, sentence: &str) -> Result<(), CliError> {
    if is_json { print(&format!("{answer}\n")) } else { print(sentence) }
}
