//! `hookwheel tail`: what happens, a line each, as it happens. What stays true: after a broken connection it goes on behind
//! the last message that was shown, and what is missing all the same is told as a gap.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::again::Again;
use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::{Screen, note, print};
use crate::client::{Client, Message};

/// Before it connects again where a stream has ended.
const PAUSE: Duration = Duration::from_millis(500);

/// The arguments of `hookwheel tail`.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// Only of this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
    /// Only of this event type, such as task.created or task.*
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only of this kind: event, attempt or dead
    #[arg(long)]
    kind: Option<String>,
    /// Only attempts that were answered so: 503 or 5xx
    #[arg(long, value_name = "CODE")]
    status_code: Option<String>,
    /// Only attempts that ended so, such as timeout
    #[arg(long)]
    outcome: Option<String>,
    /// Act for this account; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Begin behind this message, as --json names it, and not with what comes
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// End once all is told that has happened by now
    #[arg(long)]
    no_follow: bool,
    /// Print JSON, a message a line
    #[arg(long)]
    json: bool,
}

impl TailArgs {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let filters = [
            ("webhook", &self.webhook),
            ("event_type", &self.event_type),
            ("kind", &self.kind),
            ("status_code", &self.status_code),
            ("outcome", &self.outcome),
        ];
        let said = filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        said.chain(self.no_follow.then_some(("follow", "false"))).collect()
    }
}

/// Shows what happens until it is ended.
pub async fn run(args: TailArgs, server: &ServerArgs) -> Result<(), CliError> {
    let client = server.prompt_client(args.account.as_deref())?;
    let mut last = args.after.clone();
    // The first connection tells what is wrong; later ones are waited for.
    let mut again = None;
    loop {
        let ended = follow(&client, &args, &mut last, &mut again).await;
        match (ended, &mut again) {
            (Ok(()), _) if args.no_follow => return Ok(()),
            (Ok(()), _) => {
                note("hookwheel: the stream ended; going on");
                actix_rt::time::sleep(PAUSE).await;
            }
            (Err(CliError::Call(error)), Some(again)) => again.wait(error, tell).await?,
            (Err(error), _) => return Err(error),
        }
    }
}

/// Beside what is shown.
fn tell(text: &str) -> Result<(), CliError> {
    note(format_args!("hookwheel: {}", text.trim_end()));
    Ok(())
}

/// Shows the messages of one connection. `again`: how it stands with the server, once it was there.
async fn follow(
    client: &Client,
    args: &TailArgs,
    last: &mut Option<String>,
    again: &mut Option<Again>,
) -> Result<(), CliError> {
    let mut messages = client.follow(&args.query(), last.as_deref()).await?;
    if again.is_none() && !args.no_follow {
        tell("following; Ctrl-C ends\n")?;
    }
    again.get_or_insert_with(Again::new).is_there(tell)?;
    while let Some(message) = messages.next().await? {
        if args.json {
            let line = serde_json::json!({"kind": message.kind, "id": message.id});
            let (start, data) = (line.to_string(), message.data.trim());
            let start = start.strip_suffix('}').unwrap_or(&start);
            print(&format!("{start},\"data\":{data}}}\n"))?;
        } else {
            print(&told(&Screen::of_process(), &message))?;
        }
        if message.id.is_some() {
            *last = message.id;
        }
    }
    Ok(())
}

/// A message as one line.
fn told(screen: &Screen, message: &Message) -> String {
    let data: Value = serde_json::from_str(&message.data).unwrap_or_default();
    let text = |name: &str| match &data[name] {
        Value::String(text) => text.chars().filter(|one| !one.is_control()).collect(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let line = match message.kind.as_str() {
        "event" => format!(
            "{}  {:11}  {}  {}  for {} webhooks",
            text("accepted_at"),
            "event",
            text("type"),
            text("id"),
            text("webhooks")
        ),
        "attempt" => {
            let answer = if data["status_code"].is_null() { text("error") } else { text("status_code") };
            let head = format!("{}  {}", text("attempted_at"), screen.state(&text("state")));
            let next = match &data["next_attempt_at"] {
                Value::String(at) => format!("  again {}", screen.when(at)),
                _ => String::new(),
            };
            let (ms, number) = (text("response_time_ms"), text("attempt"));
            format!("{head}  {}  {}  try {number}: {answer}, {ms} ms{next}", text("event_type"), text("delivery_id"))
        }
        "dead" => format!(
            "{}  {}  {}  {}  {}",
            text("ended_at"),
            screen.state("dead"),
            text("event_type"),
            text("id"),
            text("error")
        ),
        kind => format!("{}  {}  {}", text("from"), screen.state(kind), data),
    };
    line + "\n"
}
