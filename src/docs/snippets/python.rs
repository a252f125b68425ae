//! For Python 3.9 and newer, without packages; for key pairs with `cryptography`, as Python brings none.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Proof, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::{Encoding, KeyForm, PairKind, PublicForm, Step};
use crate::domain::time::TimeForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("    ");
    imports(&mut out, recipe);
    out.line("").line("");
    let url = if recipe.needs_url() { ", url" } else { "" };
    out.line(format!("def verify(headers, body, secrets{url}):")).deeper();
    out.line("\"\"\"Whether a request is genuine.").line("");
    out.block(&format!(
        "headers: a mapping, names in any case\n\
         body:    the raw bytes, before any parser has touched them\n\
         secrets: {}",
        recipe.secrets()
    ));
    if recipe.needs_url() {
        out.line("url:     the webhook's URL, as it was registered");
    }
    out.line("\"\"\"");
    out.line("headers = {name.lower(): value for name, value in headers.items()}");
    if let Some(header) = recipe.header() {
        out.line(format!("given = headers.get({})", quoted(&header.to_lowercase())));
        out.line("if not given:").deeper().line("return False").back();
    }
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    helpers(&mut out, recipe);
    Snippet { title: "Python", language: "python", code: out.text, usage: usage(recipe) }
}

fn imports(out: &mut Lines, recipe: &Recipe<'_>) {
    let (is_mac, reads_json) = (recipe.proof == Proof::Hmac, !recipe.in_body.is_empty() && !recipe.is_form);
    let reads_form = recipe.sorts_form() || (!recipe.in_body.is_empty() && recipe.is_form);
    let is_pair = matches!(recipe.proof, Proof::Pair(..));
    let parses_time = !recipe.time_form().is_number() && recipe.time().is_some();
    for (import, is_used) in [
        ("import base64", recipe.uses_base64()),
        ("import datetime", parses_time && recipe.time_form() != TimeForm::Http),
        ("import email.utils", parses_time && recipe.time_form() == TimeForm::Http),
        ("import hashlib", is_mac),
        ("import hmac", !is_pair),
        ("import json", reads_json),
        ("import re", recipe.has_patterns()),
        ("import time", recipe.time().is_some()),
        ("import urllib.parse", reads_form),
    ] {
        if is_used {
            out.line(import);
        }
    }
    if let Proof::Pair(kind, form) = recipe.proof {
        out.line("").line("from cryptography.exceptions import InvalidSignature  # pip install cryptography");
        let primitives = "cryptography.hazmat.primitives";
        match kind {
            PairKind::Ed25519 if form == PublicForm::Hex => {
                out.line(format!("from {primitives}.asymmetric.ed25519 import Ed25519PublicKey"))
            }
            PairKind::Ed25519 => out.line(format!("from {primitives} import serialization")),
            PairKind::EcdsaP256 => out
                .line(format!("from {primitives} import hashes, serialization"))
                .line(format!("from {primitives}.asymmetric import ec")),
            PairKind::Rsa => out
                .line(format!("from {primitives} import hashes, serialization"))
                .line(format!("from {primitives}.asymmetric import padding")),
        };
    }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers.get({}", quoted(&header.name.to_lowercase()));
        match header.pattern() {
            None => {
                let name = header.facts[0].snake();
                out.line(format!("{name} = {source})"));
                out.line(format!("if not {name}:")).deeper().line("return False").back();
            }
            Some(template) => read_out(
                out,
                &format!("{source}, \"\")"),
                &pattern(template, &header.facts),
                &header.facts,
                None,
                "return False",
            ),
        }
    }
    if let Some((template, lead)) = recipe.lead.as_ref().and_then(|lead| Some((lead.template?, lead))) {
        let pattern = format!("{}(.*)", pattern(template, &lead.facts));
        read_out(out, "given", &pattern, &lead.facts, Some("signatures"), "return False");
    }
    if !recipe.in_body.is_empty() {
        read_body(out, recipe);
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if not is_recent({}):", time.snake())).deeper().line("return False").back();
    }
}

