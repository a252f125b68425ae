//! What follows from an answer. What stays true: only what a contract counts as success is a taking, and only 4xx a clean
//! refusal; a refusal by an error or by silence is told, but does not fail the receiver.

use super::case::Case;
use super::kind::Expect;
use crate::dialect::Challenge;
use crate::domain::delivery::Outcome;
use crate::domain::probe::Probed;
use crate::domain::retry::SuccessRule;

/// How a request must be answered.
#[derive(Debug, Clone)]
pub enum Must {
    /// With a success.
    Take(SuccessRule),
    /// With none.
    Refuse(SuccessRule),
    /// With a success, and with what was asked for.
    Prove(SuccessRule, Box<Challenge>),
    /// With this status.
    Answer(u16),
}

/// What is held of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Passed,
    /// Right in the end, but not as it should be.
    Warned(String),
    /// Wrong.
    Failed(String),
    /// There is no such case.
    NotApplicable(String),
    /// There was no point in it.
    NotSent(String),
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The case.
    pub case: Case,
    /// What is held of it.
    pub verdict: Verdict,
    /// What the receiver answered, if it did.
    pub status: Option<u16>,
    /// How long it took, if it was asked.
    pub duration_ms: Option<u32>,
}

impl Finding {
    /// Of a case that was not sent.
    pub fn unsent(case: Case, verdict: Verdict) -> Self {
        Self { case, verdict, status: None, duration_ms: None }
    }

    /// Whether the receiver is at fault.
    pub fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_) | Verdict::NotSent(_))
    }
}

/// Judges an answer.
pub fn judge(must: &Must, probed: &Probed) -> Verdict {
    match (must, &probed.outcome) {
        (Must::Take(success), Outcome::Status(status)) if success.accepts(*status) => Verdict::Passed,
        (Must::Prove(success, asked), Outcome::Status(status)) if success.accepts(*status) => {
            asked.check(&probed.answer).map_or_else(Verdict::Failed, |()| Verdict::Passed)
        }
        (Must::Answer(wanted), Outcome::Status(status)) if wanted == status => Verdict::Passed,
        (Must::Refuse(success), Outcome::Status(status)) => refused(success, *status),
        (Must::Answer(wanted), other) => Verdict::Failed(format!("must be answered {wanted}, but {other}")),
        (Must::Refuse(_), silent) => Verdict::Warned(format!("not taken, but not refused either: {silent}")),
        (_, Outcome::Status(status @ 300..=399)) => {
            Verdict::Failed(format!("answered {status}: redirects are not followed"))
        }
        (_, Outcome::Status(status)) => Verdict::Failed(format!("answered {status}")),
        (_, silent) => Verdict::Failed(silent.to_string()),
    }
}

fn refused(success: &SuccessRule, status: u16) -> Verdict {
    match status {
        taken if success.accepts(taken) => Verdict::Failed(format!("answered {taken}, so it was taken")),
        429 => Verdict::Warned("answered 429, which tells nothing: so many requests are too many for it".into()),
        400..=499 => Verdict::Passed,
        500.. => Verdict::Warned(format!("answered {status}: it broke over what it should refuse with 401")),
        other => Verdict::Warned(format!("answered {other}: a refusal is 401, or another 4xx")),
    }
}

/// Whether all answers came in time.
pub fn in_time(case: Case, timeout_seconds: u32, findings: &[Finding]) -> Finding {
    let taken = |finding: &&Finding| finding.case.kind.expect() == Expect::Taken;
    let asked = || findings.iter().filter(taken).filter(|finding| finding.duration_ms.is_some());
    let slowest = asked().max_by_key(|finding| finding.duration_ms);
    let duration_ms = slowest.and_then(|finding| finding.duration_ms);
    let limit_ms = timeout_seconds.saturating_mul(1000);
    let verdict = match slowest {
        Some(slowest) if slowest.status.is_none() && duration_ms >= Some(limit_ms) => {
            Verdict::Failed(format!("no answer within {timeout_seconds} s: {}", slowest.case.title))
        }
        _ => Verdict::Passed,
    };
    Finding { case, verdict, status: None, duration_ms }
}
