//! Requests to try verifying code with: true ones as they arrived, and each of the ways in which one can be false.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hookwheel::dialect::{AttemptFacts, Dialect, Moment, Received};
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::event::Event;
use hookwheel::domain::id::{EventId, WebhookId};
use hookwheel::domain::secret::Secret;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use serde::Serialize;

use super::document::Markdown;
use super::support::{Answer, Endpoint, Receiver};
use super::{Scene, wire};

/// A request, and whether it is genuine.
#[derive(Debug, Clone, Serialize)]
pub struct Case {
    pub dialect: String,
    pub what: String,
    pub genuine: bool,
    pub headers: BTreeMap<String, String>,
    /// In base64.
    pub body: String,
    pub secrets: Vec<String>,
    /// Given where the code asks for it.
    pub url: Option<String>,
}

/// Cases of all these dialects.
pub fn cases(scene: &mut Scene, documents: &[(String, Markdown)]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, _) in documents {
        let dialect = scene.dialect(name);
        cases.extend(of(scene, &dialect));
    }
    cases
}

fn of(scene: &mut Scene, dialect: &Arc<Dialect>) -> Vec<Case> {
    let (_, mut client) = scene.account(&dialect.name);
    let endpoint = Endpoint::of(dialect.clone());
    let answering = endpoint.clone();
    let receiver = Receiver::start(move |_, message| answering.answer(message, Answer::Status(200)));
    let url = receiver.url("/");
    let webhook = wire::webhook(&mut client, &endpoint, url.clone());
    let private = endpoint.secret.reveal().to_owned();
    let other_private = dialect.generate_secret(&[3; 32]).expect("it can be generated").reveal().to_owned();
    // A receiver has the public key, where the other half signs.
    let known = |text: &str| match dialect.secrets.pair {
        Some(_) => dialect.public_key(&Secret::new(text)).expect("it is a pair"),
        None => text.to_owned(),
    };
    let (secret, other) = (known(&private), known(&other_private));
    let rule = hookwheel::docs::best_rule(dialect).expect("it signs");
    let url = dialect.signs_url().then_some(url);
    let mut cases = Vec::new();
    for known in dialect.catalogue.iter().take(2) {
        wire::test(&mut client, &webhook, &known.name);
        let request = endpoint.next(&receiver);
        let headers: BTreeMap<String, String> =
            request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let case = |what: &str, genuine: bool| Case {
            dialect: dialect.name.clone(),
            what: format!("{}: {what}", known.name),
            genuine,
            headers: headers.clone(),
            body: BASE64_STANDARD.encode(&request.body),
            secrets: vec![secret.clone()],
            url: url.clone(),
        };
        cases.push(case("as it arrived", true));
        if let Some(url) = &url {
            cases.push(Case { url: Some(format!("{url}?x")), ..case("another URL", false) });
        }
        cases.push(Case { secrets: vec![other.clone(), secret.clone()], ..case("the second secret is right", true) });
        cases.push(Case { secrets: vec![other.clone()], ..case("another secret", false) });
        cases.push(Case { secrets: Vec::new(), ..case("no secret", false) });
        if rule.signs_body() {
            let mut changed = request.body.clone();
            let at = changed.len() / 2;
            changed[at] ^= 1;
            cases.push(Case { body: BASE64_STANDARD.encode(&changed), ..case("one bit of the body", false) });
        }
        if rule.signs_body() || rule.header.is_none() {
            cases.push(Case { body: String::new(), ..case("no body", false) });
        }
        let received = (&headers, &request.body[..], url.as_deref());
        let signed = |name: &str| !verifies_without(dialect, received, &secret, name);
        for name in dialect.header_keys().map(|key| key.name.as_str()).filter(|name| signed(name)) {
            let mut headers = headers.clone();
            headers.remove(name);
            cases.push(Case { headers: headers.clone(), ..case(&format!("without {name}"), false) });
            headers.insert(name.into(), "nonsense".into());
            cases.push(Case { headers, ..case(&format!("nonsense in {name}"), false) });
        }
    }
    cases.extend(signed_here(dialect, [&private, &other_private], [&secret, &other]));
    cases
}

/// Whether a receiver that verifies the strongest signature could do without this header.
fn verifies_without(
    dialect: &Dialect,
    (headers, body, url): (&BTreeMap<String, String>, &[u8], Option<&str>),
    secret: &str,
    name: &str,
) -> bool {
    let strongest = hookwheel::docs::best_rule(dialect).expect("it signs").clone();
    let mut dialect = dialect.clone();
    dialect.signature = vec![strongest];
    let header = |asked: &str| headers.get(&asked.to_ascii_lowercase()).filter(|_| !asked.eq_ignore_ascii_case(name));
    let received = Received { header: &|asked| header(asked).cloned(), url, body };
    dialect.verify(received, &[Secret::new(secret)], 0, None).is_ok()
}

/// Requests that no server would send now: an old one, and one with two signatures.
fn signed_here(dialect: &Dialect, [private, other_private]: [&str; 2], [secret, other]: [&str; 2]) -> Vec<Case> {
    const URL: &str = "https://example.com/";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let sign = |secrets: &[&str], now: u64| {
        let url = EndpointUrl::parse(URL, false).expect("a URL");
        let id = WebhookId(0x018d_8ec2_694b_7a31_9f4e_0b6d_0000_0001);
        let webhook = Webhook { id, ..Webhook::new(1, dialect.name.clone(), url, vec![EventFilter::All]) };
        let event = Event {
            id: EventId(0x018d_93e8_c54b_7c52_8a19_4d02_0000_0000),
            account: 1,
            name: None,
            event_type: "task.created".into(),
            created_at: now,
            test: false,
            webhooks: vec![1],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
            data: r#"{"é":"ü \u0000 1e400"}"#.into(),
            actor: None,
            metadata: None,
        };
        let delivery = event.id.delivery_to(1);
        let facts = AttemptFacts { event: &event, webhook: &webhook, account_id: "acc", delivery, attempt: 1, now };
        let key = |secret: &&str| dialect.signing_key(&Secret::new(*secret)).expect("of its form");
        let keys: Vec<_> = secrets.iter().map(key).collect();
        let body = dialect.body(&dialect.prepare(&event, "acc"), &facts, &keys);
        let mut headers = Vec::new();
        dialect.headers(&facts, &body, &keys, &mut headers);
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("ASCII");
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        (headers, BASE64_STANDARD.encode(&body))
    };
    let signs_url = dialect.signs_url();
    let case = |what: &str, genuine: bool, signing: &[&str], now: u64, secret: &str| {
        let (headers, body) = sign(signing, now);
        let (dialect, what) = (dialect.name.clone(), what.to_owned());
        let url = signs_url.then(|| URL.to_owned());
        Case { dialect, what, genuine, headers, body, secrets: vec![secret.to_owned()], url }
    };
    let rule = hookwheel::docs::best_rule(dialect).expect("it signs");
    let is_time = |slot: &hookwheel::dialect::Placeholder| matches!(slot.moment(), Some((Moment::Attempt, _)));
    let times = rule.signed.slots().any(is_time) || dialect.time_in_body().is_some();
    let (several, both) = (rule.several.is_some(), [private, other_private]);
    vec![
        case("signed now", true, &[private], now, secret),
        case("four minutes old", true, &[private], now - 240_000, secret),
        case("six minutes old", !times, &[private], now - 360_000, secret),
        case("six minutes ahead", !times, &[private], now + 360_000, secret),
        case("two secrets sign, the newer is known", true, &both, now, secret),
        case("two secrets sign, the older is known", several, &both, now, other),
    ]
}
