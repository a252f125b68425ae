//! The algorithms hold to the published vectors, alone and several in one contract.

use super::*;
use crate::dialect::VerifyError;

/// A contract with `rules` for its signatures.
fn signing(rules: &str) -> Dialect {
    let text = format!(
        r#"
title = "Signs"
description = "It only signs."
timeout_seconds = 5
retry = {{ delays = [1] }}
secrets = {{ key = "utf8", bytes_min = 1, bytes_max = 256 }}
envelope = "{{event.data}}"
{rules}
"#
    );
    Dialect::parse("signs.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn rule(header: &str, algorithm: &str, encoding: &str, value: &str) -> String {
    format!(
        "[[signature]]\nheader = \"{header}\"\nalgorithm = \"{algorithm}\"\nencoding = \"{encoding}\"\n\
         signed = \"{{body}}\"\nvalue = \"{value}\"\n"
    )
}

/// RFC 2202 and RFC 4231, test case 2: the key and the data are text.
#[test]
fn each_algorithm_gives_the_published_macs() {
    for (algorithm, mac) in [
        ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        let dialect = signing(&rule("X-Mac", algorithm, "hex", "{signature}"));
        let body = b"what do ya want for nothing?";
        let verified = |mac: String| dialect.verify(&|_| Some(mac.clone()), body, &[Secret::new("Jefe")], NOW, None);
        assert_eq!(verified(mac.into()), Ok(()), "{algorithm}");
        assert_eq!(verified(mac.replace('7', "8")), Err(VerifyError::Mismatch("X-Mac".into())));
    }
}

/// A product that moves its receivers from an old signature to a new one sends all of them for a while.
#[test]
fn one_contract_signs_with_several_algorithms() {
    let standard = "[headers]\nwebhook-id = \"{event.id}\"\nwebhook-timestamp = \"{attempt.unix}\"\n";
    let rules = [
        standard.to_string(),
        rule("X-Hub-Signature", "sha1", "hex", "sha1={signature}"),
        rule("X-Hub-Signature-256", "sha256", "hex", "sha256={signature}"),
        rule("X-Strong", "sha512", "base64", "{signature}"),
        rule("webhook-signature", "sha256", "base64", "v1,{signature}")
            .replace("\"{body}\"", "\"{event.id}.{attempt.unix}.{body}\""),
    ];
    let dialect = signing(&rules.concat());
    let request = send(&dialect, &event("{\"a\":1}", None, None), &["hush"], NOW);
    for (header, length) in
        [("X-Hub-Signature", 5 + 40), ("X-Hub-Signature-256", 7 + 64), ("X-Strong", 88), ("webhook-signature", 3 + 44)]
    {
        assert_eq!(request.header(header).unwrap().len(), length, "{header}");
    }
    let verify = |changed: &str, secret: &str| {
        let header = |name: &str| {
            let text = request.header(name)?;
            Some(if name == changed { format!("{}0000", &text[..text.len() - 4]) } else { text })
        };
        dialect.verify(&header, &request.body, &[Secret::new(secret)], NOW, Some(300))
    };
    assert_eq!(verify("", "hush"), Ok(()));
    assert_eq!(verify("", "other"), Err(VerifyError::Mismatch("X-Hub-Signature".into())));
    for header in ["X-Hub-Signature", "X-Hub-Signature-256", "X-Strong", "webhook-signature"] {
        assert_eq!(verify(header, "hush"), Err(VerifyError::Mismatch(header.into())), "each of them must match");
    }
}
