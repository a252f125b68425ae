//! Cases in words: what each is called, what it says of a receiver that fails it, and what to do then.

use super::case::Case;
use super::edit::FIELD;
use super::judge::{Finding, Verdict};
use super::kind::Kind;
use super::subject::Subject;
use crate::dialect::Dialect;
use crate::docs::{TOLERANCE_SECONDS, signature_in_words};

/// For machines; it stays what it is.
pub(super) fn name(kind: Kind, subject: &Subject) -> String {
    let word = match kind {
        Kind::Event(chosen) => return format!("event:{}", subject.events[chosen].name),
        Kind::EventsLeftOut(_) => "events_left_out",
        Kind::Challenge => "challenge",
        Kind::ForgedChallenge => "forged_challenge",
        Kind::Repeated => "repeated",
        Kind::UnknownField => "unknown_field",
        Kind::UnknownDataField => "unknown_data_field",
        Kind::ExactBytes => "exact_bytes",
        Kind::UnknownType => "unknown_type",
        Kind::UpperCase => "upper_case",
        Kind::Big => "big",
        Kind::FirstSignature => "first_signature",
        Kind::SecondSignature => "second_signature",
        Kind::OldSecret => "old_secret",
        Kind::InTime => "in_time",
        Kind::NoSignature => "no_signature",
        Kind::EmptySignature => "empty_signature",
        Kind::WrongSignature => "wrong_signature",
        Kind::CutSignature => "cut_signature",
        Kind::ChangedBody => "changed_body",
        Kind::OtherBody => "other_body",
        Kind::RespacedBody => "respaced_body",
        Kind::OldTime => "old_time",
        Kind::MovedTime => "moved_time",
        Kind::ChangedId => "changed_id",
        Kind::OtherUrl => "other_url",
    };
    word.into()
}

/// For people.
pub(super) fn title(kind: Kind, subject: &Subject) -> String {
    let dialect = subject.dialect();
    match kind {
        Kind::Event(chosen) => return subject.events[chosen].name.clone(),
        Kind::EventsLeftOut(count) => return format!("{count} more documented events"),
        Kind::InTime => return format!("answers within {} s", dialect.timeout_seconds),
        Kind::Big => {
            return dialect
                .limits
                .body_bytes_max
                .map_or("a big body".into(), |limit| format!("a body of {limit} bytes"));
        }
        Kind::Challenge => "the question whether it wants deliveries",
        Kind::ForgedChallenge => "the question, wrongly signed",
        Kind::Repeated => "the same delivery once more",
        Kind::UnknownField => "an undocumented field",
        Kind::UnknownDataField => "an undocumented field in the data",
        Kind::ExactBytes => "JSON that is spelled unusually",
        Kind::UnknownType => "an undocumented type",
        Kind::UpperCase => "names of headers in upper case",
        Kind::FirstSignature => "two signatures, the first one right",
        Kind::SecondSignature => "two signatures, the second one right",
        Kind::OldSecret => "signed with the old secret",
        Kind::NoSignature => "no signature",
        Kind::EmptySignature => "an empty signature",
        Kind::WrongSignature => "a wrong signature",
        Kind::CutSignature => "half of the right signature",
        Kind::ChangedBody => "a changed body",
        Kind::OtherBody => "the body of another event",
        Kind::RespacedBody => "the same JSON in other bytes",
        Kind::OldTime => "a request of an hour ago",
        Kind::MovedTime => "the same, its time made new",
        Kind::ChangedId => "another id than the signed one",
        Kind::OtherUrl => "signed for another URL",
    }
    .into()
}

impl Finding {
    /// What is wrong with the receiver, and what follows from that.
    pub fn meaning(&self) -> &'static str {
        match self.verdict {
            Verdict::Warned(_) => {
                "Nobody gets in, but it does not refuse: what anybody sends fills its log with errors, among which a true one \
                 is not seen."
            }
            _ => self.case.meaning(),
        }
    }

    /// What to do about it.
    pub fn remedy(&self, dialect: &Dialect) -> String {
        match self.verdict {
            Verdict::Warned(_) => {
                "Take whatever cannot be read or compared (a signature of another length, say) for a wrong one, and answer \
                 401."
                    .into()
            }
            _ => self.case.remedy(dialect),
        }
    }
}

