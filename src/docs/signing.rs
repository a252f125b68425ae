//! How requests are signed, in words and in code, from the rule that signs them.

use super::block::{Draft, Tab, code as code_block};
use super::sample::Example;
use super::snippets::{self, TOLERANCE_SECONDS};
use super::{facts, words};
use crate::dialect::{
    Algorithm, Dialect, Encoding, JsonForm, KeyForm, Moment, Numbers, Placeholder, PublicForm, SignatureRule, Template,
};

/// How a dialect signs, in a few sentences; one for a dialect that does not.
pub fn in_words(dialect: &Dialect) -> String {
    let Some(rule) = snippets::best_rule(dialect) else { return "Requests are not signed.".into() };
    let mut text = format!("{} holds {}: {}.", words::capital(&place(dialect, rule)), whole(rule), what(dialect, rule));
    if let Some(separator) = &rule.several {
        text.push_str(&format!(
            " While a secret is being rotated, there are several, with {} between them.",
            between(separator)
        ));
    }
    if signs_time(dialect, rule) {
        let minutes = TOLERANCE_SECONDS / 60;
        text.push_str(&format!(" The time is signed too: refuse what is older than {minutes} minutes."));
    }
    text
}

/// The whole section.
pub(super) fn write(draft: &mut Draft, dialect: &Dialect, example: &Example<'_>) {
    let Some(rule) = snippets::best_rule(dialect) else {
        draft.say("Requests are not signed. Keep the URL of your endpoint secret, and take nothing for granted.");
        return;
    };
    draft.note(
        "Verify every request before you look at what it says. Anybody who knows the URL of your endpoint can send to \
         it; only the holder of the secret can sign.",
    );
    draft.say(in_words(dialect));
    others(draft, dialect, rule);
    pair(draft, dialect, rule);
    draft.heading(3, "Steps");
    let mut steps: Vec<String> = vec![
        "Take the body raw, byte for byte, before anything has parsed it.".into(),
        format!("Read {}{}.", place(dialect, rule), read_too(dialect, rule)),
    ];
    if signs_time(dialect, rule) {
        let minutes = TOLERANCE_SECONDS / 60;
        steps.push(format!(
            "Refuse the request if its time is more than {minutes} minutes from yours: somebody may be sending an old \
             one again."
        ));
    }
    steps.extend(last_steps(dialect, rule));
    steps.push("If they differ, answer 401 and do nothing else.".into());
    draft.steps(steps);
    if !rule.signs_body() {
        draft.say(
            "Nothing vouches for the body: whoever can read a request can send another in its name. Take requests over TLS \
             only, and look what matters up where it comes from.",
        );
    }
    if dialect.body.json == JsonForm::Canonical {
        let but_for = match dialect.body.numbers {
            Numbers::Js | Numbers::Refuse => "",
            Numbers::Exact => {
                " That does not hold where the body has a number that JavaScript cannot hold, such as an integer beyond \
                 2^53: it is sent as it is, and only the raw bytes verify."
            }
        };
        draft.say(format!(
            "The body is exactly what `JSON.stringify(JSON.parse(body))` gives, so a receiver in JavaScript whose \
             framework has parsed the body already can verify `JSON.stringify(req.body)`.{but_for} The raw bytes are the \
             better choice wherever they can be had."
        ));
    }
    code(draft, dialect);
    vector(draft, dialect, example);
}

/// How what was read is compared.
fn last_steps(dialect: &Dialect, rule: &SignatureRule) -> Vec<String> {
    let each = |verb: &str, what: String, with: String| match &rule.several {
        Some(separator) => format!(
            "Split {with} at {}, and {verb} {what} with each part in constant time. One that is equal is enough.",
            between(separator)
        ),
        None => format!("{} {what} with {with} in constant time.", words::capital(verb)),
    };
    let header = rule.header.as_ref().map_or("it".to_string(), |_| "the header".into());
    match rule.algorithm.pair() {
        Some(kind) => {
            let (signed, encoding) = (signed(dialect, &rule.signed), encoding(rule));
            vec![format!(
                "Verify that what it holds, {encoding}, is the {} signature of {signed}, with the webhook's public key.",
                kind.name()
            )]
        }
        None if rule.algorithm == Algorithm::Secret => {
            vec![format!("Write the secret {}.", encoding(rule)), each("compare", value(rule), header)]
        }
        None => vec![
            format!(
                "Work out the {} of {}, keyed with {}, and write it {}.",
                mac_name(rule.algorithm),
                signed(dialect, &rule.signed),
                key(dialect),
                encoding(rule),
            ),
            each("compare", value(rule), header),
        ],
    }
}

