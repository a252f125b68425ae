//! For Rust, with the crates that its cryptography is made of.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Proof, Recipe, Snippet};
use super::rust_helpers;
use crate::dialect::{Algorithm, Encoding, KeyForm, Part, Placeholder, PublicForm, Step, Template};

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("    ");
    imports(&mut out, recipe);
    out.block(&format!(
        "/// Whether a request is genuine. `header` looks a header up, such as `|name| headers.get(name)?.to_str().ok()`;\n\
         /// `body` is the raw bytes; `secrets` is {}.",
        recipe.secrets()
    ));
    if recipe.needs_url() {
        out.line("/// `url` is the webhook's, as it was registered.");
    }
    let url = if recipe.needs_url() { ", url: &str" } else { "" };
    let header = "header: impl Fn(&str) -> Option<&'h str>";
    out.line(format!("pub fn verify<'h>({header}, body: &[u8], secrets: &[&str]{url}) -> bool {{")).deeper();
    match recipe.header() {
        Some(header) => {
            out.line(format!("let Some(given) = header({}) else {{ return false }};", quoted(header)));
        }
        None if recipe.headers.is_empty() => {
            out.line("let _ = header;");
        }
        None => {}
    }
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    rust_helpers::write(&mut out, recipe);
    Snippet { title: "Rust", language: "rust", code: out.text, usage: usage(recipe) }
}

