//! A hostile hour: five accounts that each do another row every minute, all at once, beside the one that is well; each
//! second a line of figures, in the end a plot. What stays true: who does what follows from a seed that is printed, and
//! what was seen until then is drawn however it ends.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_rt::time::{interval, sleep, timeout};
use futures_util::future::try_join_all;

use super::acts::{self, Act, Place};
use super::beside::Beside;
use super::healthy::{Healthy, RATE};
use super::plot;
use super::rows::HOUR;
use super::sample::{HEAD, Sample, summary};
use super::servers::{self, PATIENCE};
use crate::cli::bench::args::BenchArgs;
use crate::cli::bench::latency::Latency;
use crate::cli::bench::own::OwnServer;
use crate::cli::bench::process::Watched;
use crate::cli::bench::produce::{Bounds, Watch};
use crate::cli::bench::receive::Receiver;
use crate::cli::bench::report::{self, mib};
use crate::cli::error::CliError;
use crate::cli::terminal::note;
use crate::clock::{Dice, Stopwatch};

const SECONDS: u64 = 3600;
const NEIGHBOURS: usize = 5;
/// How long an act goes on, at least and at most, in seconds.
const ACT_SECONDS: (f64, f64) = (30.0, 90.0);
/// In a short hour an act takes this part of it at most.
const ACT_PART: f64 = 0.2;
/// Between two posts of the largest events or batches: an hour of them fits on a disk.
const PAUSE: Duration = Duration::from_secs(5);
/// After something failed, such as webhooks that could not be made.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// What is kept: an hour of the largest events would fill a disk.
const KEPT: (&str, &str) = ("HOOKWHEEL__RETENTION__BYTES_MAX", "1073741824");
/// What each neighbour does at present.
type Doing = Arc<Mutex<[&'static str; NEIGHBOURS]>>;

/// Lets it happen, and writes what was seen.
pub async fn run(args: &BenchArgs, clock: Stopwatch) -> Result<(), CliError> {
    servers::raise_descriptors();
    let seed = args.seed.unwrap_or_else(|| Dice::from_system().bits() >> 32);
    let time = Duration::from_secs(args.seconds.unwrap_or(SECONDS));
    note(format_args!("hookwheel: a hostile hour of {} s, --seed {seed}", time.as_secs()));
    let own = servers::start(args, &[KEPT]).await?;
    let mut healthy = Healthy::start(&own, clock).await?;
    let names: Vec<String> = (0..NEIGHBOURS).map(|number| format!("neighbour-{number}")).collect();
    acts::accounts(&own.server.client()?, &names).await?;
    let sick = Receiver::start(clock)?;
    let doing = Doing::default();
    let (place, now) =
        (Place { server: own.server.clone(), port: sick.port(), accounts: names, pause: PAUSE }, doing.clone());
    let beside = Beside::start(move || neighbours(place, seed, time, now))?;

    let mut seen = Seen::new(&own, &doing, healthy.load.watch(), args.csv.as_deref())?;
    let ended = tokio::select! {
        posted = healthy.load.post(Bounds::time(time), Some(RATE)) => posted.map(drop),
        error = seen.go_on(&healthy.receiver) => Err(error),
        () = sleep(time + PATIENCE) => Err(CliError::Failed("a post of the healthy account had no answer".into())),
    };
    let samples = seen.samples;
    if let Some(path) = &args.plot {
        let title = format!(
            "{} s, seed {seed}: one account at {RATE} events/s beside {NEIGHBOURS} hostile ones",
            time.as_secs()
        );
        std::fs::write(path, plot::svg(&title, &samples)).map_err(CliError::io(path.display().to_string()))?;
    }
    ended.and(beside.end())?;
    report::print(&summary(&samples))
}

/// All neighbours, until this is dropped.
async fn neighbours(place: Place, seed: u64, time: Duration, doing: Doing) -> Result<(), CliError> {
    let mut dice = Dice::seeded(seed);
    let each = place.accounts.iter().enumerate().map(|(number, account)| {
        let place = Place { accounts: vec![account.clone()], ..place.clone() };
        neighbour(place, number, Dice::seeded(dice.bits()), time, doing.clone())
    });
    // What dice decide does not depend on who begins first.
    let each: Vec<_> = each.collect();
    try_join_all(each).await.map(drop)
}

/// One account: an act, and another, and another.
async fn neighbour(place: Place, number: usize, mut dice: Dice, time: Duration, doing: Doing) -> Result<(), CliError> {
    loop {
        let (name, act) = HOUR[(dice.bits() % HOUR.len() as u64) as usize];
        let (least, most) = ACT_SECONDS;
        let seconds = (least + dice.fraction() * (most - least)).min(time.as_secs_f64() * ACT_PART);
        doing.lock().expect("not poisoned")[number] = name;
        if let Err(error) = play(act, &place, Duration::from_secs_f64(seconds)).await {
            // It is hostile, so it may well be refused; the next act follows.
            note(format_args!("hookwheel: neighbour {number}, {name}: {error}"));
            sleep(FAILED_PAUSE).await;
        }
    }
}

/// One act for so long, and away with what it made.
async fn play(act: Act, place: &Place, time: Duration) -> Result<(), CliError> {
    let made = act.prepare(place).await;
    if let Ok(made) = &made {
        // An error means that its time is over.
        let _ = timeout(time, act.go_on(place, made)).await;
    }
    acts::take_away(place).await?;
    made.map(drop)
}

/// Looks once a second, and keeps what it saw.
struct Seen<'a> {
    own: &'a OwnServer,
    process: Watched,
    posts: Watch,
    doing: &'a Doing,
    csv: Option<File>,
    begun: Stopwatch,
    samples: Vec<Sample>,
}

impl<'a> Seen<'a> {
    fn new(own: &'a OwnServer, doing: &'a Doing, posts: Watch, csv: Option<&Path>) -> Result<Self, CliError> {
        let csv = match csv {
            Some(path) => Some(File::create(path).map_err(CliError::io(path.display().to_string()))?),
            None => None,
        };
        let process = Watched::new(own.pid());
        let mut seen = Self { own, process, posts, doing, csv, begun: Stopwatch::start(), samples: Vec::new() };
        seen.write(HEAD)?;
        Ok(seen)
    }

    /// Goes on until it is dropped, or says why it cannot.
    async fn go_on(&mut self, receiver: &Receiver) -> CliError {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            if let Err(error) = self.look(receiver) {
                return error;
            }
        }
    }

    fn look(&mut self, receiver: &Receiver) -> Result<(), CliError> {
        // What arrives in between has been sent.
        let (arrived, delivery) = receiver.lately();
        let (sent, publish) = self.posts.lately();
        let of = |micros| {
            let Latency { p50, p99, .. } = Latency::of(micros);
            (!micros.is_empty()).then_some([p50, p99])
        };
        let sample = Sample {
            seconds: self.begun.elapsed().as_secs_f64(),
            publish_ms: of(&publish),
            delivery_ms: of(&delivery),
            sent,
            undelivered: sent.saturating_sub(arrived),
            rss_mib: mib(self.process.memory_bytes()?),
            descriptors: self.process.descriptors()?,
            disk_mib: mib(self.own.data_bytes()?),
            neighbours: self.doing.lock().expect("not poisoned").join("+"),
        };
        self.write(&sample.line())?;
        self.samples.push(sample);
        Ok(())
    }

    fn write(&mut self, line: &str) -> Result<(), CliError> {
        match &mut self.csv {
            Some(file) => writeln!(file, "{line}").map_err(CliError::io("the figures cannot be written")),
            None => Ok(()),
        }
    }
}
