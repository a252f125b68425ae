//! The ownership check: before an endpoint gets deliveries it is asked a question that only somebody who wants them
//! answers. A dialect states the question and the answer, each as an envelope; `{challenge}` stands for random text and, in
//! the answer, `{signature}` for its signature. What stays true: no rule is taken that any answer would fulfil.

use actix_web::http::header::{HeaderName, HeaderValue, USER_AGENT};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer};
use serde_json::{Value, json};

use super::Dialect;
use super::encoding::Encoding;
use super::envelope::{Envelope, EnvelopeAt, Member};
use super::headers::{AttemptFacts, header_value};
use super::mac::{Algorithm, SigningKey};
use super::ordered::ordered;
use super::pattern;
use super::placeholder::{Place, Placeholder};
use super::template::{Template, TemplateAt};
use super::wording::missing;
use crate::domain::Invalid;
use crate::domain::probe::Method;
use crate::domain::webhook::TIMEOUT_SECONDS_MAX;

/// The type of a check whose question names none.
const USUAL_TYPE: &str = "webhook.verification";
/// The least and the greatest status that says that a question is refused.
const FORGED_STATUS_MIN: u16 = 400;
const FORGED_STATUS_MAX: u16 = 499;
/// What is signed in the place of the body where a question is to be refused.
const FORGED: &[u8] = b"not what was sent";

/// An ownership check.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRule {
    /// How it is asked.
    #[serde(default)]
    #[schemars(example = &"GET")]
    pub method: Method,
    /// What is added to the URL, in order.
    #[serde(default, deserialize_with = "query")]
    #[schemars(schema_with = "pattern::query", example = json!({ "challenge": "{challenge}" }))]
    pub query: Vec<(String, Template)>,
    /// The body that is sent, signed as deliveries are: a table of any shape; left out: none.
    #[serde(default, deserialize_with = "question")]
    #[schemars(schema_with = "pattern::question", example = json!({ "challenge": "{challenge}" }))]
    pub send: Option<Envelope>,
    /// What the answer must be: an object whose fields the answer's JSON must hold, or the answer's text; left out: anything.
    #[serde(default, deserialize_with = "answer")]
    #[schemars(schema_with = "pattern::answer", example = json!({ "challenge": "{challenge}" }))]
    pub expect: Option<Envelope>,
    /// What `{signature}` of the answer is: that of the random text, with the secret that both sides share.
    #[schemars(example = json!({ "algorithm": "sha256", "encoding": "hex" }))]
    pub signature: Option<AnswerSignature>,
    /// The status that a second question, wrongly signed, must be answered with.
    #[schemars(range(min = FORGED_STATUS_MIN, max = FORGED_STATUS_MAX), example = 401)]
    pub forged_status: Option<u16>,
    /// The deadline, in seconds.
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX), example = 5)]
    pub timeout_seconds: u32,
}

/// How an endpoint signs in its answer, with the secret that both sides share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerSignature {
    /// Which HMAC: `sha1`, `sha256` or `sha512`.
    #[schemars(example = &"sha256")]
    pub algorithm: Algorithm,
    /// How it is written: `hex` or `base64`.
    #[schemars(example = &"hex")]
    pub encoding: Encoding,
}

/// A question on its way.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// How it is asked.
    pub method: Method,
    /// What is added to the URL.
    pub query: Vec<(String, String)>,
    /// Its headers, signatures among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// The same with signatures of something else, and how that must be answered.
    pub forged: Option<(Vec<(HeaderName, HeaderValue)>, u16)>,
    /// One for each key, the newest first; none: any answer will do.
    pub(super) expected: Vec<Value>,
}

impl Default for ChallengeRule {
    /// What a webhook is asked whose dialect says nothing of it.
    fn default() -> Self {
        let text = |text, place| Template::parse(text, place).map(Envelope::Text).expect("it can stand there");
        let field = |name: &str, value| Member::Field(name.to_string(), value);
        let question = vec![
            field("type", text(USUAL_TYPE, Place::Question)),
            field("challenge", text("{challenge}", Place::Question)),
        ];
        Self {
            method: Method::Post,
            query: Vec::new(),
            send: Some(Envelope::Object(question)),
            expect: Some(Envelope::Object(vec![field("challenge", text("{challenge}", Place::Answer))])),
            signature: None,
            forged_status: None,
            timeout_seconds: default_timeout(),
        }
    }
}

impl Dialect {
    /// The question with this random text, signed with `keys`.
    pub fn ask(&self, rule: &ChallengeRule, what: &AttemptFacts<'_>, keys: &[SigningKey], random: &str) -> Challenge {
        let fill = |slot: &Placeholder, out: &mut String| match slot {
            Placeholder::Challenge => out.push_str(random),
            other => self.fact(what, other, out),
        };
        let in_query = |(name, template): &(String, Template)| {
            let mut value = String::new();
            template.write(&mut value, fill);
            (name.clone(), value)
        };
        let sent = rule.send.as_ref().map(|envelope| {
            let json = self.write(envelope, (what.event, &what.event.data), what.account_id).filled(&fill);
            self.formatted(json.into()).to_vec()
        });
        let headers = |signed: &[u8]| {
            let mut headers = Vec::new();
            match sent {
                Some(_) => self.headers(what, signed, keys, &mut headers),
                None => headers.push((USER_AGENT, header_value(self.user_agent.as_str()))),
            }
            headers
        };
        Challenge {
            method: rule.method,
            query: rule.query.iter().map(in_query).collect(),
            headers: headers(sent.as_deref().unwrap_or_default()),
            forged: rule.forged_status.map(|status| (headers(FORGED), status)),
            expected: rule.answers(keys, random),
            body: sent.clone().unwrap_or_default(),
        }
    }