/// What stands there, in words.
fn what(dialect: &Dialect, rule: &SignatureRule) -> String {
    let (signed, encoding) = (signed(dialect, &rule.signed), encoding(rule));
    match rule.algorithm.pair() {
        Some(kind) => format!(
            "the {} signature of {signed}, {encoding}, made with a private key that only the sender has. You verify it with the \
             public key, {}",
            kind.name(),
            public_form(dialect),
        ),
        None if rule.algorithm == Algorithm::Secret => format!("the secret itself, {encoding}"),
        None => format!("the {} of {signed}, {encoding}, keyed with {}", mac_name(rule.algorithm), key(dialect)),
    }
}

/// Where it stands.
fn place(dialect: &Dialect, rule: &SignatureRule) -> String {
    match &rule.header {
        Some(key) => format!("the header `{}`", key.spelled),
        None => {
            let path = dialect.envelope.path_of(&Placeholder::Signature).unwrap_or_default();
            format!("the field `{}` of the body", facts::place(&path))
        }
    }
}

fn public_form(dialect: &Dialect) -> &'static str {
    match dialect.secrets.public {
        PublicForm::Pem => "which is in PEM",
        PublicForm::Base64 => "which is base64 (SubjectPublicKeyInfo)",
        PublicForm::Hex => "which is 32 bytes in hexadecimal",
    }
}

fn between(separator: &str) -> String {
    if separator == " " { "spaces".to_string() } else { format!("`{separator}`") }
}

/// The other signature headers of a request.
fn others(draft: &mut Draft, dialect: &Dialect, best: &SignatureRule) {
    let others: Vec<String> = dialect
        .signature
        .iter()
        .filter(|rule| rule.header != best.header)
        .map(|rule| {
            let place = rule.header.as_ref().map_or_else(|| place(dialect, rule), |key| format!("`{}`", key.spelled));
            let (name, value) = (mac_name(rule.algorithm), whole(rule));
            match rule.algorithm {
                Algorithm::Secret => format!("{place}: {value}, {}", what(dialect, rule)),
                _ => format!("{place}: {value}, the {name} of {}, {}", signed(dialect, &rule.signed), encoding(rule)),
            }
        })
        .collect();
    if !others.is_empty() {
        draft.say("For receivers that know them, requests carry further signatures. Verifying one is enough; the one above is the strongest.");
        draft.list(others);
    }
}

/// How the other kind of key signs.
fn pair(draft: &mut Draft, dialect: &Dialect, rule: &SignatureRule) {
    let (Some(pair), Some(form)) = (&dialect.secrets.ed25519, &rule.ed25519) else { return };
    draft.say(format!(
        "A webhook can have an Ed25519 key pair instead of a secret that both sides share. Then the header holds `{}`: the \
         Ed25519 signature of the same bytes, {}. You verify it with the public key, which is base64 after `{}`; nobody can \
         sign with that.",
        spelled(form),
        encoding(rule),
        pair.public_prefix,
    ));
}

fn code(draft: &mut Draft, dialect: &Dialect) {
    draft.heading(3, "Code");
    draft.say(
        "Each function takes the headers, the raw body and the secrets, and tells whether the request is genuine. Give it \
         two secrets while you are rotating one.",
    );
    let tabs = snippets::snippets(dialect).into_iter().map(|snippet| Tab {
        title: snippet.title.into(),
        language: snippet.language,
        blocks: vec![code_block(snippet.language, snippet.code), code_block(snippet.language, snippet.usage)],
    });
    draft.tabs(4, tabs.collect());
}

/// A request that the reader's code can be tried with.
fn vector(draft: &mut Draft, dialect: &Dialect, example: &Example<'_>) {
    let (Some(first), Some(secret)) = (dialect.catalogue.first(), &example.secret) else { return };
    let Some(rule) = snippets::best_rule(dialect) else { return };
    draft.heading(3, "Check your code");
    let old = match signs_time(dialect, rule) {
        true => " It is old, so leave out the check of the time.",
        false => "",
    };
    let (kind, known) = match dialect.public_key(secret).filter(|_| rule.algorithm.pair().is_some()) {
        Some(public) => ("public key", public),
        None => ("secret", secret.reveal().to_string()),
    };
    let at = if dialect.signs_url() { format!(", sent to `{}`,", super::sample::ENDPOINT) } else { String::new() };
    let whole = if rule.signs_body() { "any byte of it" } else { "any byte of what is signed" };
    draft.say(format!(
        "With the {kind} `{known}` this request{at} is genuine, and with {whole} changed it is not.{old} Never use this \
         {kind} for anything else."
    ));
    let mut request = String::new();
    for (name, value) in example.headers(first, 1) {
        request.push_str(&format!("{name}: {value}\n"));
    }
    request.push_str(&format!("\n{}", String::from_utf8_lossy(&example.body(first))));
    draft.code("http", request);
}

