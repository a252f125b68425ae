//! The one question before something is lost, and how far a job is. What stays true: a script is never waited for, it says
//! `--yes`.

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::outputs::{note, prompt};
use crate::cli::error::CliError;
use crate::client::Client;

/// Between two looks at a job.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long a look may be repeated, as over a restart; Ctrl-C is heard after it.
const PATIENCE: Duration = Duration::from_secs(10);
/// A longer answer is none.
const ANSWER_BYTES_MAX: u64 = 64;

/// Asks a person whether to do `what`, such as "Delete 3 webhooks". Without one, `yes` must have been said.
pub fn sure(what: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CliError::Usage(format!("{what}? Nobody is there to be asked: say --yes")));
    }
    prompt(format_args!("{what}? [y/N] "));
    let mut answer = String::new();
    let mut limited = io::Read::take(io::stdin().lock(), ANSWER_BYTES_MAX);
    limited.read_line(&mut answer).map_err(CliError::io("the terminal"))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Failed("nothing was done".into())),
    }
}

/// Waits until a job has ended, and gives it as it is then. Whoever ends the command ends the waiting, not the job: that is
/// said before, and then. `total`: how much there is to do, where that is known.
pub async fn job_ended(client: &Client, job: &Value, total: Option<u64>) -> Result<Value, CliError> {
    let id = job["id"].as_str().ok_or_else(|| CliError::Failed("the server's answer names no job".into()))?;
    let (bar, client) = (progress(total), client.with_patience(PATIENCE));
    let mut interrupted = std::pin::pin!(actix_rt::signal::ctrl_c());
    note(format_args!("hookwheel: the job {id} runs on the server"));
    loop {
        let now = client.jobs().get(id).await?;
        bar.set_position(now["done"].as_u64().unwrap_or(0));
        if now["state"] != "running" {
            bar.finish_and_clear();
            return Ok(now);
        }
        tokio::select! {
            () = actix_rt::time::sleep(LOOK_AGAIN) => (),
            _ = &mut interrupted => {
                bar.abandon();
                return Err(CliError::Interrupted(format!(
                    "the job goes on; `hookwheel jobs show {id}` tells how far it is, `hookwheel jobs cancel {id}` stops it"
                )));
            }
        }
    }
}

/// Whether a job has done what it was to do, or still does it.
pub fn goes_well(job: &Value) -> Result<(), CliError> {
    match job["state"] == "cancelled" {
        true => {
            Err(CliError::Failed("the job was stopped before its end: what it had not come to is as it was".into()))
        }
        false => Ok(()),
    }
}

/// On standard error, and only if a person sees it.
fn progress(total: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, style) = match total {
        Some(total) => (ProgressBar::new(total), "{bar:40} {pos} of {len} · {per_sec} · {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {pos} · {per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(style).expect("it is one"))
}
