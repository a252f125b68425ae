//! For PHP 8, without packages.

use super::lines::Lines;
use super::recipe::{Fact, Piece, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::KeyForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("    ");
    out.line("<?php").line("");
    out.block(
        "// $headers: as getallheaders() gives them, names in any case\n\
         // $body:    the raw bytes: file_get_contents(\"php://input\")\n\
         // $secrets: the webhook's secret; while it is being rotated, the old one too",
    );
    out.line("function verify(array $headers, string $body, array $secrets): bool").line("{").deeper();
    out.line("$headers = array_change_key_case($headers, CASE_LOWER);");
    out.line(format!("$given = $headers[{}] ?? '';", literal(&recipe.header().to_lowercase())));
    out.line("if ($given === '') {").deeper().line("return false;").back().line("}");
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    refuse_old(&mut out, recipe);
    Snippet { title: "PHP", language: "php", code: out.text, usage: usage() }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("$headers[{}] ?? ''", literal(&header.name.to_lowercase()));
        match header.template.alone() {
            Some(_) => {
                let name = header.facts[0].camel();
                out.line(format!("${name} = {source};"));
                out.line(format!("if (${name} === '') {{")).deeper().line("return false;").back().line("}");
            }
            None => {
                read_out(out, &source, &pattern(header.template, &header.facts), &header.facts, None, "return false;")
            }
        }
    }
    if let Some(lead) = &recipe.lead {
        let pattern = format!("{}(.*)", pattern(lead.template, &lead.facts));
        read_out(out, "$given", &pattern, &lead.facts, Some("signatures"), "return false;");
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if (!is_recent(${})) {{", time.camel())).deeper().line("return false;").back().line("}");
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    let several = recipe.rule.several.as_deref();
    out.line("").line("$valid = false;");
    let given = format!("${}", recipe.signatures());
    let (item, skip) = if several.is_some() { ("$item", "continue;") } else { (given.as_str(), "return false;") };
    if let Some(separator) = several {
        out.line(format!("foreach (explode({}, {given}) as $item) {{", literal(separator))).deeper();
    }
    if !recipe.own.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &recipe.own), &recipe.own, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if (!is_recent(${})) {{", time.camel())).deeper().line(skip).back().line("}");
        }
    }
    out.line("foreach ($secrets as $secret) {").deeper();
    let key = match (recipe.key, recipe.key_prefix) {
        (KeyForm::Utf8, _) => "$secret".to_string(),
        (KeyForm::Base64, "") => "base64_decode($secret)".to_string(),
        (KeyForm::Base64, prefix) => format!("base64_decode(substr($secret, strlen({})))", literal(prefix)),
    };
    let parts = recipe.signed(joined, "$body");
    out.line(format!("$signed = {};", parts.join(" . ")));
    let algorithm = recipe.hash();
    match recipe.is_hex() {
        true => out.line(format!("$signature = hash_hmac('{algorithm}', $signed, {key});")),
        false => out.line(format!("$signature = base64_encode(hash_hmac('{algorithm}', $signed, {key}, true));")),
    };
    out.line(format!("$valid = hash_equals({}, {item}) || $valid;", joined(&recipe.value())));
    out.back().line("}");
    if several.is_some() {
        out.back().line("}");
    }
    out.line("return $valid;").back().line("}");
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
    out.line("function is_recent(string $timestamp): bool").line("{").deeper();
    out.line(format!("return ctype_digit($timestamp) && abs(time() - (int) $timestamp) <= {TOLERANCE_SECONDS};"));
    out.back().line("}");
}

fn read_out(out: &mut Lines, source: &str, pattern: &str, facts: &[Fact], rest: Option<&str>, or: &str) {
    let pattern = literal(&format!("/^{pattern}$/D"));
    out.line(format!("if (!preg_match({pattern}, {source}, $found)) {{")).deeper().line(or).back().line("}");
    let names = facts.iter().map(Fact::camel).chain(rest.map(String::from));
    let names: Vec<String> = names.map(|name| format!("${name}")).collect();
    match names.as_slice() {
        [one] => out.line(format!("{one} = $found[1];")),
        several => out.line(format!("[, {}] = $found;", several.join(", "))),
    };
}

fn joined(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => literal(text),
        Piece::Fact(fact) => format!("${}", fact.camel()),
        Piece::Signature => "$signature".into(),
        Piece::Body => "$body".into(),
    };
    pieces.iter().map(piece).collect::<Vec<_>>().join(" . ")
}

/// Text between single quotes, in which nothing is filled in.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn usage() -> String {
    "// webhooks.php: take the body raw, store the event, answer, and work afterwards.\n\
     $body = file_get_contents('php://input');\n\
     if (!verify(getallheaders(), $body, [getenv('WEBHOOK_SECRET')])) {\n    \
         http_response_code(401);\n    \
         exit;\n\
     }\n\
     $queue->push(json_decode($body));\n\
     http_response_code(200);\n"
        .into()
}
