//! For Go, with the standard library alone.

use super::go_helpers;
use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Proof, Recipe, Snippet, pattern};
use crate::dialect::{Encoding, KeyForm, PairKind, PublicForm, Step};
use crate::docs::words::capital;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("\t");
    out.line("package webhooks").line("").line("import (").deeper();
    let hash = format!("crypto/{}", recipe.hash());
    for (package, is_used) in imports(recipe, &hash) {
        if is_used {
            out.line(quoted(package));
        }
    }
    out.back().line(")").line("");
    out.block(&format!(
        "// Verify tells whether a request is genuine. The body is the raw bytes; secrets is {}.",
        recipe.secrets()
    ));
    if recipe.needs_url() {
        out.line("// The URL is the webhook's, as it was registered.");
    }
    let url = if recipe.needs_url() { ", url string" } else { "" };
    out.line(format!("func Verify(headers http.Header, body []byte, secrets []string{url}) bool {{")).deeper();
    if let Some(header) = recipe.header() {
        out.line(format!("given := headers.Get({})", quoted(header)));
        out.line("if given == \"\" {").deeper().line("return false").back().line("}");
    }
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    go_helpers::write(&mut out, recipe);
    Snippet { title: "Go", language: "go", code: out.text, usage: usage(recipe) }
}

/// What is imported, and whether.
fn imports<'a>(recipe: &Recipe<'_>, hash: &'a str) -> [(&'a str, bool); 19] {
    let is_pair = |kind| matches!(recipe.proof, Proof::Pair(known, _) if known == kind);
    let is_form = |form| matches!(recipe.proof, Proof::Pair(_, known) if known == form);
    let (ed25519, rsa) = (is_pair(PairKind::Ed25519), is_pair(PairKind::Rsa));
    let hashes = recipe.proof == Proof::Hmac || is_pair(PairKind::EcdsaP256) || rsa;
    let (reads_body, has_time) = (!recipe.in_body.is_empty(), recipe.time().is_some());
    let splits = recipe.rule.several.is_some();
    let base64_key = recipe.proof == Proof::Hmac && recipe.key == KeyForm::Base64;
    [
        ("bytes", reads_body && !recipe.is_form),
        ("crypto", rsa),
        ("crypto/ecdsa", is_pair(PairKind::EcdsaP256)),
        ("crypto/ed25519", ed25519),
        ("crypto/hmac", matches!(recipe.proof, Proof::Hmac | Proof::Secret)),
        ("crypto/rsa", rsa),
        (hash, hashes),
        ("crypto/x509", is_form(PublicForm::Pem) || is_form(PublicForm::Base64)),
        ("encoding/base64", recipe.uses_base64()),
        ("encoding/hex", recipe.is_hex() || is_form(PublicForm::Hex)),
        ("encoding/json", reads_body && !recipe.is_form),
        ("encoding/pem", is_form(PublicForm::Pem)),
        ("net/http", true),
        ("net/url", recipe.sorts_form() || (reads_body && recipe.is_form)),
        ("regexp", recipe.has_patterns()),
        ("sort", recipe.sorts_form()),
        ("strconv", has_time && recipe.time_form().is_number()),
        ("strings", splits || base64_key),
        ("time", has_time),
    ]
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers.Get({})", quoted(header.name));
        match header.pattern() {
            None => {
                let name = header.facts[0].camel();
                out.line(format!("{name} := {source}"));
                out.line(format!("if {name} == \"\" {{")).deeper().line("return false").back().line("}");
            }
            Some(template) => {
                read_out(out, &source, &pattern(template, &header.facts), &header.facts, None, "return false")
            }
        }
    }
    if let Some((template, lead)) = recipe.lead.as_ref().and_then(|lead| Some((lead.template?, lead))) {
        let pattern = format!("{}(.*)", pattern(template, &lead.facts));
        read_out(out, "given", &pattern, &lead.facts, Some("signatures"), "return false");
    }
    if !recipe.in_body.is_empty() && recipe.is_form {
        out.line("form, err := url.ParseQuery(string(body))");
        out.line("if err != nil {").deeper().line("return false").back().line("}");
    }
    for (fact, path) in &recipe.in_body {
        let name = fact.camel();
        let step = |step: &Step| match step {
            Step::Key(key) => quoted(key),
            Step::Item(n) => n.to_string(),
        };
        let steps = path.iter().map(step).collect::<Vec<_>>().join(", ");
        out.line(match recipe.is_form {
            true => format!("{name} := form.Get({steps})"),
            false => format!("{name} := field(body, {steps})"),
        });
        out.line(format!("if {name} == \"\" {{")).deeper().line("return false").back().line("}");
    }
    if let Some(time) = recipe.time().filter(|time| !recipe.own.contains(time)) {
        out.line(format!("if !isRecent({}) {{", time.camel())).deeper().line("return false").back().line("}");
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    let several = recipe.rule.several.as_deref();
    out.line("").line("valid := false");
    let given = recipe.signatures();
    let (item, skip) = if several.is_some() { ("item", "continue") } else { (given, "return false") };
    if let Some(separator) = several {
        out.line(format!("for _, item := range strings.Split({given}, {}) {{", quoted(separator))).deeper();
    }
    let read = recipe.item_facts();
    if !read.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &read), &read, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if !isRecent({}) {{", time.camel())).deeper().line(skip).back().line("}");
        }
    }
    out.line("for _, secret := range secrets {").deeper();
    match recipe.proof {
        Proof::Hmac => mac(out, recipe, item),
        Proof::Secret => {
            let shown = match recipe.rule.encoding {
                Encoding::Plain => "secret",
                Encoding::Base64 => "base64.StdEncoding.EncodeToString([]byte(secret))",
                Encoding::Hex => "hex.EncodeToString([]byte(secret))",
            };
            equal(out, recipe, item, shown);
        }
        Proof::Pair(..) => {
            let text = if recipe.splits_item() { "signature" } else { item };
            out.line("var signed []byte");
            say(out, recipe, |piece| match piece {
                "body" => "signed = append(signed, body...)".into(),
                text => format!("signed = append(signed, {text}...)"),
            });
            let decode = if recipe.is_hex() { "hex.DecodeString" } else { "base64.StdEncoding.DecodeString" };
            out.line(format!("decoded, err := {decode}({text})"));
            out.line("if err == nil && hasSigned(secret, signed, decoded) {").deeper().line("valid = true");
            out.back().line("}");
        }
    }
    out.back().line("}");
    if several.is_some() {
        out.back().line("}");
    }
    out.line("return valid").back().line("}");
}

