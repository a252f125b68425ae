//! For Python 3.9 and newer, without packages.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::KeyForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let patterns = recipe.has_patterns();
    let mut out = Lines::new("    ");
    let base64 = recipe.key == KeyForm::Base64 || !recipe.is_hex();
    for (module, is_used) in
        [("base64", base64), ("hashlib", true), ("hmac", true), ("re", patterns), ("time", recipe.time().is_some())]
    {
        if is_used {
            out.line(format!("import {module}"));
        }
    }
    out.line("").line("");
    out.line("def verify(headers, body, secrets):").deeper();
    out.line("\"\"\"Whether a request is genuine.").line("");
    out.block(
        "headers: a mapping, names in any case\n\
         body:    the raw bytes, before any parser has touched them\n\
         secrets: the webhook's secret; while it is being rotated, the old one too\n\
         \"\"\"",
    );
    out.line("headers = {name.lower(): value for name, value in headers.items()}");
    out.line(format!("given = headers.get({})", quoted(&recipe.header().to_lowercase())));
    out.line("if not given:").deeper().line("return False").back();
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    refuse_old(&mut out, recipe);
    Snippet { title: "Python", language: "python", code: out.text, usage: usage() }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers.get({}", quoted(&header.name.to_lowercase()));
        match header.template.alone() {
            Some(_) => {
                let name = header.facts[0].snake();
                out.line(format!("{name} = {source})"));
                out.line(format!("if not {name}:")).deeper().line("return False").back();
            }
            None => read_out(
                out,
                &format!("{source}, \"\")"),
                &pattern(header.template, &header.facts),
                &header.facts,
                None,
                "return False",
            ),
        }
    }
    if let Some(lead) = &recipe.lead {
        let pattern = format!("{}(.*)", pattern(lead.template, &lead.facts));
        read_out(out, "given", &pattern, &lead.facts, Some("signatures"), "return False");
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if not is_recent({}):", time.snake())).deeper().line("return False").back();
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    out.line("").line("valid = False");
    let several = recipe.rule.several.as_deref();
    let given = recipe.signatures();
    let (item, skip) = if several.is_some() { ("item", "continue") } else { (given, "return False") };
    if let Some(separator) = several {
        out.line(format!("for item in {given}.split({}):", quoted(separator))).deeper();
    }
    if !recipe.own.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &recipe.own), &recipe.own, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if not is_recent({}):", time.snake())).deeper().line(skip).back();
        }
    }
    out.line("for secret in secrets:").deeper();
    let key = match (recipe.key, recipe.key_prefix) {
        (KeyForm::Utf8, _) => "secret.encode()".to_string(),
        (KeyForm::Base64, "") => "base64.b64decode(secret + \"==\")".to_string(),
        (KeyForm::Base64, prefix) => format!("base64.b64decode(secret.removeprefix({}) + \"==\")", quoted(prefix)),
    };
    let parts = recipe.signed(bytes, "body");
    out.line(format!("signed = {}", parts.join(" + ")));
    let mac = format!("hmac.new({key}, signed, hashlib.{})", recipe.hash());
    match recipe.is_hex() {
        true => out.line(format!("signature = {mac}.hexdigest()")),
        false => out.line(format!("signature = base64.b64encode({mac}.digest()).decode()")),
    };
    let expected = match recipe.value().as_slice() {
        [Piece::Signature] => "signature".to_string(),
        pieces => format!("f{}", quoted_parts(pieces)),
    };
    out.line(format!("valid |= hmac.compare_digest({item}.encode(), {expected}.encode())"));
    out.back();
    if several.is_some() {
        out.back();
    }
    out.line("return valid");
    out.back();
}

/// The function that tells an old time, where one is signed.
fn refuse_old(out: &mut Lines, recipe: &Recipe<'_>) {
    if recipe.time().is_none() {
        return;
    }
    out.line("").line("").line("def is_recent(timestamp):").deeper();
    out.line(format!(
        "\"\"\"Not older than {} minutes, so that a recorded request cannot be sent again later.\"\"\"",
        TOLERANCE_SECONDS / 60
    ));
    out.line(format!("return timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= {TOLERANCE_SECONDS}"));
    out.back();
}

fn read_out(out: &mut Lines, source: &str, pattern: &str, facts: &[Fact], rest: Option<&str>, or: &str) {
    out.line(format!("found = re.fullmatch(r{}, {source})", pattern_quoted(pattern)));
    out.line("if not found:").deeper().line(or).back();
    let names: Vec<String> = facts.iter().map(Fact::snake).chain(rest.map(String::from)).collect();
    match names.as_slice() {
        [one] => out.line(format!("{one} = found[1]")),
        several => out.line(format!("{} = found.groups()", several.join(", "))),
    };
}

/// A raw string cannot hold its own quote; a class can.
fn pattern_quoted(pattern: &str) -> String {
    format!("\"{}\"", pattern.replace('"', "\\x22"))
}

fn bytes(pieces: &[Piece]) -> String {
    match pieces {
        [Piece::Text(text)] => format!("b{}", quoted(text)),
        [Piece::Fact(fact)] => format!("{}.encode()", fact.snake()),
        several => format!("f{}.encode()", quoted_parts(several)),
    }
}

/// Pieces inside the quotes of an f-string.
fn quoted_parts(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('\\', "\\\\").replace('"', "\\\"").replace('{', "{{").replace('}', "}}"),
        Piece::Fact(fact) => format!("{{{}}}", fact.snake()),
        Piece::Signature => "{signature}".into(),
        Piece::Body => "{body}".into(),
    };
    format!("\"{}\"", pieces.iter().map(piece).collect::<String>())
}

fn usage() -> String {
    "# Flask: take the body raw, store the event, answer, and work afterwards.\n\
     @app.post(\"/webhooks\")\n\
     def webhooks():\n    \
         if not verify(request.headers, request.get_data(), [os.environ[\"WEBHOOK_SECRET\"]]):\n        \
             return \"\", 401\n    \
         queue.put(request.get_json())\n    \
         return \"\", 200\n"
        .into()
}
