//! How requests are signed, in words and in code, from the rule that signs them.

use super::block::Draft;
use super::sample::Example;
use super::snippets::{self, TOLERANCE_SECONDS};
use super::{facts, words};
use crate::dialect::{Algorithm, Dialect, Encoding, JsonForm, KeyForm, Numbers, Placeholder, SignatureRule, Template};

/// How a dialect signs, in a few sentences; one for a dialect that does not.
pub fn in_words(dialect: &Dialect) -> String {
    let Some(rule) = snippets::best_rule(dialect) else { return "Requests are not signed.".into() };
    let mut text = format!(
        "The header `{}` holds {}: the {} of {}, {}, keyed with {}.",
        rule.header.spelled,
        whole(rule),
        mac_name(rule.algorithm),
        signed(dialect, &rule.signed),
        encoding(rule),
        key(dialect),
    );
    if let Some(separator) = &rule.several {
        let between = if separator == " " { "spaces".to_string() } else { format!("`{separator}`") };
        text.push_str(&format!(" While a secret is being rotated, there are several, with {between} between them."));
    }
    if signs_time(rule) {
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
    let header = &rule.header.spelled;
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
        format!("Read the header `{header}`{}.", read_too(dialect, rule)),
    ];
    if signs_time(rule) {
        let minutes = TOLERANCE_SECONDS / 60;
        steps.push(format!(
            "Refuse the request if its time is more than {minutes} minutes from yours: somebody may be sending an old \
             one again."
        ));
    }
    steps.push(format!(
        "Work out the {} of {}, keyed with {}, and write it {}.",
        mac_name(rule.algorithm),
        signed(dialect, &rule.signed),
        key(dialect),
        encoding(rule),
    ));
    steps.push(match &rule.several {
        Some(separator) => {
            let between = if separator == " " { "spaces".to_string() } else { format!("`{separator}`") };
            format!(
                "Split the header at {between}, and compare {} with each part in constant time. One that is equal is \
                 enough.",
                value(rule)
            )
        }
        None => format!("Compare {} with the header in constant time.", value(rule)),
    });
    steps.push("If they differ, answer 401 and do nothing else.".into());
    draft.steps(steps);
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

/// The other signature headers of a request.
fn others(draft: &mut Draft, dialect: &Dialect, best: &SignatureRule) {
    let others: Vec<String> = dialect
        .signature
        .iter()
        .filter(|rule| rule.header != best.header)
        .map(|rule| {
            let (name, value) = (mac_name(rule.algorithm), whole(rule));
            format!(
                "`{}`: {value}, the {name} of {}, {}",
                rule.header.spelled,
                signed(dialect, &rule.signed),
                encoding(rule)
            )
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
    for snippet in snippets::snippets(dialect) {
        draft.heading(4, snippet.title);
        draft.code(snippet.language, snippet.code);
        draft.code(snippet.language, snippet.usage);
    }
}

/// A request that the reader's code can be tried with.
fn vector(draft: &mut Draft, dialect: &Dialect, example: &Example<'_>) {
    let Some(first) = dialect.catalogue.first() else { return };
    draft.heading(3, "Check your code");
    let old = match snippets::best_rule(dialect).is_some_and(signs_time) {
        true => " It is old, so leave out the check of the time.",
        false => "",
    };
    draft.say(format!(
        "With the secret `{}` this request is genuine, and with any byte of it changed it is not.{old} Never use this \
         secret for anything else.",
        example.secret.reveal()
    ));
    let mut request = String::new();
    for (name, value) in example.headers(first, 1) {
        request.push_str(&format!("{name}: {value}\n"));
    }
    request.push_str(&format!("\n{}", String::from_utf8_lossy(&example.body(first))));
    draft.code("http", request);
}

fn signs_time(rule: &SignatureRule) -> bool {
    rule.signed.slots().any(|slot| *slot == Placeholder::AttemptUnix)
}

fn mac_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha1 => "HMAC-SHA1",
        Algorithm::Sha256 => "HMAC-SHA256",
        Algorithm::Sha512 => "HMAC-SHA512",
    }
}

fn encoding(rule: &SignatureRule) -> &'static str {
    match rule.encoding {
        Encoding::Hex => "in lower-case hexadecimal",
        Encoding::Base64 => "in base64",
    }
}

fn key(dialect: &Dialect) -> String {
    match (dialect.secrets.key, dialect.secrets.prefix.as_str()) {
        (KeyForm::Utf8, _) => "the secret's text (its UTF-8 bytes)".into(),
        (KeyForm::Base64, "") => "the bytes that the secret is the base64 of".into(),
        (KeyForm::Base64, prefix) => format!("the bytes that the secret is the base64 of, after its `{prefix}`"),
    }
}

/// The text of one signature in its header: `sha256=` and the signature.
fn value(rule: &SignatureRule) -> String {
    match rule.value.alone() {
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
    if template.alone() == Some(&Placeholder::Body) {
        return "the raw body".into();
    }
    let told: Vec<String> = template
        .slots()
        .filter(|slot| **slot != Placeholder::Body)
        .map(|slot| format!("`{{{}}}` is {}", facts::name(slot), facts::told_in(dialect, slot)))
        .collect();
    let told = words::list(&told);
    format!("the text `{}` (where {told}, and `{{body}}` is the raw body)", spelled(template))
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
    let needed = |template: &Template| template.slots().any(|slot| rule.signed.slots().any(|s| s == slot));
    let own: Vec<&Placeholder> = rule.before.iter().chain([&rule.value]).flat_map(Template::slots).collect();
    let missing = |template: &Template| template.slots().any(|slot| !own.contains(&slot));
    let more: Vec<String> = dialect
        .headers
        .iter()
        .filter(|header| needed(&header.value) && missing(&header.value))
        .map(|header| format!("`{}`", header.key.spelled))
        .collect();
    if more.is_empty() { String::new() } else { format!(", and {}", words::list(&more)) }
}
