//! For Ruby, with the standard library alone.

use super::lines::{Lines, quoted};
use super::recipe::{Fact, Piece, Proof, Recipe, Snippet, TOLERANCE_SECONDS, pattern};
use crate::dialect::{Encoding, KeyForm, PairKind, PublicForm, Step};
use crate::domain::time::TimeForm;

pub(super) fn write(recipe: &Recipe<'_>) -> Snippet {
    let mut out = Lines::new("  ");
    let reads_body = !recipe.in_body.is_empty();
    for (library, is_used) in [
        ("json", reads_body && !recipe.is_form),
        ("openssl", true),
        ("time", recipe.time().is_some() && !recipe.time_form().is_number()),
        ("uri", recipe.sorts_form() || (reads_body && recipe.is_form)),
    ] {
        if is_used {
            out.line(format!("require \"{library}\""));
        }
    }
    out.line("");
    out.block(&format!(
        "# headers: a hash, names in any case\n\
         # body:    the raw bytes, before any parser has touched them\n\
         # secrets: {}",
        recipe.secrets()
    ));
    if recipe.needs_url() {
        out.line("# url:     the webhook's URL, as it was registered");
    }
    let url = if recipe.needs_url() { ", url" } else { "" };
    out.line(format!("def verify(headers, body, secrets{url})")).deeper();
    out.line("headers = headers.transform_keys(&:downcase)");
    if let Some(header) = recipe.header() {
        out.line(format!("given = headers[{}]", quoted(&header.to_lowercase())));
        out.line("return false unless given");
    }
    read_facts(&mut out, recipe);
    compare(&mut out, recipe);
    helpers(&mut out, recipe);
    Snippet { title: "Ruby", language: "ruby", code: out.text, usage: usage(recipe) }
}

