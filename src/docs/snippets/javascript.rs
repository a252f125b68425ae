//! For Node, without packages.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Proof, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::{Encoding, KeyForm, PairKind, PublicForm, Step};
use crate::domain::time::TimeForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("  ");
    let used = match recipe.proof {
        Proof::Hmac => "createHmac, timingSafeEqual",
        Proof::Secret => "timingSafeEqual",
        Proof::Pair(..) => "createPublicKey, verify as verifySignature",
    };
    out.line(format!("import {{ {used} }} from \"node:crypto\";")).line("");
    out.block(&format!(
        "// headers: as Node gives them, names in lower case\n\
         // body:    the raw bytes (a Buffer), before any parser has touched them\n\
         // secrets: {}",
        recipe.secrets()
    ));
    if recipe.needs_url() {
        out.line("// url:     the webhook's URL, as it was registered");
    }
    let url = if recipe.needs_url() { ", url" } else { "" };
    out.line(format!("export function verify(headers, body, secrets{url}) {{")).deeper();
    if let Some(header) = recipe.header() {
        out.line(format!("const given = headers[{}];", quoted(&header.to_lowercase())));
        out.line("if (!given) return false;");
    }
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    helpers(&mut out, recipe);
    Snippet { title: "JavaScript (Node)", language: "javascript", code: out.text, usage: usage(recipe) }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers[{}]", quoted(&header.name.to_lowercase()));
        match header.pattern() {
            None => {
                let name = header.facts[0].camel();
                out.line(format!("const {name} = {source};")).line(format!("if (!{name}) return false;"));
            }
            Some(template) => read_out(
                out,
                &format!("{source} ?? \"\""),
                &pattern(template, &header.facts),
                &header.facts,
                None,
                "return false",
            ),
        }
    }
    if let Some((template, lead)) = recipe.lead.as_ref().and_then(|lead| Some((lead.template?, lead))) {
        let pattern = format!("{}(.*)", pattern(template, &lead.facts));
        read_out(out, "given", &pattern, &lead.facts, Some("signatures"), "return false");
    }
    if !recipe.in_body.is_empty() {
        read_body(out, recipe);
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if (!isRecent({})) return false;", time.camel()));
    }
}

/// Reads facts that only the body tells.
fn read_body(out: &mut Lines, recipe: &Recipe<'_>) {
    match recipe.is_form {
        true => out.line("const form = new URLSearchParams(String(body));"),
        false => out.block("let fields;\ntry {\n  fields = JSON.parse(body);\n} catch {\n  return false;\n}"),
    };
    for (fact, path) in &recipe.in_body {
        let name = fact.camel();
        let step = |step: &Step| match step {
            Step::Key(key) => format!("?.[{}]", quoted(key)),
            Step::Item(n) => format!("?.[{n}]"),
        };
        match (recipe.is_form, path.as_slice()) {
            (true, [Step::Key(key)]) => out.line(format!("const {name} = form.get({});", quoted(key))),
            _ => out.line(format!("const {name} = fields{}?.toString();", path.iter().map(step).collect::<String>())),
        };
        out.line(format!("if (!{name}) return false;"));
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    out.line("").line("let valid = false;");
    let given = recipe.signatures();
    let item = match &recipe.rule.several {
        Some(separator) => {
            out.line(format!("for (const item of {given}.split({})) {{", quoted(separator))).deeper();
            "item"
        }
        None => given,
    };
    let skip = if recipe.rule.several.is_some() { "continue" } else { "return false" };
    let read = recipe.item_facts();
    if !read.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &read), &read, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if (!isRecent({})) {skip};", time.camel()));
        }
    }
    out.line("for (const secret of secrets) {").deeper();
    match recipe.proof {
        Proof::Hmac => {
            let key = match (recipe.key, recipe.key_prefix) {
                (KeyForm::Base64, "") => "Buffer.from(secret, \"base64\")".to_string(),
                (KeyForm::Base64, prefix) => {
                    format!("Buffer.from(secret.slice({}.length), \"base64\")", quoted(prefix))
                }
                _ => "secret".to_string(),
            };
            out.line(format!("const mac = createHmac({}, {key});", quoted(recipe.hash())));
            for piece in recipe.signed(text, body(recipe)) {
                out.line(format!("mac.update({piece});"));
            }
            let encoding = if recipe.is_hex() { "hex" } else { "base64" };
            let digest = format!("mac.digest(\"{encoding}\")");
            out.line(format!("valid = equal({item}, {}) || valid;", expected(&recipe.value(), &digest)));
        }
        Proof::Secret => {
            let shown = match recipe.rule.encoding {
                Encoding::Plain => "secret",
                Encoding::Base64 => "Buffer.from(secret).toString(\"base64\")",
                Encoding::Hex => "Buffer.from(secret).toString(\"hex\")",
            };
            out.line(format!("valid = equal({item}, {}) || valid;", expected(&recipe.value(), shown)));
        }
        Proof::Pair(kind, _) => {
            let encoding = if recipe.is_hex() { "hex" } else { "base64" };
            let signature = if recipe.splits_item() { "signature" } else { item };
            let pieces = recipe.signed(text, body(recipe)).into_iter().map(|piece| format!("Buffer.from({piece})"));
            out.line(format!("const signed = Buffer.concat([{}]);", pieces.collect::<Vec<_>>().join(", ")));
            let hash = if kind == PairKind::Ed25519 { "null" } else { "\"sha256\"" };
            let decoded = format!("Buffer.from({signature}, \"{encoding}\")");
            out.line(format!("valid = verifySignature({hash}, signed, publicKey(secret), {decoded}) || valid;"));
        }
    }
    out.back().line("}");
    if recipe.rule.several.is_some() {
        out.back().line("}");
    }
    out.line("return valid;").back().line("}");
}

