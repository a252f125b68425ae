//! `hookwheel mock`: plays a product for whoever writes a receiver. What stays true: it needs no server; requests are made by what
//! makes deliveries, one after the other; and it ends with 1 if a right request was not taken or a forged one was.

mod report;

use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::contract::secret;
use super::error::CliError;
use super::trial::{contract, endpoint, filter, is_away};
use crate::clock::{Clock, Dice};
use crate::config::Config;
use crate::dialect::Dialect;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::probe::{Probe, Probed};
use crate::domain::rate_limit::{REQUESTS_MAX, RateLimit};
use crate::domain::secret::Secret;
use crate::domain::time::UnixMs;
use crate::domain::webhook::EventFilter;
use crate::trial::{Given, Kind, Move, Odds, Player, Rules, Subject, Verdict, cases, judge};
use report::{Form, Report};

/// When events that a seed made up happened, at the earliest: 2026-01-01.
const SEEDED_FROM: UnixMs = 1_767_225_600_000;
/// Over so many seconds, a year, those days are spread.
const SEEDED_SECONDS: u64 = 365 * 24 * 60 * 60;

/// The arguments of `hookwheel mock`.
#[derive(Debug, Args)]
#[command(after_help = "\
No server and no key are needed. Each documented type comes in its turn, its sample with ids and times of its own. Ends with 0
if each request was taken and each forged one refused, with 1 if not.")]
pub struct MockArgs {
    /// Whom to play: the name of a dialect that there is, or a dialect file
    #[arg(value_name = "DIALECT")]
    dialect: String,
    /// Where the receiver listens: http:// and this machine are allowed here
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    to: EndpointUrl,
    /// What it verifies with, or @FILE; of a key pair, the private key [default: one is made and shown]
    #[arg(long, env = "HOOKWHEEL_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Option<Secret>,
    /// The documented events to send, such as task.created or task.* [default: all, up to 100]
    #[arg(long, alias = "types", value_name = "PATTERN", value_delimiter = ',', value_parser = filter)]
    events: Vec<EventFilter>,
    /// End after N events [default: it goes on until it is stopped]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How many at most: so many a second (/s) or a minute (/min)
    #[arg(long, value_name = "N/s", default_value = "1/s", value_parser = rate)]
    rate: RateLimit,
    /// The same events again with the same number: their ids, times, order and what goes wrong; and the same secret
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Try again what fails, by the contract's schedule, so many times as fast [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    retry_speed: Option<u32>,
    /// So many deliveries come twice
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    duplicates: f64,
    /// So many events come behind the one that happened after them
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    out_of_order: f64,
    /// So many are signed by somebody else, to see that they are refused
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    bad_signature: f64,
    /// Begin without the question that the contract asks a new endpoint
    #[arg(long)]
    no_challenge: bool,
    /// Print JSON: an object a line for each request
    #[arg(long, conflicts_with_all = ["raw", "quiet"])]
    json: bool,
    /// Show bodies as they are sent instead of indented
    #[arg(long)]
    raw: bool,
    /// Show one line a request
    #[arg(long)]
    quiet: bool,
}

