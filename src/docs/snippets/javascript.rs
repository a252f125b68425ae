//! For Node, without packages.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::KeyForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("  ");
    out.line("import { createHmac, timingSafeEqual } from \"node:crypto\";").line("");
    out.block(
        "// headers: as Node gives them, names in lower case\n\
         // body:    the raw bytes (a Buffer), before any parser has touched them\n\
         // secrets: the webhook's secret; while it is being rotated, the old one too",
    );
    out.line("export function verify(headers, body, secrets) {").deeper();
    out.line(format!("const given = headers[{}];", quoted(&recipe.header().to_lowercase())));
    out.line("if (!given) return false;");
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    refuse_old(&mut out, recipe);
    Snippet { title: "JavaScript (Node)", language: "javascript", code: out.text, usage: usage() }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers[{}]", quoted(&header.name.to_lowercase()));
        match header.template.alone() {
            Some(_) => {
                let name = header.facts[0].camel();
                out.line(format!("const {name} = {source};")).line(format!("if (!{name}) return false;"));
            }
            None => read_out(
                out,
                &format!("{source} ?? \"\""),
                &pattern(header.template, &header.facts),
                &header.facts,
                None,
                "return false",
            ),
        }
    }
    if let Some(lead) = &recipe.lead {
        let pattern = format!("{}(.*)", pattern(lead.template, &lead.facts));
        read_out(out, "given", &pattern, &lead.facts, Some("signatures"), "return false");
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if (!isRecent({})) return false;", time.camel()));
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
    if !recipe.own.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &recipe.own), &recipe.own, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if (!isRecent({})) {skip};", time.camel()));
        }
    }
    out.line("for (const secret of secrets) {").deeper();
    let key = match (recipe.key, recipe.key_prefix) {
        (KeyForm::Utf8, _) => "secret".to_string(),
        (KeyForm::Base64, "") => "Buffer.from(secret, \"base64\")".to_string(),
        (KeyForm::Base64, prefix) => format!("Buffer.from(secret.slice({}.length), \"base64\")", quoted(prefix)),
    };
    out.line(format!("const mac = createHmac({}, {key});", quoted(recipe.hash())));
    for piece in recipe.signed(text, "body") {
        out.line(format!("mac.update({piece});"));
    }
    let encoding = if recipe.is_hex() { "hex" } else { "base64" };
    let digest = format!("mac.digest(\"{encoding}\")");
    out.line(format!("valid = equal({item}, {}) || valid;", expected(&recipe.value(), &digest)));
    out.back().line("}");
    if recipe.rule.several.is_some() {
        out.back().line("}");
    }
    out.line("return valid;").back().line("}").line("");
    out.block("function equal(given, expected) {\n  const [a, b] = [Buffer.from(given), Buffer.from(expected)];\n  return a.length === b.length && timingSafeEqual(a, b);\n}");
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
    out.line("function isRecent(timestamp) {").deeper();
    out.line(format!("return Math.abs(Date.now() / 1000 - Number(timestamp)) <= {TOLERANCE_SECONDS};"));
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

fn usage() -> String {
    "// Express: take the body raw, store the event, answer, and work afterwards.\n\
     app.post(\"/webhooks\", express.raw({ type: \"application/json\", limit: \"10mb\" }), async (req, res) => {\n  \
       if (!verify(req.headers, req.body, [process.env.WEBHOOK_SECRET])) return res.sendStatus(401);\n  \
       await queue.add(JSON.parse(req.body));\n  \
       res.sendStatus(200);\n\
     });\n"
        .into()
}
