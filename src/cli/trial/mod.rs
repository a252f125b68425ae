//! `hookwheel dialect test`: the test suite of somebody's receiver. What stays true: it needs no server; requests are made by
//! what makes deliveries, one after the other, each with the contract's deadline; and a receiver that answers nothing any
//! more is not waited for again and again.

mod junit;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::contract::{dialect, secret};
use super::error::CliError;
use crate::clock::{Clock, Dice};
use crate::config::Config;
use crate::dialect::Dialect;
use crate::domain::delivery::Outcome;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::probe::{Probe, Probed};
use crate::domain::secret::Secret;
use crate::domain::webhook::EventFilter;
use crate::trial::{Finding, Given, Kind, Subject, Verdict, cases, in_time, judge};
use report::{Form, Report};

/// Requests in a row without an answer, after which the others are not sent.
const SILENT_MAX: usize = 3;

/// The arguments of `hookwheel dialect test`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  hookwheel dialect test taskflow --endpoint http://localhost:3000/hook --secret a-long-secret
  hookwheel dialect test dialects/own.toml --endpoint http://localhost:3000/hook --secret @secret.txt --junit found.xml")]
#[command(after_help = "\
The receiver gets sample events, signed as real ones: let it be one that nobody depends on. Ends with 0 if all is as it
should be, with 1 if the receiver fails, with 2 if it could not be tested.")]
pub struct TrialArgs {
    /// A dialect file, or the name of a dialect that there is
    #[arg(value_name = "FILE")]
    file: String,
    /// Where the receiver listens: http:// and this machine are allowed here
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    endpoint: EndpointUrl,
    /// The secret that the receiver verifies with, or @FILE; of a key pair, the private key
    #[arg(long, env = "HOOKWHEEL_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Option<Secret>,
    /// The secret that it takes as well while its secret rotates, or @FILE
    #[arg(long, value_name = "SECRET", env = "HOOKWHEEL_OLD_SECRET", hide_env_values = true, value_parser = secret)]
    old_secret: Option<Secret>,
    /// The documented events to send, such as task.created or task.* [default: all, up to 100]
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = filter)]
    events: Vec<EventFilter>,
    /// Print JSON: an object a line for each case
    #[arg(long)]
    json: bool,
    /// Write the findings to FILE as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Tests the receiver, and fails with a verdict if it is not right.
pub async fn run(args: TrialArgs, config: &Config) -> Result<(), CliError> {
    let dialect = contract(&args.file, &config.deliver.dialects)?;
    let TrialArgs { endpoint, secret, old_secret, events, .. } = args;
    let clock = Clock::real();
    let given = Given { dialect, endpoint: endpoint.clone(), secret, old_secret, events };
    let subject = Subject::new(given, clock.wall(), &mut Dice::from_system()).map_err(CliError::Failed)?;
    let requests = crate::requests(config).map_err(|error| CliError::Failed(error.to_string()))?;
    let form = if args.json { Form::Json } else { Form::Table };
    let mut report = Report::new(form, &subject, &endpoint);
    let findings = findings(&subject, &clock, async |probe| requests.probe(probe).await, &mut report).await?;
    report.end(&findings)?;
    if let Some(path) = &args.junit {
        let shown = path.display().to_string();
        std::fs::write(path, junit::write(&subject, &findings)?).map_err(CliError::io(shown))?;
    }
    let asked = findings.iter().filter(|one| !matches!(one.verdict, Verdict::NotApplicable(_))).count();
    match findings.iter().filter(|one| one.has_failed()).count() {
        0 => Ok(()),
        failed => Err(CliError::Verdict(format!("the receiver fails {failed} of {asked} cases"))),
    }
}

/// Sends one case after the other.
async fn findings(
    subject: &Subject,
    clock: &Clock,
    ask: impl AsyncFn(Probe) -> Probed,
    report: &mut Report<'_>,
) -> Result<Vec<Finding>, CliError> {
    let (mut findings, mut silent) = (Vec::new(), 0);
    for case in cases(subject) {
        let finding = match subject.request(&case, clock.wall()) {
            _ if case.kind == Kind::InTime => in_time(case, subject.dialect().timeout_seconds, &findings),
            None => {
                let why = case.not_applicable.clone().unwrap_or_else(|| "it cannot be made of the sample".into());
                Finding::unsent(case, Verdict::NotApplicable(why))
            }
            Some(_) if silent == SILENT_MAX => {
                let why = format!("{SILENT_MAX} requests before were not answered");
                Finding::unsent(case, Verdict::NotSent(why))
            }
            Some(sent) => {
                let probed = ask(sent.probe).await;
                if is_away(&probed.outcome) && findings.iter().all(|one: &Finding| one.duration_ms.is_none()) {
                    return Err(CliError::Failed(format!("there is no receiver to test: {}", probed.outcome)));
                }
                silent = if probed.outcome.status().is_some() { 0 } else { silent + 1 };
                let (verdict, status) = (judge(&sent.must, &probed), probed.outcome.status());
                Finding { case, verdict, status, duration_ms: Some(probed.duration_ms) }
            }
        };
        report.tell(&finding)?;
        findings.push(finding);
    }
    Ok(findings)
}

/// Whether nobody is there.
pub(super) fn is_away(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Dns(_) | Outcome::Connect(_) | Outcome::Tls(_) | Outcome::Refused(_) | Outcome::Unsendable(_)
    )
}

/// A file's contract; else that of this name.
pub(super) fn contract(file: &str, dir: &Path) -> Result<Arc<Dialect>, CliError> {
    let is_file = file.ends_with(".toml") || file.contains('/') || Path::new(file).is_file();
    if !is_file {
        return dialect(file, dir);
    }
    let text = std::fs::read_to_string(file).map_err(CliError::io(file))?;
    Dialect::parse(file, &text).map(Arc::new).map_err(|error| CliError::Failed(error.to_string()))
}

/// A receiver's URL: http:// and this machine are allowed.
pub(super) fn endpoint(text: &str) -> Result<EndpointUrl, String> {
    EndpointUrl::parse(text, true).map_err(|wrong| wrong.message)
}

/// Which of the documented events are meant.
pub(super) fn filter(text: &str) -> Result<EventFilter, String> {
    EventFilter::parse(text).map_err(|wrong| wrong.message)
}
