//! What was sent and what came of it, for people and for programs. What stays true: a secret that the contract sends as it is
//! is not shown, nor does anything that a receiver answers steer the terminal.

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::shown::{pretty, printable, write};
use crate::cli::terminal::note;
use crate::dialect::Dialect;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::probe::{Probe, Probed};
use crate::domain::rate_limit::RateLimit;
use crate::domain::secret::Secret;
use crate::domain::time::UnixMs;
use crate::trial::{Play, Score, Trick};

/// How requests are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An object a line, for programs.
    Json,
    /// One line.
    Line,
    /// Headers and body too.
    Whole {
        /// Whether the body is shown as it is sent.
        raw: bool,
    },
}

/// What has been told.
pub struct Report<'d> {
    form: Form,
    dialect: &'d Dialect,
    sent: u64,
    not_taken: u64,
    fooled: u64,
}

impl<'d> Report<'d> {
    /// Nothing yet.
    pub fn new(form: Form, dialect: &'d Dialect) -> Self {
        Self { form, dialect, sent: 0, not_taken: 0, fooled: 0 }
    }

    /// Whether nothing was sent yet.
    pub fn is_first(&self) -> bool {
        self.sent == 0
    }

    /// Says who plays where, and the secret if it was made up for this: a program reads it on standard error.
    pub fn greet(&self, to: &EndpointUrl, rate: RateLimit, made: Option<&Secret>) -> Result<(), CliError> {
        let (number, period_ms) = rate.refill();
        let period = if period_ms == 1000 { "s" } else { "min" };
        let mut told = format!("playing {} to {}, {number}/{period}\n", self.dialect.title, to.as_str());
        if let Some(secret) = made {
            told += &match self.dialect.public_key(secret) {
                Some(public) => format!("its public key, made for this: {public}\n"),
                None => format!("its secret, made for this: {}\n", secret.reveal()),
            };
        }
        match self.form {
            Form::Json => {
                note(printable(&told).trim_end());
                Ok(())
            }
            _ => say(&told),
        }
    }

    /// Says that a question was answered as it should be.
    pub fn asked(&self, title: &str, probed: &Probed) -> Result<(), CliError> {
        match self.form {
            Form::Json => Ok(()),
            _ => say(&format!("{title}: answered {}\n", answer(probed))),
        }
    }

    /// Says what was sent and, as of a time, what came of it.
    pub fn tell(
        &mut self,
        play: &Play,
        probe: &Probe,
        probed: &Probed,
        (score, now): (Score, UnixMs),
    ) -> Result<(), CliError> {
        self.sent += 1;
        self.not_taken += u64::from(score == Score::NotTaken);
        self.fooled += u64::from(score == Score::Fooled);
        match self.form {
            Form::Json => say(&format!("{}\n", self.object(play, probed, (score, now)))),
            Form::Line => say(&self.line(play, probed, (score, now))),
            Form::Whole { raw } => {
                let mut shown = self.line(play, probed, (score, now));
                for (name, value) in &probe.headers {
                    let is_secret = self
                        .dialect
                        .header_keys()
                        .any(|key| key.spelled.eq_ignore_ascii_case(name) && self.dialect.shows_secret(&key.name));
                    shown += &format!("  {name}: {}\n", if is_secret { "…" } else { value });
                }
                let text = if raw { None } else { pretty(&probe.body) };
                shown += &text.unwrap_or_else(|| String::from_utf8_lossy(&probe.body).into_owned());
                say(&(shown + "\n"))
            }
        }
    }

    /// Counts, and fails if the receiver is not right.
    pub fn end(&self) -> Result<(), CliError> {
        let Self { sent, not_taken, fooled, .. } = self;
        let mut wrong = Vec::new();
        if *not_taken > 0 {
            wrong.push(format!("{not_taken} of {sent} requests were not taken"));
        }
        if *fooled > 0 {
            wrong.push(format!("{fooled} with a wrong signature were taken"));
        }
        match wrong.is_empty() {
            true if self.form == Form::Json => Ok(()),
            true => {
                let requests = if *sent == 1 { "1 request".into() } else { format!("{sent} requests") };
                say(&format!("{requests}, each answered as it should be\n"))
            }
            false => Err(CliError::Verdict(wrong.join(", "))),
        }
    }

    fn line(&self, play: &Play, probed: &Probed, (score, now): (Score, UnixMs)) -> String {
        let trick = match play.trick {
            Trick::None => "",
            Trick::Duplicate => ", once more",
            Trick::Late => ", late",
            Trick::Forged => ", wrongly signed",
        };
        let again = if play.attempt > 1 { format!(", attempt {}", play.attempt) } else { String::new() };
        let came = match score {
            Score::Taken => String::new(),
            Score::Again(due) => format!(", again in {:.1} s", due.saturating_sub(now) as f64 / 1000.0),
            Score::NotTaken => ", NOT taken".into(),
            Score::Refused => ", refused as it should be".into(),
            Score::Fooled => ", TAKEN although its signature is wrong".into(),
        };
        let (number, id) = (self.sent, self.dialect.event_id(&play.event));
        let answer = answer(probed);
        format!("{number}: {} {id}{trick}{again} answered {answer}{came}\n", play.event.event_type)
    }

    fn object(&self, play: &Play, probed: &Probed, (score, now): (Score, UnixMs)) -> serde_json::Value {
        let trick = match play.trick {
            Trick::None => None,
            Trick::Duplicate => Some("duplicate"),
            Trick::Late => Some("out_of_order"),
            Trick::Forged => Some("bad_signature"),
        };
        let (result, again_ms) = match score {
            Score::Taken => ("taken", None),
            Score::Again(due) => ("again", Some(due.saturating_sub(now))),
            Score::NotTaken => ("not_taken", None),
            Score::Refused => ("refused", None),
            Score::Fooled => ("wrongly_taken", None),
        };
        let status = probed.outcome.status();
        json!({
            "number": self.sent,
            "event": self.dialect.event_id(&play.event),
            "type": play.event.event_type,
            "attempt": play.attempt,
            "trick": trick,
            "status": status,
            "error": status.is_none().then(|| probed.outcome.to_string()),
            "duration_ms": probed.duration_ms,
            "result": result,
            "again_in_ms": again_ms,
        })
    }
}

/// The status and how long it took; else why there was none.
fn answer(probed: &Probed) -> String {
    match probed.outcome.status() {
        Some(status) => format!("{status} in {} ms", probed.duration_ms),
        None => format!("nothing: {}", probed.outcome),
    }
}

fn say(text: &str) -> Result<(), CliError> {
    write(&printable(text)).map_err(CliError::io("standard output"))
}
