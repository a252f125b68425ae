//! The algorithms hold to the published vectors, alone and several in one contract.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::dialect::Signing;

/// A contract with `rules` for its signatures.
fn signing(rules: &str) -> Dialect {
    Dialect::parse("signs.toml", &contract(rules)).unwrap_or_else(|error| panic!("{error}"))
}

/// The file of such a contract.
fn contract(rules: &str) -> String {
    format!(
        r#"
title = "Signs"
description = "It only signs."
timeout_seconds = 5
retry = {{ delays = [1] }}
envelope = "{{event.data}}"
[secrets]
key = "utf8"
bytes_min = 1
bytes_max = 256
{rules}
"#
    )
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
        let verified = |mac: String| check(&dialect, &|_| Some(mac.clone()), body, &[Secret::new("Jefe")], (NOW, None));
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
        check(&dialect, &header, &request.body, &[Secret::new(secret)], (NOW, Some(300)))
    };
    assert_eq!(verify("", "hush"), Ok(()));
    assert_eq!(verify("", "other"), Err(VerifyError::Mismatch("X-Hub-Signature".into())));
    for header in ["X-Hub-Signature", "X-Hub-Signature-256", "X-Strong", "webhook-signature"] {
        assert_eq!(verify(header, "hush"), Err(VerifyError::Mismatch(header.into())), "each of them must match");
    }
}

/// RFC 8032, 7.1, test 2: the message is the letter r.
#[test]
fn a_key_pair_gives_the_published_signature() {
    const PRIVATE: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let base64 = |hex: &str| {
        let byte = |n: usize| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap();
        BASE64_STANDARD.encode((0..hex.len() / 2).map(byte).collect::<Vec<u8>>())
    };
    let pair = "\n[secrets.ed25519]\nprefix = \"sk_\"\npublic_prefix = \"pk_\"\n";
    let rule = rule("X-Signature", "sha256", "hex", "v1,{signature}");
    let dialect = signing(&format!("{rule}ed25519 = \"v1a,{{signature}}\"\n{pair}"));
    let (seed, whole) = (format!("sk_{}", base64(PRIVATE)), format!("sk_{}", base64(&[PRIVATE, PUBLIC].concat())));
    for private in [&seed, &whole] {
        let secret = Secret::new(private.as_str());
        assert_eq!(dialect.public_key(&secret), Some(format!("pk_{}", base64(PUBLIC))));
        let (key, rule) = (dialect.signing_key(&secret).unwrap(), &dialect.signature[0]);
        assert_eq!(rule.header_text(&[key], b"r", &|_, _| {}), format!("v1a,{SIGNATURE}"));
    }
    let verify = |text: String, body: &[u8], secret: String| {
        check(&dialect, &|_| Some(text.clone()), body, &[Secret::new(secret)], (NOW, None))
    };
    let (given, public) = (format!("v1a,{SIGNATURE}"), format!("pk_{}", base64(PUBLIC)));
    assert_eq!(verify(given.clone(), b"r", public.clone()), Ok(()));
    assert_eq!(verify(given.clone(), b"r", seed.clone()), Ok(()));
    let mismatch = Err(VerifyError::Mismatch("X-Signature".into()));
    assert_eq!(verify(given.clone(), b"s", public.clone()), mismatch);
    assert_eq!(verify(given.replace("92a0", "92a1"), b"r", public.clone()), mismatch);
    assert_eq!(verify("v1a,zz".into(), b"r", public.clone()), mismatch);
    assert!(matches!(verify(given.clone(), b"r", "shared".into()), Err(VerifyError::WrongForm { .. })));
    assert_eq!(dialect.check_secret(&public).unwrap_err().field, "secret", "what verifies does not sign");
    let torn = format!("sk_{}", base64(&[PRIVATE, PRIVATE].concat()));
    assert_eq!(dialect.check_secret(&torn).unwrap_err().field, "secret", "its halves are no pair");
    let generated = dialect.generate(Signing::Ed25519, &[5; 32]).unwrap();
    assert_eq!(dialect.check_secret(generated.reveal()), Ok(None));
}

#[test]
fn key_pairs_need_a_form_and_a_place_in_every_signature() {
    let rule = rule("X-Signature", "sha256", "hex", "v1,{signature}");
    let refused = |text: String, key: &str| {
        let error = Dialect::parse("signs.toml", &contract(&text)).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    };
    let pair = |prefix: &str, public: &str| {
        format!("[secrets.ed25519]\nprefix = \"{prefix}\"\npublic_prefix = \"{public}\"\n")
    };
    refused(format!("{rule}{}", pair("sk_", "pk_")), "signature[0].ed25519");
    let signed = format!("{rule}ed25519 = \"v1a,{{signature}}\"\n");
    refused(signed.clone(), "signature[0].ed25519");
    refused(format!("{signed}{}", pair("", "pk_")), "secrets.ed25519.prefix");
    refused(format!("{signed}{}", pair("sk_", "sk_")), "secrets.ed25519.public_prefix");
    refused(format!("{signed}{}", pair("k", "kp_")), "secrets.ed25519.public_prefix");
}
