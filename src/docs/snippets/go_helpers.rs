//! The functions that verifying code in Go calls: each only where a recipe needs it.

use super::lines::Lines;
use super::recipe::{Proof, Recipe, TOLERANCE_SECONDS};
use crate::dialect::{PairKind, PublicForm};
use crate::domain::time::TimeForm;

/// The functions that all of this uses.
pub(super) fn write(out: &mut Lines, recipe: &Recipe<'_>) {
    if let Proof::Pair(kind, form) = recipe.proof {
        has_signed(out, kind, form);
    }
    if recipe.sorts_form() {
        out.line("").block(
            "// The parameters by their names, names and values strung together.\n\
             func sortedParameters(body []byte) string {\n\
             \tform, _ := url.ParseQuery(string(body))\n\
             \tnames := []string{}\n\
             \tfor name := range form {\n\
             \t\tnames = append(names, name)\n\
             \t}\n\
             \tsort.Strings(names)\n\
             \ttext := \"\"\n\
             \tfor _, name := range names {\n\
             \t\tsort.Strings(form[name])\n\
             \t\tfor _, value := range form[name] {\n\
             \t\t\ttext += name + value\n\
             \t\t}\n\
             \t}\n\
             \treturn text\n\
             }",
        );
    }
    if !recipe.in_body.is_empty() && !recipe.is_form {
        out.line("").block(FIELD);
    }
    refuse_old(out, recipe);
}

/// Reads text or a number out of JSON.
const FIELD: &str = "// The text or the number at a place in JSON; empty if there is none.\n\
    func field(body []byte, path ...interface{}) string {\n\
    \tdecoder := json.NewDecoder(bytes.NewReader(body))\n\
    \tdecoder.UseNumber()\n\
    \tvar value interface{}\n\
    \tif decoder.Decode(&value) != nil {\n\
    \t\treturn \"\"\n\
    \t}\n\
    \tfor _, step := range path {\n\
    \t\tswitch step := step.(type) {\n\
    \t\tcase string:\n\
    \t\t\tobject, _ := value.(map[string]interface{})\n\
    \t\t\tvalue = object[step]\n\
    \t\tcase int:\n\
    \t\t\tlist, _ := value.([]interface{})\n\
    \t\t\tif step >= len(list) {\n\
    \t\t\t\treturn \"\"\n\
    \t\t\t}\n\
    \t\t\tvalue = list[step]\n\
    \t\t}\n\
    \t}\n\
    \tswitch value := value.(type) {\n\
    \tcase string:\n\
    \t\treturn value\n\
    \tcase json.Number:\n\
    \t\treturn value.String()\n\
    \t}\n\
    \treturn \"\"\n\
    }";

/// The function that verifies with a public key.
fn has_signed(out: &mut Lines, kind: PairKind, form: PublicForm) {
    out.line("").line("func hasSigned(key string, signed, signature []byte) bool {").deeper();
    let refuse = |out: &mut Lines, when: &str| {
        out.line(format!("if {when} {{")).deeper().line("return false").back().line("}");
    };
    let der = match form {
        PublicForm::Hex => {
            out.line("public, err := hex.DecodeString(key)");
            refuse(out, "err != nil || len(public) != ed25519.PublicKeySize");
            out.line("return ed25519.Verify(public, signed, signature)").back().line("}");
            return;
        }
        PublicForm::Pem => {
            out.line("block, _ := pem.Decode([]byte(key))");
            refuse(out, "block == nil");
            "block.Bytes"
        }
        PublicForm::Base64 => {
            out.line("der, err := base64.StdEncoding.DecodeString(key)");
            refuse(out, "err != nil");
            "der"
        }
    };
    out.line(format!("parsed, err := x509.ParsePKIXPublicKey({der})"));
    refuse(out, "err != nil");
    let (kind, verified) = match kind {
        PairKind::Ed25519 => ("ed25519.PublicKey", "ed25519.Verify(public, signed, signature)"),
        PairKind::EcdsaP256 => ("*ecdsa.PublicKey", "ecdsa.VerifyASN1(public, hash[:], signature)"),
        PairKind::Rsa => ("*rsa.PublicKey", "rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], signature) == nil"),
    };
    out.line(format!("public, ok := parsed.({kind})"));
    refuse(out, "!ok");
    if verified.contains("hash") {
        out.line("hash := sha256.Sum256(signed)");
    }
    out.line(format!("return {verified}")).back().line("}");
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
    let parse = "sent, err := strconv.ParseInt(timestamp, 10, 64)";
    match recipe.time_form() {
        TimeForm::Unix => out.line(parse).line("age := time.Now().Unix() - sent"),
        TimeForm::UnixMs => out.line(parse).line("age := time.Now().Unix() - sent/1000"),
        TimeForm::Http => out.line("sent, err := http.ParseTime(timestamp)").line("age := time.Since(sent).Seconds()"),
        _ => out.line("sent, err := time.Parse(time.RFC3339, timestamp)").line("age := time.Since(sent).Seconds()"),
    };
    out.line(format!("return err == nil && -{TOLERANCE_SECONDS} <= age && age <= {TOLERANCE_SECONDS}"));
    out.back().line("}");
}
