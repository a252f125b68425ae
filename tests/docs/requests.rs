//! Requests to try verifying code with: true ones as they arrived, and each of the ways in which one can be false.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hookwheel::dialect::{AttemptFacts, Dialect, Dialects};
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::event::Event;
use hookwheel::domain::id::{EventId, WebhookId};
use hookwheel::domain::secret::Secret;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use serde::Serialize;

use super::document::Markdown;
use super::support::Receiver;
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
}

/// Cases of all these dialects.
pub fn cases(scene: &mut Scene, documents: &[(String, Markdown)]) -> Vec<Case> {
    let dialects = Dialects::load(Some(&scene.dir.path().join("dialects"))).expect("the server took them too");
    documents.iter().flat_map(|(name, _)| of(scene, dialects.get(name).expect("it is there"))).collect()
}

fn of(scene: &mut Scene, dialect: &Dialect) -> Vec<Case> {
    let (_, mut client) = scene.account(&dialect.name);
    let receiver = Receiver::start(wire::accept);
    let (webhook, secret) = wire::webhook(&mut client, &dialect.name, receiver.url("/"));
    let other = dialect.generate_secret(&[3; 32]).reveal().to_owned();
    let mut cases = Vec::new();
    for known in dialect.catalogue.iter().take(2) {
        wire::test(&mut client, &webhook, &known.name);
        let request = wire::next(&receiver);
        let headers: BTreeMap<String, String> =
            request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let case = |what: &str, genuine: bool| Case {
            dialect: dialect.name.clone(),
            what: format!("{}: {what}", known.name),
            genuine,
            headers: headers.clone(),
            body: BASE64_STANDARD.encode(&request.body),
            secrets: vec![secret.clone()],
        };
        cases.push(case("as it arrived", true));
        cases.push(Case { secrets: vec![other.clone(), secret.clone()], ..case("the second secret is right", true) });
        cases.push(Case { secrets: vec![other.clone()], ..case("another secret", false) });
        cases.push(Case { secrets: Vec::new(), ..case("no secret", false) });
        let mut changed = request.body.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        cases.push(Case { body: BASE64_STANDARD.encode(&changed), ..case("one bit of the body", false) });
        cases.push(Case { body: String::new(), ..case("no body", false) });
        let own = dialect.headers.iter().map(|rule| &rule.key).chain(dialect.signature.iter().map(|rule| &rule.header));
        let signed = |name: &str| !verifies_without(dialect, &headers, &request.body, &secret, name);
        for name in own.map(|key| key.name.as_str()).filter(|name| signed(name)) {
            let mut headers = headers.clone();
            headers.remove(name);
            cases.push(Case { headers: headers.clone(), ..case(&format!("without {name}"), false) });
            headers.insert(name.into(), "nonsense".into());
            cases.push(Case { headers, ..case(&format!("nonsense in {name}"), false) });
        }
    }
    cases.extend(signed_here(dialect, &secret, &other));
    cases
}

/// Whether a receiver that verifies the strongest signature could do without this header.
fn verifies_without(
    dialect: &Dialect,
    headers: &BTreeMap<String, String>,
    body: &[u8],
    secret: &str,
    name: &str,
) -> bool {
    let strongest = hookwheel::docs::best_rule(dialect).expect("it signs").clone();
    let mut dialect = dialect.clone();
    dialect.signature = vec![strongest];
    let header = |asked: &str| headers.get(&asked.to_ascii_lowercase()).filter(|_| !asked.eq_ignore_ascii_case(name));
    dialect.verify(&|asked| header(asked).cloned(), body, &[Secret::new(secret)], 0, None).is_ok()
}

/// Requests that no server would send now: an old one, and one with two signatures.
fn signed_here(dialect: &Dialect, secret: &str, other: &str) -> Vec<Case> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let sign = |secrets: &[&str], now: u64| {
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
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
            fingerprint: None,
            data: r#"{"é":"ü \u0000 1e400"}"#.into(),
            actor: None,
            metadata: None,
        };
        let body = dialect.body(&dialect.prepare(&event, "acc"), &webhook);
        let delivery = event.id.delivery_to(1);
        let facts = AttemptFacts { event: &event, webhook: &webhook, account_id: "acc", delivery, attempt: 1, now };
        let key = |secret: &&str| dialect.signing_key(&Secret::new(*secret)).expect("of its form");
        let mut headers = Vec::new();
        dialect.headers(&facts, &body, &secrets.iter().map(key).collect::<Vec<_>>(), &mut headers);
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("ASCII");
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        (headers, BASE64_STANDARD.encode(&body))
    };
    let case = |what: &str, genuine: bool, signing: &[&str], now: u64, secret: &str| {
        let (headers, body) = sign(signing, now);
        let (dialect, what) = (dialect.name.clone(), what.to_owned());
        Case { dialect, what, genuine, headers, body, secrets: vec![secret.to_owned()] }
    };
    let rule = hookwheel::docs::best_rule(dialect).expect("it signs");
    let times = rule.signed.slots().any(|slot| slot.to_string() == "{attempt.unix}");
    let (several, both) = (rule.several.is_some(), [secret, other]);
    vec![
        case("signed now", true, &[secret], now, secret),
        case("four minutes old", true, &[secret], now - 240_000, secret),
        case("six minutes old", !times, &[secret], now - 360_000, secret),
        case("six minutes ahead", !times, &[secret], now + 360_000, secret),
        case("two secrets sign, the newer is known", true, &both, now, secret),
        case("two secrets sign, the older is known", several, &both, now, other),
    ]
}
