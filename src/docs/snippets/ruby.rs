//! For Ruby, with the standard library alone.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::KeyForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("  ");
    out.line("require \"openssl\"").line("");
    out.block(
        "# headers: a hash, names in any case\n\
         # body:    the raw bytes, before any parser has touched them\n\
         # secrets: the webhook's secret; while it is being rotated, the old one too",
    );
    out.line("def verify(headers, body, secrets)").deeper();
    out.line("headers = headers.transform_keys(&:downcase)");
    out.line(format!("given = headers[{}]", quoted(&recipe.header().to_lowercase())));
    out.line("return false unless given");
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    refuse_old(&mut out, recipe);
    Snippet { title: "Ruby", language: "ruby", code: out.text, usage: usage() }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers[{}]", quoted(&header.name.to_lowercase()));
        match header.template.alone() {
            Some(_) => {
                let name = header.facts[0].snake();
                out.line(format!("{name} = {source}")).line(format!("return false unless {name}"));
            }
            None => read_out(
                out,
                &format!("{source}.to_s"),
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
        out.line(format!("return false unless recent?({})", time.snake()));
    }
}

/// Compares every signature with what every secret gives.
fn compare(out: &mut Lines, recipe: &Recipe<'_>) {
    let several = recipe.rule.several.as_deref();
    out.line("").line("valid = false");
    let given = recipe.signatures();
    let (item, skip) = if several.is_some() { ("item", "next") } else { (given, "return false") };
    if let Some(separator) = several {
        out.line(format!("{given}.split({}).each do |item|", literal(separator))).deeper();
    }
    if !recipe.own.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &recipe.own), &recipe.own, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("{skip} unless recent?({})", time.snake()));
        }
    }
    out.line("secrets.each do |secret|").deeper();
    let key = match (recipe.key, recipe.key_prefix) {
        (KeyForm::Utf8, _) => "secret".to_string(),
        (KeyForm::Base64, "") => "secret.unpack1(\"m\")".to_string(),
        (KeyForm::Base64, prefix) => format!("secret.delete_prefix({}).unpack1(\"m\")", literal(prefix)),
    };
    let parts = recipe.signed(text, "body.b");
    out.line(format!("signed = {}", parts.join(" + ")));
    let digest = recipe.hash();
    match recipe.is_hex() {
        true => out.line(format!("signature = OpenSSL::HMAC.hexdigest(\"{digest}\", {key}, signed)")),
        false => out.line(format!("signature = [OpenSSL::HMAC.digest(\"{digest}\", {key}, signed)].pack(\"m0\")")),
    };
    let expected = match recipe.value().as_slice() {
        [Piece::Signature] => "signature".to_string(),
        pieces => inside(pieces),
    };
    out.line(format!("valid |= OpenSSL.secure_compare({item}, {expected})"));
    out.back().line("end");
    if several.is_some() {
        out.back().line("end");
    }
    out.line("valid").back().line("end");
}

/// The function that tells an old time, where one is signed.
fn refuse_old(out: &mut Lines, recipe: &Recipe<'_>) {
    if recipe.time().is_none() {
        return;
    }
    out.line("").line(format!(
        "# Not older than {} minutes, so that a recorded request cannot be sent again later.",
        TOLERANCE_SECONDS / 60
    ));
    out.line("def recent?(timestamp)").deeper();
    out.line(format!("timestamp.match?(/\\A\\d+\\z/) && (Time.now.to_i - timestamp.to_i).abs <= {TOLERANCE_SECONDS}"));
    out.back().line("end");
}

fn read_out(out: &mut Lines, source: &str, pattern: &str, facts: &[Fact], rest: Option<&str>, or: &str) {
    out.line(format!("found = /\\A{pattern}\\z/.match({source})")).line(format!("{or} unless found"));
    let names: Vec<String> = facts.iter().map(Fact::snake).chain(rest.map(String::from)).collect();
    match names.as_slice() {
        [one] => out.line(format!("{one} = found[1]")),
        several => out.line(format!("{} = found.captures", several.join(", "))),
    };
}

fn text(pieces: &[Piece]) -> String {
    match pieces {
        [Piece::Text(text)] => literal(text),
        [Piece::Fact(fact)] => fact.snake(),
        several => inside(several),
    }
}

fn literal(text: &str) -> String {
    quoted(text).replace('#', "\\#")
}

fn inside(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('\\', "\\\\").replace('"', "\\\"").replace('#', "\\#"),
        Piece::Fact(fact) => format!("#{{{}}}", fact.snake()),
        Piece::Signature => "#{signature}".into(),
        Piece::Body => "#{body}".into(),
    };
    format!("\"{}\"", pieces.iter().map(piece).collect::<String>())
}

fn usage() -> String {
    "# Sinatra: take the body raw, store the event, answer, and work afterwards.\n\
     post \"/webhooks\" do\n  \
       headers = request.env.filter_map { |name, value| [name[5..].tr(\"_\", \"-\"), value] if name.start_with?(\"HTTP_\") }.to_h\n  \
       body = request.body.read\n  \
       halt 401 unless verify(headers, body, [ENV.fetch(\"WEBHOOK_SECRET\")])\n  \
       QUEUE << JSON.parse(body)\n  \
       200\n\
     end\n"
        .into()
}