/// Plays until all is sent or somebody ends it, and fails with a verdict if the receiver is not right.
pub async fn run(args: MockArgs, config: &Config) -> Result<(), CliError> {
    let ends = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [mut terminated, mut interrupted] = ends.map(|end| end.expect("signals can be listened for"));
    let dialect = contract(&args.dialect, &config.deliver.dialects)?;
    if args.bad_signature > 0.0 && dialect.signature.is_empty() {
        return Err(CliError::Usage(format!("--bad-signature: {} does not sign", dialect.name)));
    }
    let clock = Clock::real();
    let mut dice = args.seed.map_or_else(Dice::from_system, Dice::seeded);
    // Also where it is given, so that a seed means the same with the secret that it made.
    let mut random = [0; 32];
    dice.fill(&mut random);
    let made = args.secret.is_none().then(|| made_secret(&dialect, &random)).transpose()?.flatten();
    let starts = args.seed.map(|_| SEEDED_FROM + dice.bits() % SEEDED_SECONDS * 1000);
    let form = if args.json {
        Form::Json
    } else if args.quiet {
        Form::Line
    } else {
        Form::Whole { raw: args.raw }
    };
    let odds = Odds { duplicates: args.duplicates, late: args.out_of_order, forged: args.bad_signature };
    let (rate, retry_speed, count) = (args.rate, args.retry_speed, args.count);
    let given = Given {
        dialect,
        endpoint: args.to.clone(),
        secret: args.secret.or_else(|| made.clone()),
        old_secret: None,
        events: args.events,
    };
    let subject = Subject::new(given, starts.unwrap_or_else(|| clock.wall()), &mut dice).map_err(CliError::Failed)?;
    let requests = crate::requests(config).map_err(|error| CliError::Failed(error.to_string()))?;
    let ask = async |probe| requests.probe(probe).await;
    let mut report = Report::new(form, subject.dialect());
    report.greet(&args.to, rate, made.as_ref())?;
    let playing = async {
        if !args.no_challenge {
            question(&subject, &clock, &ask, &mut report).await?;
        }
        let rules = Rules { odds, rate, retry_speed, count, starts };
        play(Player::new(&subject, rules, dice), &clock, &ask, &mut report).await
    };
    tokio::select! {
        ended = playing => ended?,
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    report.end()
}

/// Asks what the contract asks a new endpoint.
async fn question(
    subject: &Subject,
    clock: &Clock,
    ask: &impl AsyncFn(Probe) -> Probed,
    report: &mut Report<'_>,
) -> Result<(), CliError> {
    let asked = cases(subject).into_iter().filter(|case| matches!(case.kind, Kind::Challenge | Kind::ForgedChallenge));
    for case in asked {
        let Some(sent) = subject.request(&case, clock.wall()) else { continue };
        let probed = ask(sent.probe).await;
        there(&probed)?;
        if let Verdict::Failed(why) | Verdict::Warned(why) = judge(&sent.must, &probed) {
            return Err(CliError::Verdict(format!("{}: {why}; --no-challenge goes on without it", case.title)));
        }
        report.asked(&case.title, &probed)?;
    }
    Ok(())
}

/// Sends one after the other.
async fn play(
    mut player: Player<'_>,
    clock: &Clock,
    ask: &impl AsyncFn(Probe) -> Probed,
    report: &mut Report<'_>,
) -> Result<(), CliError> {
    loop {
        match player.next(clock.now()) {
            Move::End => return Ok(()),
            Move::Wait(until) => {
                let wait = Duration::from_millis(until.saturating_sub(clock.now()));
                actix_rt::time::sleep(wait).await;
            }
            Move::Send(play) => {
                let probe = player.request(&play, clock.wall());
                let probed = ask(probe.clone()).await;
                if report.is_first() {
                    there(&probed)?;
                }
                let now = clock.now();
                let score = player.ended((*play).clone(), probed.outcome.status(), now);
                report.tell(&play, &probe, &probed, (score, now))?;
            }
        }
    }
}

/// Fails where nobody listens, which is no fault of a receiver.
fn there(probed: &Probed) -> Result<(), CliError> {
    match is_away(&probed.outcome) {
        true => Err(CliError::Failed(format!("there is no receiver to play for: {}", probed.outcome))),
        false => Ok(()),
    }
}

/// A secret for a contract that signs; none for one that does not.
fn made_secret(dialect: &Dialect, random: &[u8; 32]) -> Result<Option<Secret>, CliError> {
    if dialect.signature.is_empty() {
        return Ok(None);
    }
    let why = || CliError::Usage(format!("--secret is needed: keys of {} are not made here", dialect.name));
    dialect.generate_secret(random).ok_or_else(why).map(Some)
}

fn rate(text: &str) -> Result<RateLimit, String> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let number = number.trim().parse().ok().filter(|n| (1..=REQUESTS_MAX).contains(n));
    let form = || format!("must be such as 2/s or 30/min, of 1 to {REQUESTS_MAX}");
    let number = number.ok_or_else(form)?;
    let (per_second, per_minute) = match unit.trim() {
        "s" => (Some(number), None),
        "min" => (None, Some(number)),
        _ => return Err(form()),
    };
    Ok(RateLimit { per_second, per_minute, burst: 1 })
}

/// A share of all, from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
    let percent = number.filter(|percent| (0.0..=100.0).contains(percent));
    percent.map(|percent| percent / 100.0).ok_or_else(|| "must be 0% to 100%, such as 5%".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares_are_read_as_people_write_them() {
        let read = |text: &str| rate(text).map(|limit| limit.refill());
        assert_eq!(read("2/s"), Ok((2, 1000)));
        assert_eq!(read("3"), Ok((3, 1000)));
        assert_eq!(read("30/min"), Ok((30, 60_000)));
        for wrong in ["0/s", "x", "2/h", "10001/s", "", "-1"] {
            assert!(read(wrong).is_err_and(|why| why.contains("2/s or 30/min")), "{wrong}");
        }
        assert_eq!((share("5%"), share("0.5"), share("100 %")), (Ok(0.05), Ok(0.005), Ok(1.0)));
        for wrong in ["101%", "-1%", "NaN", "x"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
