//! One run of `hookwheel listen`: deliveries one after the other, in the order in which they come. What stays true: while the server is
//! away it is asked again and again; what it had handed out then comes again, and is no attempt.

use std::time::Duration;

use serde_json::{Value, json};
use similar::TextDiff;

use super::keys::{Key, Keys};
use super::local::{Answer, Local};
use super::taken::{Contract, Taken};
use crate::cli::again::Again;
use crate::cli::error::CliError;
use crate::cli::shown::{pretty, printable, write};
use crate::client::{self, Client};

/// How long a call waits at the server for something to come, in seconds.
const WAIT: &str = "20";
/// How long a lease is, in seconds: longer than the local URL may take for its head and its body, in its longest.
const LEASE: &str = "1260";
/// Deliveries that are kept to be compared.
const KEPT: usize = 2;

/// What is being listened with.
pub struct Session<'a> {
    /// The server, in the name of the account.
    pub client: &'a Client,
    /// The webhook that was made for this.
    pub webhook: String,
    /// What deliveries are held against.
    pub contract: Contract,
    /// Where they go; nowhere: they are shown.
    pub local: Option<Local>,
    /// Whether each is one line.
    pub is_quiet: bool,
    /// Whether bodies are shown as they came.
    pub is_raw: bool,
    /// After so many that went well it ends.
    pub count: Option<u64>,
    /// The last ones, the newest at the end.
    pub last: Vec<Taken>,
    /// Deliveries that went well.
    pub went_well: u64,
}

impl Session<'_> {
    /// Goes on until enough went well, or somebody ends it.
    pub async fn run(&mut self, keys: &mut Keys) -> Result<(), CliError> {
        // A wait is one call, which is not made again in silence.
        let patient = self.client.with_patience(Duration::ZERO);
        let query = [("limit", "1"), ("wait", WAIT), ("lease", LEASE)];
        let (leases, mut again) = (patient.webhooks_leases(), Again::new());
        loop {
            let asking = async { leases.pull(&self.webhook, &query).await };
            let Some(pulled) = self.pressed(keys, asking).await? else { return Ok(()) };
            match pulled {
                Ok(handed) => {
                    again.is_there(say)?;
                    for shown in handed.as_array().into_iter().flatten() {
                        if self.take(Taken::read(shown)?).await? {
                            return Ok(());
                        }
                    }
                }
                Err(error) => {
                    let Some(waited) = self.pressed(keys, again.wait(error, say)).await? else { return Ok(()) };
                    waited?;
                }
            }
        }
    }

    /// Hears keys until that is done. They do not end it: what was on its way would be lost with it. `None`: a key was the end.
    async fn pressed<T>(&self, keys: &mut Keys, doing: impl Future<Output = T>) -> Result<Option<T>, CliError> {
        tokio::pin!(doing);
        loop {
            tokio::select! {
                done = &mut doing => return Ok(Some(done)),
                key = keys.next() => {
                    if self.press(key).await? { return Ok(None) }
                }
            }
        }
    }

    /// Hands one on, and says what became of it. Whether that was enough.
    async fn take(&mut self, taken: Taken) -> Result<bool, CliError> {
        let answer = match &self.local {
            Some(local) => local.post(&taken).await,
            None => Answer { status: None, text: "shown".into(), is_success: true },
        };
        say(&self.shown(&taken, &answer))?;
        self.answer(&taken, &answer).await?;
        self.last.push(taken);
        if self.last.len() > KEPT {
            self.last.remove(0);
        }
        self.went_well += u64::from(answer.is_success);
        Ok(self.count.is_some_and(|count| self.went_well >= count))
    }

    /// Tells the server what became of one, again and again: what was said twice counts once.
    async fn answer(&self, taken: &Taken, answer: &Answer) -> Result<(), CliError> {
        let (leases, mut again) = (self.client.webhooks_leases(), Again::new());
        let told = told(&taken.lease, answer);
        loop {
            let said = match answer.is_success {
                true => leases.ack(&self.webhook, &told).await,
                false => leases.nack(&self.webhook, &told).await,
            };
            match said {
                Ok(_) => return again.is_there(say),
                Err(error) if code(&error) == Some("lease_lost") => {
                    return say("  the server was away meanwhile: it comes once more\n");
                }
                Err(error) => again.wait(error, say).await?,
            }
        }
    }

    /// Does what a key asks for. Whether that is the end.
    async fn press(&self, key: Key) -> Result<bool, CliError> {
        match (key, self.last.as_slice()) {
            (Key::Quit, _) => return Ok(true),
            (_, []) => say("nothing came yet\n")?,
            (Key::Replay, [.., last]) => match self.client.deliveries().replay(&self.webhook, &last.delivery).await {
                Ok(_) => say(&format!("replayed {}\n", last.delivery))?,
                Err(error) => say(&format!("not replayed: {error}\n"))?,
            },
            (Key::Diff, [before, last]) => say(&diff(before, last))?,
            (Key::Diff, _) => say("only one came yet\n")?,
        }
        Ok(false)
    }

    fn shown(&self, taken: &Taken, answer: &Answer) -> String {
        let again = if taken.attempt > 1 { format!(", attempt {}", taken.attempt) } else { String::new() };
        let verdict = self.contract.verdict(taken);
        let line = format!("{} {}{again}: {}", taken.event_type, taken.delivery, answer.line());
        if self.is_quiet {
            return printable(&format!("{line}, {verdict}\n"));
        }
        let mut shown = format!("{line}\n");
        for (name, value) in &taken.headers {
            shown.push_str(&format!("  {name}: {value}\n"));
        }
        let text = if self.is_raw { None } else { pretty(&taken.body) };
        let text = text.unwrap_or_else(|| String::from_utf8_lossy(&taken.body).into_owned());
        printable(&format!("{shown}  {verdict}\n{text}\n"))
    }
}

/// How the last differs from the one before: their headers and bodies, line by line.
fn diff(before: &Taken, last: &Taken) -> String {
    let text = |taken: &Taken| {
        let headers: String = taken.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let body = pretty(&taken.body).unwrap_or_else(|| String::from_utf8_lossy(&taken.body).into_owned());
        printable(&format!("{headers}\n{body}\n"))
    };
    let (before, last) = (text(before), text(last));
    TextDiff::from_lines(&before, &last)
        .unified_diff()
        .context_radius(1)
        .header("the one before", "the last")
        .to_string()
}

/// What is said of a delivery: the local answer as it came, or why there is none.
fn told(lease: &str, answer: &Answer) -> Value {
    let text = printable(&answer.text);
    match answer.status.filter(|status| (200..600).contains(status)) {
        Some(status) => json!({"leases": [lease], "status_code": status, "response_body": text}),
        None if answer.is_success => json!({"leases": [lease]}),
        None => json!({"leases": [lease], "reason": format!("the local URL: {}", text.replace('\n', " "))}),
    }
}

fn code(error: &client::Error) -> Option<&str> {
    match error {
        client::Error::Refused { code, .. } => Some(code),
        _ => None,
    }
}

fn say(text: &str) -> Result<(), CliError> {
    write(text).map_err(CliError::io("standard output"))
}
