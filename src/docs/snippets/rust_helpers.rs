//! The functions that verifying code in Rust calls: each only where a recipe needs it.

use super::lines::Lines;
use super::recipe::{Proof, Recipe, TOLERANCE_SECONDS};
use crate::dialect::{PairKind, PublicForm};
use crate::domain::time::TimeForm;

/// What `ring` calls the kind.
pub(super) fn verification(kind: PairKind) -> &'static str {
    match kind {
        PairKind::Ed25519 => "ED25519",
        PairKind::EcdsaP256 => "ECDSA_P256_SHA256_ASN1",
        PairKind::Rsa => "RSA_PKCS1_2048_8192_SHA256",
    }
}

/// The functions that all of this uses.
pub(super) fn write(out: &mut Lines, recipe: &Recipe<'_>) {
    if let Proof::Pair(kind, form) = recipe.proof {
        has_signed(out, recipe, kind, form);
    }
    if recipe.sorts_form() {
        out.line("").block(
            "/// The parameters by their names, names and values strung together.\n\
             fn sorted_parameters(body: &[u8]) -> String {\n    \
                 let mut pairs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();\n    \
                 pairs.sort();\n    \
                 pairs.into_iter().map(|(name, value)| name + &value).collect()\n\
             }",
        );
    }
    match (recipe.in_body.is_empty(), recipe.is_form) {
        (true, _) => {}
        (false, true) => {
            out.line("").block(
                "fn parameter(body: &[u8], name: &str) -> Option<String> {\n    \
                     form_urlencoded::parse(body).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())\n\
                 }",
            );
        }
        (false, false) => {
            out.line("").block(
                "fn field(fields: &serde_json::Value, place: &str) -> Option<String> {\n    \
                     match fields.pointer(place)? {\n        \
                         serde_json::Value::String(text) => Some(text.clone()),\n        \
                         serde_json::Value::Number(number) => Some(number.to_string()),\n        \
                         _ => None,\n    \
                     }\n\
                 }",
            );
        }
    }
    refuse_old(out, recipe);
}

/// The function that verifies with a public key.
fn has_signed(out: &mut Lines, recipe: &Recipe<'_>, kind: PairKind, form: PublicForm) {
    out.line("").line("fn has_signed(key: &str, signed: &[u8], signature: &str) -> bool {").deeper();
    if form == PublicForm::Pem {
        out.line("let key: String = key.lines().filter(|line| !line.starts_with('-')).collect();");
    }
    let hex = |out: &mut Lines, name: &str, text: &str| {
        out.line(format!("let {name}: Option<Vec<u8>> = (0..{text}.len() / 2)"));
        out.deeper().line(format!(".map(|n| u8::from_str_radix({text}.get(2 * n..2 * n + 2)?, 16).ok())"));
        out.line(".collect();").back();
    };
    match form {
        PublicForm::Hex => hex(out, "public", "key"),
        _ => {
            out.line("let public = BASE64_STANDARD.decode(key).ok();");
        }
    }
    match recipe.is_hex() {
        true => hex(out, "decoded", "signature"),
        false => {
            out.line("let decoded = BASE64_STANDARD.decode(signature).ok();");
        }
    }
    out.line("let (Some(public), Some(decoded)) = (public, decoded) else { return false };");
    // What stands before the key itself in a SubjectPublicKeyInfo of its kind and usual length.
    let skipped = match (kind, form) {
        (_, PublicForm::Hex) => 0,
        (PairKind::Ed25519, _) => 12,
        (PairKind::EcdsaP256, _) => 26,
        (PairKind::Rsa, _) => 24,
    };
    let verify = "verify(signed, &decoded).is_ok()";
    match skipped {
        0 => out.line(format!("UnparsedPublicKey::new(&{}, public).{verify}", verification(kind))),
        n => {
            out.line(format!("// ring takes the key without the {n} bytes that say which kind it is."));
            out.line(format!("let Some(public) = public.get({n}..) else {{ return false }};"));
            out.line(format!("UnparsedPublicKey::new(&{}, public).{verify}", verification(kind)))
        }
    };
    out.back().line("}");
}

/// The function that tells an old time, where one is signed.
fn refuse_old(out: &mut Lines, recipe: &Recipe<'_>) {
    if recipe.time().is_none() {
        return;
    }
    out.line("").line(format!(
        "/// Not older than {} minutes, so that a recorded request cannot be sent again later.",
        TOLERANCE_SECONDS / 60
    ));
    out.line("fn is_recent(timestamp: &str) -> bool {").deeper();
    out.line(
        "let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs());",
    );
    let within = |sent: &str| format!("now.abs_diff({sent}) <= {TOLERANCE_SECONDS}");
    let seconds = within("at.as_second().max(0) as u64");
    out.line(match recipe.time_form() {
        TimeForm::Unix => format!("timestamp.parse::<u64>().is_ok_and(|sent| {})", within("sent")),
        TimeForm::UnixMs => format!("timestamp.parse::<u64>().is_ok_and(|sent| {})", within("sent / 1000")),
        TimeForm::Http => {
            let at = "let at = at.timestamp();";
            format!("jiff::fmt::rfc2822::parse(timestamp).is_ok_and(|at| {{ {at} {seconds} }})")
        }
        _ => format!("timestamp.parse::<jiff::Timestamp>().is_ok_and(|at| {seconds})"),
    });
    out.back().line("}");
}
