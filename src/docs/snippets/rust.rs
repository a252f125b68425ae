//! For Rust, with the crates that its cryptography is made of.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Recipe, Snippet, TOLERANCE_SECONDS};
use crate::dialect::{Algorithm, KeyForm, Part, Placeholder, Template};

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let (crate_name, hash) = crate_of(recipe.rule.algorithm);
    let base64 = recipe.key == KeyForm::Base64 || !recipe.is_hex();
    let mut out = Lines::new("    ");
    let version = if crate_name == "sha1" { "sha1 = \"0.11\"" } else { "sha2 = \"0.11\"" };
    let more = if base64 { ", base64 = \"0.22\"" } else { "" };
    out.line(format!("// Cargo.toml: hmac = \"0.13\", {version}, subtle = \"2\"{more}"));
    if base64 {
        out.line("use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};");
    }
    out.block(&format!("use hmac::{{Hmac, KeyInit, Mac}};\nuse {crate_name}::{hash};\nuse subtle::ConstantTimeEq;"))
        .line("");
    out.block(
        "/// Whether a request is genuine. `header` looks a header up, such as `|name| headers.get(name)?.to_str().ok()`;\n\
         /// `body` is the raw bytes; `secrets` is the webhook's secret and, while it is being rotated, the old one too.",
    );
    out.line("pub fn verify<'h>(header: impl Fn(&str) -> Option<&'h str>, body: &[u8], secrets: &[&str]) -> bool {")
        .deeper();
    out.line(format!("let Some(given) = header({}) else {{ return false }};", quoted(recipe.header())));
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    refuse_old(&mut out, recipe);
    let mut code = out.text;
    if base64 && recipe.is_hex() {
        code = code.replace("prelude::BASE64_STANDARD, ", "");
    }
    if base64 && recipe.key == KeyForm::Utf8 {
        code = code.replace(", prelude::BASE64_STANDARD_NO_PAD", "");
    }
    Snippet { title: "Rust", language: "rust", code, usage: usage() }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for found in &recipe.headers {
        let source = format!("header({})", quoted(found.name));
        match found.template.alone() {
            Some(_) => {
                out.line(format!("let Some({}) = {source} else {{ return false }};", found.facts[0].snake()));
            }
            None => {
                out.line(format!("let Some(text) = {source} else {{ return false }};"));
                read_out(out, "text", found.template, &found.facts, None, "return false");
            }
        }
    }
    if let Some(lead) = &recipe.lead {
        read_out(out, "given", lead.template, &lead.facts, Some("signatures"), "return false");
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if !is_recent({}) {{", time.snake())).deeper().line("return false;").back().line("}");
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    let (_, hash) = crate_of(recipe.rule.algorithm);
    let several = recipe.rule.several.as_deref();
    out.line("").line("let mut valid = false;");
    let given = recipe.signatures();
    let (item, skip) = if several.is_some() { ("item", "continue") } else { (given, "return false") };
    if let Some(separator) = several {
        out.line(format!("for item in {given}.split({}) {{", quoted(separator))).deeper();
    }
    if !recipe.own.is_empty() {
        read_out(out, item, &recipe.rule.value, &recipe.own, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if !is_recent({}) {{", time.snake())).deeper().line(format!("{skip};")).back().line("}");
        }
    }
    out.line("for secret in secrets {").deeper();
    let key = match recipe.key {
        KeyForm::Utf8 => "secret.as_bytes()",
        KeyForm::Base64 => {
            let text = match recipe.key_prefix {
                "" => "secret".to_string(),
                prefix => format!("secret.strip_prefix({}).unwrap_or(secret)", quoted(prefix)),
            };
            out.line(format!("let text = {text}.trim_end_matches('=');"));
            out.line("let Ok(key) = BASE64_STANDARD_NO_PAD.decode(text) else { continue };");
            "&key"
        }
    };
    out.line(format!("let mut mac = Hmac::<{hash}>::new_from_slice({key}).expect(\"a key of any length is taken\");"));
    for piece in recipe.signed(text, "body") {
        match piece.as_str() {
            "body" => out.line("mac.update(body);"),
            text => out.line(format!("mac.update({text}.as_bytes());")),
        };
    }
    match recipe.is_hex() {
        true => {
            out.line("let mac = mac.finalize().into_bytes();");
            out.line("let signature: String = mac.iter().map(|byte| format!(\"{byte:02x}\")).collect();")
        }
        false => out.line("let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());"),
    };
    let expected = match recipe.value().as_slice() {
        [Piece::Signature] => "signature".to_string(),
        pieces => formatted(pieces),
    };
    out.line(format!("let expected = {expected};"));
    out.line(format!("valid |= bool::from({item}.as_bytes().ct_eq(expected.as_bytes()));"));
    out.back().line("}");
    if several.is_some() {
        out.back().line("}");
    }
    out.line("valid").back().line("}");
}

/// The function that tells an old time, where one is signed.
fn refuse_old(out: &mut Lines, recipe: &Recipe<'_>) {
    if recipe.time().is_none() {
        return;
    }
    out.line("").line(format!(
        "/// Not older than {} minutes, so that a recorded request cannot be sent again later.",
        TOLERANCE_SECONDS / 60
    ));
    out.line("fn is_recent(timestamp: &str) -> bool {").deeper();
    out.line(
        "let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs());",
    );
    out.line(format!("timestamp.parse::<u64>().is_ok_and(|sent| now.abs_diff(sent) <= {TOLERANCE_SECONDS})"));
    out.back().line("}");
}

/// The crate of a hash, and its name there.
fn crate_of(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Sha1 => ("sha1", "Sha1"),
        Algorithm::Sha256 => ("sha2", "Sha256"),
        Algorithm::Sha512 => ("sha2", "Sha512"),
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
        Piece::Signature => "{signature}".into(),
        Piece::Body => unreachable!("the body is bytes"),
    };
    format!("format!(\"{}\")", pieces.iter().map(piece).collect::<String>())
}

fn usage() -> String {
    "// axum: take the body raw, store the event, answer, and work afterwards.\n\
     async fn webhooks(headers: HeaderMap, body: Bytes) -> StatusCode {\n    \
         let secret = std::env::var(\"WEBHOOK_SECRET\").expect(\"WEBHOOK_SECRET is set\");\n    \
         if !verify(|name| headers.get(name)?.to_str().ok(), &body, &[&secret]) {\n        \
             return StatusCode::UNAUTHORIZED;\n    \
         }\n    \
         QUEUE.push(body);\n    \
         StatusCode::OK\n\
     }\n"
    .into()
}
