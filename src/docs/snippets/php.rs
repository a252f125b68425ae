//! For PHP 8, without packages.

use super::lines::Lines;
use super::recipe::{Fact, Piece, Proof, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::{Encoding, KeyForm, PairKind, PublicForm, Step};
use crate::domain::time::TimeForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("    ");
    out.line("<?php").line("");
    out.block(&format!(
        "// $headers: as getallheaders() gives them, names in any case\n\
         // $body:    the raw bytes: file_get_contents(\"php://input\")\n\
         // $secrets: {}",
        recipe.secrets()
    ));
    if recipe.needs_url() {
        out.line("// $url:     the webhook's URL, as it was registered");
    }
    let url = if recipe.needs_url() { ", string $url" } else { "" };
    out.line(format!("function verify(array $headers, string $body, array $secrets{url}): bool")).line("{").deeper();
    out.line("$headers = array_change_key_case($headers, CASE_LOWER);");
    if let Some(header) = recipe.header() {
        out.line(format!("$given = $headers[{}] ?? '';", literal(&header.to_lowercase())));
        out.line("if ($given === '') {").deeper().line("return false;").back().line("}");
    }
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    helpers(&mut out, recipe);
    Snippet { title: "PHP", language: "php", code: out.text, usage: usage(recipe) }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("$headers[{}] ?? ''", literal(&header.name.to_lowercase()));
        match header.pattern() {
            None => {
                let name = header.facts[0].camel();
                out.line(format!("${name} = {source};"));
                out.line(format!("if (${name} === '') {{")).deeper().line("return false;").back().line("}");
            }
            Some(template) => {
                read_out(out, &source, &pattern(template, &header.facts), &header.facts, None, "return false;")
            }
        }
    }
    if let Some((template, lead)) = recipe.lead.as_ref().and_then(|lead| Some((lead.template?, lead))) {
        let pattern = format!("{}(.*)", pattern(template, &lead.facts));
        read_out(out, "$given", &pattern, &lead.facts, Some("signatures"), "return false;");
    }
    if !recipe.in_body.is_empty() {
        read_body(out, recipe);
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if (!is_recent(${})) {{", time.camel())).deeper().line("return false;").back().line("}");
    }
}

/// Reads facts that only the body tells.
fn read_body(out: &mut Lines, recipe: &Recipe<'_>) {
    match recipe.is_form {
        true => out.line("parse_str($body, $fields);"),
        false => out.line("$fields = json_decode($body, true);"),
    };
    for (fact, path) in &recipe.in_body {
        let step = |step: &Step| match step {
            Step::Key(key) => format!("[{}]", literal(key)),
            Step::Item(n) => format!("[{n}]"),
        };
        let (name, steps) = (fact.camel(), path.iter().map(step).collect::<String>());
        out.line(format!("${name} = $fields{steps} ?? null;"));
        out.line(format!("if (!is_string(${name}) && !is_int(${name})) {{")).deeper().line("return false;");
        out.back().line("}").line(format!("${name} = (string) ${name};"));
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
    let read = recipe.item_facts();
    if !read.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &read), &read, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if (!is_recent(${})) {{", time.camel())).deeper().line(skip).back().line("}");
        }
    }
    out.line("foreach ($secrets as $secret) {").deeper();
    if recipe.proof != Proof::Secret {
        let body = if recipe.sorts_form() { "sorted_parameters($body)" } else { "$body" };
        out.line(format!("$signed = {};", recipe.signed(joined, body).join(" . ")));
    }
    match recipe.proof {
        Proof::Hmac => {
            let key = match (recipe.key, recipe.key_prefix) {
                (KeyForm::Base64, "") => "base64_decode($secret)".to_string(),
                (KeyForm::Base64, prefix) => format!("base64_decode(substr($secret, strlen({})))", literal(prefix)),
                _ => "$secret".to_string(),
            };
            let algorithm = recipe.hash();
            match recipe.is_hex() {
                true => out.line(format!("$expected = hash_hmac('{algorithm}', $signed, {key});")),
                false => {
                    out.line(format!("$expected = base64_encode(hash_hmac('{algorithm}', $signed, {key}, true));"))
                }
            };
            equal(out, recipe, item);
        }
        Proof::Secret => {
            out.line(match recipe.rule.encoding {
                Encoding::Plain => "$expected = $secret;",
                Encoding::Base64 => "$expected = base64_encode($secret);",
                Encoding::Hex => "$expected = bin2hex($secret);",
            });
            equal(out, recipe, item);
        }
        Proof::Pair(..) => {
            let text = if recipe.splits_item() { "$signature" } else { item };
            let decode = if recipe.is_hex() { "@hex2bin" } else { "base64_decode" };
            out.line(format!("$valid = has_signed($secret, $signed, (string) {decode}({text})) || $valid;"));
        }
    }
    out.back().line("}");
    if several.is_some() {
        out.back().line("}");
    }
    out.line("return $valid;").back().line("}");
}