fn body(recipe: &Recipe<'_>) -> &'static str {
    if recipe.sorts_form() { "sortedParameters(body)" } else { "body" }
}

/// The functions that all of this uses.
fn helpers(out: &mut Lines, recipe: &Recipe<'_>) {
    match recipe.proof {
        Proof::Pair(_, form) => {
            let key = match form {
                PublicForm::Pem => "key",
                PublicForm::Base64 => "{ key: Buffer.from(key, \"base64\"), format: \"der\", type: \"spki\" }",
                // What says in DER that an Ed25519 key follows.
                PublicForm::Hex => {
                    "{ key: Buffer.from(\"302a300506032b6570032100\" + key, \"hex\"), format: \"der\", type: \"spki\" }"
                }
            };
            out.line("").block(&format!("function publicKey(key) {{\n  return createPublicKey({key});\n}}"));
        }
        _ => {
            out.line("").block("function equal(given, expected) {\n  const [a, b] = [Buffer.from(given), Buffer.from(expected)];\n  return a.length === b.length && timingSafeEqual(a, b);\n}");
        }
    }
    if recipe.sorts_form() {
        out.line("").block(
            "// The parameters by their names, names and values strung together.\n\
             function sortedParameters(body) {\n  \
               const pairs = [...new URLSearchParams(String(body))];\n  \
               pairs.sort(([a, x], [b, y]) => Buffer.compare(Buffer.from(a), Buffer.from(b)) || Buffer.compare(Buffer.from(x), Buffer.from(y)));\n  \
               return pairs.map(([name, value]) => name + value).join(\"\");\n\
             }",
        );
    }
    refuse_old(out, recipe);
}

/// The function that tells an old time, where one is signed.
fn refuse_old(out: &mut Lines, recipe: &Recipe<'_>) {
    if recipe.time().is_none() {
        return;
    }
    out.line("").line(format!(
        "// Not older than {} minutes, so that a recorded request cannot be sent again later.",
        TOLERANCE_SECONDS / 60
    ));
    let sent = match recipe.time_form() {
        TimeForm::Unix => "Number(timestamp)",
        TimeForm::UnixMs => "Number(timestamp) / 1000",
        _ => "Date.parse(timestamp) / 1000",
    };
    out.line("function isRecent(timestamp) {").deeper();
    out.line(format!("return Math.abs(Date.now() / 1000 - {sent}) <= {TOLERANCE_SECONDS};"));
    out.back().line("}");
}

/// Reads facts out of a text.
fn read_out(out: &mut Lines, source: &str, pattern: &str, facts: &[Fact], rest: Option<&str>, or: &str) {
    let names: Vec<String> = facts.iter().map(Fact::camel).chain(rest.map(String::from)).collect();
    out.line(format!("const [, {}] = /^{pattern}$/.exec({source}) ?? [];", names.join(", ")));
    out.line(format!("if ({} === undefined) {or};", names[0]));
}

/// Pieces as one string.
fn text(pieces: &[Piece]) -> String {
    match pieces {
        [Piece::Text(text)] => quoted(text),
        [Piece::Fact(fact)] => fact.camel(),
        several => template(several, ""),
    }
}

fn expected(pieces: &[Piece], digest: &str) -> String {
    match pieces {
        [Piece::Signature] => digest.to_string(),
        several => template(several, digest),
    }
}

fn template(pieces: &[Piece], digest: &str) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${"),
        Piece::Fact(fact) => format!("${{{}}}", fact.camel()),
        Piece::Signature => format!("${{{digest}}}"),
        Piece::Body => "${body}".into(),
    };
    format!("`{}`", pieces.iter().map(piece).collect::<String>())
}

fn usage(recipe: &Recipe<'_>) -> String {
    let url = if recipe.needs_url() { ", process.env.WEBHOOK_URL" } else { "" };
    let event = if recipe.is_form { "String(req.body)" } else { "JSON.parse(req.body)" };
    format!(
        "// Express: take the body raw, store the event, answer, and work afterwards.\n\
         app.post(\"/webhooks\", express.raw({{ type: \"*/*\", limit: \"10mb\" }}), async (req, res) => {{\n  \
           if (!verify(req.headers, req.body, [process.env.WEBHOOK_SECRET]{url})) return res.sendStatus(401);\n  \
           await queue.add({event});\n  \
           res.sendStatus(200);\n\
         }});\n"
    )
}
