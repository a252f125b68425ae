//! For Go, with the standard library alone.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::KeyForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let patterns = recipe.has_patterns();
    let several = recipe.rule.several.as_deref();
    let base64 = recipe.key == KeyForm::Base64 || !recipe.is_hex();
    let time = recipe.time().is_some();
    let mut out = Lines::new("\t");
    out.line("package webhooks").line("").line("import (").deeper();
    let package = format!("crypto/{}", recipe.hash());
    for (package, is_used) in [
        ("crypto/hmac", true),
        (package.as_str(), true),
        ("encoding/base64", base64),
        ("encoding/hex", recipe.is_hex()),
        ("net/http", true),
        ("regexp", patterns),
        ("strconv", time),
        ("strings", several.is_some() || recipe.key == KeyForm::Base64),
        ("time", time),
    ] {
        if is_used {
            out.line(quoted(package));
        }
    }
    out.back().line(")").line("");
    out.block(
        "// Verify tells whether a request is genuine. The body is the raw bytes; secrets is the webhook's secret and,\n\
         // while it is being rotated, the old one too.",
    );
    out.line("func Verify(headers http.Header, body []byte, secrets []string) bool {").deeper();
    out.line(format!("given := headers.Get({})", quoted(recipe.header())));
    out.line("if given == \"\" {").deeper().line("return false").back().line("}");
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    refuse_old(&mut out, recipe);
    Snippet { title: "Go", language: "go", code: out.text, usage: usage() }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers.Get({})", quoted(header.name));
        match header.template.alone() {
            Some(_) => {
                let name = header.facts[0].camel();
                out.line(format!("{name} := {source}"));
                out.line(format!("if {name} == \"\" {{")).deeper().line("return false").back().line("}");
            }
            None => {
                read_out(out, &source, &pattern(header.template, &header.facts), &header.facts, None, "return false")
            }
        }
    }
    if let Some(lead) = &recipe.lead {
        let pattern = format!("{}(.*)", pattern(lead.template, &lead.facts));
        read_out(out, "given", &pattern, &lead.facts, Some("signatures"), "return false");
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
    if !recipe.own.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &recipe.own), &recipe.own, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("if !isRecent({}) {{", time.camel())).deeper().line(skip).back().line("}");
        }
    }
    out.line("for _, secret := range secrets {").deeper();
    let key = match recipe.key {
        KeyForm::Utf8 => "[]byte(secret)",
        KeyForm::Base64 => {
            let body = match recipe.key_prefix {
                "" => "secret".to_string(),
                prefix => format!("strings.TrimPrefix(secret, {})", quoted(prefix)),
            };
            out.line(format!("key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight({body}, \"=\"))"));
            out.line("if err != nil {").deeper().line("continue").back().line("}");
            "key"
        }
    };
    out.line(format!("mac := hmac.New({}.New, {key})", recipe.hash()));
    for piece in recipe.signed(text, "body") {
        match piece.as_str() {
            "body" => out.line("mac.Write(body)"),
            text => out.line(format!("mac.Write([]byte({text}))")),
        };
    }
    let encoder = if recipe.is_hex() { "hex" } else { "base64.StdEncoding" };
    let digest = format!("{encoder}.EncodeToString(mac.Sum(nil))");
    out.line(format!("expected := {}", joined(&recipe.value(), &digest)));
    out.line(format!("if hmac.Equal([]byte({item}), []byte(expected)) {{"))
        .deeper()
        .line("valid = true")
        .back()
        .line("}");
    out.back().line("}");
    if several.is_some() {
        out.back().line("}");
    }
    out.line("return valid").back().line("}");
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
    out.line("func isRecent(timestamp string) bool {").deeper();
    out.line("sent, err := strconv.ParseInt(timestamp, 10, 64)").line("age := time.Now().Unix() - sent");
    out.line(format!("return err == nil && -{TOLERANCE_SECONDS} <= age && age <= {TOLERANCE_SECONDS}"));
    out.back().line("}");
}

fn read_out(out: &mut Lines, source: &str, pattern: &str, facts: &[Fact], rest: Option<&str>, or: &str) {
    let pattern = pattern.replace('`', "\\x60");
    out.line(format!("found := regexp.MustCompile(`^{pattern}$`).FindStringSubmatch({source})"));
    out.line("if found == nil {").deeper().line(or).back().line("}");
    let names: Vec<String> = facts.iter().map(Fact::camel).chain(rest.map(String::from)).collect();
    let groups: Vec<String> = (1..=names.len()).map(|n| format!("found[{n}]")).collect();
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

fn usage() -> String {
    "// net/http: take the body raw, store the event, answer, and work afterwards.\n\
     http.HandleFunc(\"POST /webhooks\", func(w http.ResponseWriter, r *http.Request) {\n\
     \tbody, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10<<20))\n\
     \tif err != nil || !webhooks.Verify(r.Header, body, []string{os.Getenv(\"WEBHOOK_SECRET\")}) {\n\
     \t\tw.WriteHeader(http.StatusUnauthorized)\n\
     \t\treturn\n\
     \t}\n\
     \tqueue <- body\n\
     \tw.WriteHeader(http.StatusOK)\n\
     })\n"
        .into()
}