fn equal(out: &mut Lines, recipe: &Recipe<'_>, item: &str) {
    out.line(format!("$valid = hash_equals({}, {item}) || $valid;", joined(&recipe.value())));
}

/// The functions that all of this uses.
fn helpers(out: &mut Lines, recipe: &Recipe<'_>) {
    if let Proof::Pair(kind, form) = recipe.proof {
        has_signed(out, kind, form);
    }
    if recipe.sorts_form() {
        out.line("").block(
            "// The parameters by their names, names and values strung together.\n\
             function sorted_parameters(string $body): string\n\
             {\n    \
                 $pairs = [];\n    \
                 foreach ($body === '' ? [] : explode('&', $body) as $pair) {\n        \
                     $pairs[] = array_map('urldecode', explode('=', $pair, 2) + [1 => '']);\n    \
                 }\n    \
                 usort($pairs, fn ($a, $b) => strcmp($a[0], $b[0]) ?: strcmp($a[1], $b[1]));\n    \
                 return implode('', array_map('implode', $pairs));\n\
             }",
        );
    }
    refuse_old(out, recipe);
}

/// The function that verifies with a public key.
fn has_signed(out: &mut Lines, kind: PairKind, form: PublicForm) {
    out.line("").line("function has_signed(string $key, string $signed, string $signature): bool").line("{").deeper();
    match kind {
        PairKind::Ed25519 => {
            let raw = match form {
                PublicForm::Hex => "(string) @hex2bin($key)",
                PublicForm::Base64 => "substr(base64_decode($key), -32)",
                PublicForm::Pem => "substr(base64_decode(preg_replace('/-----.*?-----/', '', $key)), -32)",
            };
            out.line(format!("$key = {raw};"));
            out.line("return strlen($key) === 32 && strlen($signature) === 64");
            out.deeper().line("&& sodium_crypto_sign_verify_detached($signature, $signed, $key);").back();
        }
        PairKind::EcdsaP256 | PairKind::Rsa => {
            if form == PublicForm::Base64 {
                out.line("$lines = chunk_split($key, 64, \"\\n\");");
                out.line("$key = \"-----BEGIN PUBLIC KEY-----\\n{$lines}-----END PUBLIC KEY-----\\n\";");
            }
            out.line("$key = openssl_pkey_get_public($key);");
            out.line("return $key !== false && openssl_verify($signed, $signature, $key, OPENSSL_ALGO_SHA256) === 1;");
        }
    }
    out.back().line("}");
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
    let number = |sent: &str| format!("return ctype_digit($timestamp) && abs(time() - {sent}) <= {TOLERANCE_SECONDS};");
    match recipe.time_form() {
        TimeForm::Unix => out.line(number("(int) $timestamp")),
        TimeForm::UnixMs => out.line(number("(int) $timestamp / 1000")),
        _ => out
            .line("$sent = strtotime($timestamp);")
            .line(format!("return $sent !== false && abs(time() - $sent) <= {TOLERANCE_SECONDS};")),
    };
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
        Piece::Signature => "$expected".into(),
        Piece::Body => "$body".into(),
    };
    pieces.iter().map(piece).collect::<Vec<_>>().join(" . ")
}

/// Text between single quotes, in which nothing is filled in.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn usage(recipe: &Recipe<'_>) -> String {
    let url = if recipe.needs_url() { ", getenv('WEBHOOK_URL')" } else { "" };
    let event = if recipe.is_form { "$body" } else { "json_decode($body)" };
    format!(
        "// webhooks.php: take the body raw, store the event, answer, and work afterwards.\n\
         $body = file_get_contents('php://input');\n\
         if (!verify(getallheaders(), $body, [getenv('WEBHOOK_SECRET')]{url})) {{\n    \
             http_response_code(401);\n    \
             exit;\n\
         }}\n\
         $queue->push({event});\n\
         http_response_code(200);\n"
    )
}