    /// Whether an endpoint needs the secret to pass: to verify the question, or to sign its answer.
    pub fn challenge_needs_secret(&self) -> bool {
        let needs = |rule: &ChallengeRule| rule.signature.is_some() || !self.signature.is_empty();
        self.challenge.as_ref().is_some_and(needs)
    }

    /// Refuses a rule that any answer would fulfil, or that nobody could.
    pub(super) fn check_challenge(&self) -> Result<(), Invalid> {
        let Some(rule) = &self.challenge else { return Ok(()) };
        let wrong = |key: &str, message: &str| Err(Invalid::new(format!("challenge.{key}"), message));
        let has = |envelope: &Option<Envelope>, slot| envelope.as_ref().is_some_and(|envelope| envelope.has(slot));
        let in_query = rule.query.iter().flat_map(|(_, value)| value.slots()).any(|s| *s == Placeholder::Challenge);
        let signs = has(&rule.expect, &Placeholder::Signature);
        if rule.expect.is_none() && rule.forged_status.is_none() {
            return wrong("expect", &missing("challenge.expect"));
        }
        if rule.expect.is_some()
            && !signs
            && !has(&rule.expect, &Placeholder::Challenge)
            && rule.forged_status.is_none()
        {
            return wrong("expect", "must be a table or a text with {challenge} in it, else any answer would do");
        }
        let asks = in_query || has(&rule.send, &Placeholder::Challenge);
        if !asks && (signs || has(&rule.expect, &Placeholder::Challenge)) {
            return wrong("send", "must be a table with {challenge} in one of its texts");
        }
        if rule.method == Method::Get && rule.send.is_some() {
            return wrong("send", "is for POST: a GET has no body, only a query");
        }
        if signs != rule.signature.is_some() {
            let message =
                "goes with {signature} in expect; for example: { algorithm = \"sha256\", encoding = \"hex\" }";
            return wrong("signature", message);
        }
        if let Some(signature) = rule.signature {
            if !matches!(signature.algorithm, Algorithm::Sha1 | Algorithm::Sha256 | Algorithm::Sha512) {
                return wrong(
                    "signature.algorithm",
                    "must be \"sha1\", \"sha256\" or \"sha512\": the endpoint signs it",
                );
            }
            if signature.encoding == Encoding::Plain {
                return wrong("signature.encoding", "must be \"hex\" or \"base64\"");
            }
            if self.secrets.pair.is_some() || self.secrets.ed25519.is_some() {
                return wrong("signature", "needs secrets that both sides share, and no key pairs");
            }
        }
        let is_signed = self.signatures_in_headers().any(|(rule, _)| rule.signs_body());
        match rule.forged_status {
            Some(status) if !(FORGED_STATUS_MIN..=FORGED_STATUS_MAX).contains(&status) => {
                wrong("forged_status", "must be 400 to 499, such as 401")
            }
            Some(_) if !is_signed || rule.send.is_none() => {
                wrong("forged_status", "needs a question with a body (send) that a [[signature]] signs in a header")
            }
            _ => Ok(()),
        }
    }
}

impl ChallengeRule {
    /// Its type, for headers that name one.
    pub fn event_type(&self) -> &str {
        let Some(Envelope::Object(members)) = &self.send else { return USUAL_TYPE };
        let stated = members.iter().find_map(|member| match member {
            Member::Field(key, Envelope::Text(template)) if key == "type" => template.constant(),
            _ => None,
        });
        stated.filter(|name| crate::domain::event::check_type(name).is_ok()).unwrap_or(USUAL_TYPE)
    }
}

fn default_timeout() -> u32 {
    5
}

fn query<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Template)>, D::Error> {
    ordered(deserializer, TemplateAt(Place::Question))
}

fn question<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Envelope>, D::Error> {
    match EnvelopeAt(Place::Question).deserialize(deserializer)? {
        table @ Envelope::Object(_) => Ok(Some(table)),
        _ => Err(de::Error::custom("must be a table with {challenge} in one of its texts")),
    }
}

fn answer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Envelope>, D::Error> {
    match EnvelopeAt(Place::Answer).deserialize(deserializer)? {
        answer @ (Envelope::Object(_) | Envelope::Text(_)) => Ok(Some(answer)),
        _ => Err(de::Error::custom("must be a table or a text with {challenge} in it, else any answer would do")),
    }
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(deserializer)?;
    match (1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        true => Ok(seconds),
        false => Err(de::Error::custom(format!("must be between 1 and {TIMEOUT_SECONDS_MAX}"))),
    }
}