/// Reads facts that only the body tells.
fn read_body(out: &mut Lines, recipe: &Recipe<'_>) {
    out.line("try:").deeper();
    match recipe.is_form {
        true => out.line("fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))"),
        false => out.line("fields = json.loads(body)"),
    };
    for (fact, path) in &recipe.in_body {
        let step = |step: &Step| match step {
            Step::Key(key) => format!("[{}]", quoted(key)),
            Step::Item(n) => format!("[{n}]"),
        };
        out.line(format!("{} = str(fields{})", fact.snake(), path.iter().map(step).collect::<String>()));
    }
    out.back().line("except (ValueError, LookupError, TypeError):").deeper().line("return False").back();
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
    let read = recipe.item_facts();
    if !read.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &read), &read, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if not is_recent({}):", time.snake())).deeper().line(skip).back();
        }
    }
    out.line("for secret in secrets:").deeper();
    if recipe.proof != Proof::Secret {
        let body = if recipe.sorts_form() { "sorted_parameters(body)" } else { "body" };
        out.line(format!("signed = {}", recipe.signed(bytes, body).join(" + ")));
    }
    match recipe.proof {
        Proof::Pair(..) => {
            let text = if recipe.splits_item() { "signature" } else { item };
            let decode = if recipe.is_hex() { "bytes.fromhex" } else { "base64.b64decode" };
            out.line(format!("valid |= has_signed(secret, {decode}, {text}, signed)"));
        }
        Proof::Hmac => {
            let key = match (recipe.key, recipe.key_prefix) {
                (KeyForm::Base64, "") => "base64.b64decode(secret + \"==\")".to_string(),
                (KeyForm::Base64, prefix) => {
                    format!("base64.b64decode(secret.removeprefix({}) + \"==\")", quoted(prefix))
                }
                _ => "secret.encode()".to_string(),
            };
            let mac = format!("hmac.new({key}, signed, hashlib.{})", recipe.hash());
            match recipe.is_hex() {
                true => out.line(format!("expected = {mac}.hexdigest()")),
                false => out.line(format!("expected = base64.b64encode({mac}.digest()).decode()")),
            };
            equal(out, recipe, item);
        }
        Proof::Secret => {
            out.line(match recipe.rule.encoding {
                Encoding::Plain => "expected = secret",
                Encoding::Base64 => "expected = base64.b64encode(secret.encode()).decode()",
                Encoding::Hex => "expected = secret.encode().hex()",
            });
            equal(out, recipe, item);
        }
    }
    out.back();
    if several.is_some() {
        out.back();
    }
    out.line("return valid");
    out.back();
}

fn equal(out: &mut Lines, recipe: &Recipe<'_>, item: &str) {
    let expected = match recipe.value().as_slice() {
        [Piece::Signature] => "expected".to_string(),
        pieces => format!("f{}", quoted_parts(pieces)),
    };
    out.line(format!("valid |= hmac.compare_digest({item}.encode(), {expected}.encode())"));
}

/// The functions that all of this uses.
fn helpers(out: &mut Lines, recipe: &Recipe<'_>) {
    if let Proof::Pair(kind, form) = recipe.proof {
        let key = match form {
            PublicForm::Pem => "serialization.load_pem_public_key(key.encode())",
            PublicForm::Base64 => "serialization.load_der_public_key(base64.b64decode(key))",
            PublicForm::Hex => "Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))",
        };
        let how = match kind {
            PairKind::Ed25519 => "",
            PairKind::EcdsaP256 => ", ec.ECDSA(hashes.SHA256())",
            PairKind::Rsa => ", padding.PKCS1v15(), hashes.SHA256()",
        };
        out.line("").line("").line("def has_signed(key, decode, signature, signed):").deeper();
        out.line("try:")
            .deeper()
            .line(format!("{key}.verify(decode(signature), signed{how})"))
            .line("return True")
            .back();
        out.line("except (InvalidSignature, ValueError):").deeper().line("return False").back().back();
    }
    if recipe.sorts_form() {
        out.line("").line("").line("def sorted_parameters(body):").deeper();
        out.line("\"\"\"The parameters by their names, names and values strung together.\"\"\"");
        out.line("pairs = urllib.parse.parse_qsl(body.decode(errors=\"replace\"), keep_blank_values=True)");
        out.line("return \"\".join(name + value for name, value in sorted(pairs)).encode()").back();
    }
    refuse_old(out, recipe);
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
    let within = |sent: &str| format!("abs(time.time() - {sent}) <= {TOLERANCE_SECONDS}");
    let parsed = match recipe.time_form() {
        TimeForm::Unix => {
            out.line(format!("return timestamp.isdecimal() and {}", within("int(timestamp)"))).back();
            return;
        }
        TimeForm::UnixMs => {
            out.line(format!("return timestamp.isdecimal() and {}", within("int(timestamp) / 1000"))).back();
            return;
        }
        TimeForm::Http => "email.utils.parsedate_to_datetime(timestamp)",
        _ => "datetime.datetime.fromisoformat(timestamp.replace(\"Z\", \"+00:00\"))",
    };
    out.line("try:").deeper().line(format!("sent = {parsed}.timestamp()")).back();
    out.line("except (ValueError, TypeError):").deeper().line("return False").back();
    out.line(format!("return {}", within("sent"))).back();
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
        Piece::Signature => "{expected}".into(),
        Piece::Body => "{body}".into(),
    };
    format!("\"{}\"", pieces.iter().map(piece).collect::<String>())
}

fn usage(recipe: &Recipe<'_>) -> String {
    let url = if recipe.needs_url() { ", os.environ[\"WEBHOOK_URL\"]" } else { "" };
    let event = if recipe.is_form { "request.get_data(as_text=True)" } else { "request.get_json()" };
    format!(
        "# Flask: take the body raw, store the event, answer, and work afterwards.\n\
         @app.post(\"/webhooks\")\n\
         def webhooks():\n    \
             if not verify(request.headers, request.get_data(), [os.environ[\"WEBHOOK_SECRET\"]]{url}):\n        \
                 return \"\", 401\n    \
             queue.put({event})\n    \
             return \"\", 200\n"
    )
}
