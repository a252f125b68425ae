//! `hookwheel status`: one screen that says whether all is well, and what is not. What stays true: it ends with 1 unless the
//! server is ready, so that a script can ask.

use awc::http::Method;
use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::server::ServerArgs;
use super::stats::over_time;
use super::terminal::{Screen, print};
use crate::client::{Call, Client, Error};

/// Webhooks that are looked at; a fleet's are counted by `hookwheel webhooks list`.
const WEBHOOKS_MAX: usize = 1000;
/// Sick ones that are shown.
const SICK_MAX: usize = 10;

/// The arguments of `hookwheel status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Act for this account; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows it.
pub async fn run(args: StatusArgs, server: &ServerArgs) -> Result<(), CliError> {
    let client = server.prompt_client(args.account.as_deref())?;
    let mut glance = glance(&client, &server.url).await?;
    if glance.is_ready() {
        glance.told["version"] = version(&client).await?;
    }
    let printed = if args.json { print(&format!("{}\n", glance.told)) } else { print(&screen(&glance)) };
    // The verdict counts even where nobody reads why.
    if glance.is_ready() { printed } else { Err(CliError::Verdict("the server is not ready".into())) }
}

/// What is to be known of a server at a glance.
pub struct Glance {
    /// As JSON: `url`, `version` (null until it is asked for), `ready`, `queue`, `deliveries_per_minute`,
    /// `webhooks_looked_at`, `sick_webhooks`.
    pub told: Value,
    /// The numbers of the last hour; null where the server is not ready.
    pub stats: Value,
}

impl Glance {
    /// Whether the server takes events.
    pub fn is_ready(&self) -> bool {
        self.told["ready"]["status"] == "ready"
    }
}

/// Looks.
pub async fn glance(client: &Client, url: &str) -> Result<Glance, CliError> {
    let ready = readiness(client).await?;
    // Who is not ready cannot be asked further.
    let (stats, sick) = match ready["status"] == "ready" {
        true => (client.stats().get(&[]).await?, sick(client).await?),
        false => (Value::Null, Sick::default()),
    };
    let told = json!({
        "url": url, "version": null, "ready": ready, "queue": stats["queue"],
        "deliveries_per_minute": per_minute(&stats), "webhooks_looked_at": sick.looked_at, "sick_webhooks": sick.webhooks,
    });
    Ok(Glance { told, stats })
}

/// What the server says of itself; why not, where it is not ready.
async fn readiness(client: &Client) -> Result<Value, CliError> {
    let call = Call { method: Method::GET, path: "/health/ready", headers: Vec::new(), body: None };
    match client.call(&call).await {
        Ok(mut reply) => Ok(reply["data"].take()),
        Err(Error::Refused { status, message, .. }) if status.is_server_error() => Ok(json!({"status": message})),
        Err(error) => Err(error.into()),
    }
}

/// It stands in the document, which is long: not to be asked again and again.
async fn version(client: &Client) -> Result<Value, CliError> {
    let call = Call { method: Method::GET, path: "/openapi.json", headers: Vec::new(), body: None };
    Ok(client.call(&call).await?["info"]["version"].take())
}

/// Webhooks that do not deliver as they should.
#[derive(Default)]
struct Sick {
    looked_at: usize,
    webhooks: Vec<Value>,
}

async fn sick(client: &Client) -> Result<Sick, CliError> {
    let (mut webhooks, mut sick) = (client.webhooks().list(&[("limit", "250")]), Sick::default());
    while sick.looked_at < WEBHOOKS_MAX
        && let Some(webhook) = webhooks.next().await?
    {
        sick.looked_at += 1;
        let failures = webhook["consecutive_failures"].as_u64().unwrap_or(0);
        if webhook["status"] != "active" || failures > 0 {
            let state = if webhook["status"] == "active" { json!("failing") } else { webhook["status"].clone() };
            sick.webhooks.push(json!({
                "id": webhook["id"], "state": state, "url": webhook["url"], "consecutive_failures": failures,
                "failing_since": webhook["failing_since"], "open": webhook["open"], "reason": webhook["status_reason"],
            }));
        }
    }
    Ok(sick)
}

/// Deliveries a minute over what the statistics span.
fn per_minute(stats: &Value) -> Value {
    let points = stats["points"].as_array().map_or(0, Vec::len);
    let made = stats["total"]["deliveries"].as_f64().unwrap_or(0.0);
    if points == 0 { Value::Null } else { json!((made / points as f64 * 10.0).round() / 10.0) }
}

fn screen(Glance { told, stats }: &Glance) -> String {
    let screen = Screen::of_process();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut shown = format!("server      {} {}\n", text(&told["url"]), screen.state(&text(&told["ready"]["status"])));
    if stats.is_null() {
        return shown;
    }
    let oldest = &told["queue"]["oldest_open_at"];
    let queue =
        oldest.as_str().map_or("nothing is open".into(), |at| format!("the oldest open delivery: {}", screen.when(at)));
    let store = &told["ready"]["store"];
    let lost: u64 = store["quarantined"].as_object().into_iter().flatten().filter_map(|(_, rows)| rows.as_u64()).sum();
    let differences = store["differences"].as_array().map_or(0, Vec::len);
    let well = match (lost, differences, &store["scrub_done"]) {
        (0, 0, Value::Bool(true)) => "whole".to_owned(),
        (0, 0, _) => "being looked through".to_owned(),
        _ => format!("{} {lost} rows set aside, {differences} differences", screen.state("failing")),
    };
    shown += &format!("version     {}\nqueue       {queue}\n", text(&told["version"]));
    let chart = |head: String, name: &str| {
        let room = screen.width.map_or(usize::MAX, |width| width.saturating_sub(head.len()).max(1));
        format!("{head}{}\n", over_time(stats, name, room))
    };
    shown += &chart(format!("deliveries  {} a minute  ", told["deliveries_per_minute"]), "deliveries");
    shown += &chart(format!("failed      {}  ", stats["total"]["failed"]), "failed");
    shown += &format!("store       {well}\n");
    let sick = told["sick_webhooks"].as_array().map_or(&[][..], Vec::as_slice);
    shown += &format!("webhooks    {} of {} are not well\n", sick.len(), told["webhooks_looked_at"]);
    for one in sick.iter().take(SICK_MAX) {
        let since = one["failing_since"].as_str().map_or(String::new(), |at| format!("  since {}", screen.when(at)));
        shown +=
            &format!("  {}  {}  {}{since}\n", screen.state(&text(&one["state"])), text(&one["id"]), text(&one["url"]));
    }
    shown
}