fn mac(out: &mut Lines, recipe: &Recipe<'_>, item: &str) {
    let key = match recipe.key {
        KeyForm::Base64 => {
            let body = match recipe.key_prefix {
                "" => "secret".to_string(),
                prefix => format!("strings.TrimPrefix(secret, {})", quoted(prefix)),
            };
            out.line(format!("key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight({body}, \"=\"))"));
            out.line("if err != nil {").deeper().line("continue").back().line("}");
            "key"
        }
        _ => "[]byte(secret)",
    };
    out.line(format!("mac := hmac.New({}.New, {key})", recipe.hash()));
    say(out, recipe, |piece| match piece {
        "body" => "mac.Write(body)".into(),
        text => format!("mac.Write([]byte({text}))"),
    });
    let encoder = if recipe.is_hex() { "hex" } else { "base64.StdEncoding" };
    equal(out, recipe, item, &format!("{encoder}.EncodeToString(mac.Sum(nil))"));
}

/// A line for each piece of what is signed.
fn say(out: &mut Lines, recipe: &Recipe<'_>, line: impl Fn(&str) -> String) {
    let body = if recipe.sorts_form() { "sortedParameters(body)" } else { "body" };
    for piece in recipe.signed(text, body) {
        out.line(line(&piece));
    }
}

fn equal(out: &mut Lines, recipe: &Recipe<'_>, item: &str, signature: &str) {
    out.line(format!("expected := {}", joined(&recipe.value(), signature)));
    out.line(format!("if hmac.Equal([]byte({item}), []byte(expected)) {{"))
        .deeper()
        .line("valid = true")
        .back()
        .line("}");
}

fn read_out(out: &mut Lines, source: &str, pattern: &str, facts: &[Fact], rest: Option<&str>, or: &str) {
    let pattern = pattern.replace('`', "\\x60");
    let names: Vec<String> = facts.iter().map(Fact::camel).chain(rest.map(String::from)).collect();
    let found = format!("found{}", names.first().map_or(String::new(), |name| capital(name)));
    out.line(format!("{found} := regexp.MustCompile(`^{pattern}$`).FindStringSubmatch({source})"));
    out.line(format!("if {found} == nil {{")).deeper().line(or).back().line("}");
    let groups: Vec<String> = (1..=names.len()).map(|n| format!("{found}[{n}]")).collect();
    out.line(format!("{} := {}", names.join(", "), groups.join(", ")));
}

fn text(pieces: &[Piece]) -> String {
    joined(pieces, "")
}

fn joined(pieces: &[Piece], digest: &str) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => quoted(text),
        Piece::Fact(fact) => fact.camel(),
        Piece::Signature => digest.to_string(),
        Piece::Body => "string(body)".into(),
    };
    pieces.iter().map(piece).collect::<Vec<_>>().join(" + ")
}

fn usage(recipe: &Recipe<'_>) -> String {
    let secrets = "[]string{os.Getenv(\"WEBHOOK_SECRET\")}";
    let url = if recipe.needs_url() { ", os.Getenv(\"WEBHOOK_URL\")" } else { "" };
    format!(
        "// net/http: take the body raw, store the event, answer, and work afterwards.\n\
         http.HandleFunc(\"POST /webhooks\", func(w http.ResponseWriter, r *http.Request) {{\n\
         \tbody, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10<<20))\n\
         \tif err != nil || !webhooks.Verify(r.Header, body, {secrets}{url}) {{\n\
         \t\tw.WriteHeader(http.StatusUnauthorized)\n\
         \t\treturn\n\
         \t}}\n\
         \tqueue <- body\n\
         \tw.WriteHeader(http.StatusOK)\n\
         }})\n"
    )
}