impl Case {
    fn meaning(&self) -> &'static str {
        match self.kind {
            Kind::Event(_) | Kind::EventsLeftOut(_) => {
                "It does not take a genuine delivery, which is then tried again and again, ends as a dead letter, and may \
                 get the webhook disabled."
            }
            Kind::Challenge => {
                "It does not answer the question that comes before the first delivery, so its webhook stays unverified and \
                 gets nothing."
            }
            Kind::ForgedChallenge => {
                "It answers a question that the product did not ask, which the product looks for before it sends anything."
            }
            Kind::Repeated => {
                "It refuses what it had before, but deliveries come at least once: when an answer is lost, the same one comes \
                 until it is taken, and each refusal counts against the webhook."
            }
            Kind::UnknownField | Kind::UnknownDataField => {
                "It refuses a body over a field that it does not know, so on the day on which the contract gains one it \
                 refuses every delivery."
            }
            Kind::ExactBytes => {
                "It verifies what it has parsed and written again, not the bytes that came, so genuine deliveries fail \
                 wherever their sender writes spaces, numbers or letters another way."
            }
            Kind::UnknownType => {
                "It refuses a type that it does not know, so on the day on which there is a new one its deliveries pile up, \
                 and the webhook may be disabled."
            }
            Kind::UpperCase => {
                "It finds headers in one spelling only, but HTTP does not tell upper from lower case, so a proxy or gateway \
                 that spells them otherwise stops every delivery."
            }
            Kind::Big => "It refuses a body that the contract allows, so big events never arrive.",
            Kind::FirstSignature => {
                "It takes the whole header for one signature, or wants each to be right, so it refuses every delivery while \
                 a secret rotates."
            }
            Kind::SecondSignature => {
                "It looks at the first signature only, so while a secret rotates it refuses every delivery until it has the \
                 new one."
            }
            Kind::OldSecret => {
                "It does not take the old secret any more, so deliveries that were signed before the new one was in force \
                 everywhere are refused."
            }
            Kind::InTime => "It answers too late: what it took counts as failed, comes again, and is handled twice.",
            Kind::NoSignature => {
                "It takes requests without a signature: whoever knows its URL can send it events of their own making."
            }
            Kind::EmptySignature => {
                "It takes an empty signature, so whoever knows its URL can send it events of their own making."
            }
            Kind::WrongSignature => {
                "It does not look who has signed: whoever knows its URL can send it events of their own making."
            }
            Kind::CutSignature => {
                "It compares only as much of the signature as was sent, so an attacker need guess no more than its start."
            }
            Kind::ChangedBody | Kind::OtherBody => {
                "Its check does not cover the body, so whoever gets hold of one genuine request can put anything into it."
            }
            Kind::RespacedBody => {
                "It verifies what it has parsed, not the bytes that came: where two programs read one text differently (a \
                 name that is there twice), an attacker can change what is understood under a genuine signature."
            }
            Kind::OldTime => "It takes a request of any age, so whoever records one can send it again at any time.",
            Kind::MovedTime => {
                "The time that it checks is not the one that it verifies, so whoever records a request can make it new."
            }
            Kind::ChangedId => {
                "The id that it goes by is not the one that it verifies, so whoever records a request can send it again as \
                 another one, past any memory of ids."
            }
            Kind::OtherUrl => {
                "It does not hold the URL against the signature, so a request that was meant for another endpoint can be \
                 sent to this one."
            }
        }
    }

    fn remedy(&self, dialect: &Dialect) -> String {
        let minutes = TOLERANCE_SECONDS / 60;
        let success = Vec::<String>::from(dialect.success.clone()).join(" or ");
        let text = match self.kind {
            Kind::Event(_) | Kind::EventsLeftOut(_) => {
                return format!(
                    "Answer it with {success}, within {} s. {}",
                    dialect.timeout_seconds,
                    signature_in_words(dialect)
                );
            }
            Kind::Challenge => {
                return format!("Answer it as `hookwheel dialect docs {}` says under Ownership.", dialect.name);
            }
            Kind::ForgedChallenge => {
                let status = dialect.challenge.as_ref().and_then(|rule| rule.forged_status).unwrap_or(401);
                return format!("Verify questions as deliveries, and answer {status} where that fails.");
            }
            Kind::Repeated => {
                return format!(
                    "Remember the ids of what was handled; answer one that is known with {success}, and do no more."
                );
            }
            Kind::UnknownField | Kind::UnknownDataField => {
                return format!(
                    "Ignore fields that you do not know, such as {FIELD} here: no closed schema for what others send."
                );
            }
            Kind::UnknownType => {
                return format!("Answer a type that you have no use for with {success}, and do no more.");
            }
            Kind::InTime => "Verify, put it into a queue, and answer; do the work after that.",
            Kind::ExactBytes | Kind::RespacedBody => {
                "Take the body raw, before anything parses it (express.raw(), request.get_data(), Bytes), and verify that."
            }
            Kind::UpperCase => "Look headers up without regard to case.",
            Kind::Big => {
                "Raise the limit of your body parser, and of the proxy before it (express.raw({ limit }), \
                 MAX_CONTENT_LENGTH, DefaultBodyLimit, client_max_body_size)."
            }
            Kind::FirstSignature | Kind::SecondSignature => {
                let separators = dialect.signature.iter().filter_map(|rule| rule.several.clone());
                let separators: Vec<_> = separators.map(|text| format!("{text:?}")).collect();
                return format!(
                    "Split the header at {}, and take the request if any of the parts matches.",
                    separators.join(", ")
                );
            }
            Kind::OldSecret => {
                "Verify with each secret that is in force, the new one and the old one, until the overlap has ended."
            }
            Kind::NoSignature => "Answer 401 where the signature is missing, before you look at anything else.",
            Kind::EmptySignature | Kind::CutSignature => {
                "Compare the whole of the expected signature in constant time (crypto.timingSafeEqual, hmac.compare_digest, \
                 subtle), and take one of another length for a wrong one."
            }
            Kind::WrongSignature | Kind::ChangedBody | Kind::OtherBody | Kind::OtherUrl => {
                return format!("{} Answer 401 where that differs.", signature_in_words(dialect));
            }
            Kind::OldTime => {
                return format!("Refuse a request whose signed time is more than {minutes} minutes from yours.");
            }
            Kind::MovedTime => "Check the very time that you put into what you verify.",
            Kind::ChangedId => "Go by the very id that you put into what you verify.",
        };
        text.into()
    }
}