/// Reads what is signed beside the body, and refuses an old time.
fn read_facts(out: &mut Lines, recipe: &Recipe<'_>) {
    for header in &recipe.headers {
        let source = format!("headers[{}]", quoted(&header.name.to_lowercase()));
        match header.pattern() {
            None => {
                let name = header.facts[0].snake();
                out.line(format!("{name} = {source}")).line(format!("return false unless {name}"));
            }
            Some(template) => read_out(
                out,
                &format!("{source}.to_s"),
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
        out.line(format!("return false unless recent?({})", time.snake()));
    }
}

/// Reads facts that only the body tells.
fn read_body(out: &mut Lines, recipe: &Recipe<'_>) {
    out.line("begin").deeper();
    match recipe.is_form {
        true => out.line("fields = URI.decode_www_form(body).to_h"),
        false => out.line("fields = JSON.parse(body)"),
    };
    for (fact, path) in &recipe.in_body {
        let step = |step: &Step| match step {
            Step::Key(key) => literal(key),
            Step::Item(n) => n.to_string(),
        };
        let steps = path.iter().map(step).collect::<Vec<_>>().join(", ");
        out.line(format!("{} = fields.dig({steps}).to_s", fact.snake()));
    }
    out.back().line(
        "rescue JSON::ParserError, TypeError, ArgumentError, NoMethodError"
            .replace("JSON::ParserError, ", if recipe.is_form { "" } else { "JSON::ParserError, " }),
    );
    out.deeper().line("return false").back().line("end");
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
    let read = recipe.item_facts();
    if !read.is_empty() {
        read_out(out, item, &pattern(&recipe.rule.value, &read), &read, None, skip);
        if let Some(time) = recipe.time().filter(|time| recipe.own.contains(time)) {
            out.line(format!("{skip} unless recent?({})", time.snake()));
        }
    }
    out.line("secrets.each do |secret|").deeper();
    if recipe.proof != Proof::Secret {
        let body = if recipe.sorts_form() { "sorted_parameters(body)" } else { "body.b" };
        out.line(format!("signed = {}", recipe.signed(text, body).join(" + ")));
    }
    match recipe.proof {
        Proof::Hmac => {
            let key = match (recipe.key, recipe.key_prefix) {
                (KeyForm::Base64, "") => "secret.unpack1(\"m\")".to_string(),
                (KeyForm::Base64, prefix) => format!("secret.delete_prefix({}).unpack1(\"m\")", literal(prefix)),
                _ => "secret".to_string(),
            };
            let digest = recipe.hash();
            match recipe.is_hex() {
                true => out.line(format!("expected = OpenSSL::HMAC.hexdigest(\"{digest}\", {key}, signed)")),
                false => {
                    out.line(format!("expected = [OpenSSL::HMAC.digest(\"{digest}\", {key}, signed)].pack(\"m0\")"))
                }
            };
            equal(out, recipe, item);
        }
        Proof::Secret => {
            out.line(match recipe.rule.encoding {
                Encoding::Plain => "expected = secret",
                Encoding::Base64 => "expected = [secret].pack(\"m0\")",
                Encoding::Hex => "expected = secret.unpack1(\"H*\")",
            });
            equal(out, recipe, item);
        }
        Proof::Pair(..) => {
            let text = if recipe.splits_item() { "signature" } else { item };
            let decoded =
                if recipe.is_hex() { format!("[{text}].pack(\"H*\")") } else { format!("{text}.unpack1(\"m\")") };
            out.line(format!("valid |= signed?(secret, signed, {decoded})"));
        }
    }
    out.back().line("end");
    if several.is_some() {
        out.back().line("end");
    }
    out.line("valid").back().line("end");
}

fn equal(out: &mut Lines, recipe: &Recipe<'_>, item: &str) {
    let expected = match recipe.value().as_slice() {
        [Piece::Signature] => "expected".to_string(),
        pieces => inside(pieces),
    };
    out.line(format!("valid |= OpenSSL.secure_compare({item}, {expected})"));
}

/// The functions that all of this uses.
fn helpers(out: &mut Lines, recipe: &Recipe<'_>) {
    if let Proof::Pair(kind, form) = recipe.proof {
        let key = match form {
            PublicForm::Pem => "key",
            PublicForm::Base64 => "key.unpack1(\"m\")",
            // What says in DER that an Ed25519 key follows.
            PublicForm::Hex => "[\"302a300506032b6570032100\" + key].pack(\"H*\")",
        };
        let hash = if kind == PairKind::Ed25519 { "nil" } else { "\"SHA256\"" };
        out.line("").line("def signed?(key, signed, signature)").deeper();
        out.line(format!("OpenSSL::PKey.read({key}).verify({hash}, signature, signed)"));
        out.back().line("rescue OpenSSL::PKey::PKeyError").deeper().line("false").back().line("end");
    }
    if recipe.sorts_form() {
        out.line("").line("# The parameters by their names, names and values strung together.");
        out.line("def sorted_parameters(body)")
            .deeper()
            .line("URI.decode_www_form(body).sort.join.b")
            .back()
            .line("end");
    }
    refuse_old(out, recipe);
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
    let number =
        |sent: &str| format!("timestamp.match?(/\\A\\d+\\z/) && (Time.now.to_i - {sent}).abs <= {TOLERANCE_SECONDS}");
    let parsed = |parse: &str| format!("(Time.now - Time.{parse}(timestamp)).abs <= {TOLERANCE_SECONDS}");
    match recipe.time_form() {
        TimeForm::Unix => out.line(number("timestamp.to_i")),
        TimeForm::UnixMs => out.line(number("timestamp.to_i / 1000")),
        form => {
            out.line(parsed(if form == TimeForm::Http { "httpdate" } else { "iso8601" }));
            out.back().line("rescue ArgumentError").deeper().line("false")
        }
    };
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
        Piece::Signature => "#{expected}".into(),
        Piece::Body => "#{body}".into(),
    };
    format!("\"{}\"", pieces.iter().map(piece).collect::<String>())
}

fn usage(recipe: &Recipe<'_>) -> String {
    let url = if recipe.needs_url() { ", ENV.fetch(\"WEBHOOK_URL\")" } else { "" };
    let event = if recipe.is_form { "body" } else { "JSON.parse(body)" };
    format!(
        "# Sinatra: take the body raw, store the event, answer, and work afterwards.\n\
         post \"/webhooks\" do\n  \
           headers = request.env.filter_map {{ |name, value| [name[5..].tr(\"_\", \"-\"), value] if name.start_with?(\"HTTP_\") }}.to_h\n  \
           body = request.body.read\n  \
           halt 401 unless verify(headers, body, [ENV.fetch(\"WEBHOOK_SECRET\")]{url})\n  \
           QUEUE << {event}\n  \
           200\n\
         end\n"
    )
}