/// Whether the time of the attempt is vouched for.
pub(super) fn signs_time(dialect: &Dialect, rule: &SignatureRule) -> bool {
    let is_time = |slot: &Placeholder| matches!(slot.moment(), Some((Moment::Attempt, _)));
    rule.signed.slots().any(is_time) || (rule.signs_body() && dialect.time_in_body().is_some())
}

pub(super) fn mac_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha1 => "HMAC-SHA1",
        Algorithm::Sha256 => "HMAC-SHA256",
        Algorithm::Sha512 => "HMAC-SHA512",
        Algorithm::Secret => "secret",
        Algorithm::Ed25519 => "Ed25519 signature",
        Algorithm::EcdsaP256 => "ECDSA P-256 signature with SHA-256",
        Algorithm::Rsa => "RSA signature with SHA-256 (PKCS #1 v1.5)",
    }
}

fn encoding(rule: &SignatureRule) -> &'static str {
    match rule.encoding {
        Encoding::Hex => "in lower-case hexadecimal",
        Encoding::Base64 => "in base64",
        Encoding::Plain => "as it is",
    }
}

fn key(dialect: &Dialect) -> String {
    match (dialect.secrets.key, dialect.secrets.prefix.as_str()) {
        (KeyForm::Utf8 | KeyForm::Pkcs8, _) => "the secret's text (its UTF-8 bytes)".into(),
        (KeyForm::Base64, "") => "the bytes that the secret is the base64 of".into(),
        (KeyForm::Base64, prefix) => format!("the bytes that the secret is the base64 of, after its `{prefix}`"),
    }
}

/// The text of one signature in its header: `sha256=` and the signature.
fn value(rule: &SignatureRule) -> String {
    match rule.value.alone() {
        Some(_) if rule.algorithm == Algorithm::Secret => "the secret".into(),
        Some(_) => "the signature".into(),
        None => format!("`{}`", spelled(&rule.value)),
    }
}

/// The header's text.
fn whole(rule: &SignatureRule) -> String {
    match &rule.before {
        Some(before) => format!("`{}{}`", spelled(before), spelled(&rule.value)),
        None => value(rule),
    }
}

/// What is signed: the body, or more than it.
fn signed(dialect: &Dialect, template: &Template) -> String {
    match template.alone() {
        Some(Placeholder::Body) => return "the raw body".into(),
        Some(sorted @ Placeholder::BodySorted) => return facts::meaning(sorted),
        _ => {}
    }
    let told: Vec<String> = template
        .slots()
        .filter(|slot| **slot != Placeholder::Body)
        .map(|slot| format!("`{{{}}}` is {}", facts::name(slot), facts::told_in(dialect, slot)))
        .collect();
    let body = template.slots().any(|slot| *slot == Placeholder::Body).then(|| "`{body}` is the raw body".to_string());
    let told = match (told.as_slice(), body) {
        (told, Some(body)) if !told.is_empty() => format!("{}, and {body}", words::list(told)),
        (told, _) => words::list(told),
    };
    format!("the text `{}` (where {told})", spelled(template))
}

/// A template with its placeholders in plain words.
pub(super) fn spelled(template: &Template) -> String {
    let part = |part: &crate::dialect::Part| match part {
        crate::dialect::Part::Text(text) => text.clone(),
        crate::dialect::Part::Slot(slot) => format!("{{{}}}", facts::name(slot)),
    };
    template.parts.iter().map(part).collect()
}

/// The other headers that a receiver must read.
fn read_too(dialect: &Dialect, rule: &SignatureRule) -> String {
    let is_signed = |place: usize| {
        rule.signed.slots().any(|slot| matches!(slot, Placeholder::Header(named) if named.place == place))
    };
    let needed = |template: &Template| template.slots().any(|slot| rule.signed.slots().any(|s| s == slot));
    let own: Vec<&Placeholder> = rule.before.iter().chain([&rule.value]).flat_map(Template::slots).collect();
    let missing = |template: &Template| template.slots().any(|slot| !own.contains(&slot));
    let more: Vec<String> = dialect
        .headers
        .iter()
        .enumerate()
        .filter(|(n, header)| is_signed(*n) || (needed(&header.value) && missing(&header.value)))
        .map(|(_, header)| format!("`{}`", header.key.spelled))
        .collect();
    if more.is_empty() { String::new() } else { format!(", and {}", words::list(&more)) }
}