/// What the code needs beside the standard library.
fn imports(out: &mut Lines, recipe: &Recipe<'_>) {
    let is_hmac = recipe.proof == Proof::Hmac;
    let is_pair = matches!(recipe.proof, Proof::Pair(..));
    let reads_json = !recipe.in_body.is_empty() && !recipe.is_form;
    let reads_form = recipe.sorts_form() || (!recipe.in_body.is_empty() && recipe.is_form);
    let parses_time = recipe.time().is_some() && !recipe.time_form().is_number();
    let base64 = recipe.uses_base64() || matches!(recipe.proof, Proof::Pair(_, PublicForm::Pem));
    let (crate_name, hash) = crate_of(recipe.rule.algorithm);
    let hash_crate = if crate_name == "sha1" { "sha1 = \"0.11\"" } else { "sha2 = \"0.11\"" };
    let crates = [
        ("hmac = \"0.13\"", is_hmac),
        (hash_crate, is_hmac),
        ("subtle = \"2\"", !is_pair),
        ("ring = \"0.17\"", is_pair),
        ("base64 = \"0.22\"", base64),
        ("serde_json = \"1\"", reads_json),
        ("form_urlencoded = \"1\"", reads_form),
        ("jiff = \"0.2\"", parses_time),
    ];
    let used = |list: &[(&'static str, bool)]| {
        list.iter().filter(|(_, is_used)| *is_used).map(|(text, _)| *text).collect::<Vec<_>>().join(", ")
    };
    out.line(format!("// Cargo.toml: {}", used(&crates)));
    if base64 {
        let no_pad = is_hmac && recipe.key == KeyForm::Base64;
        let engines = used(&[
            ("Engine", true),
            ("prelude::BASE64_STANDARD", is_pair || recipe.rule.encoding == Encoding::Base64),
            ("prelude::BASE64_STANDARD_NO_PAD", no_pad),
        ]);
        out.line(format!("use base64::{{{engines}}};"));
    }
    if is_hmac {
        out.line("use hmac::{Hmac, KeyInit, Mac};");
    }
    if let Proof::Pair(kind, _) = recipe.proof {
        out.line(format!("use ring::signature::{{{}, UnparsedPublicKey}};", rust_helpers::verification(kind)));
    }
    if is_hmac {
        out.line(format!("use {crate_name}::{hash};"));
    }
    if !is_pair {
        out.line("use subtle::ConstantTimeEq;");
    }
    out.line("");
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for found in &recipe.headers {
        let source = format!("header({})", quoted(found.name));
        match found.pattern() {
            None => {
                out.line(format!("let Some({}) = {source} else {{ return false }};", found.facts[0].snake()));
            }
            Some(template) => {
                out.line(format!("let Some(text) = {source} else {{ return false }};"));
                read_out(out, "text", template, &found.facts, None, "return false");
            }
        }
    }
    if let Some((template, lead)) = recipe.lead.as_ref().and_then(|lead| Some((lead.template?, lead))) {
        read_out(out, "given", template, &lead.facts, Some("signatures"), "return false");
    }
    if !recipe.in_body.is_empty() && !recipe.is_form {
        out.line("let Ok(fields) = serde_json::from_slice(body) else { return false };");
    }
    for (fact, path) in &recipe.in_body {
        let step = |step: &Step| match step {
            Step::Key(key) => key.replace('~', "~0").replace('/', "~1"),
            Step::Item(n) => n.to_string(),
        };
        let steps: Vec<String> = path.iter().map(step).collect();
        let (name, place) = (fact.snake(), steps.join("/"));
        let source = match recipe.is_form {
            true => format!("parameter(body, {})", quoted(&place)),
            false => format!("field(&fields, {})", quoted(&format!("/{place}"))),
        };
        out.line(format!("let Some({name}) = {source} else {{ return false }};"));
        out.line(format!("let {name} = {name}.as_str();"));
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if !is_recent({}) {{", time.snake())).deeper().line("return false;").back().line("}");
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    let several = recipe.rule.several.as_deref();
    out.line("").line("let mut valid = false;");
    let given = recipe.signatures();
    let (item, skip) = if several.is_some() { ("item", "continue") } else { (given, "return false") };
    if let Some(separator) = several {
        out.line(format!("for item in {given}.split({}) {{", quoted(separator))).deeper();
    }
    let read = recipe.item_facts();
    if !read.is_empty() {
        read_out(out, item, &recipe.rule.value, &read, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if !is_recent({}) {{", time.snake())).deeper().line(format!("{skip};")).back().line("}");
        }
    }
    out.line("for secret in secrets {").deeper();
    match recipe.proof {
        Proof::Hmac => mac(out, recipe, item),
        Proof::Secret => {
            match recipe.rule.encoding {
                Encoding::Plain => out.line("let digest = secret;"),
                Encoding::Base64 => out.line("let digest = BASE64_STANDARD.encode(secret);"),
                Encoding::Hex => {
                    out.line("let digest: String = secret.bytes().map(|byte| format!(\"{byte:02x}\")).collect();")
                }
            };
            equal(out, recipe, item);
        }
        Proof::Pair(..) => {
            let text = if recipe.splits_item() { "signature" } else { item };
            out.line("let mut signed = Vec::new();");
            say(out, recipe, |piece| match piece {
                "body" => "signed.extend_from_slice(body);".into(),
                text => format!("signed.extend_from_slice({text}.as_bytes());"),
            });
            out.line(format!("valid |= has_signed(secret, &signed, {text});"));
        }
    }
    out.back().line("}");
    if several.is_some() {
        out.back().line("}");
    }
    out.line("valid").back().line("}");
}

fn mac(out: &mut Lines, recipe: &Recipe<'_>, item: &str) {
    let (_, hash) = crate_of(recipe.rule.algorithm);
    let key = match recipe.key {
        KeyForm::Base64 => {
            let text = match recipe.key_prefix {
                "" => "secret".to_string(),
                prefix => format!("secret.strip_prefix({}).unwrap_or(secret)", quoted(prefix)),
            };
            out.line(format!("let text = {text}.trim_end_matches('=');"));
            out.line("let Ok(key) = BASE64_STANDARD_NO_PAD.decode(text) else { continue };");
            "&key"
        }
        _ => "secret.as_bytes()",
    };
    out.line(format!("let mut mac = Hmac::<{hash}>::new_from_slice({key}).expect(\"a key of any length is taken\");"));
    say(out, recipe, |piece| match piece {
        "body" => "mac.update(body);".into(),
        text => format!("mac.update({text}.as_bytes());"),
    });
    match recipe.is_hex() {
        true => {
            out.line("let mac = mac.finalize().into_bytes();");
            out.line("let digest: String = mac.iter().map(|byte| format!(\"{byte:02x}\")).collect();")
        }
        false => out.line("let digest = BASE64_STANDARD.encode(mac.finalize().into_bytes());"),
    };
    equal(out, recipe, item);
}

/// A line for each piece of what is signed.
fn say(out: &mut Lines, recipe: &Recipe<'_>, line: impl Fn(&str) -> String) {
    let body = if recipe.sorts_form() { "sorted_parameters(body)" } else { "body" };
    for piece in recipe.signed(text, body) {
        out.line(line(&piece));
    }
}

fn equal(out: &mut Lines, recipe: &Recipe<'_>, item: &str) {
    let expected = match recipe.value().as_slice() {
        [Piece::Signature] => "digest".to_string(),
        pieces => formatted(pieces),
    };
    out.line(format!("let expected = {expected};"));
    out.line(format!("valid |= bool::from({item}.as_bytes().ct_eq(expected.as_bytes()));"));
}

/// The crate of a hash, and its name there.
fn crate_of(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Sha1 => ("sha1", "Sha1"),
        Algorithm::Sha512 => ("sha2", "Sha512"),
        _ => ("sha2", "Sha256"),
    }
}

/// Reads facts out of a text, from its start on; `rest` names what follows all of it.
fn read_out(out: &mut Lines, source: &str, template: &Template, facts: &[Fact], rest: Option<&str>, or: &str) {
    let needed = |parts: &[Part]| {
        let is = |part: &Part| matches!(part, Part::Slot(slot) if facts.iter().any(|fact| fact.slot == *slot));
        rest.is_some() || parts.iter().any(is)
    };
    let name_of = |slot: &Placeholder| facts.iter().find(|fact| fact.slot == *slot).map_or("_".into(), Fact::snake);
    let (mut source, mut parts) = (source.to_string(), template.parts.as_slice());
    while needed(parts) {
        match parts {
            [Part::Slot(slot), Part::Text(end), more @ ..] => {
                let after = if needed(more) { "rest" } else { "_" };
                let (name, end) = (name_of(slot), quoted(end));
                out.line(format!("let Some(({name}, {after})) = {source}.split_once({end}) else {{ {or} }};"));
                parts = more;
            }
            [Part::Text(text), more @ ..] => {
                out.line(format!("let Some(rest) = {source}.strip_prefix({}) else {{ {or} }};", quoted(text)));
                parts = more;
            }
            [Part::Slot(slot), ..] => {
                out.line(format!("let {} = {source};", name_of(slot)));
                return;
            }
            [] => break,
        }
        source = "rest".into();
    }
    if let Some(name) = rest {
        out.line(format!("let {name} = {source};"));
    }
}

fn text(pieces: &[Piece]) -> String {
    match pieces {
        [Piece::Text(text)] => quoted(text),
        [Piece::Fact(fact)] => fact.snake(),
        several => formatted(several),
    }
}

fn formatted(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('\\', "\\\\").replace('"', "\\\"").replace('{', "{{").replace('}', "}}"),
        Piece::Fact(fact) => format!("{{{}}}", fact.snake()),
        Piece::Signature => "{digest}".into(),
        Piece::Body => unreachable!("the body is bytes"),
    };
    format!("format!(\"{}\")", pieces.iter().map(piece).collect::<String>())
}

fn usage(recipe: &Recipe<'_>) -> String {
    let (also, url) = match recipe.needs_url() {
        true => ("    let url = std::env::var(\"WEBHOOK_URL\").expect(\"WEBHOOK_URL is set\");\n", ", &url"),
        false => ("", ""),
    };
    format!(
        "// axum: take the body raw, store the event, answer, and work afterwards.\n\
         async fn webhooks(headers: HeaderMap, body: Bytes) -> StatusCode {{\n    \
             let secret = std::env::var(\"WEBHOOK_SECRET\").expect(\"WEBHOOK_SECRET is set\");\n\
         {also}    \
             if !verify(|name| headers.get(name)?.to_str().ok(), &body, &[&secret]{url}) {{\n        \
                 return StatusCode::UNAUTHORIZED;\n    \
             }}\n    \
             QUEUE.push(body);\n    \
             StatusCode::OK\n\
         }}\n"
    )
}
